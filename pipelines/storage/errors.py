"""Errors of storage, which separate faults of a file from faults of the machine.

A file that is missing, forbidden or broken raises :class:`UnreadableFile`: the run counts it as a
failed file and continues. What the machine or the network lacks (descriptors, memory, space, a
server that answers) raises an ``OSError``: the unit fails and is tried again, and no file is
counted as failed.
"""

import contextlib
import errno
import os
from collections.abc import Iterator

from pipelines.readers.rows import UnreadableFile
from tokenizer.errors import UserError

FAULTS_OF_A_FILE = frozenset(
    {
        *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG),
        *(errno.EACCES, errno.EPERM, errno.EIO, errno.ENXIO, errno.ENODEV, errno.EINVAL),
    }
)

MISSING_STATUS = frozenset({404, 410})
# Statuses that another try may change: the server is busy, or a proxy is broken.
PASSING_STATUS = frozenset({408, 421, 423, 425, 429})


class StorageError(UserError):
    """A path that cannot be read or written; the message says what to do."""


class MissingFile(UnreadableFile):
    """A file does not exist."""


class StoreError(OSError):
    """A store or a server failed; the message says what it answered."""


def shown(path: str) -> str:
    r"""Return a path as it can be printed on one line, whatever bytes its name has.

    >>> shown("a\udce9b\n")
    'a\\udce9b\\n'
    """
    if path.isprintable():
        return path
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in path
    )


def is_fault_of_file(error: OSError) -> bool:
    """Return whether an error is the file's fault and not the machine's."""
    return error.errno in FAULTS_OF_A_FILE


def refusal(path: str, status: int | None, what: str) -> UnreadableFile | StoreError:
    """Return the error for the status of a server's last answer.

    Args:
        path: path of the file.
        status: HTTP status; None if there was no answer.
        what: the answer in words.
    """
    message = f"{shown(path)}: {' '.join(what.split())}"
    if status in MISSING_STATUS:
        return MissingFile(f"{message}: is the address right?")
    if status is not None and 400 <= status < 500 and status not in PASSING_STATUS:
        return UnreadableFile(message)
    return StoreError(message)


@contextlib.contextmanager
def blaming(path: str) -> Iterator[None]:
    """Turn an error that is the fault of the local file ``path`` into an UnreadableFile."""
    try:
        yield
    except OSError as error:
        if not is_fault_of_file(error):
            raise
        kind = MissingFile if error.errno == errno.ENOENT else UnreadableFile
        what = error.strerror or os.strerror(error.errno or 0)
        if error.errno == errno.ENOENT and os.path.islink(path):
            what = f"the symbolic link points to {shown(os.readlink(path))}, which is not there"
        raise kind(f"{shown(path)}: {what}") from error
