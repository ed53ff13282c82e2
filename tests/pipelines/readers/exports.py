"""Writes rows as BigQuery exports them, in each format, for the tests of the readers."""

import gzip
import io
import json
from collections.abc import Sequence
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq

FORMATS = ("parquet", "json", "json.gz", "avro", "avro.snappy")

LANGUAGE = pa.list_(pa.struct([("name", pa.string()), ("bytes", pa.int64())]))
TYPES = {
    **dict.fromkeys(("size", "copies", "mode"), pa.int64()),
    "binary": pa.bool_(),
    "language": LANGUAGE,
}
AVRO_TYPES = {pa.int64(): "long", pa.bool_(): "boolean", pa.string(): "string"}
AVRO_LANGUAGE = {
    "type": "array",
    "items": {
        "type": "record",
        "name": "language",
        "namespace": "root",
        "fields": [{"name": "name", "type": "string"}, {"name": "bytes", "type": "long"}],
    },
}

Rows = Sequence[dict[str, Any]]


def export(rows: Rows, form: str) -> io.BytesIO:
    """Write ``rows``, dictionaries of equal keys, in one of ``FORMATS``."""
    if form == "parquet":
        return as_parquet(rows)
    if form.startswith("avro"):
        return as_avro(rows, codec="snappy" if form == "avro.snappy" else "deflate")
    return as_json(rows, packed=form == "json.gz")


def as_parquet(rows: Rows, row_group_size: int = 1000) -> io.BytesIO:
    """Write Parquet."""
    schema = pa.schema([(key, TYPES.get(key, pa.string())) for key in rows[0]])
    out = io.BytesIO()
    table = pa.Table.from_pylist(list(rows), schema)
    pq.write_table(table, out, compression="zstd", row_group_size=row_group_size)
    return out


def as_avro(rows: Rows, codec: str = "null", sync_interval: int = 16000) -> io.BytesIO:
    """Write an Avro container of about ``sync_interval`` bytes a block."""
    fields = [{"name": key, "type": _avro_type(key)} for key in rows[0]]
    out = io.BytesIO()
    schema = {"type": "record", "name": "Root", "fields": fields}
    fastavro.writer(out, schema, rows, codec=codec, sync_interval=sync_interval)
    return out


def as_json(rows: Rows, *, packed: bool = False) -> io.BytesIO:
    """Write JSON lines: NULL columns absent, INT64 as strings."""
    lines = "".join(json.dumps(_json_value(row), ensure_ascii=False) + "\n" for row in rows)
    data = lines.encode()
    return io.BytesIO(gzip.compress(data, mtime=0) if packed else data)


def _avro_type(column: str) -> Any:
    kind = TYPES.get(column, pa.string())
    return AVRO_LANGUAGE if kind == LANGUAGE else ["null", AVRO_TYPES[kind]]


def _json_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _json_value(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_json_value(item) for item in value]
    return str(value) if type(value) is int else value
