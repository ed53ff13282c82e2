"""The cache for what set-up builds or fetches once per machine, outside the clone.

``${XDG_CACHE_HOME:-~/.cache}/corpusmill`` has one folder per item, whose name holds the version. A
folder appears whole or not at all, so two set-ups may run at the same time. Set-up runs before
every ``make demo`` and ``make test``, so it imports only the standard library.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tokenizer.errors import UserError


class SetupError(UserError):
    """Something that is needed is missing; the message is one line and says what to do."""


def cache_folder(name: str) -> Path:
    """Return the folder of the item of this name, which may not exist yet."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "corpusmill" / name


@contextlib.contextmanager
def installing(target: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes ``target`` when the block ends.

    If another set-up creates the target first, the rename fails and our folder is removed, since
    both have the same content.
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
        folder.chmod(0o755)  # mkdtemp gives access to the owner alone
        with contextlib.suppress(OSError):
            folder.rename(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_tool(command: list[str], doing: str) -> None:
    """Run a program of the set-up without showing its output.

    Raises:
        SetupError: the program failed; the message holds its error lines.
    """
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        lines = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines()]
        told = [line for line in lines if "error" in line.lower()] or [
            line for line in lines if line
        ]
        raise SetupError(f"{doing} failed: {' '.join(told[-3:]) or f'exit {done.returncode}'}")


def pip(*arguments: str, doing: str) -> None:
    """Run the pip of this interpreter; raise SetupError if it fails."""
    quiet = ("--quiet", "--disable-pip-version-check")
    run_tool([sys.executable, "-m", "pip", arguments[0], *quiet, *arguments[1:]], doing)
