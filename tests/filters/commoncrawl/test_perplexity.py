"""Perplexity of pages under small models (docs/rules/web.md 6)."""

from collections.abc import Callable
from pathlib import Path

import pytest
import sentencepiece
from hypothesis import example, given, settings
from hypothesis import strategies as st

from filters.characters import PUNCTUATION
from filters.commoncrawl.perplexity import (
    LanguageModel,
    load_language_model,
    normalize_for_lm,
    perplexity_of,
)
from tests.filters.commoncrawl import ccnet_oracle as oracle
from tests.filters.odd_pages import PAGES
from tests.filters.tiny_models import train_sentencepiece, write_arpa

# Three everywhere, but for the begin of a sentence, which is not predicted.
THREE_EACH = {"<unk>": (-3.0, 0.0), "<s>": (-99.0, 0.0), "</s>": (-3.0, 0.0)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        (" \n\t ", ""),
        ("One line\nand another", "one lineand another"),
        ("Café, naïve, Å", "cafe, naive, a"),
        ("cafe\u0301", "cafe"),
        ("한", "\u1112\u1161\u11ab"),
        ("й", "и"),
        ("2021 \uff11\u0663", "0000 00"),
        ("“a” «b» \u2019c\u00b4", '"a" "b" \'c\''),
        ("a\u2014b\u2013c\u2026d\uff0ee", "a - b-c...d. e"),
        ("a\x00\x1f\x7f\x85\x9fb", "ab"),
        ("\u2018•\u00a0", "\u2018•"),
        ("a  b\u00a0c", "a  b\u00a0c"),
        ("\u0130", "i"),
        ("\u0391\u03a3", "\u03b1\u03c2"),
        ("\u0301", ""),
        ("… a …", "... a ..."),
        ("\u1fef\u1ffd\u037e", "`';"),
    ],
)
def test_normalize_for_lm(text: str, expected: str) -> None:
    """The whole page is one line without accents and with ASCII punctuation."""
    assert normalize_for_lm(text) == expected


def test_every_mark_of_the_table_is_replaced() -> None:
    """But for the full-width one, which is a digit first."""
    marks = "".join(PUNCTUATION)
    replaced = "".join("0" if mark == "\uff11" else PUNCTUATION[mark] for mark in marks)
    assert normalize_for_lm(f"a{marks}b") == f"a{replaced}b"


@settings(deadline=None)  # a busy machine is no failure
@given(PAGES)
@example("\u0345\u03a3\u0301\n\u03a3")
@example("e\u302e\u0301\u302fa")
def test_a_page_at_once_is_its_characters_one_by_one(page: str) -> None:
    """Equal to the plain rules, whatever the page holds."""
    assert normalize_for_lm(page) == oracle.normalized_for_lm(page)


@pytest.mark.parametrize("character", "aé\n\u0301\u1112\ud55c\u2014\u0663\x00\ud800")
def test_large_odd_pages_are_no_problem(character: str) -> None:
    """A million characters of one kind: every pass is linear."""
    normalize_for_lm(character * 1_000_000)


def test_perplexity_is_the_inverse_probability_of_a_piece() -> None:
    """To one decimal."""
    assert perplexity_of(-12.0, 4) == 1000.0
    assert perplexity_of(-1.0, 3) == 2.2


@pytest.fixture(scope="session")
def sentencepiece_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small SentencePiece model."""
    return train_sentencepiece(tmp_path_factory.mktemp("sentencepiece") / "en.sp.model")


@pytest.fixture(scope="session")
def three_each(sentencepiece_path: Path, tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    """A model to which each piece is as good as any other."""
    arpa = tmp_path_factory.mktemp("arpa") / "en.arpa"
    return load_language_model(sentencepiece_path, write_arpa(arpa, THREE_EACH))


@pytest.mark.parametrize("text", ["dog", "The dog!\n2021", "\ud800 a", "\u4e2d\u6587", "a" * 5000])
def test_every_piece_costs_the_same(three_each: LanguageModel, text: str) -> None:
    """Unknown pieces too: whatever the length, the perplexity is 10 ** 3."""
    assert three_each.perplexity(text) == 1000.0
    assert three_each.perplexity(text, per_line=True) == 1000.0


@pytest.mark.parametrize("text", ["", " \n ", "\u0301", "\x01\n\x02"])
def test_nothing_to_score(three_each: LanguageModel, text: str) -> None:
    """Empty, or empty once normalised."""
    assert three_each.perplexity(text) is None
    assert three_each.perplexity(text, per_line=True) is None


def test_length_counts_the_end(three_each: LanguageModel, sentencepiece_path: Path) -> None:
    """One more than the pieces."""
    processor = sentencepiece.SentencePieceProcessor(model_file=str(sentencepiece_path))
    pieces = processor.encode_as_pieces("the lazy dog")
    score, length = three_each.score("the lazy dog")
    assert length == len(pieces) + 1
    assert score == pytest.approx(-3.0 * length)


def test_models_say_their_size(three_each: LanguageModel, sentencepiece_path: Path) -> None:
    """The vocabulary is read, not assumed."""
    processor = sentencepiece.SentencePieceProcessor(model_file=str(sentencepiece_path))
    assert three_each.pieces == processor.vocab_size()
    assert three_each.order == 2


def test_begin_and_end_of_the_sentence_count(sentencepiece_path: Path, tmp_path: Path) -> None:
    """Bigrams with them are used; others back off; unknown pieces may be known to the n-grams."""
    processor = sentencepiece.SentencePieceProcessor(model_file=str(sentencepiece_path))
    first, *middle, last = processor.encode_as_pieces("the dog \u4e2d")
    assert last == "\u4e2d"
    assert processor.piece_to_id(last) == processor.unk_id()
    unigrams = {"<unk>": (-7.0, 0.0), "<s>": (-99.0, -0.5), "</s>": (-2.0, 0.0)}
    unigrams |= dict.fromkeys((first, *middle, last), (-1.5, -0.25))
    bigrams = {("<s>", first): -0.125, (last, "</s>"): -0.25}
    model = load_language_model(
        sentencepiece_path, write_arpa(tmp_path / "a.arpa", unigrams, bigrams)
    )
    expected = -0.125 + (len(middle) + 1) * (-0.25 - 1.5) - 0.25
    score, length = model.score("the dog \u4e2d")
    assert score == pytest.approx(expected)
    assert model.perplexity("The dog \u4e2d") == perplexity_of(expected, length)


def test_per_line_scores_each_line_as_a_sentence(sentencepiece_path: Path, tmp_path: Path) -> None:
    """Scores and lengths are summed; a blank line is a sentence of its end alone."""
    unigrams = THREE_EACH | {"</s>": (-1.0, 0.0)}
    model = load_language_model(sentencepiece_path, write_arpa(tmp_path / "a.arpa", unigrams))
    page = "the dog\n\nthe fox"
    scores = [model.score("the dog"), (-1.0, 1), model.score("the fox")]
    expected = perplexity_of(sum(score for score, _ in scores), sum(n for _, n in scores))
    assert model.perplexity(page, per_line=True) == expected
    assert model.perplexity(page) == perplexity_of(*model.score("the dogthe fox"))
    assert model.perplexity(page) != expected


def _nothing(_: Path) -> None:
    pass


def _text(path: Path) -> None:
    path.write_text("no model\n")


def _bytes(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 9)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_nothing, "no such file; give the path of a model such as en.arpa.bin"),
        (_text, "no KenLM model; give the path of a binary one"),
        (_bytes, "no KenLM model; give the path of a binary one"),
    ],
)
def test_a_file_that_is_no_language_model(
    sentencepiece_path: Path, tmp_path: Path, make: Callable[[Path], None], message: str
) -> None:
    """One line that names the file."""
    make(tmp_path / "x")
    with pytest.raises(ValueError, match=f"x: {message}"):
        load_language_model(sentencepiece_path, tmp_path / "x")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_nothing, "no such file; give the path of a model such as en.sp.model"),
        (_text, "no SentencePiece model; give the path of one"),
    ],
)
def test_a_file_that_is_no_sentencepiece_model(
    tmp_path: Path, make: Callable[[Path], None], message: str
) -> None:
    """One line that names the file."""
    make(tmp_path / "x")
    arpa = write_arpa(tmp_path / "a.arpa", THREE_EACH)
    with pytest.raises(ValueError, match=f"x: {message}"):
        load_language_model(tmp_path / "x", arpa)


@settings(deadline=None)  # a busy machine is no failure
@given(st.text())
def test_never_raises(three_each: LanguageModel, page: str) -> None:
    """Whatever the page holds, there is a perplexity or none."""
    assert three_each.perplexity(page) in (None, 1000.0)
