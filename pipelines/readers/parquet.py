"""Rows of a Parquet file, column by column and in small batches (spec sources 1.1).

Memory is flat: a row group is decoded page by page, in batches of about ``BATCH_BYTES``. Text is
decoded by Arrow's fast path, and again, replacing, only where a batch holds bytes that are not
UTF-8.
"""

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.readers.rows import (
    BadRow,
    Layout,
    NullRule,
    RawRow,
    Source,
    clip,
    decode,
    unreadable,
)

MAGIC = b"PAR1"
BATCH_BYTES = 4 << 20  # of decoded columns
MIN_BATCH_ROWS, MAX_BATCH_ROWS = 16, 4096
READ_BYTES = 1 << 20  # a request to the store, per column

Values = Sequence[Any]
Replaced = dict[int, int]  # place in the batch -> U+FFFD put there


class ParquetRows:
    """The rows of a Parquet file.

    Raises:
        UnreadableFile: the footer is missing or damaged.
    """

    has_schema = True

    def __init__(self, source: Source, name: str) -> None:
        self._source = source
        self._name = name
        try:
            self._file = pq.ParquetFile(source, buffer_size=READ_BYTES, pre_buffer=False)
            self._kinds = {field.name: field.type for field in self._file.schema_arrow}
        except Exception as error:  # noqa: BLE001 -- a damaged footer fails in many ways
            unreadable(source, name, "the Parquet footer is damaged: fetch the file again", error)
        self.columns = frozenset(self._kinds)

    def rows(self, layout: Layout) -> Iterator[RawRow | BadRow]:
        """Yield the rows; a damaged row group ends the file.

        Only the columns that ``layout`` asks for are fetched.

        Raises:
            UnreadableFile: a column has a type that no export writes.
        """
        for column in layout.columns:
            kind = self._kinds.get(column)
            if kind is not None and not _readable(kind):
                unreadable(
                    self._source, self._name, f"column {column!r} is {kind}: export it as text"
                )
        number = 0
        group = 0
        try:
            for group in range(self._file.num_row_groups):
                for rows in self._group_rows(group, number, layout):
                    yield from rows
                    number += len(rows)
        except Exception as error:  # noqa: BLE001 -- Arrow raises its own, OSError, MemoryError ...
            self._source.raise_own_error()
            lost = self._file.metadata.num_rows - number
            detail = f"row group {group}, {lost} rows not read: {clip(str(error))}"
            yield BadRow(number, "truncated_file", detail)

    def _group_rows(self, group: int, number: int, layout: Layout) -> Iterator[list[RawRow]]:
        """Yield the rows of a group, batch by batch; ``number`` is that of the first."""
        presence = {
            column: known
            for column, rule in layout.unread.items()
            if column in self.columns and (known := self._presence(group, column, rule)) is not None
        }
        fetched = [c for c in layout.columns if c in self.columns and c not in presence]
        # Without a column there would be no rows to count.
        fetched = fetched or [min(self.columns - presence.keys())]
        start = 0
        for batch in self._file.iter_batches(
            self._batch_rows(group, fetched), [group], columns=fetched, use_threads=False
        ):
            replaced: Replaced = {}
            values: list[Values] = []
            for column in layout.columns:
                if column in presence:
                    values.append(presence[column][start : start + batch.num_rows])
                elif column not in self.columns:
                    values.append([None] * batch.num_rows)
                elif column in layout.unread and _is_text(batch.column(column).type):
                    values.append(_marks(batch.column(column)))
                else:
                    values.append(_values(batch.column(column), replaced))
            numbers = range(number + start, number + start + batch.num_rows)
            rows = list(map(RawRow, numbers, repeat(layout), zip(*values, strict=True)))
            for place, count in replaced.items():
                rows[place].replaced = count
            yield rows
            start += batch.num_rows

    def _presence(self, group: int, column: str, rule: NullRule) -> list[str | None] | None:
        """Tell where a text column has a value without fetching it, or None."""
        if not _is_text(self._kinds[column]):
            return None
        chunk = self._chunk(group, column)
        if chunk is None or chunk.statistics is None or not chunk.statistics.has_null_count:
            return None
        nulls = chunk.statistics.null_count
        rows = self._file.metadata.row_group(group).num_rows
        if nulls in (0, rows):
            return list(repeat(None if nulls else "", rows))
        if not self.columns.issuperset(rule.columns):
            return None
        table = self._file.read_row_group(group, list(rule.columns), use_threads=False)
        told = [
            None if rule.holds(*values) else ""
            for values in zip(*(c.to_pylist() for c in table.columns), strict=True)
        ]
        return told if told.count(None) == nulls else None

    def _chunk(self, group: int, column: str) -> Any:
        metadata = self._file.metadata.row_group(group)
        chunks = map(metadata.column, range(metadata.num_columns))
        return next((chunk for chunk in chunks if chunk.path_in_schema == column), None)

    def _batch_rows(self, group: int, columns: Sequence[str]) -> int:
        metadata = self._file.metadata.row_group(group)
        chunks = map(metadata.column, range(metadata.num_columns))
        size = sum(
            chunk.total_uncompressed_size
            for chunk in chunks
            if chunk.path_in_schema.split(".")[0] in columns
        )
        rows = BATCH_BYTES * max(metadata.num_rows, 1) // max(size, 1)
        return int(min(max(rows, MIN_BATCH_ROWS), MAX_BATCH_ROWS))


def _is_text(kind: pa.DataType) -> bool:
    types = pa.types
    if types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return bool(
        types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_string_view(kind)
        or types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_binary_view(kind)
    )


def _readable(kind: pa.DataType) -> bool:
    types = pa.types
    if types.is_list(kind) or types.is_large_list(kind):
        return _readable(kind.value_type)
    if types.is_struct(kind):
        return all(_readable(field.type) for field in kind)
    return bool(
        _is_text(kind)
        or types.is_null(kind)
        or types.is_boolean(kind)
        or types.is_integer(kind)
        or types.is_floating(kind)
    )


def _marks(array: pa.Array) -> Values:
    return ["" if valid else None for valid in array.is_valid().to_pylist()]


def _values(array: pa.Array, replaced: Replaced) -> Values:
    """Convert a column to Python values, adding to ``replaced`` where text was repaired."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        return _values(array.dictionary_decode(), replaced)
    if not _is_text(kind):
        return _nested_values(array, replaced)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        try:
            return list(array.to_pylist())
        except UnicodeDecodeError:
            pass
    values: list[str | None] = []
    for place, data in enumerate(array.cast(pa.large_binary()).to_pylist()):
        text, count = (None, 0) if data is None else decode(data)
        values.append(text)
        if count:
            replaced[place] = replaced.get(place, 0) + count
    return values


def _nested_values(array: pa.Array, replaced: Replaced) -> Values:
    """Convert lists and structs by their parts, since their text may need repair too."""
    kind = array.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        inside: Replaced = {}
        parts = _values(array.flatten(), inside)
        ends = array.value_lengths().fill_null(0).to_pylist()
        lists: list[Any] = []
        start = 0
        for place, (length, valid) in enumerate(zip(ends, _marks(array), strict=True)):
            lists.append(None if valid is None else list(parts[start : start + length]))
            if inside:
                count = sum(inside.get(i, 0) for i in range(start, start + length))
                replaced[place] = replaced.get(place, 0) + count
            start += length
        return lists
    if pa.types.is_struct(kind):
        fields = [_values(field, replaced) for field in array.flatten()]
        names = [field.name for field in kind]
        return [
            None if valid is None else dict(zip(names, values, strict=True))
            for valid, values in zip(_marks(array), zip(*fields, strict=True), strict=True)
        ]
    return list(array.to_pylist())
