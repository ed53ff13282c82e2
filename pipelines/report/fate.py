"""Look up what a run decided about one document, in its documents and rejects."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.engine.documents import read_rows
from pipelines.engine.runs import SETTLED, Run
from pipelines.storage import files as storage

_SAME_AS = ("same as ", "same blob as ", "same text as ")  # how details of duplicates begin
_SHOWN = 5  # copies that are named
_ORIGINS = ("tar", "file", "cc_segment")  # keys of meta that name an input
_COLUMNS = ("id", "url", "meta", "stage", "reason", "detail")


@dataclass(frozen=True)
class Fate:
    """What a run holds about a document: rows of its documents and rejects, without texts."""

    kept: Sequence[dict[str, Any]]
    rejected: Sequence[dict[str, Any]]

    @property
    def known(self) -> bool:
        """Whether the run has the document at all."""
        return bool(self.kept or self.rejected)


def written_files(run: Run, folder: str) -> list[str]:
    """Return the paths of the files of documents or rejects, also of a run that is not complete."""
    names = run.names(folder, suffix=".parquet")
    return sorted(run.at(folder, f"{name}.parquet") for name in names)


def fate_of(run: Run, document_id: str, units: Sequence[str] = ()) -> Fate:
    """Return the rows of a document; a reject may have the id of a document, such as a copy.

    Args:
        run: the run, which need not be complete.
        document_id: of the document.
        units: names of the units that should have it. All files are read only if these have not.
    """
    for names in (units, ()) if units else ((),):
        kept, rejected = (
            list(rows_where(run, folder, "id", [document_id], units=names, columns=_COLUMNS))
            for folder in ("documents", "rejects")
        )
        if kept or rejected:
            break
    return Fate(kept, rejected)


def rows_where(
    run: Run,
    folder: str,
    column: str,
    values: Sequence[str],
    *,
    units: Sequence[str] = (),
    columns: Sequence[str] = (),
) -> Iterator[dict[str, Any]]:
    """Yield the rows in which a column has one of some values, in the order of the files.

    Args:
        run: the run, which need not be complete.
        folder: ``documents`` or ``rejects``.
        column: is read of every row; the others are read of row groups with a hit.
        values: of the column.
        units: names of the units whose rows are wanted; none: all units.
        columns: what to read of a row, as far as the folder has it; none: everything.
    """
    wanted = pa.array(values, pa.string())
    if units:
        paths = [
            path
            for name in units
            for ending in (".parquet", SETTLED)
            if storage.exists(path := run.at(folder, f"{name}{ending}"))
        ]
    else:
        paths = written_files(run, folder)
    for path in paths:
        with storage.open_input(path) as stream:
            table = pq.ParquetFile(stream)
            there = table.schema_arrow.names
            shown = [name for name in columns or there if name in there]
            for number in range(table.num_row_groups):
                found = table.read_row_group(number, [column], use_threads=False)[column]
                hits = np.flatnonzero(pc.is_in(found, wanted).to_numpy())
                if len(hits):
                    rows = table.read_row_group(number, shown, use_threads=False).take(hits)
                    yield from rows.to_pylist()


def texts(run: Run) -> Iterator[dict[str, Any]]:
    """Yield id, url and text of all documents of a run, and then of its rejects."""
    for folder in ("documents", "rejects"):
        for path in written_files(run, folder):
            with storage.open_input(path) as stream:
                yield from read_rows(stream, ["id", "url", "text"])


def told(run: Run, document_id: str, fate: Fate) -> list[str]:
    """Return sentences on what the run decided, across documents too."""
    if not fate.known:
        return [_absent(run, document_id)]
    found = []
    for row in fate.kept:
        meta = json.loads(row["meta"])
        copies = meta.get("copies") or 1
        stands = f"; it stands for {copies:,} copies" if copies > 1 else ""
        found.append(f"kept{stands}{_origin(row)}")
        if answers := meta.get("answer_ids"):
            found.append(f"its thread has the answers {', '.join(map(str, answers))}")
        # A document of Common Crawl or GitHub counts its copies; a book does not.
        if copies > 1 or run.source == "books":
            details = [f"{prefix}{document_id}" for prefix in _SAME_AS]
            found += [
                f"{other['id']} was rejected as a copy of it ({other['url']})"
                for other in rows_where(run, "rejects", "detail", details, columns=_COLUMNS)
            ]
    for row in fate.rejected[:_SHOWN]:
        detail = f" ({row['detail']})" if row["detail"] else ""
        origin = _origin(row) if len(fate.kept) + len(fate.rejected) > 1 else ""
        found.append(f"rejected by {row['stage']}: {row['reason']}{detail}{origin}")
        if winner := _winner_of(row):
            found += _where(run, winner)
    if len(fate.rejected) > _SHOWN:
        found.append(f"and {len(fate.rejected) - _SHOWN} more rejects with this id")
    return found


def _origin(row: dict[str, Any]) -> str:
    """Return where a row came from, since several may have one id; "" if it does not say."""
    meta = json.loads(row["meta"])
    if meta.get("repo_name"):
        return f", from {meta['repo_name']}/{meta['path']}"
    name = next((meta[key] for key in _ORIGINS if meta.get(key)), "")
    return f", from {name}" if name else ""


def _absent(run: Run, document_id: str) -> str:
    if not run.completed:
        return f"{document_id} is not in the run yet, which is not complete"
    rejects = run.read_json("config.json")["config"]["rejects"]
    if rejects in ("all", "ids"):
        return f"{document_id} is not in the run"
    return f"{document_id} is not among the documents; rejects are kept as --rejects={rejects}"


def _winner_of(row: dict[str, Any]) -> str:
    """Return the id of the document that a copy lost to, as the reject says it; "" if none."""
    winner = json.loads(row["meta"]).get("dup_of")
    if winner:
        return str(winner)
    for prefix in _SAME_AS:
        if row["detail"].startswith(prefix):
            return str(row["detail"].removeprefix(prefix))
    return ""


def _where(run: Run, winner: str) -> list[str]:
    """Return where the document is that a copy lost to, if its id says so."""
    for row in rows_where(run, "documents", "id", [winner], columns=_COLUMNS):
        return [f"{winner} was kept: {row['url']}"]
    for row in rows_where(run, "rejects", "id", [winner], columns=_COLUMNS):
        return [f"{winner} was rejected itself by {row['stage']}: {row['reason']} ({row['url']})"]
    return []


def thread_of(run: Run, site: str, question: int, post: int) -> str:
    """Return which thread of a run has a post of Stack Exchange."""
    thread = f"stackexchange:{site}:{question}"
    for row in rows_where(run, "documents", "id", [thread], columns=_COLUMNS):
        if post == question or post in json.loads(row["meta"])["answer_ids"]:
            return f"it is part of the thread {thread} ({row['url']})"
        return f"the thread {thread} was kept without it"
    return f"its thread {thread} is not among the documents of the run"
