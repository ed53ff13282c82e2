"""What flows between transforms is typed: an undeclared output would be pickled as ``Any``."""

from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.pipeline import AppliedPTransform, PipelineVisitor

from pipelines.commoncrawl.source import CommonCrawlConfig, commoncrawl
from pipelines.engine.plan import Plan
from pipelines.engine.runs import Run
from pipelines.engine.units import Unit
from pipelines.github.source import GithubConfig, github, plan
from pipelines.wikipedia.source import WikipediaConfig, wikipedia
from pipelines.wikipedia.source import plan as plan_wikipedia
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


def _check(build: Any, planned: Plan, config: Any, run: Run, *, resumed: bool) -> None:
    """Walk the whole pipeline, or what is left of it when all texts are cleaned (DESIGN 3)."""
    if resumed:
        for unit in planned.units:
            for folder in ("units", "staged"):
                run.write_json({}, folder, f"{unit.name}.json")
    pipeline = beam.Pipeline()
    build(pipeline, planned, config, run)
    types = _Types()
    pipeline.visit(types)
    assert types.untyped == []
    assert types.seen > 3


@pytest.mark.parametrize("profile", ["default", "redpajama"])
@pytest.mark.parametrize("write", [write_tables, write_joined])
@pytest.mark.parametrize("resumed", [False, True])
def test_every_collection_of_github_is_typed(
    tmp_path: Path, profile: Any, write: Any, resumed: bool
) -> None:
    """With each kind of export."""
    config = GithubConfig(input=tuple(write(tmp_path / "in")), profile=profile)
    _check(github, plan(config), config, Run(str(tmp_path / "run")), resumed=resumed)


@pytest.mark.parametrize("date", ["20220801", "sample"])
@pytest.mark.parametrize("resumed", [False, True])
def test_every_collection_of_wikipedia_is_typed(tmp_path: Path, date: str, resumed: bool) -> None:
    """With a meeting of pages and without."""
    config = WikipediaConfig(input=tuple(write_dumps(tmp_path / "in", date=date)))
    run = Run(str(tmp_path / "run"))
    _check(wikipedia, plan_wikipedia(config), config, run, resumed=resumed)


@pytest.mark.parametrize("profile", ["default", "cc_net"])
@pytest.mark.parametrize("committed", [(), ("0",), ("0", "1")])
def test_every_collection_of_commoncrawl_is_typed(
    tmp_path: Path, profile: Any, committed: tuple[str, ...]
) -> None:
    """Of the whole pipeline, and of what is left where scopes are done."""
    units = [
        Unit(str(n), "", "wet", 1, {"stem": "", "segment": "", "dump": "", "index": n, "scope": n})
        for n in range(2)
    ]
    run = Run(str(tmp_path))
    for name in committed:
        run.write_json({}, "staged" if profile == "default" else "units", f"{name}.json")
    config = CommonCrawlConfig(("",), profile=profile)
    pipeline = beam.Pipeline()
    commoncrawl(pipeline, Plan(units, {}, [], []), config, run)
    types = _Types()
    pipeline.visit(types)
    assert types.untyped == []
    assert types.seen > 1
