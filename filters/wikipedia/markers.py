"""Characters that mark constructs of wikitext while it is turned into text.

They are Unicode noncharacters: no valid text holds them, so they cannot be mistaken for content.
`clean_input` removes them from the wikitext, and the finished text contains none of them.
"""

import re
from typing import Final

REMOVED: Final = "\ufdd0"  # something was removed here
VERBATIM: Final = "\ufdd1"  # a piece of text that is not parsed; its number follows
BREAK: Final = "\ufdd2"  # <br>
BLOCK: Final = "\ufdd3"  # where a block element starts or ends
EMPTY: Final = "\ufdd4"  # shows nothing, but separates the text around it (`<nowiki/>`)
EQUALS: Final = "\ufdd5"  # an equals sign in a value: it does not name an argument
LESS: Final = "\ufdd6"  # a "<" that starts no tag; used while mwparserfromhell parses
STRAY_LINK: Final = "\ufdd7"  # a `[[` that is never closed
STRAY_TEMPLATE: Final = "\ufdd8"
STRAY_TABLE: Final = "\ufdd9"
FRESH_LINE: Final = "\ufdda"  # a line break, unless one is there already
IN_ITEM: Final = "\ufddb"  # around a text that shows only in an item of a list
GLUE: Final = "\ufddc"  # no blank may stand here after a digit
LOST: Final = "\ufded"  # a template was dropped here that may have been part of a sentence
SUPERSCRIPT: Final = "\ufdee"  # `<sup>`; `SCRIPT_END` follows
SUBSCRIPT: Final = "\ufddd"
SCRIPT_END: Final = "\ufdde"
JOINT: Final = "\ufddf"  # a tag, link or template starts or ends here, beside an apostrophe
APOSTROPHE: Final = "\ufde8"  # an apostrophe that is text, not part of a mark of emphasis
COLON: Final = "\ufde9"  # a colon in a link, which does not end a term of a list
CITED: Final = "\ufdeb"  # the title of a work that a template cites; `CITED_END` follows
CITED_END: Final = "\ufdec"
FIGURE: Final = "\ufdea"  # a value starts or ends here with a digit or a sign
_DIGITS: Final = "".join(map(chr, range(0xFDE0, 0xFDE8)))  # write a piece's number

try:
    from filters.wikipedia import _marks
except ImportError:  # installed without a compiler
    AVAILABLE = False
else:
    AVAILABLE = True

_NONCHARACTERS: Final = re.compile("[\x00\ufdd0-\ufdef]++")
# The first two bytes of U+FDC0 to U+FDFF. Hardly a page has them, and a search for them in UTF-8
# takes a quarter of the time of the pattern.
_LEAD_OF_NONCHARACTERS: Final = "\ufdd0".encode()[:2]
_VERBATIM_PIECE: Final = re.compile(f"{VERBATIM}([{_DIGITS}]++)")
_TO_DIGITS: Final = str.maketrans("01234567", _DIGITS)
_FROM_DIGITS: Final = str.maketrans(_DIGITS, "01234567")


def clean_input(text: str) -> str:
    """Return the text with line feeds as line ends, without NUL and the markers above."""
    if AVAILABLE and _marks.is_clean(text):
        return text
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text or (
        not text.isascii() and _LEAD_OF_NONCHARACTERS in text.encode("utf-8", "surrogatepass")
    ):
        return _NONCHARACTERS.sub("", text)
    return text


def keep_verbatim(piece: str, pieces: list[str]) -> str:
    """Add a piece to those put aside and return the marker that represents it."""
    pieces.append(piece)
    return VERBATIM + f"{len(pieces) - 1:o}".translate(_TO_DIGITS)


def restore_verbatim(text: str, pieces: list[str]) -> str:
    """Replace the markers by the pieces that they represent."""

    def piece(match: re.Match[str]) -> str:
        number = int(match[1].translate(_FROM_DIGITS), 8)
        return pieces[number] if number < len(pieces) else ""

    return _VERBATIM_PIECE.sub(piece, text) if VERBATIM in text else text
