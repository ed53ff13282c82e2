"""Character references of HTML, decoded once."""

import html
import re
from html.entities import html5
from typing import Final

_REFERENCE: Final = re.compile(r"&(?:#[0-9]{1,8}|#[xX][0-9A-Fa-f]{1,7}|[A-Za-z][A-Za-z0-9]{1,31});")


def decode_entities(text: str) -> str:
    """Decode references that end in ";" and are known; a no-break space becomes a blank.

    >>> decode_entities("5&nbsp;&amp;lt; &Sigma; &unknown; AT&T;")
    '5 &lt; Σ &unknown; AT&T;'
    """
    return _REFERENCE.sub(_decode, text) if "&" in text else text


def _decode(match: re.Match[str]) -> str:
    reference = match[0]
    if reference[1] != "#":
        character = html5.get(reference[1:], reference)
        return " " if character == "\xa0" else character
    character = html.unescape(reference)
    return " " if character in {"\xa0", "\n", "\r", "\t"} else character
