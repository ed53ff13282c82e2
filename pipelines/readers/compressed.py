"""Read the bytes of a bzip2, gzip or plain file in pieces, or a range of bzip2 streams.

A bzip2 file may be many streams one after the other, as multistream dumps and parallel compressors
write them. Each stream is independent: a range may begin at any of them, and a damaged stream loses
only itself, since the next one is found by its first ten bytes, which occur nowhere else.
"""

import bz2
import gzip
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from pipelines.readers.bunzip import sound_pieces
from pipelines.readers.rows import Source, clip, unreadable

BZ2_MAGIC, GZIP_MAGIC = b"BZh", b"\x1f\x8b"
OTHERS = {b"7z\xbc\xaf": "7z", b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ": "xz", b"PK": "zip"}
# The level, then the magic of the first block: its 48 bits occur by chance once in 2^48 bytes.
STREAM_START = re.compile(rb"BZh[1-9]1AY&SY")
_START_BYTES = 10
_READ_BYTES = 1 << 20  # compressed, per read
_PIECE_BYTES = 1 << 20  # per piece, at most: this limits the memory that a file of zeros can take
# The checksum of a block is checked at its end, so bytes that may belong to an unfinished block are
# held back. A block is 900,000 bytes, or more if bytes repeat.
_HELD_BYTES = 2 << 20


@dataclass(frozen=True, slots=True)
class Damage:
    """A place where bytes are lost; if ``truncated``, all bytes that would follow are lost."""

    detail: str
    truncated: bool


def read_pieces(
    stream: BinaryIO, name: str, start: int = 0, end: int | None = None
) -> Iterator[bytes | Damage]:
    """Yield the decompressed bytes of the file, but no byte of a damaged block.

    The first bytes of the file determine how it is decompressed.

    Args:
        stream: the file as it is stored, seekable.
        name: name of the file, for messages.
        start: start of the range: 0, or the offset of a bzip2 stream.
        end: end of the range: the offset of another stream, or None for the end of the file.

    Raises:
        UnreadableFile: the file is neither bzip2, gzip nor XML.
    """
    source = Source(stream)
    head = source.peek(_START_BYTES)[:_START_BYTES]
    if head.startswith(BZ2_MAGIC):
        yield from _bz2_pieces(source, start, end)
    elif start:
        unreadable(source, name, "is not bzip2, so a range of it cannot be read: fetch it again")
    elif head.startswith(GZIP_MAGIC):
        yield from _gzip_pieces(source)
    elif head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (b"<", b""):
        while piece := source.read(_READ_BYTES):
            yield piece
    else:
        kind = next((k for magic, k in OTHERS.items() if head.startswith(magic)), "")
        unreadable(
            source,
            name,
            f"is {kind}: unpack it, or take the .bz2 of the same dump"
            if kind
            else "is neither bzip2, gzip nor XML: was it damaged in a copy? Fetch it again",
        )


def _gzip_pieces(source: Source) -> Iterator[bytes | Damage]:
    unzipped = gzip.GzipFile(fileobj=source)
    try:
        while piece := unzipped.read1(_READ_BYTES):
            yield piece
    except Exception as error:  # noqa: BLE001 - zlib, gzip and EOF errors: damaged data
        source.raise_own_error()
        yield Damage(clip(f"{type(error).__name__}: {error}"), truncated=True)


def _bz2_pieces(source: Source, start: int, end: int | None) -> Iterator[bytes | Damage]:
    known, complete = yield from sound_pieces(source, start, end)
    if complete:
        return
    for piece in _exact_pieces(source, start, end):
        if isinstance(piece, Damage):
            known = 0
            yield piece
        elif known < len(piece):
            yield piece[known:]
            known = 0
        else:
            known -= len(piece)


def _exact_pieces(source: Source, start: int, end: int | None) -> Iterator[bytes | Damage]:
    position = start  # of the current stream
    span = _Span(source, start, end)
    while head := span.peek(len(BZ2_MAGIC)):
        problem = "no stream begins here"
        if head.startswith(BZ2_MAGIC):
            try:
                yield from _stream_pieces(span)
                position = span.position
                continue
            except EOFError:
                problem = "it has no end"
            except Exception as error:  # noqa: BLE001 - what bz2 raises: damaged data
                source.raise_own_error()
                problem = str(error)
        found = _find_stream(source, position + 1, end)
        ended = found is None and end is None
        yield Damage(f"stream at byte {position}: {clip(problem)}", truncated=ended)
        if found is None:
            return
        position = found
        span = _Span(source, found, end)


class _Span:
    """The compressed bytes of a range, which may be given back."""

    def __init__(self, source: Source, start: int, end: int | None) -> None:
        source.seek(start)
        self._source = source
        self._end = end
        self._buffer = b""
        self.position = start  # of the next byte that read() returns

    def read(self) -> bytes:
        """Return the next bytes, or none at the end."""
        data, self._buffer = self._buffer or self._fetch(), b""
        self.position += len(data)
        return data

    def _fetch(self) -> bytes:
        ahead = self.position + len(self._buffer)
        wanted = _READ_BYTES if self._end is None else min(_READ_BYTES, self._end - ahead)
        return self._source.read(wanted) if wanted > 0 else b""

    def give_back(self, data: bytes) -> None:
        """Take back the last bytes that were read."""
        self._buffer = data
        self.position -= len(data)

    def peek(self, size: int) -> bytes:
        """Return the next bytes without consuming them; none if only padding zeros follow."""
        while len(self._buffer) < size and (more := self._fetch()):
            self._buffer += more
        return self._buffer[:size] if self._buffer.strip(b"\0\n") else b""


def _stream_pieces(span: _Span) -> Iterator[bytes]:
    """Yield one stream; raise EOFError if it does not end, and OSError if it is damaged."""
    decompressor = bz2.BZ2Decompressor()
    held = bytearray()
    while not decompressor.eof:
        data = b"" if not decompressor.needs_input else span.read()
        if decompressor.needs_input and not data:
            yield bytes(held)  # these are whole blocks
            raise EOFError
        held += decompressor.decompress(data, _PIECE_BYTES)
        if len(held) > 2 * _HELD_BYTES:
            yield bytes(held[:-_HELD_BYTES])
            del held[:-_HELD_BYTES]
    span.give_back(decompressor.unused_data)
    if held:
        yield bytes(held)


def _find_stream(source: Source, start: int, end: int | None) -> int | None:
    """Return the offset of the first stream that starts at or after ``start``."""
    for found in stream_starts(source, start, end):
        return found
    return None


def stream_starts(stream: BinaryIO | Source, start: int, end: int | None) -> Iterator[int]:
    """Yield the offsets of bzip2 streams in a range of a file, found by their first bytes."""
    stream.seek(start)
    at, tail = start, b""
    while end is None or at < end:
        wanted = _READ_BYTES if end is None else min(_READ_BYTES, end - at + _START_BYTES)
        data = stream.read(wanted)
        if not data:
            return
        begin = at - len(tail)
        window = tail + data
        for match in STREAM_START.finditer(window):
            if end is None or begin + match.start() < end:
                yield begin + match.start()
        at += len(data)
        tail = window[-(_START_BYTES - 1) :]


def first_bytes(stream: BinaryIO, start: int, size: int) -> bytes:
    """Return the first ``size`` bytes of the stream at ``start``; fewer if it is damaged."""
    stream.seek(start)
    decompressor = bz2.BZ2Decompressor()
    found = io.BytesIO()
    try:
        while found.tell() < size and not decompressor.eof:
            data = stream.read(1 << 16) if decompressor.needs_input else b""
            if decompressor.needs_input and not data:
                break
            found.write(decompressor.decompress(data, size))
    except OSError:
        pass
    return found.getvalue()[:size]
