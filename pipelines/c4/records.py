"""The pages of C4: rows of its published files, or records of WET files, as documents."""

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from filters.c4.pages import HEADER_STARTS, is_validation, normalize_url, page_text
from pipelines.c4.config import C4Config
from pipelines.c4.units import PUBLISHED
from pipelines.engine.documents import Document
from pipelines.engine.kept import KEPT
from pipelines.engine.passes import Converter, Notes
from pipelines.engine.steps import Verdicts
from pipelines.engine.units import Part, Unit
from pipelines.readers.archive import Record
from pipelines.readers.jsonlines import JsonLines, values_of
from pipelines.readers.rows import BadRow, Layout, RawRow, Source, clip, decode
from pipelines.readers.wet import MAX_PAGE_LINES, frame_wet
from pipelines.storage import files as storage

ROW = Layout(("text", "timestamp", "url"))
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
LANGUAGE = re.compile(r"^c4-([a-z]{2,3}(?:-[A-Za-z]+)?)(?:-validation)?\.tfrecord")
# What a reader that goes by lines takes for a header, wherever in a record it stands.
_HEADERS = {
    "WARC-Target-URI:": "url",
    "WARC-Date:": "timestamp",
    "Content-Type:": "content_type",
    "Content-Length:": "content_length",
}


def records(config: C4Config, unit: Unit, part: Part, notes: Notes) -> Iterator[Any]:
    """Yield the records of a file, from memory if an earlier phase has kept them."""
    yield from KEPT.rows(unit, part, notes, partial(_read, config, unit, part, notes))


def _read(config: C4Config, unit: Unit, part: Part, notes: Notes) -> Iterator[Any]:
    with storage.open_input(part.path) as stream:
        if unit.kind == PUBLISHED:
            yield from JsonLines(Source(stream), part.path).rows(ROW)
        else:
            yield from frame_wet(stream, part.path, line_based=config.line_based, notes=notes)


def converter(config: C4Config, unit: Unit, _verdicts: Verdicts, notes: Notes) -> Converter:
    """Return the function that makes a document of a record of this unit."""
    if unit.kind == PUBLISHED:
        found = LANGUAGE.search(storage.basename(unit.path))
        language = found[1] if found else None if config.multilingual else "en"
        return lambda row: published_document(unit, row, language, notes)
    return lambda record: wet_document(unit, record, notes, line_based=config.line_based)


def published_document(
    unit: Unit, row: RawRow, language: str | None, notes: Notes
) -> Document | BadRow:
    """Return the document of a published row, which keeps its text as it stands."""
    assert isinstance(row.data, bytes)
    values = values_of(row.data, row.layout, row.row)
    if isinstance(values, BadRow):
        return values
    (text, timestamp, url), replaced = values
    for name, value in (("text", text), ("url", url)):
        if not isinstance(value, str):
            reason = "missing_field" if value is None else "wrong_type"
            return BadRow(row.row, reason, f"{name}: {clip(repr(value))}")
    if not isinstance(timestamp, str) or not TIMESTAMP.fullmatch(timestamp):
        notes["bad_timestamp"] += 1
        timestamp = None
    if replaced:
        notes["bad_utf8"] += 1
    document = _document(unit, row.row, text, url, timestamp)
    document.lang = language
    return document


def wet_document(
    unit: Unit, record: Record, notes: Notes, *, line_based: bool = False
) -> Document | BadRow:
    """Return the page of a WET record; its first line, the title, is a line like the others.

    Args:
        unit: that the record is of.
        record: as it was framed.
        notes: where to count what was repaired.
        line_based: take lines of the page that look like headers for such.
    """
    row = record.row
    if record.kind != "conversion":
        return BadRow(row, "no_type", f"WARC-Type {record.kind!r}: {clip(record.url)}")
    body, replaced = decode(record.block)
    if body.count("\n") > MAX_PAGE_LINES:
        return BadRow(row, "too_large", f"over {MAX_PAGE_LINES} lines: {clip(record.url)}")
    text = page_text(body)
    headers = {
        "url": record.header(b"warc-target-uri"),
        "timestamp": record.header(b"warc-date"),
        "content_type": record.header(b"content-type"),
        "content_length": record.header(b"content-length"),
    }
    if line_based:
        text = _take_headers(text, headers)
    for name, value in (
        ("url", headers["url"]),
        ("content", text),
        ("timestamp", headers["timestamp"]),
    ):
        if not value:
            notes[f"split-wet-file/filtered:no_{name}"] += 1
            return BadRow(row, f"no_{name}", clip(headers["url"]))
    notes["split-wet-file/passed"] += 1
    if replaced:
        notes["bad_utf8"] += 1
    if record.runs_on and not line_based:
        notes["wrong_length"] += 1
    document = _document(unit, row, text, headers["url"], headers["timestamp"])
    length = headers["content_length"]
    document.meta["content_type"] = headers["content_type"] or None
    document.meta["content_length"] = int(length) if length.isdecimal() else None
    return document


def _take_headers(text: str, headers: dict[str, str]) -> str:
    """Take the lines that look like headers out of a page; what they say replaces the header."""
    kept = []
    for line in text.split("\n"):
        if not line.startswith(HEADER_STARTS):
            kept.append(line)
            continue
        for start, name in _HEADERS.items():
            if line.startswith(start):
                headers[name] = line.removeprefix(start).strip()
    return "\n".join(kept)


def _document(unit: Unit, row: int, text: str, url: str, timestamp: str | None) -> Document:
    """Return a document with the fields that both ways in have."""
    normalized = normalize_url(url)
    return Document(
        f"c4:{unit.extra['stem']}:{row}",
        "c4",
        text,
        url=url,
        created=timestamp,
        meta={
            "content_length": None,
            "content_type": None,
            "dump": unit.extra["dump"],
            "file": unit.extra["file"],
            "normalized_url": normalized,
            "split": "validation" if is_validation(normalized) else "train",
        },
        row=row,
    )
