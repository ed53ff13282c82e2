"""Check that token shards are what was written, and were right (docs/rules/tokens.md 3).

Every statement that a manifest makes is checked against the bytes, and every statement that the
format makes against the manifest: hashes, index, provenance, boundaries of documents, ids within
the vocabulary, each document in the shard, order and split that its id asks for.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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
from tokenizer.scan import TokenScan, scan_tokens
from tokenizer.shards import DOCS_SCHEMA, heldout_threshold, placement_hashes


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
        files = _ShardBytes(directory, manifest, shard)
        found = list(files.differences(owners))
        yield from found
        readable = readable and not found
        if not found:  # the bytes are those that were written: were they right?
            yield from files.contradictions()
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


class _ShardBytes:
    """The three files of a shard, each read once."""

    def __init__(self, directory: Path, manifest: Manifest, shard: ShardInfo) -> None:
        self.manifest, self.shard = manifest, shard
        self.hashes: dict[str, tuple[str, int]] = {}  # SHA-256 and bytes of each kind
        self.errors: dict[str, OSError] = {}  # of the kinds that cannot be read
        self.content: dict[str, bytes] = {}
        self.lengths = np.empty(0, np.int64)  # ids of each document, as the index says
        self.index_problem = ""
        self.scan: TokenScan | None = None
        for kind in ("idx", "docs.parquet"):
            self._read(kind, directory / shard.file_name(kind))
        try:
            self.lengths = _lengths(self.content.get("idx", b""), manifest, shard)
        except ValueError as error:
            self.index_problem = str(error)
        try:
            self.scan = scan_tokens(
                directory / shard.file_name("bin"),
                np.dtype(manifest.dtype).newbyteorder("<"),
                self.lengths,
                {special_id for _, special_id in _boundaries(manifest)},
            )
        except OSError as error:
            self.errors["bin"] = error
        else:
            self.hashes["bin"] = (self.scan.sha256, self.scan.bytes)

    def _read(self, kind: str, path: Path) -> None:
        try:
            content = path.read_bytes()
        except OSError as error:
            self.errors[kind] = error
        else:
            self.content[kind] = content
            self.hashes[kind] = (hashlib.sha256(content).hexdigest(), len(content))

    def differences(self, owners: Mapping[str, str]) -> Iterator[Problem]:
        """Compare the bytes with the manifest; ``owners`` has the name of the file of a SHA-256."""
        for kind in FILE_KINDS:
            name, expected = self.shard.file_name(kind), self.shard.files[kind]
            if error := self.errors.get(kind):
                yield Problem(name, f"cannot be read ({error.strerror})")
                continue
            sha256, size = self.hashes[kind]
            if sha256 != expected.sha256 and sha256 in owners:
                yield Problem(name, f"holds what belongs in {owners[sha256]}")
            elif size != expected.bytes:
                yield Problem(name, f"{size} bytes instead of {expected.bytes}")
            elif sha256 != expected.sha256:
                yield Problem(name, f"SHA-256 is {sha256} instead of {expected.sha256}")

    def contradictions(self) -> Iterator[Problem]:
        """Check what the files say, once their bytes are known to be those written."""
        assert self.scan
        if self.index_problem:
            yield Problem(self.shard.file_name("idx"), self.index_problem)
            return
        provenance = _provenance_problems(
            self.content["docs.parquet"], self.lengths, self.manifest, self.shard
        )
        for message in provenance:
            yield Problem(self.shard.file_name("docs.parquet"), message)
        for message in _token_problems(self.scan, self.lengths, self.manifest):
            yield Problem(self.shard.file_name("bin"), message)


def _lengths(content: bytes, manifest: Manifest, shard: ShardInfo) -> NDArray[np.int64]:
    """Tokens of each document, from an index that agrees with the manifest, or ValueError."""
    index = decode_index(content)
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
    content: bytes, lengths: NDArray[np.int64], manifest: Manifest, shard: ShardInfo
) -> Iterator[str]:
    try:
        table = pq.ParquetFile(pa.BufferReader(content)).read(use_threads=False)
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
    """One message per shard and kind of problem: a wrong seed would give one per document."""
    hashes = placement_hashes(manifest.seed, ids)
    threshold, held_out = heldout_threshold(manifest.heldout_fraction), shard.split == "heldout"
    elsewhere = np.flatnonzero(
        (hashes[:, 0] % shard.of != shard.index) | ((hashes[:, 2] < threshold) != held_out)
    )
    if len(elsewhere):
        yield f"{len(elsewhere)} documents belong elsewhere, the first is {ids[elsewhere[0]]!r}"
    order = hashes[:, 1]
    for before in np.flatnonzero(order[:-1] >= order[1:]).tolist():
        after = before + 1
        if ids[before] == ids[after]:
            yield f"document {ids[after]!r} is there twice"
            return
        if order[before] > order[after] or ids[before] > ids[after]:
            yield f"document {ids[after]!r} is out of order"
            return


def _boundaries(manifest: Manifest) -> list[tuple[str, int]]:
    """What documents begin and end with, if the manifest says so: the claim and the id."""
    claims = []
    if manifest.add_bos:
        claims.append(("begin with bos", manifest.bos_id))
    if manifest.add_eos:
        claims.append(("end with eos", manifest.eos_id))
    return claims


def _token_problems(
    scan: TokenScan, lengths: NDArray[np.int64], manifest: Manifest
) -> Iterator[str]:
    if scan.highest >= manifest.vocab_size:
        yield f"id {scan.highest} in a vocabulary of {manifest.vocab_size}"
    ends = np.cumsum(lengths)
    right: dict[int, NDArray[np.int64]] = {}
    for claim, special_id in _boundaries(manifest):
        ids, positions = (scan.first, ends - lengths) if "begin" in claim else (scan.last, ends - 1)
        correct = ids == special_id
        wrong = np.flatnonzero(~correct)
        if len(wrong):
            first = int(wrong[0])
            yield f"{len(wrong)} documents do not {claim} {special_id}, the first is number {first}"
        found = positions[correct]
        # Where both claims are of one id, a document of one token is counted once.
        right[special_id] = np.union1d(right[special_id], found) if special_id in right else found
    for special_id, boundaries in right.items():
        inside = scan.counts[special_id] - len(boundaries)
        if inside:
            yield f"id {special_id} stands {inside} times inside documents"
