"""Finished run directories with given documents, as a source's pipeline leaves them."""

import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipelines.engine.documents import DOCUMENT_SCHEMA, Document, ParquetSink, row_of
from pipelines.engine.manifest import Manifest, RunFile, write_manifest


def write_run(folder: Path, source: str, texts: Iterable[tuple[str, str]], files: int = 1) -> Path:
    """Write a finished run of a source, its (id, text) pairs dealt to so many files."""
    (folder / "documents").mkdir(parents=True)
    rows = list(texts)
    listed = []
    for number in range(files):
        path = f"documents/{number:05d}-part.parquet"
        content = _documents(source, rows[number::files])
        (folder / path).write_bytes(content)
        sha256 = hashlib.sha256(content).hexdigest()
        listed.append(RunFile(path, len(rows[number::files]), len(content), sha256))
    characters = sum(len(text) for _, text in rows)
    with (folder / "manifest.json").open("wb") as stream:
        digest = write_manifest(stream, Manifest(len(rows), characters, tuple(listed)))
    stats = {"documents": len(rows), "characters": characters}
    (folder / "stats.json").write_text(json.dumps(stats), "utf-8")
    config = {"config": {"source": source}, "format": 1, "versions": {}}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    (folder / "COMPLETED").write_text(f"{digest}\n", "utf-8")
    return folder


def _documents(source: str, rows: Sequence[tuple[str, str]]) -> bytes:
    stream = io.BytesIO()
    sink = ParquetSink(stream, DOCUMENT_SCHEMA)
    for document_id, text in rows:
        sink.write(row_of(Document(id=document_id, source=source, text=text)), len(text))
    sink.close()
    return stream.getvalue()
