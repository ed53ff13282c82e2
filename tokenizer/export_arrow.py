"""Documents as Arrow files that ``datasets.load_from_disk`` opens: ``id`` and ``input_ids``."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tokenizer.files import replacing, write_atomically

ROWS: Final = 1000  # documents in a record batch, as many as there
DICT_NAME: Final = "dataset_dict.json"

Columns = tuple[pa.ChunkedArray, NDArray[np.int64], NDArray[np.unsignedinteger[Any]]]


def write_arrow(out: Path, split: str, shards: Iterator[Columns], count: int, dtype: str) -> None:
    """Write a split as a data set of its own, and name it in ``dataset_dict.json``.

    Args:
        out: folder of all splits.
        split: name of the folder that is made.
        shards: ids, lengths and tokens of the documents of each shard.
        count: of shards.
        dtype: of the tokens.
    """
    folder = out / split
    folder.mkdir()
    features = {
        "id": {"dtype": "string", "_type": "Value"},
        "input_ids": {"feature": {"dtype": dtype, "_type": "Value"}, "_type": "List"},
    }
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    lists = pa.list_(pa.type_for_alias(dtype))
    schema = pa.schema([pa.field("id", pa.string()), pa.field("input_ids", lists)], metadata)
    names = []
    fingerprint = hashlib.sha256()
    for number, (ids, lengths, tokens) in enumerate(shards):
        name = f"data-{number:05d}-of-{count:05d}.arrow"
        with replacing(folder / name) as path, pa.ipc.new_stream(path, schema) as writer:
            for batch in _batches(ids, lengths, tokens, schema):
                writer.write_batch(batch)
        names.append({"filename": name})
        fingerprint.update(lengths.tobytes() + tokens[:4096].tobytes())
    state: dict[str, Any] = {
        "_data_files": names,
        "_fingerprint": fingerprint.hexdigest()[:16],
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": split,
    }
    info = {"citation": "", "description": "", "features": features, "homepage": "", "license": ""}
    _write_json(folder / "state.json", state)
    _write_json(folder / "dataset_info.json", info)
    written = sorted(path.name for path in out.iterdir() if path.is_dir())
    _write_json(out / DICT_NAME, {"splits": written})


def _batches(
    ids: pa.ChunkedArray,
    lengths: NDArray[np.int64],
    tokens: NDArray[np.unsignedinteger[Any]],
    schema: pa.Schema,
) -> Iterator[pa.RecordBatch]:
    ends = np.cumsum([0, *lengths.tolist()], dtype=np.int64)
    for first in range(0, len(lengths), ROWS):
        limits = ends[first : first + ROWS + 1]
        values = pa.array(np.asarray(tokens[limits[0] : limits[-1]]))
        offsets = pa.array((limits - limits[0]).astype(np.int32))
        lists = pa.ListArray.from_arrays(offsets, values)
        column = ids.slice(first, ROWS).combine_chunks()
        yield pa.RecordBatch.from_arrays([column, lists], schema=schema)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_atomically(path, json.dumps(content, indent=2, sort_keys=True).encode())
