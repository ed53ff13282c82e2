"""The folder of temporary files, and a folder in its place for what a library leaves behind."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


def machine_folder() -> str:
    """Return the machine's folder of temporary files, also while `removed_after` names another."""
    return _replaced[0] if _replaced else tempfile.gettempdir()


_replaced: list[str] = []  # the machine's folder, while another stands in its place


@contextmanager
def removed_after(prefix: str) -> Iterator[None]:
    """Let `tempfile` make files and folders in a new folder, which is removed after the block.

    Beam makes a folder for each pipeline, one for what it stages and one for each environment, and
    keeps most of them.

    Args:
        prefix: begins the name of the folder.
    """
    before, folder = tempfile.tempdir, tempfile.mkdtemp(prefix=prefix)
    _replaced.append(machine_folder())
    tempfile.tempdir = folder
    try:
        yield
    finally:
        tempfile.tempdir = before
        _replaced.pop()
        shutil.rmtree(folder, ignore_errors=True)
