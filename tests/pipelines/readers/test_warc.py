"""The WARC reader: which responses are pages, and their text."""

import gzip
import io
import os
import sys
import types
from collections import Counter
from pathlib import Path

import pytest

from pipelines.readers import warc
from pipelines.readers.warc import BadRow, ExtractorError, WetPage, load_extractor, read_warc
from pipelines.readers.wet import read_wet
from tests.pipelines.readers.archives import packed, record

DATA = Path(os.environ.get("CORPUSMILL_DATA") or Path(__file__).parents[4] / "shared" / "data")
CRAWL = DATA / "commoncrawl"
HTML = b"<html><head><title> A\n page </title></head><body><p>One &amp; two</p><p>Three</p></body>"
HEADERS = {
    "WARC-Target-URI": "<http://example.com/>",
    "WARC-Date": "2020-01-01T00:00:00Z",
    "WARC-Record-ID": "<urn:uuid:1>",
    "WARC-Payload-Digest": "sha1:PAYLOAD",
    "WARC-Block-Digest": "sha1:BLOCK",
    "WARC-Identified-Payload-Type": "text/html",
    "Content-Type": "application/http; msgtype=response",
}


def response(
    payload: bytes = HTML,
    http: str = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n",
    **headers: str,
) -> bytes:
    """Write a response; ``headers`` by name with "_" for "-", "" leaves one out."""
    changed = HEADERS | {name.replace("_", "-"): value for name, value in headers.items()}
    return record("response", http.encode() + payload, changed)


def read(*records: bytes, extractor: str = "resiliparse") -> list[WetPage | BadRow]:
    """Read a file of these records."""
    return list(read_warc(io.BytesIO(packed(*records)), "x.warc.gz", extractor=extractor))


def test_the_fields_of_a_page() -> None:
    """Title and text of the HTML; the digest is that of the payload."""
    assert read(response(WARC_Identified_Content_Language="eng")) == [
        WetPage(
            row=0,
            url="http://example.com/",
            date="2020-01-01T00:00:00Z",
            digest="sha1:PAYLOAD",
            title="A page",
            text="One & two\n\nThree",
            content_length=len(HTML),
            languages="eng",
            record_id="<urn:uuid:1>",
            extractor="resiliparse",
        )
    ]


def chunked(data: bytes) -> bytes:
    """Write the chunks of HTTP/1.1, of 10 bytes each."""
    pieces = [data[i : i + 10] for i in range(0, len(data), 10)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("payload", "headers"),
    [
        (gzip.compress(HTML), "Content-Encoding: gzip"),
        (chunked(HTML), "Transfer-Encoding: chunked"),
        (chunked(gzip.compress(HTML)), "Transfer-Encoding: chunked\r\nContent-Encoding: gzip"),
        (HTML, "Content-Encoding: gzip"),
        (HTML, "Transfer-Encoding: chunked"),
    ],
)
def test_what_http_wraps_around_a_page_is_removed(payload: bytes, headers: str) -> None:
    """If it is there: crawlers keep such headers also where they unwrapped the page."""
    http = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n{headers}\r\n\r\n"
    (page,) = read(response(payload, http))
    assert isinstance(page, WetPage)
    assert page.text == "One & two\n\nThree"


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (response(WARC_Target_URI=""), "no_url"),
        (response(WARC_Date=""), "no_date"),
        (record("", HTML, HEADERS), "no_type"),
        (response(Content_Type="text/dns"), "not_http"),
        (response(http="HTTP/1.1 404 Not Found\r\n\r\n"), "http_status"),
        (response(http="HTTP/1.1 301 Moved\r\nLocation: /b\r\n\r\n"), "http_status"),
        (response(WARC_Identified_Payload_Type="image/png"), "not_html"),
        (response(b"x" * (warc.MAX_HTML_BYTES + 1)), "too_large"),
        (response(b"<html><body>\x81\x8d\x8f" * 9), "bad_encoding"),
        (response(b""), "no_text"),
        (response(b"<html><script>x</script></html>"), "no_text"),
        (b"no record at all", "garbage"),
    ],
)
def test_what_is_no_page_has_its_reason(bad: bytes, reason: str) -> None:
    """And those around it are read."""
    rows = read(response(), bad + b"\r\n\r\n", response())
    assert [row.reason if isinstance(row, BadRow) else row.row for row in rows] == [0, reason, 2]


@pytest.mark.parametrize(
    ("payload", "content_type", "is_page"),
    [
        (HTML, "text/html; charset=utf-8", True),
        (HTML, "application/xhtml+xml", True),
        (HTML, "", True),
        (b"\n<!-- x --><!DOCTYPE HTML><p>a", "", True),
        (b"plain text", "", False),
        (HTML, "text/plain", False),
    ],
)
def test_older_crawls_do_not_identify_the_payload(
    payload: bytes, content_type: str, is_page: bool
) -> None:
    """What the server said counts, or how the page starts."""
    http = "HTTP/1.1 200 OK\r\n" + (content_type and f"Content-Type: {content_type}\r\n") + "\r\n"
    (row,) = read(response(payload, http, WARC_Identified_Payload_Type=""))
    assert isinstance(row, WetPage) is is_page


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "windows-1251", "shift_jis", "gb18030"])
def test_encodings(encoding: str) -> None:
    """UTF-8 first, then what the page says of itself."""
    words = {"windows-1251": "Привет, мир", "shift_jis": "こんにちは", "gb18030": "你好世界"}
    word = words.get(encoding, "né 漢")
    html = f'<html><head><meta charset="{encoding}"></head><body>{word}</body></html>'
    (page,) = read(response(html.encode(encoding)))
    assert isinstance(page, WetPage)
    assert page.text == word


@pytest.mark.parametrize(
    "bomb",
    [b"<div>" * 900_000, b"<table><tr><td>" * 100_000, b"<p " + b"a=1 " * 900_000 + b">"],
    ids=["deep", "tables", "attributes"],
)
def test_a_page_made_to_break_parsers(bomb: bytes) -> None:
    """It ends in a row like others."""
    (row,) = read(response(bomb + b"text"))
    assert isinstance(row, WetPage | BadRow)


def test_a_small_response_that_unpacks_to_a_large_one() -> None:
    """No more of it is unpacked than a page may have."""
    http = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\n\r\n"
    (row,) = read(response(gzip.compress(bytes(50 << 20)), http))
    assert isinstance(row, BadRow)
    assert row.reason == "too_large"


def test_other_records_are_noted() -> None:
    """Requests and metadata are no documents."""
    notes: Counter[str] = Counter()
    data = packed(record("request", b"GET /", HEADERS), response(), record("metadata", b"", {}))
    assert len(list(read_warc(io.BytesIO(data), "x", notes=notes))) == 1
    assert notes == {"request_records": 1, "metadata_records": 1}


def test_an_extractor_that_is_not_there_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any page is read."""
    with pytest.raises(ExtractorError, match="no extractor 'bs4': choose resiliparse or"):
        load_extractor("bs4")
    monkeypatch.setitem(sys.modules, "trafilatura", None)
    with pytest.raises(ExtractorError, match="pip install trafilatura"):
        load_extractor("trafilatura")


def test_another_extractor(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is called as FineWeb calls it, and named; a failure costs the page only."""

    def extract(html: str, *, favor_precision: bool, include_comments: bool) -> str | None:
        if "Three" in html:
            raise RecursionError
        return None if "Two" in html else f"{favor_precision} {include_comments}"

    module = types.ModuleType("trafilatura")
    module.extract = extract  # type: ignore[attr-defined] # stands in for the library
    monkeypatch.setitem(sys.modules, "trafilatura", module)
    rows = read(
        *(response(b"<p>" + word) for word in (b"One", b"Two", b"Three")), extractor="trafilatura"
    )
    assert [(r.text, r.extractor) if isinstance(r, WetPage) else r.reason for r in rows] == [
        ("True False", "trafilatura"),
        "no_text",
        "extractor_failed",
    ]


@pytest.mark.data
@pytest.mark.skipif(not CRAWL.is_dir(), reason="no crawl files beside the project")
@pytest.mark.parametrize(
    ("name", "pages", "bad"),
    [
        ("whirlwind.warc.gz", 1, {}),
        ("dolma-sample-0000.warc.gz", 22, {}),
        (
            "aut-example.warc.gz",
            93,
            {"not_http": 38, "http_status": 47, "not_html": 120, "no_text": 1},
        ),
    ],
)
def test_files_of_three_crawlers(name: str, pages: int, bad: dict[str, int]) -> None:
    """Common Crawl's, wget's and Heritrix's: every response is a page or has its reason."""
    with (CRAWL / "verbatim" / name).open("rb") as stream:
        rows = list(read_warc(stream, name))
    reasons = Counter(row.reason for row in rows if isinstance(row, BadRow))
    assert (len(rows) - reasons.total(), dict(reasons)) == (pages, bad)


def test_a_few_wrong_bytes_are_replaced() -> None:
    """And counted, as in WET files (spec web 2.5)."""
    (page,) = read(response(b"<html><body>" + b"caf\xc3\xa9 " * 99 + b"caf\xff</body>"))
    assert isinstance(page, WetPage)
    assert (page.text[-7:], page.replaced) == ("fé caf\ufffd", 1)


@pytest.mark.data
@pytest.mark.skipif(not CRAWL.is_dir(), reason="no crawl files beside the project")
def test_html_and_wet_of_the_same_pages() -> None:
    """Nearly all words of a page are in both; they differ in alternative texts and the like."""
    words = {}
    for path in CRAWL.glob("*.warc.wet.gz"):
        with path.open("rb") as stream:
            for page in read_wet(stream, path.name):
                assert isinstance(page, WetPage)
                words[page.url] = Counter(f"{page.title} {page.text}".split())
    with (CRAWL / "web-00000.warc.gz").open("rb") as stream:
        pages = [row for row in read_warc(stream, "x") if isinstance(row, WetPage)]
    shares = []
    for page in pages:
        found, expected = Counter(page.text.split()), words[page.url]
        shares.append(2 * (found & expected).total() / (found.total() + expected.total()))
    assert len(pages) == 380
    assert sum(share > 0.9 for share in shares) > 350
