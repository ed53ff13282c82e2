"""Replacing characters of a whole page at once, for CCNet's two normalisations.

CCNet (`spec/web.md` 4.2, 4.3, 6.2) turns digits into zeros, deletes control characters, and deletes
or replaces 34 punctuation marks. One character at a time that is slow in Python; here a page costs
a few passes in C. The characters beyond ASCII that a page holds are looked up in a table, each of
the few that change is replaced in the page's UTF-8, and ASCII goes through `bytes.translate`.
"""

import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

# The table of 4.3: what replaces a mark for the language model. The key of a line deletes them all.
PUNCTUATION: Final[Mapping[str, str]] = MappingProxyType(
    {
        "\uff0c": ",",  # fullwidth comma
        "\u3001": ",",  # ideographic comma
        "\u3002": ".",  # ideographic full stop
        "\u201e": '"',  # low double quotation mark
        "\u201d": '"',  # right double quotation mark
        "\u201c": '"',  # left double quotation mark
        "\u00ab": '"',  # left guillemet
        "\u00bb": '"',  # right guillemet
        "\uff11": '"',  # fullwidth digit one, in the reference's table: it is "0" by then
        "\u300d": '"',  # right corner bracket
        "\u300c": '"',  # left corner bracket
        "\u300a": '"',  # left double angle bracket
        "\u300b": '"',  # right double angle bracket
        "\u00b4": "'",  # acute accent
        "\u2019": "'",  # right single quotation mark
        "\u2236": ":",  # ratio
        "\uff1a": ":",  # fullwidth colon
        "\uff1f": "?",  # fullwidth question mark
        "\uff01": "!",  # fullwidth exclamation mark
        "\uff08": "(",  # fullwidth left parenthesis
        "\uff09": ")",  # fullwidth right parenthesis
        "\uff1b": ";",  # fullwidth semicolon
        "\u2013": "-",  # en dash
        "\u2014": " - ",  # em dash
        "\uff0e": ". ",  # fullwidth full stop
        "\uff5e": "~",  # fullwidth tilde
        "\u2026": "...",  # ellipsis
        "\u2501": "-",  # heavy horizontal line
        "\u25ba": "-",  # right-pointing pointer
        "\u3008": "<",  # left angle bracket
        "\u3009": ">",  # right angle bracket
        "\u3010": "[",  # left lenticular bracket
        "\u3011": "]",  # right lenticular bracket
        "\uff05": "%",  # fullwidth percent sign
    }
)

_ASCII: Final = bytes(range(128))
_DIGITS_TO_ZERO: Final = bytes.maketrans(b"123456789", b"000000000")
_ASCII_CONTROLS: Final = bytes([*range(0x20), 0x7F])
_OTHER_CONTROLS: Final = tuple(map(chr, range(0x80, 0xA0)))
_FIRST_LEAD_BYTE: Final = 0xC0  # in UTF-8, each character beyond ASCII has one such byte
_UNICODE_END: Final = 0x110000
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@cache
def characters_of(category: str) -> frozenset[str]:
    """Return the characters beyond ASCII of a Unicode category, such as "Nd".

    >>> "\u0663" in characters_of("Nd")
    True
    """
    others = map(chr, range(0x80, _UNICODE_END))
    return frozenset(c for c in others if unicodedata.category(c) == category)


def utf8(text: str) -> bytes:
    """Encode any string; a lone surrogate keeps its three bytes, since bad data never raises."""
    return text.encode("utf-8", "surrogatepass")


def without_surrogates(text: str) -> str:
    r"""Return a text that UTF-8 can hold: each lone surrogate becomes U+FFFD.

    >>> without_surrogates("a\ud800")
    'a\ufffd'
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text)
    return text


class Replacements:
    """A table that is applied to whole pages: digits to "0", control characters to nothing.

    Args:
        others: what replaces a character beyond ASCII; digits and control characters win over it.
        keep_newline: whether U+000A stays, alone of the control characters.

    Raises:
        ValueError: a replacement is longer than what it replaces, in UTF-8, or not plain ASCII.
    """

    def __init__(self, others: Mapping[str, str], *, keep_newline: bool) -> None:
        digits = dict.fromkeys(characters_of("Nd"), "0")
        table = {**others, **digits, **dict.fromkeys(_OTHER_CONTROLS, "")}
        # Row of a code point in the two arrays below; row 0 stands for what does not change.
        self._row: NDArray[np.uint16] = np.zeros(_UNICODE_END, np.uint16)
        self._size: NDArray[np.uint8] = np.zeros(len(table) + 1, np.uint8)  # bytes before
        self._bytes: NDArray[np.uint8] = np.zeros((4, len(table) + 1), np.uint8)  # bytes after
        for row, (old, new) in enumerate(table.items(), start=1):
            size = len(utf8(old))
            if len(new) > size or not (new.isprintable() and new.isascii()):
                raise ValueError(f"{new!r} cannot replace {old!r}: give at most {size} ASCII bytes")
            self._row[ord(old)] = row
            self._size[row] = size
            self._bytes[: len(new), row] = list(utf8(new))
        self._deleted = _ASCII_CONTROLS.replace(b"\n", b"") if keep_newline else _ASCII_CONTROLS

    def apply(self, text: str) -> bytes | bytearray:
        """Return the page with the table applied, as UTF-8."""
        page = utf8(text) if text.isascii() else self._overwrite(utf8(text))
        return page.translate(_DIGITS_TO_ZERO, self._deleted)

    def _overwrite(self, page: bytes) -> bytes | bytearray:
        """Overwrite the characters beyond ASCII that the table changes, where they stand.

        The bytes that a replacement does not need become NUL, a control character, which goes
        with the others afterwards.
        """
        others = page.translate(None, _ASCII).decode("utf-8", "surrogatepass")
        codes = np.frombuffer(others.encode("utf-32-le", "surrogatepass"), np.dtype("<u4"))
        rows = self._row[codes]
        changed = np.flatnonzero(rows)
        if not len(changed):
            return page
        buffer = bytearray(page)
        view = np.frombuffer(buffer, np.uint8)
        places = np.flatnonzero(view >= _FIRST_LEAD_BYTE)[changed]
        rows = rows[changed]
        view[places] = self._bytes[0][rows]
        view[places + 1] = self._bytes[1][rows]
        for byte in (2, 3):
            longer = np.flatnonzero(self._size[rows] > byte)
            if not len(longer):
                break
            places, rows = places[longer], rows[longer]
            view[places + byte] = self._bytes[byte][rows]
        return buffer
