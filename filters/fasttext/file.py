"""Read the files of fastText models, ``.bin`` and ``.ftz``, for the extension module.

`_fasttext_model.c`, beside this module, does fastText's sums from arrays made here. They come from
the file itself, since the package has no way to ask for a compressed matrix.

The layout is that of fastText 0.9.2: magic number and version, settings, dictionary, input matrix,
output matrix; all little-endian and unaligned. A matrix is dense, or compressed by a product
quantiser: a row is a code for every few dimensions and, where norms were taken out, a code of its
norm.
"""

import mmap
import struct
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]
Bytes = bytes | memoryview | Floats | Integers  # what the extension reads the memory of

_MAGIC: Final = 793712314
_VERSIONS: Final = (11, 12)
_SUPERVISED: Final = 3
_HIERARCHICAL, _SOFTMAX = 1, 3  # losses; of the others, scores are looked up in tables
_COUNT_AND_KIND: Final = 9  # bytes, behind the NUL of a dictionary's entry
_CENTROIDS: Final = 256  # a quantiser's, for every few dimensions: a code is one byte
_UNMADE: Final = 10**15  # count of a node of the tree before it has children
_MAX_NGRAM: Final = 64  # characters of the longest subword that the extension takes


class UnsupportedModelError(ValueError):
    """A file is not a model, or is of a kind that only fastText itself can read."""


class Settings(NamedTuple):
    """The settings that a model was trained with, in the order of the file."""

    dim: int
    window: int
    epoch: int
    min_count: int
    negatives: int
    word_ngrams: int
    loss: int
    model: int
    bucket: int
    minn: int
    maxn: int
    update_rate: int
    sampling: float


class Matrix(NamedTuple):
    """A matrix of float32, as rows."""

    data: Bytes  # of a dense input matrix, part of the mapped file and not aligned
    rows: int
    scale: Floats | None  # the factor by which each row has to be multiplied


class ModelFile(NamedTuple):
    """A supervised model."""

    settings: Settings
    entries: memoryview  # of the dictionary, as in the file: words, then labels
    n_words: int
    n_labels: int
    input: Matrix
    output: Matrix
    tree: Integers | None  # (2 labels - 1, 2): children of each node; None for softmax
    kept: Integers | None  # (bucket,): where a bucket's row is, -1 for nowhere; None for all

    def arguments(self) -> dict[str, Any]:
        """Return what the extension's `Predictor` is made from."""
        return {
            "entries": self.entries,
            "n_words": self.n_words,
            "n_labels": self.n_labels,
            "embeddings": self.input.data,
            "rows": self.input.rows,
            "dim": self.settings.dim,
            "output": self.output.data,
            "scale": self.output.scale,
            "tree": self.tree,
            "bucket": self.settings.bucket,
            "kept": self.kept,
            "minn": self.settings.minn,
            "maxn": self.settings.maxn,
            "word_ngrams": self.settings.word_ngrams,
        }


def read_model(path: str | Path) -> ModelFile:
    """Read a model; a dense input matrix is not copied but mapped, and its file must stay.

    Raises:
        UnsupportedModelError: no such file, no supervised model, or one of a kind that the
            extension does not know (negative sampling, one against all).
    """
    try:
        with Path(path).open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return _Reader(data).model()
    except UnsupportedModelError:
        raise
    except (OSError, ValueError, IndexError, struct.error, MemoryError) as error:
        raise UnsupportedModelError(f"{path}: not read ({error})") from None


class _Reader:
    """Reads one file from its beginning to its end."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._view = memoryview(data)
        self._at = 0

    def model(self) -> ModelFile:
        settings = self._settings()
        n_words, entries, counts, pruned = self._dictionary()
        compressed = self._compressed()
        if pruned is not None and not compressed:
            raise UnsupportedModelError("a vocabulary that was cut, in a model of full size")
        input_ = self._input(settings.dim, compressed=compressed)
        output = self._output(settings.dim, compressed=self._compressed() and compressed)
        return ModelFile(
            settings=settings,
            entries=entries,
            n_words=n_words,
            n_labels=len(counts),
            input=input_,
            output=output,
            tree=huffman_tree(counts) if settings.loss == _HIERARCHICAL else None,
            kept=None if pruned is None else _places(pruned, settings.bucket),
        )

    def _unpack(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from(layout, self._data, self._at)
        self._at += struct.calcsize(layout)
        return values

    def _skip(self, size: int) -> int:
        """Return where the next bytes are, and go on behind them."""
        start = self._at
        if size < 0 or start + size > len(self._data):
            raise UnsupportedModelError("the file ends too early")
        self._at += size
        return start

    def _array(self, dtype: str, count: int) -> NDArray[Any]:
        start = self._skip(count * np.dtype(dtype).itemsize)
        return np.frombuffer(self._data, dtype, count, start)

    def _settings(self) -> Settings:
        magic, version = self._unpack("<2i")
        if magic != _MAGIC or version not in _VERSIONS:
            raise UnsupportedModelError("no fastText model of version 11 or 12")
        settings = Settings(*self._unpack("<12id"))
        if settings.model != _SUPERVISED or settings.loss not in {_HIERARCHICAL, _SOFTMAX}:
            raise UnsupportedModelError("not supervised, or of another loss")
        if version == _VERSIONS[0]:
            settings = settings._replace(maxn=0)  # it had no subwords
        if not (settings.minn >= 0 and 0 <= settings.maxn <= _MAX_NGRAM and settings.dim > 0):
            raise UnsupportedModelError("n-grams or dimensions out of range")
        return settings

    def _dictionary(self) -> tuple[int, memoryview, list[int], Integers | None]:
        """Return the number of words, all entries, the labels' counts, and the buckets kept."""
        size, n_words, n_labels, _, kept = self._unpack("<3i2q")
        if size != n_words + n_labels or n_words < 0 or n_labels < 1:
            raise UnsupportedModelError("a dictionary that does not add up")
        start = at = self._at
        counts: list[int] = []
        for number in range(size):
            at = self._data.find(b"\0", at) + 1
            if not at:
                raise UnsupportedModelError("the dictionary does not end")
            if number >= n_words:
                counts += struct.unpack_from("<q", self._data, at)
            at += _COUNT_AND_KIND
        self._skip(at - start)
        entries = self._view[start:at]
        pruned = self._array("<i4", 2 * kept).reshape(-1, 2) if kept >= 0 else None
        return n_words, entries, counts, pruned

    def _compressed(self) -> bool:
        return bool(self._unpack("<?")[0])

    def _input(self, dim: int, *, compressed: bool) -> Matrix:
        if not compressed:
            rows = self._rows("<2q", dim)
            start = self._skip(rows * dim * 4)
            return Matrix(self._view[start : self._at], rows, None)
        rows, codes, norms = self._codes(dim)
        # The same products as fastText's, which multiplies each time it adds a row to a sum.
        table = codes if norms is None else codes * norms[:, None]
        return Matrix(np.ascontiguousarray(table, "<f4"), rows, None)

    def _output(self, dim: int, *, compressed: bool) -> Matrix:
        if not compressed:
            rows = self._rows("<2q", dim)
            return Matrix(self._array("<f4", rows * dim).copy(), rows, None)
        rows, codes, norms = self._codes(dim)  # the norm is multiplied by after the sum
        return Matrix(np.ascontiguousarray(codes, "<f4"), rows, norms)

    def _rows(self, layout: str, dim: int) -> int:
        rows, columns = self._unpack(layout)
        if columns != dim or rows < 0:
            raise UnsupportedModelError("a matrix of another width")
        return int(rows)

    def _codes(self, dim: int) -> tuple[int, Floats, Floats | None]:
        """Return the rows of a compressed matrix before their norms, and these if taken out."""
        (with_norms,) = self._unpack("<?")
        rows = self._rows("<2q", dim)
        (size,) = self._unpack("<i")
        codes = self._array("u1", size)
        parts = self._quantiser(dim)
        if size != rows * len(parts):
            raise UnsupportedModelError("codes that do not make up rows")
        table = np.concatenate(
            [part[code] for part, code in zip(parts, codes.reshape(rows, -1).T, strict=True)],
            axis=1,
        )
        if not with_norms:
            return rows, table, None
        norm_codes = self._array("u1", rows)
        (norms,) = self._quantiser(1)
        return rows, table, np.ascontiguousarray(norms[norm_codes, 0], "<f4")

    def _quantiser(self, dim: int) -> list[Floats]:
        """Return the 256 vectors for every few dimensions, fewer for the last."""
        columns, count, width, last = self._unpack("<4i")
        if columns != dim or count < 1 or min(width, last) < 1:
            raise UnsupportedModelError("a quantiser of another width")
        if (count - 1) * width + last != dim:
            raise UnsupportedModelError("a quantiser whose parts do not add up")
        centroids = self._array("<f4", dim * _CENTROIDS)
        starts = [part * width * _CENTROIDS for part in range(count)]
        pieces = np.split(centroids, starts[1:])
        return [piece.reshape(_CENTROIDS, -1) for piece in pieces]


def _places(pruned: Integers, bucket: int) -> Integers:
    """Return for each bucket the index of its row after the words, or -1 if it was pruned."""
    if bucket < 0 or bucket > 1 << 30:
        raise UnsupportedModelError("buckets out of range")
    places = np.full(bucket, -1, np.int32)
    if len(pruned):
        buckets, rows = pruned[:, 0], pruned[:, 1]
        if buckets.min() < 0 or buckets.max() >= bucket or rows.min() < 0:
            raise UnsupportedModelError("a bucket that is not there")
        places[buckets] = rows
    return places


def huffman_tree(counts: list[int]) -> Integers:
    """Return the children of each node: leaves (-1, -1) in the order of the counts, then the rest.

    As in fastText the two rarest nodes are joined, the rarer to the left, and among equals one that
    was joined before goes first. No tree has more than 70 levels (that of Fibonacci's numbers has):
    the extension may walk it by recursion.

    >>> huffman_tree([5, 2, 1]).tolist()
    [[-1, -1], [-1, -1], [-1, -1], [2, 1], [3, 0]]

    Raises:
        UnsupportedModelError: counts that do not descend, as fastText's do, or are out of range.
    """
    leaves = len(counts)
    if min(counts) < 1 or sum(counts) >= _UNMADE:
        raise UnsupportedModelError("label counts out of range")
    if counts != sorted(counts, reverse=True):
        raise UnsupportedModelError("label counts that do not descend")
    nodes = 2 * leaves - 1
    weight = [*counts, *[_UNMADE] * (leaves - 1)]
    children = np.full((nodes, 2), -1, "<i4")
    leaf, inner = leaves - 1, leaves
    for node in range(leaves, nodes):
        for side in range(2):
            if leaf >= 0 and weight[leaf] < weight[inner]:
                children[node, side], leaf = leaf, leaf - 1
            else:
                children[node, side], inner = inner, inner + 1
        left, right = children[node].tolist()
        weight[node] = weight[left] + weight[right]
    return children
