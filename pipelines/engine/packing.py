"""A compact format for the Arrow tables of claims and verdicts: raw arrays with a small header.

Arrow's own stream format adds a kilobyte and more to every message, which is a lot where a unit
sends a few claims to each of thousands of buckets. Here the header of a table takes about twenty
bytes, and seventeen per buffer. Uncompressed tables are read without a copy from the bytes, or from
the memory-mapped file, that hold them.
"""

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_TYPES: dict[str, pa.DataType] = {
    "bool": pa.bool_(),
    "i8": pa.int8(),
    "i32": pa.int32(),
    "i64": pa.int64(),
    "u32": pa.uint32(),
    "u64": pa.uint64(),
    "f32": pa.float32(),
    "k16": pa.binary(16),
    "bin": pa.binary(),
    "lbin": pa.large_binary(),
    "str": pa.string(),
    "word": pa.dictionary(pa.int32(), pa.string()),  # few values, many rows
}
_CODES = {dtype: code for code, dtype in _TYPES.items()}
_TABLE = struct.Struct("<QB")  # rows, columns
_BUFFER = struct.Struct("<BQQ")  # codec, bytes before compression, bytes here
_NONE, _RAW, _ZSTD = range(3)  # codecs: the buffer is absent; uncompressed; compressed by zstd
_MIN_COMPRESSED_BYTES = 256  # smaller buffers gain nothing by compression
ALIGNMENT = 8  # bytes, so that arrays can be read without a copy


def pack(table: pa.Table, *, compress: bool = False) -> bytes:
    """Return a table as bytes.

    Args:
        table: its columns are of the types above.
        compress: compress all columns but ``key``, since hashes do not compress.

    Raises:
        KeyError: a column has another type.
    """
    out = bytearray(_TABLE.pack(table.num_rows, table.num_columns))
    for name, column in zip(table.column_names, table.columns, strict=True):
        array = _one_array(column)
        code = _CODES[array.type]
        out += f"{name}\0{code}\0".encode()
        for buffer in _buffers(array):
            _append(out, buffer, compress=compress and name != "key")
    return bytes(out)


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # some versions return one that has no chunk
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], column.type)
    return array


def _append(out: bytearray, buffer: Any, *, compress: bool) -> None:
    if buffer is None:
        out += _BUFFER.pack(_NONE, 0, 0)
        return
    size = memoryview(buffer).nbytes
    codec, stored = _RAW, buffer
    if compress and size >= _MIN_COMPRESSED_BYTES:
        codec, stored = _ZSTD, pa.compress(pa.py_buffer(buffer), codec="zstd", asbytes=True)
    out += _BUFFER.pack(codec, size, memoryview(stored).nbytes)
    out += bytes(-len(out) % ALIGNMENT)
    out += memoryview(stored).cast("B")


def _buffers(array: pa.Array) -> Iterator[Any]:
    """Yield the buffers of an array, cut so that they hold its own rows and no others."""
    valid = None
    if array.null_count:
        known = array.is_valid().to_numpy(zero_copy_only=False)
        valid = np.packbits(known, bitorder="little")
    yield valid
    dtype = array.type
    if pa.types.is_dictionary(dtype):
        array = array.cast(pa.string()).dictionary_encode()  # keep only the words that occur
        yield from _buffers(array.indices.cast(pa.int32()))
        yield np.array([len(array.dictionary)], np.int64)
        yield from _buffers(array.dictionary)
    elif pa.types.is_boolean(dtype):
        values = array.fill_null(False).to_numpy(zero_copy_only=False)
        yield np.packbits(values, bitorder="little")
    elif pa.types.is_fixed_size_binary(dtype):
        yield _bytes(array.buffers()[1], array.offset, len(array), dtype.byte_width)
    elif dtype in (pa.binary(), pa.string(), pa.large_binary()):
        kind = np.int64 if dtype == pa.large_binary() else np.int32
        width = np.dtype(kind).itemsize
        if not len(array):
            yield np.zeros(1, kind)
            yield b""
            return
        raw = _bytes(array.buffers()[1], array.offset, len(array) + 1, width)
        offsets = np.frombuffer(raw, kind)
        yield offsets - offsets[0]
        data = array.buffers()[2]
        yield memoryview(data)[offsets[0] : offsets[-1]] if data is not None else b""
    else:
        yield _bytes(array.buffers()[1], array.offset, len(array), dtype.bit_width // 8)


def _bytes(buffer: pa.Buffer | None, offset: int, length: int, width: int) -> Any:
    if buffer is None:
        return b""
    return memoryview(buffer)[offset * width : (offset + length) * width]


def unpack(packed: Any) -> pa.Table:
    """Read what :func:`pack` returned; uncompressed buffers are not copied."""
    return _Reader(packed).table()


class _Reader:
    """Reads the buffers of a packed table one after the other."""

    def __init__(self, packed: Any) -> None:
        self.buffer = packed if isinstance(packed, pa.Buffer) else pa.py_buffer(packed)
        self.view = memoryview(self.buffer)
        self.at = 0

    def table(self) -> pa.Table:
        rows, columns = _TABLE.unpack_from(self.view, self.at)
        self.at += _TABLE.size
        names, arrays = [], []
        for _ in range(columns):
            names.append(self._word())
            arrays.append(self._array(_TYPES[self._word()], rows))
        return pa.Table.from_arrays(arrays, names)

    def _word(self) -> str:
        end = self.at
        while self.view[end]:
            end += 1
        word = bytes(self.view[self.at : end]).decode()
        self.at = end + 1
        return word

    def _next(self) -> pa.Buffer | None:
        codec, size, stored = _BUFFER.unpack_from(self.view, self.at)
        self.at += _BUFFER.size
        if codec == _NONE:
            return None
        self.at += -self.at % ALIGNMENT
        found = self.buffer.slice(self.at, stored)
        self.at += stored
        return pa.decompress(found, size, codec="zstd") if codec == _ZSTD else found

    def _array(self, dtype: pa.DataType, rows: int) -> pa.Array:
        valid = self._next()
        if pa.types.is_dictionary(dtype):
            indices = self._array(pa.int32(), rows)
            (words,) = np.frombuffer(self._next() or b"", np.int64)
            return pa.DictionaryArray.from_arrays(indices, self._array(pa.string(), int(words)))
        buffers = [valid, self._next()]
        if dtype in (pa.binary(), pa.string(), pa.large_binary()):
            buffers.append(self._next())
        return pa.Array.from_buffers(dtype, rows, buffers)


def words_of(keys: pa.ChunkedArray | pa.Array) -> npt.NDArray[Any]:
    """Return keys as unsigned integers, shape (n, 1), or (n, 2) with the high bits first.

    Args:
        keys: hashes of 64 bits, or digests of 16 bytes.
    """
    array = _one_array(keys) if isinstance(keys, pa.ChunkedArray) else keys
    if pa.types.is_uint64(array.type):
        values: npt.NDArray[Any] = array.to_numpy(zero_copy_only=False)
        return values.reshape(-1, 1)
    width = array.type.byte_width
    if not len(array):
        return np.zeros((0, width // 8), ">u8")
    raw = _bytes(array.buffers()[1], array.offset, len(array), width)
    return np.frombuffer(raw, ">u8").reshape(-1, width // 8)
