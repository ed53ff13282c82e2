"""Lines, paragraphs and verse; and which books are kept."""

import pytest

from filters.books.header import header_facts, iso_date, language_code
from filters.books.layout import unify_lines, unwrap
from filters.books.quality import (
    check_catalogue,
    check_damage,
    check_length,
    check_letters,
)

PROSE = (
    "It is a truth universally acknowledged, that a single man in possession\n"
    "of a good fortune, must be in want of a wife; and this truth is so well-\n"
    "fixed in the minds of the surrounding families, that he is considered--\n"
    "such is the world--as the rightful property of some one or other."
)
VERSE = "The sun was shining on the sea,\nShining with all his might:\nHe did his very best to make"


def test_line_ends_and_controls() -> None:
    """One kind of end, and neither NUL nor form feed."""
    assert unify_lines("a\r\nb\rc\x0c\u2028d\x1a\0") == "a\nb\nc\nd"
    assert unify_lines("a\tb\n") == "a\tb\n"


def test_prose_is_joined_and_verse_is_not() -> None:
    """Nor are headings, indented lines and tables."""
    table = "  apples   1\n  pears    2"
    long_verse = (
        "I celebrate myself, and sing myself, and what I assume you shall assume,\n"
        "For every atom belonging to me as good belongs to you, I loafe and invite\n"
        "My soul, I lean and loafe at my ease observing a spear of summer grass now."
    )
    text = f"{PROSE}\n\n{VERSE}\n\nCHAPTER I\nThe Letter\n\n{table}\n\n{long_verse}\n"
    joined = (
        PROSE.replace("well-\n", "well-")
        .replace("considered--\n", "considered--")
        .replace("\n", " ")
    )
    assert (
        unwrap(text) == f"{joined}\n\n{VERSE}\n\nCHAPTER I\nThe Letter\n\n{table}\n\n{long_verse}\n"
    )
    assert unwrap(unwrap(text)) == unwrap(text)


def test_a_book_of_verse_stays_as_it_is() -> None:
    """Its own lines give the width."""
    stanza = VERSE + "\nThe billows smooth and bright--"
    book = "\n\n".join([stanza] * 20) + "\n"
    assert unwrap(book) == book
    assert unwrap("") == ""


def test_indented_prose_is_joined_and_indented_verse_is_not() -> None:
    """A quoted letter keeps one indent and begins its lines with small letters."""
    letter = (
        "     My dear, you must know that Mrs. Long says Netherfield is taken by a\n"
        "     young man of large fortune from the north of England; that he came\n"
        "     down on Monday in a chaise and four to see the place."
    )
    verse = (
        "     Like one that on a lonesome road doth walk in fear and dread always,\n"
        "     And having once turned round walks on, and turns no more his head so,\n"
        "       because he knows a frightful fiend doth close behind him tread now"
    )
    joined = letter.replace("\n     ", " ")
    text = f"{PROSE}\n\n{letter}\n\n{verse}\n"
    assert unwrap(text).endswith(f"\n\n{joined}\n\n{verse}\n")


def test_verse_in_a_book_without_hard_line_breaks_stays() -> None:
    """Its lines are the only short ones, and would be those of the book."""
    verse = "so much depends upon the wheel that rolls\nand on the rain that glazes what is red"
    text = "\n\n".join([PROSE.replace("\n", " ") * 3, verse] * 5) + "\n"
    assert unwrap(text) == text


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [
        (check_length("word " * 999), "too_short"),
        (check_length("word " * 1000), ""),
        (check_letters("12 .... -- ----"), "too_few_alnum"),
        (check_letters("ab.."), ""),
        (check_letters(""), "too_few_alnum"),
        (check_damage("\ufffd" + "a" * 198), "damaged_text"),
        (check_damage("\ufffd" + "a" * 199), ""),
        (check_catalogue(None, None, None), ""),
        (check_catalogue("Public domain in the USA.", "Text", "en"), ""),
        (check_catalogue("Copyrighted. Read the notice.", "Text", "en"), "copyrighted"),
        (check_catalogue("Copyrighted.", None, None, keep_copyrighted=True), ""),
        (check_catalogue(None, "Sound", "en"), "not_text"),
        (check_catalogue(None, None, "fr", languages={"en"}), "language"),
        (check_catalogue(None, None, None, languages={"en"}), "language"),
        (check_catalogue(None, None, "en", languages={"en"}), ""),
    ],
)
def test_books_that_are_dropped(verdict: object, reason: str) -> None:
    """By length, letters, damage and catalogue (3.1, 3.4)."""
    assert getattr(verdict, "reason") == reason  # noqa: B009 - of a parametrised object


def test_headers_of_all_ages_state_facts() -> None:
    """The oldest have no fields."""
    new = "Title: Emma\n\nAuthor: Jane Austen\n\nRelease Date: May 1, 2020 [eBook #158]\n\n"
    assert header_facts(new + "Language: English\n") == {
        "title": "Emma",
        "author": "Jane Austen",
        "lang": "en",
        "created": "2020-05-01",
        "number": "158",
    }
    old = "The Project Gutenberg Etext of Emma, by Jane Austen\n\nAugust, 1994 [Etext #158]\n"
    assert header_facts(old) == {"title": "Emma", "created": "1994-08", "number": "158"}
    assert header_facts("*** START OF THE COPYRIGHTED PROJECT")["rights"] == "Copyrighted."
    long = (
        "Title: The Mirror\n       Vol. 10\nNo. 268\nAuthor: Various\nLanguage: English\n*** START"
    )
    facts = {"title": "The Mirror Vol. 10 No. 268", "author": "Various", "lang": "en"}
    assert header_facts(long) == facts
    assert header_facts("Call me Ishmael.") == {}


def test_dates_and_languages() -> None:
    """Of what headers hold."""
    assert iso_date("1992 [eBook #46]") == "1992"
    assert iso_date("Smarch 3, 1999") == ""
    assert language_code("French and English") == "fr"
    assert language_code("Klingon") == ""
