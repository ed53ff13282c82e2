"""The two kinds of step that every phase of a source comes down to.

A :class:`UnitStep` does something for each unit, by itself; a file named by the unit marks it as
done. A :class:`GroupStep` brings together what units have claimed and decides it group by group;
its verdicts return to the units, whose next step applies them. How steps are run is the business of
``pool`` (processes on this machine) and ``graph`` (a Beam pipeline); both run the same functions.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipelines.engine.claim_files import Block
from pipelines.engine.units import Unit
from pipelines.engine.workspace import Workspace

Verdicts = Mapping[str, Any]  # topic -> what was decided for the unit at work
Messages = Sequence[bytes]  # what the groups of a decision have to say to one unit


def one_scope(_unit: Unit) -> int:
    """Put all units into one scope."""
    return 0


@dataclass(frozen=True)
class Topic:
    """A decision across documents, as the steps that claim, decide and apply it know it.

    Claims meet only within their scope: a number for each unit. ``read`` makes of the messages to
    a unit what its stages look verdicts up in.
    """

    name: str
    read: Callable[[Messages], Any] = list
    scope_of: Callable[[Unit], int] = one_scope


@dataclass(frozen=True)
class UnitStep:
    """Do something for each unit, once."""

    title: str  # as progress shows it
    folder: str  # where the file that marks a unit as done lies
    suffix: str  # of that file
    units: Sequence[Unit]
    work: Callable[[Workspace, Unit, Verdicts], Any]
    set_aside: Callable[[Workspace, Unit, str], None]  # mark a unit that cannot be run, and why
    wants: Sequence[Topic] = ()  # decisions that ``work`` is given
    claims: str = ""  # topic of the claims that ``work`` leaves behind

    def done(self, workspace: Workspace) -> set[str]:
        """Return the names of the units that are through."""
        return workspace.names(*self.folder.split("/"), suffix=self.suffix)


@dataclass(frozen=True)
class GroupStep:
    """Decide what units have claimed on a topic, group by group.

    ``decide`` is a pure function from the blocks of a group, one for each unit that claims there,
    to (unit name, message); or it writes what the group stands for and yields nothing. Then
    ``written`` names the file that it leaves.
    """

    title: str
    topic: Topic
    units: Sequence[Unit]  # that claim, and may get verdicts
    decide: Callable[[Workspace, int, Sequence[Block]], Iterator[tuple[str, bytes]]]
    groups: int = 0  # their number, where the source knows it; else it follows from the claims
    written: Callable[[int], tuple[str, ...]] | None = None
    # Claims of files of earlier runs, which get no verdicts: (name, scope).
    guests: Sequence[tuple[str, int]] = field(default=())


Step = UnitStep | GroupStep


def consumers(steps: Sequence[Step], topic: str) -> list[UnitStep]:
    """Return the steps that apply the verdicts on a topic."""
    return [
        step
        for step in steps
        if isinstance(step, UnitStep) and any(wanted.name == topic for wanted in step.wants)
    ]
