"""A worker that is not the launcher's twin does nothing, and says in one line what differs (F6).

Models that vanish between plan and work fail the unit: no document is rejected for them (F1).
"""

import json
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from pipelines.__main__ import main
from pipelines.commoncrawl.config import CommonCrawlConfig
from pipelines.commoncrawl.source import COMMONCRAWL
from pipelines.engine import runs
from pipelines.engine.errors import MachineError, RunError
from pipelines.engine.pool import Task, perform
from pipelines.engine.runs import Run, versions
from pipelines.engine.schedule import Schedule
from pipelines.engine.source import nothing_to_check, plan
from pipelines.engine.steps import UnitStep
from pipelines.engine.twins import TwinCheck
from pipelines.engine.workspace import Workspace
from pipelines.models import load
from tests.filters.tiny_models import train_languages
from tests.pipelines.commoncrawl.crawl import files, write_crawl, write_models
from tests.pipelines.engine.test_pool import LOCAL_BEAM
from tests.pipelines.github.github_export import write_tables

KENLM = "kenlm" if sys.version_info < (3, 13) else "ufal-kenlm"  # who brings the module
OTHER = "24.0.0"  # a version of pyarrow that is not the one here


def _other_versions() -> dict[str, str]:
    return {**versions(), "pyarrow": OTHER}


def test_a_worker_with_other_versions_ends_the_run_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Workers are processes that compare their versions with those that the launcher wrote."""
    inputs = write_tables(tmp_path / "in")
    monkeypatch.setattr(runs, "versions", _other_versions)
    run = tmp_path / "run"
    words = ["github", "--input", *inputs, "--run", str(run), "--quiet", "--", *LOCAL_BEAM]
    assert main(words) == 1
    (line,) = (text for text in capsys.readouterr().err.splitlines() if text.startswith("error:"))
    assert "this worker has other versions than the launcher" in line
    assert f'pyarrow: "{OTHER}" there, "{metadata.version("pyarrow")}" here' in line
    assert not list(run.glob("units/*"))
    assert not list(run.glob("claims/*/*"))


@pytest.mark.parametrize(
    "name", ["pyarrow", "sentencepiece", KENLM, "mwparserfromhell", "resiliparse", "python"]
)
def test_versions_that_change_bytes_are_compared(tmp_path: Path, name: str) -> None:
    """Each that the findings name, by both versions."""
    here = versions()[name]
    there = {"versions": {**versions(), name: "0.0.1"}}
    (tmp_path / "config.json").write_text(json.dumps(there))
    check = TwinCheck(None, {}, nothing_to_check)
    with pytest.raises(MachineError, match=rf'{name}: "0.0.1" there, "{here}" here'):
        check(Run(str(tmp_path)))
    (tmp_path / "config.json").write_text(json.dumps({"versions": versions()}))
    check(Run(str(tmp_path)))


@pytest.fixture
def config(tmp_path: Path) -> CommonCrawlConfig:
    """Return a run of Common Crawl with models of its own, none of which is loaded yet."""
    folder = tmp_path / "models"
    folder.mkdir()
    write_models(folder)
    return CommonCrawlConfig(
        input=tuple(write_crawl(tmp_path / "in", files())),
        models=str(folder),
        langid=str(folder / "lid.bin"),
        wikiref=str(folder / "wikiref.bin"),
        scope="dump",
    )


def _facts(config: CommonCrawlConfig) -> Mapping[str, Any]:
    facts = plan(COMMONCRAWL, config).facts
    for cached in (load.classifier, load.language_model, load.cutoff_table):
        cached.cache_clear()  # a worker is a new process
    return facts


def test_a_worker_with_the_launchers_models_may_work(config: CommonCrawlConfig) -> None:
    """The hashes are equal."""
    COMMONCRAWL.check_worker(config, _facts(config))


def test_a_worker_with_another_model_is_refused(config: CommonCrawlConfig, tmp_path: Path) -> None:
    """The line names the model and both hashes."""
    facts = _facts(config)
    others = [("en", "another page of words"), ("de", "eine andere seite der worte")] * 20
    train_languages(tmp_path, others).rename(config.langid)
    with pytest.raises(MachineError, match="has other models than the launcher") as caught:
        COMMONCRAWL.check_worker(config, facts)
    assert f'langid: "{facts["model_hashes"]["langid"]}" there' in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["lid.bin", "wikiref.bin", "en.arpa.bin", "en.sp.model"])
def test_a_worker_without_a_model_is_refused(config: CommonCrawlConfig, name: str) -> None:
    """In one line that names it."""
    facts = _facts(config)
    (Path(config.models) / name).unlink()
    with pytest.raises(MachineError) as caught:
        COMMONCRAWL.check_worker(config, facts)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["lid.bin", "en.arpa.bin", "en.sp.model"])
def test_models_that_vanish_fail_the_unit_and_reject_nothing(
    config: CommonCrawlConfig, tmp_path: Path, name: str
) -> None:
    """Every unit fails, none is committed, and with the model in its place all goes on."""
    planned = plan(COMMONCRAWL, config)
    run = Run(str(tmp_path / "run"))
    run.start({})
    schedule = Schedule(planned.steps, Workspace.beside(run))
    titles = [step.title for step in planned.steps]
    clean, step_units = titles.index("clean"), planned.steps[titles.index("clean")].units
    tasks: list[Task] = [
        Task(number, unit, step_units[unit].name, 1, {"paragraphs": 1})
        for number in (titles.index("hash paragraphs"), clean)
        for unit in range(len(step_units))
    ]
    for task in tasks[: len(step_units)]:
        perform(schedule, task)
    decide = planned.steps[1]
    assert not isinstance(decide, UnitStep)
    perform(schedule, Task(1, 0, "paragraphs 0", 0, {"paragraphs": 1}))
    _facts(config)
    model = Path(config.models) / name
    model.rename(tmp_path / name)
    for task in tasks[len(step_units) :]:
        with pytest.raises(RunError, match=config.models):
            perform(schedule, task)
    assert not list((tmp_path / "run").glob("staged/*"))
    assert not list((tmp_path / "run").glob("units/*"))
    (tmp_path / name).rename(model)
    for task in tasks[len(step_units) :]:
        perform(schedule, task)
    ledgers = [
        run.read_json("staged", path.name)["ledger"]
        for path in sorted((tmp_path / "run").glob("staged/*.json"))
    ]
    assert len(ledgers) == len(step_units)
    assert sum(ledger["documents"] for ledger in ledgers) > 0
    assert "failed:" not in json.dumps(ledgers)
