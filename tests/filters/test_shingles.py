"""Shingles, sketches and overlaps."""

import numpy as np
import pytest

from filters.shingles import (
    BANDS,
    SCALE,
    SHINGLE_WORDS,
    shingles,
    sketch,
    wanted_hits,
)

WORDS = [f"w{number}" for number in range(5000)]


def test_shingles_are_the_distinct_13_grams() -> None:
    """Sorted; whatever the case, the punctuation and the spacing."""
    text = " ".join(WORDS[:100])
    found = shingles(text)
    assert len(found) == 100 - SHINGLE_WORDS + 1
    assert (found[1:] > found[:-1]).all()
    assert (shingles(text.upper().replace(" ", " -- \n")) == found).all()
    assert len(shingles(f"{text} {text}")) == len(found) + SHINGLE_WORDS - 1


def test_order_and_repetition_of_words_count() -> None:
    """A 13-gram is a sequence."""
    words = WORDS[:13]
    one = shingles(" ".join(words))
    assert shingles(" ".join(reversed(words)))[0] != one[0]
    assert shingles(" ".join([*words[:12], words[0]]))[0] != one[0]


def test_short_texts_have_one_shingle_and_empty_ones_none() -> None:
    """A text of fewer than 13 words is one shingle (3.5)."""
    assert len(shingles("one two")) == 1
    assert shingles("one two")[0] != shingles("one two three")[0]
    assert len(shingles("... --")) == 0
    assert sketch(shingles("")).size == 0
    assert len(sketch(shingles("")).bands) == 0


def test_the_hashes_are_the_same_everywhere() -> None:
    """In every process and on every machine: a golden value."""
    assert int(shingles("a b c d e f g h i j k l m")[0]) == GOLDEN


GOLDEN = 8061560722609716455


def test_a_sample_is_one_in_so_many_and_a_part_has_the_hashes_of_the_whole() -> None:
    """What makes the count of shared hashes an estimate of the overlap."""
    whole, part = shingles(" ".join(WORDS)), shingles(" ".join(WORDS[1000:3000]))
    sample = sketch(part).sample
    assert 0.5 < len(sample) / (len(part) / SCALE) < 1.6
    assert set(sample.tolist()) <= set(sketch(whole).sample.tolist())
    assert len(sketch(whole).bands) == BANDS
    assert len(set(sketch(whole).bands.tolist())) == BANDS


@pytest.mark.parametrize("overlap", [0.85, 0.9, 0.95])
def test_bands_agree_as_often_as_minima_of_permutations(overlap: float) -> None:
    """1 - (1 - J^8)^16, within what 300 trials allow."""
    chance = np.random.default_rng(5)
    hits = 0
    for _ in range(300):
        values = chance.integers(0, 2**64, 6000, np.uint64)
        cut = round(3000 * overlap)
        one, other = np.unique(values[:3000]), np.unique(values[3000 - cut : 6000 - cut])
        hits += len(np.intersect1d(sketch(one).bands, sketch(other).bands)) > 0
    jaccard = overlap / (2 - overlap)
    assert hits / 300 == pytest.approx(1 - (1 - jaccard**8) ** 16, abs=0.07)


def test_wanted_hits_hardly_ever_miss() -> None:
    """Of 100,000 samples of pairs that overlap by 0.9, none has fewer hits."""
    chance = np.random.default_rng(3)
    for size in (16, 64, 500):
        assert chance.binomial(size, 0.9, 100_000).min() >= wanted_hits(size, 0.9)


def test_a_part_has_no_shingle_that_the_whole_lacks() -> None:
    """So its overlap with the whole is 1."""
    whole, part = shingles(" ".join(WORDS)), shingles(" ".join(WORDS[:500]))
    assert (len(part), len(whole)) == (488, 4988)
    assert np.isin(part, whole).all()
