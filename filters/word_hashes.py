"""The words of a text as hashes, computed for a whole book by a few passes over arrays.

Words are those of a text after NFKC and lower-casing, where every run of characters that are not
alphanumeric separates two words (docs/rules/sources.md 3.5). No string is made per word: the hash
of a word is a polynomial of its code points modulo 2^64, which is the difference of two running
sums over the text, and is then mixed. It is the same in every process and on every machine.
"""

import hashlib
import unicodedata
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]

PART_CHARS: Final = 1 << 16  # read at once, so that the arrays stay in the cache of a core
KEY_BYTES: Final = 16
CODE_POINTS: Final = 0x110000
BASE: Final = 0xD6E8FEB86659FD93  # odd, so that it has an inverse modulo 2^64

_ASCII_ALNUM: Final = bytes(code < 128 and chr(code).isalnum() for code in range(256))


def word_hashes(text: str) -> Hashes:
    """Return the hash of each normalised word of a text, in order.

    Two texts have the same hashes exactly if they have the same words, but for collisions: a
    vocabulary of a million words has two of the same hash with a probability of 1 in 40 million.
    """
    text = unicodedata.normalize("NFKC", text).lower()
    found = []
    start, size = 0, PART_CHARS
    while start < len(text):
        hashes, end = _words_of_part(text[start : start + size], whole=start + size >= len(text))
        if end:
            found.append(hashes)
            start, size = start + end, PART_CHARS
        else:  # the part is shorter than its only word
            size *= 2
    return mix(np.concatenate(found)) if found else np.zeros(0, np.uint64)


def text_key(text: str) -> bytes:
    """Return 16 bytes that two texts share exactly if they have the same normalised words."""
    words = word_hashes(text).astype("<u8", copy=False)
    return hashlib.blake2b(words.tobytes(), digest_size=KEY_BYTES).digest()


def alnum_count(text: str) -> int:
    """Return how many characters of a text are alphanumeric, in the sense of ``str.isalnum``."""
    parts = (text[start : start + PART_CHARS] for start in range(0, len(text), PART_CHARS))
    return sum(int(np.count_nonzero(_alnum(part)[1])) for part in parts)


def mix(values: Hashes) -> Hashes:
    """Spread every bit of a hash over all bits, in place (the finaliser of SplitMix64)."""
    values ^= values >> np.uint64(30)
    values *= np.uint64(0xBF58476D1CE4E5B9)
    values ^= values >> np.uint64(27)
    values *= np.uint64(0x94D049BB133111EB)
    values ^= values >> np.uint64(31)
    return values


def _words_of_part(text: str, *, whole: bool) -> tuple[Hashes, int]:
    """Return the polynomials of the words of a part, and how many characters they take.

    Args:
        text: not empty, beginning with the first character of a word or between words.
        whole: the text ends with this part; else its last word may go on, and is left out.
    """
    codes, alnum = _alnum(text)
    edges = np.flatnonzero(np.diff(alnum, prepend=False, append=False))
    starts, ends = edges[::2], edges[1::2]
    taken = len(text)
    if not whole and len(ends) and ends[-1] == taken:
        taken = int(starts[-1])
        starts, ends = starts[:-1], ends[:-1]
    powers, inverses = _powers(1 << (len(text) - 1).bit_length())
    sums = np.zeros(len(text) + 1, np.uint64)
    np.multiply(codes, powers[: len(text)], out=sums[1:])
    np.cumsum(sums, out=sums)  # wraps around modulo 2^64, as it should
    return (sums[ends] - sums[starts]) * inverses[starts], taken


def _alnum(text: str) -> tuple[npt.NDArray[np.unsignedinteger], npt.NDArray[np.bool_]]:
    """Return the code points of a text, and which of them are alphanumeric."""
    if text.isascii():
        data = text.encode("ascii")
        return np.frombuffer(data, np.uint8), np.frombuffer(data.translate(_ASCII_ALNUM), np.bool_)
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.dtype("<u4"))
    return codes, _alnum_table().take(codes)


@cache
def _alnum_table() -> npt.NDArray[np.bool_]:
    """Return for each code point whether it is alphanumeric."""
    return np.fromiter((chr(code).isalnum() for code in range(CODE_POINTS)), np.bool_, CODE_POINTS)


@cache
def _powers(size: int) -> tuple[Hashes, Hashes]:
    """Return so many powers of the base modulo 2^64, and of its inverse."""
    bases = BASE, pow(BASE, -1, 1 << 64)
    both = np.ones((2, size), np.uint64)
    both[:, 1:] = np.array(bases, np.uint64)[:, np.newaxis]
    np.cumprod(both, axis=1, out=both)
    return both[0], both[1]
