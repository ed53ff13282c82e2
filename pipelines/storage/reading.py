"""Open and read files by local path or by address; ``files.py`` offers this to all others."""

import io
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Any, BinaryIO, cast

from pipelines.storage.errors import blaming
from pipelines.storage.paths import is_http, is_local
from pipelines.storage.remote import open_url, store_of
from pipelines.storage.stores import end_of

READING_THREADS = 32  # for many small files of a store, since each thread waits for the network
_READ_AHEAD = 4  # files that are queued per thread
BUFFER_BYTES = 1 << 17
SPOOL_BYTES = 1 << 20


class _LocalFile(io.FileIO):
    """A local file whose errors name it."""

    def __init__(self, path: str) -> None:
        with blaming(path):
            super().__init__(path, "rb")
        self._path = path

    def readinto(self, buffer: Any) -> int:
        """Read some bytes; 0 at the end."""
        with blaming(self._path):
            return super().readinto(buffer) or 0

    def readall(self) -> bytes:
        """Read all that is left."""
        with blaming(self._path):
            return super().readall() or b""


def open_input(path: str) -> BinaryIO:
    """Open a file for seekable reading, without decompression.

    Raises:
        UnreadableFile: now or while it is read: the file is forbidden or broken, or is missing
            (then a :class:`MissingFile`).
        OSError: the machine, the network or the store fails.
    """
    if is_http(path):
        return open_url(path)
    if not is_local(path):
        return store_of(path).open(path)
    return io.BufferedReader(_LocalFile(path), BUFFER_BYTES)


def open_spooled(path: str) -> BinaryIO:
    """Open a file for much seeking: one that is not local is copied to this machine's disk.

    On a store each move in a file is a request, and a Parquet file is read in many places.

    Raises:
        UnreadableFile, OSError: as :func:`open_input` does.
    """
    source = open_input(path)
    if is_local(path):
        return source
    spool = tempfile.TemporaryFile()  # noqa: SIM115 - it is the caller's
    try:
        with source:
            shutil.copyfileobj(source, spool, SPOOL_BYTES)
        spool.seek(0)
    except BaseException:
        spool.close()
        raise
    return cast(BinaryIO, spool)


def read_end(path: str, count: int) -> bytes:
    """Return the last bytes of a file, and all of it if it is shorter; one request on S3.

    Raises:
        UnreadableFile, OSError: as :func:`open_input` does.
    """
    if not is_local(path):
        return store_of(path).read_end(path, count)
    with open_input(path) as stream:
        return end_of(stream, count)


def read_bytes(path: str) -> bytes:
    """Return the content of a file; raises what :func:`open_input` raises."""
    if not is_local(path) and not is_http(path):
        return store_of(path).read(path)
    with open_input(path) as stream:
        return stream.read()


def read_many(
    paths: Iterable[str], *, threads: int = READING_THREADS
) -> Iterator[tuple[str, bytes]]:
    """Yield (path, content) of small files in any order.

    Files of stores and web servers are read by a bounded number of threads. Local files are read
    one after the other, which is faster, since threads would wait for the interpreter lock.

    Raises:
        UnreadableFile, OSError: a file cannot be read; files after it are not read.
    """
    remaining = iter(paths)
    first = list(islice(remaining, 1))
    if not first:
        return
    everything = (path for part in (first, remaining) for path in part)
    if is_local(first[0]):
        for path in everything:
            with blaming(path), open(path, "rb", buffering=0) as stream:
                content = stream.read()
            yield path, content
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="read") as pool:
        waiting: dict[Future[bytes], str] = {}
        try:
            while True:
                for path in islice(everything, threads * _READ_AHEAD - len(waiting)):
                    waiting[pool.submit(read_bytes, path)] = path
                if not waiting:
                    return
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    yield waiting.pop(future), future.result()
        finally:
            for future in waiting:
                future.cancel()
