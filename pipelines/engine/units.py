"""Work units: what is run, written and restarted as a whole.

A unit is one input file, a range of a large file (streams of a dump, row groups of a Parquet file),
or many small files. Units depend on nothing but the sorted inputs, so every attempt at a run, on
any runner, has the same units.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from pipelines.storage import files as storage

# The most records that a part of a unit may have: the row of a document is the number of its part
# times this, plus the number of the record in the part.
ROWS_PER_PART = 1 << 32


@dataclass(frozen=True, slots=True)
class Part:
    """A file, or a range of a file, that a unit reads."""

    path: str
    size: int  # bytes of the file, or of the range
    version: str = ""  # tells the file from others of equal size: see ``InputFile``
    start: int = 0  # first byte or row group of the range; the source says which
    end: int | None = None  # end of the range, exclusive; None: the end of the file


@dataclass(frozen=True, slots=True)
class Unit:
    """What is run, written and restarted as a whole."""

    name: str  # the stem of its files in the run directory
    kind: str  # what its parts hold; each source has its own kinds
    parts: tuple[Part, ...]
    extra: dict[str, Any] = field(default_factory=dict)  # JSON values only

    @property
    def path(self) -> str:
        """Path of the first part; most units have only one."""
        return self.parts[0].path

    @property
    def size(self) -> int:
        """Bytes of all parts."""
        return sum(part.size for part in self.parts)

    def to_json(self) -> dict[str, Any]:
        """Return the unit as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Unit":
        """Read what :meth:`to_json` returned."""
        parts = tuple(Part(**part) for part in value["parts"])
        return cls(value["name"], value["kind"], parts, value["extra"])

    def pack(self) -> bytes:
        """Return the unit as bytes."""
        return json.dumps(self.to_json()).encode()

    @classmethod
    def unpack(cls, packed: bytes) -> "Unit":
        """Read what :meth:`pack` returned."""
        return cls.from_json(json.loads(packed))


def unit_name(number: int, path: str) -> str:
    """Return the name of a unit: its number among the sorted inputs, and the stem of its file.

    >>> unit_name(3, "dumps/dawiki-20220801.xml.bz2")
    '00003-dawiki-20220801'
    """
    return f"{number:05d}-{storage.unit_stem(path)}"


def part_of(file: storage.InputFile) -> Part:
    """Return the part that covers a whole file."""
    return Part(file.path, max(file.size, 0), file.version)


def one_per_file(files: Iterable[tuple[storage.InputFile, str]]) -> list[Unit]:
    """Return one unit per (file, kind), in the order given."""
    return [
        Unit(unit_name(number, file.path), kind, (part_of(file),))
        for number, (file, kind) in enumerate(files)
    ]


def many_per_unit(
    files: Sequence[storage.InputFile], kind: str, *, max_files: int, max_bytes: int
) -> list[Unit]:
    """Return units of many small files each, in the order given.

    Args:
        files: the inputs, sorted.
        kind: the kind of all units.
        max_files: the most files of one unit.
        max_bytes: the most bytes of one unit, unless its only file is larger.
    """

    def grouped() -> Iterator[list[storage.InputFile]]:
        group: list[storage.InputFile] = []
        size = 0
        for file in files:
            if group and (len(group) == max_files or size + file.size > max_bytes):
                yield group
                group, size = [], 0
            group.append(file)
            size += max(file.size, 0)
        if group:
            yield group

    return [
        Unit(
            unit_name(number, group[0].path),
            kind,
            tuple(map(part_of, group)),
        )
        for number, group in enumerate(grouped())
    ]


def ranges_of(
    sizes: Sequence[tuple[int, int]], max_rows: int, max_bytes: int
) -> list[tuple[int, int]]:
    """Cut a row of pieces into ranges (first, end), each as long as it may be.

    Args:
        sizes: rows and bytes of each piece.
        max_rows: of a range, at most, unless it is a single piece.
        max_bytes: of a range, likewise.

    >>> ranges_of([(4, 1), (4, 1), (4, 1)], max_rows=9, max_bytes=9)
    [(0, 2), (2, 3)]
    """
    ranges: list[tuple[int, int]] = []
    start = rows = size = 0
    for number, (more_rows, more_size) in enumerate(sizes):
        if number > start and (rows + more_rows > max_rows or size + more_size > max_bytes):
            ranges.append((start, number))
            start, rows, size = number, 0, 0
        rows += more_rows
        size += more_size
    return [*ranges, (start, len(sizes))] if sizes else []
