"""How a run is asked to stop: signals, a file, and the clock (docs/rules/trainer.md 7)."""

import contextlib
import math
import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from trainer.sections import RunConfig

STOP_FILE = "STOP"
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
_AGAIN = b"\nThe run saves and stops after this step. A second Ctrl-C ends it at once, unsaved.\n"


@contextlib.contextmanager
def listening() -> Iterator[list[int]]:
    """List the signals that ask to stop (SIGTERM, SIGINT, SIGUSR1) as they come in.

    A handler does no more, and takes no lock; the ranks compare their lists at the next step. That
    can be long in coming: in a first compilation, a large step on a CPU, or a collective that
    another rank left. So after the first SIGINT the next one has its default effect, and ends the
    process wherever it is. Checkpoints are whole or absent, so it costs the steps since the last.
    """
    heard: list[int] = []

    def hear(number: int, _: FrameType | None) -> None:
        heard.append(number)
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.write(2, _AGAIN)

    before = {number: signal.signal(number, hear) for number in _SIGNALS}
    try:
        yield heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Stop:
    """What this process knows of a wish to stop; the ranks agree on it at each step.

    ``torchrun`` passes SIGTERM on, but kills its workers 30 seconds later, and a checkpoint of a
    large model takes longer. So the end of a SLURM job is known before it comes, and
    ``touch RUN/STOP`` needs no signal at all.
    """

    def __init__(self, directory: Path, config: RunConfig, heard: Sequence[int]) -> None:
        self._file, self._heard = directory / STOP_FILE, heard
        ends = [time.time() + 3600 * config.max_hours] if config.max_hours else []
        if job := os.environ.get("SLURM_JOB_END_TIME"):  # in seconds since 1970
            ends.append(float(job) - 60 * config.margin_minutes)
        self._end = min(ends, default=math.inf)

    @property
    def asked(self) -> bool:
        """Whether there was a signal, the file is there, or the time is over."""
        return bool(self._heard) or time.time() >= self._end or self._file.exists()

    def obeyed(self) -> None:
        """Take the file away, so that the run can be started again."""
        self._file.unlink(missing_ok=True)
