"""What a run was asked to do, as JSON: written once, compared when the command is run again."""

import json
import platform
import unicodedata
from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Any


def to_bytes(value: Any) -> bytes:
    """Return JSON as it is written in a run directory: sorted, indented, ending in a line feed.

    Bytes of a file's name that are not UTF-8 are escaped as JSON has it, and come back the same.
    """
    text = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False)
    return f"{text}\n".encode("utf-8", "backslashreplace")


# Of these the bytes of documents depend: how they are read, scored, compressed and written.
_PACKAGES = (
    "fasttext-wheel",
    "fastwarc",
    "kenlm",
    "mwparserfromhell",
    "numpy",
    "pyarrow",
    "resiliparse",
    "sentencepiece",
)


def versions() -> dict[str, str]:
    """Return the versions that can change the bytes of a run."""
    try:
        corpusmill = metadata.version("corpusmill")
    except metadata.PackageNotFoundError:
        corpusmill = "source tree"
    python = ".".join(platform.python_version_tuple()[:2])
    packages = {name: metadata.version(name) for name in _PACKAGES}
    return {
        "corpusmill": corpusmill,
        "python": python,
        "unicode": unicodedata.unidata_version,
        **packages,
    }


def _differences(old: Any, new: Any, path: str = "") -> Iterable[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from _differences(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif old != new:
        yield f"{path}: {_short(old)} there, {_short(new)} here"


def tell_differences(old: Any, new: Any) -> str:
    """Return the first differences of two JSON values in a line; empty if there is none."""
    found = list(_differences(old, new))
    more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
    return "; ".join(found[:5]) + more


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
