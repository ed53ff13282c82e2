"""Read the urls that Wikipedia cites, from its dumps or from lists of urls."""

import gzip
import zlib
from collections.abc import Iterable, Iterator

from pipelines.engine.errors import RunError
from pipelines.storage import files as storage
from pipelines.wikipedia.references import read_reference_urls


def read_references(paths: Iterable[str]) -> Iterator[str]:
    """Yield the urls in pages-articles dumps and in lists (``.txt``, ``.txt.gz``: one per line).

    Raises:
        RunError: a list cannot be read to its end.
    """
    for path in paths:
        if path.endswith((".txt", ".txt.gz")):
            yield from _read_list(path)
        else:
            yield from read_reference_urls([path])


def _read_list(path: str) -> Iterator[str]:
    try:
        with (
            storage.open_input(path) as raw,
            gzip.open(raw) if path.endswith(".gz") else raw as lines,
        ):
            for line in lines:
                if url := line.decode("utf-8", "replace").strip():
                    yield url
    except (OSError, EOFError, zlib.error) as error:
        raise RunError(f"{path}: cannot be read to its end ({error}). Fetch it again.") from error
