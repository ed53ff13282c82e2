"""The pages of a crawl's files: framed by a reader, converted to documents (web 2)."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from pipelines.engine.documents import Document
from pipelines.engine.passes import Converter
from pipelines.engine.steps import Verdicts
from pipelines.engine.units import Part, Unit
from pipelines.readers.rows import BadRow
from pipelines.readers.warc import read_warc
from pipelines.readers.wet import WetPage, read_wet
from pipelines.storage.listing import open_web_input

WARC = "warc"  # kinds of unit
WET = "wet"


def kind_of(path: str) -> str:
    """Tell WET files from WARC files by their name."""
    return WARC if ".warc" in path and ".wet" not in path else WET


@dataclass(frozen=True)
class PageReader:
    """How the files of a crawl are read."""

    extractor: str = "resiliparse"  # makes text of HTML
    line_based: bool = False  # split WET files by lines, as cc_net does

    def records(self, unit: Unit, part: Part, notes: Counter[str]) -> Iterator[WetPage | BadRow]:
        """Yield the pages of a file; what was repaired is counted in ``notes``."""
        with open_web_input(part.path) as stream:
            if unit.kind == WARC:
                yield from read_warc(stream, part.path, extractor=self.extractor, notes=notes)
            else:
                yield from read_wet(stream, part.path, line_based=self.line_based, notes=notes)

    def converter(self, unit: Unit, _verdicts: Verdicts, _notes: Counter[str]) -> Converter:
        """Return the function that makes a document of a page of this unit."""
        return partial(document_of, unit)

    def pages(self, unit: Unit) -> Iterator[WetPage]:
        """Yield the pages of a unit that can be read."""
        notes = Counter[str]()
        for part in unit.parts:
            for page in self.records(unit, part, notes):
                if not isinstance(page, BadRow):
                    yield page


def document_of(unit: Unit, page: WetPage) -> Document:
    """Return the document of a page (2.3)."""
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
