"""Documents survive Parquet, and equal documents are equal bytes."""

import io

import pyarrow.parquet as pq
import pytest

from pipelines.engine import documents
from pipelines.engine.documents import (
    DOCUMENT_SCHEMA,
    Document,
    ParquetSink,
    document_of,
    meta_json,
    read_rows,
    row_of,
    valid_utf8,
)

DOCUMENTS = [
    Document("x:1", "x", "né 漢 😀\n", "https://x/1", "2020-01-01", "fr", "MIT", 0.5, 2.0, 0.25),
    Document("x:2", "x", "", meta={"path": "ü", "list": [1, {"a": None}], "n": 1.5}),
]


def _written(rows: list[Document]) -> bytes:
    stream = io.BytesIO()
    sink = ParquetSink(stream, DOCUMENT_SCHEMA)
    for document in rows:
        sink.write(row_of(document), len(document.text))
    sink.close()
    assert sink.rows == len(rows)
    return stream.getvalue()


def test_documents_come_back_as_they_were() -> None:
    """Every column, and meta with its types."""
    assert [document_of(row) for row in read_rows(io.BytesIO(_written(DOCUMENTS)))] == DOCUMENTS


def test_equal_documents_give_equal_bytes() -> None:
    """No clock and no identity goes into a file."""
    assert _written(DOCUMENTS) == _written(DOCUMENTS)


def test_the_file_has_the_columns_of_the_design() -> None:
    """In order, with their types."""
    assert pq.ParquetFile(io.BytesIO(_written([]))).schema_arrow == DOCUMENT_SCHEMA


def test_row_groups_are_cut_by_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer holds a bounded number of them."""
    monkeypatch.setattr(documents, "CHARACTERS_PER_GROUP", 10)
    rows = [Document(f"x:{n}", "x", "abcde") for n in range(5)]
    groups = pq.ParquetFile(io.BytesIO(_written(rows))).metadata
    assert [groups.row_group(n).num_rows for n in range(groups.num_row_groups)] == [2, 2, 1]


def test_meta_is_compact_json_with_sorted_keys() -> None:
    """The order in which a stage set them does not show."""
    assert meta_json({"b": 1, "a": "é\ud800"}) == meta_json({"a": "é\ud800", "b": 1})
    assert meta_json({"b": [1], "a": "é"}) == '{"a":"é","b":[1]}'


def test_lone_surrogates_are_replaced() -> None:
    """UTF-8 cannot hold them; pairs and the rest stay."""
    assert valid_utf8("a\ud800b😀").replace("\ufffd", "") == "ab😀"
    assert "\ufffd" in valid_utf8("a\ud800b😀")
