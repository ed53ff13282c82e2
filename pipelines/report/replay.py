"""Decide again, for one unit of a run, what its documents cannot decide alone.

The steps of a source that claim and decide are run over the units of one scope, as a run would, in
a folder that is removed afterwards. So the verdicts on a document are those of the run, and the
claims say which other documents have a key. Nothing is written to the run.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipelines.engine.claim_files import Block, ClaimsFile
from pipelines.engine.documents import Document
from pipelines.engine.passes import Converter, Write, load
from pipelines.engine.stages import Stage
from pipelines.engine.steps import GroupStep, Step, Topic, UnitStep, Verdicts
from pipelines.engine.units import ROWS_PER_PART, Unit
from pipelines.engine.workspace import CLAIMS, Workspace
from pipelines.readers.rows import BadRow
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
    _decided: dict[str, dict[str, list[bytes]]] = field(default_factory=dict)
    _topics: dict[str, GroupStep] = field(default_factory=dict)

    def decide(self, unit: Unit, wants: Sequence[Topic]) -> Verdicts:
        """Return what is decided for a unit on the topics that its phase wants.

        Raises:
            RunError, UnreadableFile: a unit of the scope cannot be read on this machine.
        """
        for step in self.steps:
            if all(topic.name in self._decided for topic in wants):
                break
            if isinstance(step, GroupStep):
                if step.topic.name in self._claimed and not step.written:
                    self._decide(step, unit)
            elif step.folder.startswith(f"{CLAIMS}/") and step.claims not in self._decided:
                self._claim(step, unit)
        return self._verdicts(unit, wants)

    @property
    def _claimed(self) -> set[str]:
        return {
            step.claims
            for step in self.steps
            if isinstance(step, UnitStep) and step.folder.startswith(f"{CLAIMS}/")
        }

    def _claim(self, step: UnitStep, unit: Unit) -> None:
        scope_of = self._scope_of(step.claims)
        for other in step.units:
            if scope_of(other) == scope_of(unit):
                step.work(self.workspace, other, self._verdicts(other, step.wants))

    def _scope_of(self, topic: str) -> Callable[[Unit], int]:
        for step in self.steps:
            if isinstance(step, GroupStep) and step.topic.name == topic:
                if step.guests:  # units of another kind, such as archives
                    return lambda _unit: 0
                return step.topic.scope_of
        return lambda _unit: 0

    def _decide(self, step: GroupStep, unit: Unit) -> None:
        messages: dict[str, list[bytes]] = defaultdict(list)
        scope = step.topic.scope_of(unit)
        names = [other.name for other in step.units if step.topic.scope_of(other) == scope]
        blocks = list(self.blocks(step.topic.name, [*names, *(name for name, _ in step.guests)]))
        for name, message in step.decide(self.workspace, 0, blocks) if blocks else ():
            messages[name].append(message)
        self._decided[step.topic.name] = messages
        self._topics[step.topic.name] = step

    def _verdicts(self, unit: Unit, wants: Sequence[Topic]) -> Verdicts:
        return {
            topic.name: topic.read(self._decided[topic.name].get(unit.name, []))
            for topic in wants
            if topic.name in self._decided
        }

    def blocks(self, topic: str, names: Sequence[str] = ()) -> Iterator[Block]:
        """Yield the claims of units on a topic; by default of all that claimed."""
        for name in names or sorted(self.workspace.claimed(topic)):
            path = self.workspace.claims_path(topic, name)
            if storage.exists(path) and (block := ClaimsFile.open(path).block(0, 1)):
                yield block


def documents_of(
    phase: Write, unit: Unit, verdicts: Verdicts, workspace: Workspace
) -> Iterator[Document | BadRow]:
    """Yield the documents of a unit as the stages get them, and its bad records.

    Raises:
        UnreadableFile: a part of the unit cannot be read.
    """
    notes: Any = defaultdict(int)
    convert: Converter = phase.converter(unit, verdicts, notes)
    for number, part in enumerate(unit.parts):
        lies = phase.place(workspace, unit, part, verdicts)
        for record in phase.records(unit, lies, notes):
            found = record if isinstance(record, BadRow) else convert(record)
            if found is not None:
                if isinstance(found, Document):
                    found.row += number * ROWS_PER_PART
                yield found


def loaded_stages(phase: Write, source: str, unit: Unit, verdicts: Verdicts) -> list[Stage]:
    """Return the stages of a unit, loaded.

    Raises:
        RunError: this machine lacks what a stage needs.
    """
    stages = phase.all_stages(source, unit, verdicts)
    for stage in stages:
        load(stage)
    return stages
