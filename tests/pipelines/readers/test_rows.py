"""Framing apart from conversion: no content of a record can end a file (engine finding F2)."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from pipelines.github import records as github
from pipelines.readers import warc, wet
from pipelines.readers.rows import BadRow, convert_each
from pipelines.samples.dumps import WikiPage, whole_xml
from pipelines.wikipedia import records as wikipedia
from tests.pipelines.readers.archives import conversion, packed
from tests.pipelines.readers.exports import FORMATS, export
from tests.pipelines.readers.test_warc import response


@dataclass
class Raw:
    """A raw record."""

    row: int
    data: Any


def number(raw: Raw) -> float | None:
    """Raise what the data asks for, else convert it."""
    if isinstance(raw.data, BaseException):
        raise raw.data
    return 1 / raw.data if raw.data != 4 else None


def test_a_record_that_cannot_be_converted_is_a_bad_row() -> None:
    """It has its place and the name of the error; the others are converted or left out."""
    records = [Raw(0, 0), Raw(1, 2), BadRow(2, "framed", ""), Raw(3, 4), Raw(4, "x"), Raw(5, 5)]
    assert list(convert_each(records, number)) == [
        BadRow(0, "failed:ZeroDivisionError", "division by zero"),
        0.5,
        BadRow(2, "framed", ""),
        BadRow(4, "failed:TypeError", "unsupported operand type(s) for /: 'int' and 'str'"),
        0.2,
    ]


@pytest.mark.parametrize("error", [OSError, ConnectionError, MemoryError, ImportError])
def test_what_the_machine_lacks_is_no_verdict_on_a_record(error: type[Exception]) -> None:
    """It is raised, so that the unit fails and is tried again."""
    with pytest.raises(error):
        list(convert_each([Raw(0, error())], number))


class BrokenError(Exception):
    """What no reader expects."""


def _wet() -> io.BytesIO:
    return io.BytesIO(packed(conversion(number=0), conversion(number=1)))


def _warc() -> io.BytesIO:
    return io.BytesIO(packed(response(), response()))


def _dump() -> io.BytesIO:
    return io.BytesIO(whole_xml("enwiki", [WikiPage(i, f"T{i}", "x") for i in (1, 2)]))


def _table() -> io.BytesIO:
    row = {"repo_name": "a/b", "path": "x", "id": "aa", "license": "mit", "language": []}
    return export([row, row], "json")


Reader = Callable[[io.BytesIO, str], Iterator[Any]]
READERS: list[tuple[Any, str, Reader, Callable[[], io.BytesIO]]] = [
    (wet, "decode", wet.read_wet, _wet),
    (wet, "is_url", wet.read_wet, _wet),
    (wet, "split_title", wet.read_wet, _wet),
    (warc, "is_url", warc.read_warc, _warc),
    (warc, "_payload", warc.read_warc, _warc),
    (warc, "decode_html", warc.read_warc, _warc),
    (wikipedia, "Page", wikipedia.read_pages, _dump),
    (github, "values_of", github.read_files, _table),
    (github, "_integer", github.read_files, _table),
    (github, "LicenseRow", github.read_licenses, _table),
    (github, "_languages", github.read_languages, _table),
]


@pytest.mark.parametrize(("module", "part", "read", "make"), READERS)
def test_no_part_of_a_conversion_can_end_a_file(
    module: Any,
    part: str,
    read: Reader,
    make: Callable[[], io.BytesIO],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever raises in it, both records are named."""

    def fail(*_: Any, **__: Any) -> None:
        raise BrokenError("no")

    monkeypatch.setattr(module, part, fail)
    assert list(read(make(), "x")) == [
        BadRow(0, "failed:BrokenError", "no"),
        BadRow(1, "failed:BrokenError", "no"),
    ]


@pytest.mark.parametrize(
    "url",
    [
        "http://[bad/",
        "http://bad]/",
        "http://[::1",
        "http://[1.2.3.4]/",
        "http://example.com\uff0fx",
        "http://a\u2100b/",
    ],
)
def test_a_url_that_cannot_be_split_is_named(url: str) -> None:
    """In WET and in WARC files; ``netloc`` of all others does not raise."""
    data = packed(conversion(url="http://a.b:80/[1]"), conversion(url=url), conversion(number=2))
    good, bad, other = wet.read_wet(io.BytesIO(data), "x")
    assert bad == BadRow(1, "bad_url", url)
    assert [good.netloc, other.netloc] == ["a.b:80", "example.com"]  # type: ignore[union-attr]
    (page,) = warc.read_warc(io.BytesIO(packed(response(WARC_Target_URI=url))), "x")
    assert page == BadRow(0, "bad_url", url)


@pytest.mark.parametrize("form", FORMATS)
def test_nul_in_a_name_is_named(form: str) -> None:
    """No repository and no path can have it; a text may."""
    row = {"repo_name": "a/b", "path": "x", "id": "aa", "content": "a\0b", "size": 3}
    table = [row, {**row, "path": "x\0y"}, {**row, "repo_name": "a/b\0"}]
    bad = [
        BadRow(1, "bad_name", r"NUL in 'a/b' 'x\x00y'"),
        BadRow(2, "bad_name", r"NUL in 'a/b\x00' 'x'"),
    ]
    for read in (github.read_files, github.read_blobs):
        first, *others = read(export(table, form), "x")
        assert others == bad
        assert not isinstance(first, BadRow)
    sampled = [{"id": "aa", "content": "x", "sample_repo_name": "a", "sample_path": "\0"}]
    assert list(github.read_blobs(export(sampled, form), "x")) == [
        BadRow(0, "bad_name", r"NUL in 'a' '\x00'")
    ]
    licenses = [{"repo_name": "a\0", "license": "mit", "language": []}]
    for read_names in (github.read_licenses, github.read_languages):
        (named,) = read_names(export(licenses, form), "x")
        assert named == BadRow(0, "bad_name", r"NUL in 'a\x00'")


@pytest.mark.parametrize(
    ("element", "name"),
    [("<ns>0</ns>", "ns"), ("<id>2</id>", "id"), ("<id>2000</id>", "revision id")],
)
def test_a_number_of_5000_digits_is_named(element: str, name: str) -> None:
    """In place of the page; the others are read."""
    text = whole_xml("enwiki", [WikiPage(i, f"T{i}", "x") for i in (1, 2, 3)]).decode()
    start = text.index("<title>T2")
    end = text.index("<title>T3")
    tag = element.partition(">")[0] + ">"
    huge = element.replace(tag, tag + "9" * 5000)
    assert element in text[start:end]
    data = text[:start] + text[start:end].replace(element, huge) + text[end:]
    found = list(wikipedia.read_pages(io.BytesIO(data.encode()), "x"))
    digits = 5000 + len(element) - 2 * len(tag) - 1
    bad = BadRow(1, "bad_number", f"{name} of {digits} characters, page T2")
    assert [found[0].row, found[1], found[2].row] == [0, bad, 2]


def test_a_namespace_key_of_5000_digits_is_passed_over() -> None:
    """It stands in the head of the dump, which is framed and not converted."""
    data = whole_xml("enwiki", [WikiPage(1, "T", "x")])
    data = data.replace(b'<namespace key="1"', b'<namespace key="' + b"1" * 5000 + b'"')
    assert b"1" * 5000 in data
    site = wikipedia.read_siteinfo(io.BytesIO(data), "x")
    assert 1 not in site.namespaces
    assert 0 in site.namespaces
    (page,) = wikipedia.read_pages(io.BytesIO(data), "x", site)
    assert isinstance(page, wikipedia.Page)
