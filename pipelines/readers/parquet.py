"""Read the rows of a Parquet file column by column in small batches (docs/rules/sources.md 1.1).

Memory stays constant: a row group is decoded page by page, in batches of about ``BATCH_BYTES`` and
at most ``MAX_BATCH_BYTES``. A dictionary can expand a few bytes to gigabytes, so its own size
limits the rows of a batch. Rows that no batch can hold are not decoded. Arrow's fast path decodes
text; only a batch with bytes that are not UTF-8 is decoded again, with U+FFFD for those bytes.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, repeat
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.readers.rows import (
    MAX_ROW_BYTES,
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
MAX_BATCH_ROWS = 4096
MAX_BATCH_BYTES = 64 << 20  # assuming that each row holds the longest text of a dictionary
# Writers end a dictionary at 1 MiB; a batch may always have this many rows of its longest text.
ORDINARY_DICTIONARY_BYTES, ORDINARY_ROWS = 2 << 20, 256
MAX_VALUES_PER_ROW = 10_000  # in a list, on average; a repository has some hundred languages
MAX_PRESENCE_ROWS = 10_000_000  # of a row group whose NULLs are found without fetching the text
PAGE_HEADER = re.compile(rb"\x15([\x80-\xff]*[\0-\x7f])\x15([\x80-\xff]{0,4}[\0-\x7f])\x15")
READ_BYTES = 1 << 20  # per request to the store, and per column

Groups = tuple[int, int]  # the first row group, and the one after the last
Values = Sequence[Any]
Replaced = dict[int, int]  # place in the batch -> number of U+FFFD put there
# Maps the first row of a batch and the number of rows to "" for a row with a text, None for NULL.
Presence = Callable[[int, int], Values]


class ParquetRows:
    """The rows of a Parquet file, or of some of its row groups; rows keep their numbers.

    Args:
        source: the file.
        name: name of the file, for messages.
        groups: numbers of the first row group to read and of the one after the last; None for all.

    Raises:
        UnreadableFile: the footer is missing or damaged.
    """

    has_schema = True

    def __init__(self, source: Source, name: str, groups: Groups | None = None) -> None:
        self._source = source
        self._name = name
        try:
            self._file = pq.ParquetFile(source, buffer_size=READ_BYTES, pre_buffer=False)
            self._kinds = {field.name: field.type for field in self._file.schema_arrow}
            whole = (0, int(self._file.num_row_groups))
            self._first, self._end = groups or whole
            rows = (self._file.metadata.row_group(group).num_rows for group in range(self._end))
            self._rows_before = [0, *accumulate(rows)]  # the number of rows before each row group
        except Exception as error:  # noqa: BLE001 -- a damaged footer fails in many ways
            unreadable(source, name, "the Parquet footer is damaged: fetch the file again", error)
        self.columns = frozenset(self._kinds)
        self._places: dict[str, list[int]] = {column: [] for column in self.columns}
        for place in range(len(self._file.schema)):
            column = self._file.schema.column(place).path.split(".")[0]
            self._places.setdefault(column, []).append(place)

    def group_sizes(self) -> list[tuple[int, int]]:
        """Return the number of rows and of compressed bytes of each row group."""
        metadata = self._file.metadata
        groups = map(metadata.row_group, range(metadata.num_row_groups))
        return [
            (group.num_rows, sum(c.total_compressed_size for c in map(group.column, columns)))
            for columns in [range(metadata.num_columns)]
            for group in groups
        ]

    def rows(self, layout: Layout) -> Iterator[RawRow | BadRow]:
        """Yield the rows; a damaged row group ends the file, or the range that is read.

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
        number = self._rows_before[self._first]
        group = self._first
        try:
            for group in range(self._first, self._end):
                for size, rows in self._group_rows(group, number, layout):
                    yield from rows
                    number += size
        except Exception as error:  # noqa: BLE001 -- Arrow raises its own, OSError, MemoryError ...
            self._source.raise_own_error()
            lost = self._rows_before[self._end] - number
            detail = f"row group {group}, {lost} rows not read: {clip(str(error))}"
            yield BadRow(number, "truncated_file", detail)

    def _group_rows(
        self, group: int, number: int, layout: Layout
    ) -> Iterator[tuple[int, Iterator[RawRow | BadRow]]]:
        """Yield the batches of a group and their sizes; ``number`` is that of the first row."""
        presence = {
            column: known
            for column, rule in layout.unread.items()
            if column in self.columns and (known := self._presence(group, column, rule)) is not None
        }
        fetched = [c for c in layout.columns if c in self.columns and c not in presence]
        # Without any column there would be no rows to count.
        fetched = fetched or [min(self.columns - presence.keys())]
        size = self._batch_size(group, fetched)
        if isinstance(size, str):
            rows = self._file.metadata.row_group(group).num_rows
            for start in range(0, rows, MAX_BATCH_ROWS):
                numbers = range(number + start, number + min(start + MAX_BATCH_ROWS, rows))
                yield len(numbers), map(BadRow, numbers, repeat("too_large"), repeat(size))
            return
        start = 0
        for batch in self._file.iter_batches(size, [group], columns=fetched, use_threads=False):
            numbers = range(number + start, number + start + batch.num_rows)
            yield len(numbers), self._rows_of(batch, start, numbers, layout, presence)
            start += batch.num_rows

    def _rows_of(
        self,
        batch: pa.RecordBatch,
        start: int,
        numbers: range,
        layout: Layout,
        presence: dict[str, Presence],
    ) -> Iterator[RawRow | BadRow]:
        """Convert a batch, which begins at row ``start`` of its group."""
        large: dict[int, str] = {}  # place in the batch -> column
        if batch.nbytes > MAX_ROW_BYTES:
            batch, large = _without_large_texts(batch)
        replaced: Replaced = {}
        values: list[Values] = []
        for column in layout.columns:
            if column in presence:
                values.append(presence[column](start, batch.num_rows))
            elif column not in self.columns:
                values.append([None] * batch.num_rows)
            elif column in layout.unread and _is_text(batch.column(column).type):
                values.append(_marks(batch.column(column)))
            else:
                values.append(_values(batch.column(column), replaced))
        rows = map(RawRow, numbers, repeat(layout), zip(*values, strict=True))
        if not large and not replaced:  # the usual case, and faster than a list
            return cast(Iterator[RawRow | BadRow], rows)
        found: list[RawRow | BadRow] = []
        for place, row in enumerate(rows):
            row.replaced = replaced.get(place, 0)
            found.append(row)
        for place, column in large.items():
            detail = f"{column} of over {MAX_ROW_BYTES} bytes"
            found[place] = BadRow(numbers[place], "too_large", detail)
        return iter(found)

    def _presence(self, group: int, column: str, rule: NullRule) -> Presence | None:
        """Return where a text column has values without fetching it, or None if that is unknown."""
        if not _is_text(self._kinds[column]):
            return None
        chunks = self._chunks(group, [column])
        chunk = chunks[0] if len(chunks) == 1 else None
        if chunk is None or chunk.statistics is None or not chunk.statistics.has_null_count:
            return None
        nulls = chunk.statistics.null_count
        rows = self._file.metadata.row_group(group).num_rows
        if nulls in (0, rows):
            mark = None if nulls else ""
            return lambda _, size: [mark] * size
        if rows > MAX_PRESENCE_ROWS or not self.columns.issuperset(rule.columns):
            return None
        table = self._file.read_row_group(group, list(rule.columns), use_threads=False)
        told = [
            None if rule.holds(*values) else ""
            for values in zip(*(c.to_pylist() for c in table.columns), strict=True)
        ]
        if told.count(None) != nulls:
            return None
        return lambda start, size: told[start : start + size]

    def _chunks(self, group: int, columns: Sequence[str]) -> list[Any]:
        """Return the chunks of some columns, at the places that the schema gives."""
        metadata = self._file.metadata.row_group(group)
        return [metadata.column(place) for c in columns for place in self._places[c]]

    def _batch_size(self, group: int, columns: Sequence[str]) -> int | str:
        """Return how many rows of a group to decode at once, or why none of them is decoded."""
        metadata = self._file.metadata.row_group(group)
        rows = max(metadata.num_rows, 1)
        size = 0
        batch = min(rows, MAX_BATCH_ROWS)
        for chunk in self._chunks(group, columns):
            bytes_ = chunk.total_uncompressed_size
            size += bytes_
            if bytes_ > MAX_ROW_BYTES * max(rows, 4):
                return f"{chunk.path_in_schema} of over {MAX_ROW_BYTES} bytes on average"
            if chunk.num_values > MAX_VALUES_PER_ROW * max(rows, 100):
                return f"{chunk.path_in_schema} of over {MAX_VALUES_PER_ROW} values on average"
            if batch * bytes_ > MAX_BATCH_BYTES and chunk.has_dictionary_page:
                longest = self._dictionary_bytes(chunk)
                few = ORDINARY_ROWS if longest <= ORDINARY_DICTIONARY_BYTES else 1
                batch = min(batch, max(MAX_BATCH_BYTES // longest, few))
        return int(max(min(batch, BATCH_BYTES * rows // max(size, 1)), 1))

    def _dictionary_bytes(self, chunk: Any) -> int:
        """Return the size of a dictionary in bytes, an upper bound of its longest text.

        The header of a page begins with its type and its uncompressed size, in Thrift's compact
        protocol: field, type i32, a varint in zigzag; then follows the compressed size.
        """
        self._source.seek(chunk.dictionary_page_offset)
        match = PAGE_HEADER.match(self._source.read(16))
        if match is None:
            return max(int(chunk.total_uncompressed_size), 1)
        zigzag = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(match.group(2)))
        return max(int(zigzag) >> 1, 1)


def _without_large_texts(batch: pa.RecordBatch) -> tuple[pa.RecordBatch, dict[int, str]]:
    """Replace texts over ``MAX_ROW_BYTES`` by NULL, and return the rows and columns of them."""
    places: dict[int, str] = {}
    for index, field in enumerate(batch.schema):
        if _is_text(field.type) and not pa.types.is_dictionary(field.type):
            lengths = pc.binary_length(batch.column(index))
            if (pc.max(lengths).as_py() or 0) > MAX_ROW_BYTES:
                large = pc.fill_null(pc.greater(lengths, MAX_ROW_BYTES), fill_value=False)
                for place, is_large in enumerate(large.to_pylist()):
                    if is_large:
                        places[place] = field.name
                kept = pc.if_else(large, pa.scalar(None, field.type), batch.column(index))
                batch = batch.set_column(index, field, kept)
    return batch, places


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
    """Convert a column to Python values; add to ``replaced`` the rows whose text was repaired."""
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
    """Convert lists and structs part by part, since their text may need repair too."""
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
