"""Keys of lines and paragraphs that must be unique within a scope.

This is the largest use of claims by far, with thousands of millions of claims per dump (CCNet's
paragraphs: docs/rules/web.md 4; C4's lines: docs/rules/web.md 9.5). A unit claims every key once,
sorted, in 8 bytes and one bit that says whether two of its own documents have the key. A bucket is
decided by sorting and searching arrays, without a loop over keys. Each unit gets back the sorted
keys of the lines that it must drop.

A key that most documents have (the empty line) is one claim per unit, so it cannot overload a
worker.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.engine.claim_files import Block
from pipelines.engine.packing import pack, unpack

Keys = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.uint32]
Mask = npt.NDArray[np.bool_]
KeepPolicy = Literal["none", "first", "rank"]

NOWHERE = np.uint32(0xFFFF_FFFF)  # the row where no document of the unit keeps the line


class UnitKeys:
    """The keys of one unit: each once, and whether two documents of the unit have it.

    Args:
        keep: which copy of a line stays: ``none``; the ``first``, in the order of units and rows;
            or the one whose document has the smallest ``rank``.
    """

    def __init__(self, keep: KeepPolicy = "none") -> None:
        self._keep = keep
        self._keys: list[Keys] = []
        self._rows: list[Rows] = []
        self._ranks: list[npt.NDArray[np.uint64]] = []
        self.keys = 0  # how many were added, repeats within a document included

    def add(self, row: int, keys: Keys, rank: bytes = b"") -> None:
        """Add the keys of a document's lines, each of them once (docs/rules/web.md 4.4).

        Args:
            row: the document's row in its unit.
            keys: the keys of its lines.
            rank: 16 bytes, needed where the document with the smallest rank keeps a line.
        """
        self.keys += len(keys)
        unique = np.unique(keys)
        self._keys.append(unique)
        if self._keep != "none":
            self._rows.append(np.full(len(unique), row, np.uint32))
        if self._keep == "rank":
            high_and_low = np.frombuffer(rank, ">u8").astype(np.uint64)
            self._ranks.append(np.broadcast_to(high_and_low, (len(unique), 2)))

    def claims(self) -> pa.Table:
        """Return each key once, sorted, as claims: ``key``, ``many``, and what the policy needs."""
        keys = np.concatenate(self._keys) if self._keys else np.zeros(0, np.uint64)
        if self._keep == "none":
            keys, counts = np.unique(keys, return_counts=True)
            return pa.table({"key": keys, "many": counts > 1})
        rows = np.concatenate(self._rows) if self._rows else np.zeros(0, np.uint32)
        if self._keep == "rank":
            ranks = np.concatenate(self._ranks) if self._ranks else np.zeros((0, 2), np.uint64)
            order = np.lexsort((rows, ranks[:, 1], ranks[:, 0], keys))
        else:
            order = np.argsort(keys, kind="stable")  # stable, so the first document leads
        keys, rows = keys[order], rows[order]
        starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]][: len(keys)])
        counts = np.diff(np.r_[starts, len(keys)])
        columns = {"key": keys[starts], "many": counts > 1, "row": rows[starts]}
        if self._keep == "rank":
            ranks = ranks[order][starts]
            columns |= {"rank_high": ranks[:, 0], "rank_low": ranks[:, 1]}
        return pa.table(columns)


def duplicated_keys(claims: Sequence[tuple[Keys, Mask]]) -> Keys:
    """Return the keys that at least two documents have, sorted.

    Args:
        claims: for each unit its keys, and which of them two documents of the unit have.
    """
    everything = np.concatenate([keys for keys, _ in claims])
    within = everything[np.concatenate([many for _, many in claims])]
    everything.sort()
    between = everything[1:][everything[1:] == everything[:-1]]
    return np.unique(np.concatenate([between, within]))


def among(keys: Keys, sorted_keys: Keys) -> Mask:
    """Return which of ``keys`` are among ``sorted_keys``, as an array of booleans."""
    if not len(sorted_keys):
        return np.zeros(len(keys), bool)
    at = np.searchsorted(sorted_keys, keys)
    at[at == len(sorted_keys)] = 0
    found: Mask = sorted_keys[at] == keys
    return found


def drop_all(blocks: Sequence[Block]) -> Iterator[tuple[str, bytes]]:
    """Decide a group as CCNet does: every copy of a key that two documents have is dropped.

    Yields:
        name and keys to drop, for each unit that has any.
    """
    claims = [(_array(block, "key"), _array(block, "many")) for block in blocks]
    duplicated = duplicated_keys(claims)
    for block, (keys, _) in zip(blocks, claims, strict=True):
        dropped = np.sort(keys[among(keys, duplicated)])
        if len(dropped):
            yield block.unit, pack(pa.table({"key": dropped}))


def keep_first(blocks: Sequence[Block]) -> Iterator[tuple[str, bytes]]:
    """Decide a group: the first document that has a key keeps it, by the order of the units.

    Yields:
        for each unit that has duplicate keys its name and these keys, each with the row of the one
        document that keeps it, or ``NOWHERE``.
    """
    blocks = sorted(blocks, key=lambda block: (block.order, block.unit))
    claims = [(_array(block, "key"), _array(block, "many")) for block in blocks]
    duplicated = duplicated_keys(claims)
    taken = np.zeros(len(duplicated), bool)
    for block, (keys, _) in zip(blocks, claims, strict=True):
        mine = among(keys, duplicated)
        at = np.searchsorted(duplicated, keys[mine])
        rows = np.where(taken[at], NOWHERE, _array(block, "row")[mine])
        taken[at] = True
        if len(at):
            yield block.unit, _with_rows(keys[mine], rows)


def keep_smallest_rank(blocks: Sequence[Block]) -> Iterator[tuple[str, bytes]]:
    """Decide a group: the document with the smallest rank keeps a key (in C4: the MD5 of its url).

    Yields:
        the same as :func:`keep_first`.
    """
    keys = np.concatenate([_array(block, "key") for block in blocks])
    high = np.concatenate([_array(block, "rank_high") for block in blocks])
    low = np.concatenate([_array(block, "rank_low") for block in blocks])
    many = np.concatenate([_array(block, "many") for block in blocks])
    place = np.repeat(np.arange(len(blocks)), [len(_array(block, "key")) for block in blocks])
    order = np.lexsort((place, low, high, keys))
    new = np.r_[True, keys[order][1:] != keys[order][:-1]]
    wins = np.zeros(len(keys), bool)
    wins[order[new]] = True
    counts = np.diff(np.r_[np.flatnonzero(new), len(keys)])
    shared = np.zeros(len(keys), bool)
    shared[order] = np.repeat(counts > 1, counts)
    shared |= many
    for number, block in enumerate(blocks):
        mine = shared & (place == number)
        if mine.any():
            rows = np.where(wins[mine], _array(block, "row")[mine[place == number]], NOWHERE)
            yield block.unit, _with_rows(keys[mine], rows)


def _array(block: Block, column: str) -> npt.NDArray[Any]:
    arrays = [table[column].to_numpy() for table in block.tables]
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _with_rows(keys: Keys, rows: Rows) -> bytes:
    order = np.argsort(keys)
    return pack(pa.table({"key": keys[order], "row": rows[order].astype(np.uint32)}))


class DuplicateKeys:
    """The keys of the lines that one unit must drop, to be looked up while it is read."""

    def __init__(self, messages: Iterable[bytes] = ()) -> None:
        tables = [table for table in map(unpack, messages) if table.num_rows]
        # Buckets are ranges of keys, so sorting them by their first key sorts all keys.
        tables.sort(key=lambda table: table["key"][0].as_py())
        self.keys: Keys = _column(tables, "key", np.uint64)
        self._winners: Rows | None = None
        if tables and "row" in tables[0].column_names:
            self._winners = _column(tables, "row", np.uint32)

    def __len__(self) -> int:
        return len(self.keys)

    def among(self, keys: Keys, row: int) -> Mask:
        """Return which lines of the document at ``row`` must be dropped, as booleans."""
        found = among(keys, self.keys)
        if self._winners is not None and found.any():
            at = np.searchsorted(self.keys, keys[found])
            found[found] = self._winners[at] != row
        return found


def _column(tables: Sequence[pa.Table], name: str, dtype: Any) -> npt.NDArray[Any]:
    arrays = [table[name].to_numpy() for table in tables]
    return np.concatenate(arrays) if arrays else np.zeros(0, dtype)
