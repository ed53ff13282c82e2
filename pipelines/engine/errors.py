"""The kinds of failure of a run, and what each leads to.

* A *record* that cannot be converted is counted as a bad record, whatever exception was raised, and
  the rest of its file is read.
* A *file* that cannot be read (``UnreadableFile``, from ``pipelines.readers.rows``) is counted as a
  failed file, of which a run tolerates a few (``--max-failed-files``).
* A *machine* that lacks a model, memory, file descriptors or the right version says nothing about
  the data: the unit fails, and no document is rejected for it. :func:`is_of_the_machine` tells
  these errors from the others.
"""

import errno
import sys

from tokenizer.errors import UserError


class RunError(UserError):
    """The run cannot continue; the message is one line and says what to do."""


class JobNotRun(Exception):  # noqa: N818 - it is no error
    """The command has done its part without running a job; the message says how it goes on."""


class MachineError(RunError):
    """This machine lacks what the work needs, such as a model; the message is one line."""


def is_of_the_machine(error: BaseException) -> bool:
    """Return whether an exception is the machine's fault and not that of the current document.

    >>> is_of_the_machine(MemoryError()), is_of_the_machine(ValueError("bad date"))
    (True, False)
    """
    if isinstance(error, RuntimeError):  # Python is shutting down, or cannot start a thread
        return sys.is_finalizing() or "can't start new thread" in str(error)
    return isinstance(error, (RunError, OSError, MemoryError, ImportError))


def one_line(error: BaseException, path: str) -> str:
    """Return one line that says what failed and what to do.

    Args:
        error: the exception.
        path: the run directory, which is named if the exception names no file.
    """
    if isinstance(error, OSError):
        if error.errno == errno.ENOSPC:
            return (
                f"no space left while writing to {path}. Free some space and run the same command "
                "again."
            )
        what = f"{error.strerror or error} ({error.filename or path})"
        return f"{what}. Fix this and run the same command again."
    if isinstance(error, MemoryError):
        return (
            f"not enough memory ({str(error) or 'none left'}). Run the same command again with "
            "fewer --workers, or on a machine with more."
        )
    return " ".join(str(error).split()) or type(error).__name__
