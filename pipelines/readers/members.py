"""Read the bytes of a file that may be gzip, member by member, and skip damaged members.

Web archives are gzip files of many members, one per record. A damaged member loses only its own
bytes: the search for the gzip magic of the next member begins at the start of the damaged one,
since the inflation of a damaged member can run far into its successors before it fails.

``isal`` inflates an ordinary member in a third of zlib's time, where it is installed. It checks the
same checksums. Whatever it does not take for a whole member is inflated again by zlib, so that the
pieces and the words about damage do not depend on what is installed.
"""

import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from pipelines.readers.rows import DETAIL_CHARS, clip

isal_zlib: Any = None
try:
    from isal import isal_zlib as _installed
except ImportError:  # there is no wheel for this machine, and zlib inflates
    pass
else:
    isal_zlib = _installed

GZIP_MAGIC = b"\x1f\x8b\x08"  # and deflate, the only method there is (RFC 1952, 2.3.1)
READ_BYTES = 1 << 18
FEED_BYTES = 1 << 12  # per step of inflating; what is left of a step at a member's end is copied
PIECE_BYTES = 1 << 20  # inflated, per piece, at most approximately
# This many compressed bytes of a member are kept for the search for the next member, in case it is
# damaged. Common Crawl cuts a page at 1 MiB (5 MiB from 2025 on), so members are far shorter.
KEPT_BYTES = 4 << 20
ENDS_INSIDE = "the file ends inside it"
RESERVED_FLAGS = 0xE0  # must be zero (RFC 1952, 2.3.1.2)
HEADER_CHECKSUM = 0x02  # the flag of a checksum that zlib looks at, and isal does not
ORDINARY_BYTES = 1 << 20  # compressed, of the longest member that isal is tried on


@dataclass(frozen=True, slots=True)
class Damage:
    """A place where bytes are missing: the next piece does not continue the previous one."""

    reason: str  # damaged_gzip, garbage (bytes between members), truncated_file
    detail: str


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of the content, in order."""

    data: bytes
    ends_member: bool = False  # a gzip member ends here, and its checksum is right


def is_gzip(start: bytes) -> bool:
    """Tell whether a file is gzip by its first three bytes, or by fewer if it is shorter."""
    return bool(start) and GZIP_MAGIC.startswith(start[:3])


def holds_members(head: bytes) -> bool:
    """Tell by its first bytes whether a file is gzip, even if its first member is damaged."""
    if is_gzip(head) or head.startswith(b"WARC/"):
        return is_gzip(head)
    return GZIP_MAGIC in head and b"WARC/1." not in head


def read_head(stream: BinaryIO) -> bytes:
    """Return the first ``READ_BYTES`` of a stream, fewer only where there are no more."""
    head = b""
    while len(head) < READ_BYTES and (data := stream.read(READ_BYTES - len(head))):
        head += data
    return head


def read_plain(head: bytes, stream: BinaryIO) -> Iterator[Piece]:
    """Yield the bytes of a stream unchanged; ``head`` was already read from it and comes first."""
    if head:
        yield Piece(head)
    while data := stream.read(PIECE_BYTES):
        yield Piece(data)


def read_members(head: bytes, stream: BinaryIO) -> Iterator[Piece | Damage]:
    """Inflate a gzip stream, which need not be seekable; errors of the stream itself are raised.

    Args:
        head: the bytes that were already read from the stream.
        stream: the rest of the bytes.
    """
    window = _Window(head, stream)
    while window.more():
        start = window.at
        if not window.at_member():
            skipped = window.skip_to_member()
            if skipped:  # zeros are padding, as they are for gzip itself
                yield Damage("garbage", f"not gzip at byte {start}: {clip(repr(skipped))}")
            continue
        if (piece := _inflate_ordinary(window)) is not None:
            yield piece
            continue
        error = yield from _inflate_member(window)
        if error is not None:
            window.go_back(start + 1)
            window.skip_to_member()
            cut = error == ENDS_INSIDE and not window.more()  # and nothing comes after it
            reason = "truncated_file" if cut else "damaged_gzip"
            yield Damage(reason, f"gzip member at byte {start}: {error}")


def _inflate_ordinary(window: "_Window") -> Piece | None:
    """Return the content of a whole member by isal; return None, and move nowhere, for others."""
    start = window.at
    if isal_zlib is None or window.flags() & (RESERVED_FLAGS | HEADER_CHECKSUM):
        return None
    inflater = isal_zlib.decompressobj(zlib.MAX_WBITS | 16)
    parts: list[bytes] = []
    size = 0
    try:
        while not inflater.eof and window.at - start < ORDINARY_BYTES and window.more():
            part = inflater.decompress(window.take(FEED_BYTES), PIECE_BYTES)
            parts.append(part)
            size += len(part)
            if size >= PIECE_BYTES:
                break
        is_whole = inflater.eof and size < PIECE_BYTES
    except isal_zlib.error:
        is_whole = False
    if not is_whole:
        window.go_back(start)
        return None
    window.at -= len(inflater.unused_data)
    return Piece(b"".join(parts), ends_member=True)


def _inflate_member(window: "_Window") -> Generator[Piece, None, str | None]:
    """Yield the content of a member; return what is wrong with it, or None if nothing is."""
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
    parts: list[bytes] = []
    size = 0
    error = None
    while not inflater.eof:
        if not window.more():
            error = ENDS_INSIDE
            break
        fed = window.take(FEED_BYTES)
        try:
            part = inflater.decompress(fed, PIECE_BYTES)
            while inflater.unconsumed_tail and not inflater.eof:  # a few bytes can hold a lot
                yield Piece(b"".join([*parts, part]))
                parts.clear()
                size = 0
                part = inflater.decompress(inflater.unconsumed_tail, PIECE_BYTES)
        except zlib.error as damage:
            error = str(damage)
            break
        parts.append(part)
        size += len(part)
        if size >= PIECE_BYTES:
            yield Piece(b"".join(parts))
            parts.clear()
            size = 0
    window.at -= len(inflater.unused_data)
    yield Piece(b"".join(parts), ends_member=error is None)
    return error


class _Window:
    """The latest bytes of a stream, addressed by their place in it."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self.at = 0  # the next byte, counted from the start of the stream
        self._stream = stream
        self._first = 0  # place of the first byte in _bytes
        self._bytes = bytearray(head)

    def more(self) -> bool:
        """Tell whether there is a byte at ``at``."""
        return self._have(1)

    def _have(self, size: int) -> bool:
        while len(self._bytes) < self.at - self._first + size:
            data = self._stream.read(READ_BYTES)
            if not data:
                return False
            drop = self.at - self._first - KEPT_BYTES
            if drop > 0:
                del self._bytes[:drop]
                self._first += drop
            self._bytes += data
        return True

    def take(self, size: int) -> bytearray:
        """Return the next bytes, at most ``size``, and move on."""
        self._have(size)  # steps do not depend on how much a read of the stream returns
        start = self.at - self._first
        data = self._bytes[start : start + size]
        self.at += len(data)
        return data

    def go_back(self, place: int) -> None:
        """Return to ``place``, or to the first byte that was kept if that is later."""
        self.at = max(place, self._first)

    def at_member(self) -> bool:
        """Tell whether a member may start here."""
        whole = self._have(4)
        begin = self.at - self._first
        start = self._bytes[begin : begin + 4]
        return is_gzip(bytes(start)) and (not whole or not start[3] & RESERVED_FLAGS)

    def flags(self) -> int:
        """Return the flags of a member that starts here, or all of them if it ends before them."""
        return self._bytes[self.at - self._first + 3] if self._have(4) else 0xFF

    def skip_to_member(self) -> bytes:
        """Go to the place where the next member may start, or to the end.

        Returns:
            the first of the skipped bytes, without leading zeros.
        """
        skipped = b""
        while self._have(4):
            start = self.at - self._first
            found = self._bytes.find(GZIP_MAGIC, start)
            # The last bytes may be the start of the magic.
            stop = len(self._bytes) - len(GZIP_MAGIC) if found < 0 else found
            stop = max(stop, start + (found < 0))
            skipped = _more_of(skipped, bytes(self._bytes[start:stop]))
            self.at = self._first + stop
            if found >= 0:
                if self._have(4) and self.at_member():
                    return skipped
                self.at += 1
        rest = self.take(4)
        return _more_of(skipped, bytes(rest))


def _more_of(shown: bytes, following: bytes) -> bytes:
    """Return the first bytes of both, without leading zeros."""
    if len(shown) < DETAIL_CHARS:
        shown = (shown + following).lstrip(b"\0")[:DETAIL_CHARS]
    return shown
