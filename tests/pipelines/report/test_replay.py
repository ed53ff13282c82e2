"""A trace decides as the run did, about every document, also where others decide."""

from collections import Counter
from pathlib import Path

import pytest

from pipelines.__main__ import main
from pipelines.catalog import SOURCE_BY_NAME
from pipelines.engine.documents import Document, read_rows
from pipelines.engine.output import RejectPolicy, Terms
from pipelines.engine.passes import Write
from pipelines.engine.plan import Inputs
from pipelines.engine.recorded import settings_of_run, units_of_run
from pipelines.engine.runs import Run
from pipelines.engine.source import plan_of
from pipelines.engine.workspace import Workspace
from pipelines.report.replay import Replay, documents_of, loaded_stages
from pipelines.report.trace import trace
from tests.pipelines.commoncrawl.crawl import files, write_crawl, write_models
from tests.pipelines.github.github_export import write_joined, write_tables

Outcomes = Counter[tuple[str, str, str, str]]  # id, stage or "", reason, detail or text


def outcomes_of(run: Run, stages: set[str]) -> Outcomes:
    """Return what a run says of each document that is kept or that one of the stages rejected."""
    found: Outcomes = Counter()
    for file in run.rejects():
        with Path(run.at(file.path)).open("rb") as stream:
            for row in read_rows(stream):
                if row["stage"] in stages:
                    found[row["id"], row["stage"], row["reason"], row["detail"]] += 1
    for file in run.documents():
        with Path(run.at(file.path)).open("rb") as stream:
            found.update((row["id"], "", "", row["text"]) for row in read_rows(stream))
    return found


def traced(run: Run, folder: Path, **places: str) -> tuple[Outcomes, set[str]]:
    """Return what traces say of each document, and the stages that they went through."""
    source = SOURCE_BY_NAME[run.source].load()
    settings = settings_of_run(source.settings, run, **places)
    units = units_of_run(run)
    phases = source.phases(settings, units)
    planned = plan_of(Terms(source.name, RejectPolicy()), Inputs(units), phases)
    replay = Replay(planned.steps, Workspace(Run(str(folder)), str(folder)))
    found: Outcomes = Counter()
    stages: set[str] = set()
    for phase in phases:
        for unit in units if isinstance(phase, Write) else ():
            if not phase.of(unit):
                continue
            verdicts = replay.decide(unit, phase.wants)
            judges = loaded_stages(phase, source.name, unit, verdicts)
            stages |= {stage.name for stage in judges}
            for document in documents_of(phase, unit, verdicts, replay.workspace):
                assert isinstance(document, Document)
                judgement = (result := trace(document, judges)).judgements[-1]
                if not result.kept and judgement.verdict:
                    verdict = judgement.verdict
                    found[document.id, judgement.stage, verdict.reason, verdict.detail] += 1
                elif not phase.send:
                    found[document.id, "", "", document.text] += 1
    return found, stages


def check(path: Path, folder: Path, later: int, **places: str) -> None:
    """Compare all traces with the run.

    Args:
        path: of the run.
        folder: for claims.
        later: documents that a decision after the stages rejected.
        places: settings that are paths.
    """
    run = Run(str(path))
    folder.mkdir()
    found, stages = traced(run, folder, **places)
    there = outcomes_of(run, stages)
    assert not there - found
    assert (found - there).total() == later


@pytest.mark.parametrize("policy", ["none", "first"])
@pytest.mark.parametrize("scope", [("dump",), ("shard", "--shards", "3")])
def test_pages_of_common_crawl(tmp_path: Path, policy: str, scope: tuple[str, ...]) -> None:
    """In one scope, and in as many as there are files."""
    inputs = write_crawl(tmp_path / "in", files())
    (tmp_path / "models").mkdir()
    models = write_models(tmp_path / "models")
    places = {"models": str(models), "langid": str(models / "lid.bin")}
    flags = [word for name, value in places.items() for word in (f"--{name}", value)]
    command = ["commoncrawl", "--run", str(tmp_path / "run"), "--quiet", *flags]
    assert main([*command, "--keep", policy, "--scope", *scope, "--input", *inputs]) == 0
    copies = 1 if scope[0] == "shard" else 0  # the page that two files have keeps its text
    check(tmp_path / "run", tmp_path / "claims", copies, **places)


def test_pages_of_c4(tmp_path: Path) -> None:
    """Urls and then lines are decided on, both by what the stages before have left."""
    inputs = write_crawl(tmp_path / "in", files())
    (tmp_path / "en").write_text("badword\n")
    command = ["c4", "--run", str(tmp_path / "run"), "--quiet", "--badwords", str(tmp_path)]
    assert main([*command, "--allow-empty", "--wet", *inputs]) == 0
    check(tmp_path / "run", tmp_path / "claims", 0, badwords=str(tmp_path))


@pytest.mark.parametrize("joined", [False, True])
def test_files_of_github(tmp_path: Path, *, joined: bool) -> None:
    """Licences are looked up, and one file is chosen per blob."""
    inputs = (write_joined if joined else write_tables)(tmp_path / "in")
    command = ["github", "--run", str(tmp_path / "run"), "--quiet", "--input", *inputs]
    assert main(command) == 0
    check(tmp_path / "run", tmp_path / "claims", 1)  # a copy of a text, of another blob
