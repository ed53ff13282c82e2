r"""The index of Megatron-LM's ``IndexedDataset``, byte for byte (docs/rules/tokens.md 2 and 3).

Little-endian, without padding: "MMIDIDX\0\0", u64 version 1, u8 dtype code, u64 n sequences,
u64 n + 1, then n int32 lengths in tokens, n int64 offsets in bytes, n + 1 int64 document limits.
One sequence is one document here, so the limits are 0 to n.
"""

import struct
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

MAGIC: Final = b"MMIDIDX\x00\x00"
VERSION: Final = 1
_HEADER: Final = struct.Struct("<9sQBQQ")

# Megatron has no uint32; ids below 2^31 are the same bits as int32.
_CODES: Final = {"uint16": 8, "uint32": 4}
_ITEM_BYTES: Final = {8: 2, 4: 4}

MAX_DOCUMENT_TOKENS: Final = 2**31 - 1  # lengths are int32


@dataclass(frozen=True, slots=True)
class Index:
    """An ``.idx`` file: token bytes, lengths (tokens) and byte offsets, shape (documents,)."""

    item_bytes: int
    lengths: NDArray[np.int32]
    offsets: NDArray[np.int64]


def encode_index(lengths: NDArray[np.integer[Any]], dtype: str) -> bytes:
    """Bytes of the ``.idx`` file for documents that follow each other in a ``.bin`` file.

    Args:
        lengths: tokens of each document, shape (documents,).
        dtype: of the tokens: "uint16" or "uint32".

    Raises:
        ValueError: a document without tokens, or with more than 2^31 - 1.
    """
    if len(lengths) and (int(lengths.min()) < 1 or int(lengths.max()) > MAX_DOCUMENT_TOKENS):
        raise ValueError(
            f"documents have 1 to {MAX_DOCUMENT_TOKENS} tokens, "
            f"found {lengths.min()} to {lengths.max()}"
        )
    code = _CODES[dtype]
    ends = np.cumsum(lengths, dtype=np.int64)
    header = _HEADER.pack(MAGIC, VERSION, code, len(lengths), len(lengths) + 1)
    return b"".join(
        (
            header,
            lengths.astype("<i4").tobytes(),
            ((ends - lengths) * _ITEM_BYTES[code]).astype("<i8").tobytes(),
            np.arange(len(lengths) + 1, dtype="<i8").tobytes(),
        )
    )


def decode_index(content: bytes) -> Index:
    """Read an ``.idx`` file in which each sequence is one document.

    Raises:
        ValueError: the bytes are no such index: another magic, version or dtype, a wrong size,
            lengths below 1, offsets that do not follow from the lengths, or documents of several
            sequences.
    """
    if len(content) < _HEADER.size or not content.startswith(MAGIC):
        raise ValueError("not a Megatron index")
    _, version, code, sequences, limits = _HEADER.unpack_from(content)
    if version != VERSION or code not in _ITEM_BYTES:
        raise ValueError(f"version {version} with dtype code {code} is not supported")
    size = _HEADER.size + 12 * sequences + 8 * limits
    if limits != sequences + 1 or len(content) != size:
        raise ValueError(f"{len(content)} bytes for {sequences} sequences, {limits} limits")
    lengths = np.frombuffer(content, "<i4", sequences, _HEADER.size)
    offsets = np.frombuffer(content, "<i8", sequences, _HEADER.size + 4 * sequences)
    documents = np.frombuffer(content, "<i8", limits, _HEADER.size + 12 * sequences)
    ends = np.cumsum(lengths, dtype=np.int64)
    if sequences and int(lengths.min()) < 1:
        raise ValueError("a document without tokens")
    if not np.array_equal(offsets, (ends - lengths) * _ITEM_BYTES[code]):
        raise ValueError("offsets do not follow from lengths")
    if not np.array_equal(documents, np.arange(limits)):
        raise ValueError("documents are not one sequence each")
    return Index(_ITEM_BYTES[code], lengths, offsets)
