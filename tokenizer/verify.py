"""Check that token shards are what was written, and were right (docs/rules/tokens.md 3).

Every statement that a manifest makes is checked against the bytes, and every statement that the
format makes against the manifest: hashes, index, provenance, boundaries of documents, ids within
the vocabulary, each document in the shard, order and split that its id asks for.
"""

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tokenizer.manifest import (
    FILE_KINDS,
    MANIFEST_NAME,
    SPLITS,
    Manifest,
    ManifestError,
    ShardInfo,
    read_manifest,
)
from tokenizer.megatron import decode_index
from tokenizer.missing import missing_documents
from tokenizer.model import Tokenizer
from tokenizer.runs import FinishedRun
from tokenizer.shards import DOCS_SCHEMA, heldout_threshold, placement

CHUNK_TOKENS: Final = 1 << 24  # read at a time


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a file of a directory of shards."""

    file: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}: {self.message}"


def verify(
    directory: str | Path,
    tokenizer: Tokenizer | None = None,
    runs: Sequence[FinishedRun] = (),
) -> Iterator[Problem]:
    """Check all shards in a directory; nothing is yielded if all is well.

    Args:
        directory: with a manifest.json.
        tokenizer: that the shards should have been made with, or None not to ask.
        runs: all runs that the shards were made of, to see that every document is there with the
            text that it has in its run; none not to ask.
    """
    directory = Path(directory)
    try:
        manifest = read_manifest(directory)
    except ManifestError as error:
        yield Problem(MANIFEST_NAME, str(error).removeprefix(f"{directory / MANIFEST_NAME}: "))
        return
    if tokenizer:
        yield from _check_tokenizer(manifest, tokenizer)
    yield from _check_listing(directory, manifest)
    owners = {
        shard.files[kind].sha256: shard.file_name(kind)
        for shard in manifest.shards
        for kind in FILE_KINDS
    }
    readable = True
    for shard in manifest.shards:
        found = list(_check_files(directory, shard, owners))
        yield from found
        readable = readable and not found
        if not found:  # the bytes are those that were written: were they right?
            yield from _check_shard(directory, manifest, shard)
    if runs and readable:
        tables = (directory / shard.file_name("docs.parquet") for shard in manifest.shards)
        for where, message in missing_documents(tables, manifest, runs):
            yield Problem(where, message)


def _check_tokenizer(manifest: Manifest, tokenizer: Tokenizer) -> Iterator[Problem]:
    for name in ("sha256", "vocab_size", "bos_id", "eos_id"):
        key = "tokenizer_sha256" if name == "sha256" else name
        made, given = getattr(manifest, key), getattr(tokenizer, name)
        if made != given:
            yield Problem(MANIFEST_NAME, f"{key} is {made}, but {tokenizer.path.name} has {given}")


def _check_listing(directory: Path, manifest: Manifest) -> Iterator[Problem]:
    """Shards that no manifest knows would be read by a program that lists the directory."""
    listed = {shard.file_name(kind) for shard in manifest.shards for kind in FILE_KINDS}
    for prefix in SPLITS.values():
        for path in sorted(directory.glob(f"{prefix}-*")):
            if path.name not in listed:
                yield Problem(path.name, "is not in the manifest")


def _check_files(directory: Path, shard: ShardInfo, owners: Mapping[str, str]) -> Iterator[Problem]:
    for kind in FILE_KINDS:
        name, expected = shard.file_name(kind), shard.files[kind]
        try:
            with (directory / name).open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                size = file.tell()
        except OSError as error:
            yield Problem(name, f"cannot be read ({error.strerror})")
            continue
        if sha256 == expected.sha256:
            continue
        if sha256 in owners:
            yield Problem(name, f"holds what belongs in {owners[sha256]}")
        elif size != expected.bytes:
            yield Problem(name, f"{size} bytes instead of {expected.bytes}")
        else:
            yield Problem(name, f"SHA-256 is {sha256} instead of {expected.sha256}")


def _check_shard(directory: Path, manifest: Manifest, shard: ShardInfo) -> Iterator[Problem]:
    """Check what the files of a shard say, once their bytes are known to be those written."""
    paths = {kind: directory / shard.file_name(kind) for kind in FILE_KINDS}
    try:
        lengths = _read_lengths(paths["idx"], manifest, shard)
    except ValueError as error:
        yield Problem(paths["idx"].name, str(error))
        return
    for message in _provenance_problems(paths["docs.parquet"], lengths, manifest, shard):
        yield Problem(paths["docs.parquet"].name, message)
    tokens = np.memmap(paths["bin"], np.dtype(manifest.dtype).newbyteorder("<"), "r")
    for message in _token_problems(tokens, lengths, manifest):
        yield Problem(paths["bin"].name, message)


def _read_lengths(path: Path, manifest: Manifest, shard: ShardInfo) -> NDArray[np.int64]:
    """Tokens of each document, from an index that agrees with the manifest, or ValueError."""
    index = decode_index(path.read_bytes())
    item_bytes = np.dtype(manifest.dtype).itemsize
    if index.item_bytes != item_bytes:
        raise ValueError(f"{index.item_bytes} bytes a token instead of {item_bytes}")
    lengths = index.lengths.astype(np.int64)
    if (len(lengths), int(lengths.sum())) != (shard.documents, shard.tokens):
        raise ValueError(
            f"{len(lengths)} documents with {lengths.sum()} tokens, but the manifest says "
            f"{shard.documents} with {shard.tokens}"
        )
    return lengths


def _provenance_problems(
    path: Path, lengths: NDArray[np.int64], manifest: Manifest, shard: ShardInfo
) -> Iterator[str]:
    try:
        table = pq.ParquetFile(path).read()
    except (OSError, pa.ArrowInvalid) as error:
        yield f"cannot be read ({error})"
        return
    if not table.schema.equals(DOCS_SCHEMA):
        yield f"columns are {table.schema.names}, of other types or names than the format's"
        return
    if not np.array_equal(table["n_tokens"].to_numpy(), lengths):
        yield "n_tokens differ from the lengths in the index"
    if not np.array_equal(table["offset"].to_numpy(), np.cumsum(lengths) - lengths):
        yield "offsets do not follow from n_tokens"
    text_bytes = int(table["n_bytes_text"].to_numpy().sum())
    if text_bytes != shard.text_bytes:
        yield f"{text_bytes} bytes of text, but the manifest says {shard.text_bytes}"
    yield from _placement_problems(table["id"].to_pylist(), manifest, shard)


def _placement_problems(ids: list[str], manifest: Manifest, shard: ShardInfo) -> Iterator[str]:
    """One message a shard and kind of problem: a wrong seed would give one a document."""
    threshold = heldout_threshold(manifest.heldout_fraction)
    index, of, held_out = shard.index, shard.of, shard.split == "heldout"
    elsewhere = []
    keys = []
    for document_id in ids:
        place = placement(manifest.seed, document_id, of)
        if place.shard != index or (place.heldout_rank < threshold) != held_out:
            elsewhere.append(document_id)
        keys.append((place.order, document_id))
    if elsewhere:
        yield f"{len(elsewhere)} documents belong elsewhere, the first is {elsewhere[0]!r}"
    for before, after in itertools.pairwise(keys):
        if before == after:
            yield f"document {after[1]!r} is there twice"
            return
        if before > after:
            yield f"document {after[1]!r} is out of order"
            return


def _token_problems(
    tokens: NDArray[np.unsignedinteger[Any]], lengths: NDArray[np.int64], manifest: Manifest
) -> Iterator[str]:
    highest = 0
    for begin in range(0, len(tokens), CHUNK_TOKENS):
        highest = max(highest, int(tokens[begin : begin + CHUNK_TOKENS].max()))
    if highest >= manifest.vocab_size:
        yield f"id {highest} in a vocabulary of {manifest.vocab_size}"
    ends = np.cumsum(lengths)
    boundaries = []
    if manifest.add_bos:
        boundaries.append(("begin with bos", manifest.bos_id, ends - lengths))
    if manifest.add_eos:
        boundaries.append(("end with eos", manifest.eos_id, ends - 1))
    right: dict[int, set[int]] = {}
    for claim, special_id, positions in boundaries:
        correct = tokens[positions] == special_id
        wrong = np.flatnonzero(~correct)
        if len(wrong):
            first = int(wrong[0])
            yield f"{len(wrong)} documents do not {claim} {special_id}, the first is number {first}"
        right.setdefault(special_id, set()).update(positions[correct].tolist())
    for special_id, found in right.items():
        inside = _count(tokens, special_id) - len(found)
        if inside:
            yield f"id {special_id} stands {inside} times inside documents"


def _count(tokens: NDArray[np.unsignedinteger[Any]], token: int) -> int:
    chunks = (tokens[i : i + CHUNK_TOKENS] for i in range(0, len(tokens), CHUNK_TOKENS))
    return sum(int(np.count_nonzero(chunk == token)) for chunk in chunks)
