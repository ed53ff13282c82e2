"""Read a file of token ids once, for its hash and for what its ids say.

Every question is asked of a chunk while the processor's cache still holds it, so memory is that of
a chunk, however large the file is.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

CHUNK_BYTES: Final = 1 << 18  # read at a time, of which numpy and the hash find all in the cache

Ids = NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True, slots=True)
class TokenScan:
    """What a file of ids holds."""

    sha256: str  # of all bytes, lower-case hexadecimal
    bytes: int
    highest: int  # id; -1 in a file without ids
    counts: dict[int, int]  # how often each id stands in the file that was asked for
    first: Ids  # of each document, shape (documents,)
    last: Ids  # of each document, shape (documents,)


def scan_tokens(
    path: Path, dtype: np.dtype[Any], lengths: NDArray[np.int64], wanted: Iterable[int]
) -> TokenScan:
    """Read a file of ids.

    Args:
        path: ids without a header, one document after the other.
        dtype: of an id.
        lengths: ids of each document, shape (documents,), at least 1. What lies behind the end of
            the file is 0 in the result.
        wanted: ids to count.

    Raises:
        OSError: the file cannot be read.
    """
    ends = np.cumsum(lengths)
    places = (ends - lengths, ends - 1)
    found = tuple(np.zeros(len(lengths), dtype) for _ in places)
    counts = dict.fromkeys(wanted, 0)
    digest = hashlib.sha256()
    highest, done = -1, 0
    buffer = memoryview(bytearray(CHUNK_BYTES))
    with path.open("rb") as file:
        while size := file.readinto(buffer):
            digest.update(buffer[:size])
            ids = np.frombuffer(buffer, dtype, size // dtype.itemsize)
            if not len(ids):
                continue  # a part of an id is all that is left
            highest = max(highest, int(ids.max()))
            for token in counts:
                counts[token] += int(np.count_nonzero(ids == token))
            for positions, values in zip(places, found, strict=True):
                begin, end = np.searchsorted(positions, (done, done + len(ids)))
                values[begin:end] = ids[positions[begin:end] - done]
            done += len(ids)
        return TokenScan(digest.hexdigest(), file.tell(), highest, counts, *found)
