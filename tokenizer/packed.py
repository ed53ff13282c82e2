"""Tokenized documents as rows of an Arrow table, on their way from the texts to their shards."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tokenizer.shards import TokenizedDocument

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("tokens", pa.large_binary(), nullable=False),  # of one dtype, in native order
        pa.field("text_bytes", pa.int64(), nullable=False),
        pa.field("text_sha1", pa.string(), nullable=False),
        pa.field("space_marks", pa.int64(), nullable=False),
    ]
)


def pack(documents: Sequence[TokenizedDocument]) -> pa.Table:
    """Make rows of documents, whose tokens are all of one dtype."""
    tokens = [document.tokens for document in documents]
    ends = np.cumsum([0, *(array.nbytes for array in tokens)], dtype=np.int64)
    memory = np.concatenate(tokens) if tokens else np.empty(0, np.uint16)
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(memory)]
    return pa.table(
        [
            pa.array([document.id for document in documents], pa.string()),
            pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(documents), buffers),
            pa.array([document.text_bytes for document in documents], pa.int64()),
            pa.array([document.text_sha1 for document in documents], pa.string()),
            pa.array([document.space_marks for document in documents], pa.int64()),
        ],
        schema=SCHEMA,
    )


def unpack(table: pa.Table, dtype: str) -> list[TokenizedDocument]:
    """Make documents of rows; the tokens are views of the table's memory, not copies."""
    documents: list[TokenizedDocument] = []
    for batch in table.select(SCHEMA.names).to_batches():
        ids, tokens, *counts = batch.columns
        ends, memory = _ends_and_memory(tokens)
        views = [memory[begin:end].view(dtype) for begin, end in itertools.pairwise(ends)]
        columns = (ids.to_pylist(), views, *(column.to_pylist() for column in counts))
        documents += map(TokenizedDocument, *columns)
    return documents


def _ends_and_memory(column: pa.LargeBinaryArray) -> tuple[list[int], NDArray[np.uint8]]:
    """Where the values of a column begin and end, and the bytes that they lie in."""
    _, offsets, values = column.buffers()
    ends: Any = np.frombuffer(offsets, np.int64, len(column) + 1, 8 * column.offset)
    memory = np.frombuffer(values, np.uint8) if values else np.empty(0, np.uint8)
    return ends.tolist(), memory
