"""GitHub's tables as units and documents (docs/rules/sources.md 1.1).

``contents`` has one row per blob, and ``files`` one per path. ``licenses`` and ``languages`` have
facts of repositories. The export of the reference query joins them all into one row per file. With
every export a document is a file, with its path and the facts of its repository.
"""

import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import quote

from filters.github.licenses import spdx_id
from filters.github.paths import language_of
from pipelines.engine.documents import Document
from pipelines.engine.errors import RunError
from pipelines.engine.kept import KEPT, Kept
from pipelines.engine.passes import Converter, Notes
from pipelines.engine.steps import Verdicts
from pipelines.engine.units import Part, Unit, one_per_file, ranges_of
from pipelines.github import records as tables
from pipelines.github.records import Table
from pipelines.joins.claims import RowVerdicts
from pipelines.readers.bigquery import parsed
from pipelines.readers.rows import BadRow, RawRow, UnreadableFile, convert_each, convert_one
from pipelines.storage import files as storage

_TOLD = 3  # unreadable files that an error names
FACTS = (str(Table.LICENSES), str(Table.LANGUAGES))
FILES, CONTENTS, JOINED = str(Table.FILES), str(Table.CONTENTS), str(Table.JOINED)
FACT_COLUMNS = ("license", "languages")  # the facts of a repository
LICENSES, BLOBS = "licenses", "blobs"  # the topics of the two decisions

# The characters that stay as they are in a URL (RFC 3986, 2.3), and those between segments.
UNRESERVED = re.compile("[A-Za-z0-9_.~/-]*")

FileOrBlob = tables.FileRow | tables.BlobRow


# A larger file in Parquet is cut at its row groups into units that are not, or into single groups.
# A row of `files` takes 0.7 kB while its unit claims (measured), so that a unit takes 360 MB.
MAX_UNIT_ROWS = 500_000
MAX_UNIT_BYTES = 512 << 20  # compressed; so that the cores of a machine share a large file


def classify(files: Sequence[storage.InputFile]) -> tuple[list[Unit], dict[str, str]]:
    """Find out which table each input holds.

    Returns:
        the units, one for each file, or several of a large one in Parquet; and the inputs that
        cannot be read, with the reason.

    Raises:
        RunError: the tables do not make up a data set; the message says what is missing.
    """
    sizes: dict[str, list[tuple[int, int]]] = {}  # path -> rows and bytes of each row group

    def kind(file: storage.InputFile) -> str | UnreadableFile:
        name = storage.basename(file.path)
        try:
            with storage.open_input(file.path) as stream:
                found = str(tables.table_of(stream, name))
                sizes[file.path] = tables.group_sizes(stream, name)
        except UnreadableFile as error:
            return error
        return found

    with ThreadPoolExecutor(16) as pool:
        kinds = list(pool.map(kind, files))
    unreadable = {
        file.path: str(k) for file, k in zip(files, kinds, strict=True) if not isinstance(k, str)
    }
    found = [(f, k) for f, k in zip(files, kinds, strict=True) if isinstance(k, str)]
    present = {k for _, k in found}
    if FILES in present and JOINED in present:
        raise RunError(
            "the inputs hold both a `files` table and rows that join contents and files. "
            "Give --input either the tables or the joined export."
        )
    if FILES not in present:  # sample_contents names a repository and a path of each blob
        found = [(f, JOINED if k == CONTENTS else k) for f, k in found]
        present = {k for _, k in found}
    missing = [t for t in (FILES, CONTENTS, str(Table.LICENSES)) if t not in present]
    if JOINED not in present and missing:
        said = list(unreadable.values())
        why = "; ".join(said[:_TOLD]) + (f"; and {len(said) - _TOLD} more" if said[_TOLD:] else "")
        raise RunError(
            f"no {' and no '.join(missing)} table among the {len(files)} inputs"
            + (f" ({why})" if why else "")
            + ". A run needs contents, files and licenses (languages is welcome), or an export "
            "that joins them; name them all with --input."
        )
    units = one_per_file(found)
    return [cut for unit in units for cut in cut_by_groups(unit, sizes[unit.path])], unreadable


def cut_by_groups(unit: Unit, sizes: Sequence[tuple[int, int]]) -> list[Unit]:
    """Cut a unit of one large file into units of row groups; leave a small one as it is.

    Args:
        unit: of one file.
        sizes: rows and bytes of each of its row groups.
    """
    ranges = ranges_of(sizes, MAX_UNIT_ROWS, MAX_UNIT_BYTES)
    if len(ranges) < 2:
        return [unit]
    (part,) = unit.parts
    byte_counts = [sum(size for _, size in sizes[start:end]) for start, end in ranges]
    byte_counts[0] += part.size - sum(byte_counts)  # the footer; together they are the file
    return [
        replace(
            unit,
            name=f"{unit.name}-{number:05d}",
            parts=(replace(part, size=size, start=start, end=end),),
        )
        for number, ((start, end), size) in enumerate(zip(ranges, byte_counts, strict=True))
    ]


def read_table(part: Part, read: Any, **options: Any) -> Iterator[Any]:
    """Yield the rows of a file, or of the row groups of a part of one."""
    if part.end is not None:
        options["groups"] = part.start, part.end
    with storage.open_input(part.path) as stream:
        yield from read(stream, storage.basename(part.path), **options)


def file_url(repo_name: str, ref: str | None, path: str) -> str:
    """Return the page of a file (docs/rules/sources.md 1.7), each segment percent-encoded.

    >>> file_url("a/b", "refs/heads/main", "x y/#.c")
    'https://github.com/a/b/blob/main/x%20y/%23.c'
    """
    branch = (ref or "HEAD").removeprefix("refs/heads/")
    if UNRESERVED.fullmatch(page := f"{repo_name}/blob/{branch}/{path}"):
        return f"https://github.com/{page}"
    parts = [quote(part, safe="") for part in (*repo_name.split("/"), "blob")]
    parts += [quote(part, safe="") for part in (*branch.split("/"), *path.split("/"))]
    return "https://github.com/" + "/".join(parts)


class Repositories:
    """The repositories of a unit, numbered in order of appearance, and their facts."""

    def __init__(self, verdicts: RowVerdicts | None = None) -> None:
        self._verdicts = verdicts
        self._number: dict[str, int] = {}
        self._known: list[tuple[str | None, str | None]] = []

    def meet(self, name: str) -> tuple[str | None, str | None]:
        """Return licence key and languages (JSON) of a repository; None for an unknown fact."""
        number = self._number.setdefault(name, len(self._number))
        if number == len(self._known):
            verdict = self._verdicts[number] if self._verdicts else None
            self._known.append(
                (verdict["license"], verdict["languages"]) if verdict else (None, None)
            )
        return self._known[number]

    def names(self) -> list[str]:
        """Return the names in the order of their numbers."""
        return list(self._number)


def file_rows(unit: Unit, part: Part, *, content: bool) -> Iterator[FileOrBlob | BadRow]:
    """Yield the rows that name a file, without languages, from ``files`` or a joined export.

    Rows of a joined export with their texts are kept for the phase that writes documents.
    """
    if unit.kind == FILES:
        yield from read_table(part, tables.read_files)
    elif not content:
        rows = read_table(part, tables.frame_blobs, content=False)
        yield from convert_each(rows, partial(joined_of, languages=False))
    else:
        with KEPT.keeping(unit, part) as kept:
            rows = _parsed_rows(unit, part, kept)
            yield from convert_each(rows, partial(joined_of, languages=False))


def _parsed_rows(unit: Unit, part: Part, kept: Kept) -> Iterator[RawRow]:
    """Yield the rows of a joined export that can be parsed, and keep all of them."""
    for row in records(unit, part, kept.notes):
        found = convert_one(row, parsed)
        if isinstance(found, RawRow):
            kept.add(found, sum(map(sys.getsizeof, found.data)))
            yield found
        else:  # kept as it is, so that it fails again in the same way
            kept.add(row, sys.getsizeof(row.data) if isinstance(row, RawRow) else 0)


def joined_of(row: RawRow, *, languages: bool = True) -> tables.BlobRow | BadRow:
    """Return a row of a joined export, which must name a file."""
    blob = tables.blob_of(row, languages=languages)
    if isinstance(blob, BadRow) or (blob.repo_name and blob.path):
        return blob
    return BadRow(blob.row, "missing_field", "repo_name or path")


def document_of(file: FileOrBlob, license_key: str | None, languages: str | None) -> Document:
    """Return the document of a file; facts in its own row win over those of its repository."""
    blob_id, text, more = file.blob_id or "", "", {}
    if isinstance(file, tables.BlobRow):
        text, more = file.content or "", {"size": file.size}
        blob_id = blob_id or git_blob_id(text)
        license_key = license_of_row(file, license_key)
    repo_languages = json.loads(languages) if languages else None
    if isinstance(file, tables.BlobRow) and file.languages:
        repo_languages = dict(file.languages)
    return Document(
        id=f"github:{blob_id}",
        source="github",
        text=text,
        url=file_url(file.repo_name or "", file.ref, file.path or ""),
        license=spdx_id(license_key) if license_key else None,
        meta={
            "repo_name": file.repo_name,
            "path": file.path,
            "ref": file.ref,
            "mode": file.mode,
            "blob_id": blob_id,
            "language": language_of(file.path or ""),
            "license": license_key,
            "repo_languages": repo_languages,
            **more,
        },
        row=file.row,
    )


def gate_document(file: FileOrBlob, license_key: str | None) -> Document:
    """Return as much of the document of a file as the gates read: licence, path and mode."""
    if isinstance(file, tables.BlobRow):
        license_key = license_of_row(file, license_key)
    meta = {"path": file.path, "mode": file.mode, "license": license_key}
    return Document("", "github", "", meta=meta)


def license_of_row(file: tables.BlobRow, license_key: str | None) -> str | None:
    """Return the licence key that a joined row has itself, or else that of its repository."""
    return file.license.strip().lower() if file.license else license_key


def git_blob_id(content: str) -> str:
    """Return the id that git gives a text (a SHA-1), for exports that leave it out."""
    raw = content.encode("utf-8", "surrogatepass")
    return hashlib.sha1(b"blob %d\0" % len(raw) + raw, usedforsecurity=False).hexdigest()


def records(unit: Unit, part: Part, notes: Notes) -> Iterator[RawRow | BadRow]:
    """Yield the framed rows of a unit of any kind; kept ones have been parsed."""
    yield from KEPT.rows(unit, part, notes, partial(read_table, part, _FRAMES[unit.kind]))


_FRAMES: Mapping[str, Any] = {
    Table.LICENSES: tables.frame_licenses,
    Table.LANGUAGES: tables.frame_languages,
    Table.FILES: tables.frame_files,
    Table.CONTENTS: tables.frame_blobs,
    Table.JOINED: tables.frame_blobs,
}


def converter(unit: Unit, verdicts: Verdicts, notes: Notes) -> Converter:
    """Return the function that makes a document of a row, or None of a row of facts."""
    if unit.kind == CONTENTS:
        return partial(_arrival, verdicts.get(BLOBS) or RowVerdicts(()), notes)
    if unit.kind in FACTS:
        fact_of = tables.license_of if unit.kind == Table.LICENSES else tables.languages_of
        return partial(_fact, fact_of)
    file_of = tables.file_of if unit.kind == FILES else joined_of
    return partial(_file, file_of, Repositories(verdicts.get(LICENSES)))


def _fact(fact_of: Callable[[RawRow], Any], row: RawRow) -> BadRow | None:
    """Return a bad record for a row of facts that cannot be read, and None for all others."""
    found = fact_of(row)
    return found if isinstance(found, BadRow) else None


def _file(
    file_of: Callable[[RawRow], FileOrBlob | BadRow], repositories: "Repositories", row: RawRow
) -> Document | BadRow:
    """Return the document of a row that names a file."""
    file = file_of(row)
    if isinstance(file, BadRow):
        return file
    return document_of(file, *repositories.meet(file.repo_name or ""))


def fact_rows(unit: Unit) -> Iterator[tables.LicenseRow | tables.LanguagesRow]:
    """Yield the readable rows of a table of facts."""
    read = tables.read_licenses if unit.kind == Table.LICENSES else tables.read_languages
    for part in unit.parts:
        for row in read_table(part, read):
            if not isinstance(row, BadRow):
                yield row


def _arrival(verdicts: RowVerdicts, notes: Notes, row: RawRow) -> Document | BadRow | None:
    """Return the document of a blob for which a file was chosen, with that file's facts."""
    blob = tables.blob_of(row)
    if isinstance(blob, BadRow):
        return blob
    chosen = verdicts[blob.row]
    if chosen is None:  # no file of it passed the gates; such files are rejects of ``files``
        notes["blobs_not_claimed"] += 1
        return None
    repo_name, path = chosen["winner"].decode().split("\0")
    document = document_of(
        tables.FileRow(
            blob.row, repo_name, path, blob.blob_id or "", chosen["ref"], chosen["mode"]
        ),
        chosen["license"],
        chosen["languages"],
    )
    document.text = blob.content or ""
    document.meta |= {"size": blob.size, "copies": chosen["copies"]}
    return document
