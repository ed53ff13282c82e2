"""Write files that appear whole or not at all.

A local file is written under a temporary name and then renamed. A store has no rename, but an
upload is atomic, so the bytes are written to local disk first and uploaded when complete.
"""

import contextlib
import errno
import hashlib
import io
import os
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from pipelines.storage.paths import is_local
from pipelines.storage.remote import store_of

TEMPORARY = ".tmp-"  # start of the name of a file that is being written
_CREATE_TRIES = 8
# The errors of a filesystem without hard links.
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})


@dataclass(frozen=True, slots=True)
class Written:
    """The size and the SHA-256 of a written file."""

    bytes: int
    sha256: str


class AtomicFile:
    """A file that appears under its name only when :meth:`commit` returns.

    Two attempts at one name write to different temporary names; the last commit wins, and both
    have the same bytes.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        if is_local(path):
            folder = os.path.dirname(path)
            os.makedirs(folder or ".", exist_ok=True)
            self.temporary = os.path.join(folder, f"{TEMPORARY}{uuid.uuid4().hex}")
            self.stream: IO[bytes] = open(self.temporary, "xb")  # noqa: SIM115 - closed in commit or discard
        else:
            self.stream = tempfile.NamedTemporaryFile("wb", delete=False)  # noqa: SIM115 - as above
            self.temporary = self.stream.name

    def commit(self, *, durable: bool = True) -> Written:
        """Give the file its name, and return its size and SHA-256.

        Args:
            durable: whether to wait until the bytes are on the disk.
        """
        try:
            self.stream.flush()
            if durable and is_local(self.path):
                os.fsync(self.stream.fileno())
            self.stream.close()
            with open(self.temporary, "rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            size = os.path.getsize(self.temporary)
            if is_local(self.path):
                os.replace(self.temporary, self.path)
            else:
                with open(self.temporary, "rb") as stream:
                    store_of(self.path).put(self.path, stream, size)
        finally:
            self.discard()
        return Written(size, digest)

    def discard(self) -> None:
        """Remove the temporary file; this does nothing after a commit."""
        with contextlib.suppress(OSError):  # closing flushes, which a full disk refuses
            self.stream.close()
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.temporary)


@contextlib.contextmanager
def writing(path: str, *, durable: bool = True) -> Iterator[IO[bytes]]:
    """Write a file that appears when the block ends, and not at all if the block raises."""
    file = AtomicFile(path)
    try:
        yield file.stream
        file.commit(durable=durable)
    finally:
        file.discard()


def write_bytes(path: str, content: bytes, *, durable: bool = True) -> None:
    """Write a small file in one step."""
    if not is_local(path):
        store_of(path).put(path, io.BytesIO(content), len(content))
        return
    with writing(path, durable=durable) as stream:
        stream.write(content)


def create(path: str, content: bytes) -> bool:
    """Write a small file whole, unless it exists, and return whether this call wrote it.

    Locally, on S3 and on gs://, of two callers at most one gets True. On other stores the file is
    written and read back, where a race remains possible (``beam_store.py``).
    """
    if not is_local(path):
        return store_of(path).create(path, content)
    for _ in range(_CREATE_TRIES):
        # Another launcher may remove the temporary file meanwhile.
        with contextlib.suppress(FileNotFoundError):
            return _create(path, content)
    return _create(path, content)


def _create(path: str, content: bytes) -> bool:
    file = AtomicFile(path)
    try:
        file.stream.write(content)
        file.stream.flush()
        os.fsync(file.stream.fileno())
        try:
            os.link(file.temporary, path)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            with open(path, "xb") as stream:  # not atomic, but there are no links here
                stream.write(content)
    except FileExistsError:
        return False
    finally:
        file.discard()
    return True
