"""Tell the user when a cluster's job no longer gets on, and end it if that was asked for.

A runner may wait without end for a process that died in a bad moment: Beam's runner for Spark does
so for a Python worker that was killed before it had connected. Nothing fails then and nothing is
said. What the run directory holds shows it: no unit is finished any more.
"""

import signal
import threading
import time
from collections.abc import Callable
from typing import Self

from pipelines.engine.errors import RunError
from pipelines.engine.schedule import Schedule
from pipelines.engine.steps import UnitStep

QUIET_MINUTES = 20.0  # before the user is told; a large unit may take as long
_LOOKS = 10  # in that time


class StallWatch:
    """Looks for finished units while a block lasts.

    It ends the block by SIGTERM, which the block has to take as Ctrl-C; if nothing handles SIGTERM,
    it only tells. SIGINT itself is ignored by what a script starts in the background.

    Args:
        schedule: the steps, whose directories are read.
        say: is called with a line when no unit has been finished for long.
        end_after: minutes without a finished unit after which the block is ended; 0: never.
        quiet: minutes before the user is told.
    """

    def __init__(
        self,
        schedule: Schedule,
        say: Callable[[str], None],
        *,
        end_after: float = 0.0,
        quiet: float = QUIET_MINUTES,
    ) -> None:
        self._steps = [step for step in schedule.steps if isinstance(step, UnitStep) and step.units]
        self._workspace = schedule.workspace
        self._say = say
        self._end = end_after * 60 if callable(signal.getsignal(signal.SIGTERM)) else 0.0
        self._quiet = min(quiet * 60, self._end or quiet * 60)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="stall", daemon=True)
        self._last: list[int] = []
        self._since = time.monotonic()
        self.ended = False  # whether it has interrupted the block

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        told = False
        while not self._stop.wait(self._quiet / _LOOKS):
            try:
                seconds = self._seconds_without_progress()
            except (OSError, RunError):  # the store may answer the next time
                continue
            told = told and seconds >= self._quiet
            if self._end and seconds >= self._end:
                self.ended = True
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
                return
            if seconds >= self._quiet and not told:
                told = True
                self._say(
                    f"no unit was finished for {seconds / 60:.0f} minutes. If the runner's own "
                    "page shows no work either, stop this command with Ctrl-C and run it again: "
                    "finished units are kept. --max-stall MINUTES stops it by itself."
                )

    def _seconds_without_progress(self) -> float:
        """Return for how long no step has got further."""
        found = [len(step.done(self._workspace)) for step in self._steps]
        now = time.monotonic()
        if found != self._last:
            self._last, self._since = found, now
        return now - self._since

    def why(self) -> str:
        """Return the line that says why the block was ended."""
        return (
            f"no unit was finished for {self._end / 60:g} minutes (--max-stall). Run the same "
            "command again to resume; if its job hangs again, restart the runner's services."
        )
