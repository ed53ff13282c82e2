"""Two commands on one run directory, as real processes (F15)."""

import json
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from pipelines.engine.lock import STALE_SECONDS
from pipelines.engine.verify import verify
from tests.faults.kills import Subject, content
from tests.faults.subjects import SUBJECTS

SECONDS = 60  # in which anything here must happen


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """Return a command that lasts long enough for another to come."""
    return SUBJECTS["github"](tmp_path_factory.mktemp("two") / "in", None, small=True)


@pytest.fixture(scope="module")
def whole(subject: Subject, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return what one launcher by itself writes."""
    run = tmp_path_factory.mktemp("whole") / "run"
    command = subject.start(run, [], 2)
    assert command.communicate(timeout=SECONDS)[1] is not None
    assert command.returncode == 0
    return content(run)


def _wait_for(command: "subprocess.Popen[str]", path: Path) -> None:
    end = time.monotonic() + SECONDS
    while not path.exists():
        assert command.poll() is None, command.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.005)


def test_of_two_launchers_one_works_and_the_other_says_who(
    tmp_path: Path, subject: Subject, whole: dict[str, bytes]
) -> None:
    """The second is refused in one line; the first is not disturbed, and its bytes are right."""
    run = tmp_path / "run"
    commands = [subject.start(run, [], 1), subject.start(run, [], 1)]
    errors = [command.communicate(timeout=SECONDS)[1] for command in commands]
    codes = [command.returncode for command in commands]
    # Where the first was through before the second looked, the second found a complete run.
    assert 0 in codes
    for code, error in zip(codes, errors, strict=True):
        if code:
            lines = [line for line in error.splitlines() if line.startswith("error:")]
            assert len(lines) == 1
            assert f"{run} is in use by process " in lines[0]
            assert "Traceback" not in error
    assert content(run) == whole


def test_a_second_launcher_is_refused_while_the_first_works(
    tmp_path: Path, subject: Subject, whole: dict[str, bytes]
) -> None:
    """The first is stopped while the second looks, so that it cannot be through by then."""
    run = tmp_path / "run"
    first = subject.start(run, [], 1)
    _wait_for(first, run / "config.json")
    process = psutil.Process(first.pid)
    process.suspend()
    try:
        second = subject.start(run, [], 1)
        error = second.communicate(timeout=SECONDS)[1]
    finally:
        process.resume()
    assert second.returncode == 1
    (line,) = (line for line in error.splitlines() if not line.startswith("WARNING:"))
    assert line.startswith(f"error: {run} is in use by process {first.pid} on ")
    first.communicate(timeout=SECONDS)
    assert first.returncode == 0
    assert content(run) == whole


def test_a_launcher_that_slept_leaves_the_run_to_the_one_that_took_it_over(
    tmp_path: Path, subject: Subject, whole: dict[str, bytes]
) -> None:
    """As a laptop that was closed for a while: it is told, and does not finish the run again.

    It may leave claims beside the complete run, which nobody reads.
    """
    run = tmp_path / "run"
    first = subject.start(run, [], 1)
    _wait_for(first, run / "config.json")
    process = psutil.Process(first.pid)
    process.suspend()
    try:
        long_ago = (datetime.now(UTC) - timedelta(seconds=2 * STALE_SECONDS)).isoformat()
        lock = json.loads((run / "LOCK").read_text()) | {"renewed": long_ago}
        (run / "LOCK").write_text(json.dumps(lock))
        second = subject.start(run, [], 1)
        error = second.communicate(timeout=SECONDS)[1]
    finally:
        process.resume()
    assert second.returncode == 0, error
    assert "which has not renewed its lock for 10 minutes" in error
    error = first.communicate(timeout=SECONDS)[1]
    assert first.returncode == 1
    (line,) = (line for line in error.splitlines() if not line.startswith("WARNING:"))
    assert line.startswith("error: ")
    found = content(run)
    assert {name: found.get(name) for name in whole} == whole
    assert verify(str(run)) == []


def test_the_command_goes_on_at_once_after_its_launcher_was_killed(
    tmp_path: Path, subject: Subject, whole: dict[str, bytes]
) -> None:
    """The lock is there, its process is not: no waiting, no refusal."""
    run = tmp_path / "run"
    first = subject.start(run, [], 2)
    _wait_for(first, run / "claims")
    first.kill()
    again = subject.start(run, [], 2)
    error = again.communicate(timeout=SECONDS)[1]
    first.communicate()
    assert again.returncode == 0, error
    assert f"taken over from process {first.pid} on" in error
    assert content(run) == whole
