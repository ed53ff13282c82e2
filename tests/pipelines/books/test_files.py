"""Which files are books, which are one ebook, and in which encoding they are."""

import pytest

from pipelines.books.decoding import decode_book
from pipelines.books.files import ebook_of, kind_of

FRENCH = "\u00c9t\u00e9, no\u00ebl et \u00e0 la cr\u00e8me, d\u00e9j\u00e0 vu. " * 30


def test_files_of_an_ebook_in_order_of_preference() -> None:
    """-0, then pg, then -8, then plain, each before its zip; earlier versions last (3.1)."""
    names = [
        "1/2/3/12345/12345-0.txt",
        "1/2/3/12345/12345-0.zip",
        "cache/epub/12345/pg12345.txt",
        "1/2/3/12345/12345-8.txt",
        "1/2/3/12345/12345-8.zip",
        "1/2/3/12345/12345.txt.gz",
        "1/2/3/12345/12345-5.txt",
        "1/2/3/12345/old/12345-0.txt",
    ]
    assert {ebook_of(name)[0] for name in names} == {"12345"}
    places = [ebook_of(name)[1] for name in names]
    assert places == sorted(places)
    assert len(set(places)) == len(places)


@pytest.mark.parametrize(
    ("path", "ebook"),
    [
        ("0/8/8.txt", "8"),
        ("etext97/dvldc10.txt", "dvldc10"),
        ("etext97/DVLDC10.ZIP", "dvldc10"),
        ("cache/epub/84/pg84.txt.utf8.gz", "84"),
        ("train/1234.txt", "1234"),
    ],
)
def test_the_number_of_an_ebook_is_in_its_name(path: str, ebook: str) -> None:
    """The oldest have a name instead."""
    assert ebook_of(path)[0] == ebook


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("12345-h.zip", ""),
        ("12345-h.htm", ""),
        ("12345-8.zip", "texts"),
        ("pg1.rdf", ""),
        ("books3.tar.gz", "tar"),
        ("rows.jsonl.gz", "rows"),
        ("1.txt.gz", "texts"),
        ("cover.jpg", ""),
    ],
)
def test_what_a_file_holds_is_told_by_its_name(path: str, kind: str) -> None:
    """HTML, pictures and sound are left out."""
    assert kind_of(path) == kind


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"\xef\xbb\xbf" + FRENCH.encode(), "utf-8"),
        (FRENCH.encode(), "utf-8"),
        (FRENCH.encode("latin-1"), "cp1252"),
        (FRENCH.encode("cp850"), "cp850"),
        (b"\xff\xfe" + FRENCH.encode("utf-16-le"), "utf-16-le"),
        (b"Character set encoding: ISO-8859-1\n" + FRENCH.encode("latin-1"), "cp1252"),
        (b"Character set encoding: UTF-8\n" + FRENCH.encode("latin-1"), "cp1252"),
        (b"Character set encoding: ASCII\n" + FRENCH.encode("cp850"), "cp850"),
    ],
)
def test_encodings_are_told_by_content(data: bytes, encoding: str) -> None:
    """A header that is wrong does not count."""
    text, found, replaced = decode_book(data)
    assert (found, replaced) == (encoding, 0)
    assert text.endswith(FRENCH)


def test_a_stated_encoding_that_fits_counts() -> None:
    """What only the header can tell."""
    text = "\u017b\u00f3\u0142\u0107 g\u0119\u015bl\u0105 ja\u017a\u0144. " * 20
    data = b"Character set encoding: ISO-8859-2\n" + text.encode("iso8859-2")
    assert decode_book(data).text.endswith(text)


def test_damage_is_counted_and_costs_no_more() -> None:
    """A wrong byte in UTF-8, and one that Windows-1252 does not have."""
    damaged = FRENCH.encode() + b"\xff end"
    assert decode_book(damaged)[1:] == ("utf-8", 1)
    assert decode_book(damaged).text.endswith("\ufffd end")
    assert decode_book(FRENCH.encode("latin-1") + b"\x81 ")[1:] == ("cp1252", 1)
