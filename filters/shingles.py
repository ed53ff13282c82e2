"""The word shingles of a text as hashes, their sketches, and the overlap of two texts.

A text is the set of its hashed word 13-grams, after NFKC, lower-casing, and mapping every run of
characters that are not alphanumeric to one space (docs/rules/sources.md 3.5). Two texts overlap by
the share of the smaller set that the larger one holds too.

Hashes do not depend on the process: that of a shingle is a polynomial of its words' hashes modulo
2^64, mixed so that any range of the hashes is a random sample of the shingles.
"""

import math
from typing import Final, NamedTuple

import numpy as np

from filters.word_hashes import Hashes, mix, word_hashes

SHINGLE_WORDS: Final = 13
# One in so many shingles is in the sketch. 1 in 1,000 (docs/rules/sources.md 3.5) leaves a story of
# 5,000 words five hashes, too few to find it inside a collection, whose sketch holds no finer ones.
SCALE: Final = 64
BANDS: Final = 16
ROWS: Final = 8  # of a band; 16 x 8 finds a Jaccard similarity of 0.82 with a probability of 0.97
BINS: Final = BANDS * ROWS

_SCALE_BITS: Final = SCALE.bit_length() - 1
_BIN_SHIFT: Final = np.uint64(64 - (BINS.bit_length() - 1))
_BASE: Final = 0x9E3779B97F4A7C15  # odd, so that multiplying by it loses no bit
_MASK: Final = (1 << 64) - 1
_EMPTY: Final = np.uint64(_MASK)


class Sketch(NamedTuple):
    """What stands for a set of shingles where texts are compared."""

    size: int  # distinct shingles of the text
    sample: Hashes  # FracMinHash: all hashes below 2^64 / SCALE, shifted to fill 64 bits, sorted
    bands: Hashes  # MinHash: a key for each band, distinct for each place of a band


def shingles(text: str) -> Hashes:
    """Return the distinct hashed shingles of a text, sorted.

    A text of fewer than 13 words has one shingle; a text without a word has none.
    """
    words = word_hashes(text)
    width = min(SHINGLE_WORDS, len(words))
    count = len(words) - width + 1 if width else 0
    total = np.full(count, width, np.uint64)
    for place in range(width):  # wraps around modulo 2^64, as it should
        total *= np.uint64(_BASE)
        total += words[place : place + count]
    return distinct(mix(total))


def distinct(values: Hashes) -> Hashes:
    """Return the distinct values, sorted; the array is sorted in place.

    NumPy's ``unique`` puts the values into a hash table first, which takes ten times as long.
    """
    values.sort()
    first = np.ones(len(values), np.bool_)
    np.not_equal(values[1:], values[:-1], out=first[1:])
    return values[first]


def sketch(hashes: Hashes) -> Sketch:
    """Return the sketch of a set of shingles, sorted.

    The minimum of each of 128 ranges of the hashes stands for that of one of 128 permutations
    (one permutation hashing: Li, Owen and Zhang, NIPS 2012): equal with the same probability, and
    one pass over the shingles instead of 128.
    """
    limit = np.searchsorted(hashes, np.uint64(1 << (64 - _SCALE_BITS)))
    sample = hashes[:limit] << np.uint64(_SCALE_BITS)
    minima = np.full(BINS, _EMPTY, np.uint64)
    edges = np.arange(1, BINS, dtype=np.uint64) << _BIN_SHIFT
    first = np.r_[0, np.searchsorted(hashes, edges), len(hashes)]
    held = np.flatnonzero(first[1:] > first[:-1])
    minima[held] = hashes[first[held]]
    rows = minima.reshape(BANDS, ROWS)
    keys = np.arange(1, BANDS + 1, dtype=np.uint64)
    for place in range(ROWS):
        keys = mix(keys * np.uint64(_BASE) + rows[:, place])
    return Sketch(len(hashes), sample, keys[(rows != _EMPTY).any(axis=1)])


def wanted_hits(sample: int, overlap: float, deviations: float = 6.0) -> int:
    """Return how many hashes of a sample two texts share, at least, if they overlap so far.

    A sample is random, so the hits follow a binomial distribution; not one pair in a million is
    more than 6 deviations below the mean, small samples included.

    Args:
        sample: hashes of the smaller text's sample.
        overlap: share of its shingles that the larger text holds.
        deviations: standard deviations that are allowed for.

    >>> wanted_hits(1600, 0.9), wanted_hits(16, 0.9), wanted_hits(0, 0.9)
    (1368, 7, 1)
    """
    deviation = math.sqrt(sample * overlap * (1 - overlap))
    return max(1, math.floor(sample * overlap - deviations * deviation))
