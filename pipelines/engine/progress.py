"""The progress of a run, read from its directories, so that it works with every runner.

A step writes a file for each unit or group that it has finished; its progress is the number of
these files. A terminal shows one live bar per step; other outputs get a line every 15 seconds.
"""

import sys
import threading
import time
from functools import cached_property
from typing import TYPE_CHECKING, Self, TextIO

from pipelines.engine.schedule import Schedule
from pipelines.engine.steps import UnitStep

if TYPE_CHECKING:
    from rich.console import Console

_POLL_SECONDS = 1.0
POLL_SHARE = 0.05  # the largest share of the time that is spent on listing directories
_LINE_SECONDS = 15.0  # between two lines where there is no terminal


class StepState:
    """The progress of one step, in units and in bytes of input."""

    def __init__(self, schedule: Schedule, step: UnitStep) -> None:
        self.step = step
        self.units = 0
        self.bytes = 0
        self.size = sum(unit.size for unit in step.units)
        self._workspace = schedule.workspace
        self._sizes = {unit.name: unit.size for unit in step.units}
        self.bytes_before = 0  # bytes that were finished before this launch

    def look(self) -> None:
        """Count the finished units, by the names of the files that mark them."""
        through = self.step.done(self._workspace) & self._sizes.keys()
        if len(through) >= self.units:  # the files are removed when the run is complete
            self.units = len(through)
            self.bytes = sum(self._sizes[name] for name in through)

    @property
    def done(self) -> bool:
        """Whether all units are finished."""
        return self.units == len(self._sizes)

    def text(self, seconds: float) -> str:
        """Return units, megabytes and speed as one short text."""
        megabytes = (self.bytes - self.bytes_before) / 1e6
        parts = [f"{self.units}/{len(self._sizes)} units"]
        if self.size:  # a listing on a web server does not say how large its files are
            parts.append(f"{self.bytes / 1e6:,.1f}/{self.size / 1e6:,.1f} MB")
        if seconds > 0 and megabytes:
            parts.append(f"{megabytes / seconds:.1f} MB/s")
        return ", ".join(parts)


class Progress:
    """Show the steps of a run while the block runs.

    Args:
        schedule: the steps, whose directories are read.
        shown: whether progress is shown.
        stream: where it is shown; standard error by default.
    """

    def __init__(
        self, schedule: Schedule, *, shown: bool = True, stream: TextIO | None = None
    ) -> None:
        self.shown = shown
        self.stream = stream or sys.stderr
        self.states = [
            StepState(schedule, step)
            for step in schedule.steps
            if isinstance(step, UnitStep) and step.units
        ]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="progress", daemon=True)
        self._began = time.monotonic()
        self._starts: dict[str, float] = {}
        self._ends: dict[str, float] = {}

    @cached_property
    def console(self) -> "Console":
        """The stream as a terminal; a quiet run that has nothing to say does not import it."""
        from rich.console import Console  # noqa: PLC0415 - as the docstring says

        return Console(file=self.stream)

    def __enter__(self) -> Self:
        if self.shown:
            for state in self.states:
                state.look()
                state.bytes_before = state.bytes
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.shown:
            self._stop.set()
            self._thread.join()

    def say(self, line: str) -> None:
        """Print a line above the bars; it is printed even where progress is not shown."""
        self.console.print(line, highlight=False)

    def _look(self) -> float:
        """Look at all unfinished steps; return the seconds to wait before the next look."""
        now = time.monotonic()
        previous_done = True
        for state in self.states:
            before = state.units
            if not state.done:
                state.look()
            if previous_done or state.units > before:
                self._starts.setdefault(state.step.title, now)
            if state.done:
                self._ends.setdefault(state.step.title, now)
            previous_done = state.done
        return max(_POLL_SECONDS, (time.monotonic() - now) / POLL_SHARE)

    def _seconds(self, state: StepState) -> float:
        start = self._starts.get(state.step.title, self._began)
        return self._ends.get(state.step.title, time.monotonic()) - start

    def _watch(self) -> None:
        if self.console.is_terminal:
            self._bars()
        else:
            self._lines()

    def _bars(self) -> None:
        # Imported here, since only a terminal has bars.
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
        from rich.progress import Progress as Bars  # noqa: PLC0415

        columns = (
            TextColumn("{task.description:<18}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[facts]}"),
            TimeRemainingColumn(),
        )
        with Bars(*columns, console=self.console) as bars:
            tasks = [
                bars.add_task(state.step.title, total=max(1, state.size), facts="")
                for state in self.states
            ]
            pause = _POLL_SECONDS
            while True:
                stopped = self._stop.wait(pause)
                pause = self._look()
                for task, state in zip(tasks, self.states, strict=True):
                    completed = state.size if state.done else state.bytes
                    bars.update(task, completed=completed, facts=state.text(self._seconds(state)))
                if stopped:
                    return

    def _lines(self) -> None:
        shown: dict[str, int] = {}
        last = time.monotonic()
        pause = _POLL_SECONDS
        while True:
            stopped = self._stop.wait(pause)
            pause = self._look()
            due = stopped or time.monotonic() - last >= _LINE_SECONDS
            for state in self.states:
                name = state.step.title
                if state.units > shown.get(name, 0) and (due or state.done):
                    shown[name] = state.units
                    last = time.monotonic()
                    print(
                        f"{name}: {state.text(self._seconds(state))}", file=self.stream, flush=True
                    )
            if stopped:
                return
