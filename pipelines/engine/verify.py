"""Read every byte of a complete run and compare it with its manifest.

Opening a run checks the names and sizes of its files (:meth:`Run.documents`), which costs one
listing. Code that reads whole files checks their SHA-256 too (:func:`open_checked`). ``python -m
pipelines verify RUN`` checks the SHA-256 of all files, and counts their rows.
"""

import hashlib
import io
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.engine.errors import RunError
from pipelines.engine.manifest import RunFile, differences, listing
from pipelines.engine.runs import Run
from pipelines.readers.rows import UnreadableFile
from pipelines.storage import files as storage
from pipelines.storage.stores import read_to_end

_THREADS = 8  # more than cores: hashing and reading release the interpreter lock
_AHEAD = 4 * _THREADS  # files that are queued at a time


class _Checked(io.RawIOBase):
    """A stream read from front to back, whose SHA-256 is checked at its end."""

    def __init__(self, stream: BinaryIO, path: str, expected: str) -> None:
        super().__init__()
        self._stream = stream
        self._path = path
        self._expected = expected
        self._digest = hashlib.sha256()

    def readable(self) -> bool:
        """Return True: the stream can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read some bytes, and check the SHA-256 when the stream ends.

        Raises:
            RunError: the SHA-256 is not the one expected.
        """
        data = self._stream.read(len(buffer))
        if not data:
            _compare(self._path, self._digest.hexdigest(), self._expected)
        self._digest.update(data)
        buffer[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        """Read all that is left, in large pieces."""
        return read_to_end(self)

    def close(self) -> None:
        """Close this stream and the one that it reads."""
        self._stream.close()
        super().close()


def _compare(path: str, found: str, expected: str) -> None:
    if found != expected:
        raise RunError(
            f"{path} is not the file that its run wrote (its SHA-256 is {found[:12]}..., the "
            f"manifest has {expected[:12]}...). Copy it again from where it was made, or make the "
            "run again."
        )


def open_checked(run: Run, file: RunFile) -> BinaryIO:
    """Open a file of a run for reading from front to back, with its SHA-256 checked at the end.

    Raises:
        RunError: when its end is read, if its SHA-256 is not the one in the manifest.
    """
    path = run.at(file.path)
    return io.BufferedReader(_Checked(storage.open_input(path), path, file.sha256), 1 << 20)


def check_sha256(path: str, expected: str) -> None:
    """Read a whole file and check its SHA-256.

    Raises:
        RunError: the SHA-256 is not the one expected.
    """
    with storage.open_input(path) as stream:
        _compare(path, _sha256_of(stream), expected)


def _sha256_of(stream: BinaryIO) -> str:
    digest = hashlib.sha256()
    while data := stream.read(1 << 20):
        digest.update(data)
    return digest.hexdigest()


def _look(run: Run, file: RunFile) -> list[str]:
    """Return what is wrong with a file."""
    try:
        with storage.open_input(run.at(file.path)) as stream:
            if _sha256_of(stream) != file.sha256:
                return [f"{file.path} has another SHA-256 than the manifest says"]
            stream.seek(0)
            rows = pq.read_metadata(stream).num_rows
    except UnreadableFile as error:
        return [f"{file.path} cannot be read: {error}"]
    except pa.ArrowException as error:
        return [f"{file.path} is not Parquet: {' '.join(str(error).split())}"]
    if rows != file.documents:
        return [f"{file.path} has {rows} rows and should have {file.documents}"]
    return []


def _look_at_all(run: Run, files: Iterable[RunFile]) -> Iterator[str]:
    """Yield what is wrong with the files, in the order of the files."""
    remaining = iter(files)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="verify") as pool:
        while part := list(islice(remaining, _AHEAD)):
            for problems in pool.map(_look, [run] * len(part), part):
                yield from problems


def verify(path: str) -> list[str]:
    """Read all of a complete run, and return what is wrong with it, one line per problem.

    Raises:
        RunError: the run is not complete, or its manifest is not the one that it was sealed with.
    """
    run = Run(path)
    if not run.completed:
        raise RunError(f"{path} is not a complete run: it has no COMPLETED.")
    manifest, stats = run.manifest, run.stats()
    problems = differences(manifest.files, listing(path))
    named = {problem.split()[0] for problem in problems}
    problems += _look_at_all(run, [file for file in manifest.files if file.path not in named])
    rows = sum(file.documents for file in manifest.files if file.path.startswith("documents/"))
    for what, count in (("its files hold", rows), ("stats.json has", stats["documents"])):
        if count != manifest.documents:
            problems.append(f"{what} {count} documents, and the manifest has {manifest.documents}")
    return problems
