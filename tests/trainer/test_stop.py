"""A run is asked to stop by a signal, a file, or the clock, and can be started again."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.trainer import tiny
from trainer.parallel import World
from trainer.sections import RunConfig
from trainer.stop import Stop, listening
from trainer.train import Run


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_signals_only_set_a_flag(number: signal.Signals, tmp_path: Path) -> None:
    """The loop asks for it; outside of the block the signal does what it did."""
    before = signal.getsignal(number)
    with listening() as heard:
        stop = Stop(tmp_path, RunConfig(), heard)
        assert not stop.asked
        os.kill(os.getpid(), number)
        assert heard == [number]
        assert stop.asked
    assert signal.getsignal(number) is before


def test_a_file_stops_a_run_once(corpus: list[str], world: World, tmp_path: Path) -> None:
    """RUN/STOP saves and ends it before the next step; it is gone then, so the run can go on."""
    training = Run(tiny.small(corpus), world)
    training._step(training.loader.batch(1, 0), 256, [2, 6])
    (tmp_path / "run/STOP").touch()
    assert training.train() == 0
    assert (tmp_path / "run/ckpt/latest").read_text() == "step-00000001"
    assert not (tmp_path / "run/STOP").exists()
    assert not (tmp_path / "run/COMPLETED").exists()
    assert Run(tiny.small(corpus), world).train() == 0
    assert (tmp_path / "run/COMPLETED").exists()


@pytest.mark.parametrize(
    ("seconds", "hours", "margin", "asked"),
    [
        (None, 0.0, 10.0, False),
        (None, 1.0, 10.0, False),
        (None, 1e-9, 10.0, True),
        (1200, 0.0, 10.0, False),  # a job that ends in 20 minutes
        (1200, 0.0, 21.0, True),
        (1200, 1e-9, 10.0, True),
    ],
)
def test_the_clock_stops_a_run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seconds: int | None,
    hours: float,
    margin: float,
    asked: bool,
) -> None:
    """After run.max_hours, or run.margin_minutes before the end of the SLURM job."""
    monkeypatch.delenv("SLURM_JOB_END_TIME", raising=False)
    if seconds is not None:
        monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time.time()) + seconds))
    stop = Stop(tmp_path, RunConfig(max_hours=hours, margin_minutes=margin), [])
    time.sleep(0.001)
    assert stop.asked == asked


def test_a_second_interrupt_ends_a_step_that_does_not_end() -> None:
    """The first Ctrl-C is noted; the next one has its default effect, in Python code or not."""
    story = """
import os, signal, time
from trainer.stop import listening
with listening() as heard:
    os.kill(os.getpid(), signal.SIGINT)
    assert heard == [signal.SIGINT]
    print("noted", flush=True)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)
"""
    done = subprocess.run(
        [sys.executable, "-c", story], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == -signal.SIGINT
    assert done.stdout == "noted\n"
    assert "A second Ctrl-C ends it at once, unsaved." in done.stderr
