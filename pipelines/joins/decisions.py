"""Decisions on the claims of a group: which claim of a key wins, and what is stated about a key.

They are pure functions from a table of claims to verdicts, and order claims totally (rank, then
unit, then row), so neither the order of arrival nor the number of buckets shows in the result.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.engine.packing import words_of


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
        self._claims = claims
        self._winner_rows: npt.NDArray[np.int64] = local["winner_row"].to_numpy()
        winning = claims.sort_by("row").set_column(
            claims.schema.get_field_index("count"), "count", local["copies"]
        )
        self.emitted = winning.filter(local["wins"])

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def ranks(self) -> list[bytes]:
        """The ranks of all claims of the unit, in the order of rows."""
        return list(self._claims.sort_by("row")["rank"].to_pylist())

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
