"""Dumps to pages: every format, every cut, and whatever damages them."""

import bz2
import gzip
import io
import itertools
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.readers.rows import BadRow, UnreadableFile
from pipelines.samples.dumps import (
    NAMESPACES,
    WikiPage,
    head_xml,
    multistream,
    page_xml,
    whole_xml,
)
from pipelines.wikipedia.export import SiteInfo
from pipelines.wikipedia.records import Page, read_pages, read_siteinfo

PAGES = [
    WikiPage(12, "Anarchism", "'''Anarchism''' & <ref>order</ref>\n\n== \u00dcber ==\n\U0001f600"),
    WikiPage(13, "Talk:Anarchism", "Hello.", ns=1),
    WikiPage(14, "Anarchy", "#REDIRECT [[Anarchism]]", redirect="Anarchism"),
    WikiPage(15, "Empty", ""),
    WikiPage(16, "Hidden", None),
    WikiPage(17, "Module:Data", "return {}", ns=828, model="Scribunto"),
    WikiPage(18, "Last", "\u0416" * 5000),
]


def _read(data: bytes, **span: int) -> list[Page | BadRow]:
    return list(read_pages(io.BytesIO(data), "dump", **span))  # type: ignore[arg-type] # ints


def _texts(data: bytes, **span: int) -> list[str]:
    """Return titles, and reasons in brackets."""
    return [p.title if isinstance(p, Page) else f"[{p.reason}]" for p in _read(data, **span)]


def _titles(pages: Sequence[WikiPage]) -> list[str]:
    return [page.title for page in pages]


def test_a_page_is_read_whole() -> None:
    """The ids of page, revision and contributor are kept apart; entities are resolved."""
    assert _read(whole_xml("enwiki", PAGES[:1])) == [
        Page(
            row=0,
            page_id=12,
            title="Anarchism",
            namespace=0,
            redirect=None,
            revision_id=12000,
            timestamp="2022-06-01T12:00:00Z",
            model="wikitext",
            text=PAGES[0].text,
        )
    ]


def test_what_decides_on_a_page_is_read() -> None:
    """Namespace, redirect, model, and a text that is empty or deleted (2.2)."""
    pages = [page for page in _read(whole_xml("enwiki", PAGES)) if isinstance(page, Page)]
    assert [(p.namespace, p.redirect, p.model, p.text and p.text[:1]) for p in pages] == [
        (0, None, "wikitext", "'"),
        (1, None, "wikitext", "H"),
        (0, "Anarchism", "wikitext", "#"),
        (0, None, "wikitext", ""),
        (0, None, "wikitext", None),
        (828, None, "Scribunto", "r"),
        (0, None, "wikitext", "\u0416"),
    ]


WHOLE = whole_xml("enwiki", PAGES)
MULTISTREAM = multistream("enwiki", PAGES, pages_per_stream=2)[0]
CUT_ANYWHERE = b"".join(bz2.compress(WHOLE[at : at + 777]) for at in range(0, len(WHOLE), 777))
FORMS = {
    "xml": WHOLE,
    "xml with a byte order mark": b"\xef\xbb\xbf" + WHOLE,
    "xml of version 0.11": whole_xml("enwiki", PAGES, version="0.11"),
    "bz2 of one stream": bz2.compress(WHOLE),
    "bz2 of streams that begin anywhere": CUT_ANYWHERE,
    "bz2 with zeros at its end": bz2.compress(WHOLE) + b"\0" * 512,
    "multistream": MULTISTREAM,
    "gz": gzip.compress(WHOLE),
    "gz of several members": gzip.compress(WHOLE[:999]) + gzip.compress(WHOLE[999:]),
    "prefixed tags": WHOLE.replace(b"<", b"<mw:").replace(b"<mw:/", b"</mw:"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_holds_the_same_pages(form: str) -> None:
    """A reader must not stop at the end of the first stream (2.1)."""
    assert _read(FORMS[form]) == _read(WHOLE)
    assert _titles(PAGES) == _texts(WHOLE)


def _starts(dump: bytes) -> list[int]:
    return [at for at in range(len(dump)) if dump.startswith(b"BZh91AY&SY", at)]


@pytest.mark.parametrize("cuts", [[1], [2], [1, 2, 3], [2, 4], [1, 4]])
def test_ranges_of_streams_hold_the_pages_of_the_file(cuts: list[int]) -> None:
    """Each page once and in order, wherever streams are cut."""
    starts = _starts(MULTISTREAM)
    bounds = [0, *(starts[cut] for cut in cuts), None]
    found = [
        title
        for start, end in itertools.pairwise(bounds)
        for title in _texts(MULTISTREAM, start=start, end=end)  # type: ignore[arg-type] # first is 0
    ]
    assert found == _titles(PAGES)


def test_of_a_history_the_last_revision_counts() -> None:
    """As in pages-meta-history; also where it was deleted."""
    pages = [
        WikiPage(1, "Old", "third", earlier=("first", "second"), revision_id=30),
        WikiPage(2, "Gone", None, earlier=("first",)),
    ]
    found = [page for page in _read(whole_xml("enwiki", pages)) if isinstance(page, Page)]
    assert [(page.text, page.revision_id) for page in found] == [("third", 30), (None, 2000)]


def test_siteinfo_names_the_wiki_and_its_namespaces() -> None:
    """From the first stream of a dump."""
    data = multistream("dewiki", PAGES, {**NAMESPACES, 6: "Datei"})[0]
    site = read_siteinfo(io.BytesIO(data), "dump")
    assert site.dbname == "dewiki"
    assert site.base == "https://de.wikipedia.org/wiki/"
    assert (site.namespaces[6], site.namespaces[0], site.namespaces[-2]) == ("Datei", "", "Media")


def test_an_old_export_tells_the_namespace_by_the_title() -> None:
    """Before version 0.6 pages have no ``<ns>``."""
    data = WHOLE.replace(b"<ns>1</ns>", b"").replace(b"<ns>0</ns>", b"")
    site = SiteInfo(namespaces={1: "Talk", 0: ""})
    found = list(read_pages(io.BytesIO(data), "dump", site))
    assert [p.namespace for p in found if isinstance(p, Page)][:3] == [0, 1, 0]


@pytest.mark.parametrize(
    ("damage", "titles"),
    [
        ((b"</ns>", b"</sn>"), ["[bad_xml]", *_titles(PAGES)[1:]]),
        ((b"&amp;", b"&"), ["[bad_xml]", *_titles(PAGES)[1:]]),
        ((b"  </page>\n", b""), ["[bad_xml]", *_titles(PAGES)[1:]]),
        ((b"<id>12</id>", b""), ["[missing_field]", *_titles(PAGES)[1:]]),
        (
            (b"<title>Anarchism</title>", b"<title></title>"),
            ["[missing_field]", *_titles(PAGES)[1:]],
        ),
        ((b"  <page>", b"<junk><page>"), ["[bad_xml]", *_titles(PAGES)]),
    ],
)
def test_bad_xml_costs_its_page(damage: tuple[bytes, bytes], titles: list[str]) -> None:
    """Reading goes on with the next ``<page>``."""
    assert _texts(WHOLE.replace(*damage, 1)) == titles


def test_a_bad_byte_costs_itself() -> None:
    """U+FFFD for what is not UTF-8, nothing for control characters (0.2, rule 6)."""
    (page,) = _read(whole_xml("enwiki", [WikiPage(1, "A", "caf#!")]).replace(b"#!", b"\xe9\x01"))
    assert isinstance(page, Page)
    assert page.text == "caf\ufffd"


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 1000])
def test_characters_are_whole_wherever_pieces_end(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pieces of any size, which cut characters and tags; also while looking for a page."""
    monkeypatch.setattr("pipelines.readers.compressed._READ_BYTES", size)
    broken = WHOLE.replace(b"<id>13</id>", b"<id>13</di>")
    assert _texts(broken) == ["Anarchism", "[bad_xml]", *_titles(PAGES)[2:]]
    assert _read(broken)[-1] == _read(WHOLE)[-1]


def test_a_damaged_stream_costs_its_pages() -> None:
    """The streams before and after it are whole (2.7); no byte of a damaged block comes through."""
    at = _starts(MULTISTREAM)[2] + 60
    damaged = MULTISTREAM[:at] + b"\xff\x00\xff" + MULTISTREAM[at + 3 :]
    assert _texts(damaged) == [
        *_titles(PAGES)[:2],
        "[damaged_stream]",
        *_titles(PAGES)[4:],
    ]
    detail = next(row.detail for row in _read(damaged) if isinstance(row, BadRow))
    assert detail.startswith(f"stream at byte {_starts(MULTISTREAM)[2]}: ")


@given(st.integers(0, len(MULTISTREAM) - 1), st.integers(1, 255))
def test_no_damaged_byte_comes_through(at: int, change: int) -> None:
    """Whatever byte is changed: every page is one of the dump's, once and in order."""
    damaged = bytearray(MULTISTREAM)
    damaged[at] ^= change
    try:
        found = [page for page in _read(bytes(damaged)) if isinstance(page, Page)]
    except UnreadableFile:  # the file's first bytes
        assert at < 4
        return
    whole = {page.page_id: page for page in _read(WHOLE) if isinstance(page, Page)}
    assert (
        len(found) >= len(PAGES) - 2 or at == 0
    )  # "<": a file that begins like XML is read as such
    assert [page.page_id for page in found] == sorted({page.page_id for page in found})
    assert all(replace(page, row=whole[page.page_id].row) == whole[page.page_id] for page in found)


def test_a_stream_whose_beginning_is_lost_is_passed_over() -> None:
    """What is no stream is not taken for one."""
    at = _starts(MULTISTREAM)[2]
    damaged = MULTISTREAM[:at] + b"????" + MULTISTREAM[at + 4 :]
    assert _texts(damaged) == [*_titles(PAGES)[:2], "[damaged_stream]", *_titles(PAGES)[4:]]


@pytest.mark.parametrize("form", ["xml", "bz2 of one stream", "multistream", "gz"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_truncated_file_counts_as_far_as_it_goes(form: str, share: float) -> None:
    """The pages before the cut, and one bad record for the rest."""
    data = FORMS[form]
    found = _texts(data[: int(len(data) * share)])
    assert found[-1] == "[truncated_file]"
    assert found[:-1] == _titles(PAGES)[: len(found) - 1]


def test_a_file_cut_between_pages_is_truncated_too() -> None:
    """Its root element has no end."""
    assert _texts(WHOLE.removesuffix(b"</mediawiki>\n")) == [*_titles(PAGES), "[truncated_file]"]


def test_a_text_without_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page beyond any real one is bad."""
    monkeypatch.setattr("pipelines.wikipedia.export.MAX_TEXT_CHARS", 4000)
    assert _texts(WHOLE) == [*_titles(PAGES)[:-1], "[too_large]"]


def test_rows_are_numbered_with_the_bad_ones() -> None:
    """A row names a record of its range."""
    rows = [page.row for page in _read(WHOLE.replace(b"&amp;", b"&", 1))]
    assert rows == list(range(len(PAGES)))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it is empty"),
        (b"<html><body></body></html>", "its root element is <html>"),
        (b"BZh9 garbage that is no stream", "no MediaWiki export"),
        (b"\x1f\x8b garbage", "no MediaWiki export"),
        (b"7z\xbc\xaf\x27\x1c and so on", "is 7z: unpack it"),
        (b"some text", "neither bzip2, gzip nor XML"),
    ],
)
def test_a_file_that_is_no_dump_is_unreadable(data: bytes, message: str) -> None:
    """The message says what it is, or what to do."""
    with pytest.raises(UnreadableFile, match=message):
        read_siteinfo(io.BytesIO(data), "dump")


def test_an_error_of_the_store_is_not_damage() -> None:
    """A lost connection must be tried again, not written off (readers/rows)."""

    class Lost(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() >= 1000:
                raise ConnectionError("lost")
            return super().read(min(size or 1000, 1000))

    with pytest.raises(ConnectionError):
        list(read_pages(Lost(MULTISTREAM), "dump"))


def test_head_and_pages_are_what_the_writer_says() -> None:
    """The parts of a multistream dump are those of the whole."""
    parts = head_xml("enwiki", NAMESPACES) + "".join(map(page_xml, PAGES)) + "</mediawiki>\n"
    assert bz2.decompress(MULTISTREAM) == parts.encode() == WHOLE
