"""Where set-up leaves what it builds or fetches: outside the clone, once a machine.

``${XDG_CACHE_HOME:-~/.cache}/corpusmill`` holds a folder a thing, named with its version. A folder
appears whole or not at all, so that two set-ups at a time do not disturb each other. Set-up runs
before every ``make demo`` and ``make test``, hence imports only the standard library.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path


class SetupError(Exception):
    """Something that must be there is not; the message is one line and says what to do."""


def cache_folder(name: str) -> Path:
    """Return where the thing of this name lies, or will lie."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "corpusmill" / name


@contextlib.contextmanager
def installing(target: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes ``target`` when the block ends.

    A set-up that ran at the same time and came first wins: the rename onto its folder fails, and
    ours goes, since both hold the same.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".tmp-{target.name}-", dir=target.parent))
    except OSError as error:
        raise SetupError(
            f"cannot write to {target.parent} ({error.strerror}). Set XDG_CACHE_HOME to a folder "
            "that can be written."
        ) from error
    try:
        yield folder
        folder.chmod(0o755)  # mkdtemp's folders are for their owner alone
        with contextlib.suppress(OSError):
            folder.rename(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_tool(command: list[str], doing: str) -> None:
    """Run a program of the set-up, quietly.

    Raises:
        SetupError: it failed; the message holds its last words.
    """
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        lines = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines()]
        told = [line for line in lines if "error" in line.lower()] or [
            line for line in lines if line
        ]
        raise SetupError(f"{doing} failed: {' '.join(told[-3:]) or f'exit {done.returncode}'}")


def pip(*arguments: str, doing: str) -> None:
    """Run pip of this interpreter; raises SetupError."""
    quiet = ("--quiet", "--disable-pip-version-check")
    run_tool([sys.executable, "-m", "pip", arguments[0], *quiet, *arguments[1:]], doing)
