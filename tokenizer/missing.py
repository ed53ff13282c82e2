"""Documents of a run that its token shards lack, and others that they hold instead.

A hash of each document's id and text stands for it, eight bytes in memory, so that the documents of
a source can be compared on one machine. A missing one is overlooked with a chance of its number of
documents in 2^64.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tokenizer.layout import input_sha256
from tokenizer.manifest import MANIFEST_NAME, Manifest
from tokenizer.runs import FinishedRun

NAMED: Final = 5  # documents that a message names
BATCH_ROWS: Final = 256

Document = tuple[str, str]  # id, and the SHA-1 of the text


def missing_documents(
    tables: Iterable[Path], manifest: Manifest, runs: Sequence[FinishedRun]
) -> Iterator[tuple[str, str]]:
    """Yield (file, message) for what differs between runs and shards.

    Args:
        tables: the ``.docs.parquet`` of all shards.
        manifest: of the shards.
        runs: that the shards were made of.
    """
    if input_sha256([run.completed for run in runs]) != manifest.input_sha256:
        yield MANIFEST_NAME, "the shards were made of other runs than these"
    stored = list(tables)
    here = _hashes(document for path in stored for document in _stored(path))
    there = _hashes(document for run in runs for document in _of_run(run))
    for run in runs:
        if lost := _named(_of_run(run), lambda keys: ~np.isin(keys, here)):
            yield run.path.name, f"the shards lack {lost}, or have another text for it"
    for path in stored:
        if foreign := _named(_stored(path), lambda keys: ~np.isin(keys, there)):
            yield path.name, f"{foreign} are in no run"


def _stored(path: Path) -> Iterator[Document]:
    table = pq.read_table(path, columns=["id", "sha1_text"])
    yield from zip(table["id"].to_pylist(), table["sha1_text"].to_pylist(), strict=True)


def _of_run(run: FinishedRun) -> Iterator[Document]:
    for listed in run.files:
        with pq.ParquetFile(listed.path) as file:
            for batch in file.iter_batches(BATCH_ROWS, columns=["id", "text"], use_threads=False):
                for row in batch.to_pylist():
                    digest = hashlib.sha1(row["text"].encode(), usedforsecurity=False)
                    yield row["id"], digest.hexdigest()


def _hash(document: Document) -> int:
    content = "\n".join(document).encode()
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")


def _hashes(documents: Iterable[Document]) -> NDArray[np.uint64]:
    return np.fromiter(map(_hash, documents), np.uint64)


def _named(
    documents: Iterable[Document], wrong: Callable[[NDArray[np.uint64]], NDArray[np.bool_]]
) -> str:
    """Say how many documents are wrong, and which are the first; nothing if none is."""
    ids, hashes = [], []
    for document in documents:
        ids.append(document[0])
        hashes.append(_hash(document))
    found = [ids[number] for number in np.flatnonzero(wrong(np.array(hashes, np.uint64)))]
    if not found:
        return ""
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return f"{len(found)} documents: {', '.join(map(repr, found[:NAMED]))}{more}"
