"""Token shards: where a document goes, and the bytes of a shard (docs/rules/tokens.md 3).

A document's place follows from a keyed hash of its id alone, so that shards are a complete,
reproducible shuffle of a source, whatever ran it and in how many pieces. Everything is in memory:
one shard is one group of a shuffle and fits a worker; the caller decides where its bytes go.
"""

import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tokenizer.fast import SPACE
from tokenizer.manifest import FILE_KINDS, FileInfo, ManifestError, ShardInfo, parse_shard_name
from tokenizer.megatron import encode_index
from tokenizer.model import Tokenizer

SHARD_CHARACTERS: Final = 250_000_000  # about 128 MiB of uint16 tokens
HELDOUT_FRACTION_MAX: Final = 0.05  # of the documents, docs/rules/trainer.md 8
HELDOUT_CHARACTERS: Final = 8_000_000  # of a source, about 2 M tokens

DOCS_SCHEMA: Final = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("n_tokens", pa.int32(), nullable=False),  # with bos and eos
        pa.field("offset", pa.int64(), nullable=False),  # tokens, from the begin of the shard
        pa.field("n_bytes_text", pa.int64(), nullable=False),  # UTF-8
        pa.field("sha1_text", pa.string(), nullable=False),  # of the UTF-8, hexadecimal
    ]
)


class Span(NamedTuple):
    """Where a document lies in a shard: its tokens ``begin`` to ``end``, exclusive."""

    id: str
    begin: int
    end: int


class Placement(NamedTuple):
    """Where a document goes, from three independent 64-bit hashes of its id.

    ``order`` sorts inside a shard, ties by id; the document is held out if ``heldout_rank`` is
    below `heldout_threshold`.
    """

    shard: int
    order: int
    heldout_rank: int


@dataclass(frozen=True, slots=True)
class TokenizedDocument:
    """A document as it goes into a shard."""

    id: str
    tokens: NDArray[np.integer[Any]]  # shape (tokens,), with bos and eos
    text_bytes: int  # UTF-8
    text_sha1: str  # of the UTF-8, hexadecimal
    space_marks: int = 0  # U+2581 in the text, each of which decodes to a space (section 1.3, T4)


@dataclass(frozen=True, slots=True)
class ShardFiles:
    """The bytes of the three files of a shard, and what its manifest entry says of them."""

    bin: bytes
    idx: bytes
    docs: bytes
    documents: int
    tokens: int
    text_bytes: int

    def content(self) -> dict[str, bytes]:
        """Bytes by suffix: ``name.bin``, ``name.idx`` and ``name.docs.parquet``."""
        return dict(zip(FILE_KINDS, (self.bin, self.idx, self.docs), strict=True))

    def info(self, name: str) -> ShardInfo:
        """The manifest entry of this shard under ``name`` (see `manifest.shard_name`)."""
        return ShardInfo(
            name=name,
            split=parse_shard_name(name)[0],
            documents=self.documents,
            tokens=self.tokens,
            text_bytes=self.text_bytes,
            files={
                kind: FileInfo(len(content), hashlib.sha256(content).hexdigest())
                for kind, content in self.content().items()
            },
        )


def placement(seed: int, document_id: str, shards: int) -> Placement:
    """Place a document by a keyed hash of its id.

    Args:
        seed: of the source's manifest; another seed is another shuffle.
        document_id: unique within the source.
        shards: how many shards the document's split has, see `shard_count`.

    >>> placement(0, "a", 7).shard
    6
    """
    h0, h1, h2 = struct.unpack("<3Q", _digest(seed, document_id))
    return Placement(h0 % shards, h1, h2)


def placement_hashes(seed: int, ids: Iterable[str]) -> NDArray[np.uint64]:
    """Return the hashes that `placement` decides by for many documents, shape (documents, 3).

    >>> int(placement_hashes(0, ["a"])[0, 0]) % 7
    6
    """
    digests = b"".join([_digest(seed, document_id) for document_id in ids])
    return np.frombuffer(digests, "<u8").reshape(-1, 3)


def _digest(seed: int, document_id: str) -> bytes:
    return hashlib.blake2b(f"{seed}\n{document_id}".encode(), digest_size=24).digest()


def shard_count(characters: int) -> int:
    """Shards for ``characters`` of text (code points), each of about 128 MiB.

    >>> shard_count(0), shard_count(250_000_000), shard_count(250_000_001)
    (1, 1, 2)
    """
    return max(1, -(-characters // SHARD_CHARACTERS))


def heldout_fraction(characters: int) -> float:
    """Share of the documents of a source of ``characters`` (code points) to hold out.

    At most a twentieth, and about 2 M tokens of a large source (docs/rules/trainer.md 8).

    >>> heldout_fraction(1_000_000), heldout_fraction(800_000_000)
    (0.05, 0.01)
    """
    return min(HELDOUT_FRACTION_MAX, HELDOUT_CHARACTERS / max(1, characters))


def heldout_threshold(fraction: float) -> int:
    """Documents with a ``heldout_rank`` below this are held out: floor(fraction * 2^64).

    Raises:
        ValueError: the fraction is not within 0 to 1.
    """
    if not 0.0 <= fraction <= 1.0:
        raise ValueError(f"the held-out fraction is {fraction}, but must be within 0 to 1")
    return int(fraction * 2.0**64)


def tokenize_document(
    tokenizer: Tokenizer, document_id: str, text: str, *, add_bos: bool = True, add_eos: bool = True
) -> TokenizedDocument:
    """Encode a document as ``[bos] ids [eos]`` (section 1.6).

    Raises:
        TokenizerError: the text has a lone surrogate, or the model has no bos or eos.
        ValueError: neither bos nor eos is added, so that documents would have no boundaries.
    """
    if not (add_bos or add_eos):
        raise ValueError("add_bos, add_eos or both must be on, or documents have no boundaries")
    tokens = tokenizer.encode(text, bos=add_bos, eos=add_eos)
    utf8 = text.encode()
    sha1 = hashlib.sha1(utf8, usedforsecurity=False).hexdigest()
    return TokenizedDocument(document_id, tokens, len(utf8), sha1, text.count(SPACE))


def in_shard_order(documents: Iterable[TokenizedDocument], seed: int) -> list[TokenizedDocument]:
    """Sort the documents of one shard: by the order of their `placement`, then by id."""
    listed = list(documents)
    orders = placement_hashes(seed, (document.id for document in listed))[:, 1].tolist()
    rows = [(order, document.id, document) for order, document in zip(orders, listed, strict=True)]
    return [document for *_, document in sorted(rows, key=itemgetter(0, 1))]


def encode_shard(documents: Sequence[TokenizedDocument], dtype: str) -> ShardFiles:
    """Make the files of one shard.

    Args:
        documents: in their order, see `in_shard_order`; at least one, each id once.
        dtype: "uint16" or "uint32", stored little-endian.

    Raises:
        ValueError: no documents, an id twice, a document without tokens, or a token that the
            dtype cannot hold: it is never wrapped.
    """
    if not documents:
        raise ValueError("a shard has at least one document; leave an empty one out")
    ids = [document.id for document in documents]
    if len(set(ids)) < len(ids):
        twice = next(a for a, b in zip(sorted(ids), sorted(ids)[1:], strict=False) if a == b)
        raise ValueError(f"document {twice!r} is in the shard twice")
    lengths = np.array([len(document.tokens) for document in documents], np.int64)
    index = encode_index(lengths, dtype)
    stored = np.dtype(dtype).newbyteorder("<")
    tokens = np.empty(int(lengths.sum()), stored)
    end = 0
    for document in documents:
        begin, end = end, end + len(document.tokens)
        _check_range(document, stored)
        tokens[begin:end] = document.tokens
    text_bytes = [document.text_bytes for document in documents]
    table = pa.table(
        {
            "id": ids,
            "n_tokens": lengths,
            "offset": np.cumsum(lengths) - lengths,
            "n_bytes_text": text_bytes,
            "sha1_text": [document.text_sha1 for document in documents],
        }
    ).cast(DOCS_SCHEMA)
    return ShardFiles(
        bin=tokens.tobytes(),
        idx=index,
        docs=_parquet(table),
        documents=len(documents),
        tokens=len(tokens),
        text_bytes=sum(text_bytes),
    )


def documents_between(docs: str | Path, begin: int, end: int) -> list[Span]:
    """Find the documents of which tokens ``begin`` to ``end`` (exclusive) of a shard are.

    Args:
        docs: the shard's ``.docs.parquet``.
        begin: token of the shard.
        end: token of the shard, after ``begin``.

    Raises:
        ManifestError: the file cannot be read.
    """
    try:
        table = pq.read_table(docs, columns=["id", "offset", "n_tokens"])
    except (OSError, pa.ArrowInvalid) as error:
        raise ManifestError(f"{docs}: cannot be read ({error})") from None
    offsets = table["offset"].to_numpy()
    first = int(np.searchsorted(offsets, begin, side="right")) - 1
    found = table.slice(first, int(np.searchsorted(offsets, end)) - first).to_pylist()
    return [Span(row["id"], row["offset"], row["offset"] + row["n_tokens"]) for row in found]


def _check_range(document: TokenizedDocument, dtype: np.dtype[Any]) -> None:
    if document.tokens.dtype == dtype:
        return
    low, high = int(document.tokens.min()), int(document.tokens.max())
    if low < 0 or high > np.iinfo(dtype).max:
        wrong = low if low < 0 else high
        raise ValueError(f"document {document.id!r}: id {wrong} does not fit {dtype.name}")


def _parquet(table: pa.Table) -> bytes:
    """Parquet with fixed settings: the same rows are the same bytes."""
    sink = pa.BufferOutputStream()
    pq.write_table(
        table, sink, compression="zstd", compression_level=3, row_group_size=65_536,
        use_dictionary=False, version="2.6", data_page_version="1.0", write_statistics=True,
    )  # fmt: skip
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]
