"""Read the records of a WARC, WAT or WET file, and report what is damaged.

A record ends where its Content-Length says if line ends follow there, and then another record, the
end of a gzip member or the end of the file. If they do not follow, the length is wrong, and the
record extends to the next header (docs/rules/web.md 2.5). Bytes that are not a record become a
``BadRecord``; nothing is skipped in silence.

This module does not use the iterator of fastwarc 2.0.1, which ends without an error at an empty
gzip member, at a header with LF line ends and after a length beyond the end of the file, returns a
record that is cut off as if it were whole, and cannot continue after a damaged gzip member.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NoReturn

from pipelines.readers.members import (
    Damage,
    holds_members,
    read_head,
    read_members,
    read_plain,
)
from pipelines.readers.rows import DETAIL_CHARS, UnreadableFile, clip

MAX_HEADER_BYTES = 64 << 10
# Longer blocks are skipped: Common Crawl cuts a page at 1 MiB (5 MiB from 2025 on), and a text in
# UTF-8 has at most three times the bytes of its page.
MAX_BLOCK_BYTES = 16 << 20
MAX_LENGTH_DIGITS = 18

VERSION = b"WARC/"
SEPARATOR = b"\r\n\r\n"  # between a block and the next record
TOO_FAR = -1  # the next header is more than MAX_BLOCK_BYTES away
# A version line and the start of a named field; a page that quotes "WARC/1.0" has no field there.
# The version need not start a line, since the record before it may be cut anywhere.
HEADER = re.compile(rb"(WARC/[0-9.]{1,8}[ \t]{0,8}\r?\n(?i:WARC-|Content-)[A-Za-z-]{1,40}:)")
# The line that ends a record for cc_net, whatever follows it (docs/rules/web.md 2.2, fact 4).
VERSION_LINE = re.compile(rb"(?m:^)[ \t\r]{0,80}(WARC/1\.0[ \t\r]{0,80}\n)")
FIRST_LINE = re.compile(rb"WARC/[0-9.]{1,8}[ \t]{0,8}\r?\n")
TYPE = re.compile(rb"(?i)\nWARC-Type:")
LONGEST_HEADER_MATCH = 256  # bytes that either expression matches, at most
LINE_ENDS = re.compile(rb"[\r\n]*")


@dataclass(slots=True)
class Record:
    """A record, unchanged from the file."""

    headers: dict[bytes, bytes]  # by lower-case name; the first one if a name is repeated
    block: bytes
    content_length: int  # bytes by the header; the bytes of the block if the header has none
    # The block extends to the next header, and includes the line ends before it.
    runs_on: bool = False
    row: int = 0  # place among the documents of its file, from 0; the framing sets it

    def header(self, name: bytes) -> str:
        """Return a header unchanged, or "" if there is none."""
        return self.headers.get(name, b"").decode(errors="replace")

    @property
    def url(self) -> str:
        """Return WARC-Target-URI up to the first space; some crawlers put it in brackets."""
        url = (self.header(b"warc-target-uri").split() or [""])[0]
        return url[1:-1] if url.startswith("<") and url.endswith(">") else url

    @property
    def kind(self) -> str:
        """Return WARC-Type, such as "conversion"."""
        return self.header(b"warc-type").lower()


@dataclass(slots=True)
class BadRecord:
    """A damaged record, or bytes that are not a record.

    Reasons: ``truncated_file``, ``damaged_gzip``, ``garbage`` (bytes that belong to no record),
    ``bad_header``, ``too_large``.
    """

    reason: str
    detail: str


def read_records(
    stream: BinaryIO, name: str, *, by_length: bool = True
) -> Iterator[Record | BadRecord]:
    """Read a file of records, gzipped or not, from the current position of its stream.

    Args:
        stream: the file; it need not be seekable.
        name: name of the file, for messages.
        by_length: trust a Content-Length that fits; otherwise records end at the next line that
            is "WARC/1.0", even inside a page.

    Raises:
        UnreadableFile: there is no record in the file at all.
    """
    return _Parser(stream, name, by_length=by_length).records()


class _Parser:
    """A parser that cuts records from a buffer, which begins with the first unread byte."""

    def __init__(self, stream: BinaryIO, name: str, *, by_length: bool) -> None:
        head = read_head(stream)
        self._name = name
        self._starts = head[:4]
        self._gzipped = holds_members(head)
        self._pieces = (read_members if self._gzipped else read_plain)(head, stream)
        self._by_length = by_length
        self._boundary = HEADER if by_length else VERSION_LINE
        self._data = bytearray()
        self._member_end = -1  # place in _data of the last end of a gzip member
        self._damage: Damage | None = None  # comes after _data
        self._ended = False

    def records(self) -> Iterator[Record | BadRecord]:
        """Yield the records, and a bad record for the bytes that are none."""
        held: list[BadRecord] | None = []  # None once there is a record
        for item in self._items():
            if held is None:
                yield item
            elif isinstance(item, Record):
                yield from held
                yield item
                held = None
            else:
                held.append(item)
        if held is not None:
            if not any(bad.reason == "truncated_file" for bad in held):
                self._raise_unreadable()
            yield from held

    def _raise_unreadable(self) -> NoReturn:
        found = (
            f"a gzip file without a WARC record that can be read (starts {self._starts!r})"
            if self._gzipped
            else f"neither gzip nor WARC (starts {self._starts!r})"
            if self._starts
            else "empty"
        )
        raise UnreadableFile(f"{self._name}: is {found}: fetch the file again")

    def _items(self) -> Iterator[Record | BadRecord]:
        lost = False  # after damage, until the next header
        while True:
            self._skip_line_ends()
            if self._data:
                if self._at_header():
                    item = self._read_record()
                    lost = lost and item is None
                else:
                    item = self._skip_to_header(0, "garbage")
                if item is not None and not lost:
                    yield item
            elif self._damage is not None:
                if not lost:
                    yield BadRecord(self._damage.reason, self._damage.detail)
                lost = True
                self._damage = None
            else:
                return

    def _read_record(self) -> Record | BadRecord | None:
        """Read the record that starts here; return None if the damage ahead cuts it."""
        start = self._find_header_end()
        if start is None:
            if self._ended and not self._gzipped:
                return self._cut_off()
            return self._skip_to_header(1, "bad_header")
        header = bytes(self._data[:start])
        if not FIRST_LINE.match(header):
            return self._skip_to_header(1, "bad_header")
        another = header.find(b"\n" + VERSION) + 1 or _second_header(header)
        if another:
            self._drop(another)
            return BadRecord("bad_header", clip(repr(header[:another])))
        return self._read_block(_parse(header), start)

    def _read_block(self, headers: dict[bytes, bytes], start: int) -> Record | BadRecord | None:
        length = _length(headers.get(b"content-length", b""))
        stop = start + (length or 0)
        believable = self._by_length and length is not None and length <= MAX_BLOCK_BYTES
        if believable and self._fill_to(stop) and self._ends_at(start, stop):
            return self._take(headers, length, start, stop)
        place = self._find_boundary(start)
        if place == TOO_FAR:
            return self._skip_to_header(start, "too_large")
        if place is None:
            if self._damage is not None:
                self._drop(len(self._data))
                return None
            place = len(self._data)
            if self._by_length and not self._gzipped and stop > place:
                return self._cut_off()
        return self._take(headers, length, start, place, runs_on=True)

    def _take(
        self,
        headers: dict[bytes, bytes],
        length: int | None,
        start: int,
        stop: int,
        *,
        runs_on: bool = False,
    ) -> Record:
        block = bytes(memoryview(self._data)[start:stop])
        self._drop(stop)
        return Record(headers, block, len(block) if length is None else length, runs_on)

    def _cut_off(self) -> BadRecord:
        shown = clip(repr(bytes(self._data[:DETAIL_CHARS])))
        self._drop(len(self._data))
        return BadRecord("truncated_file", f"the file ends inside a record: {shown}")

    def _find_header_end(self) -> int | None:
        """Return the place after the empty line that ends a header."""
        searched = 0
        while True:
            blank = self._data.find(b"\n\r\n", searched)
            bare = self._data.find(b"\n\n", searched, blank if blank >= 0 else len(self._data))
            if bare >= 0:
                return bare + 2 if bare < MAX_HEADER_BYTES else None
            if blank >= 0:
                return blank + 3 if blank < MAX_HEADER_BYTES else None
            searched = max(len(self._data) - 2, 0)
            if searched > MAX_HEADER_BYTES or not self._fill():
                return None

    def _ends_at(self, start: int, stop: int) -> bool:
        """Tell by the bytes after ``stop`` whether a block from ``start`` may end there."""
        while True:
            ends = LINE_ENDS.match(self._data, stop)
            after = ends.end() if ends else stop
            if self._data.startswith(VERSION, after):
                return True
            if after == len(self._data) == self._member_end:
                return True
            if len(self._data) - after >= len(VERSION):
                break
            if not self._fill():
                if after == len(self._data):
                    return self._damage is None
                break
        # Garbage follows. The block may end here if the separator, which is rare within a page,
        # comes first, and if the block contains no header.
        separated = self._data.startswith(SEPARATOR, stop)
        return separated and not HEADER.search(self._data, start, stop)

    def _find_boundary(self, start: int) -> int | None:
        """Return the place of the next header, None if there is none, or ``TOO_FAR``."""
        place = start
        while True:
            match = self._boundary.search(self._data, place)
            found = match.start(1) if match else len(self._data) - LONGEST_HEADER_MATCH
            if found - start > MAX_BLOCK_BYTES:
                return TOO_FAR
            if match:
                return found
            place = max(place, len(self._data) - LONGEST_HEADER_MATCH)
            if not self._fill():
                return None

    def _skip_to_header(self, place: int, reason: str) -> BadRecord | None:
        """Drop the bytes before the next header after ``place``, and report them.

        Returns:
            None if the damage that follows these bytes will be reported instead.
        """
        self._fill_to(DETAIL_CHARS)
        shown = clip(repr(bytes(self._data[:DETAIL_CHARS])))
        while True:
            match = self._boundary.search(self._data, place)
            if match:
                self._drop(match.start(1))
                return BadRecord(reason, shown)
            # Keep the bytes that may be the start of a header, at the start of a line or not.
            surplus = max(len(self._data) - LONGEST_HEADER_MATCH, 0)
            self._drop(surplus)
            place = max(place - surplus, 0)
            if not self._fill():
                self._drop(len(self._data))
                return None if self._damage is not None else BadRecord(reason, shown)

    def _at_header(self) -> bool:
        self._fill_to(len(VERSION))
        return self._data.startswith(VERSION)

    def _skip_line_ends(self) -> None:
        while True:
            ends = LINE_ENDS.match(self._data)
            self._drop(ends.end() if ends else 0)
            if self._data or not self._fill():
                return

    def _fill_to(self, size: int) -> bool:
        """Read until the buffer holds ``size`` bytes; return False if there are fewer."""
        while len(self._data) < size:
            if not self._fill():
                return False
        return True

    def _fill(self) -> bool:
        """Append the next piece; return False before damage and at the end."""
        if self._damage is not None or self._ended:
            return False
        piece = next(self._pieces, None)
        if piece is None:
            self._ended = True
            return False
        if isinstance(piece, Damage):
            self._damage = piece
            return False
        self._data += piece.data
        if piece.ends_member:
            self._member_end = len(self._data)
        return True

    def _drop(self, size: int) -> None:
        del self._data[:size]
        self._member_end -= size


def _parse(header: bytes) -> dict[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    for line in header.split(b"\n"):
        name, colon, value = line.partition(b":")
        if colon:
            headers.setdefault(name.strip().lower(), value.strip())
    return headers


def _second_header(header: bytes) -> int:
    """Return where the next record begins within a header whose end is damaged, or 0.

    The record begins in the middle of a line. A value that quotes "WARC/1.0" looks the same, but no
    second WARC-Type follows it.
    """
    if header.find(VERSION, 1) < 0:
        return 0
    match = HEADER.search(header, 1)
    start = match.start(1) if match else len(header)
    return start if TYPE.search(header, start) and TYPE.search(header, 0, start) else 0


def _length(value: bytes) -> int | None:
    return int(value) if value.isdigit() and len(value) <= MAX_LENGTH_DIGITS else None
