"""What may go wrong with a run, told apart in one place.

Three things fail, and each has its own consequence:

* a *record* that cannot be taken is a bad record, whatever was raised, and its file goes on;
* a *file* that cannot be read (``UnreadableFile``, from ``pipelines.readers.rows``) is a failed
  file, which the run bears within its budget;
* what the *machine* lacks (a model, memory, file descriptors, a version) says nothing about the
  data: it fails the unit loudly, and is never a verdict on a document. :func:`is_of_the_machine`
  tells these from the rest.
"""

import errno
import sys


class RunError(Exception):
    """A run that cannot go on; the message is one line and says what to do."""


class MachineError(RunError):
    """This machine lacks what the work needs, such as a model; the message is one line."""


def is_of_the_machine(error: BaseException) -> bool:
    """Tell whether an exception is about the machine and not about the document at work.

    >>> is_of_the_machine(MemoryError()), is_of_the_machine(ValueError("bad date"))
    (True, False)
    """
    if isinstance(error, RuntimeError):  # Python is about to end, or can start no thread
        return sys.is_finalizing() or "can't start new thread" in str(error)
    return isinstance(error, (RunError, OSError, MemoryError, ImportError))


def one_line(error: BaseException, path: str) -> str:
    """Return what was refused, and what to do, in one line.

    Args:
        error: what was raised.
        path: the run directory, named where the error names no file.
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
