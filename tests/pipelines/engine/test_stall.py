"""A cluster's job that gets nowhere is told, or ended; an address without a job server is refused.

Seconds are short here; nothing is held against a clock but that something happens at all.
"""

import signal
import socket
import time
from pathlib import Path

import pytest

from pipelines.engine import cluster
from pipelines.engine.cluster import check_job_server
from pipelines.engine.errors import RunError
from pipelines.engine.launch import terminated_like_interrupted
from pipelines.engine.runs import Run
from pipelines.engine.schedule import Schedule
from pipelines.engine.stall import StallWatch
from pipelines.engine.steps import UnitStep
from pipelines.engine.units import Part, Unit
from pipelines.engine.workspace import Workspace

UNITS = [Unit(name, "x", (Part(f"/in/{name}", 1),)) for name in ("a", "b")]
SHORT = 0.2 / 60  # minutes
LONG_SECONDS = 30.0


def _schedule(folder: Path) -> Schedule:
    (folder / "units").mkdir()
    step = UnitStep("write", "units", ".json", UNITS, print, print)
    return Schedule([step], Workspace.within(Run(str(folder))))


def test_a_job_without_progress_is_told_once(tmp_path: Path) -> None:
    """Again only after it got further and stalled anew."""
    told: list[str] = []
    with StallWatch(_schedule(tmp_path), told.append, quiet=SHORT):
        for number in (1, 2):
            end = time.monotonic() + LONG_SECONDS
            while len(told) < number and time.monotonic() < end:
                time.sleep(0.02)
            time.sleep(0.3)
            assert len(told) == number
            (tmp_path / "units" / f"{UNITS[number - 1].name}.json").touch()
    assert "no unit was finished for" in told[0]
    assert "Ctrl-C" in told[0]


def test_a_job_is_ended_if_that_was_asked_for(tmp_path: Path) -> None:
    """As by Ctrl-C, also in the background, where that is ignored; the watch says why."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    began = time.monotonic()
    try:
        with (
            terminated_like_interrupted(),
            StallWatch(_schedule(tmp_path), print, end_after=SHORT) as watch,
            pytest.raises(KeyboardInterrupt),
        ):
            time.sleep(LONG_SECONDS)
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - began < LONG_SECONDS  # a wait is ended, too
    assert watch.ended
    assert "--max-stall" in watch.why()
    assert "\n" not in watch.why()


def test_an_address_without_a_job_server_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line with the address, after a job server that starts now could be there."""
    monkeypatch.setattr(cluster, "JOB_SERVER_SECONDS", 0.1)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        with pytest.raises(RunError, match=f"no job server answers at --job_endpoint=.*:{port}"):
            check_job_server(f"127.0.0.1:{port}")
        probe.listen()
        check_job_server(f"127.0.0.1:{port}")
    with pytest.raises(RunError, match="HOST:PORT"):
        check_job_server("localhost:jobs")


@pytest.mark.parametrize("endpoint", ["", "embed"])
def test_a_job_server_that_beam_starts_itself_is_not_looked_for(endpoint: str) -> None:
    """There is none yet."""
    check_job_server(endpoint)
