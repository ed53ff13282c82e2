"""Bad words (docs/rules/web.md 9.7)."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.c4.badwords import BadWords, check_badwords, read_list
from tests.filters.c4 import oracle

ENTRIES = ["rude", "very rude word", "r&d", "\u00fcbel", "\U0001f595", "a.b", "dou\u00e9 x"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("RUDE", "rude"),
        ("a rude-ish thing", "rude"),
        ("(rude)", "rude"),
        ("rude's", "rude"),
        ("line\nrude\nline", "rude"),
        ("crude, rudely, rude_, 4rude, rude\u00e9", None),
        ("a very rude word", "very rude word"),
        ("R&D is r & d", "r&d"),
        ("this is \u00dcbel.", "\u00fcbel"),
        ("ver\u00fcbeln", None),
        ("look \U0001f595!", "\U0001f595"),
        ("look\U0001f595!", None),
        ("axb and a.bc", None),
        ("so a.b", "a.b"),
        ("dou\u00e9 x", "dou\u00e9 x"),
        ("xdou\u00e9 x", None),
        ("dou\u00e9  x", None),  # exactly one blank
        ("\u201crude\u201d", "rude"),
    ],
)
def test_an_entry_stands_between_what_is_no_word(text: str, found: str | None) -> None:
    """Letters, digits and the underscore glue it; anything else does not."""
    assert BadWords(ENTRIES).find(text) == found


PIECES = (
    *ENTRIES,
    "rud",
    "e",
    " ",
    "-",
    "_",
    "\u00e9",
    "\u2019",
    "\n",
    "very",
    "Rude",
    "word",
    "&",
)


@given(st.lists(st.sampled_from(PIECES), max_size=12))
def test_a_page_is_judged_as_by_one_expression(pieces: Sequence[str]) -> None:
    """The expression is the rule as it is written."""
    text = "".join(pieces)
    expected = oracle.bad_words(ENTRIES).search(text.lower()) is not None
    assert (BadWords(ENTRIES).find(text) is not None) == expected


def test_languages_without_blanks_are_searched_anywhere() -> None:
    """Entries on the allow-list are none."""
    entries = read_list("\u6027\n\u6076\u8bcd\n", "zh")
    assert entries == {"\u6076\u8bcd"}
    assert BadWords(entries, anywhere=True).find("\u4e00\u6076\u8bcd\u4e00") == "\u6076\u8bcd"
    assert BadWords([], anywhere=True).find("text") is None


def test_a_list_is_one_entry_per_line() -> None:
    """Blanks around entries and empty lines go."""
    assert read_list("one\r\n two words \n\n", "en") == {"one", "two words"}


def test_a_share_of_the_pages_stays_by_the_hash_of_the_url() -> None:
    """A language without list passes; a suffix of the language does not count."""
    lists = {"en": BadWords(["rude"])}
    kept = [
        check_badwords("rude", "en-latin", f"u/{n}", lists=lists, fraction=0.999).keep
        for n in range(20_000)
    ]
    assert 5 <= sum(kept) <= 40
    assert check_badwords("rude", "de", "u", lists=lists).keep
    verdict = check_badwords("so rude", "en", "u", lists=lists)
    assert (verdict.reason, verdict.detail) == ("badwords", "rude")


def test_an_entry_is_no_expression() -> None:
    """A full stop stands for itself."""
    assert re.search("a.b", "axb")
    assert BadWords(["a.b"]).find("axb") is None
