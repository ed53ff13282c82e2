"""The two kinds of step that every phase of a source consists of.

A :class:`UnitStep` works on each unit by itself; a file named after the unit marks it as done. A
:class:`GroupStep` brings together what units have claimed and decides it group by group; its
verdicts return to the units, whose next step applies them. ``pool`` (processes on this machine) and
``graph`` (a Beam pipeline) run the steps; both call the same functions.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipelines.engine.claim_files import Block
from pipelines.engine.units import Unit
from pipelines.engine.workspace import Workspace

Verdicts = Mapping[str, Any]  # topic -> what was decided for the current unit
Messages = Sequence[bytes]  # the packed verdicts that groups of a decision send to one unit


def one_scope(_unit: Unit) -> int:
    """Put all units into one scope."""
    return 0


@dataclass(frozen=True)
class Topic:
    """The name of a decision across documents, shared by the steps that claim, decide and apply.

    Claims are decided together only within a scope; ``scope_of`` returns the number of a unit's
    scope. ``read`` turns the messages to a unit into an object in which stages look up verdicts.
    """

    name: str
    read: Callable[[Messages], Any] = list
    scope_of: Callable[[Unit], int] = one_scope


@dataclass(frozen=True)
class UnitStep:
    """A step that works on each unit once."""

    title: str  # shown by progress
    folder: str  # holds the files that mark units as done
    suffix: str  # of the names of these files
    units: Sequence[Unit]
    work: Callable[[Workspace, Unit, Verdicts], Any]
    set_aside: Callable[[Workspace, Unit, str], None]  # mark a unit that cannot be run, and why
    wants: Sequence[Topic] = ()  # topics whose verdicts ``work`` needs
    claims: str = ""  # topic of the claims that ``work`` writes

    def done(self, workspace: Workspace) -> set[str]:
        """Return the names of the units that are done."""
        return workspace.names(*self.folder.split("/"), suffix=self.suffix)


@dataclass(frozen=True)
class GroupStep:
    """A step that decides what units have claimed on a topic, group by group.

    ``decide`` is a pure function from the blocks of a group, one per unit that claims there, to
    pairs of unit name and message. Or it writes the file of the group and yields nothing; then
    ``written`` returns the path of that file.
    """

    title: str
    topic: Topic
    units: Sequence[Unit]  # claim, and may get verdicts
    decide: Callable[[Workspace, int, Sequence[Block]], Iterator[tuple[str, bytes]]]
    groups: int = 0  # their number if the source fixes it; 0: it follows from the claims
    written: Callable[[int], tuple[str, ...]] | None = None
    # Files of earlier runs whose claims take part but get no verdicts: (name, scope).
    guests: Sequence[tuple[str, int]] = field(default=())


Step = UnitStep | GroupStep


def consumers(steps: Sequence[Step], topic: str) -> list[UnitStep]:
    """Return the steps that apply the verdicts on a topic."""
    return [
        step
        for step in steps
        if isinstance(step, UnitStep) and any(wanted.name == topic for wanted in step.wants)
    ]
