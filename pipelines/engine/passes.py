"""The pass that runs everything for one work unit in one process.

The core of the system is :func:`curate`: a loop that reads a unit's records, runs each document
through the stages, and writes it to the unit's documents or rejects. The code that distributes the
units never handles a document.
"""

from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from filters.verdict import Verdict
from pipelines.engine.documents import Document
from pipelines.engine.errors import is_of_the_machine
from pipelines.engine.guard import DOCUMENT_SECONDS, TimeGuard
from pipelines.engine.ledger import Ledger
from pipelines.engine.output import Given, StagedClaim, Terms, UnitOutput
from pipelines.engine.stages import Keep, Stage, check_text
from pipelines.engine.steps import Step, Topic, UnitStep, Verdicts
from pipelines.engine.units import ROWS_PER_PART, Part, Unit
from pipelines.engine.workspace import Workspace
from pipelines.readers.rows import BadRow, UnreadableFile

Notes = Counter[str]  # counts of readers and stages that are not in the conservation table
Converter = Callable[[Any], Document | BadRow | None]


def every_unit(_unit: Unit) -> bool:
    """Select every unit."""
    return True


def where_it_lies(_workspace: Workspace, _unit: Unit, part: Part, _verdicts: Verdicts) -> Part:
    """Return a part as it is: it is read where the input lies."""
    return part


def no_stage(_unit: Unit, _verdicts: Verdicts) -> Sequence[Stage]:
    """Return no stages."""
    return ()


@dataclass(frozen=True)
class Context:
    """What the phases of a source need to know of the run."""

    terms: Terms
    units: Sequence[Unit]


@dataclass(frozen=True)
class Write:
    """A phase that reads units, runs their documents through the stages, and writes the results.

    ``records`` frames the records of one part of a unit; ``converter`` returns, for a unit, the
    function that makes a document of a record (None: the record is no document of this unit).
    ``stages`` may look at the verdicts of the topics that the phase wants. ``place`` returns what
    is read for a part, where that is not the input itself but a piece of it that was unpacked.
    """

    title: str
    records: Callable[[Unit, Part, Notes], Iterator[Any]]
    converter: Callable[[Unit, Verdicts, Notes], Converter]
    stages: Callable[[Unit, Verdicts], Sequence[Stage]] = no_stage
    wants: Sequence[Topic] = ()
    of: Callable[[Unit], bool] = every_unit  # which units of the source
    arrive: bool = False  # records were counted in the unit that sent them, and arrive here
    send: bool = False  # what is kept goes to the unit where its content lies, not to documents
    staged: StagedClaim | None = None  # what is kept waits for a decision on all documents
    given: Given | None = None  # what is sent goes to groups, which write it (``joins/gather.py``)
    place: Callable[[Workspace, Unit, Part, Verdicts], Part] = where_it_lies
    contract: Callable[[str], Verdict] = check_text  # what the text of every document keeps

    def steps(self, context: Context) -> list[Step]:
        """Return the one step of the phase."""
        return [
            UnitStep(
                self.title,
                "staged" if self.staged else "units",
                ".json",
                [unit for unit in context.units if self.of(unit)],
                partial(write_unit, self, context.terms),
                partial(set_unit_aside, self, context.terms),
                self.wants,
                next((meeting.topic for meeting in (self.staged, self.given) if meeting), ""),
            )
        ]

    def stage_names(self, context: Context) -> list[str]:
        """Return the names of the stages of all units, in order."""
        names: dict[str, None] = {}
        seen = set()
        for unit in context.units:
            if self.of(unit) and unit.kind not in seen:
                seen.add(unit.kind)
                names.update(
                    (stage.name, None) for stage in self.all_stages(context.terms.source, unit, {})
                )
        return list(names)

    def all_stages(self, source: str, unit: Unit, verdicts: Verdicts) -> list[Stage]:
        """Return the stages; the last one checks the contract that every document keeps."""
        stages = list(self.stages(unit, verdicts))
        return stages if self.send else [*stages, Keep(f"{source}.text", self.contract)]


def curate(
    phase: Write,
    out: UnitOutput,
    verdicts: Verdicts,
    stages: Sequence[Stage],
    guard: TimeGuard,
    *,
    without: Container[str] = (),
) -> None:
    """Run each document of a unit through the stages; write what is kept and what is rejected.

    Args:
        phase: says how the unit is read.
        out: the files and the ledger of the unit.
        verdicts: what was decided for the unit, by topic.
        stages: the stages of the source, in order.
        guard: the time budget of a document.
        without: paths of the parts that are not read.

    Raises:
        PartFailedError: a part of the unit cannot be read; the error names it.
        RunError: this machine lacks what a document needs.
    """
    ledger = out.ledger
    converter = phase.converter(out.unit, verdicts, ledger.notes)
    for number, part in enumerate(out.unit.parts):
        if part.path in without:
            continue
        with _part_at_fault(part):
            lies = phase.place(out.workspace, out.unit, part, verdicts)
        for record in framed(phase.records(out.unit, lies, ledger.notes), part):
            document = (
                record if isinstance(record, BadRow) else ledger.convert(record, converter, guard)
            )
            if document is None:
                continue
            if isinstance(document, BadRow):
                out.bad(part, document)
                continue
            document.row += number * ROWS_PER_PART
            if phase.arrive:
                ledger.received += 1
            else:
                ledger.records_read += 1
            if rejected := ledger.judge(document, stages, guard):
                out.reject(document, rejected)
            elif phase.send:
                out.send(document)
            else:
                out.keep(document)


class PartFailedError(Exception):
    """A part of a unit cannot be read to its end; the message says why."""

    def __init__(self, part: Part, why: str) -> None:
        super().__init__(why)
        self.part = part


@contextmanager
def _part_at_fault(part: Part, place: str = "") -> Iterator[None]:
    """Turn an exception of a reader into a failure of its file, but not one of the machine."""
    try:
        yield
    except UnreadableFile as error:
        raise PartFailedError(part, str(error)) from error
    except Exception as error:
        if is_of_the_machine(error):
            raise
        why = f"{part.path}: reading stopped{place} ({type(error).__name__}: {error})"
        raise PartFailedError(part, why) from error


def framed(records: Iterator[Any], part: Part) -> Iterator[Any]:
    """Yield the records of a reader; if it raises, the file counts as unreadable.

    Raises:
        PartFailedError: the reader raised. The message names the file and the record.
    """
    number = -1
    while True:
        with _part_at_fault(part, f" after record {number}"):
            try:
                record = next(records)
            except StopIteration:
                return
        number += 1
        yield record


def write_unit(
    phase: Write,
    terms: Terms,
    workspace: Workspace,
    unit: Unit,
    verdicts: Verdicts,
    *,
    seconds: float = DOCUMENT_SECONDS,
) -> Ledger:
    """Run one unit, commit it, and return its ledger.

    A part that cannot be read to its end gives no documents: the unit starts again without it, and
    its sidecar names it. Whether too many files failed is decided at the end of the run.

    Raises:
        RunError: this machine lacks what a document needs; nothing is committed.
        OSError: the run directory cannot be written to.
    """
    failed: dict[str, str] = {}
    while True:
        stages = phase.all_stages(terms.source, unit, verdicts)
        ledger = Ledger([stage.name for stage in stages])
        files = UnitOutput(workspace, unit, ledger, terms, phase.staged, given=phase.given)
        try:
            with files as out, TimeGuard(seconds) as guard:
                if len(failed) < len(unit.parts):
                    with _part_at_fault(unit.parts[0]):
                        for stage in stages:
                            load(stage)
                    curate(phase, out, verdicts, stages, guard, without=failed)
                    ledger.take_notes(stages)
                out.commit(failed)
                return ledger
        except PartFailedError as error:
            failed[error.part.path] = str(error)


def load(stage: Stage) -> None:
    """Call the method ``load`` of a stage, if it has one."""
    if loading := getattr(stage, "load", None):
        loading()


def set_unit_aside(phase: Write, terms: Terms, workspace: Workspace, unit: Unit, why: str) -> None:
    """Commit a unit that cannot be run without documents, and count its files as failed."""
    ledger = Ledger([stage.name for stage in phase.all_stages(terms.source, unit, {})])
    with UnitOutput(workspace, unit, ledger, terms, phase.staged, given=phase.given) as out:
        out.commit({part.path: why for part in unit.parts})
