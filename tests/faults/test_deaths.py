"""Which deaths of workers are held against a unit, and what is never lost by setting one aside."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines import tokenize
from pipelines.__main__ import main
from pipelines.commands.flags import COMPLETE_WITH_LOSSES
from pipelines.commoncrawl import source as commoncrawl_source
from pipelines.engine import passes
from pipelines.engine.errors import RunError
from pipelines.engine.graph import MAX_ATTEMPTS, UNIT_TOPIC, RunUnit, message
from pipelines.engine.ledger import Ledger
from pipelines.engine.runs import Run
from pipelines.engine.steps import UnitStep, one_scope
from pipelines.engine.units import Part, Unit
from pipelines.engine.worker import Worker
from pipelines.engine.workspace import Workspace
from pipelines.joins import settle
from tests.faults.kills import content
from tests.faults.subjects import SUBJECTS

FIRST = "00000-"  # the first unit's name begins so


def dying(function: Callable[..., Any], marks: Path, times: int) -> Callable[..., Any]:
    """Return a function that kills its process so many times when it is given the first unit."""
    marks.mkdir()

    def call(*arguments: Any, **options: Any) -> Any:
        unit = next(argument for argument in arguments if isinstance(argument, Unit))
        done = len(list(marks.iterdir()))
        if unit.name.startswith(FIRST) and done < times:
            (marks / str(done)).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)

    return call


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return a command on a small crawl, without its run directory."""
    folder = tmp_path_factory.mktemp("deaths")
    subject = SUBJECTS["commoncrawl"](folder / "in", None, small=True)
    return [*subject.words, "--quiet", "--workers", "2"]


@pytest.fixture(scope="module")
def whole(words: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return a run in which no worker died."""
    run = tmp_path_factory.mktemp("whole") / "run"
    assert main([*words, "--run", str(run)]) == 0
    return content(run)


def test_a_death_in_one_step_is_not_held_against_a_unit_in_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], whole: dict[str, bytes]
) -> None:
    """A unit that came to its end in the first step has cost no worker there for good."""
    for module, name in ((passes, "write_unit"), (settle, "settle_unit")):
        monkeypatch.setattr(module, name, dying(getattr(module, name), tmp_path / name, 1))
    run = tmp_path / "run"
    assert main([*words, "--run", str(run)]) == 0
    assert content(run) == whole


def test_a_run_whose_staged_unit_killed_two_workers_goes_on_at_the_next_command(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    whole: dict[str, bytes],
) -> None:
    """It says that more memory may help, and then it must be possible that it does."""
    run = tmp_path / "run"
    monkeypatch.setattr(settle, "settle_unit", dying(settle.settle_unit, tmp_path / "marks", 2))
    assert main([*words, "--run", str(run)]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert "killed its worker 2 times" in error
    assert "while its staged documents were copied" in error
    assert main([*words, "--run", str(run)]) == 0
    assert content(run) == whole


def test_a_unit_set_aside_in_one_step_is_set_aside_in_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    """It claimed nothing, so its documents could not be told from copies: it gives none."""
    claims = commoncrawl_source.paragraph_claims
    patched = dying(claims, tmp_path / "marks", 2)
    monkeypatch.setattr(commoncrawl_source, "paragraph_claims", patched)
    run = tmp_path / "run"
    assert main([*words, "--run", str(run)]) == COMPLETE_WITH_LOSSES
    failed = Run(str(run)).stats()["failed_files"]
    assert len(failed) == 1
    assert "killed its worker 2 times" in next(iter(failed.values()))
    sidecar = next((run / "units").glob(f"{FIRST}*.json"))
    assert Ledger.from_json(Run(str(run)).read_json("units", sidecar.name)["ledger"]).documents == 0


def test_no_tokens_are_lost_with_a_unit_that_killed_two_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Shards have no ledger that would show a file that is missing: the command fails."""
    subject = SUBJECTS["tokenize"](tmp_path / "in", None, small=True)
    words = [*subject.words, "--quiet", "--workers", "2", "--out"]
    assert main([*words, str(tmp_path / "whole")]) == 0
    patched = dying(tokenize.tokenize_unit, tmp_path / "marks", 2)
    monkeypatch.setattr(tokenize, "tokenize_unit", patched)
    assert main([*words, str(tmp_path / "run")]) == 1
    assert "while its records were given to their groups" in capsys.readouterr().err
    assert not (tmp_path / "run" / "manifest.json").exists()
    assert main([*words, str(tmp_path / "run")]) == 0
    assert content(tmp_path / "run") == content(tmp_path / "whole")


def test_what_a_worker_had_begun_to_write_when_it_died_is_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of shards as of a run: the finished directory holds nothing else."""
    subject = SUBJECTS["tokenize"](tmp_path / "in", None, small=True)
    out, commit = tmp_path / "out", tokenize._commit

    def commit_beside_a_leaving(*arguments: Any) -> Any:
        (out / ".tmp-half").write_bytes(b"half")
        return commit(*arguments)

    monkeypatch.setattr(tokenize, "_commit", commit_beside_a_leaving)
    assert main([*subject.words, "--quiet", "--out", str(out)]) == 0
    assert not list(out.rglob(".tmp-*"))


def test_errors_on_a_cluster_are_not_deaths(tmp_path: Path) -> None:
    """However often a runner tries a unit on a full disk, the unit is not set aside."""
    aside = []

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    workspace = Workspace.within(Run(str(tmp_path)))
    step = UnitStep("write", "units", ".json", (), fail, lambda *told: aside.append(told))
    unit = Unit("00000-a", "x", (Part("/in/a", 1),))
    do = RunUnit(step, Worker(workspace, lambda _run: None), one_scope)
    for _ in range(MAX_ATTEMPTS + 2):
        with pytest.raises(RunError, match="no space left"):
            list(do.process((unit.name, [message(UNIT_TOPIC, unit.pack())])))
    assert not aside
    assert workspace.attempts() == {}
