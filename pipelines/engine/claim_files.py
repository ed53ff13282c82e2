"""The file of one unit's claims, which is written once and read by ranges of keys.

Claims are rows of an Arrow table with a ``key``: a hash of 64 bits or a digest of 16 bytes. The
high bits of its key say in which bucket a claim is decided, and the number of buckets is known only
when all units have counted their claims. So the file is a sequence of chunks, each sorted by key,
and a bucket is a slice of each chunk. On one machine the file is memory-mapped and only the slice
is read; on a cluster the file is read once and cut into buckets.

The file also marks that the unit has finished its claims pass; its footer says what it holds.
"""

import json
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.engine.packing import ALIGNMENT, pack, unpack, words_of
from pipelines.storage import files as storage

BUCKET_BYTES = 128_000_000  # claims that are decided together; deciding takes 4 times as much
MAX_BUCKETS = 1 << 16
_TAIL = struct.Struct("<I4s")  # bytes of the footer, magic
_MAGIC = b"CLM1"
_PART = struct.Struct("<II")  # of a message: bytes of its head, bytes of its table
_TAIL_BYTES = 1 << 16  # read at once from the end of a file: most footers are shorter


@dataclass(frozen=True)
class Block:
    """The claims of one unit in one bucket."""

    unit: str  # name of the unit, to which verdicts are sent
    order: str  # sorts the units of a scope, for decisions in which the earlier unit wins
    tables: Sequence[pa.Table]  # not empty; one for each chunk of the file

    @property
    def table(self) -> pa.Table:
        """All rows as one table."""
        return pa.concat_tables(self.tables) if len(self.tables) > 1 else self.tables[0]


def bucket_count(claim_bytes: int) -> int:
    """Return how many buckets hold the claims of a scope: a power of two.

    Args:
        claim_bytes: bytes of the claims of all units of the scope.
    """
    wanted = max(1, -(-claim_bytes // BUCKET_BYTES))
    return int(min(MAX_BUCKETS, 1 << (wanted - 1).bit_length()))


def write_claims(path: str, unit: str, order: str, tables: Iterable[pa.Table]) -> int:
    """Write the claims of a unit, whole or not at all, and return how many bytes they take.

    Args:
        path: path of the file.
        unit: name of the unit.
        order: see :class:`Block`.
        tables: chunks of one schema, each with a column ``key``; they need not be sorted.
    """
    with ClaimsWriter(path, unit, order) as writer:
        for table in tables:
            writer.add(table)
        return writer.commit()


class ClaimsWriter:
    """The claims of one unit while they are written; nothing appears before :meth:`commit`."""

    def __init__(self, path: str, unit: str, order: str) -> None:
        self._facts = {"unit": unit, "order": order}
        self._chunks: list[tuple[int, int]] = []
        self._at = self._rows = 0
        self._file = storage.AtomicFile(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.discard()

    def add(self, table: pa.Table) -> None:
        """Write a chunk: a table with a ``key``, which need not be sorted."""
        if not table.num_rows:
            return
        packed = pack(_by_key(table))
        packed += bytes(-len(packed) % ALIGNMENT)
        self._file.stream.write(packed)
        self._chunks.append((self._at, len(packed)))
        self._at += len(packed)
        self._rows += table.num_rows

    def commit(self) -> int:
        """Write the footer and put the file in its place; return the bytes of the claims."""
        facts = {**self._facts, "rows": self._rows, "bytes": self._at, "chunks": self._chunks}
        footer = json.dumps(facts).encode()
        self._file.stream.write(footer + _TAIL.pack(len(footer), _MAGIC))
        self._file.commit()
        return self._at


def _by_key(table: pa.Table) -> pa.Table:
    high = words_of(table["key"])[:, 0]
    if (high[1:] >= high[:-1]).all():
        return table
    return table.take(pa.array(np.argsort(high, kind="stable")))


class ClaimsFile:
    """The claims of one unit, open for reading by buckets."""

    def __init__(self, data: pa.Buffer, facts: dict[str, Any]) -> None:
        self.unit: str = facts["unit"]
        self.order: str = facts["order"]
        self.bytes: int = facts["bytes"]
        self.rows: int = facts["rows"]
        self._chunks = [unpack(data.slice(at, size)) for at, size in facts["chunks"]]
        self._edges: tuple[int, list[npt.NDArray[np.int64]]] = (0, [])

    @classmethod
    def open(cls, path: str) -> Self:
        """Memory-map a local file, or read a remote one whole."""
        if storage.is_local(path):
            with pa.memory_map(path) as mapped:
                data = mapped.read_buffer()
        else:
            data = pa.py_buffer(storage.read_bytes(path))
        size, _ = _TAIL.unpack(memoryview(data)[-_TAIL.size :])
        footer = bytes(memoryview(data)[-_TAIL.size - size : -_TAIL.size])
        return cls(data, json.loads(footer))

    @classmethod
    def open_if_there(cls, path: str) -> Self | None:
        """Open a file as :meth:`open` does; return None if it does not exist."""
        try:
            return cls.open(path)
        except (FileNotFoundError, storage.MissingFile):
            return None

    def block(self, bucket: int, buckets: int) -> Block | None:
        """Return what the unit claims in one of so many buckets; None if it is nothing."""
        if self._edges[0] == buckets:
            spans = [(edges[bucket], edges[bucket + 1]) for edges in self._edges[1]]
        else:  # one bucket of a file that was just opened: the others need not be found
            borders = _borders(buckets)[max(0, bucket - 1) : bucket + 1]
            spans = [_span(chunk, bucket, borders) for chunk in self._chunks]
        tables = [
            chunk.slice(int(start), int(end - start))
            for chunk, (start, end) in zip(self._chunks, spans, strict=True)
            if end > start
        ]
        return Block(self.unit, self.order, tables) if tables else None

    def filled(self, buckets: int) -> npt.NDArray[np.bool_]:
        """Tell in which of so many buckets the unit claims."""
        filled = np.zeros(buckets, bool)
        for edges in self._cut(buckets):
            filled |= edges[1:] > edges[:-1]
        return filled

    def blocks(self, buckets: int) -> Iterator[tuple[int, Block]]:
        """Yield what the unit claims in each bucket, with its number, leaving out empty ones."""
        for bucket in map(int, np.flatnonzero(self.filled(buckets))):
            if block := self.block(bucket, buckets):
                yield bucket, block

    def _cut(self, buckets: int) -> list[npt.NDArray[np.int64]]:
        """Return for each chunk the rows at which its buckets begin, and its number of rows."""
        if self._edges[0] != buckets:
            borders = _borders(buckets)
            cuts = []
            for chunk in self._chunks:
                high = words_of(chunk["key"])[:, 0]
                inner = np.searchsorted(high, borders.astype(high.dtype))
                cuts.append(np.concatenate([[0], inner, [chunk.num_rows]]).astype(np.int64))
            self._edges = buckets, cuts
        return self._edges[1]


@lru_cache(4)
def _borders(buckets: int) -> npt.NDArray[np.uint64]:
    """Return the high bits of keys at which all buckets but the first begin."""
    shift = np.uint64(64 - (buckets.bit_length() - 1)) if buckets > 1 else np.uint64(0)
    return np.arange(1, buckets, dtype=np.uint64) << shift


def _span(chunk: pa.Table, bucket: int, borders: npt.NDArray[np.uint64]) -> tuple[int, int]:
    """Return where a bucket begins and ends in a chunk, by the borders on its sides."""
    high = words_of(chunk["key"])[:, 0]
    edges = [int(edge) for edge in np.searchsorted(high, borders.astype(high.dtype))]
    if not bucket:
        edges.insert(0, 0)
    return edges[0], edges[1] if len(edges) > 1 else chunk.num_rows


def claim_bytes(path: str) -> int:
    """Return how many bytes of claims a file holds; only its footer is read."""
    tail = storage.read_end(path, _TAIL_BYTES)
    size, _ = _TAIL.unpack(tail[-_TAIL.size :])
    if size + _TAIL.size > len(tail):
        tail = storage.read_end(path, size + _TAIL.size)
    return int(json.loads(tail[-_TAIL.size - size : -_TAIL.size])["bytes"])


def pack_blocks(blocks: Iterable[Block]) -> bytes:
    """Return the blocks of several units, all of one bucket, as one message.

    The claims of all units are one table, so that a unit with a few claims in the bucket costs
    little more than these. What units claim on a topic has one schema; a part of the message is
    made for each, should there be several.
    """
    found: dict[pa.Schema, list[tuple[Block, pa.Table]]] = {}
    for block in blocks:
        for table in block.tables:
            found.setdefault(table.schema, []).append((block, table))
    out = bytearray()
    for parts in found.values():
        heads = [f"{block.unit}\0{block.order}\0{table.num_rows}" for block, table in parts]
        head = zlib.compress("\n".join(heads).encode())
        packed = pack(pa.concat_tables(table for _, table in parts), compress=True)
        out += _PART.pack(len(head), len(packed)) + head
        out += bytes(-len(out) % ALIGNMENT) + packed
    return bytes(out)


def unpack_blocks(messages: Iterable[bytes]) -> list[Block]:
    """Return the blocks of all messages: one per unit, sorted by the units' names."""
    tables: dict[tuple[str, str], list[pa.Table]] = {}
    for message in messages:
        data = pa.py_buffer(message)
        at = 0
        while at < len(message):
            head_bytes, size = _PART.unpack_from(message, at)
            at += _PART.size
            head = zlib.decompress(message[at : at + head_bytes]).decode()
            at += head_bytes
            at += -at % ALIGNMENT
            table = unpack(data.slice(at, size))
            at += size
            start = 0
            for line in head.split("\n"):
                unit, order, rows = line.split("\0")
                tables.setdefault((unit, order), []).append(table.slice(start, int(rows)))
                start += int(rows)
    return [Block(unit, order, found) for (unit, order), found in sorted(tables.items())]
