"""One launcher per run directory: refused, taken over, renewed, given back (F15)."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.engine import lock as lock_module
from pipelines.engine.config import to_bytes
from pipelines.engine.errors import RunError
from pipelines.engine.lock import Holder, RunLock, read_lock
from pipelines.engine.runs import Run
from pipelines.storage import files as storage
from tests.pipelines.storage.s3_server import BUCKET, serving_s3

REPOSITORY = Path(__file__).parents[3]
SECONDS = 30  # in which anything here must happen


@pytest.fixture(params=["local", "s3"])
def run(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Run]:
    """Return a run directory that is not there yet, on a disk and on a store."""
    monkeypatch.setattr(lock_module, "_SETTLE_SECONDS", 0.1)
    if request.param == "local":
        yield Run(str(tmp_path / "run"))
        return
    with serving_s3(monkeypatch):
        yield Run(f"s3://{BUCKET}/run")


def held_by(run: Run, **facts: Any) -> Holder:
    """Leave the lock of another launcher."""
    holder = replace(Holder.here("its command"), **facts)
    storage.write_bytes(run.at("LOCK"), to_bytes(asdict(holder)))
    return holder


def ago(seconds: float) -> str:
    """Return a time as locks have it."""
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="seconds")


def test_a_lock_is_there_while_somebody_works(run: Run) -> None:
    """And names who: host, process, time and command."""
    with RunLock(run, "python -m pipelines github"):
        holder = read_lock(run)
        assert holder is not None
        assert holder.pid == os.getpid()
        assert holder.host
        assert holder.note == "python -m pipelines github"
        assert holder.idle_seconds < 10
    assert read_lock(run) is None


def test_a_lock_is_given_back_when_the_block_raises(run: Run) -> None:
    """So that the same command can be run again at once."""
    with pytest.raises(ValueError, match="x"), RunLock(run):
        raise ValueError("x")
    assert read_lock(run) is None


def test_a_second_launcher_is_refused(run: Run) -> None:
    """In one line that says who works there since when; the first goes on undisturbed."""
    with RunLock(run, "first") as first:
        with pytest.raises(
            RunError, match=r"is in use by process \d+ on .*, since 20.* \(first\)"
        ) as caught:
            RunLock(run).__enter__()
        assert "\n" not in str(caught.value)
        first.check()
        holder = read_lock(run)
        assert holder is not None
        assert holder.note == "first"


def test_of_many_that_begin_together_one_works(run: Run) -> None:
    """The others are refused."""
    locks = [RunLock(run) for _ in range(8)]

    def enter(one: RunLock) -> bool:
        try:
            one.__enter__()
        except RunError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        entered = list(pool.map(enter, locks))
    assert sum(entered) == 1
    locks[entered.index(True)].__exit__(None, None, None)
    assert read_lock(run) is None


@pytest.mark.parametrize("reaped", [True, False])
def test_the_lock_of_a_process_that_is_gone_is_taken_over_at_once(run: Run, reaped: bool) -> None:
    """On the same machine, with a word; also where its parent has not asked how it ended."""
    dead = subprocess.Popen(["true"])
    if reaped:
        dead.wait()
    else:
        os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)
    held_by(run, pid=dead.pid, born="" if reaped else lock_module._born(dead.pid))
    said: list[str] = []
    with RunLock(run, remark=said.append):
        holder = read_lock(run)
        assert holder is not None
        assert holder.pid == os.getpid()
    assert len(said) == 1
    assert f"taken over from process {dead.pid} on" in said[0]
    assert "no longer running" in said[0]
    dead.wait()


def test_a_process_id_that_is_used_again_is_another_process(run: Run) -> None:
    """It began at another time."""
    held_by(run, pid=os.getppid(), born="1")
    with RunLock(run, remark=lambda _: None):
        pass
    held_by(run, pid=os.getppid(), born=lock_module._born(os.getppid()))
    with pytest.raises(RunError, match="is in use by"):
        RunLock(run).__enter__()


def test_a_lock_of_another_machine_is_taken_over_when_it_is_stale(run: Run) -> None:
    """Process ids of another machine say nothing here; five minutes without renewal do."""
    held_by(run, host="other", machine="other", pid=1, renewed=ago(240))
    with pytest.raises(RunError, match="is in use by process 1 on other"):
        RunLock(run).__enter__()
    held_by(run, host="other", machine="other", pid=1, renewed=ago(400))
    said: list[str] = []
    with RunLock(run, remark=said.append):
        pass
    assert "has not renewed its lock for 7 minutes" in said[0]


def test_a_lock_is_renewed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a thread, with a new time and what has been noted since."""
    monkeypatch.setattr(lock_module, "RENEW_SECONDS", 0.05)
    with RunLock(run) as held:
        held_by(run, **{**asdict(held._mine), "renewed": ago(200)})  # type: ignore[arg-type] # held
        held.note("job 7")
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            holder = read_lock(run)
            assert holder is not None
            if holder.idle_seconds < 100 and holder.note == "job 7":
                break
            time.sleep(0.01)
        else:
            pytest.fail("it was not renewed")
        held.check()


def test_a_launcher_whose_lock_was_taken_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It neither renews nor removes the other's lock."""
    monkeypatch.setattr(lock_module, "RENEW_SECONDS", 0.05)
    with RunLock(run) as held:
        other = held_by(run, host="other", token="another")  # noqa: S106 -- no password
        assert held._thread is not None
        held._thread.join(SECONDS)  # it ends when it sees another's lock
        with pytest.raises(RunError, match=r"was taken over by process \d+ on other"):
            held.check()
    assert read_lock(run) == other


def test_a_launcher_looks_for_its_lock_before_it_finishes(run: Run) -> None:
    """Also where no renewal has come since: another's lock, or none since the other has ended."""
    with RunLock(run) as held:
        held_by(run, host="other", token="another")  # noqa: S106 -- no password
        with pytest.raises(RunError, match=r"was taken over by process \d+ on other"):
            held.check()
    storage.remove([run.at("LOCK")])
    with RunLock(run) as held:
        storage.remove([run.at("LOCK")])
        with pytest.raises(RunError, match="was taken over by another command, which has ended"):
            held.check()


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{}", b"mine", b"[]"),
        *(
            to_bytes({**asdict(Holder.here("")), field: "x"})
            for field in ("pid", "renewed", "unknown")
        ),
    ],
)
def test_a_lock_of_something_else_is_not_touched(tmp_path: Path, content: bytes) -> None:
    """The message says what to do."""
    (tmp_path / "LOCK").write_bytes(content)
    with pytest.raises(RunError, match="is not a lock of this program"):
        RunLock(Run(str(tmp_path))).__enter__()
    assert (tmp_path / "LOCK").read_bytes() == content


def test_a_complete_run_is_not_locked(tmp_path: Path) -> None:
    """It is only read, perhaps from a disk that cannot be written to."""
    (tmp_path / "COMPLETED").write_text("x")
    with RunLock(Run(str(tmp_path))):
        assert not (tmp_path / "LOCK").exists()


def test_a_killed_launcher_does_not_lock_its_successor_out(tmp_path: Path) -> None:
    """``kill -9`` leaves the lock there; the same command works again at once."""
    program = (
        "import sys, time\n"
        "from pipelines.engine.lock import RunLock\n"
        "from pipelines.engine.runs import Run\n"
        "with RunLock(Run(sys.argv[1]), 'killed'):\n"
        "    print('locked', flush=True)\n"
        "    time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    run = Run(str(tmp_path))
    with pytest.raises(RunError, match=f"is in use by process {process.pid} on"):
        RunLock(run).__enter__()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=SECONDS)
    assert json.loads((tmp_path / "LOCK").read_text())["note"] == "killed"
    before = time.monotonic()
    with RunLock(run, remark=lambda _: None):
        assert not run.start({"source": "made"})
    assert time.monotonic() - before < 10
