"""Count exactly how much nominated pairs of documents share, and decide which documents to keep.

These are pure functions from claims to verdicts for ``overlap``, whose steps group the claims.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.engine.claim_files import Block
from pipelines.engine.packing import pack
from pipelines.joins.pairs import Ints, arrays_of, to_units

# Up to this many documents of a component are all compared with each other. A larger component is
# cut into stars, each of one document and the smaller ones that it may contain, so that the cost
# grows with the nominated pairs.
MAX_TOGETHER = 1024
TOGETHER, RAY, CENTER = range(3)  # the part of a document in a component
TILE_HASHES = 1 << 12  # hashes of a component counted at once: 16 MB for 1,000 documents


# Gathering: the claims are the nominated pairs, all in one group, of a few per cent of the
# documents.


def gather(blocks: Sequence[Block]) -> Iterator[tuple[str, bytes]]:
    """Number the documents of all pairs, and the components that the pairs connect.

    Yields:
        to the unit of each document: its ``row``, its ``book`` number, that of its ``component``,
        its ``size``, and its ``part``: compared with all, or a ray of a star, compared with its
        center alone. There is one row per component that the document is in, since large ones are
        cut into many stars.
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
        root[high] = low  # the smallest represents all, whatever the order of the pairs
    numbers = {book: number for number, book in enumerate(books)}
    together = Counter(map(find, books))
    # Each member is a book, its component, and its part in it.
    members = {
        (book, numbers[find(book)], TOGETHER)
        for book in books
        if together[find(book)] <= MAX_TOGETHER
    }
    for one, other in pairs:
        if together[find(one)] > MAX_TOGETHER:
            members |= {(one, numbers[other], RAY), (other, numbers[other], CENTER)}
    listed = sorted(members)
    units = sorted({unit for unit, _ in books})
    places = {unit: place for place, unit in enumerate(units)}
    table = pa.table(
        {
            "row": pa.array([row for (_, row), _, _ in listed], pa.int64()),
            "book": pa.array([numbers[book] for book, _, _ in listed], pa.int32()),
            "component": pa.array([component for _, component, _ in listed], pa.int32()),
            "size": pa.array([sizes[book] for book, _, _ in listed], pa.int32()),
            "part": pa.array([part for _, _, part in listed], pa.int8()),
        }
    )
    yield from to_units(units, np.array([places[unit] for (unit, _), _, _ in listed]), table)


# Counting: the claims are all shingles of the nominated documents.


def count_shared(blocks: Sequence[Block]) -> Iterator[tuple[str, bytes]]:
    """Count the shingles in this bucket that two documents of a component share, exactly.

    Args:
        blocks: claims with ``key`` (a shingle), ``book``, ``component`` and ``part``.

    Yields:
        to the unit of the first document of each pair: ``book``, ``other`` and ``shared``.
    """
    names, claims = arrays_of(blocks)
    order = np.lexsort((claims["key"], claims["component"]))
    component, key, book, part = (
        claims[name][order] for name in ("component", "key", "book", "part")
    )
    unit_of = np.zeros(int(book.max(initial=0)) + 1, np.int64)
    unit_of[claims["book"]] = claims["unit"]
    edges = np.flatnonzero(np.r_[True, component[1:] != component[:-1]])
    found: list[tuple[Ints, Ints, Ints]] = []
    for start, end in zip(edges, np.r_[edges[1:], len(component)], strict=True):
        here = slice(start, end)
        books, parts = book[here].astype(np.int64), part[here]
        found.append(
            _shared_in(key[here], books)
            if parts[0] == TOGETHER
            else _shared_with_center(key[here], books, parts == CENTER)
        )
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
    """Count the keys that each two books of a component share, by a product of 0-1 matrices."""
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


def _shared_with_center(
    keys: npt.NDArray[np.uint64], books: Ints, centers: npt.NDArray[np.bool_]
) -> tuple[Ints, Ints, Ints]:
    """Count the keys that each book of a star shares with the one at its center."""
    if not centers.any():  # no shingle of it is in this bucket
        none = np.zeros(0, np.int64)
        return none, none, none
    center = books[centers][0]
    held = keys[centers]  # sorted, as all keys are
    place = np.minimum(np.searchsorted(held, keys), len(held) - 1)
    hits = books[(held[place] == keys) & ~centers]
    others, shared = np.unique(hits, return_counts=True)
    return np.minimum(others, center), np.maximum(others, center), shared.astype(np.int64)


# Choosing: the claims are the nominated documents and the counts of their pairs, in one group.


class Choice(NamedTuple):
    """A document that loses to one that is kept."""

    unit: str
    row: int
    winner: bytes  # the rank of the winner
    shared: int  # shingles that both have
    of: int  # shingles of the smaller document, or of the union of both


def choose(
    blocks: Sequence[Block], *, threshold: Fraction, jaccard: bool = False
) -> Iterator[tuple[str, bytes]]:
    """Go through documents, best first, and keep those that overlap none that is already kept.

    The best document has the most shingles, and among equals the smallest rank. One document per
    component is not enough: in a chain A, B, C in which A and C do not overlap, B is dropped and C
    is kept.

    Args:
        blocks: claims with ``book``, ``size``, ``rank`` and ``row`` for each document, and with
            ``book``, ``other`` and ``shared`` for each pair.
        threshold: two documents overlap if they share more than this fraction of the smaller one.
        jaccard: take the fraction of the union of both instead.

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
