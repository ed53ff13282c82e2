"""Print the documents of a run: kept ones, or rejected ones with their reasons."""

import argparse
import json
import sys
import textwrap
from collections.abc import Iterator
from itertools import islice
from typing import Any

from pipelines.engine.documents import read_rows
from pipelines.engine.errors import RunError
from pipelines.engine.runs import Run
from pipelines.storage import files as storage

PREVIEW_CHARACTERS = 1200  # of a document's text that are printed without --full


def add_inspect(commands: Any) -> None:
    """Add the command and its flags."""
    parser = commands.add_parser("inspect", help="print kept or rejected documents of a run")
    parser.add_argument("run", help="run directory")
    parser.add_argument("--stage", help="only rejects of this stage, e.g. github.quality")
    parser.add_argument("--reason", help="only rejects with this reason, e.g. max_line_length")
    parser.add_argument("--kept", action="store_true", help="kept documents instead of rejects")
    parser.add_argument("--id", help="only the document with this id")
    parser.add_argument("-n", type=int, default=10, help="documents to print (default: 10)")
    parser.add_argument(
        "--full", action="store_true", help="print whole texts, not their beginnings"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per line")


def rows_of(run: Run, arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield the documents that the flags select, in the order of the files."""
    folder = "documents" if arguments.kept else "rejects"
    for file in storage.list_directory(run.at(folder)):  # the run need not be complete
        if not file.path.endswith(".parquet") or storage.TEMPORARY in storage.basename(file.path):
            continue
        with storage.open_input(file.path) as stream:
            for row in read_rows(stream):
                if (
                    (arguments.stage and row.get("stage") != arguments.stage)
                    or (arguments.reason and row.get("reason") != arguments.reason)
                    or (arguments.id and row["id"] != arguments.id)
                ):
                    continue
                yield row


def show(row: dict[str, Any], *, full: bool) -> str:
    """Return a document as text for a terminal."""
    head = [f"=== {row['id']}"]
    if "reason" in row:
        detail = f" ({row['detail']})" if row["detail"] else ""
        head.append(f"    rejected by {row['stage']}: {row['reason']}{detail}")
    head += [
        f"    {name}: {row[name]}" for name in ("url", "created", "lang", "license") if row[name]
    ]
    head.append("    " + textwrap.shorten(row["meta"], 400, placeholder=" ..."))
    text = row["text"]
    if not full and len(text) > PREVIEW_CHARACTERS:
        text = (
            f"{text[:PREVIEW_CHARACTERS]}\n[... {len(text) - PREVIEW_CHARACTERS:,} more characters]"
        )
    return "\n".join(head) + "\n\n" + (text or "[no text]") + "\n"


def inspect(arguments: argparse.Namespace) -> int:
    """Print the selected documents; those of an unfinished run as far as it has come."""
    run = Run(arguments.run)
    if not storage.exists(run.at("config.json")):
        raise RunError(f"{arguments.run} is not a run directory: it has no config.json.")
    found = 0
    for row in islice(rows_of(run, arguments), arguments.n):
        found += 1
        if arguments.json:
            print(json.dumps({**row, "meta": json.loads(row["meta"])}, ensure_ascii=False))
        else:
            print(show(row, full=arguments.full))
    if not found:
        print(_nothing(run, arguments), file=sys.stderr)
        return 1
    return 0


def _nothing(run: Run, arguments: argparse.Namespace) -> str:
    rejects = run.read_json("config.json")["config"]["rejects"]
    if not run.completed:
        return "nothing to show yet: the run is not complete"
    if not arguments.kept and rejects != "all":
        return f"no such document; this run keeps rejects as --rejects={rejects}"
    reasons = {
        f"{stage['stage']}: {', '.join(stage['rejected'])}"
        for stage in run.stats()["stages"]
        if stage["rejected"]
    }
    return "no such document. Stages and reasons of this run:\n  " + "\n  ".join(sorted(reasons))
