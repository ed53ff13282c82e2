"""Show how far a run has come, from its directory alone, whatever runs it and wherever.

A run directory holds a marker for each unit that finished a step: claims, staged documents, a
sidecar with the counts of the unit. :class:`Watch` lists these folders, reads the sidecars that are
new since it last looked, and sums them into the funnel so far. It works for a run on a cluster
whose directory is in an object store, by listing it.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pipelines.engine.errors import RunError
from pipelines.engine.ledger import Ledger
from pipelines.engine.lock import STALE_SECONDS, read_lock
from pipelines.engine.progress import POLL_SHARE
from pipelines.engine.runs import Run, open_begun
from pipelines.engine.tables import closing_table, standard_output
from pipelines.engine.workspace import CLAIMS, CLAIMS_SUFFIX, Workspace
from pipelines.readers.rows import UnreadableFile
from pipelines.storage import files as storage

POLL_SECONDS = 2.0


@dataclass
class Watch:
    """What is known of a run so far; :meth:`look` reads what is new since it was last called.

    A unit that waits for a later decision has its sidecar in ``staged/``, and its final one in
    ``units/`` afterwards, which replaces the counts of the first.
    """

    run: Run
    config: dict[str, Any] = field(default_factory=dict)
    completed: bool = False
    claims: dict[str, int] = field(default_factory=dict)  # topic -> units that claimed
    bytes_done: int = 0  # of the inputs of committed units
    sidecars_read: int = 0
    # Units that wait for a decision, with the bytes of their inputs.
    _staged: dict[str, tuple[Ledger, int]] = field(default_factory=dict)
    _committed: set[str] = field(default_factory=set)
    _total: Ledger = field(default_factory=Ledger)

    def __post_init__(self) -> None:
        """Read the configuration."""
        self.config = self.run.read_json("config.json")["config"]

    def look(self) -> None:
        """List the folders of the run, and read the sidecars that are new."""
        self.completed = self.run.completed
        self._look_at_claims()
        # Staged units first: one that is committed in between is counted once, as committed.
        staged = self.run.names("staged")
        committed = self.run.committed()
        new = sorted(committed - self._committed)
        for name, sidecar in self.run.read_sidecars(new):
            self._committed.add(name)
            self._staged.pop(name, None)
            self._total.add(Ledger.from_json(sidecar["ledger"]))
            self.bytes_done += _bytes_of(sidecar)
            self.sidecars_read += 1
        for name in sorted(staged - committed - self._staged.keys()):
            self._read_staged(name)

    def _read_staged(self, name: str) -> None:
        try:
            sidecar = self.run.read_json("staged", f"{name}.json")
        except RunError as error:
            if isinstance(error.__cause__, UnreadableFile):
                return  # the run was completed in this moment, and has removed the folder
            raise
        self._staged[name] = Ledger.from_json(sidecar["ledger"]), _bytes_of(sidecar)
        self.sidecars_read += 1

    def _look_at_claims(self) -> None:
        found: Counter[str] = Counter()
        for folder in {self.run.path, Workspace.beside(self.run).folder}:
            for file in storage.list_tree(storage.join(folder, CLAIMS)):
                name = storage.basename(file.path)
                if name.endswith(CLAIMS_SUFFIX) and not name.startswith(storage.TEMPORARY):
                    found[storage.basename(file.path[: -len(name) - 1])] += 1
        self.claims = dict(sorted(found.items()))

    @property
    def ledger(self) -> Ledger:
        """The counts of all units that are committed or staged."""
        total = Ledger()
        total.add(self._total)
        for ledger, _ in self._staged.values():
            total.add(ledger)
        # A stage of the source comes where its first unit has it; decisions come after them.
        order = {stage: place for place, stage in enumerate(self._order())}
        total.stages = dict(
            sorted(total.stages.items(), key=lambda item: order.get(item[0], len(order)))
        )
        return total

    def _order(self) -> list[str]:
        """Return the stages in order: those of staged units are the first of committed ones."""
        names: dict[str, None] = {}
        for ledger in (*(ledger for ledger, _ in self._staged.values()), self._total):
            names.update(dict.fromkeys(ledger.stages))
        return list(names)

    @property
    def committed(self) -> int:
        """Units that are finished."""
        return len(self._committed)

    @property
    def waiting(self) -> int:
        """Units whose documents wait for a decision across documents."""
        return len(self._staged)

    @property
    def bytes_to_do(self) -> int:
        """Bytes of all inputs, as far as they were known when the run began."""
        inputs = self.config.get("input")
        if not isinstance(inputs, dict):
            return 0
        return sum(max(0, int(facts["bytes"])) for facts in inputs.values())

    def _share(self, size: int) -> str:
        """Return a size beside that of all inputs, if it is known."""
        total = self.bytes_to_do
        if not total:
            return ""
        share = 100 * min(1.0, size / total)
        return f", {size / 1e6:,.1f} of {total / 1e6:,.1f} MB of input ({share:.0f} %)"

    def holder(self) -> str:
        """Return who works on the run, and since when nothing was heard of it."""
        if self.completed:
            return "complete"
        try:
            holder = read_lock(self.run)
        except RunError:
            holder = None
        if holder is None:
            return "nothing works on it now; the command that began it resumes it"
        idle = holder.idle_seconds
        if holder.gone or idle > STALE_SECONDS:
            return f"its launcher has stopped: {holder}; the same command resumes it"
        return f"running: {holder}"

    def lines(self) -> list[str]:
        """Return the facts beside the funnel, one per line."""
        committed = f"{self.committed:,}{self._share(self.bytes_done)}"
        found = [self.holder(), f"units committed: {committed}"]
        if self.waiting:
            share = self._share(sum(size for _, size in self._staged.values()))
            found.append(f"units whose documents wait for a decision: {self.waiting:,}{share}")
        found += [f"units that claimed {topic}: {n:,}" for topic, n in self.claims.items()]
        return found


def _bytes_of(sidecar: dict[str, Any]) -> int:
    """Return the bytes of the inputs of a unit; a store may not know some sizes."""
    return sum(max(0, int(part["size"])) for part in sidecar["unit"]["parts"])


def shown(watch: Watch) -> RenderableType:
    """Return what is known of a run for a terminal."""
    title = f"{watch.config['source']}: {watch.run.path}"
    if watch.completed:  # its table is checked, and has every stage in order
        table: Table = closing_table(Ledger.from_json(watch.run.stats()), title)
    else:
        table = closing_table(watch.ledger, f"{title} (so far)")
    return Group(table, *(Text(line) for line in watch.lines()))


def show(
    path: str,
    *,
    live: bool,
    console: Console | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Print the progress and the funnel of a run, once or until it is complete.

    Args:
        path: the run directory, local or in a store.
        live: go on until the run is complete, if there is a terminal.
        console: where to print; standard output by default.
        sleep: waits between two looks.

    Returns:
        the exit code, 0.

    Raises:
        RunError: the path is no run directory, or a sidecar is damaged.
    """
    watch = Watch(open_begun(path))
    if console is None:
        console = standard_output()
    pause = _look(watch)
    if not live or not console.is_terminal:
        console.print(shown(watch), highlight=False)
        return 0
    with Live(shown(watch), console=console, auto_refresh=False) as screen:
        while not watch.completed:
            sleep(pause)
            pause = _look(watch)
            screen.update(shown(watch), refresh=True)
    return 0


def _look(watch: Watch) -> float:
    """Look at a run, and return the seconds to wait before the next look."""
    began = time.monotonic()
    watch.look()
    return max(POLL_SECONDS, (time.monotonic() - began) / POLL_SHARE)
