r"""What the names of one paper mean: macros, environments, conditionals, and calls that stay."""

from typing import Generic, TypeVar

from filters.latex.counts import Counts
from filters.latex.definitions import Environment
from filters.latex.macros import Macro
from filters.latex.memory import Memory
from filters.latex.reach import Reach, defined_by
from filters.latex.tokens import CONTROL, CONTROL_AT

Command = TypeVar("Command")


class Meanings(Generic[Command]):
    """What is known of the names of one paper.

    Args:
        commands: what is done at a control sequence that is no macro.
        definers: names of those that define or include.
    """

    def __init__(self, commands: dict[str, Command], definers: frozenset[str]) -> None:
        self.commands = commands
        self.meanings: dict[str, Macro | Command] = dict(commands)
        self.definers = set(definers)  # what is followed in preambles as well
        self.environments: dict[str, Environment] = {}
        self.opened: dict[str, list[bool]] = {}  # of each environment, whether \begin was expanded
        self.flags: dict[str, bool | None] = {}  # \ifdraft -> its value, None where it is unknown
        self.toggles: dict[str, bool] = {}  # of etoolbox
        self.silent = True  # the document has not begun: nothing is written
        self.late: set[str] = set()  # macros that were first defined in the body
        self.counts = Counts()
        self.memory = Memory()
        self.reach = Reach(self.meanings)
        self._unsteady: set[str] = set()  # names whose meaning is set where nobody follows

    def define(self, macro: Macro) -> None:
        """Learn a macro."""
        self.memory.forget()
        if macro.name in self._unsteady:
            return
        self.counts.definitions += 1
        self.reach.learn(macro)
        if not self.silent:
            self._define_late(macro)
        self.meanings[macro.name] = macro
        if macro.alias:
            defines = macro.alias in self.commands
        else:
            defines = not macro.words.isdisjoint(self.definers)
        (self.definers.add if defines else self.definers.discard)(macro.name)

    def _define_late(self, macro: Macro) -> None:
        """Keep what a name meant before, if its calls look different.

        A definition in the body may hold in a group alone: a call that does not fit it has the
        meaning that the name had before.
        """
        known = self.meanings.get(macro.name)
        if known is None:
            self.late.add(macro.name)
        elif isinstance(known, Macro):
            if known.parameters == macro.parameters:
                macro.earlier = known.earlier
            else:
                macro.earlier, known.earlier = known, None

    def distrust(self, macro: Macro) -> None:
        """Forget what the calls of a macro define, since they are not followed."""
        for name in defined_by(macro):
            if "@" in name and name not in self.commands:
                self._unsteady.add(name)
                self.meanings.pop(name, None)
        self.reach.forget()
        self.memory.forget()

    def is_inert(self, text: str, *, at_is_letter: bool) -> bool:
        """Tell whether nothing in a text is to be expanded or done."""
        if "\\" not in text:
            return True
        names = (CONTROL_AT if at_is_letter else CONTROL).findall(text)
        return self.meanings.keys().isdisjoint(names)

    def leave(self, name: str, why: str) -> None:
        """Count a call that stays."""
        self.counts.left[name, why] += 1
        self.memory.left.append((name, why))

    def guard(self, name: str) -> None:
        """Count a limit that was reached; what is being expanded is not remembered."""
        self.counts.guards[name] += 1
        self.memory.skip_running()
