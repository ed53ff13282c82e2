"""The catalogues of Project Gutenberg: language, rights, type and title of an ebook.

``rdf-files.tar.bz2`` holds ``cache/epub/N/pgN.rdf``; ``pg_catalog.csv`` is a table without rights;
``metadata.csv`` of PG-19 has id, title, year and url (docs/rules/sources.md 3.1).
"""

import csv
import io
import re
import tarfile
import xml.etree.ElementTree as ET
from typing import Any, Final

from pipelines.engine.errors import RunError
from pipelines.readers.rows import UnreadableFile
from pipelines.storage import files as storage

Facts = dict[str, Any]  # of one ebook: JSON values
CATALOGUE_NAMES: Final = ("pg_catalog.csv", "rdf-files.tar.bz2", "metadata.csv")
MAX_RDF_BYTES: Final = 4 << 20  # of one ebook; most have 10 kB
MAX_FIELD_CHARS: Final = 1 << 20

_TERMS: Final = "{http://purl.org/dc/terms/}"
_PG: Final = "{http://www.gutenberg.org/2009/pgterms/}"
_RDF: Final = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_RDF_NAME: Final = re.compile(r"(?:^|/)pg(\d+)\.rdf$")


def read_catalogue(path: str) -> dict[str, Facts]:
    """Return what a catalogue says of each ebook, by its number.

    Raises:
        RunError: it cannot be read, or is none of the three.
    """
    try:
        if path.endswith(".csv"):
            found = _of_table(storage.read_bytes(path).decode("utf-8-sig", "replace"))
        elif ".tar" in storage.basename(path):
            found = _of_archive(path)
        else:
            raise RunError(
                f"--catalog={path}: give rdf-files.tar.bz2, pg_catalog.csv or PG-19's metadata.csv."
            )
    except (UnreadableFile, OSError, tarfile.TarError, EOFError, csv.Error) as error:
        raise RunError(
            f"cannot read the catalogue {path} ({error}): fetch it again, or run without it."
        ) from error
    if not found:
        raise RunError(f"the catalogue {path} names no ebook: fetch it again, or run without it.")
    return found


def _of_archive(path: str) -> dict[str, Facts]:
    found: dict[str, Facts] = {}
    with storage.open_input(path) as stream, tarfile.open(fileobj=stream, mode="r|*") as archive:
        for member in archive:
            name = _RDF_NAME.search(member.name)
            if not name or not member.isfile() or member.size > MAX_RDF_BYTES:
                continue
            data = archive.extractfile(member)
            if data and (facts := facts_of_rdf(data.read())):
                found[name[1]] = facts
    return found


def facts_of_rdf(data: bytes) -> Facts:
    """Return what an RDF file says of its ebook; nothing where it is no XML."""
    try:
        root = ET.fromstring(data)  # noqa: S314 - expat of today bounds what entities expand to
    except ET.ParseError:
        return {}
    book = root.find(f"{_PG}ebook")
    if book is None:
        return {}

    def text(path: str) -> str:
        found = book.find(path)
        return " ".join((found.text or "").split()) if found is not None else ""

    def values(name: str, namespace: str = _TERMS) -> list[str]:
        path = f"{namespace}{name}//{_RDF}value"
        return [" ".join((found.text or "").split()) for found in book.findall(path)]

    languages = values("language")
    return _known(
        title=text(f"{_TERMS}title"),
        author=text(f"{_TERMS}creator/{_PG}agent/{_PG}name"),
        lang=languages[0] if languages else "",
        languages=languages if len(languages) > 1 else [],
        rights=text(f"{_TERMS}rights"),
        kind="; ".join(values("type")[:1]),
        created=text(f"{_TERMS}issued"),
        bookshelves=values("bookshelf", _PG),
    )


def _of_table(text: str) -> dict[str, Facts]:
    csv.field_size_limit(MAX_FIELD_CHARS)
    rows = csv.reader(io.StringIO(text, newline=""))
    head = next(rows, [])
    if "Text#" in head:
        return dict(map(_of_catalogue_row, (dict(zip(head, row, strict=False)) for row in rows)))
    found = {}
    for row in (head, *rows):  # PG-19 has no head
        if len(row) >= 4 and row[0].strip().isdigit():
            number, title, year, url = (value.strip() for value in row[:4])
            found[number] = _known(title=title, year=year, url=url)
    return found


def _of_catalogue_row(row: dict[str, str]) -> tuple[str, Facts]:
    languages = [name.strip() for name in row.get("Language", "").split(";") if name.strip()]
    shelves = [name.strip() for name in row.get("Bookshelves", "").split(";") if name.strip()]
    return row["Text#"].strip(), _known(
        title=" ".join(row.get("Title", "").split()),
        author=row.get("Authors", ""),
        lang=languages[0] if languages else "",
        languages=languages if len(languages) > 1 else [],
        kind=row.get("Type", ""),
        created=row.get("Issued", ""),
        bookshelves=shelves,
    )


def _known(**values: Any) -> Facts:
    return {name: value for name, value in values.items() if value}
