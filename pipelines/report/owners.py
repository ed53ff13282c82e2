"""Find which other documents have the lines that a document lost to them."""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.engine.claim_files import Block
from pipelines.engine.documents import Document
from pipelines.engine.passes import Write
from pipelines.engine.runs import Run
from pipelines.engine.units import Unit
from pipelines.joins.keys import DuplicateKeys, Keys
from pipelines.report.fate import texts
from pipelines.report.replay import Replay, documents_of, loaded_stages
from pipelines.report.trace import Judgement

_MAX_UNITS = 4  # that are read to find the documents of keys


@dataclass(frozen=True)
class LostLine:
    """A line that a document lost, and a document that has it too."""

    line: str
    owner: str  # id of a document; "" if none was found
    url: str | None
    keeps: bool  # whether that document keeps the line; if not, every copy was dropped
    known: bool = True  # whether decisions were made again; if not, a run's texts have the line


@dataclass(frozen=True)
class Scope:
    """The units among which lines must be unique, and how their documents come to the stage."""

    replay: Replay
    phase: Write
    source: str
    units: Mapping[str, Unit]


def lost_lines(
    scope: Scope, unit: Unit, document: Document, judgement: Judgement
) -> list[LostLine]:
    """Return the lines that other documents took from a document, each with one of these.

    Args:
        scope: the units, whose claims are decided.
        unit: of the document.
        document: any state of it: its row counts.
        judgement: of the stage that dropped the lines.
    """
    verdicts = scope.replay.decide(unit, scope.phase.wants)
    topic, found = next(
        ((name, value) for name, value in verdicts.items() if isinstance(value, DuplicateKeys)),
        ("", None),
    )
    stage: Any = next(
        stage
        for stage in scope.phase.all_stages(scope.source, unit, verdicts)
        if stage.name == judgement.stage
    )
    if found is None or not hasattr(stage, "keys"):
        return []
    keys: Keys = stage.keys(dataclasses.replace(document, text=judgement.before))
    lines = judgement.before.split("\n")
    if len(keys) != len(lines):  # keys of spans of sentences
        return []
    lost = found.among(keys, document.row)
    wanted = np.unique(keys[lost])
    gone = set(wanted.tolist())
    holders = _holders(scope, topic, judgement.stage, wanted, (unit, document.row))
    result: dict[int, LostLine] = {}
    for line, key in zip(lines, keys.tolist(), strict=True):
        if key in gone:
            owner, url, keeps = holders.get(key, ("", None, False))
            result.setdefault(key, LostLine(line, owner, url, keeps))
    return list(result.values())


def _holders(
    scope: Scope, topic: str, stage_name: str, wanted: Keys, this: tuple[Unit, int]
) -> dict[int, tuple[str, str | None, bool]]:
    """Return for each key the id and url of a document that has it, and whether it keeps it."""
    rows, keeps = _places(scope.replay.blocks(topic, this[0]), wanted)
    found: dict[int, tuple[str, str | None, bool]] = {}
    for name in [name for name in rows if name in scope.units][:_MAX_UNITS]:
        if len(found) == len(wanted):
            break
        unit = scope.units[name]
        verdicts = scope.replay.decide(unit, scope.phase.wants)
        stages = loaded_stages(scope.phase, scope.source, unit, verdicts)
        at = [stage.name for stage in stages].index(stage_name)
        stage: Any = stages[at]
        for document in documents_of(scope.phase, unit, verdicts, scope.replay.workspace):
            if not isinstance(document, Document) or (name, document.row) == (
                this[0].name,
                this[1],
            ):
                continue
            if keeps and document.row not in rows[name]:
                continue
            if not all(before(document).keep for before in stages[:at]):
                continue
            for key in np.intersect1d(stage.keys(document), wanted).tolist():
                found.setdefault(key, (document.id, document.url, keeps))
            if len(found) == len(wanted):
                break
    return found


def _places(blocks: Iterable[Block], wanted: Keys) -> tuple[dict[str, set[int]], bool]:
    """Return the units that have keys, and the rows of the documents that keep them.

    Returns:
        the units with rows, and whether a document keeps a line at all: under CCNet's policy every
        copy is dropped, and claims do not say which rows have a key.
    """
    best: dict[int, tuple[tuple[Any, ...], str, int]] = {}
    rows: dict[str, set[int]] = defaultdict(set)
    keeps = False
    for block in sorted(blocks, key=lambda block: (block.order, block.unit)):
        for table in block.tables:
            hits = np.flatnonzero(np.isin(table["key"].to_numpy(), wanted))
            if not len(hits):
                continue
            rows[block.unit] |= set()
            if "row" not in table.column_names:
                continue
            keeps = True
            for one in table.take(hits).to_pylist():
                rank = (one.get("rank_high", 0), one.get("rank_low", 0), block.order, block.unit)
                entry = (rank, block.unit, one["row"])
                best[one["key"]] = min(best.get(one["key"], entry), entry)
    if keeps:
        rows = defaultdict(set)
        for _, unit, row in best.values():
            rows[unit].add(row)
    return dict(rows), keeps


def lines_in_run(run: Run, document_id: str, text: str) -> list[LostLine]:
    """Return the lines of a document that another document of a run has, by reading its texts.

    This is for where decisions cannot be made again. What a run drops from every page is in none
    of its texts, but for pages that were rejected before.

    Args:
        run: the run.
        document_id: of the document.
        text: its text before lines were dropped.
    """
    wanted = {line for line in text.split("\n") if line.strip()}
    found: dict[str, LostLine] = {}
    for row in texts(run):
        if row["id"] == document_id:
            continue
        for line in wanted.intersection(row["text"].split("\n")):
            found.setdefault(line, LostLine(line, row["id"], row["url"], keeps=False, known=False))
    return [found[line] for line in dict.fromkeys(text.split("\n")) if line in found]


def told(lines: Sequence[LostLine], shown: int) -> list[str]:
    """Return sentences on lost lines, at most ``shown`` of them."""
    found = []
    for lost in lines[:shown]:
        start = lost.line.strip()[:50]
        if not lost.known:
            said = f"the run has it in {lost.owner} too"
        elif not lost.owner:
            said = "another page of the scope has it"
        elif lost.keeps:
            said = f"kept by {lost.owner}"
        else:
            said = f"also in {lost.owner}; every copy is dropped"
        url = f" ({lost.url})" if lost.url else ""
        found.append(f'"{start}": {said}{url}')
    if len(lines) > shown:
        found.append(f"and {len(lines) - shown} more lines (--full)")
    return found
