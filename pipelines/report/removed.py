"""Show the text that rewriting stages removed from documents that a run kept.

A run does not hold the text from before a stage that rewrites it. Where the inputs of a run are
within reach, a few of its documents are read from them again and go through the stages, and what
each stage removed is marked in the text that the stage got. A document is shown only if the stages
end with the text that the run holds, so that what is shown is what the run did.

The work is bounded in bytes, files and documents, never in seconds, and documents are chosen by
hash: the same run and inputs give the same answer.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from pipelines.catalog import SOURCE_BY_NAME
from pipelines.engine.passes import Write
from pipelines.engine.recorded import settings_of_run, units_of_run
from pipelines.engine.runs import Run, unit_of
from pipelines.engine.source import Phase
from pipelines.engine.units import Unit
from pipelines.engine.workspace import PIECES
from pipelines.readers.rows import BadRow
from pipelines.report.marks import Marked, Piece, pieces
from pipelines.report.replay import (
    Replay,
    at_hand,
    documents_of,
    loaded_stages,
    replay_in,
    together_with,
)
from pipelines.report.sample import Place, number_of
from pipelines.report.spans import removed_spans
from pipelines.report.trace import Trace, trace
from tokenizer.errors import UserError

MAX_BYTES = 32_000_000  # bytes of inputs of a run that are read
MAX_UNITS = 2_000  # units of a run; of more, the sidecars alone take long to read
FILES = 8  # units that documents are read from
RECORDS = 20_000  # records of a unit that are read
DOCUMENTS = 24  # documents of a run that are traced
CHARACTERS = 200_000  # characters of a text that is compared
EXAMPLES = 3  # documents of a stage that are shown
MOST_REMOVED = 0.6  # of a text; where more is gone, marks tell nothing
_SHOWN_SPANS = 12  # of a document
# By unit and id, rows of a run's documents.
Wanted = Mapping[str, Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Removal:
    """What a stage removed from a document of a run."""

    row: Mapping[str, Any]  # of the run's documents
    marked: Marked  # the text that the stage got

    @property
    def share(self) -> float:
        """The characters removed, of all that the stage got."""
        gone = sum(span.end - span.start for span in self.marked.removed)
        return gone / len(self.marked.before)

    @property
    def id(self) -> str:
        """The document's id."""
        return str(self.row["id"])

    @property
    def url(self) -> str:
        """The document's address, or ""."""
        return self.row["url"] or ""

    @property
    def title(self) -> str:
        """How much was removed, as the page says it."""
        return f"{100 * self.share:.1f} % of {len(self.marked.before):,} characters removed"

    @property
    def pieces(self) -> list[Piece]:
        """What the page shows of the text."""
        return pieces(self.marked, most=_SHOWN_SPANS)


@dataclass(slots=True)
class StageRemovals:
    """The documents from which a stage removed text, among those that were traced."""

    stage: str
    removals: list[Removal] = field(default_factory=list)  # in the order of their hashes

    @property
    def shown(self) -> list[Removal]:
        """The documents to show: those that lost a part of their text."""
        return [one for one in self.removals if one.share <= MOST_REMOVED][:EXAMPLES]

    @property
    def mostly_gone(self) -> int:
        """How many documents lost so much that they are not shown."""
        return sum(one.share > MOST_REMOVED for one in self.removals)


@dataclass(frozen=True, slots=True)
class Removed:
    """What the stages of a run removed, by stage in the order of the source."""

    stages: Sequence[StageRemovals] = ()
    traced: int = 0  # documents whose traces agree with the run
    note: str = ""  # why nothing can be shown

    @property
    def told(self) -> str:
        """What was read again, or why nothing was."""
        if self.note:
            return self.note
        documents = "document was" if self.traced == 1 else "documents were"
        read = (
            f"{self.traced:,} kept {documents} read again from the run's inputs, and went through "
            "the stages to the text that the run holds."
        )
        if not self.stages:
            return f"{read} No stage removed a part of a text that it got."
        return f"{read} What a stage removed is marked in the text that it got."


def removed_by_stages(
    run: Run, places: Sequence[Place], rows: Sequence[Mapping[str, Any]]
) -> Removed:
    """Trace some documents of a complete run through its stages.

    Args:
        run: the run.
        places: where the documents lie in the run.
        rows: the documents, whole.
    """
    if not run.read_json("config.json")["config"].get("input"):
        return Removed(note="The run does not say what its inputs were.")
    if len(run.committed()) > MAX_UNITS:
        return Removed(note=f"Inputs are read again for runs of at most {MAX_UNITS:,} units.")
    try:
        with tempfile.TemporaryDirectory(prefix="corpusmill-report-") as folder:
            retrace = _Retrace.of(run, _wanted(places, rows), folder)
            found = list(retrace.traces())
    except (UserError, OSError, ImportError):
        return Removed(
            note="The run's inputs cannot be read from here, or a stage needs a model or a list, "
            "whose place a run does not hold."
        )
    if not found:
        return Removed(
            note="No document could be followed from the inputs to the text that the run holds, "
            f"within {MAX_BYTES // 1_000_000} MB of inputs. One that is joined from several "
            "records, as a thread is, never can."
        )
    names = dict.fromkeys(one.stage for _, traced in found for one in traced.judgements)
    stages = {name: StageRemovals(name) for name in names}
    for row, traced in sorted(found, key=lambda pair: number_of(pair[0]["id"])):
        for one in traced.judgements:
            if one.rewrote and len(one.before) <= CHARACTERS:
                marked = Marked(one.before, removed_spans(one.before, one.after))
                if marked.removed:
                    stages[one.stage].removals.append(Removal(row, marked))
    return Removed([stage for stage in stages.values() if stage.removals], len(found))


def _wanted(places: Sequence[Place], rows: Sequence[Mapping[str, Any]]) -> Wanted:
    """Return the documents to trace by unit and id; units and documents are chosen by hash."""
    units = [unit_of(place.path) for place in places]
    chosen = sorted(set(units), key=number_of)[:FILES]
    wanted: dict[str, dict[str, Mapping[str, Any]]] = {unit: {} for unit in chosen}
    pairs = [pair for pair in zip(units, rows, strict=True) if pair[0] in wanted]
    pairs = [pair for pair in pairs if len(pair[1]["text"]) <= CHARACTERS]
    pairs.sort(key=lambda pair: (number_of(pair[1]["id"]), pair[0]))
    for unit, row in pairs[:DOCUMENTS]:
        wanted[unit][row["id"]] = row
    return wanted


@dataclass(slots=True)
class _Retrace:
    """Reads documents of a run from its inputs again, and traces them."""

    source: str
    units: Sequence[Unit]
    phases: Sequence[Phase]
    replay: Replay
    wanted: Wanted
    left: int  # bytes that may still be read
    decided: set[str] = field(default_factory=set)  # units whose claims were paid for

    @classmethod
    def of(cls, run: Run, wanted: Wanted, folder: str) -> "_Retrace":
        """Prepare to read the inputs of a run.

        Raises:
            RunError: a setting is not in the run, such as the place of a model, or is wrong.
        """
        source = SOURCE_BY_NAME[run.source].load()
        units = units_of_run(run)
        settings = settings_of_run(source.settings, run)
        source.check_worker(settings, run.read_json("config.json")["config"])
        phases = list(source.phases(settings, units))
        replay = replay_in(folder, source.name, phases, units)
        return cls(source.name, units, phases, replay, wanted, MAX_BYTES)

    def traces(self) -> Iterator[tuple[Mapping[str, Any], Trace]]:
        """Yield documents of the run, and their traces where they end with the run's text.

        Raises:
            RunError, UnreadableFile, StorageError: an input cannot be read on this machine.
        """
        for phase in self.phases:
            if isinstance(phase, Write) and not phase.send:
                for unit in self.units:
                    if self.wanted.get(unit.name) and phase.of(unit):
                        yield from self._of_unit(phase, unit, self.wanted[unit.name])

    def _of_unit(
        self, phase: Write, unit: Unit, rows: Mapping[str, Mapping[str, Any]]
    ) -> Iterator[tuple[Mapping[str, Any], Trace]]:
        if unit.size > self.left or not at_hand([unit]):
            return
        self.left -= unit.size
        decided = self._may_decide(phase, unit)
        if not decided and any(topic.name == PIECES for topic in phase.wants):
            return
        verdicts = self.replay.decide(unit, phase.wants) if decided else {}
        stages = loaded_stages(phase, self.source, unit, verdicts)
        documents = documents_of(phase, unit, verdicts, self.replay.workspace)
        missing = set(rows)
        for document in islice(documents, RECORDS):
            if isinstance(document, BadRow) or document.id not in missing:
                continue
            traced = trace(document, stages, decided=decided)
            if traced.kept and traced.document.text == rows[document.id]["text"]:
                yield rows[document.id], traced
                missing.remove(document.id)
            if not missing:
                return

    def _may_decide(self, phase: Write, unit: Unit) -> bool:
        """Return whether all that is decided together with a unit is at hand and small enough."""
        if not phase.wants:
            return True
        scope = together_with(phase, unit, self.units)
        size = sum(other.size for other in scope if other.name not in self.decided)
        if size > self.left or not at_hand(scope):
            return False
        self.left -= size
        self.decided |= {other.name for other in scope}
        return True
