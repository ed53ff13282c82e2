"""The tables of BigQuery's `github_repos`, row by row, from any of its export formats.

A row lacks what its table is for: it is a ``BadRow``. A number that is none, or a flag that is
none, is only unknown: no file is lost for its size (docs/rules/sources.md 1.1 and 1.2, step 1).

Of a Parquet file, every reader here reads all rows, or those of some row groups (``groups``: the
first, and the one after the last), which have the numbers that they have in the file.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace as changed
from typing import Any, BinaryIO

from pipelines.github.tables import (
    BLOB_COLUMNS,
    BLOBS,
    CONTENT_IS_NULL,
    FILES,
    JOINED_BLOBS,
    JOINED_FILES,
    LANGUAGES,
    LICENSES,
    BlobRow,
    FileRow,
    LanguagesRow,
    LicenseRow,
    Table,
    seen,
    table_of,
)
from pipelines.readers.bigquery import Export, group_sizes, open_export, values_of
from pipelines.readers.parquet import Groups
from pipelines.readers.rows import (
    BadRow,
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
    "group_sizes",
    "languages_of",
    "license_of",
    "read_blobs",
    "read_files",
    "read_languages",
    "read_licenses",
    "table_of",
]


INTEGER = re.compile("-?[0-9]{1,19}")
INT64 = range(-(1 << 63), 1 << 63)
INT64_DIGITS = 19  # of its largest number


def read_files(
    stream: BinaryIO, name: str, *, groups: Groups | None = None
) -> Iterator[FileRow | BadRow]:
    """Read `files`, or the file half of a joined export.

    Raises:
        UnreadableFile: at the first row, when the file as a whole cannot be read.
    """
    return convert_each(frame_files(stream, name, groups=groups), file_of)


def frame_files(
    stream: BinaryIO, name: str, *, groups: Groups | None = None
) -> Iterator[RawRow | BadRow]:
    """Frame the rows of `files` or of a joined export, for ``file_of``; raises like the former."""
    export = open_export(stream, name, groups)
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


def read_blobs(
    stream: BinaryIO, name: str, *, content: bool = True, groups: Groups | None = None
) -> Iterator[BlobRow | BadRow]:
    """Read `contents` or a joined export.

    Without ``content`` no text is decoded, and from Parquet none is fetched where `binary`, `size`
    and the file's count of NULLs tell which rows have it; ``replaced`` then leaves it out.

    Raises:
        UnreadableFile: at the first row, when the file as a whole cannot be read.
    """
    return convert_each(frame_blobs(stream, name, content=content, groups=groups), blob_of)


def frame_blobs(
    stream: BinaryIO, name: str, *, content: bool = True, groups: Groups | None = None
) -> Iterator[RawRow | BadRow]:
    """Frame the rows of `contents` or of a joined export, for ``blob_of``.

    The arguments and the errors are those of ``read_blobs``.
    """
    export = open_export(stream, name, groups)
    layout = JOINED_BLOBS if export.columns >= {"repo_name", "path"} else BLOBS
    _require(export, name, (*layout.needed, *layout.texts))
    if not content:
        layout = changed(layout, unread={"content": CONTENT_IS_NULL})
    yield from export.rows(layout)


def blob_of(row: RawRow, *, languages: bool = True) -> BlobRow | BadRow:
    """Convert a row that ``frame_blobs`` yields, with its languages or without."""
    found = _checked(row)
    if isinstance(found, BadRow):
        return found
    values, replaced = found
    blob_id, size, text, binary, copies, repo_name, path, ref = values[:8]
    mode, license_key, language, other = values[8:]
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
        (_languages(other if language is None else language) or ()) if languages else (),
        replaced,
    )


def read_licenses(
    stream: BinaryIO, name: str, *, groups: Groups | None = None
) -> Iterator[LicenseRow | BadRow]:
    """Read `licenses`.

    Raises:
        UnreadableFile: at the first row, when the file as a whole cannot be read.
    """
    return convert_each(frame_licenses(stream, name, groups=groups), license_of)


def frame_licenses(
    stream: BinaryIO, name: str, *, groups: Groups | None = None
) -> Iterator[RawRow | BadRow]:
    """Frame the rows of `licenses`, for ``license_of``; raises like ``read_licenses``."""
    export = open_export(stream, name, groups)
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


def read_languages(
    stream: BinaryIO, name: str, *, groups: Groups | None = None
) -> Iterator[LanguagesRow | BadRow]:
    """Read `languages`; a repository without any has an empty tuple.

    Raises:
        UnreadableFile: at the first row, when the file as a whole cannot be read.
    """
    return convert_each(frame_languages(stream, name, groups=groups), languages_of)


def frame_languages(
    stream: BinaryIO, name: str, *, groups: Groups | None = None
) -> Iterator[RawRow | BadRow]:
    """Frame the rows of `languages`, for ``languages_of``; raises like ``read_languages``."""
    export = open_export(stream, name, groups)
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
            f"{name}: no column {missing[0]!r}, {seen(export.columns)}: is it another table?"
        )


def _checked(row: RawRow) -> Values | BadRow:
    """Return the values of a row, if those that must be texts are."""
    data = row.data
    found = (data, row.replaced) if isinstance(data, tuple) else values_of(row)
    if isinstance(found, BadRow):
        return found
    values, _ = found
    for place, is_needed in row.layout.texts_at:
        value = values[place]
        if value and isinstance(value, str):
            continue
        is_missing = value is None or value == ""
        if is_missing and not is_needed:
            continue
        reason = "missing_field" if is_missing else "wrong_type"
        columns = row.layout.columns
        return BadRow(row.row, reason, f"{columns[place]}: {show(columns, values)}")
    return found


def _text(value: Any) -> str | None:
    return value if value and isinstance(value, str) else None


def _flag(value: Any) -> bool:
    return value is True or value == "true"


def _integer(value: Any) -> int | None:
    """Read an INT64, which JSON has as a string; None for what is none."""
    if type(value) is int:
        return value if value in INT64 else None
    # A number that surely fits, which needs no pattern.
    if type(value) is str and value.isdigit() and value.isascii() and len(value) < INT64_DIGITS:
        return int(value)
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
