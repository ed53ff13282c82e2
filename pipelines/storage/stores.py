"""The interface of object stores, and the code that all stores share.

A store has keys and neither folders nor renames, but an upload is atomic. ``s3.py`` is for S3 and
the stores that support its protocol, ``gcs.py`` for Google Cloud Storage, and ``beam_store.py`` for
all others that Beam supports, such as ``hdfs://``.
"""

import abc
import io
import re
import time
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any, BinaryIO, Protocol

from pipelines.readers.rows import UnreadableFile
from pipelines.storage.errors import StoreError, shown

TRIES = 8  # of a request, and in a row without a byte; six at least (docs/rules/web.md 2.5)
FIRST_PAUSE_SECONDS = 0.5  # doubles with each try
LONGEST_PAUSE_SECONDS = 20.0
SETTLE_SECONDS = 2.0  # in which another program that writes now has finished
PIECE_BYTES = 1 << 20  # per read of a stream that is read to its end
WILDCARDS = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True, order=True)
class InputFile:
    """The path, size and version of a file that was found."""

    path: str
    size: int  # bytes; -1 if it is not known before the file is read
    # Changes when the file is replaced: nanoseconds of the last change on a local disk, ETag on S3
    # and on web servers, generation on gs://, time of the last change on other stores; "" if it
    # is not known.
    version: str = ""


class Store(Protocol):
    """The operations of an object store; paths are whole addresses."""

    def walk(self, prefix: str, *, direct: bool) -> Iterator[InputFile]:
        """Yield the objects whose address begins with ``prefix``.

        Args:
            prefix: the start of an address; it need not end at a slash.
            direct: leave out objects with another slash after the prefix.
        """

    def find(self, path: str) -> InputFile | None:
        """Return an object's size and version, or None if it does not exist."""

    def open(self, path: str) -> BinaryIO:
        """Open an object for seekable reading."""

    def read(self, path: str) -> bytes:
        """Return the content of an object."""

    def read_end(self, path: str, count: int) -> bytes:
        """Return the last bytes of an object, and all of it if it is shorter."""

    def put(self, path: str, stream: IO[bytes], size: int) -> None:
        """Write an object whole from a file."""

    def create(self, path: str, content: bytes) -> bool:
        """Write an object unless it exists; return whether this call wrote it."""

    def delete(self, paths: Iterable[str]) -> None:
        """Delete objects; a missing one is no error."""


def prefix_of(pattern: str) -> str:
    """Return the part of a pattern before its first wildcard."""
    found = WILDCARDS.search(pattern)
    return pattern[: found.start()] if found else pattern


def expression_of(pattern: str) -> re.Pattern[str]:
    r"""Return the regular expression of a pattern: ``*`` stops at a slash and ``**`` does not.

    >>> bool(expression_of("s3://b/*/x[0-9].gz").fullmatch("s3://b/in/x7.gz"))
    True
    >>> bool(expression_of("s3://b/*.gz").fullmatch("s3://b/in/x7.gz"))
    False
    """
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[!?\]?[^\]]*\])", pattern)
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    translated = ""
    for part in parts:
        if part in known:
            translated += known[part]
        elif part.startswith("[") and len(part) > 2:
            inner = part[1:-1].replace("\\", "\\\\")
            translated += "[" + ("^/" + inner[1:] if inner.startswith("!") else inner) + "]"
        else:
            translated += re.escape(part)
    return re.compile(translated, re.DOTALL)


def match(store: Store, pattern: str) -> list[InputFile]:
    """Return the objects that a pattern names, by one listing or one request."""
    prefix = prefix_of(pattern)
    if prefix == pattern:
        found = store.find(pattern)
        return [found] if found else []
    wanted = expression_of(pattern)
    rest = pattern[len(prefix) :]
    direct = "/" not in rest and "**" not in rest
    files = [file for file in store.walk(prefix, direct=direct) if wanted.fullmatch(file.path)]
    if not files and (found := store.find(pattern)):  # the wildcards are part of its name
        files.append(found)
    return files


def end_of(stream: BinaryIO, count: int) -> bytes:
    """Return the last bytes of an open file, and all of it if it is shorter."""
    stream.seek(max(0, stream.seek(0, io.SEEK_END) - count))
    return stream.read()


def create_and_read_back(store: Store, path: str, content: bytes) -> bool:
    """Write an object unless it exists, on a store without conditional writes.

    The object is written, and read back after a moment. Of two programs that write at the same
    time, the one whose content is read back has won.

    Returns:
        whether this call wrote it.
    """
    if store.find(path):
        return False
    store.put(path, io.BytesIO(content), len(content))
    time.sleep(SETTLE_SECONDS)
    return store.read(path) == content


def pause(what: str, attempt: int) -> None:
    """Wait before another try, as long as :func:`pause_seconds` says."""
    time.sleep(pause_seconds(what, attempt, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS))


def pause_seconds(what: str, attempt: int, first: float, longest: float) -> float:
    """Return the seconds before another try: more after each one, and not as many as others wait.

    Args:
        what: the file that is waited for.
        attempt: number of the try that failed, from 1.
        first: seconds after the first try; they double with each.
        longest: the most that they double to.
    """
    spread = zlib.crc32(f"{what} {attempt} {time.monotonic_ns()}".encode()) / (1 << 32)  # 0 to 1
    return min(first * 2.0 ** (attempt - 1), longest) * (0.5 + spread)


def read_to_end(raw: io.RawIOBase) -> bytes:
    """Read a raw stream to its end in large pieces; Python itself reads 8 kB at a time."""
    content, buffer = io.BytesIO(), bytearray(PIECE_BYTES)
    while count := raw.readinto(buffer):
        content.write(memoryview(buffer)[:count])
    return content.getvalue()


class Broken(Exception):  # noqa: N818 -- an answer that broke off, handled where it is read
    """A transfer broke off."""


class RemoteFile(io.RawIOBase):
    """A file that is read over a network from any byte on; a subclass implements ``readinto``."""

    def __init__(self, path: str, size: int = -1) -> None:
        super().__init__()
        self.path = path
        self._at = 0  # the next byte that a reader gets
        self._size = size  # bytes of the file; -1 if it is not known

    def readable(self) -> bool:
        """Return True: the file can be read."""
        return True

    def seekable(self) -> bool:
        """Return True: the file is seekable."""
        return True

    def tell(self) -> int:
        """Return the offset of the next byte."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to an offset; the next read starts there.

        Raises:
            UnreadableFile: the offset counts from an end that is not known.
        """
        if whence == io.SEEK_END and self._size < 0:
            raise UnreadableFile(
                f"{shown(self.path)}: the server does not say how long the file is"
            )
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readall(self) -> bytes:
        """Read all that is left, in large pieces."""
        return read_to_end(self)


class RangedFile(RemoteFile):
    """A file whose rest is requested at once, with retries where the connection broke.

    A subclass implements how to send a request (:meth:`request`) and how to read its answer
    (:meth:`fill`).
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._answer: Any = None

    @abc.abstractmethod
    def request(self, start: int) -> tuple[Any, int]:
        """Request the file from byte ``start`` on; return the answer and the file's size or -1."""

    @abc.abstractmethod
    def fill(self, answer: Any, buffer: memoryview) -> int:
        """Read an answer into a buffer; return the number of bytes, 0 at its end.

        Raises:
            Broken: the connection broke.
        """

    def pause(self, attempt: int) -> None:
        """Wait before another try."""
        pause(self.path, attempt)

    def connect(self) -> None:
        """Request the rest of the file, unless a connection is open."""
        if self._answer is None:
            self._answer, self._size = self.request(self._at)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to an offset; the next read requests the file from there."""
        before = self._at
        if super().seek(offset, whence) != before:
            self.disconnect()
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read some bytes; 0 at the end of the file only.

        Raises:
            UnreadableFile: it broke off ``TRIES`` times in a row at the same byte.
        """
        failures = 0
        while self._size < 0 or self._at < self._size:
            try:
                self.connect()
                if 0 <= self._size <= self._at:
                    break
                count = self.fill(self._answer, self._within_file(buffer))
                if count or self._size < 0:
                    self._at += count
                    return count
                problem = "the connection ended early"
            except Broken as error:
                problem = str(error)
            self.disconnect()
            failures += 1
            if failures == TRIES:
                raise UnreadableFile(
                    f"{shown(self.path)}: broke off at byte {self._at}, {TRIES} times in a row: "
                    f"{problem}"
                )
            self.pause(failures)
        self.disconnect()
        return 0

    def _within_file(self, buffer: Any) -> memoryview:
        """Return the part of a buffer that the file can fill."""
        view = memoryview(buffer)
        return view if self._size < 0 else view[: self._size - self._at]

    def disconnect(self) -> None:
        """Close the connection, if one is open."""
        if self._answer is not None:
            self._answer.close()
            self._answer = None

    def close(self) -> None:
        """Close the connection."""
        self.disconnect()
        super().close()


def changed(path: str) -> StoreError:
    """Return the error for a file that was replaced while it was read."""
    return StoreError(f"{shown(path)}: changed while it was read; run the same command again")
