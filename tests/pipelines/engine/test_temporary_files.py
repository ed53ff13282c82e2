"""A command leaves nothing in the folder of temporary files, but a log that its error names."""

import os
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.__main__ import main
from pipelines.engine import cluster, pool
from pipelines.engine.schedule import Schedule
from pipelines.samples.github import write_github_export
from pipelines.storage.temporary import machine_folder, removed_after

BEAM = ("--", "--runner=DirectRunner")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small export of GitHub."""
    folder = tmp_path_factory.mktemp("inputs")
    write_github_export(folder, megabytes=0.05)
    return folder


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder, in which temporary files are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


Command = Callable[..., int]


@pytest.fixture
def github(inputs: Path, tmp_path: Path) -> Command:
    """Return the command ``github``, which takes further words."""
    words = ["github", "--input", str(inputs), "--run", str(tmp_path / "run"), "--quiet"]
    return lambda *more: main([*words, *more])


@pytest.mark.parametrize(
    "words",
    [(), ("--workers", "2"), BEAM, ("--check", *BEAM)],
    ids=["one process", "pool", "local Beam runner", "check"],
)
def test_a_run_that_ends_well_leaves_nothing(
    words: tuple[str, ...], github: Command, temporary: Path
) -> None:
    """Neither of ours nor of Beam's, which makes a folder per pipeline, stage and environment."""
    assert github(*words) == 0
    assert list(temporary.rglob("*")) == []
    assert tempfile.gettempdir() == str(temporary)


def _fail(*_: object) -> None:
    raise ValueError("no such bundle")


@pytest.mark.parametrize(
    ("module", "name", "words"),
    [(cluster, "check_graph", BEAM), (pool, "perform", ("--workers", "2"))],
    ids=["local Beam runner", "pool"],
)
def test_a_run_that_fails_leaves_the_log_that_its_error_names(
    module: object,
    name: str,
    words: tuple[str, ...],
    github: Command,
    temporary: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And nothing else; it holds the traceback."""
    monkeypatch.setattr(module, name, _fail)
    assert github(*words) == 1
    (log,) = temporary.rglob("*")
    assert str(log) in capsys.readouterr().err
    assert re.search(r"Traceback .*\nValueError: no such bundle", log.read_text(), re.DOTALL)


@pytest.mark.parametrize("printed", ["what I saw\n", ""])
def test_what_a_worker_printed_before_it_died_is_kept_and_named(
    printed: str,
    github: Command,
    tmp_path: Path,
    temporary: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where it printed nothing, there is nothing to keep. The other units are done."""
    perform = pool.perform

    def die_once(schedule: Schedule, task: pool.Task) -> None:
        if (task.step, task.key, task.deaths) == (0, 0, 0):
            sys.stdout.write(printed)
            os._exit(9)
        perform(schedule, task)

    monkeypatch.setattr(pool, "perform", die_once)
    assert github("--workers", "2") == 0
    told = (tmp_path / "run" / "log.txt").read_text()
    assert "a worker died (exit code 9) at 00000-contents" in told
    logs = [path for path in temporary.rglob("*") if path.is_file()]
    assert [log.read_text() for log in logs] == [printed] * (printed != "")
    assert all(f"what the workers printed is in {log}" in told for log in logs)


def test_the_folder_of_the_machine_is_known_within(temporary: Path) -> None:
    """What all processes of a machine share lies there, such as the locks of connections."""
    with removed_after("a-"), removed_after("b-"):
        assert Path(tempfile.mkdtemp()).parent.parent.parent == temporary
        assert machine_folder() == str(temporary)
    assert machine_folder() == tempfile.gettempdir() == str(temporary)
    assert list(temporary.iterdir()) == []
