"""The pages of the sample dumps, where they are beside the project."""

import bz2
import os
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parents[3]
_DATA = Path(os.environ.get("CORPUSMILL_DATA") or _REPOSITORY.parent / "shared" / "data")
DUMPS = sorted((_DATA / "wikipedia").glob("*wiki-*.xml.bz2"))


@dataclass(frozen=True)
class SamplePage:
    """One page of a dump."""

    lang: str
    title: str
    wikitext: str


def sample_pages(dump: Path) -> Iterator[SamplePage]:
    """Yield the pages of a dump, of all namespaces."""
    lang = dump.name.partition("wiki")[0]
    with bz2.open(dump) as file:
        for _, element in ET.iterparse(file):  # noqa: S314  (a file of our own choice)
            if element.tag.endswith("}page"):
                yield SamplePage(
                    lang,
                    element.findtext("{*}title") or "",
                    element.findtext("{*}revision/{*}text") or "",
                )
                element.clear()
