"""The manifest of a run lists its files, so that a listing can be compared with it.

``COMPLETED`` holds the SHA-256 of ``manifest.json``, which holds the SHA-256 of every file. So the
one line of ``COMPLETED`` identifies every byte of the run.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

from pipelines.storage import files as storage

FORMAT_VERSION = 1
FOLDERS = ("documents", "rejects")  # the folders that the manifest covers
_NAMED = 5  # problems that a message names


@dataclass(frozen=True, slots=True, order=True)
class RunFile:
    """A file of a run, as the sidecar of its unit and the manifest describe it."""

    path: str  # in the run directory: ``run.at(file.path)`` is its address
    documents: int  # rows
    bytes: int
    sha256: str

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "RunFile":
        """Read an entry of a sidecar or of the manifest."""
        return cls(entry["path"], entry["documents"], entry["bytes"], entry["sha256"])


@dataclass(frozen=True, slots=True)
class Manifest:
    """The contents of a complete run."""

    documents: int
    characters: int
    files: tuple[RunFile, ...]  # sorted by path

    @classmethod
    def from_json(cls, content: bytes) -> "Manifest":
        """Read ``manifest.json``.

        Raises:
            ValueError: the bytes are not what :func:`manifest_chunks` yields.
        """
        value = json.loads(content)
        try:
            files = tuple(RunFile.from_json(entry) for entry in value["files"])
            return cls(value["documents"], value["characters"], files)
        except (KeyError, TypeError) as error:
            raise ValueError(f"it is not a manifest: {error!r}") from error


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def manifest_chunks(manifest: Manifest) -> Iterator[bytes]:
    """Yield the bytes of ``manifest.json``: JSON with sorted keys, indented by 1.

    A run of 90,000 units has 180,000 files. Its manifest is written file by file, since building
    it in one piece takes half a gigabyte of memory.
    """
    head = f'{{\n "characters": {manifest.characters},\n "documents": {manifest.documents},\n'
    yield f'{head} "files": ['.encode()
    separator = "\n"
    for file in manifest.files:
        entry = (
            f'{separator}  {{\n   "bytes": {file.bytes},\n   "documents": {file.documents},\n'
            f'   "path": {_quoted(file.path)},\n   "sha256": {_quoted(file.sha256)}\n  }}'
        )
        yield entry.encode("utf-8", "backslashreplace")
        separator = ",\n"
    yield ("\n ]" if manifest.files else "]").encode()
    yield f',\n "format": {FORMAT_VERSION}\n}}\n'.encode()


def write_manifest(stream: IO[bytes], manifest: Manifest) -> str:
    """Write ``manifest.json`` and return its SHA-256, the content of ``COMPLETED``."""
    digest = hashlib.sha256()
    for chunk in manifest_chunks(manifest):
        digest.update(chunk)
        stream.write(chunk)
    return digest.hexdigest()


def listing(root: str, folders: Iterable[str] = FOLDERS) -> dict[str, int]:
    """Return the sizes in bytes of the files in a run's folders, by path in the run directory.

    Hidden files are left out: they are temporary, or were made by file managers.
    """
    return {
        f"{folder}/{name}": file.size
        for folder in folders
        for file in storage.list_directory(storage.join(root, folder))
        if not (name := storage.basename(file.path)).startswith(".")
    }


def differences(files: Iterable[RunFile], present: Mapping[str, int]) -> list[str]:
    """Return how a listing differs from the files that should be there, one line per file."""
    found = []
    known = set()
    for file in files:
        known.add(file.path)
        size = present.get(file.path)
        if size is None:
            found.append(f"{file.path} is missing")
        elif size != file.bytes:
            found.append(f"{file.path} has {size} bytes and should have {file.bytes}")
    found += [f"{path} is not a file of this run" for path in sorted(present.keys() - known)]
    return found


def told(problems: list[str]) -> str:
    """Return the first five problems on one line, and how many more there are."""
    more = f"; and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
    return "; ".join(problems[:_NAMED]) + more
