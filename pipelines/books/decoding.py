"""The text of a book from its bytes: the encoding is told by the content, damage is counted.

A byte order mark tells it; else bytes that are UTF-8 without a wrong one are UTF-8; else the
encoding that the header of an ebook states, if the bytes bear it out; else UTF-8 with damage, if
more of its longer characters are whole than are not; else a code page of DOS, if letters of it
stand inside words; else Windows-1252, which holds ISO-8859-1 (docs/rules/sources.md 0.2, rule 6).
"""

import re
from typing import Final, NamedTuple

from pipelines.readers.charsets import MARKS, UTF16, codec_of
from pipelines.readers.rows import REPLACEMENT, REPLACEMENT_UTF8

HEADER_BYTES: Final = 1 << 13  # of an ebook, where it may state its encoding
_STATED: Final = re.compile(
    rb"(?i)cha(?:ra|ta)cter set encoding:[ \t]*(?:ISO[ \t-]*Latin-1|([A-Za-z0-9_.:-]{1,40}))"
)
# Letters of code page 850 that are signs or nothing in Windows-1252, between two letters.
_DOS: Final = re.compile(rb"(?<=[A-Za-z])[\x81-\x85\x87-\x8d\x8f\x90\x93-\x9a](?=[a-z])")
_LATIN: Final = re.compile(rb"[\xc0-\xff]")
_VALID_SHARE: Final = 1.0


class Decoded(NamedTuple):
    """A text, its encoding, and how many U+FFFD were put where bytes were not text."""

    text: str
    encoding: str
    replaced: int


def decode_book(data: bytes) -> Decoded:
    r"""Decode a book; a wrong byte becomes U+FFFD and costs no more.

    >>> decode_book(b"caf\xe9"), decode_book(b"caf\xc3\xa9")[1]
    (Decoded(text='café', encoding='cp1252', replaced=0), 'utf-8')
    """
    for mark, codec in MARKS.items():
        if data.startswith(mark):
            return _decoded(data[len(mark) :], codec)
    try:
        return Decoded(data.decode(), "utf-8", 0)
    except UnicodeDecodeError:
        pass
    stated = _STATED.search(data[:HEADER_BYTES])
    codec = codec_of(stated[1].decode()) if stated and stated[1] else ""
    if codec and codec != "utf-8" and codec not in UTF16:
        decoded = _decoded(data, codec)
        if not decoded.replaced and not (codec == "cp1252" and _is_dos(data)):
            return decoded
    decoded = _decoded(data, "utf-8")
    longer = sum(1 for character in decoded.text if character > "\x7f") - decoded.replaced
    if longer > decoded.replaced * _VALID_SHARE:
        return decoded
    return _decoded(data, "cp850" if _is_dos(data) else "cp1252")


def _is_dos(data: bytes) -> bool:
    return len(_DOS.findall(data)) > len(_LATIN.findall(data))


def _decoded(data: bytes, codec: str) -> Decoded:
    text = data.decode(codec, "replace")
    had = data.count(REPLACEMENT_UTF8) if codec == "utf-8" else 0
    return Decoded(text, codec, text.count(REPLACEMENT) - had)
