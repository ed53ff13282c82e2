"""Work units: the grain of work, of output and of restart (DESIGN 3)."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from pipelines.storage import files as storage

UNIT_TOPIC = "unit"  # of the message that carries the unit itself
_SUFFIXES = (".gz", ".bz2", ".zst", ".parquet", ".jsonl", ".json", ".avro", ".xml")


@dataclass(frozen=True, slots=True)
class Unit:
    """The grain of work, of output and of restart."""

    name: str  # of its files in the run directory
    path: str  # of the input
    kind: str  # what the input holds, in the words of the source
    size: int  # bytes of the input
    extra: dict[str, Any] = field(default_factory=dict)  # e.g. a range; JSON values only

    def pack(self) -> bytes:
        """Return the unit as JSON."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def unpack(cls, packed: bytes) -> "Unit":
        """Read what :meth:`pack` returned."""
        return cls(**json.loads(packed))


def name_units(files: Sequence[tuple[storage.InputFile, str]]) -> list[Unit]:
    """Return a unit for each (file, kind), named by its place in the sorted inputs and its file."""
    units = []
    for number, (file, kind) in enumerate(files):
        stem = storage.basename(file.path)
        for suffix in _SUFFIXES:
            stem = stem.removesuffix(suffix)
        clean = "".join(c if c.isalnum() or c in "-_." else "_" for c in stem)
        units.append(Unit(f"{number:05d}-{clean}", file.path, kind, file.size))
    return units
