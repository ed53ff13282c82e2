"""Read the pages of a crawl's files and convert them to documents (docs/rules/web.md 2)."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from pipelines.engine.documents import Document
from pipelines.engine.kept import KEPT
from pipelines.engine.passes import Converter, Notes
from pipelines.engine.steps import Verdicts
from pipelines.engine.units import Part, Unit
from pipelines.joins.keys import Keys
from pipelines.readers.archive import Record
from pipelines.readers.rows import BadRow, convert_one
from pipelines.readers.wet import WetPage, frame_wet, page_notes, wet_page
from pipelines.storage import files as storage

WARC = "warc"  # kinds of unit
WET = "wet"


def kind_of(path: str) -> str:
    """Return whether a file is WET or WARC, by its name."""
    return WARC if ".warc" in path and ".wet" not in path else WET


@dataclass(slots=True)
class HashedPage:
    """A page with the keys of its lines, as the phase that claims leaves it for the next one."""

    page: WetPage
    keys: Keys | None  # None: the page is too short to have any

    @property
    def row(self) -> int:
        """The place of the page in its file."""
        return self.page.row


@dataclass(frozen=True)
class PageReader:
    """How the files of a crawl are read."""

    extractor: str = "resiliparse"  # library that extracts text from HTML
    line_based: bool = False  # split WET files by lines, as cc_net does

    def records(
        self, unit: Unit, part: Part, notes: Notes
    ) -> Iterator[HashedPage | Record | BadRow]:
        """Yield the records of a file that may be pages, or the pages that are kept of it."""
        yield from KEPT.rows(unit, part, notes, partial(self._read, unit, part, notes))

    def _read(self, unit: Unit, part: Part, notes: Notes) -> Iterator[Record | BadRow]:
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

        def convert(record: HashedPage | Record) -> Document | BadRow:
            page = record.page if isinstance(record, HashedPage) else self.page(unit, record)
            if isinstance(page, BadRow):
                return page
            notes.update(page_notes(page))
            return document_of(unit, page)

        return convert

    def hashed(self, unit: Unit, keys_of: Callable[[WetPage], Keys | None]) -> Iterator[HashedPage]:
        """Yield the readable pages of a unit with their keys, and keep them for the next phase."""
        for part in unit.parts:
            with KEPT.keeping(unit, part) as kept:
                for record in self._read(unit, part, kept.notes):
                    page = convert_one(record, partial(self.page, unit))
                    if isinstance(page, WetPage):
                        hashed = HashedPage(page, keys_of(page))
                        kept.add(hashed, sys.getsizeof(page.text) + sys.getsizeof(hashed.keys))
                        yield hashed
                    else:  # kept as it is, so that it fails again in the same way
                        kept.add(record, len(record.block) if isinstance(record, Record) else 0)


def kept_keys(unit: Unit) -> dict[int, Keys]:
    """Return the keys of the pages of a unit that are kept, by the row of the page."""
    (part,) = unit.parts
    kept = KEPT.of(unit, part)
    return {
        row.row: row.keys
        for row in (kept.rows if kept else ())
        if isinstance(row, HashedPage) and row.keys is not None
    }


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
