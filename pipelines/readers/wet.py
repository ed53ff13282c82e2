"""Pages of a Common Crawl WET file (docs/rules/web.md 2.2, 2.3 and 2.5).

A page is a `conversion` record as cc_net reads it: the first line of the body is the title, and the
other lines are the text. Bad records are counted by reason; the fields of a page say what was
repaired in it.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO
from urllib.parse import urlsplit

from pipelines.readers.archive import BadRecord, Record, read_records
from pipelines.readers.rows import BadRow, UnreadableFile, clip, convert_each, decode

__all__ = ["BadRow", "UnreadableFile", "WetPage", "frame_wet", "read_wet", "wet_page"]

# The other types of WARC 1.0 and 1.1, section 5.5, are not documents.
OTHER_TYPES = frozenset(
    {"warcinfo", "response", "resource", "request", "metadata", "revisit", "continuation"}
)


MAX_PAGE_LINES = 1 << 20  # of a block of at most 16 MiB; each takes some 60 bytes of memory


@dataclass(slots=True)
class WetPage:
    """One page, with the fields of docs/rules/web.md 2.3."""

    row: int  # number of the record among the documents of its file, from 0, counting bad rows
    url: str  # up to the first space
    date: str  # WARC-Date, unchanged: ISO-8601, UTC
    digest: str  # WARC-Block-Digest, unchanged, e.g. "sha1:..."; "" if there is none
    title: str  # first line of the body, stripped
    text: str  # the other lines, each stripped, joined by "\n"
    content_length: int  # bytes of the body with its title, as Content-Length states
    languages: str  # WARC-Identified-Content-Language, unchanged, e.g. "eng,fra"; newer crawls
    record_id: str
    replaced: int = 0  # how many U+FFFD replaced bytes that were not UTF-8
    runs_on: bool = False  # Content-Length was wrong: the text goes on to the next header
    extractor: str = "wet"  # the program that turned HTML into text

    @property
    def netloc(self) -> str:
        """Return the network location of the url with its port; every url of a page has one.

        >>> WetPage(0, "http://a.org:80/x", "", "", "", "", 0, "", "").netloc
        'a.org:80'
        """
        return urlsplit(self.url).netloc


def read_wet(
    stream: BinaryIO,
    name: str,
    *,
    line_based: bool = False,
    notes: Counter[str] | None = None,
) -> Iterator[WetPage | BadRow]:
    """Read the pages of a WET file, gzipped or not.

    Reasons of bad rows: ``no_url``, ``bad_url``, ``no_date``, ``no_text``, ``no_type``,
    ``too_large``, and those of ``archive.BadRecord``.

    Args:
        stream: the file, at its start; it need not be seekable.
        name: name of the file, for messages.
        line_based: end a record at a line "WARC/1.0", as cc_net does, not by Content-Length.
        notes: a counter of ``bad_utf8``, ``wrong_length``, and the records that are not
            documents, by type, such as ``warcinfo_records``.

    Raises:
        UnreadableFile: there is no record in the file at all.
    """
    notes = Counter() if notes is None else notes
    for page in convert_each(
        frame_wet(stream, name, line_based=line_based, notes=notes),
        partial(wet_page, line_based=line_based),
    ):
        if isinstance(page, WetPage) and (page.replaced or page.runs_on):
            notes.update(page_notes(page))
        yield page


def frame_wet(
    stream: BinaryIO,
    name: str,
    *,
    line_based: bool = False,
    notes: Counter[str] | None = None,
) -> Iterator[Record | BadRow]:
    """Cut a WET file into the records that may be documents, for ``wet_page``.

    Args:
        stream: the file, at its start; it need not be seekable.
        name: name of the file, for messages.
        line_based: see ``read_wet``.
        notes: a counter of the records that are not documents, by type.

    Raises:
        UnreadableFile: there is no record in the file at all.
    """
    row = 0
    for record in read_records(stream, name, by_length=not line_based):
        if isinstance(record, BadRecord):
            yield BadRow(row, record.reason, record.detail)
        elif record.kind in OTHER_TYPES:
            if notes is not None:
                notes[f"{record.kind}_records"] += 1
            continue
        else:
            record.row = row
            yield record
        row += 1


def page_notes(page: WetPage) -> list[str]:
    """Return the names of what was repaired in a page."""
    return ["bad_utf8"] * bool(page.replaced) + ["wrong_length"] * page.runs_on


def wet_page(record: Record, *, line_based: bool = False) -> WetPage | BadRow:
    """Turn a record of ``frame_wet`` into a page, or into a bad row that says why it is none."""
    url, date, row = record.url, record.header(b"warc-date"), record.row
    if problem := _header_problem(record, url, date):
        return problem
    text, replaced = decode(record.block)
    if line_based:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if len(text) > MAX_PAGE_LINES and text.count("\n") > MAX_PAGE_LINES:
        return BadRow(row, "too_large", f"over {MAX_PAGE_LINES} lines: {clip(url)}")
    title, text = split_title(text, runs_on=record.runs_on)
    if not title and not text.strip():
        return BadRow(row, "no_text", clip(url))
    return WetPage(
        row,
        url,
        date,
        record.header(b"warc-block-digest"),
        title,
        text,
        record.content_length,
        record.header(b"warc-identified-content-language"),
        record.header(b"warc-record-id"),
        replaced,
        record.runs_on and not line_based,
    )


def _header_problem(record: Record, url: str, date: str) -> BadRow | None:
    if record.kind != "conversion":
        return BadRow(record.row, "no_type", f"WARC-Type {record.kind!r}: {clip(url)}")
    if not url:
        return BadRow(record.row, "no_url", record.header(b"warc-record-id"))
    if not is_url(url):
        return BadRow(record.row, "bad_url", clip(url))
    return None if date else BadRow(record.row, "no_date", clip(url))


def is_url(url: str) -> bool:
    """Tell whether the standard library can split a url into its parts.

    The library refuses brackets without an IPv6 address, and hosts that Unicode's NFKC would turn
    into another part of a url, such as a host with U+FF0F in it.

    >>> is_url("http://[bad/"), is_url("http://example.com\uff0fx")
    (False, False)
    """
    if url.isascii() and "[" not in url and "]" not in url:
        return True
    try:
        urlsplit(url)
    except ValueError:
        return False
    return True


def split_title(body: str, *, runs_on: bool = False) -> tuple[str, str]:
    r"""Split a body into title and text, with each line stripped.

    cc_net reads the two line ends after a record as lines of it, and removes the last two lines
    if both are empty. So the text of a body that does not end in "\n" ends in "\n".

    Args:
        body: the body of a record.
        runs_on: the body includes those line ends.

    >>> split_title("Title \n one\n\ntwo\n")
    ('Title', 'one\n\ntwo')
    >>> split_title("Title\none")
    ('Title', 'one\n')
    """
    lines = list(map(str.strip, body.split("\n")))
    if not runs_on:
        lines.append("")
    elif not lines[-1]:
        lines.pop()
    if len(lines) > 1 and not lines[-1] and not lines[-2]:
        del lines[-2:]
    return (lines[0] if lines else ""), "\n".join(lines[1:])
