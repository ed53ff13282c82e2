"""Decode HTML's character references once."""

import html
import re
from html.entities import html5
from typing import Final

_REFERENCE: Final = re.compile(r"&(?:#[0-9]++|#[xX][0-9A-Fa-f]++|[A-Za-z][A-Za-z0-9]{1,31});")
_MAX_DIGITS: Final = 8  # after leading zeros; no character has more
_BLANKS: Final = frozenset({0x9, 0xA, 0xD, 0xA0})
_LAST: Final = 0x10FFFF


def decode_entities(text: str) -> str:
    """Decode references that end in ";" and are known; a no-break space becomes a blank.

    A number is decoded if MediaWiki shows it as a character; 128 to 159 are code points of
    windows-1252, as in browsers. 0, other control characters, surrogates, 65534, 65535 and numbers
    above Unicode's range stay as they are written. So do the noncharacters from U+FDD0 on, which
    are our own markers.

    >>> decode_entities("5&nbsp;&amp;lt; &Sigma; &unknown; AT&T; &#0107; &#0; &#128;")
    '5 &lt; Σ &unknown; AT&T; k &#0; €'
    """
    return _REFERENCE.sub(_decode, text) if "&" in text else text


def _decode(match: re.Match[str]) -> str:
    reference = match[0]
    if reference[1] != "#":
        character = html5.get(reference[1:], reference)
        return " " if character == "\xa0" else character
    hexadecimal = reference[2] in "xX"
    digits = reference[3 if hexadecimal else 2 : -1].lstrip("0")
    if not digits or len(digits) > _MAX_DIGITS:
        return reference
    code = int(digits, 16 if hexadecimal else 10)
    if code in _BLANKS:
        return " "
    if 0x80 <= code < 0xA0:
        return html.unescape(f"&#{code};")
    return chr(code) if _is_character(code) else reference


def _is_character(code: int) -> bool:
    """Tell whether MediaWiki shows the character (``Sanitizer::validateCodepoint``)."""
    if code < 0x20 or code > _LAST:
        return False
    return not (0xD800 <= code < 0xE000 or 0xFDD0 <= code < 0xFDF0 or code in {0xFFFE, 0xFFFF})
