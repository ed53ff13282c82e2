"""How much documents share, and which of them to keep: exact decisions on nominated pairs.

Pure functions from claims to verdicts, for ``overlap``, whose steps bring the claims together.
"""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.engine.claim_files import Block
from pipelines.engine.packing import pack
from pipelines.joins.pairs import Ints, arrays_of, to_units

TILE_HASHES = 1 << 12  # of a component that are counted at once: 16 MB for 1,000 documents


# Gathering: claims are nominated pairs, all in one group: a few per cent of the documents.


def gather(blocks: Sequence[Block]) -> Iterator[tuple[str, bytes]]:
    """Number the documents of all pairs, and the components that the pairs connect.

    Yields:
        to the unit of each document: its ``row``, its ``book`` number, that of its ``component``,
        and its ``size``.
    """
    sizes: dict[tuple[str, int], int] = {}
    pairs = []
    for block in blocks:
        for table in block.tables:
            for told in table.to_pylist():
                one = block.unit, told["row"]
                other = told["other_unit"], told["other_row"]
                sizes[one], sizes[other] = told["size"], told["other_size"]
                pairs.append((one, other))
    books = sorted(sizes)
    root = {book: book for book in books}

    def find(book: tuple[str, int]) -> tuple[str, int]:
        while root[book] != book:
            root[book] = root[root[book]]
            book = root[book]
        return book

    for one, other in pairs:
        low, high = sorted((find(one), find(other)))
        root[high] = low  # the smallest stands for all, whatever the order of the pairs
    numbers = {book: number for number, book in enumerate(books)}
    units = sorted({unit for unit, _ in books})
    places = {unit: place for place, unit in enumerate(units)}
    table = pa.table(
        {
            "row": pa.array([row for _, row in books], pa.int64()),
            "book": pa.array(range(len(books)), pa.int32()),
            "component": pa.array([numbers[find(book)] for book in books], pa.int32()),
            "size": pa.array([sizes[book] for book in books], pa.int32()),
        }
    )
    yield from to_units(units, np.array([places[unit] for unit, _ in books]), table)


# Counting: claims are all shingles of the nominated documents.


def count_shared(blocks: Sequence[Block]) -> Iterator[tuple[str, bytes]]:
    """Count the shingles in this bucket that two documents of a component share, exactly.

    Args:
        blocks: claims with ``key`` (a shingle), ``book`` and ``component``.

    Yields:
        to the unit of the first document of each pair: ``book``, ``other`` and ``shared``.
    """
    names, claims = arrays_of(blocks)
    order = np.lexsort((claims["key"], claims["component"]))
    component, key, book = (claims[name][order] for name in ("component", "key", "book"))
    unit_of = np.zeros(int(book.max(initial=0)) + 1, np.int64)
    unit_of[claims["book"]] = claims["unit"]
    edges = np.flatnonzero(np.r_[True, component[1:] != component[:-1]])
    found: list[tuple[Ints, Ints, Ints]] = []
    for start, end in zip(edges, np.r_[edges[1:], len(component)], strict=True):
        found.append(_shared_in(key[start:end], book[start:end].astype(np.int64)))
    one, other, shared = (np.concatenate(parts) for parts in zip(*found, strict=True))
    table = pa.table(
        {
            "book": one.astype(np.int32),
            "other": other.astype(np.int32),
            "shared": shared.astype(np.int32),
        }
    )
    yield from to_units(names, unit_of[one], table)


def _shared_in(keys: npt.NDArray[np.uint64], books: Ints) -> tuple[Ints, Ints, Ints]:
    """Count the keys that each two books of a component share: products of 0 and 1, summed."""
    members, place = np.unique(books, return_inverse=True)
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    number = np.repeat(np.arange(len(starts)), np.diff(np.r_[starts, len(keys)]))
    shared = np.zeros((len(members), len(members)), np.int64)
    for low in range(0, len(starts), TILE_HASHES):
        high = min(low + TILE_HASHES, len(starts))
        inside = slice(*np.searchsorted(number, (low, high)))
        holds = np.zeros((high - low, len(members)), np.float32)  # counts below 2^24 are exact
        holds[number[inside] - low, place[inside]] = 1
        shared += (holds.T @ holds).astype(np.int64)
    one, other = np.nonzero(np.triu(shared, 1))
    return members[one], members[other], shared[one, other]


# Choosing: claims are the nominated documents, and the counts of their pairs, in one group.


class Choice(NamedTuple):
    """A document that loses to one that is kept."""

    unit: str
    row: int
    winner: bytes  # the rank of the winner
    shared: int  # shingles that both have
    of: int  # shingles of the smaller one, or of both together


def choose(
    blocks: Sequence[Block], *, threshold: Fraction, jaccard: bool = False
) -> Iterator[tuple[str, bytes]]:
    """Keep documents, best first, that overlap none that is kept already.

    The best has the most shingles; of equal ones, the smallest rank. Components are not enough: in
    a chain A, B, C, where A and C do not overlap, C stays although B goes.

    Args:
        blocks: claims with ``book``, ``size``, ``rank`` and ``row`` for each document, and with
            ``book``, ``other`` and ``shared`` for each pair.
        threshold: two documents overlap if they share more than this share of the smaller one.
        jaccard: the share is that of both together.

    Yields:
        to the unit of each loser: its ``row``, the rank of the ``winner``, ``shared`` and ``of``.
    """
    books: dict[int, tuple[int, bytes, str, int]] = {}
    counts: dict[tuple[int, int], int] = {}
    for block in blocks:
        for table in block.tables:
            for told in table.to_pylist():
                if "other" in told:
                    counts[told["book"], told["other"]] = told["shared"]
                else:
                    books[told["book"]] = -told["size"], told["rank"], block.unit, told["row"]
    edges: dict[int, list[tuple[int, int, int]]] = {}
    for (one, other), shared in counts.items():
        sizes = -books[one][0], -books[other][0]
        of = sum(sizes) - shared if jaccard else min(sizes)
        if shared > threshold * of:
            edges.setdefault(one, []).append((other, shared, of))
            edges.setdefault(other, []).append((one, shared, of))
    order = {book: place for place, book in enumerate(sorted(books, key=books.__getitem__))}
    kept = set()
    losers = []
    for book in order:
        winning = [edge for edge in edges.get(book, ()) if edge[0] in kept]
        if not winning:
            kept.add(book)
            continue
        winner, shared, of = min(winning, key=lambda edge: order[edge[0]])
        _, _, unit, row = books[book]
        losers.append(Choice(unit, row, books[winner][1], shared, of))
    yield from _choices(sorted(losers))


def _choices(losers: Sequence[Choice]) -> Iterator[tuple[str, bytes]]:
    by_unit: dict[str, list[Choice]] = {}
    for loser in losers:
        by_unit.setdefault(loser.unit, []).append(loser)
    for unit, chosen in by_unit.items():
        columns: Mapping[str, pa.Array] = {
            "row": pa.array([loser.row for loser in chosen], pa.int64()),
            "winner": pa.array([loser.winner for loser in chosen], pa.binary()),
            "shared": pa.array([loser.shared for loser in chosen], pa.int64()),
            "of": pa.array([loser.of for loser in chosen], pa.int64()),
        }
        yield unit, pack(pa.table(columns))
