"""Rows of an Avro object container file, as BigQuery exports them (spec sources 1.1)."""

from collections.abc import Iterator
from typing import Any

import fastavro

from pipelines.readers.rows import (
    BadRow,
    Layout,
    RawRow,
    Source,
    Values,
    clip,
    decode,
    repair_texts,
    unreadable,
)

MAGIC = b"Obj\x01"


class AvroRows:
    """The rows of an Avro file.

    Raises:
        UnreadableFile: the header is damaged, or the rows are not records.
    """

    has_schema = True

    def __init__(self, source: Source, name: str) -> None:
        self._source = source
        try:
            # Bytes that are not UTF-8 arrive as surrogates, which no valid text holds.
            self._blocks = fastavro.block_reader(source, handle_unicode_errors="surrogateescape")
            schema: Any = self._blocks.writer_schema
            self.columns = frozenset(field["name"] for field in schema["fields"])
        except Exception as error:  # noqa: BLE001 -- a damaged header fails in many ways
            unreadable(source, name, "the Avro header is damaged: fetch the file again", error)

    def rows(self, layout: Layout) -> Iterator[RawRow | BadRow]:
        """Yield the rows, block by block; a damaged block ends the file."""
        number = 0
        record: Any  # a dict, since the schema has fields
        try:
            for block in self._blocks:
                for record in block:
                    yield RawRow(number, layout, record)
                    number += 1
        except Exception as error:  # noqa: BLE001 -- damage shows as EOF, value, index, zlib errors
            self._source.raise_own_error()
            yield BadRow(number, "truncated_file", clip(f"{type(error).__name__}: {error}"))


def values_of(record: dict[str, Any], layout: Layout) -> Values:
    """Return the values of one row."""
    values = []
    replaced = 0
    for column in layout.columns:
        value = record.get(column)
        if isinstance(value, bytes):  # a table written elsewhere may keep text as bytes
            value = value.decode(errors="surrogateescape")
        if isinstance(value, str):
            if column in layout.unread:
                value = ""
            elif not value.isascii():
                value, count = _decode_again(value)
                replaced += count
        elif isinstance(value, list | dict):
            value, count = repair_texts(value, _decode_again)
            replaced += count
        values.append(value)
    return tuple(values), replaced


def _decode_again(text: str) -> tuple[str, int]:
    """Put U+FFFD in place of the surrogates that stand for bytes; and count them."""
    return (text, 0) if text.isascii() else decode(text.encode(errors="surrogateescape"))
