"""Read columns of a run, and choose the documents that are looked at more closely.

A run may hold billions of documents, and a report is written in seconds. So columns are read of at
most `COLUMN_ROWS` rows, and texts of at most `TEXT_ROWS` rows. Files, row groups and documents are
chosen by the hash of their name, so that the choice is the same each time and does not favour the
first. What is read says how much of the run it is.
"""

import hashlib
import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.engine.manifest import RunFile
from pipelines.engine.runs import Run
from pipelines.storage import files as storage

COLUMN_ROWS = 1_200_000  # rows of a folder whose columns are read, as soon as there are as many
TEXT_ROWS = 24_000  # rows of a folder whose texts are read, likewise
POOL = 64  # documents of a run that its kept examples are chosen from


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a row of a run lies: its file, its row group, and its number in the group."""

    path: str
    group: int
    row: int = 0


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of a folder of a run was read."""

    read: int
    total: int

    @property
    def whole(self) -> bool:
        """Whether every row was read."""
        return self.read == self.total

    def __add__(self, other: "Extent") -> "Extent":
        return Extent(self.read + other.read, self.total + other.total)


NOTHING = Extent(0, 0)


@dataclass(slots=True)
class Smallest:
    """The ``most`` items with the smallest hashes, in the order of the hashes."""

    most: int
    _heap: list[tuple[int, Any]] = field(default_factory=list)

    def offer(self, key: int, item: Any) -> None:
        """Keep the item if its hash is among the smallest so far."""
        if len(self._heap) < self.most:
            heapq.heappush(self._heap, (-key, item))
        elif -key > self._heap[0][0]:
            heapq.heapreplace(self._heap, (-key, item))

    def items(self) -> list[Any]:
        """Return what was kept."""
        return [item for _, item in sorted(self._heap, key=lambda pair: -pair[0])]


def number_of(name: str) -> int:
    """Return a number below 2**64 for a name, which is equal on every machine."""
    digest = hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def chosen_files(files: Iterable[RunFile], most: int) -> list[RunFile]:
    """Return files that hold ``most`` rows or all, by the hash of their paths, sorted by path."""
    chosen, rows = [], 0
    for file in sorted(files, key=lambda file: number_of(file.path)):
        if rows >= most:
            break
        if file.documents:
            chosen.append(file)
            rows += file.documents
    return sorted(chosen)


@dataclass(slots=True)
class Folder:
    """A folder of a run, ``documents`` or ``rejects``, as far as it is read."""

    run: Run
    files: list[RunFile]
    total: int  # rows of all its files
    groups: dict[Place, int] = field(default_factory=dict)  # rows of the row groups read

    @classmethod
    def open(cls, run: Run, name: str) -> "Folder":
        """Choose the files to read.

        Raises:
            RunError: a file of the run is missing or has another size than the manifest says.
        """
        listed = run.documents() if name == "documents" else run.rejects()
        total = sum(file.documents for file in listed)
        return cls(run, chosen_files(listed, COLUMN_ROWS), total)

    def columns(self, names: list[str]) -> Iterator[tuple[Place, pa.Table]]:
        """Yield the columns of every row group, and note the groups."""
        for file in self.files:
            with storage.open_input(self.run.at(file.path)) as stream:
                parquet = pq.ParquetFile(stream)
                for group in range(parquet.num_row_groups):
                    place = Place(file.path, group)
                    # One thread: what is read stays small, and so does the memory.
                    table = parquet.read_row_group(group, columns=names, use_threads=False)
                    self.groups[place] = table.num_rows
                    yield place, table

    @property
    def extent(self) -> Extent:
        """How many rows the columns were read of."""
        return Extent(sum(self.groups.values()), self.total)

    def texts(self) -> Iterator[tuple[Place, pa.Table]]:
        """Yield ids and texts of row groups that are chosen by hash, once the columns were read."""
        chosen, rows = set(), 0
        for place in sorted(self.groups, key=lambda p: number_of(f"{p.path}#{p.group}")):
            if rows >= TEXT_ROWS:
                break
            chosen.add(place)
            rows += self.groups[place]
        yield from self._read(chosen, ["id", "text"])

    def rows(self, places: Iterable[Place]) -> dict[Place, dict[str, Any]]:
        """Return whole rows by their place."""
        wanted: defaultdict[Place, list[int]] = defaultdict(list)
        for place in places:
            wanted[Place(place.path, place.group)].append(place.row)
        found: dict[Place, dict[str, Any]] = {}
        for group, table in self._read(wanted, None):
            numbers = sorted(wanted[group])
            for number, row in zip(numbers, table.take(numbers).to_pylist(), strict=True):
                found[Place(group.path, group.group, number)] = row
        return found

    def _read(
        self, groups: Iterable[Place], names: list[str] | None
    ) -> Iterator[tuple[Place, pa.Table]]:
        by_file: defaultdict[str, list[int]] = defaultdict(list)
        for place in sorted(groups):
            by_file[place.path].append(place.group)
        for path, numbers in by_file.items():
            with storage.open_input(self.run.at(path)) as stream:
                parquet = pq.ParquetFile(stream)
                for group in numbers:
                    table = parquet.read_row_group(group, columns=names, use_threads=False)
                    yield Place(path, group), table
