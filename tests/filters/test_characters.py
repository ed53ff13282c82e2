"""Replacing characters of a whole page (docs/rules/web.md 4.3)."""

import unicodedata
from collections.abc import Callable
from functools import partial

import pytest

from filters.characters import PUNCTUATION, Rewriter, characters_of, without_surrogates
from filters.commoncrawl.paragraphs import normalize
from filters.commoncrawl.perplexity import normalize_for_lm
from tests.filters.commoncrawl import ccnet_oracle as oracle


def test_the_table_is_the_one_of_the_spec() -> None:
    """34 entries, written down twice."""
    assert len(PUNCTUATION) == 34
    assert dict(PUNCTUATION) == oracle.TABLE


def test_digits_are_what_python_calls_decimal() -> None:
    """So one for one, superscripts and numerals excluded."""
    digits = characters_of("Nd")
    assert {"\u0663", "\uff11", "\U0001d7d9"} <= digits
    assert not {"²", "½", "Ⅳ", "1"} & digits
    assert all(character.isdecimal() for character in digits)


def test_characters_of_every_length_are_replaced_in_place() -> None:
    """Two, three and four bytes of UTF-8; by nothing, by less and by as much."""
    marks = {"\u00b4": "", "\u2026": "...", "\u2014": "-", "\U0001f600": ":-)"}
    rewriter = Rewriter(str, marks, keep_newline=True)
    assert rewriter.rewrite("A\u00b4b\u2026c\u2014d\U0001f600e\U0001d7d9f\u00e9\n\x01\x85") == (
        "Ab...c-d:-)e0f\u00e9\n".encode()
    )


def test_line_ends_go_where_they_are_not_kept() -> None:
    """They are control characters like others."""
    assert Rewriter(str, {}, keep_newline=False).rewrite("a\r\nb") == b"ab"


@pytest.mark.parametrize("new", ["abcd", "\u00e9\u00e9", "\n", "1", "A"])
def test_a_replacement_must_fit_and_last(new: str) -> None:
    """What cannot stand in the place of a mark is refused when the table is made."""
    with pytest.raises(ValueError, match="it is longer, or would change"):
        Rewriter(str.lower, {"\u2026": new}, keep_newline=False)


def test_surrogates_become_no_text() -> None:
    """Each alone, also two in a row."""
    assert without_surrogates("a\ud83d\ude00é\udfff") == "a\ufffd\ufffdé\ufffd"


@pytest.mark.parametrize(
    ("fast", "plain"),
    [
        (normalize, oracle.normalized_page),
        (
            partial(normalize, strip_accents=True),
            partial(oracle.normalized_page, strip_accents=True),
        ),
        (normalize_for_lm, oracle.normalized_for_lm),
    ],
    ids=["keys", "keys without accents", "language model"],
)
def test_every_character(fast: Callable[[str], str], plain: Callable[[str], str]) -> None:
    """All of Unicode, in pages of 64; each that a rule is about in a page of its own too."""
    pages = [f"x{character}y" for character in CHARACTERS if _may_change(character)]
    assert 15_000 < len(pages) < 30_000
    pages += ["x".join(CHARACTERS[start : start + 64]) for start in range(0, len(CHARACTERS), 64)]
    assert [page for page in pages if fast(page) != plain(page)] == []


CHARACTERS = list(map(chr, range(0x110000)))


def _may_change(character: str) -> bool:
    return (
        character in oracle.TABLE
        or character.lower() != character
        or unicodedata.normalize("NFD", character) != character
        or unicodedata.category(character) in ("Cc", "Mc", "Mn", "Nd")
    )
