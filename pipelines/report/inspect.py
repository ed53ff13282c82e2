"""Print the documents of a run: kept ones, or rejected ones with their reasons."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pipelines.engine.documents import read_rows
from pipelines.engine.errors import RunError
from pipelines.engine.runs import Run, open_begun
from pipelines.report.fate import rows_where, written_files
from pipelines.storage import files as storage
from tokenizer.settings import nearest

PREVIEW_CHARACTERS = 1200  # of a document's text that are printed without --full
META_CHARACTERS = 400  # of a document's meta that are printed


@dataclass(frozen=True)
class Wanted:
    """Which documents of a run to print; an empty word means any."""

    stage: str = ""
    reason: str = ""
    kept: bool = False
    id: str = ""

    def check(self, run: Run) -> None:
        """Refuse what no document of the run can have.

        Raises:
            RunError: the message names the nearest stage or reason.
        """
        if self.kept and (self.stage or self.reason):
            raise RunError("--kept: kept documents have no --stage and no --reason. Leave one out.")
        if not run.completed:
            return
        stages = {stage["stage"]: stage["rejected"] for stage in run.stats()["stages"]}
        if self.stage and self.stage not in stages:
            hint = nearest(self.stage, stages) or f": it is one of {', '.join(stages)}"
            raise RunError(f"--stage {self.stage}: this run has no such stage{hint}")
        here = [stages[self.stage]] if self.stage else list(stages.values())
        reasons = {reason for rejected in here for reason in rejected}
        if self.reason and self.reason not in reasons:
            hint = nearest(self.reason, reasons) or f": it is one of {', '.join(sorted(reasons))}"
            raise RunError(f"--reason {self.reason}: nothing was rejected for it{hint}")


def rows_of(run: Run, wanted: Wanted) -> Iterator[dict[str, Any]]:
    """Yield the documents that are wanted, in the order of the files."""
    folder = "documents" if wanted.kept else "rejects"
    found = rows_where(run, folder, "id", [wanted.id]) if wanted.id else _all_rows(run, folder)
    for row in found:
        if wanted.stage in ("", row.get("stage")) and wanted.reason in ("", row.get("reason")):
            yield row


def _all_rows(run: Run, folder: str) -> Iterator[dict[str, Any]]:
    for path in written_files(run, folder):
        with storage.open_input(path) as stream:
            yield from read_rows(stream)


def show(row: dict[str, Any], *, full: bool) -> str:
    """Return a document as text for a terminal."""
    head = [f"=== {row['id']}"]
    if "reason" in row:
        detail = f" ({row['detail']})" if row["detail"] else ""
        head.append(f"    rejected by {row['stage']}: {row['reason']}{detail}")
    head += [
        f"    {name}: {row[name]}" for name in ("url", "created", "lang", "license") if row[name]
    ]
    meta = row["meta"]
    head.append(f"    {meta if len(meta) <= META_CHARACTERS else f'{meta[:META_CHARACTERS]} ...'}")
    text = row["text"]
    if not full and len(text) > PREVIEW_CHARACTERS:
        text = (
            f"{text[:PREVIEW_CHARACTERS]}\n[... {len(text) - PREVIEW_CHARACTERS:,} more characters]"
        )
    return "\n".join(head) + "\n\n" + (text or "[no text]") + "\n"


def inspect(path: str, wanted: Wanted, count: int, *, full: bool, as_json: bool) -> int:
    """Print documents of a run; those of an unfinished run as far as it has come.

    Returns:
        the exit code: 1 if there is nothing to print.

    Raises:
        RunError: ``path`` is no run directory, or no document can be as wanted.
    """
    run = open_begun(path)
    wanted.check(run)
    found = 0
    for row in islice(rows_of(run, wanted), count):
        found += 1
        if as_json:
            print(json.dumps({**row, "meta": json.loads(row["meta"])}, ensure_ascii=False))
        else:
            print(show(row, full=full))
    if not found:
        print(f"error: {_nothing(run, wanted)}", file=sys.stderr)
        return 1
    return 0


def _nothing(run: Run, wanted: Wanted) -> str:
    """Return why there is nothing to print."""
    if not run.completed:
        return "nothing to show yet: the run is not complete"
    rejects = run.read_json("config.json")["config"]["rejects"]
    if not wanted.kept and rejects != "all":
        return f"no such document; this run keeps rejects as --rejects={rejects}"
    kind = "kept" if wanted.kept else "rejected"
    if wanted.id:
        other = "leave out --kept" if wanted.kept else "--kept looks among the documents"
        return f"--id {wanted.id}: no {kind} document has this id; {other}"
    return f"this run has no {kind} documents"
