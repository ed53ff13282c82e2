"""Progress of a run, read from its run directory, so that it works on every runner (DESIGN 3).

A pass leaves a file for each unit that is through it; how far a pass is, is which of these are
there. On a terminal there is a live bar a pass, elsewhere a line now and then.
"""

import json
import sys
import threading
import time
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table

from pipelines.engine.plan import Pass, Plan
from pipelines.engine.runs import Run
from pipelines.engine.stages import Ledger
from pipelines.storage import files as storage

_POLL_SECONDS = 1.0
_LINE_SECONDS = 15.0  # between plain lines, where there is no terminal


class PassState:
    """How far one pass is: units, bytes of input, documents kept so far."""

    def __init__(self, run: Run, work: Pass) -> None:
        self.work = work
        self.units = 0
        self.bytes = 0
        self.documents: int | None = None  # of sidecars; claims passes keep none
        self._run = run
        self._sizes = {unit.name: unit.size for unit in work.units}
        self._seen: set[str] = set()
        self.seen_before = 0  # bytes that were through when we began to look

    def look(self) -> None:
        """Look for units that have come through since."""
        folder = self.work.folder.split("/")
        for name in self._run.names(*folder) & self._sizes.keys() - self._seen:
            try:
                sidecar = json.loads(storage.read_bytes(self._run.at(*folder, f"{name}.json")))
            except OSError:  # staged/ goes when the run is complete
                continue
            self._seen.add(name)
            self.units += 1
            self.bytes += self._sizes[name]
            if "ledger" in sidecar:
                self.documents = (self.documents or 0) + sidecar["ledger"]["documents"]

    @property
    def done(self) -> bool:
        """Whether all units are through."""
        return self.units == len(self._sizes)

    def text(self, seconds: float) -> str:
        """Return the facts as one short text."""
        megabytes = (self.bytes - self.seen_before) / 1e6
        parts = [f"{self.units}/{len(self._sizes)} units"]
        if self.work.size:  # a listing on a web server does not say how large its files are
            parts.append(f"{self.bytes / 1e6:,.1f}/{self.work.size / 1e6:,.1f} MB")
        if self.documents is not None:
            parts.append(f"{self.documents:,} documents")
        if seconds > 0 and megabytes:
            parts.append(f"{megabytes / seconds:.1f} MB/s")
        return ", ".join(parts)


class Progress:
    """Show the passes of a run while the block runs, and a closing table.

    Args:
        run: the run directory that is read.
        plan: what is to come.
        shown: False shows nothing at all.
        stream: where to; standard error by default.
    """

    def __init__(
        self, run: Run, plan: Plan, *, shown: bool = True, stream: TextIO | None = None
    ) -> None:
        self.shown = shown
        self.stream = stream or sys.stderr
        self.console = Console(file=self.stream)
        self.states = [PassState(run, work) for work in plan.passes]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="progress", daemon=True)
        self._began = time.monotonic()
        self._starts: dict[str, float] = {}
        self._ends: dict[str, float] = {}

    def __enter__(self) -> Self:
        if self.shown:
            for state in self.states:
                state.look()
                state.seen_before = state.bytes
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

    def _look(self) -> None:
        now = time.monotonic()
        previous_done = True
        for state in self.states:
            before = state.units
            state.look()
            if previous_done or state.units > before:
                self._starts.setdefault(state.work.name, now)
            if state.done:
                self._ends.setdefault(state.work.name, now)
            previous_done = state.done

    def _seconds(self, state: PassState) -> float:
        start = self._starts.get(state.work.name, self._began)
        return self._ends.get(state.work.name, time.monotonic()) - start

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
                bars.add_task(state.work.name, total=max(1, state.work.size), facts="")
                for state in self.states
            ]
            while True:
                stopped = self._stop.wait(_POLL_SECONDS)
                self._look()
                for task, state in zip(tasks, self.states, strict=True):
                    completed = state.work.size if state.done else state.bytes
                    bars.update(task, completed=completed, facts=state.text(self._seconds(state)))
                if stopped:
                    return

    def _lines(self) -> None:
        shown: dict[str, int] = {}
        last = time.monotonic()
        while True:
            stopped = self._stop.wait(_POLL_SECONDS)
            self._look()
            due = stopped or time.monotonic() - last >= _LINE_SECONDS
            for state in self.states:
                name = state.work.name
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
