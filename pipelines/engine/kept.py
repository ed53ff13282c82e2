"""Rows of units that a worker process keeps in memory from one phase to the next.

A phase that claims reads a unit, and the phase that applies the verdicts reads it again. A worker
of the pool keeps the rows of what it has read while they fit in its share of the memory, and the
pool gives the unit to that worker again. Whatever does not fit is read twice. On a cluster nothing
is kept, since nothing there says which process works on a unit next.

What is kept changes no byte of the output: rows are kept only of a part that was read to its end,
and every row goes through the same conversion and the same stages as one that was just read.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from pipelines.engine.units import Part, Unit

MAX_BYTES = 512 << 20  # of one process
MACHINE_SHARE = 8  # all processes together take one part in so many of the machine's memory
ROW_BYTES = 500  # about what the objects of a row take besides its text
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")

Row = TypeVar("Row")


class Kept:
    """The rows of one part of a unit, and what its reader counted."""

    def __init__(self, room: int) -> None:
        self.rows: list[Any] = []
        self.notes = Counter[str]()
        self.size = 0  # bytes
        self.fits = room > 0  # whether there is room for all rows that were added
        self._room = room

    def add(self, row: Any, text_bytes: int) -> None:
        """Keep a row with so many bytes of text, or give all rows up if there is no room."""
        if self.fits:
            self.rows.append(row)
            self.size += text_bytes + ROW_BYTES
            if self.size > self._room:
                self.fits = False
                self.rows = []


class KeptRows:
    """What one process keeps."""

    def __init__(self) -> None:
        self._left = 0  # bytes that more rows may take
        self._units: dict[str, dict[Part, Kept]] = {}

    def allow(self, bytes_: int) -> None:
        """Keep rows of at most so many bytes from now on; before this call nothing is kept."""
        self._left = bytes_

    def has(self, unit: str) -> bool:
        """Return whether anything is kept of the unit of this name."""
        return unit in self._units

    def of(self, unit: Unit, part: Part) -> Kept | None:
        """Return what is kept of a part of a unit, if anything is."""
        return self._units.get(unit.name, {}).get(part)

    @contextmanager
    def keeping(self, unit: Unit, part: Part) -> Iterator[Kept]:
        """Keep the rows that are added in the block, if it comes to its end and they fit."""
        kept = Kept(0 if self.of(unit, part) else self._left)
        yield kept
        if kept.fits:
            self._left -= kept.size
            self._units.setdefault(unit.name, {})[part] = kept

    def rows(
        self, unit: Unit, part: Part, notes: Counter[str], read: Callable[[], Iterator[Row]]
    ) -> Iterator[Any]:
        """Yield the rows that are kept of a part, or else those that ``read`` yields.

        Args:
            unit: that is read.
            part: of the unit.
            notes: get what the reader counted, if the rows are kept.
            read: reads the part anew, and counts in ``notes`` itself.
        """
        if kept := self.of(unit, part):
            notes.update(kept.notes)
            yield from kept.rows
        else:
            yield from read()

    def forget(self, unit: Unit) -> None:
        """Give up what is kept of a unit."""
        self._left += sum(kept.size for kept in self._units.pop(unit.name, {}).values())


KEPT = KeptRows()


def share_of_memory(processes: int) -> int:
    """Return how many bytes of rows each of so many processes of this machine may keep."""
    bytes_ = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):  # no container, or one without a limit
        bytes_ = min(bytes_, int(_CGROUP_LIMIT.read_text()))
    return min(MAX_BYTES, bytes_ // MACHINE_SHARE // processes)
