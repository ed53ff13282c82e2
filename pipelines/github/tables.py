"""The tables of BigQuery's `github_repos`: their columns and rows, and which one is in a file."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO

from pipelines.readers.bigquery import open_export
from pipelines.readers.rows import Layout, NullRule, UnreadableFile


class Table(StrEnum):
    """The tables of the data set (docs/rules/sources.md 1.1), and their join."""

    CONTENTS = "contents"
    FILES = "files"
    LICENSES = "licenses"
    LANGUAGES = "languages"
    JOINED = "joined"  # rows that hold content, repo_name and path


# `content` holds text below 1 MiB, and NULL for the rest (docs/rules/sources.md 1.1).
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
        f"{name}: {seen(columns)}; {'several tables' if fitting else 'no table'} of github_repos "
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


def seen(columns: frozenset[str]) -> str:
    """Return the columns that were found, as a message says it."""
    return f"the columns are {', '.join(sorted(columns))}" if columns else "no columns were found"
