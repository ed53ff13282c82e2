"""A run that is cut off, however it ends, and given again: the bytes of one that was not."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipelines.engine import passes
from pipelines.joins import claims, settle
from tests.pipelines.engine.cut_off import failing_after, names
from tests.pipelines.github.github_export import content, curate, write_many, write_tables

SECONDS = 30  # in which anything here must happen
REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _interruptible() -> Iterator[None]:
    """A shell's background job ignores SIGINT, and so do the processes that it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("module", "name", "units"),
    [
        (passes, "write_unit", 0),
        (passes, "write_unit", 3),
        (settle, "settle_unit", 0),
        (settle, "settle_unit", 1),
        (claims, "claim", 4),
    ],
)
def test_a_run_cut_off_and_given_again_equals_one_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, units: int
) -> None:
    """Units that were committed, and claims that were made, are not made again."""
    inputs = write_tables(tmp_path / "in")
    assert curate(tmp_path / "whole", inputs) == 0
    function = getattr(module, name)
    before, after = tmp_path / "before", tmp_path / "after"
    with monkeypatch.context() as patch:
        patch.setattr(module, name, failing_after(units, function, before))
        assert curate(tmp_path / "run", inputs) == 1
    assert not (tmp_path / "run" / "COMPLETED").exists()
    monkeypatch.setattr(module, name, failing_after(99, function, after))
    assert curate(tmp_path / "run", inputs) == 0
    assert len(names(before)) == units
    if name != "claim":  # of which there are two phases
        assert names(before).isdisjoint(names(after))
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


@pytest.mark.parametrize("marker", ["claims/blobs/*.claims", "staged/*.json", "units/*contents*"])
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


@pytest.mark.parametrize("marker", ["claims/blobs/*.claims", "staged/*.json"])
def test_a_worker_that_is_killed_is_replaced(
    tmp_path: Path, many: tuple[list[str], Path], marker: str
) -> None:
    """As when memory runs out: its unit is tried again, one line says so, the bytes are equal."""
    inputs, whole = many
    process = _start(tmp_path / "run", inputs, 2)
    _wait_for(process, lambda: list((tmp_path / "run").glob(marker)))
    workers = psutil.Process(process.pid).children(recursive=True)
    os.kill(workers[0].pid, signal.SIGKILL)
    errors = process.communicate(timeout=SECONDS)[1]
    assert process.returncode == 0, errors
    lines = [line for line in errors.splitlines() if not line.startswith("WARNING:")]
    assert len(lines) <= 1  # none where the worker was between two tasks
    assert all("a worker died (exit code -9)" in line for line in lines)
    assert content(tmp_path / "run") == content(whole)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_that_is_stopped_says_how_to_go_on(
    tmp_path: Path, many: tuple[list[str], Path], number: signal.Signals, workers: int
) -> None:
    """Ctrl-C, or a scheduler's SIGTERM: one line, exit code 130, and no process stays."""
    inputs, whole = many
    process = _start(tmp_path / "run", inputs, workers)
    _wait_for(process, lambda: list((tmp_path / "run").glob("claims/blobs/*.claims")))
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    errors = process.communicate(timeout=SECONDS)[1]
    assert process.returncode == 130
    assert errors == "stopped; run the same command again to resume\n"
    _, alive = psutil.wait_procs(children, timeout=SECONDS)
    assert not alive
    assert curate(tmp_path / "run", inputs) == 0
    assert content(tmp_path / "run") == content(whole)


def test_workers_end_with_their_launcher(tmp_path: Path, many: tuple[list[str], Path]) -> None:
    """A launcher that is killed leaves no process behind that goes on writing."""
    inputs, _ = many
    process = _start(tmp_path / "run", inputs, 2)
    _wait_for(process, lambda: list((tmp_path / "run").glob("claims/blobs/*.claims")))
    workers = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate(timeout=SECONDS)
    assert len(workers) == 2
    _, alive = psutil.wait_procs(workers, timeout=SECONDS)
    assert not alive
