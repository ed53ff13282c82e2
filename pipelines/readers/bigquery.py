"""Read BigQuery exports in Parquet, Avro and JSON lines as rows (docs/rules/sources.md 1.1).

The three formats give equal rows, except that JSON writes INT64 columns as strings and leaves NULL
columns out. The first bytes of the file determine its format, not its name.
"""

from collections.abc import Iterator
from typing import BinaryIO, Protocol

from pipelines.readers import avro, jsonlines, parquet
from pipelines.readers.rows import BadRow, Layout, RawRow, Source, Values, unreadable

SUFFIXES = {".parquet": parquet.MAGIC, ".avro": avro.MAGIC}  # and their first bytes


class Export(Protocol):
    """One file of an export, whatever its format; its rows can be read once."""

    columns: frozenset[str]
    has_schema: bool  # if False, ``columns`` are the columns that occur in the first rows

    def rows(self, layout: Layout) -> Iterator[RawRow | BadRow]:
        """Frame the rows; ``values_of`` converts them."""


def open_export(stream: BinaryIO, name: str, groups: parquet.Groups | None = None) -> Export:
    """Open one file of an export.

    Args:
        stream: seekable; it is read from its start, and is not closed.
        name: name of the file, for messages; its suffix must agree with the file's format.
        groups: the row groups of a Parquet file to read, all by default.

    Raises:
        UnreadableFile: the file as a whole cannot be read.
    """
    source = Source(stream)
    start = source.peek(4)
    if start.startswith(parquet.MAGIC):
        return parquet.ParquetRows(source, name, groups)
    if groups:
        unreadable(source, name, "was Parquet when the run began: restore it or start a new run")
    if start.startswith(avro.MAGIC):
        return avro.AvroRows(source, name)
    for suffix, magic in SUFFIXES.items():
        if name.endswith(suffix):
            unreadable(source, name, f"does not start with {magic!r}: fetch the file again")
    return jsonlines.JsonLines(source, name)


def group_sizes(stream: BinaryIO, name: str) -> list[tuple[int, int]]:
    """Return the rows and the bytes of each row group; a file that is not Parquet has none.

    Raises:
        UnreadableFile: the file as a whole cannot be read.
    """
    export = open_export(stream, name)
    return export.group_sizes() if isinstance(export, parquet.ParquetRows) else []


def parsed(row: RawRow) -> RawRow | BadRow:
    """Return a row with its values instead of what they are parsed from."""
    found = values_of(row)
    return found if isinstance(found, BadRow) else RawRow(row.row, row.layout, *found)


def values_of(row: RawRow) -> Values | BadRow:
    """Return the values of a row in the order of the columns of its layout."""
    data = row.data
    if isinstance(data, tuple):
        return data, row.replaced
    if isinstance(data, bytes):
        return jsonlines.values_of(data, row.layout, row.row)
    return avro.values_of(data, row.layout, row.row)
