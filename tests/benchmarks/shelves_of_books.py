"""Shelves of made books for the benchmarks: as long as real ones, with overlaps that are known.

Words are drawn by Zipf's law from one vocabulary, so that books share the words that real books
share. Every book begins with one licence, as long as that of Project Gutenberg; three in a hundred
have one publisher's preface. Of each twenty books, four are made from the one before them.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

VOCABULARY_WORDS = 60_000
LICENCE_WORDS = 3000
PREFACE_WORDS = 2000
SHELF = 20  # books after which the kinds begin anew
EDITION, COPY, EXCERPT, RELATED = 1, 5, 9, 13  # places on a shelf; each made from the one before
DUPLICATES_PER_SHELF = 3  # an edition, a copy and an excerpt; a related book is kept
LINE_WORDS, PARAGRAPH_LINES = 11, 9
_SYLLABLES = [first + second for first in "bcdfghklmnprstvw" for second in "aeiou"]


@cache
def vocabulary() -> tuple[np.ndarray, np.ndarray]:
    """Return words, the most frequent first, and the sums of their frequencies by Zipf's law."""
    chance = np.random.default_rng(0)
    words: dict[str, None] = {}
    while len(words) < VOCABULARY_WORDS:  # frequent words are short
        syllables = 1 + (len(words) > 60) + (len(words) > 3000) + (len(words) > 20_000)
        words["".join(chance.choice(_SYLLABLES, syllables + chance.integers(0, 2)))] = None
    sums = np.cumsum(1 / (np.arange(VOCABULARY_WORDS) + 2.7))
    return np.array(list(words), object), sums / sums[-1]


def drawn(seed: int, count: int) -> np.ndarray:
    """Return so many words by Zipf's law."""
    words, sums = vocabulary()
    return words[np.searchsorted(sums, np.random.default_rng(seed).random(count))]


def words_of_book(number: int, count: int) -> np.ndarray:
    """Return the words of a book without what it shares with all others."""
    kind = number % SHELF
    if kind not in (EDITION, COPY, EXCERPT, RELATED):
        return drawn(number, count)
    words = drawn(number - 1, count)
    if kind == EDITION:  # 30 words differ, each in 13 shingles: an overlap of 0.99
        words[:: max(1, count // 30)] = "edited"
    elif kind == EXCERPT:
        words = words[: count * 2 // 3]
    elif kind == RELATED:  # the last fifth differs: an overlap of 0.8, below 0.9 with the licence
        fresh = count // 5
        words[-fresh:] = drawn(number, fresh)
    return words


def made_text(number: int, kilobytes: int) -> str:
    """Return a book of about so many kilobytes."""
    words = [drawn(1 << 40, LICENCE_WORDS)]
    if number % 100 in (2, 3, 6):
        words.append(drawn(1 << 41, PREFACE_WORDS))
    words.append(words_of_book(number, kilobytes * 1000 // word_bytes() - LICENCE_WORDS))
    listed = np.concatenate(words).tolist()
    if number % SHELF == COPY:  # the same words in another layout
        return "\n".join(map(str.upper, listed))
    lines = [" ".join(listed[at : at + LINE_WORDS]) for at in range(0, len(listed), LINE_WORDS)]
    paragraphs = range(0, len(lines), PARAGRAPH_LINES)
    return "\n\n".join("\n".join(lines[at : at + PARAGRAPH_LINES]) for at in paragraphs)


@cache
def word_bytes() -> int:
    """Return the bytes of a word and of what separates it, on average."""
    sample = drawn(1 << 42, 100_000)
    return round(sum(map(len, sample)) / len(sample) + 1)


def write_shelves(folder: Path, count: int, kilobytes: int) -> int:
    """Write so many books, and return their bytes."""
    folder.mkdir()
    return sum(
        (folder / f"{number:06d}.txt").write_text(text) for number, text in _texts(count, kilobytes)
    )


def _texts(count: int, kilobytes: int) -> Iterator[tuple[int, str]]:
    return ((number, made_text(number, kilobytes)) for number in range(count))
