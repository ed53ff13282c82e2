"""Rewrite the characters of a whole page at once, for CCNet's two normalisations.

CCNet (docs/rules/web.md 4.2, 4.3, 6.2) lower-cases, turns digits into zeros, deletes control
characters, and deletes or replaces 34 punctuation marks. For the language model, accents are
deleted too. Rewriting one character at a time is slow in Python. Here a page takes a few passes in
C: the characters beyond ASCII are looked up in a table and overwritten in the page's UTF-8, and
ASCII goes through `bytes.translate`.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

# The table of docs/rules/web.md 4.3: what replaces each mark for the language model. For the keys
# of lines, all marks are deleted.
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

_ASCII: Final = bytes(range(0x80))
_NOT_ASCII: Final = bytes(range(0x80, 0x100))
_FIRST_LEAD_BYTE: Final = 0xC0  # in UTF-8, each character beyond ASCII has one such byte
_UNICODE_END: Final = 0x110000
# Ranges with characters that may change. All others are unassigned, for private use, or ideographs,
# which have no case and no decomposition and are neither digits nor marks; but those for
# compatibility, at U+2F800, are decomposed.
_OTHERS: Final = (
    *range(0x80, 0x3400),
    *range(0x4DC0, 0x4E00),
    *range(0xA000, 0x20000),
    *range(0x2F800, 0x30000),
    *range(0xE0000, 0xE1000),
)
_SPACES_END: Final = 0x3001  # the last space of Unicode is U+3000
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
# The only character whose lower case depends on its neighbours.
_SIGMA: Final = "\u03a3"
# Rows for characters that do not change, and for those that need the whole page prepared.
_STAYS: Final = 0
_IRREGULAR: Final = 1


@cache
def characters_of(category: str) -> frozenset[str]:
    """Return the characters beyond ASCII of a Unicode category, such as "Nd".

    >>> "\u0663" in characters_of("Nd")
    True
    """
    return frozenset(c for c in map(chr, _OTHERS) if unicodedata.category(c) == category)


def utf8(text: str) -> bytes:
    """Encode any string; a lone surrogate becomes three bytes, since bad data never raises."""
    return text.encode("utf-8", "surrogatepass")


def without_surrogates(text: str) -> str:
    r"""Return a text that UTF-8 can represent: each lone surrogate becomes U+FFFD.

    >>> without_surrogates("a\ud800")
    'a\ufffd'
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text)
    return text


def lower_and_decompose(text: str) -> str:
    """Lower-case a page and put it into Unicode's form NFD.

    >>> len(lower_and_decompose("\u00c9"))
    2
    """
    return unicodedata.normalize("NFD", text.lower())


class Tables(NamedTuple):
    """What a `Rewriter` does, as tables for an extension module, which holds no Unicode itself."""

    rows: NDArray[np.uint16]  # for each code point: 0 if it stays, 1 if irregular, or its row
    after: bytes  # for each row four bytes of UTF-8: the replacement, and zeros
    ascii: bytes  # for each ASCII character what replaces it, or zero
    spaces: bytes  # for the first code points whether `str.strip` removes them


class Rewriter:
    """Rewrites pages: prepares them, then replaces characters by a table.

    Digits become "0" and control characters are deleted, whatever the table says.

    Args:
        prepare: is applied to a page first, such as `str.lower`. Its result for a character may
            depend on neighbours only for a capital sigma and for the order of combining marks.
        table: maps characters of the prepared page to their replacements.
        keep_newline: whether to keep U+000A, as the only control character.

    Raises:
        ValueError: a replacement needs more bytes of UTF-8 than what it replaces, or would itself
            be replaced.
    """

    def __init__(
        self, prepare: Callable[[str], str], table: Mapping[str, str], *, keep_newline: bool
    ) -> None:
        controls = {chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))}
        zeros = dict.fromkeys({*"0123456789", *characters_of("Nd")}, "0")
        gone = dict.fromkeys(controls - ({"\n"} if keep_newline else set()), "")
        table = {**table, **zeros, **gone}

        def rewritten(character: str) -> str:
            parts = prepare(character)
            if parts == character:
                return table.get(character, character)
            return "".join([table.get(part, part) for part in parts])

        for old, new in table.items():
            if len(utf8(new)) > len(utf8(old)) or "".join(map(rewritten, new)) != new:
                raise ValueError(f"{new!r} cannot replace {old!r}: it is longer, or would change")
        self._prepare = prepare
        self._row: NDArray[np.uint16] = np.full(_UNICODE_END, _STAYS, np.uint16)
        changes: list[tuple[bytes, bytes]] = [(b"", b""), (b"", b"")]  # the two rows of no change
        others = list(map(chr, _OTHERS))
        # All are prepared at once: a line end between two of them keeps each from its neighbours.
        for old, prepared in zip(others, prepare("\n".join(others)).split("\n"), strict=True):
            if prepared == old and old not in table and not unicodedata.combining(old):
                continue
            code, new = ord(old), rewritten(old)
            if old == _SIGMA or len(utf8(new)) > len(utf8(old)) or any(map(_stays_unordered, new)):
                self._row[code] = _IRREGULAR
            elif new != old:
                self._row[code] = len(changes)
                changes.append((utf8(old), utf8(new)))
        self._size: NDArray[np.uint8] = np.array([len(old) for old, _ in changes], np.uint8)
        after = b"".join([new.ljust(4, b"\0") for _, new in changes])
        self._bytes: NDArray[np.uint8] = np.frombuffer(after, np.uint8).reshape(-1, 4).T.copy()
        self._ascii = bytes(ord(rewritten(chr(code)) or "\0") for code in _ASCII) + _NOT_ASCII
        self._deleted = bytes(code for code in _ASCII if not rewritten(chr(code)))

    @cached_property
    def tables(self) -> Tables:
        """The tables that `rewrite` goes by, if no character of the page is irregular."""
        spaces = bytes(map(str.isspace, map(chr, range(_SPACES_END))))
        deleted = bytes.maketrans(self._deleted, bytes(len(self._deleted)))
        ascii_ = self._ascii[: len(_ASCII)].translate(deleted)
        return Tables(self._row, self._bytes.T.tobytes(), ascii_, spaces)

    def rewrite(self, text: str) -> bytes | bytearray:
        """Return the page, rewritten, as UTF-8."""
        page = utf8(text) if text.isascii() else self._overwrite(text)
        return page.translate(self._ascii, self._deleted)

    def _overwrite(self, text: str, *, prepared: bool = False) -> bytes | bytearray:
        """Overwrite the characters beyond ASCII that change, in place.

        Each is prepared by itself, unless the page has an irregular one. The bytes that a
        replacement does not need become NUL, and are deleted with the control characters.
        """
        page = utf8(text)
        others = page.translate(None, _ASCII).decode("utf-8", "surrogatepass")
        codes = np.frombuffer(others.encode("utf-32-le", "surrogatepass"), np.dtype("<u4"))
        rows = self._row[codes]
        changed = np.flatnonzero(rows)
        if not len(changed):
            return page
        rows = rows[changed]
        irregular = rows == _IRREGULAR
        if irregular.any():
            if not prepared:
                return self._overwrite(self._prepare(text), prepared=True)
            rows, changed = rows[~irregular], changed[~irregular]  # what is left of them, stays
        buffer = bytearray(page)
        view = np.frombuffer(buffer, np.uint8)
        places = np.flatnonzero(view >= _FIRST_LEAD_BYTE)[changed]
        view[places] = self._bytes[0][rows]
        view[places + 1] = self._bytes[1][rows]
        for byte in (2, 3):
            longer = np.flatnonzero(self._size[rows] > byte)
            if not len(longer):
                break
            places, rows = places[longer], rows[longer]
            view[places + byte] = self._bytes[byte][rows]
        return buffer


def _stays_unordered(character: str) -> bool:
    """Return whether decomposing a page may move a character that is not deleted as an accent."""
    return bool(unicodedata.combining(character)) and unicodedata.category(character) != "Mn"
