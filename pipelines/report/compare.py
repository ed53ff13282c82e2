"""Compare two runs of a source: what a changed setting or version did, and to which documents.

The counts by stage and reason come from the statistics of the runs. Which documents changed sides
comes from their ids: of each document a run contributes 28 bytes (a hash of the id, a hash of the
text, the outcome, the place in the files), and the arrays of both runs are sorted and joined. Texts
are hashed file by file and never held, and files that both runs have with the same SHA-256 are not
read for their texts. Documents that are shown are read from their places afterwards.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.engine.config import tell_differences
from pipelines.engine.errors import RunError
from pipelines.engine.manifest import RunFile
from pipelines.engine.runs import Run, open_completed
from pipelines.storage import files as storage

KEPT = 0  # the outcome of a kept document; others are numbers of (stage, reason)
_ROWS = 4096  # rows of a file that are read at a time
_PLACE = np.dtype(
    [("id", "<u8"), ("text", "<u8"), ("outcome", "<u4"), ("file", "<u4"), ("row", "<u4")]
)
Places = npt.NDArray[Any]  # of _PLACE


@dataclass
class Outcomes:
    """What became of each document of a run, sorted by the hash of its id."""

    run: Run
    places: Places
    files: Sequence[RunFile]
    reasons: Sequence[tuple[str, str]]  # outcome minus 1 -> stage and reason

    def name(self, outcome: int) -> str:
        """Return an outcome as words."""
        return "kept" if outcome == KEPT else ": ".join(self.reasons[outcome - 1])

    def read(self, place: Any) -> dict[str, Any]:
        """Return the document or reject at a place."""
        with storage.open_input(self.run.at(self.files[place["file"]].path)) as stream:
            file = pq.ParquetFile(stream)
            at = int(place["row"])
            for number in range(file.num_row_groups):
                rows = file.metadata.row_group(number).num_rows
                if at < rows:
                    group = file.read_row_group(number, use_threads=False)
                    found: dict[str, Any] = group.slice(at, 1).to_pylist()[0]
                    return found
                at -= rows
        raise AssertionError("a place that was read before is in its file")


def outcomes_of(run: Run, unread: frozenset[str] = frozenset()) -> Outcomes:
    """Return what became of the documents of a run.

    Of several records with one id, as copies of a file have, a kept one counts; of several rejects
    the last in the order of stages and reasons.

    Args:
        run: a complete run.
        unread: SHA-256 of files whose texts need not be compared.
    """
    reasons: dict[tuple[str, str], int] = {}
    for stage in run.stats()["stages"]:
        for reason in stage["rejected"]:
            reasons.setdefault((stage["stage"], reason), len(reasons) + 1)
    files = [*run.documents(), *run.rejects()]
    chunks = [np.zeros(0, _PLACE)]
    for number, file in enumerate(files):
        kept = file.path.startswith("documents/")
        row = 0
        for batch in _batches(run, file, texts=kept and file.sha256 not in unread):
            places = np.zeros(batch.num_rows, _PLACE)
            places["id"] = _hashes(batch["id"])
            places["file"], places["row"] = number, np.arange(row, row + batch.num_rows)
            if kept and "text" in batch.schema.names:
                places["text"] = _hashes(batch["text"])
            elif not kept:
                pairs = zip(batch["stage"].to_pylist(), batch["reason"].to_pylist(), strict=True)
                places["outcome"] = [reasons.setdefault(pair, len(reasons) + 1) for pair in pairs]
            chunks.append(places)
            row += batch.num_rows
    places = np.concatenate(chunks)
    chunks.clear()
    # The kept one of equal ids comes first, then the one that came furthest.
    rank = np.where(places["outcome"] == KEPT, 0, (1 << 32) - places["outcome"].astype(np.int64))
    places = places[np.lexsort((rank, places["id"]))]
    first = np.r_[True, places["id"][1:] != places["id"][:-1]] if len(places) else slice(0)
    return Outcomes(run, places[first], files, list(reasons))


def _batches(run: Run, file: RunFile, *, texts: bool) -> Iterator[pa.RecordBatch]:
    columns = ["id", *(["text"] if texts else [])]
    columns += [] if file.path.startswith("documents/") else ["stage", "reason"]
    with storage.open_input(run.at(file.path)) as stream:
        yield from pq.ParquetFile(stream).iter_batches(_ROWS, columns=columns, use_threads=False)


def _hashes(column: pa.Array) -> npt.NDArray[np.uint64]:
    """Return a hash of 64 bits of each string of a column; the chance is 10^-7 for a million."""
    digest = hashlib.blake2b
    values = (digest(value.as_buffer(), digest_size=8).digest() for value in column)
    return np.frombuffer(b"".join(values), "<u8")


@dataclass
class Changes:
    """What differs between two runs, the old one and the new one."""

    old: Outcomes
    new: Outcomes
    settings: str  # what differs in the configurations, on one line
    # Of each kind of change: how often, by the old and the new outcome.
    moved: Counter[tuple[str, str]] = field(default_factory=Counter)
    # A few of each kind: places in the old and in the new run.
    samples: dict[tuple[str, str], list[tuple[Any, Any]]] = field(default_factory=dict)
    equal: int = 0


ABSENT = "not there"
CHANGED = "kept with another text"


def compare(old_path: str, new_path: str, count: int) -> Changes:
    """Compare two complete runs.

    Args:
        old_path: the run before the change.
        new_path: the run after it.
        count: documents of each kind of change to show; those with the smallest hash of their id.

    Raises:
        RunError: a path is no complete run, or they are of two sources.
    """
    old_run, new_run = open_completed(old_path), open_completed(new_path)
    if old_run.source != new_run.source:
        raise RunError(
            f"{old_path} is a run of {old_run.source} and {new_path} one of {new_run.source}: "
            "give two runs of one source"
        )
    same = frozenset(
        {(file.path, file.sha256) for file in old_run.documents()}
        & {(file.path, file.sha256) for file in new_run.documents()}
    )
    unread = frozenset(sha256 for _, sha256 in same)
    old, new = outcomes_of(old_run, unread), outcomes_of(new_run, unread)
    configs = [run.read_json("config.json") for run in (old_run, new_run)]
    changes = Changes(old, new, tell_differences(*configs))
    _, in_old, in_new = np.intersect1d(
        old.places["id"], new.places["id"], assume_unique=True, return_indices=True
    )
    before, after = old.places[in_old], new.places[in_new]
    moved = _codes(old, before["outcome"], new) != after["outcome"]
    rewritten = (before["outcome"] == KEPT) & (after["outcome"] == KEPT)
    # A file that both have was not hashed, so that its documents have the text hash 0 in both.
    rewritten &= before["text"] != after["text"]
    changes.equal = int(len(before) - (moved | rewritten).sum())
    for at in np.flatnonzero(moved | rewritten):
        outcome = CHANGED if rewritten[at] else new.name(int(after["outcome"][at]))
        kind = old.name(int(before["outcome"][at])), outcome
        _note(changes, kind, (before[at], after[at]), count)
    for places, found, side in ((old.places, in_old, old), (new.places, in_new, new)):
        alone = np.ones(len(places), bool)
        alone[found] = False
        for place in places[alone]:
            name = side.name(int(place["outcome"]))
            if side is old:
                _note(changes, (name, ABSENT), (place, None), count)
            else:
                _note(changes, (ABSENT, name), (None, place), count)
    return changes


def _note(changes: Changes, kind: tuple[str, str], places: tuple[Any, Any], count: int) -> None:
    changes.moved[kind] += 1
    samples = changes.samples.setdefault(kind, [])
    if len(samples) < count:
        samples.append(places)


def _codes(old: Outcomes, outcomes: Any, new: Outcomes) -> npt.NDArray[np.int64]:
    """Return outcomes of the old run by the numbers of the new one; -1 for what it has not."""
    known = {pair: number for number, pair in enumerate(new.reasons, 1)}
    table = [KEPT, *(known.get(pair, -1) for pair in old.reasons)]
    codes: npt.NDArray[np.int64] = np.array(table, np.int64)[outcomes]
    return codes


def stage_counts(changes: Changes) -> list[dict[str, Any]]:
    """Return the counts of both runs by stage and reason, in the order of the new run's stages."""
    stats = [outcomes.run.stats() for outcomes in (changes.old, changes.new)]
    stages = [{stage["stage"]: stage for stage in one["stages"]} for one in stats]
    rows: list[dict[str, Any]] = []
    for name in dict.fromkeys([*stages[1], *stages[0]]):
        sides = [side.get(name) for side in stages]
        row: dict[str, Any] = {"stage": name}
        for key in ("documents_in", "documents_out", "characters_out"):
            row[key] = [side[key] if side else None for side in sides]
        rejected = [side["rejected"] if side else {} for side in sides]
        row["rejected"] = {
            reason: [side.get(reason, 0) for side in rejected]
            for reason in sorted({*rejected[0], *rejected[1]})
        }
        rows.append(row)
    totals = ("records_read", "documents", "rejected", "bad_records", "characters")
    rows.append({"stage": "total", **{key: [one[key] for one in stats] for key in totals}})
    return rows


def kinds_of(changes: Changes) -> list[tuple[tuple[str, str], int]]:
    """Return the kinds of change: first those that change what is kept, then the most frequent."""

    def order(item: tuple[tuple[str, str], int]) -> tuple[bool, int, tuple[str, str]]:
        (old, new), count = item
        return not {old, new} & {"kept", CHANGED}, -count, (old, new)

    return sorted(changes.moved.items(), key=order)


def as_json(changes: Changes) -> dict[str, Any]:
    """Return the comparison as JSON values, with the documents to read."""
    return {
        "old": changes.old.run.path,
        "new": changes.new.run.path,
        "settings": changes.settings,
        "stages": stage_counts(changes),
        "unchanged": changes.equal,
        "changed": [
            {"old": old, "new": new, "documents": n, "examples": examples(changes, old, new)}
            for (old, new), n in kinds_of(changes)
        ],
    }


def examples(changes: Changes, old: str, new: str) -> list[dict[str, Any]]:
    """Return the documents of one kind of change that are shown, from both runs."""
    found = []
    for before, after in changes.samples[old, new]:
        row = [
            None
            if place is None
            else {**(one := side.read(place)), "meta": json.loads(one["meta"])}
            for side, place in ((changes.old, before), (changes.new, after))
        ]
        found.append({"old": row[0], "new": row[1]})
    return found
