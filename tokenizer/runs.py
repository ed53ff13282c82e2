"""Finished run directories of the pipelines, as far as a tokenizer reads them.

The manifest is the truth: documents are read from the files that it names, and nothing else.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from tokenizer.errors import UserError

BATCH_ROWS: Final = 256  # in memory at a time: a text may be a book


class RunDirectoryError(UserError, ValueError):
    """A run directory that is not there, not finished or not what its manifest says."""


@dataclass(frozen=True, slots=True)
class DocumentsFile:
    """A Parquet file of documents, and the SHA-256 that the manifest gives it."""

    path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run of which the manifest was checked against ``COMPLETED``."""

    path: Path
    completed: str  # SHA-256 of the manifest: it identifies every byte of the run
    characters: int  # of all documents, in code points
    files: tuple[DocumentsFile, ...]  # sorted by path, each of the size that the manifest gives

    @property
    def source(self) -> str:
        """Name of the source that the run curates."""
        config = json.loads((self.path / "config.json").read_bytes())
        return str(config["config"]["source"])


def open_run(path: Path, folder: str = "documents") -> FinishedRun:
    """Open a run directory.

    Args:
        path: the directory.
        folder: whose files are wanted: ``documents``, or ``rejects``.

    Raises:
        RunDirectoryError: it is no run, not finished, or its files are not those of its manifest.
    """
    if not (path / "COMPLETED").exists():
        if not (path / "documents").is_dir():
            raise RunDirectoryError(f"{path}: not a run directory (it has no documents)")
        raise RunDirectoryError(
            f"{path}: the run is not finished (it has no COMPLETED file); "
            f"run 'python -m pipelines' with --run {path} again, it goes on where it stopped"
        )
    content = (path / "manifest.json").read_bytes()
    completed = (path / "COMPLETED").read_text("utf-8").strip()
    if hashlib.sha256(content).hexdigest() != completed:
        raise RunDirectoryError(f"{path}: manifest.json is not the one that COMPLETED vouches for")
    manifest = json.loads(content)
    files = []
    for entry in manifest["files"]:
        file = path / entry["path"]
        if file.parent.name != folder:
            continue
        if not file.is_file() or file.stat().st_size != entry["bytes"]:
            raise RunDirectoryError(
                f"{file}: not the file that the run's manifest names; take the run from where it "
                "was made, or make it anew"
            )
        files.append(DocumentsFile(file, entry["sha256"]))
    if not files:
        raise RunDirectoryError(f"{path}: the run has no {folder}")
    ordered = tuple(sorted(files, key=lambda file: file.path))
    return FinishedRun(path, completed, manifest["characters"], ordered)


def read_batches(path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Read columns of a Parquet file of documents, `BATCH_ROWS` rows at a time.

    Raises:
        OSError, pyarrow.ArrowException: the file cannot be read.
    """
    with pq.ParquetFile(path) as file:
        yield from file.iter_batches(BATCH_ROWS, columns=columns, use_threads=False)
