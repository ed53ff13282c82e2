"""Words as hashes: the passes over arrays give what a loop over the words gives."""

import gzip
import random
import re
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from filters import word_hashes as module
from filters.shingles import SHINGLE_WORDS, shingles
from filters.word_hashes import BASE, alnum_count, text_key, word_hashes

MASK = (1 << 64) - 1
SHINGLE_BASE = 0x9E3779B97F4A7C15


def plain_mix(value: int) -> int:
    """Return the finaliser of SplitMix64, by Python's integers."""
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & MASK
    value = (value ^ value >> 27) * 0x94D049BB133111EB & MASK
    return value ^ value >> 31


def plain_words(text: str) -> list[str]:
    """Return the words as docs/rules/sources.md 3.5 defines them."""
    return re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", text).lower())


def plain_hash(word: str) -> int:
    """Return the hash of a word, a character at a time."""
    return plain_mix(sum(ord(sign) * pow(BASE, n, 1 << 64) for n, sign in enumerate(word)) & MASK)


def plain_shingles(text: str) -> list[int]:
    """Return the distinct hashed shingles, one shingle at a time."""
    table: dict[str, int] = {}
    words = plain_words(text)
    for word in words:
        if word not in table:
            table[word] = plain_hash(word)
    width = min(SHINGLE_WORDS, len(words))
    found = set()
    for at in range(len(words) - width + 1 if width else 0):
        total = width
        for word in words[at : at + width]:
            total = (total * SHINGLE_BASE + table[word]) & MASK
        found.add(plain_mix(total))
    return sorted(found)


TEXTS = [
    "",
    " -- ...",
    "word",
    "The  \ufb01ne_Hat--\u00c9t\u00e9 \u017f\u0130 \u2460\u00b2 x\u0301",  # NFKC and lower-casing
    "\u4e2d\u6587\u3002 \U0001d504 \U00010400 \u0660 \u0e44\u0e17\u0e22",  # beyond 16 bits too
    "a lone \ud800 surrogate, and _ under_scores __",
    "one, two; three: four. " * 40,
    "ab" * 500 + " " + "cd" * 3,
]


@pytest.mark.parametrize("part", [1, 2, 7, 1 << 16])
@pytest.mark.parametrize("text", TEXTS)
def test_hashes_are_those_of_a_loop_over_the_words(
    text: str, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the text is cut into parts: in a word, beside it, or in a word longer than many."""
    monkeypatch.setattr(module, "PART_CHARS", part)
    assert word_hashes(text).tolist() == [plain_hash(word) for word in plain_words(text)]
    assert shingles(text).tolist() == plain_shingles(text)


def test_random_texts_cut_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """200 texts of letters, marks and signs of several scripts."""
    chance = random.Random(11)
    for _ in range(200):
        signs = chance.choice(["ab .", "aZ9_ \n", "a\u00e9\u0301 \u2019", "\u4e00\U00020000 a"])
        text = "".join(chance.choices(signs, k=chance.randrange(120)))
        monkeypatch.setattr(module, "PART_CHARS", chance.randrange(1, 40))
        assert word_hashes(text).tolist() == [plain_hash(word) for word in plain_words(text)]
        assert alnum_count(text) == sum(map(str.isalnum, text))


def test_every_character_is_a_letter_where_python_says_so() -> None:
    """Words are runs of what a regular expression takes, and letters are counted as str does."""
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    found = module._alnum_table()
    assert found.tolist() == [bool(sign.isalnum()) for sign in every]
    assert np.flatnonzero(found).tolist() == [m.start() for m in re.finditer(r"[^\W_]", every)]
    assert alnum_count(every) == np.count_nonzero(found)
    assert alnum_count(every[:128]) == 62


def test_the_key_of_a_text_is_that_of_its_words() -> None:
    """Case, punctuation and spacing do not count, the ends of words do."""
    assert text_key("The  \ufb01ne_Hat--\u00c9") == text_key("the fine hat \u00e9")
    assert text_key("thefine hat") != text_key("the fine hat")
    assert len({text_key(text) for text in ("", "a", "b", "a b", "b a")}) == 5


@pytest.mark.data
def test_real_books_have_the_same_shingles_either_way(data: Path) -> None:
    """Of every tenth file, and no two of their words have one hash."""
    words: dict[str, None] = {}
    for path in sorted((data / "gutenberg").glob("*.gz"))[::10]:
        text = gzip.decompress(path.read_bytes()).decode("utf-8", "replace")
        assert shingles(text).tolist() == plain_shingles(text)
        words |= dict.fromkeys(plain_words(text))
    assert len({plain_hash(word) for word in words}) == len(words) > 10_000
