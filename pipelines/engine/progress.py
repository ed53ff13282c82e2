"""Progress of a run, read from its directories, so that it works on every runner.

A step leaves a file for each unit, or each group, that is through it; how far a step is, is how
many of these are there. On a terminal there is a live bar per step, elsewhere a line now and then.
"""

import sys
import threading
import time
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table

from pipelines.engine.ledger import Ledger
from pipelines.engine.schedule import Schedule
from pipelines.engine.steps import UnitStep

_POLL_SECONDS = 1.0
_POLL_SHARE = 0.05  # of the time, at most, goes into looking
_LINE_SECONDS = 15.0  # between plain lines, where there is no terminal


class StepState:
    """How far one step is: units and bytes of input."""

    def __init__(self, schedule: Schedule, step: UnitStep) -> None:
        self.step = step
        self.units = 0
        self.bytes = 0
        self.size = sum(unit.size for unit in step.units)
        self._workspace = schedule.workspace
        self._sizes = {unit.name: unit.size for unit in step.units}
        self.bytes_before = 0  # that were through when we began to look

    def look(self) -> None:
        """Look which units have come through, by the names of their marks alone."""
        through = self.step.done(self._workspace) & self._sizes.keys()
        if len(through) >= self.units:  # marks go when the run is complete
            self.units = len(through)
            self.bytes = sum(self._sizes[name] for name in through)

    @property
    def done(self) -> bool:
        """Whether all units are through."""
        return self.units == len(self._sizes)

    def text(self, seconds: float) -> str:
        """Return the facts as one short text."""
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
        shown: False shows nothing at all.
        stream: where to; standard error by default.
    """

    def __init__(
        self, schedule: Schedule, *, shown: bool = True, stream: TextIO | None = None
    ) -> None:
        self.shown = shown
        self.stream = stream or sys.stderr
        self.console = Console(file=self.stream)
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

    def __enter__(self) -> Self:
        if self.shown:
            for state in self.states:
                state.look()
                state.bytes_before = state.bytes
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.shown:
            self._stop.set()
            self._thread.join()

    def say(self, line: str) -> None:
        """Print a line beside the bars; it is worth knowing also where nothing else is shown."""
        self.console.print(line, highlight=False)

    def _look(self) -> float:
        """Look at all steps that are not through; return how long to wait before the next look."""
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
        return max(_POLL_SECONDS, (time.monotonic() - now) / _POLL_SHARE)

    def _seconds(self, state: StepState) -> float:
        start = self._starts.get(state.step.title, self._began)
        return self._ends.get(state.step.title, time.monotonic()) - start

    def _watch(self) -> None:
        if self.console.is_terminal:
            self._bars()
        else:
            self._lines()

    def _bars(self) -> None:
        columns = (
            TextColumn("{task.description:<18}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[facts]}"),
            TimeRemainingColumn(),
        )
        with Bars(*columns, console=self.console) as bars:
            tasks: list[TaskID] = [
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


def closing_table(ledger: Ledger, title: str) -> Table:
    """Return the conservation table of a run, as people read it."""
    table = Table(title=title, title_justify="left")
    for heading in ("stage", "documents in", "out", "characters out", "rejected"):
        table.add_column(heading, justify="left" if heading in ("stage", "rejected") else "right")
    for name, tally in ledger.stages.items():
        reasons = ", ".join(f"{reason} {n:,}" for reason, n in tally.rejected.most_common())
        table.add_row(
            name,
            f"{tally.documents_in:,}",
            f"{tally.documents_out:,}",
            f"{tally.characters_out:,}",
            reasons,
        )
    table.add_section()
    bad = f"; bad records {ledger.bad_records.total():,}" if ledger.bad_records else ""
    table.add_row(
        "total",
        f"{ledger.records_read:,}",
        f"{ledger.documents:,}",
        f"{ledger.characters:,}",
        f"{ledger.rejected:,}{bad}",
    )
    return table
