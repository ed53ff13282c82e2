"""Decide the documents of a run again by the scores that its rows hold.

The score of a document is a column, and a reject carries the scores as far as it came. So the rows
of a run, documents and rejects in the order of their records, go through the stages from the first
one that a threshold concerns; a stage that would need a model takes the stored score instead. The
rows are staged and settled as the source does it.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from filters.verdict import KEEP, Verdict, drop
from pipelines.engine.documents import DOCUMENT_SCHEMA, Document, document_of, read_rows
from pipelines.engine.errors import RunError
from pipelines.engine.guard import TimeGuard
from pipelines.engine.ledger import Ledger
from pipelines.engine.output import RejectPolicy, Terms, UnitOutput
from pipelines.engine.passes import Context
from pipelines.engine.runs import Run
from pipelines.engine.stages import Stage
from pipelines.engine.steps import Step, UnitStep, Verdicts
from pipelines.engine.units import Unit
from pipelines.engine.workspace import Workspace
from pipelines.joins.settle import Settle
from pipelines.storage import files as storage

# Of the columns of rejects, those that the decisions by stored scores need.
_COLUMNS = [
    name for name in (*DOCUMENT_SCHEMA.names, "stage", "reason", "detail") if name != "text"
]


@dataclass
class StoredScore:
    """A stage that needs a model: it gives a document the score that its row has.

    A row that an earlier stage rejects must not have the score, as in a run of the source: so
    :meth:`take` takes it from the document, and the stage gives it back.
    """

    name: str
    column: str
    decimals: int  # to which the model rounded the score; the column has 32 bits
    reached: bool = True  # whether the model scored the current document
    failed: Verdict = KEEP  # how the stage rejected it in the old run, if it did
    value: float | None = None

    def take(self, document: Document) -> None:
        """Take the score from a document, for as long as it has not come to the stage."""
        self.value = rounded(getattr(document, self.column), self.decimals)
        setattr(document, self.column, None)

    def __call__(self, document: Document) -> Verdict:
        """Set the score, and return what the stage decided in the old run.

        Raises:
            RunError: the model never scored the document.
        """
        if not self.reached:
            raise RunError(f"{self.name} never scored a document that would come back")
        setattr(document, self.column, self.value)
        return self.failed


def rounded(score: float | None, decimals: int) -> float | None:
    """Return a score as the model gave it, from a column of 32 bits; None stays.

    >>> rounded(0.6499999762, 2)
    0.65
    """
    return None if score is None else round(score, decimals)


StagesOf = Callable[[Unit], tuple[Sequence[str], Sequence[Stage]]]


@dataclass(frozen=True)
class Recut:
    """How the documents of a run are decided again.

    ``changed`` are the values that differ in the configuration of the new run. ``stages`` returns,
    for a unit, the names of the stages whose verdicts stay, and the stages that decide again.
    ``settle`` is the phase that decides duplicates afterwards, if the source has one. ``row_of``
    returns the number of the record that an id was made of; ``recounted`` tells whether a note of
    a unit comes from a stage that decides again. ``prepare`` gives a document back the form in
    which it comes to the first of these stages.
    """

    changed: Mapping[str, Any]
    stages: StagesOf
    settle: Settle | None
    row_of: Callable[[str], int]
    recounted: Callable[[str], bool]
    prepare: Callable[[Document], None]

    @property
    def settled(self) -> Sequence[str]:
        """The names of the decision on duplicates and of the stages after it, if there is one."""
        return self.settle.stage_names(_NO_CONTEXT) if self.settle else ()


_NO_CONTEXT = Context(Terms("", RejectPolicy()), ())  # the names of stages do not depend on it


@dataclass(frozen=True)
class RecutUnits:
    """The phase that writes the units of a run again from its own documents and rejects."""

    old: Run
    plan: Recut

    def steps(self, context: Context) -> list[Step]:
        """Return the one step of the phase."""
        staged = self.plan.settle.staged if self.plan.settle else None
        return [
            UnitStep(
                "recut",
                "staged" if staged else "units",
                ".json",
                context.units,
                partial(recut_unit, self.old, self.plan, context.terms),
                refuse,
                claims=staged.topic if staged else "",
            )
        ]

    def stage_names(self, context: Context) -> list[str]:
        """Return the names of all stages of the units, in order."""
        names: dict[str, None] = {}
        for unit in context.units[:1]:
            before, again = self.plan.stages(unit)
            names.update((name, None) for name in (*before, *(stage.name for stage in again)))
        return list(names)


def refuse(_workspace: Workspace, unit: Unit, why: str) -> None:
    """Refuse to go on without a unit.

    Raises:
        RunError: always.
    """
    raise RunError(f"{unit.name}: {why}. Run the same command again.")


def recut_unit(
    old: Run, plan: Recut, terms: Terms, workspace: Workspace, unit: Unit, _verdicts: Verdicts
) -> None:
    """Write a unit of the new run from the rows of the same unit in the old run."""
    sidecar = old.read_json("units", f"{unit.name}.json")
    counted = Ledger.from_json(sidecar["ledger"])
    before, stages = plan.stages(unit)
    ledger = Ledger([*before, *(stage.name for stage in stages)])
    for name in before:
        ledger.stages[name] = counted.stages[name]
    for name in ("records_read", "sent", "received", "joined", "bad_records", "tables"):
        setattr(ledger, name, getattr(counted, name))
    ledger.notes = Counter(
        {note: n for note, n in counted.notes.items() if not plan.recounted(note)}
    )
    staged = plan.settle.staged if plan.settle else None
    came_to = _Progress(stages, plan.settled)
    with UnitOutput(workspace, unit, ledger, terms, staged) as out, TimeGuard() as guard:
        for row in rows_in_order(old, plan, sidecar):
            if not came_to.take(row):
                out.write_reject({name: row[name] for name in (*_COLUMNS, "text")})
                continue
            document = _before(plan, stages, row)
            if judged := ledger.judge(document, stages, guard):
                out.reject(document, judged)
            else:
                out.keep(document)
        ledger.take_notes(stages)
        out.commit(sidecar.get("failed"))


def _before(plan: Recut, stages: Sequence[Stage], row: dict[str, Any]) -> Document:
    """Return the document of a row as it comes to the stages that decide again."""
    document = document_of(row)
    plan.prepare(document)
    if plan.settle:
        document.meta.pop("copies", None)  # which the decision on duplicates counts again
    for stage in stages:
        if isinstance(stage, StoredScore):
            stage.take(document)
    return document


@dataclass
class _Progress:
    """Tells how far a row came in the old run, and prepares the stages for it."""

    stages: Sequence[Stage]
    settled: Sequence[str]  # names of the stages that decide after these
    _places: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._places = {stage.name: place for place, stage in enumerate(self.stages)}

    def take(self, row: Mapping[str, Any]) -> bool:
        """Return whether a row is decided again: whether no earlier stage rejected it."""
        rejected_by = row.get("stage")
        place = self._places.get(rejected_by or "", -1)
        if rejected_by and place < 0 and rejected_by not in self.settled:
            return False
        for stage in self.stages:
            if isinstance(stage, StoredScore):
                stage.reached = place < 0 or place >= self._places[stage.name]
                stage.failed = KEEP
                if rejected_by == stage.name:
                    stage.failed = drop(row["reason"], row["detail"])
        return True


def rows_in_order(old: Run, plan: Recut, sidecar: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the documents and rejects of a unit in the order of their records.

    The documents, the rejects of the stages, and those of each later decision are in this order
    already, so that they are merged, and no file is held in memory.
    """
    later = plan.settled
    streams = []
    for file in sidecar["files"]:
        path = old.at(file["path"])
        if file["path"].startswith("documents/"):
            streams.append(_rows(path, lambda _row: True))
            continue
        streams.append(_rows(path, lambda row: row["stage"] not in later))
        streams += [_rows(path, partial(_is_of, name)) for name in later]
    yield from heapq.merge(*streams, key=lambda row: plan.row_of(row["id"]))


def _is_of(stage: str, row: Mapping[str, Any]) -> bool:
    return bool(row["stage"] == stage)


def _rows(path: str, wanted: Callable[[Mapping[str, Any]], bool]) -> Iterator[dict[str, Any]]:
    with storage.open_input(path) as stream:
        yield from filter(wanted, read_rows(stream))


def check_scores(old: Run, plan: Recut, units: Sequence[Unit]) -> None:
    """Refuse to decide again what needs a score that was never computed.

    Raises:
        RunError: a reject would come back to a stage whose model never saw it; the message says
            how many, from which stage, and to which one.
    """
    lacking: Counter[tuple[str, str]] = Counter()
    for unit in units:
        _, stages = plan.stages(unit)
        if not any(isinstance(stage, StoredScore) for stage in stages):
            return
        came_to = _Progress(stages, plan.settled)
        sidecar = old.read_json("units", f"{unit.name}.json")
        for file in sidecar["files"]:
            if not file["path"].startswith("rejects/"):
                continue
            with storage.open_input(old.at(file["path"])) as stream:
                for row in read_rows(stream, _COLUMNS):
                    if came_to.take(row) and (stage := _lacking(plan, row, stages)):
                        lacking[row["stage"], stage] += 1
    if lacking:
        ((rejected_by, scored_by), count), *_ = lacking.most_common(1)
        more = lacking.total() - count
        raise RunError(
            f"{count:,} documents that {rejected_by} rejected would come back"
            f"{f' (and {more:,} of other stages)' if more else ''}, but {scored_by} never scored "
            "them, which needs its model. Make that threshold no looser than the run's, or run "
            "the source again"
        )


def _lacking(plan: Recut, row: dict[str, Any], stages: Sequence[Stage]) -> str:
    """Return the name of the first stage that a row reaches and that never scored it, or ""."""
    document = _before(plan, stages, {**row, "text": ""})
    last = max(n for n, stage in enumerate(stages) if isinstance(stage, StoredScore))
    for stage in stages[: last + 1]:
        if isinstance(stage, StoredScore) and not stage.reached:
            return stage.name
        if not stage(document).keep:
            return ""
    return ""
