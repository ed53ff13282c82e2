"""The encoding of a WARC file's pages: what counts before what, and what a wrong byte costs."""

import io
import json
import os
from pathlib import Path

import pytest

from pipelines.readers import charsets
from pipelines.readers.charsets import codec_of, decode_html
from pipelines.readers.warc import WetPage, read_warc
from tests.pipelines.readers.archives import packed
from tests.pipelines.readers.test_warc import response

DATA = Path(os.environ.get("CORPUSMILL_DATA") or Path(__file__).parents[4] / "shared" / "data")
CASES = sorted((DATA.parent / "findings" / "cases" / "bugs").glob("*.warc.gz"))


@pytest.mark.data
@pytest.mark.skipif(not CASES, reason="no cases beside the project")
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.name.partition(".")[0])
def test_cases_of_public_bug_reports(path: Path) -> None:
    """Faults that users of other tools reported."""
    case = json.loads(path.with_name(path.name.removesuffix(".warc.gz") + ".json").read_text())
    with path.open("rb") as stream:
        (page,) = read_warc(stream, path.name)
    assert isinstance(page, WetPage)
    if case["check"] == "equal":
        assert page.text == case["expected"]
    else:
        assert case["check"] == "contains"
        assert case["expected"] in page.text


def page_of(payload: bytes, charset: str = "", line_end: str = "\r\n") -> WetPage:
    """Read a page that a server sends with this charset."""
    kind = "text/html" + (charset and f"; charset={charset}")
    http = line_end.join(["HTTP/1.1 200 OK", f"Content-Type: {kind}", "", ""])
    (page,) = read_warc(io.BytesIO(packed(response(payload, http))), "x")
    assert isinstance(page, WetPage)
    return page


WORDS = {
    "iso-8859-2": "Šeteniai, Łódź",
    "windows-1251": "Привет, мир",
    "koi8-r": "Привет, мир",
    "shift_jis": "こんにちは ①",
    "euc-jp": "こんにちは",
    "iso-2022-jp": "こんにちは",
    "iso-2022-kr": "안녕하세요",
    "euc-kr": "안녕하세요 뷁",
    "gb2312": "你好世界",
    "hz-gb-2312": "你好世界",
    "big5": "你好世界",
    "utf-16": "né 漢",
    "utf-16be": "né 漢",
    "utf-16le": "né 漢",
    "utf-8": "né 漢",
}


def encoded(word: str, charset: str) -> bytes:
    """Write a page with a title and a paragraph, without a byte order mark."""
    html = f"<!DOCTYPE html><html><head><title>{word}</title></head><body><p>{word}</p></body>"
    return html.encode(codec_of(charset))


@pytest.mark.parametrize("line_end", ["\r\n", "\n"], ids=["CRLF", "LF"])
@pytest.mark.parametrize("charset", WORDS)
def test_the_charset_of_the_header(charset: str, line_end: str) -> None:
    """It counts where the page says nothing, also if the lines of the header end in LF."""
    page = page_of(encoded(WORDS[charset], charset), charset, line_end)
    assert (page.title, page.text, page.replaced) == (WORDS[charset], WORDS[charset], 0)


@pytest.mark.parametrize("charset", [c for c in WORDS if not c.startswith("utf-16")])
def test_the_charset_that_a_page_states(charset: str) -> None:
    """It counts where the header says nothing, or nothing that is known."""
    word = WORDS[charset]
    html = f'<head><!-- charset=utf-7 --><meta charset="{charset}"></head><p>{word}'
    for declared in ("", "none", "utf-16"):
        assert page_of(html.encode(codec_of(charset)), declared).text == word
    html = f'<?xml version="1.0" encoding="{charset}"?><html><p>{word}'
    assert page_of(html.encode(codec_of(charset))).text == word


@pytest.mark.parametrize("codec", ["utf-8", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("charset", ["", "utf-8", "iso-8859-1", "utf-16", "shift_jis"])
def test_a_byte_order_mark_counts_first(codec: str, charset: str) -> None:
    """And it is no part of the title or the text."""
    html = "\ufeff<html><title>\ufeffné</title><p>\ufeffné 漢\ufeff &#xFEFF;</p>"
    page = page_of(html.encode(codec), charset)
    assert (page.title, page.text, page.replaced) == ("né", "né 漢", 0)


@pytest.mark.parametrize(
    "charset", ["utf-16", "utf-16be", "iso-8859-1", "gbk", "iso-2022-jp", "hz"]
)
def test_a_page_in_utf_8_is_read_so_whatever_is_declared(charset: str) -> None:
    """Servers declare one charset for all pages."""
    assert page_of("<p>né 漢字".encode(), charset).text == "né 漢字"


def test_the_header_counts_before_the_page() -> None:
    """As in browsers; a page whose text it does not fit is read as it says itself."""
    page = '<meta charset="windows-1252"><p>Łódź'.encode("iso-8859-2")
    assert page_of(page, "iso-8859-2").text == "Łódź"
    page = ('<meta charset="windows-1251"><p>' + "Привет, мир. " * 9).encode("windows-1251")
    assert page_of(page, "utf-8").text.startswith("Привет, мир.")


@pytest.mark.parametrize(
    ("charset", "before", "bad", "after"),
    [
        ("utf-8", "né ", b"\xff", "漢字"),
        ("utf-8", "né ", b"\xc3", "漢字"),
        ("shift_jis", "こん", b"\xff", "にちは"),
        ("euc-jp", "こん", b"\xff", "にちは"),
        ("gb2312", "你好", b"\xff", "世界"),
        ("big5", "你好", b"\xff", "世界"),
        ("euc-kr", "안녕", b"\xff", "하세요"),
        ("iso-2022-jp", "こん", b"\xff", "にちは"),
        ("iso-2022-jp", "こん", b"\x1b$B\x24", "にちは"),
        ("windows-1251", "При", b"\x98", "вет"),
        ("utf-16le", "né", b"\x00\xd8", "漢字"),
        ("utf-16be", "né", b"\xd8\x00", "漢字"),
    ],
)
def test_a_wrong_byte_costs_one_character(
    charset: str, before: str, bad: bytes, after: str
) -> None:
    """The rest of the page is read as before."""
    codec = codec_of(charset)
    filler = "<p>" + "x " * 200
    payload = (filler + before).encode(codec) + bad + (after + "</p><p>end").encode(codec)
    page = page_of(payload, charset)
    assert page.text.endswith(f"{before}\ufffd{after}\n\nend")
    assert page.replaced == 1


@pytest.mark.parametrize("charset", ["utf-8", "shift_jis", "euc-jp", "gb2312", "big5", "utf-16be"])
def test_a_character_that_is_cut_at_the_end(charset: str) -> None:
    """Common Crawl cuts pages at a number of bytes; one character is replaced."""
    payload = ("<p>" + "x " * 200 + "漢漢").encode(codec_of(charset))
    page = page_of(payload[:-1], charset)
    assert (page.text[-2:], page.replaced) == ("漢\ufffd", 1)


def test_utf_8_with_a_wrong_byte_that_nothing_declares() -> None:
    """It is told from other encodings by the bytes that are right."""
    assert decode_html("é".encode() * 5 + b"\xff") == ("ééééé\ufffd", 1)
    assert decode_html(b"<p>Caf\xe9 Gen\xe8ve, tr\xe8s cher, d\xe9j\xe0 vu </p>") == (
        "<p>Café Genève, très cher, déjà vu </p>",
        0,
    )


def test_a_page_in_english_whose_header_is_wrong() -> None:
    """One letter of Windows-1252 is no sign of UTF-8; a character cut at the end is."""
    page = b"<p>" + b"word " * 99
    assert decode_html(page + b"caf\xe9.", "utf-8") == (page.decode() + "café.", 0)
    assert decode_html(page + b"caf\xc3", "utf-8") == (page.decode() + "caf\ufffd", 1)


def test_every_label_has_a_codec() -> None:
    """The 220 labels of the standard that name an encoding, none of them twice."""
    labels = [label for labels in charsets.LABELS.values() for label in labels.split()]
    assert len(labels) == len(set(labels)) == len(charsets.CODECS)
    for label in labels:
        assert b"a".decode(codec_of(f" {label.upper()}\n"), "replace") in {"a", "\ufffd"}
    assert {codec_of(x) for x in ("latin1", "ascii", "iso-8859-1", "cp1252")} == {"cp1252"}
    assert codec_of("utf-7") == codec_of("rot13") == codec_of("") == ""
