"""Initial weights: each rank draws its own rows, and every layout begins with the same model.

A weight is a function of the seed, the name of its tensor and its place there, and of nothing else:
neither the ranks, nor their layout, nor the release of PyTorch or NumPy change a bit of it. A row
takes its random words from Philox, a counter-based generator whose stream NumPy keeps for ever
(NEP 19), at a counter that follows from the number of the row. The words become normal values by a
table of quantiles and one multiplication and addition in float32, which IEEE 754 fixes; logarithms
and cosines, whose last bits differ between processors and libraries, are not in it.

`trainer.model.initialize` says which weights take which deviation (docs/rules/trainer.md 1).
"""

import functools
from collections.abc import Iterator
from hashlib import blake2b
from statistics import NormalDist

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.distributed.tensor import DTensor

CUT = 3.0  # deviations
_CELLS = 1 << 12  # of equal probability; inside of a cell the density is flat
_PLACE_BITS = 20  # a word of 32 bits is a cell and a place in it
_WORDS_PER_COUNT = 8  # Philox gives four numbers of 64 bits for each value of its counter
_CHUNK_WEIGHTS = 1 << 18  # so many at once stay in the processor's cache


def fill_normal(matrix: Tensor, seed: int, name: str, std: float) -> None:
    """Fill this rank's part of a matrix with the values that any other layout gives.

    They are normal with deviation ``std``, cut off at three deviations.
    """
    local = matrix.to_local() if isinstance(matrix, DTensor) else matrix
    rows, columns = _local_ranges(matrix)
    for part, values in draw(key_of(seed, name), matrix.shape[1], rows, columns, std):
        local[part] = torch.from_numpy(values).to(local.device)


def key_of(seed: int, name: str) -> int:
    """Give the key of a tensor's random stream, 128 bits."""
    digest = blake2b(f"{seed}\n{name}".encode(), digest_size=16).digest()
    return int.from_bytes(digest, "little")


def draw(
    key: int, width: int, rows: range, columns: range, std: float
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Draw rows of a tensor, some at a time: where among ``rows`` they are, and their values.

    Of a tensor that is split by columns a rank draws whole rows of ``width`` and takes its own.
    """
    counts = -(-width // _WORDS_PER_COUNT)  # of a row
    left, widths = (part * np.float32(std) for part in _quantiles())
    step = max(1, _CHUNK_WEIGHTS // width)
    for start in range(0, len(rows) if columns else 0, step):
        part = rows[start : start + step]
        generator = np.random.Philox(key=key, counter=part.start * counts)
        words = generator.random_raw(len(part) * counts * _WORDS_PER_COUNT // 2)
        halves = words.astype("<u8", copy=False).view("<u4").reshape(len(part), -1)
        chosen = halves[:, columns.start : columns.stop]
        cells, places = chosen >> _PLACE_BITS, chosen & ((1 << _PLACE_BITS) - 1)
        # The middle of the place, so that the whole is symmetric about zero.
        values = (places.astype(np.float32) + np.float32(0.5)) * np.float32(2.0**-_PLACE_BITS)
        values *= widths[cells]
        values += left[cells]
        yield slice(start, start + len(part)), values


@functools.cache
def _quantiles() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Give the left edge and the width of each cell of the normal distribution between the cuts."""
    normal = NormalDist()
    low = normal.cdf(-CUT)
    half = _CELLS // 2
    inner = [normal.inv_cdf(low + (0.5 - low) * i / half) for i in range(1, half)]
    lower = [-CUT, *inner, 0.0]
    edges = np.array([*lower, *(-edge for edge in reversed(lower[:-1]))], np.float32)
    return edges[:-1], np.diff(edges)


def _local_ranges(parameter: Tensor) -> tuple[range, range]:
    """Give the rows and the columns of a matrix that this rank holds."""
    if not isinstance(parameter, DTensor):
        return range(parameter.shape[0]), range(parameter.shape[1])
    # What distributed checkpoints ask a tensor for; it knows all placements.
    (chunk,) = parameter.__create_chunk_list__()  # type: ignore[no-untyped-call]  # untyped in torch
    (row, column), (rows, columns) = chunk.offsets, chunk.sizes
    return range(row, row + rows), range(column, column + columns)
