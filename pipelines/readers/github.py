"""The tables of BigQuery's `github_repos`, row by row, from any of its export formats."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO

from pipelines.readers.bigquery import BadRow, UnreadableFile

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
    """Tell which table a file holds, by its columns; ``name`` breaks ties.

    Raises:
        UnreadableFile: no table fits; the message lists the columns seen.
    """
    raise NotImplementedError


def read_files(stream: BinaryIO, name: str) -> Iterator[FileRow | BadRow]:
    """Read `files`, or the file half of a joined export.

    Raises:
        UnreadableFile: at the first row, when the file as a whole cannot be read.
    """
    raise NotImplementedError


def read_blobs(stream: BinaryIO, name: str, *, content: bool = True) -> Iterator[BlobRow | BadRow]:
    """Read `contents` or a joined export; without ``content`` no text is decoded.

    Raises:
        UnreadableFile: at the first row, when the file as a whole cannot be read.
    """
    raise NotImplementedError


def read_licenses(stream: BinaryIO, name: str) -> Iterator[LicenseRow | BadRow]:
    """Read `licenses`.

    Raises:
        UnreadableFile: at the first row, when the file as a whole cannot be read.
    """
    raise NotImplementedError


def read_languages(stream: BinaryIO, name: str) -> Iterator[LanguagesRow | BadRow]:
    """Read `languages`.

    Raises:
        UnreadableFile: at the first row, when the file as a whole cannot be read.
    """
    raise NotImplementedError
