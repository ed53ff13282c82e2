"""Nominate the pairs of documents to compare: those whose sketches share enough hashes.

These are pure functions from claims to verdicts for ``overlap``, whose steps group the claims. The
pairs that they nominate are compared exactly (``comparing``).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.shingles import wanted_hits
from pipelines.engine.claim_files import Block
from pipelines.engine.packing import pack, unpack

Ints = npt.NDArray[np.int64]

# Documents that share a hash with more documents than this (a licence, a formula) are paired with
# only a few of them, so that the pairs grow with the documents and not with their square.
MAX_SHARING = 256
LARGEST = 32  # the largest documents of such a hash, with which all others are paired
# A sample of this size is more reliable than bands, which texts that share a third may also share.
FEW_HASHES = 64
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
        they ``shared``, and whether they share a ``band``. If ``other_row`` is -1, ``shared`` is
        the number of hashes that so many documents share that not all pairs were counted.
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
    found = []
    for band in (False, True):
        rows = np.flatnonzero(claims["band"] == band)
        rows = rows[np.lexsort((places[rows], claims["key"][rows]))]
        pairs, counts, uncounted = sharing(claims["key"][rows], places[rows], len(books))
        larger, smaller = np.divmod(pairs, max(1, len(books)))
        if band:
            found.append((by_size[smaller], by_size[larger], np.zeros_like(counts), counts >= 0))
        else:
            found.append((by_size[smaller], by_size[larger], counts, counts < 0))
            alone = np.flatnonzero(uncounted)
            none = np.full(len(alone), -1)
            found.append((by_size[alone], none, uncounted[alone], none > 0))
    book, other, shared, bands = (np.concatenate(parts) for parts in zip(*found, strict=True))
    known = other >= 0
    table = pa.table(
        {
            "row": (books[book] & 0xFFFFFFFF).astype(np.int64),
            "size": size[book].astype(np.int32),
            "sample": sample[book].astype(np.int32),
            "other_unit": word_column(names, np.where(known, books[other] >> 32, 0)),
            "other_row": np.where(known, books[other] & 0xFFFFFFFF, -1).astype(np.int64),
            "other_size": size[other].astype(np.int32),
            "shared": shared.astype(np.int32),
            "band": bands.astype(bool),
        }
    )
    yield from to_units(names, books[book] >> 32, table)


def sharing(keys: npt.NDArray[np.uint64], places: Ints, books: int) -> tuple[Ints, Ints, Ints]:
    """Count for each pair of documents the keys that they share.

    Args:
        keys: sorted.
        places: the places of the documents with these keys, ascending among equal keys.
        books: number of documents.

    Returns:
        the pairs, as the earlier place times ``books`` plus the later one; how many keys each pair
        shares, without keys that more than ``MAX_SHARING`` documents have; and how many of those
        keys each document has. Documents with such a key are paired with the first ``LARGEST`` of
        them, but the key does not count for any pair.
    """
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]]) if len(keys) else np.zeros(0, int)
    lengths = np.diff(np.r_[starts, len(keys)])
    tally = _PairTally()
    many = lengths > MAX_SHARING
    uncounted = np.zeros(books, np.int64)
    for start, length in zip(starts[many], lengths[many], strict=True):
        members = places[start : start + length]
        np.add.at(uncounted, members, 1)
        for at in range(LARGEST):
            tally.add(members[at] * books + members[at + 1 :], hits=0)
    end = np.repeat(starts + lengths, lengths)  # where the key of each claim ends
    left = np.flatnonzero(np.repeat(~many & (lengths > 1), lengths))
    step = 1
    while len(left := left[left + step < end[left]]):
        tally.add(places[left] * books + places[left + step])
        step += 1
    pairs, counts = tally.counted()
    return pairs, counts, uncounted


class _PairTally:
    """A counter of equal pairs that needs bounded memory if many pairs are equal."""

    def __init__(self) -> None:
        self._pairs: list[Ints] = []
        self._counts: list[Ints] = []
        self._held = 0

    def add(self, pairs: Ints, *, hits: int = 1) -> None:
        self._pairs.append(pairs)
        self._counts.append(np.full(len(pairs), hits, np.int64))
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

    def pairs(self, overlap: float) -> pa.Table:
        """Return the claims of the pairs that may overlap by this much; all have one key."""
        told = self._told
        if told is None:
            return _PAIR_CLAIMS.empty_table()
        row, other, shared, sample, band = (
            told[name].to_numpy()
            for name in ("row", "other_row", "shared_sum", "sample_max", "band_max")
        )
        uncounted: dict[int, int] = dict(zip(row[other < 0], shared[other < 0], strict=True))
        counted = sample - np.array([uncounted.get(at, 0) for at in row], np.int64)
        sizes, place = np.unique(sample, return_inverse=True)
        wanted = np.array([wanted_hits(int(size), overlap) for size in sizes], np.int64)
        # All hashes that are not counted may be shared; those counted but not shared are misses.
        misses, allowed = counted - shared, sample - wanted[place]
        by_band = band.astype(bool) & (sample < FEW_HASHES)
        chosen = told.filter(pa.array((other >= 0) & (by_band | (misses <= allowed))))
        return pa.table(
            {
                "key": pa.array(np.zeros(chosen.num_rows, np.uint64)),
                "row": chosen["row"],
                "size": chosen["size_max"],
                "other_unit": chosen["other_unit"],
                "other_row": chosen["other_row"],
                "other_size": chosen["other_size_max"],
            },
            schema=_PAIR_CLAIMS,
        ).sort_by([("row", "ascending"), ("other_row", "ascending")])


_PAIR_CLAIMS = pa.schema(
    [
        ("key", pa.uint64()),
        ("row", pa.int64()),
        ("size", pa.int32()),
        ("other_unit", pa.dictionary(pa.int32(), pa.string())),
        ("other_row", pa.int64()),
        ("other_size", pa.int32()),
    ]
)
