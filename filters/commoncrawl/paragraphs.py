"""CCNet's paragraphs: compute the keys of a page's lines, and remove repeated lines.

LLaMA (arXiv:2302.13971v1, section 2.1, "English CommonCrawl") takes the CCNet pipeline
(arXiv:1911.00359), which "deduplicates the data at the line level". The rules are those of CCNet's
code (docs/rules/web.md 4). A paragraph is a line. This module computes the keys of a page, and
removes lines once it has been decided elsewhere which keys of a scope are duplicates.

Each page is hashed twice, to claim its keys and to look them up. Where a C compiler was at hand
when Corpusmill was installed, the module `filters/commoncrawl/_paragraphs.c` does it in one pass
over the page. It goes by tables made here, and leaves pages to Python whose characters depend on
their neighbours.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from filters.characters import PUNCTUATION, Rewriter, characters_of, lower_and_decompose
from filters.verdict import KEEP, Verdict, drop

try:
    from filters.commoncrawl._paragraphs import line_keys
except ImportError:  # installed without a compiler
    AVAILABLE = False
else:
    AVAILABLE = True

# The first 8 of the 20 bytes of a SHA-1, as a little-endian integer (docs/rules/web.md 4.4).
_KEY_OF_DIGEST: Final = np.dtype(
    {"names": ["key"], "formats": ["<u8"], "offsets": [0], "itemsize": 20}
)


def check_length(text: str, *, min_characters: int = 300) -> Verdict:
    """Drop short pages, before any other step (docs/rules/web.md 2.3).

    >>> check_length("a" * 299).detail
    '299 characters'
    """
    if len(text) < min_characters:
        return drop("too_short", f"{len(text)} characters")
    return KEEP


def normalize(text: str, *, strip_accents: bool = False) -> str:
    r"""Return a page in the form whose lines CCNet hashes (docs/rules/web.md 4.2).

    Each line is stripped and lower-cased, its decimal digits of any script become "0", and the
    34 marks of the punctuation table and the control characters are deleted. ASCII punctuation,
    accents and inner spaces stay. The number of lines does not change.

    Args:
        text: a page, lines ending in "\n".
        strip_accents: decompose and delete combining marks, as the paper says and the code does
            not.

    >>> normalize("  Prix : \uff11\uff12 €, “Été” 2021… ")
    'prix : 00 €, été 0000'
    """
    return _normalized(text, strip_accents=strip_accents).decode("utf-8", "surrogatepass")


def paragraph_keys(text: str, *, strip_accents: bool = False) -> NDArray[np.uint64]:
    r"""Return the key of each line: 64 bits of its SHA-1 once normalised (docs/rules/web.md 4.4).

    The empty page has one line, which is empty.

    >>> paragraph_keys("Hello\n\u201chello\u201d").tolist()
    [11738849977924252842, 11738849977924252842]
    """
    if AVAILABLE:
        rewriter = _without_accents() if strip_accents else _with_accents()
        try:
            keys = line_keys(text, *rewriter.tables)
        except UnicodeEncodeError:  # a lone surrogate
            keys = None
        if keys is not None:
            return np.frombuffer(keys, "<u8").astype(np.uint64)
    return hashed_lines(text, strip_accents=strip_accents)


def hashed_lines(text: str, *, strip_accents: bool = False) -> NDArray[np.uint64]:
    """Return what `paragraph_keys` returns, without the extension module."""
    sha1 = hashlib.sha1  # usedforsecurity=False would cost a third of the time of this loop
    lines = _normalized(text, strip_accents=strip_accents).split(b"\n")
    digests = b"".join([sha1(line).digest() for line in lines])
    return np.frombuffer(digests, _KEY_OF_DIGEST)["key"].astype(np.uint64)


class Deduplicated(NamedTuple):
    """A page without its repeated lines, with the fields of CCNet (docs/rules/web.md 4.6)."""

    text: str  # the kept lines as they were, not normalised
    line_ids: list[int]  # which lines were kept, from 0
    nlines: int  # lines kept
    length: int  # characters kept
    original_nlines: int  # lines before
    original_length: int  # characters before


def remove_paragraphs(
    text: str,
    keys: NDArray[np.uint64],
    duplicated: NDArray[np.bool_],
    *,
    within_document: bool = True,
) -> Deduplicated | None:
    r"""Remove duplicate lines, and repeats inside the page (docs/rules/web.md 4.4 and 4.5).

    Args:
        text: the page that ``keys`` were computed from.
        keys: `paragraph_keys(text)`, one per line.
        duplicated: for each line whether it is removed; the caller decides whether the first copy
            in the scope is.
        within_document: whether to keep only the first of the remaining lines with equal keys.

    Returns:
        the page, or None if no line is left, or only an empty one.

    Raises:
        ValueError: ``keys`` or ``duplicated`` do not have one value per line.

    >>> page = "Menu\nOnce\nTwice\ntwice"
    >>> remove_paragraphs(page, paragraph_keys(page), np.array([True, False, False, False])).text
    'Once\nTwice'
    """
    lines = text.split("\n")
    if not len(lines) == len(keys) == len(duplicated):
        raise ValueError(
            f"{len(lines)} lines, {len(keys)} keys and {len(duplicated)} flags: "
            "pass paragraph_keys(text) of this very text, and a flag for each key"
        )
    kept = np.flatnonzero(~duplicated)
    if within_document:
        _, firsts = np.unique(keys[kept], return_index=True)
        kept = kept[np.sort(firsts)]
    line_ids: list[int] = kept.tolist()
    rest = "\n".join([lines[i] for i in line_ids])
    if not rest:
        return None
    return Deduplicated(rest, line_ids, len(line_ids), len(rest), len(lines), len(text))


def plain_controls(text: str) -> str:
    r"""Return a page as a document may have it: NUL and carriage return become spaces.

    They mean nothing in a page, and no document has them (docs/rules/sources.md 0.1). Models and
    hashes use the page as it was.

    >>> plain_controls("one\rtwo\nthree")
    'one two\nthree'
    """
    if "\0" in text or "\r" in text:
        return text.replace("\0", " ").replace("\r", " ")
    return text


def pack_line_ids(line_ids: Sequence[int]) -> str | None:
    """Return line numbers as base64 of little-endian 16-bit integers (docs/rules/web.md 4.7).

    Return None if a number needs more than 16 bits, since such a page has no packed form.

    >>> pack_line_ids([1, 2])
    'AQACAA=='
    """
    if any(not 0 <= number < 1 << 16 for number in line_ids):
        return None
    return base64.b64encode(np.array(line_ids, "<u2").tobytes()).decode("ascii")


def unpack_line_ids(packed: str) -> list[int] | None:
    """Read what `pack_line_ids` writes; return None for anything else.

    >>> unpack_line_ids("AQACAA==")
    [1, 2]
    """
    try:
        data = base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(data) % 2:
        return None
    line_ids: list[int] = np.frombuffer(data, "<u2").tolist()
    return line_ids


def _normalized(text: str, *, strip_accents: bool) -> bytes | bytearray:
    """Return the normalised page as UTF-8.

    Lower-casing the page gives the same as lower-casing each line. The only rule that depends on
    neighbours, for the capital sigma, stops at line ends.
    """
    page = "\n".join([line.strip() for line in text.split("\n")])
    return (_without_accents() if strip_accents else _with_accents()).rewrite(page)


@cache
def _with_accents() -> Rewriter:
    return Rewriter(str.lower, dict.fromkeys(PUNCTUATION, ""), keep_newline=True)


@cache
def _without_accents() -> Rewriter:
    marks = dict.fromkeys({*PUNCTUATION, *characters_of("Mn")}, "")
    return Rewriter(lower_and_decompose, marks, keep_newline=True)
