"""Rows of an Avro object container file, as BigQuery exports them (docs/rules/sources.md 1.1)."""

import bz2
import io
import lzma
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from typing import IO, Any, BinaryIO, cast

from pipelines.readers.rows import (
    MAX_ROW_BYTES,
    BadRow,
    Layout,
    RawRow,
    Source,
    Values,
    clip,
    decode,
    repair_texts,
    unreadable,
)

MAGIC = b"Obj\x01"
SYNC_BYTES = 16
MAX_SHIFT = 63
MAX_BLOCK_BYTES = 32 << 20  # inflated; writers end a block at some kB, unless one row is larger
# These codecs do not state the size of a block; Snappy does. BigQuery writes Snappy and deflate.
INFLATERS: dict[str, Callable[[], Any]] = {
    "deflate": lambda: zlib.decompressobj(-zlib.MAX_WBITS),
    "bzip2": bz2.BZ2Decompressor,
    "xz": lzma.LZMADecompressor,
}


class AvroRows:
    """The rows of an Avro file.

    Raises:
        UnreadableFile: the header is damaged, or the rows are not records.
    """

    has_schema = True

    def __init__(self, source: Source, name: str) -> None:
        import fastavro  # noqa: PLC0415 - most exports are not in Avro

        self._source = source
        try:
            blocks = _Blocks(source)
            # Bytes that are not UTF-8 arrive as surrogates, which never occur in valid text.
            reader = fastavro.block_reader(
                cast(IO[bytes], blocks), handle_unicode_errors="surrogateescape"
            )
            schema: Any = reader.writer_schema
            self.columns = frozenset(field["name"] for field in schema["fields"])
        except Exception as error:  # noqa: BLE001 -- a damaged header fails in many ways
            unreadable(source, name, "the Avro header is damaged: fetch the file again", error)
        self._blocks, self._reader = blocks, reader

    def rows(self, layout: Layout) -> Iterator[RawRow | BadRow]:
        """Yield the rows, block by block; a damaged block ends the file.

        A block over ``MAX_BLOCK_BYTES`` becomes one bad row in place of all rows in it.
        """
        number = 0
        record: Any  # a dict, since the schema has fields
        too_large = self._blocks.too_large
        try:
            for block in self._reader:
                while too_large:
                    yield BadRow(number, "too_large", too_large.popleft())
                    number += 1
                for record in block:
                    yield RawRow(number, layout, record)
                    number += 1
        except Exception as error:  # noqa: BLE001 -- damage shows as EOF, value, index, zlib errors
            self._source.raise_own_error()
            damage = clip(f"{type(error).__name__}: {error}")
        else:
            damage = ""
        for detail in too_large:
            yield BadRow(number, "too_large", detail)
            number += 1
        if damage:
            yield BadRow(number, "truncated_file", damage)


class _Blocks:
    """A stream for ``fastavro`` of the inflated container, without blocks that are too large.

    ``fastavro`` inflates a block whole, whatever its size: 3 MB can become gigabytes. Damage is
    raised as a ValueError, since ``fastavro`` treats an EOFError as the end of the file.
    """

    def __init__(self, source: Source) -> None:
        import fastavro  # noqa: PLC0415 - as above

        self._source = source
        header = fastavro.block_reader(source)  # reads exactly the header
        self._codec = header.codec
        source.seek(-SYNC_BYTES, io.SEEK_CUR)
        self._sync = source.read(SYNC_BYTES)
        self._place = 0
        start = source.tell()
        if self._codec in INFLATERS:
            schema = b"\x16avro.schema" + _long_field(header.metadata["avro.schema"].encode())
            self._parts = deque([MAGIC, b"\x02", schema, b"\0", self._sync])
        else:
            source.seek(0)
            self._parts = deque([source.read(start)])
        self.too_large: deque[str] = deque()  # messages about the blocks that were left out

    def tell(self) -> int:
        """Return how many bytes were read."""
        return self._place

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes, or fewer at the end."""
        read = b""
        while len(read) < size and (self._parts or self._fetch()):
            part = self._parts.popleft()
            wanted = size - len(read)
            if len(part) > wanted:
                self._parts.appendleft(part[wanted:])
                part = part[:wanted]
            read = read + part if read else part
        self._place += len(read)
        return read

    def _fetch(self) -> bool:
        """Read on to the next block that is not too large; return False at the end of the file."""
        while first := self._source.read(1):
            rows = _read_long(self._source, first)
            size = _read_long(self._source, self._source.read(1))
            if not 0 <= rows <= MAX_BLOCK_BYTES or size < 0:  # a row has at least one byte
                raise ValueError(f"a block of {rows} rows and {size} bytes")
            data = None
            if size > MAX_BLOCK_BYTES:
                self._source.seek(size, io.SEEK_CUR)
            else:
                data = self._inflated(self._source.read(size), size)
            if self._source.read(SYNC_BYTES) != self._sync:
                raise ValueError("a block does not end where it should")
            if data is None:
                self.too_large.append(f"a block of {rows} rows, over {MAX_BLOCK_BYTES} bytes")
                continue
            self._parts.extend([_long(rows), _long(len(data)), data, self._sync])
            return True
        return False

    def _inflated(self, data: bytes, size: int) -> bytes | None:
        """Return the content of a block for ``fastavro``, or None if it is too large."""
        if len(data) < size:
            raise ValueError("the file ends inside a block")
        if (
            self._codec == "snappy"
            and _read_long(io.BytesIO(data[1:]), data[:1], 0) > MAX_BLOCK_BYTES
        ):
            return None
        if self._codec in INFLATERS:
            data = INFLATERS[self._codec]().decompress(data, MAX_BLOCK_BYTES + 1)
        return data if len(data) <= MAX_BLOCK_BYTES else None


def _read_long(stream: BinaryIO, byte: bytes, zigzag: int = 1) -> int:
    """Read a number of seven bits per byte, lowest first; its first byte was already read."""
    number = shift = 0
    while byte:
        number |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return (number >> 1) ^ -(number & 1) if zigzag else number
        shift += 7
        if shift > MAX_SHIFT:
            raise ValueError("a number of more than 64 bits")
        byte = stream.read(1)
    raise ValueError("the file ends inside a number")


def _long(number: int) -> bytes:
    number <<= 1
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


def _long_field(data: bytes) -> bytes:
    return _long(len(data)) + data


def values_of(record: dict[str, Any], layout: Layout, row: int) -> Values | BadRow:
    """Return the values of one row, or a bad row that says why it cannot be used."""
    values = []
    replaced = 0
    for column in layout.columns:
        value = record.get(column)
        if isinstance(value, bytes):  # another writer's table may store text as bytes
            value = value.decode(errors="surrogateescape")
        if isinstance(value, str):
            if len(value) > MAX_ROW_BYTES:
                return BadRow(row, "too_large", f"{column} of over {MAX_ROW_BYTES} bytes")
            if column in layout.unread:
                value = ""
            elif not value.isascii():
                value, count = _decode_again(value)
                replaced += count
        elif isinstance(value, list | dict):
            value, count = repair_texts(value, _decode_again)
            replaced += count
        values.append(value)
    return tuple(values), replaced


def _decode_again(text: str) -> tuple[str, int]:
    """Replace the surrogates that represent bytes by U+FFFD, and count them."""
    return (text, 0) if text.isascii() else decode(text.encode(errors="surrogateescape"))
