"""List the members of 7z archives with their sizes and stream their bytes, by ``py7zr``."""

from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

import py7zr
from py7zr.io import Py7zIO, WriterFactory

from pipelines.readers.rows import Source, UnreadableFile, clip, unreadable

MAGIC = b"7z\xbc\xaf\x27\x1c"


class Member(NamedTuple):
    """A file in an archive."""

    name: str
    size: int  # bytes, decompressed


def members(stream: BinaryIO, name: str) -> list[Member]:
    """Return the files of an archive, from its directory.

    Args:
        stream: the archive, seekable.
        name: name of the archive, for messages.

    Raises:
        UnreadableFile: the file is not a 7z archive, is cut off or damaged, or needs a password.
    """
    source = Source(stream)
    try:
        with py7zr.SevenZipFile(source) as archive:
            if archive.needs_password():
                unreadable(source, name, "needs a password: give an archive that is not encrypted")
            return [
                Member(entry.filename, int(entry.uncompressed or 0))
                for entry in archive.list()
                if not entry.is_directory
            ]
    except Exception as error:
        raise _told(source, name, error) from error


def read_member(stream: BinaryIO, name: str, member: str, take: Callable[[bytes], None]) -> None:
    """Pass the bytes of a member to ``take``, piece by piece, and verify their checksum.

    Args:
        stream: the archive, seekable.
        name: name of the archive, for messages.
        member: name of the file in the archive.
        take: the function that is called with each piece.

    Raises:
        UnreadableFile: the archive is damaged; the bytes that ``take`` received may be wrong.
    """
    source = Source(stream)
    taking = _Taking(take)
    try:
        with py7zr.SevenZipFile(source) as archive:
            archive.extract(targets=[member], factory=_Factory(taking))
    except Exception as error:
        if taking.error:
            raise taking.error from error
        raise _told(source, name, error) from error


def _told(source: Source, name: str, error: Exception) -> Exception:
    """Return the error to raise: the stream's, the machine's, or one about the archive."""
    if isinstance(error, (UnreadableFile, MemoryError, ImportError)):
        return error
    source.raise_own_error()
    what = clip(f"{type(error).__name__}: {error}")
    return UnreadableFile(f"{name} cannot be read as 7z ({what}): fetch it again")


class _Taking(Py7zIO):
    """A file that py7zr writes to; the bytes are passed on to a function."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._size = 0
        self.error: Exception | None = None  # raised by the function, not by the archive

    def write(self, s: bytes | bytearray) -> int:
        """Pass bytes on."""
        try:
            self._take(bytes(s))
        except Exception as error:
            self.error = error
            raise
        self._size += len(s)
        return len(s)

    def read(self, size: int | None = None) -> bytes:  # noqa: ARG002 - py7zr's signature
        """Return nothing: what was written is gone."""
        return b""

    def seek(self, offset: int, whence: int = 0) -> int:  # noqa: ARG002 - as above
        """Stay where we are."""
        return self._size

    def flush(self) -> None:
        """Do nothing: nothing is held."""

    def size(self) -> int:
        """Return how many bytes were written."""
        return self._size


class _Factory(WriterFactory):
    def __init__(self, taking: _Taking) -> None:
        self._taking = taking

    def create(self, filename: str) -> Any:  # noqa: ARG002 - there is one target
        return self._taking
