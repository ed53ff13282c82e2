"""Documents as MDS, the format of mosaicml-streaming: columns ``id`` and ``tokens``.

A shard is a uint32 count n, n + 1 uint32 offsets in the file, the configuration as JSON, and the
samples. A sample is the uint32 sizes of its columns, then their bytes: text as UTF-8, and an array
as its number of axes and the width of its shape in one byte, its shape, and its values.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tokenizer.files import write_atomically

SHARD_BYTES: Final = 1 << 26  # the default there
INDEX_NAME: Final = "index.json"
VERSION: Final = 2

Document = tuple[str, NDArray[np.unsignedinteger[Any]]]


def write_mds(folder: Path, documents: Iterable[Document], dtype: str) -> None:
    """Write a data set that ``StreamingDataset(local=folder)`` reads.

    Args:
        folder: is made.
        documents: the id and the tokens of each, at least one of these.
        dtype: of the tokens.
    """
    folder.mkdir()
    config: dict[str, Any] = {
        "column_encodings": ["str", f"ndarray:{dtype}"],
        "column_names": ["id", "tokens"],
        "column_sizes": [None, None],
        "compression": None,
        "format": "mds",
        "hashes": [],
        "size_limit": SHARD_BYTES,
        "version": VERSION,
    }
    head = json.dumps(config, sort_keys=True).encode()
    entries: list[dict[str, Any]] = []
    samples: list[bytes] = []
    held = 0

    def flush() -> None:
        name, content = f"shard.{len(entries):05d}.mds", _shard(samples, head)
        write_atomically(folder / name, content)
        file = {"basename": name, "bytes": len(content), "hashes": {}}
        entries.append({**config, "raw_data": file, "samples": len(samples), "zip_data": None})

    for document_id, tokens in documents:
        sample = _sample(document_id.encode(), tokens, dtype)
        if samples and held + len(sample) + 4 > SHARD_BYTES:
            flush()
            samples, held = [], 0
        samples.append(sample)
        held += len(sample) + 4
    flush()
    index = json.dumps({"shards": entries, "version": VERSION}, sort_keys=True)
    write_atomically(folder / INDEX_NAME, index.encode())


def _shard(samples: Sequence[bytes], head: bytes) -> bytes:
    begin = 4 + 4 * (len(samples) + 1) + len(head)
    offsets = begin + np.cumsum([0, *map(len, samples)], dtype=np.int64)
    if int(offsets[-1]) >= 1 << 32:
        raise ValueError(
            "a document of 4 GiB or more does not fit MDS, whose offsets are of 32 bits"
        )
    count = np.array([len(samples)], "<u4")
    return b"".join((count.tobytes(), offsets.astype("<u4").tobytes(), head, *samples))


def _sample(document_id: bytes, tokens: NDArray[np.unsignedinteger[Any]], dtype: str) -> bytes:
    size = len(tokens)
    width = 0 if size < 1 << 8 else 1 if size < 1 << 16 else 2  # log2 of the bytes of the shape
    shape = bytes([1 << 2 | width]) + size.to_bytes(1 << width, "little")
    array = shape + tokens.astype(np.dtype(dtype).newbyteorder("<")).tobytes()
    return np.array([len(document_id), len(array)], "<u4").tobytes() + document_id + array
