"""Read the pages of a crawl's files and convert them to documents (docs/rules/web.md 2)."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from pipelines.engine.documents import Document
from pipelines.engine.passes import Converter, Notes
from pipelines.engine.steps import Verdicts
from pipelines.engine.units import Part, Unit
from pipelines.readers.archive import Record
from pipelines.readers.rows import BadRow, convert_each
from pipelines.readers.wet import WetPage, frame_wet, page_notes, wet_page
from pipelines.storage import files as storage

WARC = "warc"  # kinds of unit
WET = "wet"


def kind_of(path: str) -> str:
    """Return whether a file is WET or WARC, by its name."""
    return WARC if ".warc" in path and ".wet" not in path else WET


@dataclass(frozen=True)
class PageReader:
    """How the files of a crawl are read."""

    extractor: str = "resiliparse"  # library that extracts text from HTML
    line_based: bool = False  # split WET files by lines, as cc_net does

    def records(self, unit: Unit, part: Part, notes: Notes) -> Iterator[Record | BadRow]:
        """Yield the records of a file that may be pages."""
        with storage.open_input(part.path) as stream:
            if unit.kind == WARC:
                # Imported here, since most runs read WET files and need no library for HTML.
                from pipelines.readers.warc import frame_warc  # noqa: PLC0415 - as said above

                yield from frame_warc(stream, part.path, notes=notes)
            else:
                yield from frame_wet(stream, part.path, line_based=self.line_based, notes=notes)

    def page(self, unit: Unit, record: Record) -> WetPage | BadRow:
        """Return the page of a record, or a bad record that says why there is none."""
        if unit.kind == WARC:
            from pipelines.readers.warc import warc_page  # noqa: PLC0415 - as above

            return warc_page(record, extractor=self.extractor)
        return wet_page(record, line_based=self.line_based)

    def converter(self, unit: Unit, _verdicts: Verdicts, notes: Notes) -> Converter:
        """Return the function that makes a document of a record of this unit.

        Repairs of pages are counted in ``notes``.
        """

        def convert(record: Record) -> Document | BadRow:
            page = self.page(unit, record)
            if isinstance(page, BadRow):
                return page
            notes.update(page_notes(page))
            return document_of(unit, page)

        return convert

    def pages(self, unit: Unit) -> Iterator[WetPage]:
        """Yield the readable pages of a unit."""
        for part in unit.parts:
            records = self.records(unit, part, Counter())
            for page in convert_each(records, partial(self.page, unit)):
                if not isinstance(page, BadRow):
                    yield page


def document_of(unit: Unit, page: WetPage) -> Document:
    """Return the document of a page (docs/rules/web.md 2.3)."""
    meta: dict[str, Any] = {
        "title": page.title,
        "digest": page.digest,
        "content_length_bytes": page.content_length,
        "source_domain": urlsplit(page.url).netloc,
        "cc_segment": unit.extra["segment"],
        "dump": unit.extra["dump"],
    }
    if page.languages:
        meta["cc_languages"] = page.languages
    if page.extractor != "wet":
        meta["extractor"] = page.extractor
    return Document(
        f"commoncrawl:{unit.extra['stem']}:{page.row}",
        "commoncrawl",
        page.text,
        url=page.url,
        created=page.date,
        meta=meta,
        row=page.row,
    )
