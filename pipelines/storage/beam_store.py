"""Files on the stores that only Beam supports, such as ``hdfs://``.

Beam's filesystems need the run's options, which have to be set once per process, in workers as in
the launcher. So every call here begins with that.
"""

import functools
import os
import shutil
from collections.abc import Iterable, Iterator
from typing import IO, Any, BinaryIO, cast

from pipelines.readers.rows import UnreadableFile
from pipelines.storage.errors import (
    MISSING_STATUS,
    MissingFile,
    StorageError,
    StoreError,
    is_fault_of_file,
    refusal,
    shown,
)
from pipelines.storage.stores import InputFile, create_and_read_back, end_of


@functools.cache
def _prepared(_process: int) -> Any:
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import PipelineOptions

    if FileSystems._pipeline_options is None:  # noqa: SLF001 -- the runner's own come first
        FileSystems.set_options(PipelineOptions([]))
    return FileSystems


def filesystems() -> Any:
    """Return Beam's filesystems, with options set in this process."""
    return _prepared(os.getpid())


def _uncompressed() -> Any:
    from apache_beam.io.filesystem import CompressionTypes

    return CompressionTypes.UNCOMPRESSED


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and the errors that Beam wrapped in it."""
    yield error
    details = getattr(error, "exception_details", None)
    for inner in (details or {}).values() if isinstance(details, dict) else ():
        if isinstance(inner, BaseException):
            yield from _causes(inner)


def told(path: str, error: BaseException) -> Exception:
    """Return our error for an error of Beam or of a cloud's library."""
    for cause in _causes(error):
        code = getattr(cause, "code", None)
        if isinstance(code, int):
            return refusal(path, code, str(cause))
        if isinstance(cause, FileNotFoundError):
            return MissingFile(f"{shown(path)}: it is not there")
        if isinstance(cause, OSError) and is_fault_of_file(cause):
            return UnreadableFile(f"{shown(path)}: {cause.strerror or cause}")
    return StoreError(f"{shown(path)}: {' '.join(str(error).split())}")


class BeamStore:
    """The operations of one of Beam's filesystems."""

    def walk(self, prefix: str, *, direct: bool) -> Iterator[InputFile]:
        """Yield the objects whose address begins with ``prefix``."""
        pattern = f"{prefix}*" if direct else f"{prefix}**"
        yield from self._match(pattern)

    def _match(self, pattern: str) -> list[InputFile]:
        from apache_beam.io.filesystem import BeamIOError

        try:
            (result,) = filesystems().match([pattern])
        except (BeamIOError, ValueError, ImportError) as error:
            raise StorageError(
                f"cannot list {pattern}: {' '.join(str(error).split())}. Check the address, and "
                "that the library which Beam needs for it is installed."
            ) from error
        return [
            InputFile(entry.path, entry.size_in_bytes, _version_of(entry))
            for entry in result.metadata_list
            if not entry.path.endswith("/")
        ]

    def find(self, path: str) -> InputFile | None:
        """Return size and time of an object, or None if it does not exist."""
        try:
            if not filesystems().exists(path):
                return None
            entry = filesystems().get_filesystem(path).metadata(path)
        except Exception as error:
            raised = told(path, error)
            if isinstance(raised, MissingFile):
                return None
            raise raised from error
        return InputFile(path, entry.size_in_bytes, _version_of(entry))

    def open(self, path: str) -> BinaryIO:
        """Open an object for seekable reading."""
        try:
            stream = filesystems().open(path, compression_type=_uncompressed())
        except Exception as error:
            raise told(path, error) from error
        return cast(BinaryIO, stream)

    def read(self, path: str) -> bytes:
        """Return the content of an object."""
        try:
            with self.open(path) as stream:
                return stream.read()
        except (UnreadableFile, StoreError):
            raise
        except Exception as error:
            raise told(path, error) from error

    def read_end(self, path: str, count: int) -> bytes:
        """Return the last bytes of an object."""
        with self.open(path) as stream:
            return end_of(stream, count)

    def put(self, path: str, stream: IO[bytes], size: int) -> None:  # noqa: ARG002 -- as Store has it
        """Write an object whole from a file."""
        with filesystems().create(path, compression_type=_uncompressed()) as target:
            shutil.copyfileobj(stream, target, 1 << 22)

    def create(self, path: str, content: bytes) -> bool:
        """Write an object unless it exists; Beam has no conditional write."""
        return create_and_read_back(self, path, content)

    def delete(self, paths: Iterable[str]) -> None:
        """Delete objects; a missing one is no error."""
        from apache_beam.io.filesystem import BeamIOError

        wanted = list(paths)
        try:
            filesystems().delete(wanted)
        except BeamIOError as error:
            for path, cause in (error.exception_details or {}).items():
                missing = isinstance(cause, FileNotFoundError) or (
                    getattr(cause, "code", None) in MISSING_STATUS
                )
                if not missing:
                    raise told(path, cause) from error


def _version_of(entry: Any) -> str:
    """Return when an object was last changed, in microseconds, or "" if that is not known."""
    seconds = getattr(entry, "last_updated_in_seconds", None)
    return str(round(seconds * 1e6)) if seconds else ""
