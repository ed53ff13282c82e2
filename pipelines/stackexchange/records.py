"""Rows of ``Posts.xml``: bytes to posts (docs/rules/sources.md 5.1).

The file has one ``<row ... />`` per line, with all data in attributes, so it is read by line and
splits anywhere. No XML parser is needed, and none would do: rows hold references to characters that
XML forbids (``&#x1F;``), over which parsers stop; here the reference goes and the row stays.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from pipelines.readers.compressed import Damage
from pipelines.readers.rows import MAX_ROW_BYTES, BadRow, clip, decode

_BOM = b"\xef\xbb\xbf"
_ROW = re.compile(r'\s*+<row((?:\s++[A-Za-z]++="[^"]*+")*+)\s*+/>\s*+')
_ATTRIBUTE = re.compile(r'([A-Za-z]+)="([^"]*)"')
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_REFERENCE = re.compile(r"&#(?:[xX]([0-9a-fA-F]{1,8})|([0-9]{1,10}));")
# Control characters and others that XML 1.0 has none of (2.2), where they stand as they are.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_NUMBERS = (
    *("Id", "PostTypeId", "ParentId", "AcceptedAnswerId"),
    *("Score", "ViewCount", "OwnerUserId"),
)
_TEXTS = ("CreationDate", "Body", "OwnerDisplayName", "Title", "Tags", "ContentLicense")
_LAST_LEGAL = 0x10FFFF
_END = b"</posts>"
_NO_ROWS = (b"<?xml", b"<posts", _END)


class RawRow(NamedTuple):
    """A line that holds a post."""

    row: int  # number of the record in its unit, from 0
    line: bytes


class Post(NamedTuple):
    """A row of ``Posts.xml``; None where an attribute is absent."""

    row: int
    id: int
    post_type: int
    parent: int | None
    accepted: int | None
    created: str | None
    score: int | None
    views: int | None
    body: str
    owner: int | str | None  # id, or the name of one whose account is gone
    title: str | None
    tags: str | None
    license: str | None


@dataclass
class _Lines:
    """Cuts pieces of a file into lines; one that is beyond all bounds is a bad row."""

    pieces: Iterable[bytes | Damage]
    damage: Damage | None = None
    complete: bool = True  # the last line ended in a line feed, or was empty

    def __iter__(self) -> Iterator[bytes | None]:
        """Yield lines without their line feeds; None for one that is too long."""
        held: list[bytes] = []
        size = 0
        skipping = False
        for piece in self.pieces:
            if isinstance(piece, Damage):
                self.damage = piece
                held, size, skipping = [], 0, True  # go on behind the next line feed
                continue
            *lines, rest = piece.split(b"\n")
            for number, line in enumerate(lines):
                if number or not (held or skipping):
                    yield line
                elif not skipping:
                    yield b"".join([*held, line])
                held, size, skipping = [], 0, False
            if rest and not skipping:
                held.append(rest)
                size += len(rest)
                if size > MAX_ROW_BYTES:
                    yield None
                    held, size, skipping = [], 0, True
        if held:
            self.complete = False
            yield b"".join(held)


def frame_rows(
    pieces: Iterable[bytes | Damage], *, whole: bool, limit: int | None = None
) -> Iterator[RawRow | BadRow]:
    """Yield the rows of a file, or of a piece of one.

    Args:
        pieces: the bytes of the file, or from the start of a line in it.
        whole: they should reach to the end of the file, which ``</posts>`` marks.
        limit: bytes after which no further row begins; by default all are taken.
    """
    lines = _Lines(pieces)
    row = -1
    at = 0
    ended = empty = True
    for line in lines:
        if limit is not None and at >= limit:
            return
        at += (MAX_ROW_BYTES if line is None else len(line)) + 1
        if line is None:
            row += 1
            yield BadRow(row, "too_large", f"a line of more than {MAX_ROW_BYTES} bytes")
            continue
        stripped = line.removeprefix(_BOM).strip()
        if not stripped:
            continue
        empty = False
        ended = stripped.startswith(_END)
        if stripped.startswith(b"<row"):
            row += 1
            if not lines.complete and not stripped.endswith(b"/>"):
                yield BadRow(row, "truncated_file", f"ends in a row: {_start_of(stripped)}")
                return
            yield RawRow(row, stripped)
        elif not stripped.startswith(_NO_ROWS):
            row += 1
            yield BadRow(row, "bad_xml", f"no row: {_start_of(stripped)}")
    if lines.damage:
        yield BadRow(row + 1, "truncated_file", lines.damage.detail)
    elif whole and not ended and not empty:
        yield BadRow(row + 1, "truncated_file", "the file does not end in </posts>")


def _start_of(line: bytes) -> str:
    return clip(line[:200].decode(errors="replace"))


def post_of(record: RawRow) -> Post | BadRow:
    """Return the post of a row; a bad row where it is no row, or its numbers are none."""
    line, _ = decode(record.line)
    found = _ROW.fullmatch(line)
    if found is None:
        return BadRow(record.row, "bad_xml", clip(line))
    values = dict(_ATTRIBUTE.findall(found[1]))
    numbers: dict[str, int | None] = {}
    for name in _NUMBERS:
        value = values.get(name)
        if value is not None and not _INTEGER.fullmatch(value):
            return BadRow(record.row, "wrong_type", f"{name}={clip(value)}")
        numbers[name] = None if value is None else int(value)
    post_id, post_type = numbers["Id"], numbers["PostTypeId"]
    if post_id is None or post_type is None:
        name = "Id" if post_id is None else "PostTypeId"
        return BadRow(record.row, "missing_field", f"{name}: {clip(line)}")
    texts = {name: _text(values.get(name)) for name in _TEXTS}
    owner = numbers["OwnerUserId"]
    return Post(
        record.row,
        post_id,
        post_type,
        numbers["ParentId"],
        numbers["AcceptedAnswerId"],
        texts["CreationDate"],
        numbers["Score"],
        numbers["ViewCount"],
        texts["Body"] or "",
        texts["OwnerDisplayName"] if owner is None else owner,
        texts["Title"],
        texts["Tags"],
        texts["ContentLicense"],
    )


def _text(value: str | None) -> str | None:
    """Return the value of an attribute; None if it is not there."""
    return value if value is None else attribute_text(value)


def attribute_text(value: str) -> str:
    r"""Return what an attribute means: its references resolved once, what XML forbids left out.

    >>> attribute_text("a&#xA;b &amp;lt; &#x1F;&#0;c")
    'a\nb &lt; c'
    """
    if "\t" in value:
        value = value.replace("\t", " ")
    if not value.isascii() or not value.isprintable():
        value = _ILLEGAL.sub("", value)
    if "&" not in value:
        return value
    value = value.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"')
    value = value.replace("&#xA;", "\n").replace("&#xD;", "\r").replace("&apos;", "'")
    if "&#" in value:
        value = _REFERENCE.sub(_character, value)
    return value.replace("&amp;", "&")


def _character(found: re.Match[str]) -> str:
    code = int(found[1], 16) if found[1] else int(found[2])
    if code > _LAST_LEGAL or 0xD800 <= code < 0xE000 or (code < 0x20 and code not in (9, 10, 13)):
        return ""
    character = chr(code)
    if character == "&":
        return "&amp;"  # resolved with the others
    return "" if character in "\ufffe\uffff" else character
