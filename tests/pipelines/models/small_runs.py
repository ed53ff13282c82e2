"""Complete run directories made by hand, for commands that read runs."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipelines.engine.documents import DOCUMENT_SCHEMA, REJECT_SCHEMA, Document, ParquetSink, row_of
from pipelines.engine.manifest import Manifest, RunFile
from pipelines.engine.runs import Run


def write_run(
    folder: Path,
    source: str,
    documents: Iterable[Document],
    rejected: Iterable[tuple[Document, str]] = (),
    **config: Any,
) -> str:
    """Write a run of one unit; rejects come with the stage that rejected them."""
    run = Run(str(folder))
    run.start({"source": source, **config})
    for name in ("documents", "rejects"):
        (folder / name).mkdir()
    with (folder / "documents" / "u.parquet").open("wb") as stream:
        sink = ParquetSink(stream, DOCUMENT_SCHEMA)
        for document in documents:
            sink.write(row_of(document), len(document.text))
        sink.close()
    with (folder / "rejects" / "u.parquet").open("wb") as stream:
        sink = ParquetSink(stream, REJECT_SCHEMA)
        for document, stage in rejected:
            row = {**row_of(document), "stage": stage, "reason": "made", "detail": ""}
            sink.write(row, len(document.text))
        sink.close()
    files = []
    for path in sorted(folder.glob("*/u.parquet")):
        content = path.read_bytes()
        rows = pq.read_metadata(path).num_rows
        name = path.relative_to(folder).as_posix()
        files.append(RunFile(name, rows, len(content), hashlib.sha256(content).hexdigest()))
    run.seal(Manifest(files[0].documents, 0, tuple(files)))
    return str(folder)


def article(number: int, text: str, lang: str = "en", title: str = "") -> Document:
    """Return a document of a run of Wikipedia."""
    title = title or f"Article {number}"
    meta = {"title": title}
    return Document(f"wikipedia:{number}", "wikipedia", f"{title}\n\n{text}", lang=lang, meta=meta)


def page(url: str, text: str, lang: str = "en", **meta: Any) -> Document:
    """Return a document of a run of Common Crawl."""
    return Document(f"commoncrawl:{url}", "commoncrawl", text, url=url, lang=lang, meta=meta)
