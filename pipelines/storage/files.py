"""Files on any filesystem that Beam knows: found, read, and written whole or not at all.

Inputs may also lie on a web server (``http.py``), which cannot be listed or written to.

A run directory may be local, ``gs://`` or ``s3://``. What is written becomes visible in one step: a
local file is written under a temporary name and renamed; an object store has no rename, there the
upload is the atomic step, so the bytes are spooled to local disk first and uploaded when complete.
"""

import contextlib
import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, BinaryIO, cast

from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems

from pipelines.storage import http

TEMPORARY = ".tmp-"  # start of the name of a file that is being written


class StorageError(Exception):
    """A path that cannot be read or written; the message says what to do."""


@dataclass(frozen=True, slots=True, order=True)
class InputFile:
    """An input as it was found."""

    path: str
    size: int  # bytes, -1 where it is not known before the file is read


@dataclass(frozen=True, slots=True)
class Written:
    """What lies on storage after a write."""

    bytes: int
    sha256: str


def is_local(path: str) -> bool:
    """Tell a local path from an address such as ``gs://bucket/key``."""
    return "://" not in path


def join(path: str, *parts: str) -> str:
    """Join path parts in the manner of the path's filesystem."""
    return os.path.join(path, *parts) if is_local(path) else FileSystems.join(path, *parts)


def basename(path: str) -> str:
    """Return the last part of a local path or an address."""
    return path.rstrip("/").rsplit("/", 1)[-1]


def _match(pattern: str) -> list[InputFile]:
    if http.is_http(pattern):
        return [_find_on_server(pattern)]
    try:
        (result,) = FileSystems.match([pattern])
    except (BeamIOError, ValueError) as error:
        raise StorageError(
            f"cannot list {pattern}: {error}. Check the address and, for gs:// or s3://, "
            "that the extra 'gcp' or 'aws' is installed and that you are signed in."
        ) from error
    return [InputFile(entry.path, entry.size_in_bytes) for entry in result.metadata_list]


def _find_on_server(url: str) -> InputFile:
    if url.endswith("/") or any(c in url for c in "*["):
        raise StorageError(f"cannot list {url}: name the files of a web server, or a listing")
    try:
        return InputFile(url, http.size_of(url))
    except OSError as error:
        raise StorageError(str(error)) from error


def find_inputs(patterns: Sequence[str]) -> list[InputFile]:
    """Return the files that the patterns name, each once, sorted by path.

    Args:
        patterns: files, globs, or directories (all files directly in them, but hidden ones).

    Raises:
        StorageError: a pattern matches nothing.
    """
    found: dict[str, InputFile] = {}
    for pattern in patterns:
        directory = os.path.isdir(pattern) if is_local(pattern) else pattern.endswith("/")
        files = _match(join(pattern, "*") if directory else pattern)
        files = [file for file in files if not basename(file.path).startswith(".")]
        if is_local(pattern):
            files = [file for file in files if os.path.isfile(file.path)]
        if not files:
            kind = "no such file" if not any(c in pattern for c in "*?[") else "no file matches"
            raise StorageError(
                f"{kind}: {pattern}. Give --input a file, a directory or a quoted glob that exists."
            )
        found.update((file.path, file) for file in files)
    return sorted(found.values())


def open_input(path: str) -> BinaryIO:
    """Open a file for seekable reading, as it lies there (no decompression)."""
    if is_local(path):
        return open(path, "rb")
    if http.is_http(path):
        return http.open_url(path)
    stream = FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)
    return cast(BinaryIO, stream)


def exists(path: str) -> bool:
    """Tell whether a file is there."""
    if http.is_http(path):
        try:
            return http.size_of(path) >= -1
        except FileNotFoundError:
            return False
    return os.path.exists(path) if is_local(path) else bool(FileSystems.exists(path))


def read_bytes(path: str) -> bytes:
    """Return the content of a file."""
    with open_input(path) as stream:
        return stream.read()


def list_directory(path: str) -> list[InputFile]:
    """Return the files directly in a directory, sorted; none if it is not there."""
    if is_local(path):
        with contextlib.suppress(FileNotFoundError), os.scandir(path) as entries:
            return sorted(
                InputFile(entry.path, entry.stat().st_size) for entry in entries if entry.is_file()
            )
        return []
    return sorted(_match(join(path, "*")))


def remove(paths: Iterable[str]) -> None:
    """Delete files and directories that exist."""
    for path in paths:
        if not is_local(path):
            if list_directory(path) or exists(path):
                FileSystems.delete([path])
        elif os.path.isdir(path):
            shutil.rmtree(path)
        elif os.path.exists(path):
            os.remove(path)


def make_directory(path: str) -> None:
    """Create a local directory and its parents; object stores need none."""
    if is_local(path):
        os.makedirs(path, exist_ok=True)


class AtomicFile:
    """A file that appears under its name only when :meth:`commit` returns.

    Two attempts at one name write to different temporary names; the last commit wins, and both
    have the same bytes.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        if is_local(path):
            folder, name = os.path.split(path)
            os.makedirs(folder, exist_ok=True)
            self._temporary = os.path.join(folder, f"{TEMPORARY}{uuid.uuid4().hex}-{name}")
            self.stream: IO[bytes] = open(self._temporary, "xb")  # noqa: SIM115 - closed in commit or discard
        else:
            self.stream = tempfile.NamedTemporaryFile("wb", delete=False)  # noqa: SIM115 - as above
            self._temporary = self.stream.name

    def commit(self, *, durable: bool = True) -> Written:
        """Put the file in its place and return its size and SHA-256.

        Args:
            durable: wait until the disk has it; what only informs need not.
        """
        try:
            self.stream.flush()
            if durable:
                os.fsync(self.stream.fileno())
            self.stream.close()
            with open(self._temporary, "rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            size = os.path.getsize(self._temporary)
            if is_local(self.path):
                os.replace(self._temporary, self.path)
            else:
                with (
                    open(self._temporary, "rb") as stream,
                    FileSystems.create(
                        self.path, compression_type=CompressionTypes.UNCOMPRESSED
                    ) as target,
                ):
                    shutil.copyfileobj(stream, target, 1 << 22)
        finally:
            self.discard()
        return Written(size, digest)

    def discard(self) -> None:
        """Leave nothing behind; harmless after a commit."""
        with contextlib.suppress(OSError):  # closing flushes, which a full disk refuses
            self.stream.close()
        with contextlib.suppress(FileNotFoundError):
            os.remove(self._temporary)


@contextlib.contextmanager
def writing(path: str, *, durable: bool = True) -> Iterator[IO[bytes]]:
    """Write a file whole: it appears when the block ends, and not at all when the block raises."""
    file = AtomicFile(path)
    try:
        yield file.stream
        file.commit(durable=durable)
    finally:
        file.discard()


def write_bytes(path: str, content: bytes, *, durable: bool = True) -> None:
    """Write a small file in one step."""
    with writing(path, durable=durable) as stream:
        stream.write(content)
