"""Replacing characters of a whole page (`spec/web.md` 4.3)."""

import pytest

from filters.characters import PUNCTUATION, Replacements, characters_of, without_surrogates
from tests.filters import ccnet_oracle as oracle


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
    table = Replacements(
        {"\u00b4": "", "\u2026": "...", "\u2014": "-", "\U0001f600": ":-)"}, keep_newline=True
    )
    assert table.apply("a\u00b4b\u2026c\u2014d\U0001f600e\U0001d7d9f\u00e9\n\x01\x85") == (
        "ab...c-d:-)e0f\u00e9\n".encode()
    )


def test_line_ends_go_where_they_are_not_kept() -> None:
    """They are control characters like others."""
    assert Replacements({}, keep_newline=False).apply("a\r\nb") == b"ab"


@pytest.mark.parametrize("new", ["abcd", "é", "\n"])
def test_a_replacement_must_fit(new: str) -> None:
    """What cannot stand in the place of a mark is refused when the table is made."""
    with pytest.raises(ValueError, match="give at most 3 ASCII bytes"):
        Replacements({"\u2026": new}, keep_newline=True)


def test_surrogates_become_no_text() -> None:
    """Each alone, also two in a row."""
    assert without_surrogates("a\ud83d\ude00é\udfff") == "a\ufffd\ufffdé\ufffd"


def test_every_character() -> None:
    """All of Unicode in one page, each beside an ASCII letter, as the plain rules have it."""

    def plain(character: str) -> str:
        if oracle.is_digit(character):
            return "0"
        return "" if oracle.is_control(character) else oracle.TABLE.get(character, character)

    characters = list(map(chr, range(0x110000)))
    replaced = Replacements(PUNCTUATION, keep_newline=False).apply("a".join(characters))
    assert replaced.decode("utf-8", "surrogatepass") == "a".join(map(plain, characters))
