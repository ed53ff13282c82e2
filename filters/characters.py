"""Replacing characters of a whole page at once, for CCNet's two normalisations.

CCNet (`spec/web.md` 4.2, 4.3, 6.2) turns digits into zeros, deletes control characters, and deletes
or replaces 34 punctuation marks. One character at a time that is slow in Python; here a page costs
a few passes in C. The characters beyond ASCII that a page holds are looked up in a table, each of
the few that change is replaced in the page's UTF-8, and ASCII goes through `bytes.translate`.
"""

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
_UNICODE_END: Final = 0x110000
# With more characters to replace than this, one slow pass costs less than a fast pass for each.
_MAX_PASSES: Final = 32


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


class Replacements:
    """A table that is applied to whole pages: digits to "0", control characters to nothing.

    Args:
        others: what replaces a character beyond ASCII; digits and control characters win over it.
        keep_newline: whether U+000A stays, alone of the control characters.
    """

    def __init__(self, others: Mapping[str, str], *, keep_newline: bool) -> None:
        zeros = dict.fromkeys(characters_of("Nd"), "0")
        table = {**others, **zeros, **dict.fromkeys(_OTHER_CONTROLS, "")}
        self._by_code: dict[int, str] = {ord(old): new for old, new in table.items()}
        self._in_utf8 = {ord(old): (utf8(old), utf8(new)) for old, new in table.items()}
        self._changes: NDArray[np.bool_] = np.zeros(_UNICODE_END, np.bool_)
        self._changes[list(self._by_code)] = True
        self._deleted = _ASCII_CONTROLS.replace(b"\n", b"") if keep_newline else _ASCII_CONTROLS

    def apply(self, text: str) -> bytes:
        """Return the page with the table applied, as UTF-8."""
        page = utf8(text)
        if not text.isascii():
            found = self._find(page)
            if len(found) > _MAX_PASSES:
                page = utf8(text.translate(self._by_code))
            else:
                for code in found:
                    page = page.replace(*self._in_utf8[code])
        return page.translate(_DIGITS_TO_ZERO, self._deleted)

    def _find(self, page: bytes) -> set[int]:
        """Return the code points of a page that the table changes."""
        others = page.translate(None, _ASCII).decode("utf-8", "surrogatepass")
        codes = np.frombuffer(others.encode("utf-32-le", "surrogatepass"), np.dtype("<u4"))
        return set(codes[self._changes[codes]].tolist())
