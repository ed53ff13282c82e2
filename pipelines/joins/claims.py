"""Claims: how a decision across documents is made.

1. Each unit emits *claims*: a table with a ``key`` (a hash of 64 bits or a digest of 16 bytes), and
   with what else the decision needs (``row``: the record that claims; a ``rank``, a ``count``,
   facts).
2. Claims are grouped by bucket, which is the high bits of the key, and not by key. So one group
   holds millions of claims and is decided by sorting arrays, not by a Python loop.
3. Packed verdicts return to the units that claimed, and are applied when a unit is read next.

Text is never moved. A unit combines its own claims per key before it emits them, so a key that is
in most records (the empty file) has one claim per unit and not one per record.

Decisions are pure functions from the blocks of a group to verdicts. They sort claims by a total
order (rank, then unit, then row), so the verdicts depend neither on the order in which claims
arrive nor on the number of buckets.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.engine.claim_files import Block, write_claims
from pipelines.engine.documents import KEY_BYTES
from pipelines.engine.errors import RunError
from pipelines.engine.packing import pack, unpack
from pipelines.engine.passes import Context, every_unit
from pipelines.engine.steps import GroupStep, Step, Topic, UnitStep, Verdicts
from pipelines.engine.units import Unit
from pipelines.engine.workspace import CLAIMS, CLAIMS_SUFFIX, Workspace
from pipelines.readers.rows import UnreadableFile

Emit = Callable[[Unit, Verdicts], Iterable[pa.Table]]
Decide = Callable[[Sequence[Block]], Iterator[tuple[str, bytes]]]


class LostVerdictError(BaseException):
    """A claim has no verdict, which is a defect of this program.

    It is not an ``Exception``, so that it cannot become a reject.
    """


def by_name(unit: Unit) -> str:
    """Order units by name, which is the order of the sorted inputs."""
    return unit.name


@dataclass(frozen=True)
class Claims:
    """A phase in which every unit claims, and the claims are decided group by group.

    Args:
        title: shown by progress.
        topic: the decision; claims are decided together within one of its scopes.
        emit: yields the claims of a unit, in chunks; it may use verdicts of earlier phases.
        decide: makes the decision; :func:`deciding` returns one from a function on a table.
        wants: topics of the verdicts that ``emit`` uses.
        of: which units of the source claim.
        order: returns what sorts the units of a scope, where the earlier unit wins.
    """

    title: str
    topic: Topic
    emit: Emit
    decide: Decide
    wants: Sequence[Topic] = ()
    of: Callable[[Unit], bool] = every_unit
    order: Callable[[Unit], str] = by_name

    def steps(self, context: Context) -> list[Step]:
        """Return the step in which units claim, and the step that decides."""
        units = [unit for unit in context.units if self.of(unit)]
        name = self.topic.name
        return [
            UnitStep(
                self.title,
                f"{CLAIMS}/{name}",
                CLAIMS_SUFFIX,
                units,
                partial(claim, self),
                partial(claim_nothing, name),
                self.wants,
                name,
            ),
            GroupStep(f"decide {name}", self.topic, units, partial(decide_group, self.decide)),
        ]

    def stage_names(self, _context: Context) -> list[str]:
        """Return no stages, since a stage of a later phase applies the verdicts."""
        return []


def claim(phase: Claims, workspace: Workspace, unit: Unit, verdicts: Verdicts) -> None:
    """Write the claims of a unit; a unit that cannot be read claims nothing.

    The phase that writes documents reads the unit again and commits it with the reason.
    """
    name = phase.topic.name
    try:
        write_claims(
            workspace.claims_path(name, unit.name),
            unit.name,
            phase.order(unit),
            phase.emit(unit, verdicts),
        )
    except UnreadableFile:
        workspace.write_no_claims(name, unit.name)


def claim_nothing(topic: str, workspace: Workspace, unit: Unit, _why: str) -> None:
    """Write an empty claims file for a unit that cannot be run."""
    workspace.write_no_claims(topic, unit.name)


def refuse_to_set_aside(doing: str, workspace: Workspace, unit: Unit, why: str) -> None:
    """Refuse to go on without a unit whose absence no ledger would show; forget its deaths.

    The same command then tries it again, perhaps with more memory.

    Args:
        doing: what the worker was at, as a clause after "while".
        workspace: of the run.
        unit: that cannot be run.
        why: what happened to it.

    Raises:
        RunError: always.
    """
    workspace.forgive(unit.name)
    raise RunError(
        f"{unit.name} ({unit.path}): {why} while {doing}, perhaps for want of memory. Run the same "
        "command again with fewer --workers, or on a machine with more memory."
    )


def decide_group(
    decide: Decide, _workspace: Workspace, _group: int, blocks: Sequence[Block]
) -> Iterator[tuple[str, bytes]]:
    """Return the verdicts of a decision that needs nothing but the claims."""
    return decide(blocks)


def deciding(decide: Callable[[pa.Table], pa.Table]) -> Decide:
    """Turn a decision on one table into a decision on blocks.

    Args:
        decide: a pure function from the claims of a group, with the ``unit`` of each, to verdicts
            with ``unit`` and ``row``. A unit is a number here, its place in the order of names.
    """
    return partial(decide_table, decide)


def decide_table(
    decide: Callable[[pa.Table], pa.Table], blocks: Sequence[Block]
) -> Iterator[tuple[str, bytes]]:
    """Decide the claims of a group as one table; yield one message for each unit."""
    blocks = sorted(blocks, key=lambda block: block.unit)
    verdicts = decide(_one_table(blocks, [np.int32(place) for place in range(len(blocks))]))
    places = verdicts["unit"].to_numpy()
    order = np.lexsort((verdicts["row"].to_numpy(), places))
    verdicts = verdicts.drop_columns(["unit"])
    ends = np.searchsorted(places[order], np.arange(len(blocks)), side="right")
    for block, rows in zip(blocks, np.split(order, ends[:-1]), strict=True):
        if len(rows):
            yield block.unit, pack(verdicts.take(pa.array(rows)), compress=True)


def claims_of(blocks: Sequence[Block]) -> pa.Table:
    """Return the claims of all blocks as one table, each with the name of its ``unit``."""
    return _one_table(blocks, [block.unit for block in blocks])


def _one_table(blocks: Sequence[Block], units: Sequence[Any]) -> pa.Table:
    tables = [
        table.append_column("unit", pa.repeat(unit, table.num_rows))
        for block, unit in zip(blocks, units, strict=True)
        for table in block.tables
    ]
    return pa.concat_tables(tables).unify_dictionaries().combine_chunks()


def digest_key(*parts: str) -> bytes:
    r"""Return the 16-byte key of several strings: BLAKE2b of the parts, each followed by a NUL.

    >>> digest_key("a", "bc") == digest_key("ab", "c")
    False
    """
    text = "".join(part + "\0" for part in parts)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).digest()


def readable(rank: bytes) -> str:
    r"""Return a rank made of strings for use in a message.

    >>> readable(b"owner/name\0src/a.py")
    'owner/name/src/a.py'
    """
    return rank.decode("utf-8", "replace").replace("\0", "/")


class RowVerdicts:
    """The verdicts on one topic for one unit, sorted by row, to be looked up while it is read."""

    def __init__(self, packed: Sequence[bytes]) -> None:
        self._columns: dict[str, Any] = {}
        self._rows: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        if packed:
            table = pa.concat_tables(map(unpack, packed)).unify_dictionaries().combine_chunks()
            rows = table["row"].to_numpy()
            order = np.argsort(rows, kind="stable")
            table = table.take(pa.array(order))
            self._rows = rows[order]
            self._columns = {
                name: table[name].combine_chunks() for name in table.column_names if name != "row"
            }

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self) -> list[int]:
        """Return the rows on which there are verdicts, ascending, each once."""
        return [int(row) for row in np.unique(self._rows)]

    def all_of(self, row: int) -> list[Mapping[str, Any]]:
        """Return all verdicts on a row, in no particular order."""
        first, end = np.searchsorted(self._rows, [row, row + 1])
        return [
            {name: column[at].as_py() for name, column in self._columns.items()}
            for at in range(int(first), int(end))
        ]

    def __getitem__(self, row: int) -> Mapping[str, Any] | None:
        """Return the verdict on a row by column, or None if there is none."""
        at = int(np.searchsorted(self._rows, row))
        if at == len(self._rows) or self._rows[at] != row:
            return None
        return {name: column[at].as_py() for name, column in self._columns.items()}

    def column(self, name: str, rows: npt.NDArray[np.int64]) -> pa.Array:
        """Return one column of the verdicts on ``rows``, all of which were claimed.

        Raises:
            LostVerdictError: a row has no verdict.
        """
        at = np.searchsorted(self._rows, rows)
        if len(rows) and (at.max() >= len(self._rows) or (self._rows[at] != rows).any()):
            raise LostVerdictError("a row that was claimed has no verdict")
        return self._columns[name].take(pa.array(at))

    def of(self, row: int) -> Mapping[str, Any]:
        """Return the verdict on a row that was claimed.

        Raises:
            LostVerdictError: the row has no verdict.
        """
        verdict = self[row]
        if verdict is None:
            raise LostVerdictError(f"no verdict on row {row}, which was claimed")
        return verdict
