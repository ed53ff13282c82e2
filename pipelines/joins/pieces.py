"""Unpack archives that cannot be split into pieces that many units can read.

A 7z archive can only be decompressed from its start. One unit of work writes its content to pieces
in the run's own folder, cut where a row begins; the units that read the pieces are planned from
the size in the archive's directory. The pieces are deleted when the run is complete.

The outcome of an archive is a claim. Its decision reports to each piece that the piece exists, or
why it does not. So the pieces wait for their archive on every runner.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pyarrow as pa

from pipelines.engine.claim_files import Block, write_claims
from pipelines.engine.errors import RunError
from pipelines.engine.passes import Context, every_unit
from pipelines.engine.steps import GroupStep, Step, Topic, UnitStep, Verdicts
from pipelines.engine.units import Part, Unit
from pipelines.engine.workspace import CLAIMS, CLAIMS_SUFFIX, PIECES, Workspace
from pipelines.readers.rows import UnreadableFile
from pipelines.storage import files as storage

PIECE = "piece"  # kind of the units that read one
TOPIC = Topic(PIECES)
Unpack = Callable[[str, Sequence[str]], None]


@dataclass(frozen=True)
class Pieces:
    """A phase that unpacks each archive into the pieces that units of kind ``piece`` read.

    Args:
        title: title of the phase in the progress display.
        unpack: writes all pieces (second argument: their paths) of an archive (first argument: its
            path), and raises UnreadableFile if the archive is damaged.
        of: selects the units of the source that wait for the archives: those that read pieces, and
            other units of the phase that wants ``TOPIC``.
    """

    title: str
    unpack: Unpack
    of: Callable[[Unit], bool] = every_unit

    def steps(self, context: Context) -> list[Step]:
        """Return the step that unpacks, and the one that reports the outcome to the pieces."""
        units = [unit for unit in context.units if self.of(unit)]
        archives = archives_of([unit for unit in units if unit.kind == PIECE])
        if not archives:
            return []
        return [
            UnitStep(
                self.title,
                f"{CLAIMS}/{PIECES}",
                CLAIMS_SUFFIX,
                archives,
                partial(unpack_archive, self.unpack),
                set_archive_aside,
                claims=PIECES,
            ),
            GroupStep(
                "tell pieces", TOPIC, units, tell, guests=[(unit.name, 0) for unit in archives]
            ),
        ]

    def stage_names(self, _context: Context) -> list[str]:
        """Return no stages: unpacking drops nothing."""
        return []


def archives_of(pieces: Sequence[Unit]) -> list[Unit]:
    """Return a unit per archive that has pieces; the unit names its pieces."""
    names: dict[str, list[str]] = {}
    parts: dict[str, Part] = {}
    for piece in pieces:
        (part,) = piece.parts
        whole = parts.get(part.path, replace(part, size=0, start=0, end=None))
        parts[part.path] = replace(whole, size=whole.size + part.size)
        names.setdefault(part.path, []).append(piece.name)
    return [
        Unit(f"archive-{number:05d}", "archive", (part,), {"pieces": names[path]})
        for number, (path, part) in enumerate(parts.items())
    ]


def unpack_archive(
    unpack: Unpack, workspace: Workspace, archive: Unit, _verdicts: Verdicts
) -> None:
    """Write the pieces of an archive, and a claim with the outcome."""
    problem = ""
    try:
        unpack(archive.path, [piece_path(workspace, name) for name in archive.extra["pieces"]])
    except UnreadableFile as error:
        problem = str(error)
    _claim(workspace, archive, problem)


def set_archive_aside(workspace: Workspace, archive: Unit, why: str) -> None:
    """Report to the pieces of an archive that killed its workers that they do not exist."""
    _claim(workspace, archive, f"{archive.path}: {why}")


def _claim(workspace: Workspace, archive: Unit, problem: str) -> None:
    names = archive.extra["pieces"]
    table = pa.table(
        {
            "key": np.zeros(len(names), np.uint64),
            "piece": pa.array(names, pa.string()),
            "problem": pa.array([problem.encode("utf-8", "replace")] * len(names), pa.binary()),
        }
    )
    path = workspace.claims_path(PIECES, archive.name)
    write_claims(path, archive.name, archive.name, [table])


def tell(
    _workspace: Workspace, _group: int, blocks: Sequence[Block]
) -> Iterator[tuple[str, bytes]]:
    """Yield the reason for each piece that does not exist."""
    for block in blocks:
        for table in block.tables:
            yield from zip(table["piece"].to_pylist(), table["problem"].to_pylist(), strict=True)


def piece_path(workspace: Workspace, unit: str) -> str:
    """Return the path of the piece that a unit reads."""
    return workspace.at(PIECES, f"{unit}.zst")


def place_of_piece(workspace: Workspace, unit: Unit, part: Part, verdicts: Verdicts) -> Part:
    """Return the part that a unit reads: its piece, or the given part unchanged.

    Raises:
        UnreadableFile: the archive could not be unpacked.
        RunError: the piece has vanished.
    """
    if unit.kind != PIECE:
        return part
    for problem in verdicts[PIECES]:
        if problem:
            raise UnreadableFile(problem.decode())
    path = piece_path(workspace, unit.name)
    if not storage.exists(path):
        raise RunError(
            f"{path} is gone. Remove {workspace.at(CLAIMS, PIECES)} and run the same command "
            "again, which unpacks the archives anew."
        )
    return replace(part, path=path, start=0, end=None)
