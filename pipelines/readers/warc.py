"""Extract pages of text from the HTML responses of a WARC file (docs/rules/web.md 2.4, an option).

LLaMA read WET files. A page of this module has the same fields as theirs; its ``extractor`` names
the program that turned its HTML into text.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import BinaryIO, Literal

from fastwarc.warc import WarcRecord
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from pipelines.readers.archive import BadRecord, Record, read_records
from pipelines.readers.charsets import MARK, charset_of, decode_html
from pipelines.readers.html_limits import simplify, too_complex
from pipelines.readers.rows import BadRow, UnreadableFile, clip, convert_each
from pipelines.readers.wet import WetPage, is_url, page_notes

__all__ = [
    "BadRow",
    "UnreadableFile",
    "WetPage",
    "frame_warc",
    "load_extractor",
    "read_warc",
    "warc_page",
]

# Common Crawl cuts a page at 1 MiB, and at 5 MiB from 2025 on; longer pages are rejected.
MAX_HTML_BYTES = 5 << 20
SNIFFED_BYTES = 1024
HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
HTML_STARTS = (b"<!doctype html", b"<html", b"<head", b"<body", b"<title")
HTTP_RECORD = b"WARC/1.0\r\nWARC-Type: response\r\nContent-Type: application/http\r\n"
HTTP_HEADER_END = re.compile(rb"\n\r?\n")
BARE_LF = re.compile(rb"(?<!\r)\n")

Extractor = Callable[[str, HTMLTree], str]  # HTML to text, from the page or from its tree


class ExtractorError(ImportError):
    """An extractor is not available on this machine; the message says what to do."""


@cache
def load_extractor(name: str) -> Extractor:
    """Return the extractor that turns HTML into text: ``resiliparse`` or ``trafilatura``.

    Raises:
        ExtractorError: there is no such extractor, or it is not installed.
    """
    if name == "resiliparse":
        return _all_visible_text
    if name != "trafilatura":
        raise ExtractorError(f"no extractor {name!r}: choose resiliparse or trafilatura")
    try:
        from trafilatura import extract  # noqa: PLC0415 -- an option that few install
    except ImportError as error:
        raise ExtractorError(
            "the extractor trafilatura is not installed: pip install trafilatura"
        ) from error

    def main_content(html: str, _: HTMLTree) -> str:
        # FineWeb also removes text that the same process has seen before: then the text of a page
        # would depend on the pages before it.
        return extract(html, favor_precision=True, include_comments=False) or ""

    return main_content


def _all_visible_text(_: str, tree: HTMLTree) -> str:
    return str(extract_plain_text(tree, links=False, main_content=False))


def read_warc(
    stream: BinaryIO,
    name: str,
    *,
    extractor: str = "resiliparse",
    notes: Counter[str] | None = None,
) -> Iterator[WetPage | BadRow]:
    """Read the HTML pages of a WARC file, gzipped or not.

    Reasons of bad rows: ``no_url``, ``bad_url``, ``no_date``, ``no_text``, ``no_type``,
    ``not_http``, ``bad_http``, ``http_status`` (not 200), ``not_html``, ``too_large``,
    ``html_too_complex``, ``bad_encoding``, ``extractor_failed``, and those of
    ``archive.BadRecord``.

    Args:
        stream: the file, at its start; it need not be seekable.
        name: name of the file, for messages.
        extractor: name of the extractor, for ``load_extractor``.
        notes: a counter of ``bad_utf8``, ``wrong_length``, and the records that are not
            responses, by type.

    Raises:
        ExtractorError: see ``load_extractor``.
        UnreadableFile: there is no record in the file at all.
    """
    load_extractor(extractor)
    notes = Counter() if notes is None else notes
    for page in convert_each(
        frame_warc(stream, name, notes=notes), partial(warc_page, extractor=extractor)
    ):
        if isinstance(page, WetPage):
            notes.update(page_notes(page))
        yield page


def frame_warc(
    stream: BinaryIO, name: str, *, notes: Counter[str] | None = None
) -> Iterator[Record | BadRow]:
    """Cut a WARC file into its responses, for ``warc_page``.

    Args:
        stream: the file, at its start; it need not be seekable.
        name: name of the file, for messages.
        notes: a counter of the records that are not responses, by type.

    Raises:
        UnreadableFile: there is no record in the file at all.
    """
    row = 0
    for record in read_records(stream, name):
        if isinstance(record, BadRecord):
            yield BadRow(row, record.reason, record.detail)
        elif record.kind and record.kind != "response":
            if notes is not None:
                notes[f"{record.kind}_records"] += 1
            continue
        else:
            record.row = row
            yield record
        row += 1


class _NoPageError(Exception):
    """A response contains no page; the arguments are the reason and the detail."""


def warc_page(record: Record, *, extractor: str = "resiliparse") -> WetPage | BadRow:
    """Turn a response of ``frame_warc`` into a page, or into a bad row that says why it is none.

    Args:
        record: the response.
        extractor: name of the extractor, for ``load_extractor``.

    Raises:
        ExtractorError: see ``load_extractor``.
    """
    url, row = record.url, record.row
    extract = load_extractor(extractor)
    for needed, reason in (
        (record.kind, "no_type"),
        (url, "no_url"),
        (record.header(b"warc-date"), "no_date"),
    ):
        if not needed:
            return BadRow(row, reason, clip(url))
    if not is_url(url):
        return BadRow(row, "bad_url", clip(url))
    try:
        payload, charset = _payload(record)
        html, replaced = _decode(payload, charset)
        title, text = _title_and_text(html, extract)
    except _NoPageError as problem:
        reason, detail = problem.args
        return BadRow(row, reason, clip(f"{detail} {url}"))
    return WetPage(
        row,
        url,
        record.header(b"warc-date"),
        record.header(b"warc-payload-digest") or record.header(b"warc-block-digest"),
        title,
        text,
        len(payload),
        record.header(b"warc-identified-content-language"),
        record.header(b"warc-record-id"),
        replaced,
        record.runs_on,
        extractor,
    )


def _payload(record: Record) -> tuple[bytes, str]:
    """Return the HTML of a response without its HTTP header and encodings, and its charset."""
    if not record.header(b"content-type").startswith("application/http"):
        raise _NoPageError("not_http", record.header(b"content-type"))
    try:
        status, declared, payload = _unwrap(record.block, "all")
    except (OSError, ValueError):  # some crawlers decode a page but keep its old HTTP header
        try:
            status, declared, payload = _unwrap(record.block, "none")
        except (OSError, ValueError) as error:
            raise _NoPageError("bad_http", str(error)) from error
    if status != 200:
        raise _NoPageError("http_status", str(status))
    kind = record.header(b"warc-identified-payload-type") or declared
    kind = kind.partition(";")[0].strip().lower() or _sniff(payload)
    if kind not in HTML_TYPES:
        raise _NoPageError("not_html", kind)
    if len(payload) > MAX_HTML_BYTES:
        raise _NoPageError("too_large", f"over {MAX_HTML_BYTES} bytes")
    return payload, charset_of(declared)


def _unwrap(block: bytes, encodings: Literal["all", "none"]) -> tuple[int | None, str, bytes]:
    """Return the status, the Content-Type and the content of an HTTP response."""
    block = _with_crlf(block)
    length = b"Content-Length: %d\r\n\r\n" % len(block)
    response = WarcRecord.from_bytes(HTTP_RECORD + length + block)
    response.parse_http(auto_decode=encodings)
    payload = response.reader.read(MAX_HTML_BYTES + 1)
    headers = response.http_headers
    return headers.status_code, headers.get("Content-Type") or "", payload


def _with_crlf(block: bytes) -> bytes:
    r"""Return an HTTP response with CRLF after header lines; RFC 9112, 2.2, also allows LF.

    >>> _with_crlf(b"HTTP/1.1 200 OK\nA: b\n\n<p>\n")
    b'HTTP/1.1 200 OK\r\nA: b\r\n\r\n<p>\n'
    """
    end = HTTP_HEADER_END.search(block)
    if end is None or not BARE_LF.search(block, 0, end.end()):
        return block
    return block[: end.end()].replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") + block[end.end() :]


def _sniff(payload: bytes) -> str:
    start = payload[:SNIFFED_BYTES].lower()
    return "text/html" if any(tag in start for tag in HTML_STARTS) else "unknown"


def _decode(payload: bytes, charset: str) -> tuple[str, int]:
    decoded = decode_html(payload, charset)
    if decoded is None:
        raise _NoPageError("bad_encoding", charset)
    return decoded


def _title_and_text(html: str, extract: Extractor) -> tuple[str, str]:
    if problem := too_complex(html):
        raise _NoPageError("html_too_complex", problem)
    try:
        tree = HTMLTree.parse(simplify(html))
        title = " ".join((tree.title or "").split())
        text = extract(html, tree)
    except Exception as error:
        raise _NoPageError("extractor_failed", f"{type(error).__name__}: {error}") from error
    title, text = title.replace(MARK, ""), text.replace(MARK, "")
    text = "\n".join(map(str.strip, text.split("\n"))).strip("\n")
    if not text:
        raise _NoPageError("no_text", "")
    return title, text
