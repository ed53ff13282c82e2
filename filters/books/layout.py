"""The lines of a book: one kind of line end, and paragraphs without hard line breaks on request."""

import re
from itertools import pairwise
from typing import Final

_LINE_ENDS: Final = re.compile("\r\n?|\u2028|\u2029|\x85")
# Form feeds between pages, and the end-of-file character of DOS.
_ASCII_CONTROLS: Final = bytes((*range(0x09), *range(0x0B, 0x20), 0x7F))
_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f\ufeff]")
_PARAGRAPHS: Final = re.compile(r"(\n[ \t]*\n\s*)")
MIN_WIDTH: Final = 40  # characters of a line in hard-wrapped prose; books wrap at 60 to 80
SLACK: Final = 10  # characters that a line of prose may be shorter than the width of its book
FULL_SHARE: Final = 0.8  # of the lines of a paragraph of prose, but the last
SMALL_SHARE: Final = 0.5  # of the lines of indented prose begin with a small letter, at least
UNWRAPPED_CHARS: Final = 120  # no line of a book with hard line breaks is as long, but in tables
UNWRAPPED_SHARE: Final = 0.05  # of the characters are in longer lines, at most


def unify_lines(text: str) -> str:
    r"""Give every line the end "\n", and remove control characters.

    >>> unify_lines("one\r\ntwo\rthree\x1a")
    'one\ntwo\nthree'
    """
    if "\r" in text or not text.isascii():
        text = _LINE_ENDS.sub("\n", text)
    if text.isascii():
        return text.encode("ascii").translate(None, _ASCII_CONTROLS).decode("ascii")
    return _CONTROLS.sub("", text)


def unwrap(text: str) -> str:
    r"""Join the lines of paragraphs of prose; verse, tables and headings stay as they are.

    A paragraph is prose if its lines but the last are as full as the width of the book allows: the
    first word of the next line would not have fitted. Verse breaks earlier, or begins its lines
    with capitals, or its indent changes. A book with many long lines has no hard line breaks.
    """
    parts = _PARAGRAPHS.split(text.strip("\n"))
    width = _width(parts[::2])
    for at in range(0, len(parts), 2):
        lines = parts[at].split("\n")
        if len(lines) > 1 and is_prose(lines, width):
            parts[at] = _joined(lines)
    return "".join(parts) + "\n" if parts != [""] else ""


def _width(paragraphs: list[str]) -> int:
    """Return the width at which most lines of a book break, 0 where they are not wrapped."""
    lines = [line for paragraph in paragraphs for line in paragraph.split("\n")]
    long = sum(len(line) for line in lines if len(line) > UNWRAPPED_CHARS)
    if long > UNWRAPPED_SHARE * sum(map(len, lines)):  # its prose has no hard line breaks
        return 0
    lengths = sorted(
        len(line) for paragraph in paragraphs for line in paragraph.split("\n")[:-1] if line
    )
    return lengths[int(len(lengths) * 0.9)] if lengths else 0


def is_prose(lines: list[str], width: int) -> bool:
    """Tell a paragraph of hard-wrapped prose from verse, tables and headings.

    Args:
        lines: of the paragraph, two at least.
        width: of the book's lines, in characters.
    """
    if width < MIN_WIDTH or _is_indented_verse(lines[1:]):
        return False
    if len(lines) > 2 and all(line.lstrip("\"'\u201c\u2018(_")[:1].isupper() for line in lines):
        return False
    full = sum(
        len(line.rstrip()) + 1 + len((following.split() or [""])[0]) > width - SLACK
        for line, following in pairwise(lines)
    )
    return full >= FULL_SHARE * (len(lines) - 1)


def _is_indented_verse(lines: list[str]) -> bool:
    """Tell indented lines from prose, of which quoted letters may be indented as a whole.

    Args:
        lines: of a paragraph but the first, whose indent is lost.
    """
    indents = {len(line) - len(line.lstrip()) for line in lines}
    if indents == {0}:
        return False
    small = sum(line.lstrip()[:1].islower() for line in lines)
    return len(indents) > 1 or small < SMALL_SHARE * len(lines)


def _joined(lines: list[str]) -> str:
    text = lines[0].rstrip()
    for line in map(str.strip, lines[1:]):
        # A dash, or a hyphen inside a word, at the end of a line has no space after it.
        text += line if text.endswith(("-", "\u2014")) and text[-2:-1] != " " else f" {line}"
    return text
