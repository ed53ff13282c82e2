"""The WET reader: the fields of a page, and every record read or counted whatever is damaged."""

import gzip
import io
import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.readers import archive, members
from pipelines.readers.wet import BadRow, UnreadableFile, WetPage, read_wet, split_title
from tests.pipelines.readers.archives import conversion, packed, record

DATA = Path(os.environ.get("CORPUSMILL_DATA") or Path(__file__).parents[4] / "shared" / "data")
CRAWL = DATA / "commoncrawl"
CASES = DATA.parent / "conformance" / "web_ccnet_wet.jsonl"

RECORDS = [conversion(b"Title\nText %d\n" % i, i) for i in range(5)]
MEMBERS = [packed(record) for record in RECORDS]
PLAIN = b"".join(RECORDS)
PACKED = b"".join(MEMBERS)
WARCINFO = record("warcinfo", b"format: WARC File Format 1.0\r\n", {"WARC-Filename": "x"})


def rows(data: bytes, **options: Any) -> list[str]:
    """Read a file; returns the number of each page (its record id), or the reason of a bad row."""
    found = list(read_wet(io.BytesIO(data), "x.warc.wet.gz", **options))
    assert [row.row for row in found] == list(range(len(found)))
    return [
        row.reason if isinstance(row, BadRow) else row.record_id.removeprefix("<urn:uuid:")[:-1]
        for row in found
    ]


def pages(data: bytes, **options: Any) -> list[WetPage]:
    """Read a file that has only pages."""
    found = list(read_wet(io.BytesIO(data), "x.warc.wet.gz", **options))
    assert [row for row in found if isinstance(row, BadRow)] == []
    return [row for row in found if isinstance(row, WetPage)]


def test_the_fields_of_a_page() -> None:
    """The first line is the title; the lines are stripped; headers stand as they are."""
    body = b" Title \n one\t\n\n two\n"
    (page,) = pages(packed(conversion(body, url="http://a.b:80/c d", languages="eng,fra")))
    assert page == WetPage(
        row=0,
        url="http://a.b:80/c",
        date="2020-01-01T00:00:00Z",
        digest="sha1:AAAA",
        title="Title",
        text="one\n\ntwo",
        content_length=20,
        languages="eng,fra",
        record_id="<urn:uuid:0>",
    )


@pytest.mark.parametrize(
    ("body", "title", "text"),
    [
        ("T\na\n", "T", "a"),
        ("T\na", "T", "a\n"),
        ("T\na\n\n", "T", "a\n"),
        ("T\na\n \n", "T", "a\n"),
        ("T\na\n\n\n", "T", "a\n\n"),
        ("T\n", "T", ""),
        ("T", "T", ""),
        ("\na\n", "", "a"),
        ("\n", "", ""),
        ("", "", ""),
        ("T\r\na\r\n", "T", "a"),
        ("T\n\u3000a\xa0\n", "T", "a"),
        ("T\na\rb\x0bc\u2028d\n", "T", "a\rb\x0bc\u2028d"),
    ],
)
def test_title_and_text(body: str, title: str, text: str) -> None:
    """As cc_net, which sees two empty lines after a body, and removes two (spec web 2.3)."""
    assert split_title(body) == (title, text)


def test_headers_are_found_by_name() -> None:
    """In any order and case, folded or repeated: the first one counts."""
    data = (
        b"WARC/1.1\r\ncontent-length: 4\r\nWARC-DATE:2020-01-01T00:00:00Z\r\n"
        b"warc-type: Conversion\r\nX-Note: WARC/1.0\r\nWARC-Target-URI: <http://a/>\r\n"
        b"WARC-Target-URI: http://b/\r\n\r\nT\na\n\r\n\r\n"
    )
    (page,) = pages(data)
    assert (page.url, page.text, page.digest, page.record_id) == ("http://a/", "a", "", "")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(PACKED, id="a member a record"),
        pytest.param(PLAIN, id="not compressed"),
        pytest.param(gzip.compress(PLAIN), id="one member"),
        pytest.param(packed(*re.findall(b"(?s:.{1,100})", PLAIN)), id="members cut anywhere"),
        pytest.param(PLAIN.replace(b"\r\n", b"\n"), id="LF line ends"),
        pytest.param(packed(b"").join(MEMBERS), id="empty members between"),
        pytest.param((b"\0" * 999).join(MEMBERS) + b"\0", id="zeros between members"),
        pytest.param(PLAIN.replace(b"\r\n\r\nWARC", b"\r\nWARC"), id="one line end between"),
        pytest.param(PLAIN[:-4], id="no line ends after the last"),
    ],
)
def test_every_form_of_a_whole_file(data: bytes) -> None:
    """The pages are the same."""
    notes: Counter[str] = Counter()
    assert rows(data, notes=notes) == ["0", "1", "2", "3", "4"]
    assert notes == {}


def test_a_member_that_holds_much_more_than_its_size() -> None:
    """5 MB in 5 kB come in pieces, and the member after it is read."""
    found = pages(packed(RECORDS[0], conversion(b"T\n" + b"x" * 5_000_000, 1), RECORDS[2]))
    assert [len(page.text) for page in found] == [6, 5_000_001, 6]


def test_what_is_no_page_is_counted_beside() -> None:
    """Records of other types are no documents; text that was repaired is noted."""
    notes: Counter[str] = Counter()
    data = packed(WARCINFO, conversion(b"T\ncaf\xe9\n", 1), record("metadata", b"", {}))
    (page,) = pages(data, notes=notes)
    assert (page.row, page.text, page.replaced) == (0, "caf\ufffd", 1)
    assert notes == {"warcinfo_records": 1, "metadata_records": 1, "bad_utf8": 1}


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (conversion(url=""), "no_url"),
        (conversion(date=""), "no_date"),
        (conversion(b""), "no_text"),
        (conversion(b"\n"), "no_text"),
        (conversion(b" \n \n"), "no_text"),
        (record("", b"T\na\n", {}), "no_type"),
        (record("convdrsion", b"T\na\n", {}), "no_type"),
        (b"this is no record", "garbage"),
        (b"WARC/1.0 and then\nnothing", "bad_header"),
    ],
)
@pytest.mark.parametrize("join", [packed, lambda *records: b"".join(records)])
def test_a_bad_record_costs_itself_only(bad: bytes, reason: str, join: Any) -> None:
    """Gzipped or not, those before and after it come out."""
    assert rows(join(RECORDS[0], bad + b"\r\n\r\n", *RECORDS[2:])) == ["0", reason, "2", "3", "4"]


@pytest.mark.parametrize("length", [0, 3, 20, 300, 10**6, 10**12, 10**30, -5])
@pytest.mark.parametrize("join", [packed, lambda *records: b"".join(records)])
def test_a_wrong_length_is_mended(length: int, join: Any) -> None:
    """The page goes on to the next header, and no page is lost (spec web 2.5)."""
    notes: Counter[str] = Counter()
    wrong = conversion(b"Title\nText 1\n", 1, length=length)
    found = pages(join(RECORDS[0], wrong, *RECORDS[2:]), notes=notes)
    assert [page.text for page in found] == [f"Text {i}" for i in range(5)]
    assert [page.runs_on for page in found] == [False, True, False, False, False]
    assert notes == {"wrong_length": 1}


def test_a_header_without_its_end_does_not_hide_the_next() -> None:
    """The record that lacks its body is bad; the one that follows directly is read."""
    cut = RECORDS[1][: RECORDS[1].index(b"\r\n\r\n") + 2]
    assert rows(RECORDS[0] + cut + RECORDS[2]) == ["0", "bad_header", "2"]


@pytest.mark.parametrize("join", [packed, lambda *records: b"".join(records)])
def test_a_record_that_is_cut_does_not_hide_the_next(join: Any) -> None:
    """Even where its text and the next header are on one line."""
    cut = RECORDS[1][:-10]
    assert [page.text for page in pages(join(RECORDS[0], cut, RECORDS[2]))] == [
        "Text 0",
        "T",
        "Text 2",
    ]


def test_a_page_may_quote_a_record() -> None:
    """A length that fits is believed, whatever the page says."""
    quote = b"Title\n" + RECORDS[3].replace(b"\r\n", b"\n")
    for data in (packed(conversion(quote), RECORDS[1]), conversion(quote) + RECORDS[1]):
        assert rows(data) == ["0", "1"]


def test_line_based_reading_splits_at_a_version_line() -> None:
    """As cc_net does (spec web 2.2, fact 4); the rest of the page has no type."""
    data = packed(conversion(b"T\na\rb\n WARC/1.0\nmore\n\n"), RECORDS[1])
    found = list(read_wet(io.BytesIO(data), "x", line_based=True))
    assert [row.text if isinstance(row, WetPage) else row.reason for row in found] == [
        "a\nb",
        "no_type",
        "Text 1",
    ]


def flipped(data: bytes, place: int) -> bytes:
    """Change one byte."""
    return data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :]


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        pytest.param(flipped(MEMBERS[2], 60), "damaged_gzip", id="wrong data"),
        pytest.param(flipped(MEMBERS[2], -6), "damaged_gzip", id="wrong checksum"),
        pytest.param(MEMBERS[2][:40], "damaged_gzip", id="cut off"),
        pytest.param(flipped(MEMBERS[2], 0), "garbage", id="wrong magic"),
        pytest.param(RECORDS[2], "garbage", id="not gzip"),
    ],
)
def test_a_damaged_member_costs_itself_only(member: bytes, reason: str) -> None:
    """The next one is found by its magic."""
    data = b"".join([*MEMBERS[:2], member, *MEMBERS[3:]])
    assert rows(data) == ["0", "1", reason, "3", "4"]


def test_damage_next_to_damage_is_one_bad_row() -> None:
    """Until a record comes out, there is no telling how many are lost."""
    data = b"".join([MEMBERS[0], MEMBERS[1][:40], b"noise", MEMBERS[2][:40], *MEMBERS[3:]])
    assert rows(data) == ["0", "damaged_gzip", "3", "4"]


def test_a_long_damaged_member(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where its start was not kept, the next member is found."""
    monkeypatch.setattr(members, "KEPT_BYTES", 1 << 10)
    monkeypatch.setattr(members, "READ_BYTES", 1 << 10)
    long = bytearray(packed(conversion(b"T\n" + os.urandom(100_000), 1)))
    long[-6] ^= 1
    assert rows(MEMBERS[0] + bytes(long) + MEMBERS[2]) == ["0", "damaged_gzip", "2"]


@pytest.mark.parametrize("join", [packed, lambda *records: b"".join(records)])
def test_a_block_too_long_to_be_read(join: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is passed over without being held."""
    monkeypatch.setattr(archive, "MAX_BLOCK_BYTES", 10_000)
    data = join(RECORDS[0], conversion(b"T\n" + b"x" * 50_000, 1), RECORDS[2])
    assert rows(data) == ["0", "too_large", "2"]


@pytest.mark.parametrize("data", [PACKED[:-20], PACKED[:-3], PLAIN[:-12]])
def test_a_truncated_file_gives_the_records_before_the_cut(data: bytes) -> None:
    """Then one bad row for all that is missing."""
    assert rows(data) == ["0", "1", "2", "3", "truncated_file"]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is empty"),
        (b"<html>Slow down</html>" * 20_000, "is neither gzip nor WARC"),
        (gzip.compress(b"<html>"), "is a gzip file without a WARC record"),
        (flipped(packed(RECORDS[0]), 60), "is a gzip file without a WARC record"),
    ],
)
def test_an_unreadable_file_says_so(data: bytes, problem: str) -> None:
    """With its name, what it is, and what to do."""
    with pytest.raises(UnreadableFile, match=f"^x: {problem}.*: fetch the file again$"):
        list(read_wet(io.BytesIO(data), "x"))


class LostConnection(io.BytesIO):
    """A stream that fails by itself at its end."""

    def read(self, size: int | None = -1) -> bytes:
        """Read, or fail."""
        data = super().read(size)
        if not data:
            raise ConnectionResetError("the store hung up")
        return data


@pytest.mark.parametrize("data", [PLAIN, PACKED, PACKED[:-20]])
def test_an_error_of_the_stream_is_not_the_files(data: bytes) -> None:
    """It is passed on, so that the unit is tried again."""
    with pytest.raises(ConnectionResetError, match="hung up"):
        list(read_wet(LostConnection(data), "x"))


ENDS = [sum(map(len, MEMBERS[: i + 1])) for i in range(len(MEMBERS))]


@settings(deadline=None)  # a busy machine is no failure
@given(st.integers(1, len(PACKED)))
def test_any_cut_keeps_what_is_before_it(cut: int) -> None:
    """All whole members come out, and one bad row tells of the rest."""
    whole = sum(end <= cut for end in ENDS)
    expected = [str(i) for i in range(whole)]
    assert rows(PACKED[:cut]) == expected + ["truncated_file"] * (cut not in ENDS)


@settings(deadline=None)
@given(st.integers(0, len(PACKED) - 1), st.integers(1, 255))
def test_any_wrong_byte_costs_one_record_at_most(place: int, bits: int) -> None:
    """A gzip header has bytes without a meaning; all others are found out."""
    data = bytearray(PACKED)
    data[place] ^= bits
    hit = next(i for i, end in enumerate(ENDS) if place < end)
    found = rows(bytes(data))
    assert len(found) == len(RECORDS)
    assert [row for i, row in enumerate(found) if i != hit] == [
        str(i) for i in range(len(RECORDS)) if i != hit
    ]


@settings(deadline=None)
@given(st.integers(0, len(PLAIN) - 1), st.integers(0, 255), st.integers(1, 50))
def test_no_wrong_bytes_make_the_reader_raise(place: int, byte: int, count: int) -> None:
    """Without compression nothing tells damage, but the records that are not hit come out."""
    data = PLAIN[:place] + bytes([byte]) * count + PLAIN[place + count :]
    size = len(RECORDS[0])
    intact = {str(i) for i in range(5) if (i + 1) * size <= place or i * size >= place + count}
    assert intact <= set(rows(data))


def test_a_header_that_is_wrong_up_to_the_next_costs_no_other_record() -> None:
    """The bytes that end it are gone: the next record is found in the middle of its last line."""
    size = len(RECORDS[0])
    data = PLAIN[: 4 * size - 50] + bytes(50) + PLAIN[4 * size :]
    assert rows(data) == ["0", "1", "2", "bad_header", "4"]


class ShortReads(io.BytesIO):
    """A stream that returns what it likes, as network streams do."""

    def read(self, size: int | None = -1) -> bytes:
        """Read less than asked for."""
        return super().read(min(size or 1, 1 + self.tell() % 97))


FORMS = [PLAIN, PACKED, gzip.compress(PLAIN), packed(*re.findall(b"(?s:.{1,100})", PLAIN))]


@settings(deadline=None)
@given(st.sampled_from(FORMS), st.data())
def test_rows_do_not_depend_on_how_a_stream_returns_its_bytes(data: bytes, draw: Any) -> None:
    """Both passes of a source must see the same rows, of damaged files too."""
    place = draw.draw(st.integers(1, len(data)))
    stop = draw.draw(st.integers(place, min(place + 200, len(data))))
    damaged = data[:place] + draw.draw(st.binary(max_size=20)) + data[stop:]
    try:
        found = list(read_wet(io.BytesIO(damaged), "x"))
    except UnreadableFile as error:
        with pytest.raises(UnreadableFile, match=re.escape(str(error))):
            list(read_wet(ShortReads(damaged), "x"))
        return
    assert list(read_wet(ShortReads(damaged), "x")) == found
    assert [row.row for row in found] == list(range(len(found)))


@pytest.mark.data
@pytest.mark.skipif(not CASES.is_file(), reason="no conformance cases beside the project")
def test_the_pages_that_cc_net_reads() -> None:
    """Its own sample, whose lengths count characters and whose line ends are LF."""
    (case,) = map(json.loads, CASES.read_text("utf-8").splitlines())
    data = case["input"]["wet"].encode()
    for line_based in (False, True):
        found = [
            {
                "url": page.url,
                "date_download": page.date,
                "digest": page.digest,
                "length": page.content_length,
                "nlines": page.text.count("\n") + 1,
                "source_domain": page.url.split("/")[2],
                "title": page.title,
                "raw_content": page.text,
            }
            for page in pages(data, line_based=line_based)
        ]
        assert found == case["expected"]


@pytest.mark.data
@pytest.mark.skipif(not CRAWL.is_dir(), reason="no crawl files beside the project")
def test_every_page_of_real_files_comes_out() -> None:
    """As many as a naive count of version lines and types finds; and both modes agree."""
    total = 0
    for path in sorted(CRAWL.glob("*.warc.wet.gz")):
        data = path.read_bytes()
        with gzip.open(path) as lines:
            naive = sum(line == b"WARC-Type: conversion\r\n" for line in lines)
        found = pages(data)
        assert len(found) == naive
        by_lines = pages(data, line_based=True)
        assert [(page.url, page.text) for page in by_lines if "\r" not in page.text] == [
            (page.url, page.text) for page in found if "\r" not in page.text
        ]
        total += naive
    assert total == 8370
