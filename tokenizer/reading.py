"""Token shards opened by their manifest, and read from any token on (docs/rules/tokens.md 2 and 3).

What trains on shards reads windows of them in any order, from far more files than a process may
have open.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tokenizer.errors import UserError
from tokenizer.instructions import LEARNED
from tokenizer.manifest import Manifest, ShardInfo

OPEN_SHARDS: Final = 256  # the corpus has about 19,000 shards, a process usually 1,024 descriptors


class ReadError(UserError, ValueError):
    """A file of a shard that is not there, or not what was written: the message says which."""


@dataclass(frozen=True, slots=True)
class Shard:
    """The token ids of one shard on disk."""

    path: Path
    tokens: int
    sha256: str
    dtype: np.dtype[np.unsignedinteger]
    vocab_size: int  # ids are less
    learned: Path | None = None  # a byte per token: 1 where it is learned; None: all are


def find_file(directory: Path, shard: ShardInfo, kind: str) -> Path:
    """Return a file of a shard; raise ReadError if its size is not what the manifest says."""
    path, expected = directory / shard.file_name(kind), shard.files[kind].bytes
    size = path.stat().st_size if path.is_file() else 0
    if size != expected:
        raise ReadError(
            f"{path}: {size} bytes are there, its manifest says {expected}: see 'python -m "
            f"tokenizer verify {directory}'"
        )
    return path


def open_split(directory: Path, manifest: Manifest, split: str, context: int) -> tuple[Shard, ...]:
    """List the shards of a split, in file-name order.

    Beside each shard of instructions lies what of it is learned (`tokenizer.instructions`), and its
    windows are made for one context.

    Args:
        directory: holds the shards.
        manifest: of the directory.
        split: "train" or "heldout".
        context: tokens of a window.

    Raises:
        ReadError: a size is not the manifest's, or instructions were packed for another context.
    """
    packed = {file.name: file for file in directory.glob(f"*.{LEARNED}-*")}
    shards = []
    for info in manifest.split_shards(split):
        path = find_file(directory, info, "bin")
        learned = packed.get(f"{info.name}.{LEARNED}-{context}")
        if packed and learned is None:
            other = directory / min(packed)
            raise ReadError(f"{other}: packed for another context than {context}")
        if learned and learned.stat().st_size != info.tokens:
            raise ReadError(
                f"{learned}: not a byte for each of {info.tokens} tokens: pack it again"
            )
        dtype = np.dtype(manifest.dtype).newbyteorder("<")
        sha256 = info.files["bin"].sha256
        shards.append(Shard(path, info.tokens, sha256, dtype, manifest.vocab_size, learned))
    return tuple(shards)


class Reader:
    """Reads token ids, with the shards used last held open. One per thread."""

    def __init__(self) -> None:
        self._open: dict[Path, int] = {}  # descriptors, the last used at the end

    def read(self, shard: Shard, offset: int, count: int) -> NDArray[np.int64]:
        """Read ``count`` ids from token ``offset`` on.

        Raises:
            ReadError: it names the byte from which they cannot be read, or where an id is that the
                vocabulary does not have: an embedding would look it up outside of its table.
        """
        width = shard.dtype.itemsize
        ids = np.frombuffer(self._bytes(shard.path, offset * width, count * width), shard.dtype)
        if count and ids.max() >= shard.vocab_size:
            first = int(np.argmax(ids >= shard.vocab_size))
            raise ReadError(
                f"{shard.path}: byte {(offset + first) * width}: id {ids[first]} of a vocabulary "
                f"of {shard.vocab_size}: it is not what was written: see 'python -m tokenizer "
                f"verify {shard.path.parent}'"
            )
        return ids.astype(np.int64)

    def learned(self, shard: Shard, offset: int, count: int) -> NDArray[np.bool_]:
        """Tell which of ``count`` tokens from ``offset`` on are learned. Raises as ``read``."""
        if shard.learned is None:
            return np.ones(count, np.bool_)
        return np.frombuffer(self._bytes(shard.learned, offset, count), np.bool_)

    def close(self) -> None:
        """Close the shards."""
        while self._open:
            os.close(self._open.popitem()[1])

    def _bytes(self, path: Path, start: int, size: int) -> bytes:
        try:
            content = os.pread(self._descriptor(path), size, start)
        except OSError as error:
            raise ReadError(f"{path}: byte {start}: {error.strerror}") from error
        if len(content) != size:
            raise ReadError(f"{path}: byte {start}: {len(content)} of {size} bytes: it was cut")
        return content

    def _descriptor(self, path: Path) -> int:
        descriptor = self._open.pop(path) if path in self._open else os.open(path, os.O_RDONLY)
        self._open[path] = descriptor
        if len(self._open) > OPEN_SHARDS:
            os.close(self._open.pop(next(iter(self._open))))
        return descriptor
