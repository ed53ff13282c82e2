"""The document that every source produces, and its Parquet form.

Inside a pass a document is a plain dataclass; it becomes Arrow only in the writer. Files are
written with fixed settings, so that equal documents give equal bytes.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

# Bytes of a digest. The chance that any two of 10^12 different digests are equal is 10^-14.
KEY_BYTES = 16
ZSTD_LEVEL = 3  # of what a run keeps
STAGED_LEVEL = 1  # of what is read once and deleted: in half of the time, a sixth larger
ROWS_PER_GROUP = 8192  # documents in a Parquet row group, at most
CHARACTERS_PER_GROUP = 16_000_000  # limits the writer's memory, however long documents are


@dataclass(slots=True)
class Document:
    """One document on its way through the stages: the columns of a documents file, and ``row``."""

    id: str
    source: str
    text: str
    url: str | None = None
    created: str | None = None  # ISO-8601, UTC: the document's own date
    lang: str | None = None  # ISO 639-1
    license: str | None = None  # SPDX id where the source states one
    lang_score: float | None = None
    perplexity: float | None = None
    wikiref_score: float | None = None
    meta: dict[str, Any] = field(default_factory=dict)  # JSON scalars, lists and maps only
    row: int = -1  # number of the record in its unit, from 0; not written


DOCUMENT_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("text", pa.large_string(), nullable=False),
        pa.field("url", pa.string()),
        pa.field("created", pa.string()),
        pa.field("lang", pa.string()),
        pa.field("license", pa.string()),
        pa.field("lang_score", pa.float32()),
        pa.field("perplexity", pa.float32()),
        pa.field("wikiref_score", pa.float32()),
        pa.field("meta", pa.string(), nullable=False),
    ]
)

REJECT_SCHEMA = pa.schema(
    [
        *DOCUMENT_SCHEMA,
        pa.field("stage", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
    ]
)

_COLUMNS = tuple(DOCUMENT_SCHEMA.names)
_values = attrgetter(*_COLUMNS)
_to_json = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode


def meta_json(meta: dict[str, Any]) -> str:
    """Return ``meta`` as compact JSON with sorted keys.

    >>> meta_json({"path": "a.py", "copies": 2})
    '{"copies":2,"path":"a.py"}'
    """
    return valid_utf8(_to_json(meta))


def valid_utf8(text: str) -> str:
    """Replace lone surrogates, which UTF-8 and Arrow cannot represent, by U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return text


def row_of(document: Document) -> dict[str, Any]:
    """Return the columns of DOCUMENT_SCHEMA for one document."""
    row = dict(zip(_COLUMNS, _values(document), strict=True))
    row["meta"] = meta_json(document.meta)
    return row


def document_of(row: dict[str, Any]) -> Document:
    """Return the document in a row of a documents or rejects file."""
    values = {name: row[name] for name in _COLUMNS}
    values["meta"] = json.loads(row["meta"])
    return Document(**values)


class ParquetSink:
    """Write rows of one schema to an open binary stream, with fixed settings and bounded memory.

    Args:
        stream: receives the bytes; it is left open.
        schema: the columns of every row.
        level: how hard zstd tries.
    """

    def __init__(self, stream: IO[bytes], schema: pa.Schema, level: int = ZSTD_LEVEL) -> None:
        self.schema = schema
        self.rows = 0
        self._buffer: list[tuple[Any, ...]] = []  # rows, their values in the order of the columns
        self._characters = 0
        self._values = itemgetter(*schema.names)
        self._writer = pq.ParquetWriter(
            stream,
            schema,
            version="2.6",
            compression="zstd",
            compression_level=level,
            data_page_version="1.0",
            use_dictionary=["source", "lang", "license"],
            write_statistics=["id", "source"],
        )

    def write(self, row: dict[str, Any], characters: int) -> None:
        """Append a row, whose text has ``characters`` characters."""
        self._buffer.append(self._values(row))
        self.rows += 1
        self._characters += characters
        if self._characters >= CHARACTERS_PER_GROUP or len(self._buffer) >= ROWS_PER_GROUP:
            self._flush()

    def write_table(self, rows: pa.Table) -> None:
        """Append the rows of an Arrow table, as row groups of their own."""
        self._flush()
        self._writer.write_table(rows.select(self.schema.names).cast(self.schema), ROWS_PER_GROUP)
        self.rows += rows.num_rows

    def _flush(self) -> None:
        if self._buffer:
            columns = zip(self.schema, zip(*self._buffer, strict=True), strict=True)
            arrays = [pa.array(values, field.type) for field, values in columns]
            table = pa.Table.from_arrays(arrays, schema=self.schema)
            self._writer.write_table(table, row_group_size=ROWS_PER_GROUP)
        self._buffer = []
        self._characters = 0

    def close(self) -> None:
        """Write the buffered rows and the footer."""
        self._flush()
        self._writer.close()

    def abandon(self) -> None:
        """Forget the stream after a failed write, without writing to it again."""
        self._buffer = []
        self._writer.is_open = False


def read_rows(
    stream: IO[bytes], columns: Sequence[str] | None = None, batch_rows: int = 256
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a documents or rejects file, holding one batch of rows in memory."""
    file = pq.ParquetFile(stream)
    # Use one thread: a process works on one unit, and leftover threads can abort it at its end.
    for batch in file.iter_batches(batch_rows, columns=columns, use_threads=False):
        yield from batch.to_pylist()
