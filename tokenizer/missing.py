"""Documents of a run that its token shards lack, and others that they hold instead.

A hash of each document's id and text stands for it, eight bytes in memory, so that the documents of
a source can be compared on one machine. A missing one is overlooked with a chance of its number of
documents in 2^64.
"""

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tokenizer.layout import input_sha256
from tokenizer.manifest import MANIFEST_NAME, Manifest
from tokenizer.runs import FinishedRun, read_batches

NAMED: Final = 5  # documents that a message names

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
    stored = [(path, _hashes(_stored(path))) for path in tables]
    given = [(run, _hashes(_of_run(run))) for run in runs]
    here = np.unique(np.concatenate([hashes for _, hashes in stored] or [_hashes(())]))
    there = np.unique(np.concatenate([hashes for _, hashes in given]))
    for run, hashes in given:
        if lost := _named(_of_run(run), _absent(hashes, here)):
            yield run.path.name, f"the shards lack {lost}, or have another text for it"
    for path, hashes in stored:
        if foreign := _named(_stored(path), _absent(hashes, there)):
            yield path.name, f"{foreign} are in no run"


def _stored(path: Path) -> Iterator[Document]:
    table = pq.read_table(path, columns=["id", "sha1_text"])
    yield from zip(table["id"].to_pylist(), table["sha1_text"].to_pylist(), strict=True)


def _of_run(run: FinishedRun) -> Iterator[Document]:
    for listed in run.files:
        for batch in read_batches(listed.path, ["id", "text"]):
            for row in batch.to_pylist():
                digest = hashlib.sha1(row["text"].encode(), usedforsecurity=False)
                yield row["id"], digest.hexdigest()


def _hash(document: Document) -> int:
    content = "\n".join(document).encode()
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")


def _hashes(documents: Iterable[Document]) -> NDArray[np.uint64]:
    return np.fromiter(map(_hash, documents), np.uint64)


def _absent(hashes: NDArray[np.uint64], known: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Say of each hash whether it is missing among the known ones, which are sorted."""
    if not len(known):
        return np.ones(len(hashes), np.bool_)
    places = np.searchsorted(known, hashes).clip(max=len(known) - 1)
    return np.asarray(known[places] != hashes)


def _named(documents: Iterable[Document], wrong: NDArray[np.bool_]) -> str:
    """Say how many documents are wrong, and which are the first; nothing if none is.

    The documents are read again as far as the last that is named.
    """
    count = int(np.count_nonzero(wrong))
    if not count:
        return ""
    chosen = itertools.islice(itertools.compress(documents, wrong), min(count, NAMED))
    names = ", ".join(repr(document_id) for document_id, _ in chosen)
    more = f" and {count - NAMED} more" if count > NAMED else ""
    return f"{count} documents: {names}{more}"
