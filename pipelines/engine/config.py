"""The configuration of a run as JSON: written once, and compared when the run is resumed."""

import contextlib
import json
import os
import platform
import unicodedata
from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Any


def to_bytes(value: Any) -> bytes:
    """Return JSON as run directories hold it: sorted keys, indented, ending in a line feed.

    Bytes of file names that are not UTF-8 become JSON escapes, which are read back as the same
    bytes.
    """
    text = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False)
    return f"{text}\n".encode("utf-8", "backslashreplace")


# Packages that decode, cut, score or write text, so that another version may give other bytes.
BYTES_DEPEND_ON = (
    *("fastavro", "fasttext-wheel", "fastwarc", "kenlm", "mwparserfromhell", "numpy", "pyarrow"),
    *("resiliparse", "sentencepiece", "tldextract", "trafilatura", "ufal-kenlm"),
)


def versions() -> dict[str, str]:
    """Return the versions that can change the bytes of a run.

    A package that is not installed is left out: it changes nothing where nobody has it.
    """
    found = {"corpusmill": "source tree"}
    for name in ("corpusmill", *BYTES_DEPEND_ON):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    major, minor, _ = platform.python_version_tuple()
    return {**found, "python": f"{major}.{minor}", "unicode": unicodedata.unidata_version}


INPUTS = "config.input"  # where a run's config.json holds the facts of its inputs, by path


def _differences(old: Any, new: Any, path: str = "") -> Iterable[str]:
    if path == INPUTS and old != new and (moved := _moved(old, new)):
        yield moved
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from _differences(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif old != new:
        yield f"{path}: {_short(old)} there, {_short(new)} here"


def _moved(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Return what to say of the same inputs under another folder, or "" if they differ."""
    folders = []
    for inputs in (old, new):
        if not inputs:
            return ""
        folders.append(os.path.commonpath(inputs) if len(inputs) > 1 else os.path.dirname(*inputs))
    kept = [
        {path.removeprefix(folder): facts for path, facts in inputs.items()}
        for folder, inputs in zip(folders, (old, new), strict=True)
    ]
    if kept[0] != kept[1]:
        return ""
    return f"its inputs are the same files, but under {folders[0]}, not {folders[1]}"


def tell_differences(old: Any, new: Any) -> str:
    """Return the first five differences of two JSON values on one line, or "" if there are none."""
    found = list(_differences(old, new))
    more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
    return "; ".join(found[:5]) + more


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
