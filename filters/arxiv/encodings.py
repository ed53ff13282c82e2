r"""The text of a file of a paper: its encoding, its line ends (docs/rules/sources.md 4.8)."""

import re
from typing import NamedTuple

_DECLARED = re.compile(
    rb"\\(?:usepackage[ \t]*\[([A-Za-z0-9, -]+)\][ \t]*\{inputenc\}"
    rb"|inputencoding[ \t]*\{([A-Za-z0-9-]+)\})"
)
_CODECS = {
    "latin1": "latin-1",
    "latin2": "iso8859-2",
    "latin3": "iso8859-3",
    "latin4": "iso8859-4",
    "latin5": "iso8859-9",
    "latin9": "iso8859-15",
    "latin10": "iso8859-16",
    "cp1250": "cp1250",
    "cp1251": "cp1251",
    "cp1252": "cp1252",
    "ansinew": "cp1252",
    "cp437": "cp437",
    "cp850": "cp850",
    "cp852": "cp852",
    "cp866": "cp866",
    "koi8-r": "koi8-r",
    "koi8-u": "koi8-u",
    "koi8-ru": "koi8-u",
    "applemac": "mac-roman",
    "macce": "mac-latin2",
}
# All but tab and line feed, which are text; a delete character as well (4.8).
_CONTROLS = dict.fromkeys([*(c for c in range(32) if c not in {9, 10}), 0x7F])
_HAS_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class Decoded(NamedTuple):
    """A text, and the encoding that it was in."""

    text: str
    encoding: str


def declared_encoding(data: bytes) -> str:
    """Return the codec that a file declares for its paper, "" where it declares none we know."""
    found = ""
    for match in _DECLARED.finditer(data):
        for option in (match[1] or match[2]).decode("ascii").split(","):
            found = _CODECS.get(option.strip().lower(), found)
    return found


def decode(data: bytes, declared: str = "") -> Decoded:
    """Decode a file: UTF-8, else what the paper declares, else Latin-1.

    Args:
        data: the bytes of the file.
        declared: a codec that another file of the paper declares.
    """
    try:
        text, encoding = data.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        encoding = declared_encoding(data) or declared or "latin-1"
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:  # a byte that the code page leaves open
            encoding = "latin-1"
            text = data.decode(encoding)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if _HAS_CONTROLS.search(text):
        text = text.translate(_CONTROLS)
    return Decoded(text, encoding)
