"""Rows of an Avro object container file, as BigQuery exports them (spec sources 1.1)."""

from collections.abc import Iterator, Sequence
from typing import Any

import fastavro

from pipelines.readers.rows import (
    BadRow,
    Row,
    Source,
    Unread,
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

    def rows(self, columns: Sequence[str], unread: Unread) -> Iterator[Row | BadRow]:
        """Yield the rows, block by block; a damaged block ends the file.

        Args:
            columns: the fields whose values are wanted.
            unread: those of which only the presence matters (``Unread``).
        """
        number = 0
        try:
            for block in self._blocks:
                for record in block:
                    yield _row(number, record, columns, unread)
                    number += 1
        except Exception as error:  # noqa: BLE001 -- damage shows as EOF, value, index, zlib errors
            self._source.raise_own_error()
            yield BadRow(number, "truncated_file", clip(f"{type(error).__name__}: {error}"))


def _row(number: int, record: Any, columns: Sequence[str], unread: Unread) -> Row:
    values = []
    replaced = 0
    for column in columns:
        value = record.get(column)
        if isinstance(value, bytes):  # a table written elsewhere may keep text as bytes
            value = value.decode(errors="surrogateescape")
        if column in unread and isinstance(value, str):
            value = ""
        elif not isinstance(value, int):
            value, count = repair_texts(value, _decode_again)
            replaced += count
        values.append(value)
    return Row(number, tuple(values), replaced)


def _decode_again(text: str) -> tuple[str, int]:
    """Put U+FFFD in place of the surrogates that stand for bytes; and count them."""
    return (text, 0) if text.isascii() else decode(text.encode(errors="surrogateescape"))
