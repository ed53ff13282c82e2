"""What flows between transforms is typed: an undeclared output would be pickled as ``Any``."""

from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.pipeline import AppliedPTransform, PipelineVisitor

from pipelines.books.config import BooksConfig
from pipelines.books.source import BOOKS
from pipelines.commoncrawl.source import COMMONCRAWL, CommonCrawlConfig
from pipelines.engine.graph import build
from pipelines.engine.output import RejectPolicy, Terms
from pipelines.engine.plan import Inputs, Plan
from pipelines.engine.runs import Run
from pipelines.engine.schedule import Schedule
from pipelines.engine.source import plan, plan_of
from pipelines.engine.units import Part, Unit
from pipelines.engine.worker import Worker
from pipelines.engine.workspace import Workspace
from pipelines.github.source import GITHUB, GithubConfig
from pipelines.samples.stackexchange import write_stackexchange_dumps
from pipelines.stackexchange.source import STACKEXCHANGE, StackExchangeConfig
from pipelines.wikipedia.source import WIKIPEDIA, WikipediaConfig
from tests.pipelines.books.shelves import write_gutenberg
from tests.pipelines.github.github_export import write_joined, write_tables
from tests.pipelines.wikipedia.wikipedia_dumps import write_dumps


class _Types(PipelineVisitor):  # type: ignore[misc] # Beam is untyped
    """Collects transforms with an output of type Any."""

    def __init__(self) -> None:
        self.seen = 0
        self.untyped: list[str] = []

    def visit_transform(self, transform_node: AppliedPTransform) -> None:
        for output in transform_node.outputs.values():
            self.seen += 1
            if "Any" in repr(output.element_type) or output.element_type is None:
                self.untyped.append(f"{transform_node.full_label}: {output.element_type}")


def _check_nothing(_run: Run) -> None:
    """Take any worker."""


def _check(planned: Plan, run: Run) -> None:
    """Walk the whole pipeline, or what is left of it."""
    workspace = Workspace.within(run)
    pipeline = beam.Pipeline()
    build(pipeline, Schedule(planned.steps, workspace), Worker(workspace, _check_nothing))
    types = _Types()
    pipeline.visit(types)
    # Beam's own Reshuffle and side inputs name their inner collections so.
    assert [name for name in types.untyped if "Reshuffle" not in name and "/_" not in name] == []
    assert types.seen > 3


def _stage(run: Run, units: list[Unit], topic: str) -> None:
    """Leave what a run that was cut off after its staging had written."""
    workspace = Workspace.within(run)
    for unit in units:
        run.write_json({}, "staged", f"{unit.name}.json")
        workspace.write_no_claims(topic, unit.name)


@pytest.mark.parametrize("profile", ["default", "redpajama"])
@pytest.mark.parametrize("write", [write_tables, write_joined])
@pytest.mark.parametrize("resumed", [False, True])
def test_every_collection_of_github_is_typed(
    tmp_path: Path, profile: Any, write: Any, resumed: bool
) -> None:
    """With each kind of export, and of what is left when all texts are cleaned."""
    config = GithubConfig(input=tuple(write(tmp_path / "in")), profile=profile)
    planned, run = plan(GITHUB, config), Run(str(tmp_path / "run"))
    if resumed:
        _stage(run, list(planned.units), "duplicate_text")
    _check(planned, run)


@pytest.mark.parametrize("resumed", [False, True])
def test_every_collection_of_books_is_typed(tmp_path: Path, resumed: bool) -> None:
    """Of the whole pipeline, and of what is left when all books are staged."""
    write_gutenberg(tmp_path / "in")
    config = BooksConfig(gutenberg=(str(tmp_path / "in"),))
    planned, run = plan(BOOKS, config), Run(str(tmp_path / "run"))
    if resumed:
        _stage(run, list(planned.units), "same_text")
    _check(planned, run)


@pytest.mark.parametrize("date", ["20220801", "sample"])
@pytest.mark.parametrize("resumed", [False, True])
def test_every_collection_of_wikipedia_is_typed(tmp_path: Path, date: str, resumed: bool) -> None:
    """With a decision over pages and without."""
    config = WikipediaConfig(input=tuple(write_dumps(tmp_path / "in", date=date)))
    planned, run = plan(WIKIPEDIA, config), Run(str(tmp_path / "run"))
    if resumed:
        _stage(run, list(planned.units), "duplicate_page")
    _check(planned, run)


@pytest.mark.parametrize("profile", ["default", "cc_net"])
@pytest.mark.parametrize("staged", [(), ("0",), ("0", "1")])
def test_every_collection_of_commoncrawl_is_typed(
    tmp_path: Path, profile: Any, staged: tuple[str, ...]
) -> None:
    """Of the whole pipeline, and of what is left where scopes are done."""
    units = [
        Unit(
            str(n),
            "wet",
            (Part("", 1),),
            {"stem": "", "segment": "", "dump": "", "index": n, "scope": n},
        )
        for n in range(2)
    ]
    run = Run(str(tmp_path))
    config = CommonCrawlConfig(("",), profile=profile, langid="x", models="x")
    _stage(run, [unit for unit in units if unit.name in staged], "digest")
    phases = COMMONCRAWL.phases(config, units)
    _check(plan_of(Terms("commoncrawl", RejectPolicy()), Inputs(units), phases), run)


@pytest.mark.parametrize("resumed", [False, True])
def test_every_collection_of_stackexchange_is_typed(tmp_path: Path, resumed: bool) -> None:
    """With an archive that is unpacked, and of what is left when all posts are read."""
    inputs = map(str, write_stackexchange_dumps(tmp_path / "in"))
    config = StackExchangeConfig(input=tuple(inputs), unit_megabytes=0.001, group_megabytes=0.001)
    planned, run = plan(STACKEXCHANGE, config), Run(str(tmp_path / "run"))
    if resumed:
        for unit in planned.units:
            if unit.kind == "piece":
                run.write_json({}, "units", f"{unit.name}.json")
                Workspace.within(run).write_no_claims("threads", unit.name)
    _check(planned, run)
