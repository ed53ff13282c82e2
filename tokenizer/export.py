"""Token shards in the formats of other training programs (docs/rules/tokens.md 2).

Each split becomes a folder or a pair of files, with its documents in the order of the shards, so
that what lies side by side there is as well shuffled as here. Shards are read through memory maps
and written on as they are read; nothing larger than a shard of the other format is in memory.
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tokenizer.errors import UserError
from tokenizer.export_arrow import write_arrow
from tokenizer.export_mds import write_mds
from tokenizer.files import replacing
from tokenizer.manifest import SPLITS, Manifest, ShardInfo, read_manifest
from tokenizer.megatron import decode_index, encode_index
from tokenizer.reading import find_file

COPY_TOKENS: Final = 1 << 24  # copied at a time


class ExportError(UserError, ValueError):
    """Shards that cannot be exported: the message says what to do."""


@dataclass(frozen=True)
class SplitShard:
    """A shard as it is exported: its documents lie in ``tokens`` one after the other."""

    name: str
    tokens: NDArray[np.unsignedinteger[Any]]  # shape (tokens,), a memory map
    lengths: NDArray[np.int64]  # tokens of each document, shape (documents,)
    ids: pa.ChunkedArray  # of the documents

    def documents(self) -> Iterator[tuple[str, NDArray[np.unsignedinteger[Any]]]]:
        """Yield the id and the tokens of each document."""
        end = 0
        for document_id, length in zip(self.ids.to_pylist(), self.lengths.tolist(), strict=True):
            begin, end = end, end + length
            yield document_id, self.tokens[begin:end]


def export(directory: Path, to: str, out: Path) -> dict[str, int]:
    """Write the shards in a directory in another format.

    Args:
        directory: with a manifest.json.
        to: one of `FORMATS`.
        out: folder, which must be empty or absent.

    Returns:
        documents by split.

    Raises:
        ManifestError: the shards are not complete.
        ReadError: a file is not what the manifest says.
        ExportError: ``out`` is not empty.
    """
    manifest = read_manifest(directory)
    if out.exists() and any(out.iterdir()):
        raise ExportError(f"{out} is not empty; give another folder")
    out.mkdir(parents=True, exist_ok=True)
    done = {}
    for split in SPLITS:
        shards = manifest.split_shards(split)
        if shards:
            FORMATS[to](out, split, manifest, _shards(directory, manifest, shards))
            done[split] = sum(shard.documents for shard in shards)
    return done


def _shards(
    directory: Path, manifest: Manifest, shards: tuple[ShardInfo, ...]
) -> Iterator[SplitShard]:
    for shard in shards:
        paths = {kind: find_file(directory, shard, kind) for kind in shard.files}
        index = decode_index(paths["idx"].read_bytes())
        yield SplitShard(
            shard.name,
            np.memmap(paths["bin"], np.dtype(manifest.dtype).newbyteorder("<"), "r"),
            index.lengths.astype(np.int64),
            pq.read_table(paths["docs.parquet"], columns=["id"])["id"],
        )


def _write_megatron(
    out: Path, split: str, manifest: Manifest, shards: Iterator[SplitShard]
) -> None:
    """One ``.bin`` and ``.idx`` for a split, which ``--data-path OUT/train`` names."""
    lengths = []
    with replacing(out / f"{split}.bin") as path, path.open("wb") as file:
        for shard in shards:
            lengths.append(shard.lengths)
            _copy(shard.tokens, file.write)
    content = encode_index(np.concatenate(lengths), manifest.dtype)
    (out / f"{split}.idx").write_bytes(content)


def _write_datatrove(
    out: Path, split: str, manifest: Manifest, shards: Iterator[SplitShard]
) -> None:
    """A ``.ds`` per shard, with the ends of its documents and what its tokens are."""
    folder = out / split
    folder.mkdir()
    token_bytes = np.dtype(manifest.dtype).itemsize
    for shard in shards:
        with replacing(folder / f"{shard.name}.ds") as path, path.open("wb") as file:
            _copy(shard.tokens, file.write)
        ends = np.cumsum(shard.lengths).tolist()
        (folder / f"{shard.name}.ds.index").write_bytes(struct.pack(f"<{len(ends)}Q", *ends))
        name = f"corpusmill-{manifest.tokenizer_sha256[:12]}|{token_bytes}"
        text = f"{name}\n{len(shard.tokens)}\n{len(shard.tokens) / 1e9:.3f} GT"
        (folder / f"{shard.name}.ds.metadata").write_text(text, "utf-8")


def _copy(tokens: NDArray[np.unsignedinteger[Any]], write: Callable[[Any], object]) -> None:
    for begin in range(0, len(tokens), COPY_TOKENS):
        write(tokens[begin : begin + COPY_TOKENS].data)


Write = Callable[[Path, str, Manifest, Iterator[SplitShard]], None]


def _to_mds(out: Path, split: str, manifest: Manifest, shards: Iterator[SplitShard]) -> None:
    documents = (document for shard in shards for document in shard.documents())
    write_mds(out / split, documents, manifest.dtype)


def _to_arrow(out: Path, split: str, manifest: Manifest, shards: Iterator[SplitShard]) -> None:
    tables = ((shard.ids, shard.lengths, shard.tokens) for shard in shards)
    count = len(manifest.split_shards(split))
    write_arrow(out, split, tables, count, manifest.dtype)


FORMATS: Final[Mapping[str, Write]] = {
    "arrow": _to_arrow,
    "datatrove": _write_datatrove,
    "mds": _to_mds,
    "megatron": _write_megatron,
}
