"""Nominate the pairs of documents to compare: those whose sketches share enough hashes.

These are pure functions from claims to verdicts for ``overlap``, whose steps group the claims. The
pairs that they nominate are compared exactly (``comparing``).
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.shingles import wanted_hits
from pipelines.engine.claim_files import Block
from pipelines.engine.packing import pack, unpack

Ints = npt.NDArray[np.int64]

# Of the documents that share a hash with more documents than this (a licence, a formula), no pairs
# are counted, so that the pairs grow with the documents and not with their square.
MAX_SHARING = 256
# The largest documents of such a hash. A document that has hardly any other hashes is compared with
# all of them.
LARGEST = 32
# A sample of this size is more reliable than bands, which texts that share a third may also share.
FEW_HASHES = 64
NOBODY = -1  # in place of a document
MAX_PAIRS_HELD = 1 << 23  # before equal ones are counted together: 64 MB


def arrays_of(blocks: Sequence[Block]) -> tuple[list[str], dict[str, npt.NDArray[Any]]]:
    """Return the names of the units, sorted, and the columns of all claims with their ``unit``."""
    blocks = sorted(blocks, key=lambda block: block.unit)
    tables = [
        table.append_column("unit", pa.repeat(np.int32(place), table.num_rows))
        for place, block in enumerate(blocks)
        for table in block.tables
    ]
    table = pa.concat_tables(tables).combine_chunks()
    columns = {name: table[name].to_numpy() for name in table.column_names}
    return [block.unit for block in blocks], columns


def to_units(
    names: Sequence[str], units: npt.NDArray[Any], table: pa.Table
) -> Iterator[tuple[str, bytes]]:
    """Yield the rows of a table as one message per unit that they are addressed to."""
    order = np.argsort(units, kind="stable")
    ends = np.searchsorted(units[order], np.arange(len(names)), side="right")
    for name, rows in zip(names, np.split(order, ends[:-1]), strict=True):
        if len(rows):
            yield name, pack(table.take(pa.array(rows)), compress=True)


def word_column(names: Sequence[str], at: npt.NDArray[Any]) -> pa.DictionaryArray:
    """Return a dictionary column of a few repeated strings, given by their places."""
    return pa.DictionaryArray.from_arrays(
        pa.array(at.astype(np.int32)), pa.array(names, pa.string())
    )


def nominate(blocks: Sequence[Block]) -> Iterator[tuple[str, bytes]]:
    """Count the hashes of sketches that two documents share in this bucket.

    Args:
        blocks: claims with ``key`` (a hash), ``row``, ``size`` (distinct shingles of the document),
            ``sample`` (hashes of its sample) and ``band`` (the key is that of a band).

    Yields:
        to the unit of the smaller document of each pair: its ``row``, ``size`` and ``sample``, the
        larger one (``other_unit``, ``other_row``, ``other_size``), how many hashes of their samples
        they ``shared``, and whether they share a ``band``. If ``other_row`` is -1, the document has
        so many hashes (``shared``), or a ``band``, that too many documents have for their pairs to
        be counted. If ``row`` is -1, the other document is one of the largest that have such a hash
        or band.
    """
    names, claims = arrays_of(blocks)
    books, number = np.unique(
        (claims["unit"].astype(np.int64) << 32) | claims["row"], return_inverse=True
    )
    first = np.zeros(len(books), np.int64)
    first[number] = np.arange(len(number))
    size, sample = claims["size"][first], claims["sample"][first]
    # Largest first; of equal ones, the earlier unit and row.
    by_size = np.lexsort((books, -size.astype(np.int64)))
    place = np.empty(len(books), np.int64)
    place[by_size] = np.arange(len(books))
    places = place[number]
    messages = _Messages()
    for band in (False, True):
        rows = np.flatnonzero(claims["band"] == band)
        rows = rows[np.lexsort((places[rows], claims["key"][rows]))]
        found = sharing(claims["key"][rows], places[rows], len(books))
        larger, smaller = np.divmod(found.pairs, max(1, len(books)))
        small, large = by_size[smaller], by_size[larger]
        alone = np.flatnonzero(found.uncounted)
        hits, own_hits = found.counts, found.uncounted[alone]
        if band:  # of which it counts only that there is one, and only for short documents
            short = sample[small] < FEW_HASHES
            small, large, hits = small[short], large[short], np.zeros(short.sum(), np.int64)
            alone = alone[sample[by_size[alone]] < FEW_HASHES]
            own_hits = np.zeros(len(alone), np.int64)
        messages.add(books[small] >> 32, small, large, hits, band=band)
        messages.add(books[by_size[alone]] >> 32, by_size[alone], NOBODY, own_hits, band=band)
        for members, largest in found.common:
            told = by_size[members]
            units = np.unique(books[told[sample[told] < FEW_HASHES] if band else told] >> 32)
            to, listed = np.repeat(units, len(largest)), np.tile(by_size[largest], len(units))
            messages.add(to, NOBODY, listed, np.zeros(len(to), np.int64), band=False)
    to, book, other, shared, bands = messages.columns()
    table = pa.table(
        {
            "row": _row(books, book),
            "size": np.where(book < 0, 0, size[book]).astype(np.int32),
            "sample": np.where(book < 0, 0, sample[book]).astype(np.int32),
            "other_unit": word_column(names, np.where(other < 0, 0, books[other] >> 32)),
            "other_row": _row(books, other),
            "other_size": np.where(other < 0, 0, size[other]).astype(np.int32),
            "shared": shared.astype(np.int32),
            "band": bands.astype(bool),
        }
    )
    yield from to_units(names, to, table)


def _row(books: Ints, book: Ints) -> Ints:
    return np.where(book < 0, NOBODY, books[book] & 0xFFFFFFFF)


class _Messages:
    """Rows of messages to units, as columns."""

    def __init__(self) -> None:
        self._parts: list[tuple[Ints, ...]] = []

    def add(
        self, to: Ints, book: Ints | int, other: Ints | int, shared: Ints, *, band: bool
    ) -> None:
        every = np.ones(len(to), np.int64)
        self._parts.append((to, every * book, every * other, shared, every * band))

    def columns(self) -> list[Ints]:
        return [np.concatenate(column) for column in zip(*self._parts, strict=True)]


class Shared(NamedTuple):
    """How many keys documents share, by their places."""

    pairs: Ints  # the earlier place times the number of documents, plus the later place
    counts: Ints  # keys that each pair shares, of those that not too many documents have
    uncounted: Ints  # keys of each document that too many documents have
    common: list[tuple[Ints, Ints]]  # the documents with such a key, and the first ones of them


def sharing(keys: npt.NDArray[np.uint64], places: Ints, books: int) -> Shared:
    """Count for each pair of documents the keys that they share.

    Keys that more than ``MAX_SHARING`` documents have count for no pair, and are told apart.

    Args:
        keys: sorted.
        places: the places of the documents with these keys, ascending among equal keys.
        books: number of documents.
    """
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]]) if len(keys) else np.zeros(0, int)
    lengths = np.diff(np.r_[starts, len(keys)])
    many = lengths > MAX_SHARING
    uncounted = np.zeros(books, np.int64)
    common = []
    for start, length in zip(starts[many], lengths[many], strict=True):
        members = places[start : start + length]
        uncounted[members] += 1  # no document has a key twice
        common.append((members, members[:LARGEST]))
    tally = _PairTally()
    end = np.repeat(starts + lengths, lengths)  # where the key of each claim ends
    left = np.flatnonzero(np.repeat(~many & (lengths > 1), lengths))
    step = 1
    while len(left := left[left + step < end[left]]):
        tally.add(places[left] * books + places[left + step])
        step += 1
    return Shared(*tally.counted(), uncounted, common)


class _PairTally:
    """A counter of equal pairs that needs bounded memory if many pairs are equal."""

    def __init__(self) -> None:
        self._pairs: list[Ints] = []
        self._counts: list[Ints] = []
        self._held = 0

    def add(self, pairs: Ints) -> None:
        self._pairs.append(pairs)
        self._counts.append(np.ones(len(pairs), np.int64))
        self._held += len(pairs)
        if self._held > MAX_PAIRS_HELD:
            self.counted()
            self._held = 0

    def counted(self) -> tuple[Ints, Ints]:
        if not self._pairs:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        pairs, inverse = np.unique(np.concatenate(self._pairs), return_inverse=True)
        counts = np.zeros(len(pairs), np.int64)
        np.add.at(counts, inverse, np.concatenate(self._counts))
        self._pairs, self._counts = [pairs], [counts]
        return pairs, counts


class Nominations:
    """The pairs of a unit's documents with larger ones that may have to be compared."""

    def __init__(self, messages: Sequence[bytes]) -> None:
        self._told = None
        if messages:
            told = pa.concat_tables(map(unpack, messages)).unify_dictionaries().combine_chunks()
            # One row per pair, whatever the number of buckets that reported it.
            self._told = told.group_by(
                ["row", "other_unit", "other_row"], use_threads=False
            ).aggregate(
                [("shared", "sum"), ("band", "max")]
                + [(name, "max") for name in ("size", "sample", "other_size")]
            )

    def pairs(self, unit: str, overlap: float) -> pa.Table:
        """Return the claims of the pairs that may overlap by this much; all have one key.

        Args:
            unit: name of the unit.
            overlap: fraction of the smaller document's shingles that the larger one has.
        """
        told = self._told
        if told is None:
            return _PAIR_CLAIMS.empty_table()
        row, other = (told[name].to_numpy() for name in ("row", "other_row"))
        known, alone, listed = (
            told.filter(pa.array(mask)) for mask in ((row >= 0) & (other >= 0), other < 0, row < 0)
        )
        common: dict[int, _Common] = {}
        for book in alone.to_pylist():
            before = common.get(book["row"], _Common(book["size_max"], book["sample_max"]))
            common[book["row"]] = before.plus(book["shared_sum"], band=book["band_max"])
        row, shared, sample, band = (
            known[name].to_numpy() for name in ("row", "shared_sum", "sample_max", "band_max")
        )
        counted = sample - np.array([common[at].hashes if at in common else 0 for at in row], int)
        # All hashes that are not counted may be shared; those counted but not shared are misses.
        chosen = known.filter(
            pa.array(
                (band.astype(bool) & (sample < FEW_HASHES))
                | (counted - shared <= _allowed_misses(sample, overlap))
            )
        )
        pairs = pa.table(
            {
                "row": chosen["row"],
                "size": chosen["size_max"],
                "other_unit": chosen["other_unit"].cast(pa.string()),
                "other_row": chosen["other_row"],
                "other_size": chosen["other_size_max"],
            },
            schema=_PAIRS,
        )
        others = list(
            zip(
                *(listed[name].to_pylist() for name in ("other_unit", "other_row")),
                listed["other_size_max"].to_pylist(),
                strict=True,
            )
        )
        more = [
            dict(zip(_PAIRS.names, (at, book.size, *other), strict=True))
            for at, book in common.items()
            if book.may_share_all(overlap)
            for other in others
            if other[2] >= book.size and other[:2] != (unit, at)
        ]
        pairs = pa.concat_tables([pairs, pa.Table.from_pylist(more, _PAIRS)])
        pairs = pairs.group_by(_PAIRS.names, use_threads=False).aggregate([]).select(_PAIRS.names)
        pairs = pairs.sort_by([(name, "ascending") for name in ("row", "other_unit", "other_row")])
        key = pa.array(np.zeros(pairs.num_rows, np.uint64))
        return pairs.add_column(0, "key", key).cast(_PAIR_CLAIMS)


class _Common(NamedTuple):
    """What a document has that too many others have too."""

    size: int  # shingles of the document
    sample: int  # hashes of its sample
    hashes: int = 0  # of its sample, that too many documents have
    band: bool = False  # one of its bands is that of too many documents

    def plus(self, hashes: int, *, band: bool) -> "_Common":
        return self._replace(hashes=self.hashes + hashes, band=self.band or band)

    def may_share_all(self, overlap: float) -> bool:
        """Tell whether common hashes alone make the document a part of another one."""
        counted = np.array([self.sample - self.hashes])
        by_band = self.band and self.sample < FEW_HASHES
        return by_band or bool(counted <= _allowed_misses(np.array([self.sample]), overlap))


def _allowed_misses(sample: Ints, overlap: float) -> Ints:
    """Return how many hashes of a sample may be missing in a document that overlaps so far."""
    sizes, place = np.unique(sample, return_inverse=True)
    wanted = np.array([wanted_hits(int(size), overlap) for size in sizes], np.int64)
    return np.asarray(sample - wanted[place], np.int64)


_PAIRS = pa.schema(
    [
        ("row", pa.int64()),
        ("size", pa.int32()),
        ("other_unit", pa.string()),
        ("other_row", pa.int64()),
        ("other_size", pa.int32()),
    ]
)
_PAIR_CLAIMS = pa.schema(
    [
        ("key", pa.uint64()),
        *(_PAIRS.field(name) for name in ("row", "size")),
        ("other_unit", pa.dictionary(pa.int32(), pa.string())),
        *(_PAIRS.field(name) for name in ("other_row", "other_size")),
    ]
)
