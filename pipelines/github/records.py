"""The tables of BigQuery's `github_repos`, row by row, from any of its export formats.

A row lacks what its table is for: it is a ``BadRow``. A number that is none, or a flag that is
none, is only unknown: no file is lost for its size (spec sources 1.1 and 1.2, step 1).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, BinaryIO

from pipelines.readers.bigquery import Export, open_export
from pipelines.readers.rows import BadRow, NullRule, Row, Unread, UnreadableFile, show

__all__ = [
    "BadRow",
    "BlobRow",
    "FileRow",
    "LanguagesRow",
    "LicenseRow",
    "Table",
    "UnreadableFile",
    "read_blobs",
    "read_files",
    "read_languages",
    "read_licenses",
    "table_of",
]


class Table(StrEnum):
    """The tables of the data set (spec sources 1.1), and the reference query's join of them."""

    CONTENTS = "contents"
    FILES = "files"
    LICENSES = "licenses"
    LANGUAGES = "languages"
    JOINED = "joined"  # rows that hold content, repo_name and path


# `content` holds text below 1 MiB, and NULL for the rest (spec sources 1.1).
MAX_CONTENT_BYTES = 1 << 20
CONTENT_IS_NULL = NullRule(
    ("binary", "size"), lambda binary, size: bool(binary) or (size or 0) >= MAX_CONTENT_BYTES
)

# Columns that only a table with a blob in each row has.
BLOB_COLUMNS = frozenset({"content", "size", "binary", "copies"})
KNOWN_COLUMNS = {
    Table.CONTENTS: BLOB_COLUMNS | {"id", "sample_repo_name", "sample_path", "sample_ref"},
    Table.FILES: frozenset({"repo_name", "ref", "path", "mode", "id", "symlink_target"}),
    Table.LICENSES: frozenset({"repo_name", "license"}),
    Table.LANGUAGES: frozenset({"repo_name", "language", "languages"}),
}
# What `_blob` takes apart; `languages` where a query renamed the column.
BLOB_VALUES = (
    *("id", "size", "content", "binary", "copies"),
    *("repo_name", "path", "ref", "sample_repo_name", "sample_path", "sample_ref"),
    *("mode", "license", "language", "languages"),
)
NOTHING_UNREAD: Unread = {}
INTEGER = re.compile("-?[0-9]{1,19}")
INT64 = range(-(1 << 63), 1 << 63)


@dataclass(slots=True)
class FileRow:
    """One row of `files`, or the file half of a joined row."""

    row: int  # number of the row in its file, from 0, counting bad rows
    repo_name: str
    path: str
    blob_id: str  # git blob SHA-1, hexadecimal; "" in a joined export that has no id
    ref: str | None = None
    mode: int | None = None  # 33188 file, 33261 executable, 40960 symbolic link
    symlink_target: str | None = None
    replaced: int = 0  # U+FFFD put where bytes or surrogates were not text


@dataclass(slots=True)
class BlobRow:
    """One row of `contents`, with its sample columns, or of a joined export."""

    row: int  # number of the row in its file, from 0, counting bad rows
    blob_id: str | None
    size: int | None  # bytes of the blob
    content: str | None  # None when NULL, or when read without content
    has_content: bool  # content is not NULL in the export
    binary: bool
    copies: int | None
    repo_name: str | None = None
    path: str | None = None
    ref: str | None = None
    mode: int | None = None
    license: str | None = None
    languages: tuple[tuple[str, int], ...] = ()  # (name, bytes)
    replaced: int = 0  # U+FFFD put where bytes or surrogates were not text


@dataclass(slots=True)
class LicenseRow:
    """One row of `licenses`: the key that GitHub's detector gave the repository."""

    row: int  # number of the row in its file, from 0, counting bad rows
    repo_name: str
    license: str


@dataclass(slots=True)
class LanguagesRow:
    """One row of `languages`."""

    row: int  # number of the row in its file, from 0, counting bad rows
    repo_name: str
    languages: tuple[tuple[str, int], ...]  # (name, bytes)


def table_of(stream: BinaryIO, name: str) -> Table:
    """Tell which table a file holds, by its columns.

    The columns of JSON lines are the keys of the first rows. Where they fit several tables, or
    none because a file has no rows, ``name`` decides: contents-*, files-*, licenses-*, languages-*.

    Raises:
        UnreadableFile: no table fits; the message lists the columns seen.
    """
    columns = open_export(stream, name).columns
    named = re.search("contents|files|licenses|languages", name.rsplit("/", 1)[-1])
    hint = Table(named.group()) if named else None
    fitting = _fitting(columns)
    if hint in fitting:
        return hint
    if len(fitting) == 1:
        return fitting[0]
    if hint and not fitting and columns <= KNOWN_COLUMNS[hint]:
        return hint
    raise UnreadableFile(
        f"{name}: {_seen(columns)}; {'several tables' if fitting else 'no table'} of github_repos "
        f"fit. Name the file after its table ({', '.join(KNOWN_COLUMNS)}), or export the columns "
        "of one table, or content with repo_name and path"
    )


def _fitting(columns: frozenset[str]) -> list[Table]:
    if columns >= {"repo_name", "path"}:
        return [Table.JOINED if columns & BLOB_COLUMNS else Table.FILES]
    if "id" in columns and columns & BLOB_COLUMNS:
        return [Table.CONTENTS]
    tables = []
    if columns >= {"repo_name", "license"}:
        tables.append(Table.LICENSES)
    if "repo_name" in columns and columns & {"language", "languages"}:
        tables.append(Table.LANGUAGES)
    return tables


def read_files(stream: BinaryIO, name: str) -> Iterator[FileRow | BadRow]:
    """Read `files`, or the file half of a joined export.

    Raises:
        UnreadableFile: at the first row, when the file as a whole cannot be read.
    """
    columns = ("repo_name", "path", "id", "ref", "mode", "symlink_target")
    export = open_export(stream, name)
    joined = bool(export.columns & BLOB_COLUMNS)
    needed = columns[: 2 if joined else 3]
    _require(export, name, needed)
    for row in _checked(export, columns, needed):
        if isinstance(row, BadRow):
            yield row
            continue
        repo_name, path, blob_id, ref, mode, target = row.values
        yield FileRow(
            row.number,
            repo_name,
            path,
            _text(blob_id) or "",
            _text(ref),
            _integer(mode),
            _text(target),
            row.replaced,
        )


def read_blobs(stream: BinaryIO, name: str, *, content: bool = True) -> Iterator[BlobRow | BadRow]:
    """Read `contents` or a joined export.

    Without ``content`` no text is decoded, and from Parquet none is fetched where `binary`, `size`
    and the file's count of NULLs tell which rows have it; ``replaced`` then leaves it out.

    Raises:
        UnreadableFile: at the first row, when the file as a whole cannot be read.
    """
    export = open_export(stream, name)
    joined = export.columns >= {"repo_name", "path"}
    needed = ("repo_name", "path") if joined else ("id",)
    _require(export, name, (*needed, "content"))
    unread = {} if content else {"content": CONTENT_IS_NULL}
    for row in _checked(export, BLOB_VALUES, needed, ("content",), unread):
        if isinstance(row, BadRow):
            yield row
        else:
            yield _blob(row, joined=joined, content=content)


def _blob(row: Row, *, joined: bool, content: bool) -> BlobRow:
    values = row.values
    blob_id, size, text, binary, copies = values[:5]
    repo_name, path, ref = values[5:8] if joined else values[8:11]
    mode, license_key, language, languages = values[11:]
    return BlobRow(
        row.number,
        _text(blob_id),
        _integer(size),
        text if content else None,
        text is not None,
        _flag(binary),
        _integer(copies),
        _text(repo_name),
        _text(path),
        _text(ref),
        _integer(mode),
        _text(license_key),
        _languages(languages if language is None else language) or (),
        row.replaced,
    )


def read_licenses(stream: BinaryIO, name: str) -> Iterator[LicenseRow | BadRow]:
    """Read `licenses`.

    Raises:
        UnreadableFile: at the first row, when the file as a whole cannot be read.
    """
    columns = ("repo_name", "license")
    export = open_export(stream, name)
    _require(export, name, columns)
    for row in _checked(export, columns, columns):
        yield row if isinstance(row, BadRow) else LicenseRow(row.number, *row.values)


def read_languages(stream: BinaryIO, name: str) -> Iterator[LanguagesRow | BadRow]:
    """Read `languages`; a repository without any has an empty tuple.

    Raises:
        UnreadableFile: at the first row, when the file as a whole cannot be read.
    """
    columns = ("repo_name", "language", "languages")
    export = open_export(stream, name)
    _require(export, name, columns[:1])
    for row in _checked(export, columns, columns[:1]):
        if isinstance(row, BadRow):
            yield row
            continue
        repo_name, language, other = row.values
        languages = _languages(other if language is None else language)
        if languages is None:
            yield BadRow(row.number, "wrong_type", f"language: {show(columns, row.values)}")
        else:
            yield LanguagesRow(row.number, repo_name, languages)


def _require(export: Export, name: str, needed: Sequence[str]) -> None:
    """Raise UnreadableFile when a file has a schema and it lacks a column."""
    missing = [column for column in needed if column not in export.columns]
    if missing and export.has_schema:
        raise UnreadableFile(
            f"{name}: no column {missing[0]!r}, {_seen(export.columns)}: is it another table?"
        )


def _seen(columns: frozenset[str]) -> str:
    return f"the columns are {', '.join(sorted(columns))}" if columns else "no columns were found"


def _checked(
    export: Export,
    columns: Sequence[str],
    needed: Sequence[str],
    optional: Sequence[str] = (),
    unread: Unread = NOTHING_UNREAD,
) -> Iterator[Row | BadRow]:
    """Yield the rows, bad where a ``needed`` text is missing, or it or an ``optional`` is none."""
    places = [(columns.index(column), column in needed) for column in (*needed, *optional)]
    for row in export.rows(columns, unread):
        if isinstance(row, BadRow):
            yield row
            continue
        for place, is_needed in places:
            value = row.values[place]
            if value is None or value == "":
                if not is_needed:
                    continue
                reason = "missing_field"
            elif isinstance(value, str):
                continue
            else:
                reason = "wrong_type"
            detail = f"{columns[place]}: {show(columns, row.values)}"
            yield BadRow(row.number, reason, detail)
            break
        else:
            yield row


def _text(value: Any) -> str | None:
    return value if value and isinstance(value, str) else None


def _flag(value: Any) -> bool:
    return value is True or value == "true"


def _integer(value: Any) -> int | None:
    """Read an INT64, which JSON has as a string; None for what is none."""
    if isinstance(value, str) and INTEGER.fullmatch(value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value in INT64:
        return value
    return None


def _languages(value: Any) -> tuple[tuple[str, int], ...] | None:
    """Read ARRAY<STRUCT<name, bytes>>, or one name; None for what is neither.

    Parquet readers that do not infer lists pass on {"list": [{"element": ...}]}.

    >>> _languages([{"name": "C", "bytes": "12"}])
    (('C', 12),)
    """
    if isinstance(value, dict):
        value = value.get("list", value)
    if value is None:
        return ()
    if isinstance(value, str):
        return ((value, 0),) if value else ()
    if not isinstance(value, list):
        return None
    structs = [item.get("element", item) for item in value if isinstance(item, dict)]
    return tuple(
        (name, _integer(struct.get("bytes")) or 0)
        for struct in structs
        if isinstance(struct, dict) and (name := _text(struct.get("name")))
    )
