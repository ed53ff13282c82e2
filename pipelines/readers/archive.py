"""Records of a WARC, WAT or WET file, by length and header name, past whatever is damaged.

A record ends where its Content-Length says, if that is so: line ends and a further record, the end
of a gzip member or of the file must follow. Where they do not, the length is wrong, and the record
goes on to the next header (docs/rules/web.md 2.5). What is no record is a ``BadRecord``; nothing
is passed over in silence.

Why not a library's iterator: fastwarc 2.0.1 ends without a word at an empty gzip member, at a
header with LF line ends and after a length beyond the file, hands out a record that is cut off as
if it were whole, and cannot go on after a damaged gzip member.
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
# Longer blocks are read past: Common Crawl cuts a page at 1 MiB (5 MiB from 2025 on), and a text
# takes at most three times the bytes that its page has, in UTF-8.
MAX_BLOCK_BYTES = 16 << 20
MAX_LENGTH_DIGITS = 18

VERSION = b"WARC/"
SEPARATOR = b"\r\n\r\n"  # between a block and the next record
TOO_FAR = -1  # the next header is more than MAX_BLOCK_BYTES away
# A version line and the start of a named field; a page that quotes "WARC/1.0" has no field there.
# It need not start a line: the record before it may be cut anywhere.
HEADER = re.compile(rb"(WARC/[0-9.]{1,8}[ \t]{0,8}\r?\n(?i:WARC-|Content-)[A-Za-z-]{1,40}:)")
# The line that ends a record for cc_net, whatever follows it (docs/rules/web.md 2.2, fact 4).
VERSION_LINE = re.compile(rb"(?m:^)[ \t\r]{0,80}(WARC/1\.0[ \t\r]{0,80}\n)")
FIRST_LINE = re.compile(rb"WARC/[0-9.]{1,8}[ \t]{0,8}\r?\n")
TYPE = re.compile(rb"(?i)\nWARC-Type:")
LONGEST_HEADER_MATCH = 256  # bytes that either expression looks at, at most
LINE_ENDS = re.compile(rb"[\r\n]*")


@dataclass(slots=True)
class Record:
    """A record as it stands in the file."""

    headers: dict[bytes, bytes]  # by lower-case name; of a repeated one, the first
    block: bytes
    content_length: int  # bytes, as the header says; those of the block where it says none
    # The block goes on to the next header, the line ends before it included.
    runs_on: bool = False
    row: int = 0  # place among the documents of its file, from 0; set by who frames them

    def header(self, name: bytes) -> str:
        """Return a header as it stands, "" where there is none."""
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
    """What is no record, or a record that is damaged.

    Reasons: ``truncated_file``, ``damaged_gzip``, ``garbage`` (bytes that belong to no record),
    ``bad_header``, ``too_large``.
    """

    reason: str
    detail: str


def read_records(
    stream: BinaryIO, name: str, *, by_length: bool = True
) -> Iterator[Record | BadRecord]:
    """Read a file of records, gzipped or not, from where its stream stands; it need not seek.

    Args:
        stream: of the file.
        name: of the file, for messages.
        by_length: believe Content-Length where it fits; else records end at the next line that
            is "WARC/1.0", even inside a page.

    Raises:
        UnreadableFile: there is no record in it at all.
    """
    return _Parser(stream, name, by_length=by_length).records()


class _Parser:
    """A buffer that begins with what is not read yet, and the records cut from it."""

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
        """Yield the records, and what is none."""
        held: list[BadRecord] | None = []  # until there is a record
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
        """Read the record that starts here; None where the damage that comes cuts it."""
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
        """Tell whether a block from ``start`` may end at ``stop``, by what comes after it."""
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
        # Garbage comes after it, if lines of a page do not end so, and no record is in it.
        separated = self._data.startswith(SEPARATOR, stop)
        return separated and not HEADER.search(self._data, start, stop)

    def _find_boundary(self, start: int) -> int | None:
        """Return the place of the next header, None where there is none, or ``TOO_FAR``."""
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
        """Drop what comes before the next header after ``place``, and name it.

        Returns:
            None where the damage that comes after it will be named instead.
        """
        self._fill_to(DETAIL_CHARS)
        shown = clip(repr(bytes(self._data[:DETAIL_CHARS])))
        while True:
            match = self._boundary.search(self._data, place)
            if match:
                self._drop(match.start(1))
                return BadRecord(reason, shown)
            # Keep what may be the start of a header, from a line's start or not.
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
        """Read on until the buffer holds ``size`` bytes; False where it cannot."""
        while len(self._data) < size:
            if not self._fill():
                return False
        return True

    def _fill(self) -> bool:
        """Append the next piece; False before damage and at the end."""
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
    """Return where the next record begins in a header whose end is damaged, 0 if none does.

    It begins in the middle of a line there; a value that quotes "WARC/1.0" looks the same, but no
    second WARC-Type follows it.
    """
    if header.find(VERSION, 1) < 0:
        return 0
    match = HEADER.search(header, 1)
    start = match.start(1) if match else len(header)
    return start if TYPE.search(header, start) and TYPE.search(header, 0, start) else 0


def _length(value: bytes) -> int | None:
    return int(value) if value.isdigit() and len(value) <= MAX_LENGTH_DIGITS else None
