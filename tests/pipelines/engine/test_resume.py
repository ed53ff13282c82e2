"""A run that is cut off, however it ends, and given again: the bytes of one that was not."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipelines.engine import passes
from pipelines.engine.runs import RunError
from pipelines.joins import settle
from tests.pipelines.github.github_export import content, curate, write_many, write_tables

SECONDS = 30  # in which anything here must happen
REPOSITORY = Path(__file__).parents[3]


def _failing_after(calls: int, function: Callable[..., Any], done: list[str]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        if len(done) == calls:
            raise RunError("cut off")
        done.append(arguments[1].name)  # the unit
        return function(*arguments, **options)

    return call


@pytest.mark.parametrize(
    ("module", "name", "units"),
    [
        (passes, "run_unit", 0),
        (passes, "run_unit", 3),
        (settle, "settle_unit", 0),
        (settle, "settle_unit", 1),
    ],
)
def test_a_run_cut_off_and_given_again_equals_one_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, units: int
) -> None:
    """Units that were committed are not run again (DESIGN 3, "Commit and resume")."""
    inputs = write_tables(tmp_path / "in")
    assert curate(tmp_path / "whole", inputs) == 0
    function = getattr(module, name)
    before: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(module, name, _failing_after(units, function, before))
        assert curate(tmp_path / "run", inputs) == 1
    assert len(before) == units
    assert not (tmp_path / "run" / "COMPLETED").exists()
    after: list[str] = []
    monkeypatch.setattr(module, name, _failing_after(99, function, after))
    assert curate(tmp_path / "run", inputs) == 0
    assert not set(before) & set(after)
    assert content(tmp_path / "run") == content(tmp_path / "whole")


def test_what_an_interrupted_write_left_is_swept(tmp_path: Path) -> None:
    """Temporary files of an attempt that was killed are gone after the next."""
    inputs = write_tables(tmp_path / "in")
    assert curate(tmp_path / "run", inputs) == 0
    (tmp_path / "run" / "COMPLETED").unlink()
    (tmp_path / "run" / "documents" / ".tmp-0-x.parquet").write_bytes(b"half")
    assert curate(tmp_path / "run", inputs) == 0
    assert not list((tmp_path / "run").rglob(".tmp-*"))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Path]:
    """Return inputs that last long enough to be interrupted, and a whole run of them."""
    folder = tmp_path_factory.mktemp("many")
    inputs = write_many(folder / "in", 8, 200, 4000)
    assert curate(folder / "run", inputs) == 0
    return inputs, folder / "run"


def _start(run: Path, inputs: list[str], workers: int) -> "subprocess.Popen[str]":
    words = ["-m", "pipelines", "github", "--input", *inputs, "--run", str(run)]
    return subprocess.Popen(
        [sys.executable, *words, "--quiet", "--workers", str(workers)],
        cwd=REPOSITORY,
        stderr=subprocess.PIPE,
        text=True,
    )


def _wait_for(process: "subprocess.Popen[str]", found: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if result := found():
            return result
        time.sleep(0.005)
    process.kill()
    pytest.fail(f"it did not come so far: {process.communicate()[1]}")


@pytest.mark.parametrize("marker", ["passes/blobs/*.json", "staged/*.json", "units/*contents*"])
def test_a_run_that_is_killed_and_given_again_equals_one_that_was_not(
    tmp_path: Path, many: tuple[list[str], Path], marker: str
) -> None:
    """``kill -9`` in each pass: there is no time to tidy up."""
    inputs, whole = many
    process = _start(tmp_path / "run", inputs, 1)
    _wait_for(process, lambda: list((tmp_path / "run").glob(marker)))
    process.kill()
    process.communicate(timeout=SECONDS)
    assert not (tmp_path / "run" / "COMPLETED").exists()
    assert curate(tmp_path / "run", inputs) == 0
    assert content(tmp_path / "run") == content(whole)


@pytest.mark.parametrize("marker", ["passes/blobs/*.json", "staged/*.json"])
def test_a_worker_that_dies_ends_the_run_with_one_line(
    tmp_path: Path, many: tuple[list[str], Path], marker: str
) -> None:
    """As when memory runs out; the line says how to resume, and that gives the same bytes."""
    inputs, whole = many
    process = _start(tmp_path / "run", inputs, 2)
    _wait_for(process, lambda: list((tmp_path / "run").glob(marker)))
    workers = psutil.Process(process.pid).children(recursive=True)
    os.kill(workers[0].pid, signal.SIGKILL)
    errors = process.communicate(timeout=SECONDS)[1]
    assert process.returncode == 1
    lines = [line for line in errors.splitlines() if not line.startswith("WARNING:")]
    assert len(lines) == 1
    assert lines[0].startswith("error: a worker process died (exit code -9;")
    assert "Give the same command again to resume" in lines[0]
    psutil.wait_procs(workers, timeout=SECONDS)
    assert curate(tmp_path / "run", inputs) == 0
    assert content(tmp_path / "run") == content(whole)


def test_workers_end_with_their_launcher(tmp_path: Path, many: tuple[list[str], Path]) -> None:
    """A launcher that is killed leaves no process behind that goes on writing."""
    inputs, _ = many
    process = _start(tmp_path / "run", inputs, 2)
    _wait_for(process, lambda: list((tmp_path / "run").glob("passes/blobs/*.json")))
    workers = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate(timeout=SECONDS)
    assert len(workers) == 2
    _, alive = psutil.wait_procs(workers, timeout=SECONDS)
    assert not alive
