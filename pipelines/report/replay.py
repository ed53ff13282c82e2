"""Decide again, for one unit of a run, what its documents cannot decide alone.

The steps of a source that claim and decide are run over the units of one scope, as a run would, in
a folder that is removed afterwards. So the verdicts on a document are those of the run, and the
claims say which other documents have a key. Nothing is written to the run.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipelines.engine.claim_files import Block, ClaimsFile
from pipelines.engine.documents import Document
from pipelines.engine.errors import is_of_the_machine
from pipelines.engine.output import RejectPolicy, Terms
from pipelines.engine.passes import Converter, PartFailedError, Write, framed, load
from pipelines.engine.plan import Inputs
from pipelines.engine.runs import Run
from pipelines.engine.source import Phase, plan_of
from pipelines.engine.stages import Stage
from pipelines.engine.steps import GroupStep, Step, Topic, UnitStep, Verdicts
from pipelines.engine.units import ROWS_PER_PART, Unit
from pipelines.engine.workspace import CLAIMS, Workspace
from pipelines.readers.rows import BadRow, UnreadableFile
from pipelines.storage import files as storage


@dataclass
class Replay:
    """The claims and decisions of the units that share a scope with one unit.

    Args:
        steps: of the plan of the source, in order.
        workspace: of a folder that nobody else uses.
    """

    steps: Sequence[Step]
    workspace: Workspace
    # Of a topic and a scope: what is decided for each unit.
    _decided: dict[tuple[str, int], dict[str, list[bytes]]] = field(default_factory=dict)

    def decide(self, unit: Unit, wants: Sequence[Topic]) -> Verdicts:
        """Return what is decided for a unit on the topics that its phase wants.

        Raises:
            RunError, UnreadableFile: a unit of the scope cannot be read on this machine.
        """
        for step in self.steps:
            if all(self._place(topic, unit) in self._decided for topic in wants):
                break
            if isinstance(step, GroupStep):
                if step.topic.name in self._claiming and not step.written:
                    self._decide(step, unit)
            elif step.claims in self._claiming and step.folder.startswith(f"{CLAIMS}/"):
                self._claim(step, unit)
        return self._verdicts(unit, wants)

    @property
    def _claiming(self) -> dict[str, GroupStep]:
        """The decisions on claims that units write without staging documents."""
        steps = {step.topic.name: step for step in self.steps if isinstance(step, GroupStep)}
        return {
            step.claims: steps[step.claims]
            for step in self.steps
            if isinstance(step, UnitStep) and step.folder.startswith(f"{CLAIMS}/")
        }

    @staticmethod
    def _place(topic: Topic, unit: Unit) -> tuple[str, int]:
        return topic.name, topic.scope_of(unit)

    def _claim(self, step: UnitStep, unit: Unit) -> None:
        decision = self._claiming[step.claims]
        guests = {name for name, _ in decision.guests}  # such as archives, which have no scope
        scope_of = decision.topic.scope_of
        for other in step.units:
            path = self.workspace.claims_path(step.claims, other.name)
            if storage.exists(path):
                continue
            if other.name in guests or scope_of(other) == scope_of(unit):
                step.work(self.workspace, other, self._verdicts(other, step.wants))

    def _decide(self, step: GroupStep, unit: Unit) -> None:
        place = self._place(step.topic, unit)
        if place in self._decided:
            return
        messages: dict[str, list[bytes]] = defaultdict(list)
        blocks = list(self.blocks(step.topic.name, unit))
        for name, message in step.decide(self.workspace, 0, blocks) if blocks else ():
            messages[name].append(message)
        self._decided[place] = messages

    def _verdicts(self, unit: Unit, wants: Sequence[Topic]) -> Verdicts:
        return {
            topic.name: topic.read(self._decided[place].get(unit.name, []))
            for topic in wants
            if (place := self._place(topic, unit)) in self._decided
        }

    def blocks(self, topic: str, unit: Unit) -> Iterator[Block]:
        """Yield what the units of a unit's scope claim on a topic."""
        step = self._claiming[topic]
        scope = step.topic.scope_of(unit)
        names = [other.name for other in step.units if step.topic.scope_of(other) == scope]
        for name in (*names, *(name for name, _ in step.guests)):
            path = self.workspace.claims_path(topic, name)
            if storage.exists(path) and (block := ClaimsFile.open(path).block(0, 1)):
                yield block


def replay_in(folder: str, source: str, phases: Sequence[Phase], units: Sequence[Unit]) -> Replay:
    """Return the replay of a source in a folder that nobody else uses."""
    planned = plan_of(Terms(source, RejectPolicy()), Inputs(units), phases)
    return Replay(planned.steps, Workspace(Run(folder), folder))


def together_with(phase: Write, unit: Unit, units: Sequence[Unit]) -> list[Unit]:
    """Return the units with which a unit shares the scope of all that its phase wants to know."""
    return [
        other
        for other in units
        if all(topic.scope_of(other) == topic.scope_of(unit) for topic in phase.wants)
    ]


def at_hand(units: Iterable[Unit]) -> bool:
    """Return whether all inputs of some units are where they were found."""
    return all(storage.exists(part.path) for unit in units for part in unit.parts)


def documents_of(
    phase: Write, unit: Unit, verdicts: Verdicts, workspace: Workspace
) -> Iterator[Document | BadRow]:
    """Yield the documents of a unit as the stages get them, and its bad records.

    Raises:
        UnreadableFile: a part of the unit cannot be read.
    """
    notes: Counter[str] = Counter()
    convert = phase.converter(unit, verdicts, notes)
    for number, part in enumerate(unit.parts):
        lies = phase.place(workspace, unit, part, verdicts)
        try:
            for record in framed(phase.records(unit, lies, notes), part):
                found = _converted(record, convert)
                if found is not None:
                    if isinstance(found, Document):
                        found.row += number * ROWS_PER_PART
                    yield found
        except PartFailedError as error:
            raise UnreadableFile(str(error)) from error


def _converted(record: Any, convert: Converter) -> Document | BadRow | None:
    """Return what a record is converted to, as a ledger would: a bad record, if it fails."""
    if isinstance(record, BadRow):
        return record
    try:
        return convert(record)
    except Exception as error:
        if is_of_the_machine(error):
            raise
        return BadRow(record.row, f"failed:{type(error).__name__}", str(error)[:500])


def loaded_stages(phase: Write, source: str, unit: Unit, verdicts: Verdicts) -> list[Stage]:
    """Return the stages of a unit, loaded.

    Raises:
        RunError: this machine lacks what a stage needs.
    """
    stages = phase.all_stages(source, unit, verdicts)
    for stage in stages:
        load(stage)
    return stages
