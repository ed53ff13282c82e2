"""The tables of BigQuery's `github_repos`, row by row, from any of its export formats.

A row lacks what its table is for: it is a ``BadRow``. A number that is none, or a flag that is
none, is only unknown: no file is lost for its size (spec sources 1.1 and 1.2, step 1).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from enum import StrEnum
from typing import Any, BinaryIO

from pipelines.readers.bigquery import Export, open_export, values_of
from pipelines.readers.rows import (
    BadRow,
    Layout,
    NullRule,
    RawRow,
    UnreadableFile,
    Values,
    clip,
    convert_each,
    show,
)

__all__ = [
    "BadRow",
    "BlobRow",
    "FileRow",
    "LanguagesRow",
    "LicenseRow",
    "Table",
    "UnreadableFile",
    "blob_of",
    "file_of",
    "frame_blobs",
    "frame_files",
    "frame_languages",
    "frame_licenses",
    "languages_of",
    "license_of",
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
# What the rows of each table are converted from; `languages` where a query renamed the column.
FILE_VALUES = ("repo_name", "path", "id", "ref", "mode", "symlink_target")
FILES = Layout(FILE_VALUES, needed=("repo_name", "path", "id"))
JOINED_FILES = Layout(FILE_VALUES, needed=("repo_name", "path"))
BLOB_VALUES = ("id", "size", "content", "binary", "copies")
MORE_BLOB_VALUES = ("mode", "license", "language", "languages")
SAMPLE_VALUES = ("sample_repo_name", "sample_path", "sample_ref")
BLOBS = Layout((*BLOB_VALUES, *SAMPLE_VALUES, *MORE_BLOB_VALUES), ("id",), ("content",))
JOINED_BLOBS = Layout(
    (*BLOB_VALUES, "repo_name", "path", "ref", *MORE_BLOB_VALUES),
    ("repo_name", "path"),
    ("content",),
)
LICENSES = Layout(("repo_name", "license"), needed=("repo_name", "license"))
LANGUAGES = Layout(("repo_name", "language", "languages"), needed=("repo_name",))
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
    return convert_each(frame_files(stream, name), file_of)


def frame_files(stream: BinaryIO, name: str) -> Iterator[RawRow | BadRow]:
    """Frame the rows of `files` or of a joined export, for ``file_of``; raises like the former."""
    export = open_export(stream, name)
    joined = bool(export.columns & BLOB_COLUMNS)
    layout = JOINED_FILES if joined else FILES
    _require(export, name, layout.needed)
    yield from export.rows(layout)


def file_of(row: RawRow) -> FileRow | BadRow:
    """Convert a row that ``frame_files`` yields."""
    found = _checked(row)
    if isinstance(found, BadRow):
        return found
    (repo_name, path, blob_id, ref, mode, target), replaced = found
    if "\0" in path or "\0" in repo_name:
        return _holds_nul(row.row, repo_name, path)
    return FileRow(
        row.row,
        repo_name,
        path,
        _text(blob_id) or "",
        _text(ref),
        _integer(mode),
        _text(target),
        replaced,
    )


def read_blobs(stream: BinaryIO, name: str, *, content: bool = True) -> Iterator[BlobRow | BadRow]:
    """Read `contents` or a joined export.

    Without ``content`` no text is decoded, and from Parquet none is fetched where `binary`, `size`
    and the file's count of NULLs tell which rows have it; ``replaced`` then leaves it out.

    Raises:
        UnreadableFile: at the first row, when the file as a whole cannot be read.
    """
    return convert_each(frame_blobs(stream, name, content=content), blob_of)


def frame_blobs(stream: BinaryIO, name: str, *, content: bool = True) -> Iterator[RawRow | BadRow]:
    """Frame the rows of `contents` or of a joined export, for ``blob_of``.

    The arguments and the errors are those of ``read_blobs``.
    """
    export = open_export(stream, name)
    layout = JOINED_BLOBS if export.columns >= {"repo_name", "path"} else BLOBS
    _require(export, name, (*layout.needed, *layout.texts))
    if not content:
        layout = changed(layout, unread={"content": CONTENT_IS_NULL})
    yield from export.rows(layout)


def blob_of(row: RawRow) -> BlobRow | BadRow:
    """Convert a row that ``frame_blobs`` yields."""
    found = _checked(row)
    if isinstance(found, BadRow):
        return found
    values, replaced = found
    blob_id, size, text, binary, copies, repo_name, path, ref = values[:8]
    mode, license_key, language, languages = values[8:]
    repo_name, path = _text(repo_name), _text(path)
    if "\0" in (path or "") or "\0" in (repo_name or ""):
        return _holds_nul(row.row, repo_name, path)
    return BlobRow(
        row.row,
        _text(blob_id),
        _integer(size),
        None if "content" in row.layout.unread else text,
        text is not None,
        _flag(binary),
        _integer(copies),
        repo_name,
        path,
        _text(ref),
        _integer(mode),
        _text(license_key),
        _languages(languages if language is None else language) or (),
        replaced,
    )


def read_licenses(stream: BinaryIO, name: str) -> Iterator[LicenseRow | BadRow]:
    """Read `licenses`.

    Raises:
        UnreadableFile: at the first row, when the file as a whole cannot be read.
    """
    return convert_each(frame_licenses(stream, name), license_of)


def frame_licenses(stream: BinaryIO, name: str) -> Iterator[RawRow | BadRow]:
    """Frame the rows of `licenses`, for ``license_of``; raises like ``read_licenses``."""
    export = open_export(stream, name)
    _require(export, name, LICENSES.needed)
    yield from export.rows(LICENSES)


def license_of(row: RawRow) -> LicenseRow | BadRow:
    """Convert a row that ``frame_licenses`` yields."""
    found = _checked(row)
    if isinstance(found, BadRow):
        return found
    (repo_name, key), _ = found
    if "\0" in repo_name:
        return _holds_nul(row.row, repo_name)
    return LicenseRow(row.row, repo_name, key)


def read_languages(stream: BinaryIO, name: str) -> Iterator[LanguagesRow | BadRow]:
    """Read `languages`; a repository without any has an empty tuple.

    Raises:
        UnreadableFile: at the first row, when the file as a whole cannot be read.
    """
    return convert_each(frame_languages(stream, name), languages_of)


def frame_languages(stream: BinaryIO, name: str) -> Iterator[RawRow | BadRow]:
    """Frame the rows of `languages`, for ``languages_of``; raises like ``read_languages``."""
    export = open_export(stream, name)
    _require(export, name, LANGUAGES.needed)
    yield from export.rows(LANGUAGES)


def languages_of(row: RawRow) -> LanguagesRow | BadRow:
    """Convert a row that ``frame_languages`` yields."""
    found = _checked(row)
    if isinstance(found, BadRow):
        return found
    (repo_name, language, other), _ = found
    languages = _languages(other if language is None else language)
    if languages is None:
        detail = f"language: {show(row.layout.columns, found[0])}"
        return BadRow(row.row, "wrong_type", detail)
    if "\0" in repo_name:
        return _holds_nul(row.row, repo_name)
    return LanguagesRow(row.row, repo_name, languages)


def _holds_nul(row: int, *names: str | None) -> BadRow:
    """Return the bad row for a repository or a path with NUL in it, which none can have."""
    return BadRow(row, "bad_name", clip(f"NUL in {' '.join(map(repr, filter(None, names)))}"))


def _require(export: Export, name: str, needed: Sequence[str]) -> None:
    """Raise UnreadableFile when a file has a schema and it lacks a column."""
    missing = [column for column in needed if column not in export.columns]
    if missing and export.has_schema:
        raise UnreadableFile(
            f"{name}: no column {missing[0]!r}, {_seen(export.columns)}: is it another table?"
        )


def _seen(columns: frozenset[str]) -> str:
    return f"the columns are {', '.join(sorted(columns))}" if columns else "no columns were found"


def _checked(row: RawRow) -> Values | BadRow:
    """Return the values of a row, if those that must be texts are."""
    found = values_of(row)
    if isinstance(found, BadRow):
        return found
    values, _ = found
    for place, is_needed in row.layout.texts_at:
        value = values[place]
        if isinstance(value, str):
            if value or not is_needed:
                continue
            reason = "missing_field"
        elif value is None:
            if not is_needed:
                continue
            reason = "missing_field"
        else:
            reason = "wrong_type"
        columns = row.layout.columns
        return BadRow(row.row, reason, f"{columns[place]}: {show(columns, values)}")
    return found


def _text(value: Any) -> str | None:
    return value if value and isinstance(value, str) else None


def _flag(value: Any) -> bool:
    return value is True or value == "true"


def _integer(value: Any) -> int | None:
    """Read an INT64, which JSON has as a string; None for what is none."""
    if value is None:
        return None
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
