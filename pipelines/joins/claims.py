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
import pyarrow.compute as pc

from pipelines.engine.claim_files import Block, write_claims
from pipelines.engine.documents import KEY_BYTES
from pipelines.engine.errors import RunError
from pipelines.engine.packing import pack, unpack, words_of
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


def order_of(claims: pa.Table, *before: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Order claims by key, then the columns named, then the locator.

    The claims themselves stay where they are: a bucket of them is large.

    Returns:
        the rows of the table in that order, and where in it each key begins, ascending.
    """
    columns = ["key", *before, *(["unit"] if "unit" in claims.column_names else []), "row"]
    keys = [(column, "ascending") for column in columns]
    order = pc.sort_indices(claims, keys).to_numpy().astype(np.int64, copy=False)
    return order, np.flatnonzero(_begins(words_of(claims["key"]), order))


def _begins(words: npt.NDArray[Any], order: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Tell which claims, in order of their keys, are the first of their key."""
    begins = np.zeros(len(order), bool)
    begins[:1] = True
    for column in range(words.shape[1]):  # one after the other: they are large
        word = words[order, column]
        begins[1:] |= word[1:] != word[:-1]
    return begins


def look_up(claims: pa.Table, *, facts: Sequence[str]) -> pa.Table:
    """Join facts to the claims that ask for them.

    A claim states facts (columns not null) or asks (``asks`` true, facts null). If several claims
    state a fact for one key, the smallest in code-point order is taken.

    Returns:
        unit and row of every asking claim with the facts of its key, null where none was stated.
    """
    group = _numbers_of_keys(claims)
    asking = claims["asks"].to_numpy().nonzero()[0]
    answers = {name: claims[name].take(pa.array(asking)) for name in ("unit", "row")}
    for fact in facts:
        stated = claims[fact].is_valid().to_numpy().nonzero()[0]
        statements = pa.table({"key": group[stated], "fact": claims[fact].take(pa.array(stated))})
        best = pc.sort_indices(statements, [("key", "ascending"), ("fact", "ascending")])
        ordered = stated[best.to_numpy()]
        keys, first = np.unique(group[ordered], return_index=True)
        place = np.full(int(group.max(initial=-1)) + 1, -1, np.int32)
        place[keys] = np.arange(len(keys))
        known = place[group[asking]]
        answers[fact] = pa.DictionaryArray.from_arrays(  # many ask for one repository
            pa.array(known, mask=known < 0),
            claims[fact].take(pa.array(ordered[first])).combine_chunks(),
        )
    return pa.table(answers)


def _numbers_of_keys(claims: pa.Table) -> npt.NDArray[np.int64]:
    """Return for each claim the number of its key among the keys, in their order."""
    words = words_of(claims["key"])
    order = np.lexsort(words.T[::-1])
    numbers = np.empty(len(words), np.int64)
    numbers[order] = np.cumsum(_begins(words, order)) - 1
    return numbers


def first_wins(claims: pa.Table) -> pa.Table:
    """Decide that of the claims on a key the smallest rank wins (ties: by unit, then by row).

    Args:
        claims: have ``rank`` (binary or integer) and ``count`` (the records that a claim covers).

    Returns:
        for every claim ``unit`` and ``row``, ``wins``, ``copies`` (the sum of the counts of its
        key), and ``winner`` and ``winner_row``: rank and row of the claim that won its key.
    """
    order, starts = order_of(claims, "rank")
    lengths = np.diff(np.r_[starts, len(order)])
    counts = claims["count"].to_numpy()[order]
    copies = np.add.reduceat(counts, starts) if len(starts) else counts
    wins = np.zeros(len(order), bool)
    wins[starts] = True
    rows = pa.array(order)
    winners = pa.array(np.repeat(order[starts], lengths))
    locator = {name: claims[name] for name in ("unit", "row") if name in claims.column_names}
    return pa.table(
        {
            **{name: column.take(rows) for name, column in locator.items()},
            "wins": wins,
            "copies": np.repeat(copies, lengths),
            "winner": claims["rank"].take(winners),
            "winner_row": claims["row"].take(winners),
        }
    )


class LocalWinners:
    """The result of :func:`first_wins` on the claims of one unit.

    A unit first decides among its own claims and emits only the winners, each with the sum of the
    counts of its key. The verdict on a winner then holds for all claims of the unit on that key.
    """

    def __init__(self, claims: pa.Table) -> None:
        local = first_wins(claims).sort_by("row")
        self._rows = local["row"].to_numpy()
        self._winner_rows: npt.NDArray[np.int64] = local["winner_row"].to_numpy()
        winning = claims.sort_by("row").set_column(
            claims.schema.get_field_index("count"), "count", local["copies"]
        )
        self.emitted = winning.filter(local["wins"])

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def winner_rows(self) -> npt.NDArray[np.int64]:
        """For each claim, in the order of rows, the row that won its key in this unit."""
        return self._winner_rows

    def winner_row(self, row: int) -> int:
        """Return the row that won the key of this row in this unit."""
        return int(self._winner_rows[np.searchsorted(self._rows, row)])


def local_winners(claims: pa.Table) -> pa.Table:
    """Return the claims that win within a unit, each with the summed count of its key."""
    return LocalWinners(claims).emitted


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
