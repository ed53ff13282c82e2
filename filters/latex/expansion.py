r"""The expansion of a paper's macros: its files are read in the order in which TeX reads them.

The expander stands on a stack of texts. At the bottom is the main file; a file that ``\input``
names, and what a call of a macro becomes, are laid on top and read next. What it reads and knows
nothing about it copies as it was written, character for character. Before ``\begin{document}`` it
writes nothing and only learns definitions. The rules are docs/rules/sources.md 4.5 and 4.6; what
the commands do that it knows is in ``commands``.
"""

import re
from collections.abc import Callable
from string import ascii_letters
from typing import TypeAlias

from filters.latex.arguments import read_argument, read_groups
from filters.latex.counts import Counts, LimitReached
from filters.latex.definitions import Environment
from filters.latex.inputs import Files
from filters.latex.levels import Level
from filters.latex.macros import Macro, substitute
from filters.latex.memory import Key, Known, Memory, Started
from filters.latex.reach import Reach, defined_by, freeze
from filters.latex.sealed import Sealed
from filters.latex.tokens import (
    CONTROL,
    CONTROL_AT,
    FROZEN,
    ends_in_word,
    skip_blanks,
)

MAX_DEPTH = 50  # of a call within calls (rule 4)
MAX_EXPANSIONS = 100_000  # of a paper (rule 4)
MAX_EXPANSIONS_PER_CALL = 50_000  # so that one bad macro leaves some to the others
GROWTH, SPARE = 10, 1_000_000  # output is at most so many times the input, and so much more
_MAX_FAILURES = 200  # of delimited arguments in a paper: each costs a search
_ENDS_ENVIRONMENT = re.compile(r"\\(?:begin|end)\{[^{}]*\}(?:\[[^\]]*\])?\s*\Z")
_BREAKS = ("\\begin", "\\end", "\\[", "\\]", "\\item", "$$", "\\section", "\\subsection")
_FAR = 2_000  # characters that a command may read before a reading begins anew after it
_XSPACE = "\\xspace"
_TAIL = 200  # characters that the end of an expansion is looked for in


Command: TypeAlias = "Callable[[Expander, Level, str, int], bool]"


class Expander:
    """Everything that is known while one paper is read; nothing outlives it.

    Args:
        files: of the paper, without comments, their decided conditionals resolved.
        sealed: what was sealed in them.
        commands: what is done at a control sequence that is no macro; False: it is copied.
    """

    def __init__(
        self,
        files: Files,
        sealed: Sealed,
        commands: dict[str, Command],
        definers: frozenset[str] = frozenset(),
    ) -> None:
        self.files = files
        self.sealed = sealed
        self.commands = commands
        self.meanings: dict[str, Macro | Command] = dict(commands)
        self.definers = set(definers)  # what defines or includes: followed in preambles as well
        self.environments: dict[str, Environment] = {}
        self.opened: dict[str, list[bool]] = {}  # of each environment, whether \begin was expanded
        self.flags: dict[str, bool | None] = {}  # \ifdraft -> its value, None where it is unknown
        self.toggles: dict[str, bool] = {}  # of etoolbox
        self.included: frozenset[str] | None = None  # \includeonly
        self.counts = Counts()
        self.memory = Memory()
        self._left: list[tuple[str, str]] = []  # calls that stay, in order
        self.silent = True
        self.document = False  # \begin{document} was met
        self.stack: list[Level] = []
        self.out: list[str] = []
        self.size = 0
        self.included_size = 0  # characters of the files that were included
        self.late: set[str] = set()  # macros that were first defined in the body
        self.loaded: set[str] = set()  # styles
        self.reach = Reach(self.meanings)
        self._unsteady: set[str] = set()  # names whose meaning is set where nobody follows
        self._work = 0
        self._failures = 0
        self._limit = GROWTH * files.size() + SPARE
        self._call_end = MAX_EXPANSIONS
        self._floor = 0

    def expand(self, path: str, *, has_preamble: bool) -> str:
        r"""Read a paper from its main file; return its body, sealed parts still sealed."""
        self.silent = has_preamble
        folder = path.rpartition("/")[0]
        self.stack = [Level(self.files.text(path), path=path, folder=folder)]
        self._run(0)
        return "".join(self.out).replace(FROZEN, "\\")

    def fragment(self, text: str, level: Level) -> str:
        """Return a short text with its macros expanded; definitions in it hold."""
        if self.is_inert(text, at_is_letter=level.at_is_letter):
            return text
        kept = self.out, self.size, self.silent, self._floor
        self.out, self.silent = [], False
        self._floor = len(self.stack)
        self.stack.append(
            Level(
                text,
                active=level.active,
                at_is_letter=level.at_is_letter,
                path=level.path,
                folder=level.folder,
            )
        )
        try:
            self._run(self._floor)
            return "".join(self.out)
        finally:
            del self.stack[self._floor :]
            self.out, self.size, self.silent, self._floor = kept

    def push(self, level: Level) -> None:
        """Lay a text on the stack: it is read next."""
        self._work += len(level.text)
        if self._work > 10 * self._limit:
            raise LimitReached("work")
        self.stack.append(level)

    def stop(self) -> None:
        """Read no more."""
        self.memory.changes += 1
        for level in self.stack:
            level.pos = len(level.text)

    def emit(self, text: str) -> None:
        """Write a text, with a space where a letter would prolong the control word before it."""
        if self.silent or not text:
            return
        out = self.out
        if text[0] in ascii_letters and out and ends_in_word(out[-1]):
            out.append(" ")
        out.append(text)
        self.size += len(text)

    def settle(self) -> Level:
        """Return the level that the next argument is read from: those that are read up go."""
        while True:
            level = self.stack[-1]
            if level.text[level.pos : level.pos + 1] > " " or not level.depth:
                return level
            if len(self.stack) <= self._floor + 1:
                return level
            if skip_blanks(level.text, level.pos) < len(level.text):
                return level
            self.stack.pop()

    def leave(self, name: str, why: str) -> None:
        """Count a call that stays."""
        self.counts.left[name, why] += 1
        self._left.append((name, why))

    def guard(self, name: str) -> None:
        """Count a limit that was reached; what is being expanded is not remembered."""
        self.counts.guards[name] += 1
        self.memory.changes += 1

    def distrust(self, macro: Macro) -> None:
        """Forget what the calls of a macro define, since they are not followed."""
        for name in defined_by(macro):
            if "@" in name:
                self._unsteady.add(name)
                self.meanings.pop(name, None)
        self.reach.forget()
        self.memory.forget()

    def define(self, macro: Macro) -> None:
        """Learn a macro."""
        self.memory.forget()
        if macro.name in self._unsteady:
            return
        self.counts.definitions += 1
        self.reach.learn(macro)
        if not self.silent and macro.name not in self.meanings:
            self.late.add(macro.name)
        self.meanings[macro.name] = macro
        if macro.alias:
            defines = macro.alias in self.commands
        else:
            defines = not macro.words.isdisjoint(self.definers)
        (self.definers.add if defines else self.definers.discard)(macro.name)

    def _run(self, floor: int) -> None:
        stack = self.stack
        while len(stack) > floor:
            level = stack[-1]
            try:
                if self._step(level):
                    stack.pop()
                    if level.started is not None:
                        self._remember(level.started)
            except LimitReached as limit:
                self.guard(str(limit))
                self._go_back(floor)

    def _step(self, level: Level) -> bool:
        """Read a level until another one lies on the stack; True at its end."""
        text, begin, stack, meanings = level.text, level.pos, self.stack, self.meanings
        at_is_letter, silent = level.at_is_letter, self.silent
        for match in (CONTROL_AT if at_is_letter else CONTROL).finditer(text, begin):
            name = match[0]
            meaning = meanings.get(name)
            if meaning is None:
                continue
            start = match.start()
            if start < begin:  # it was read with the command before it
                continue
            if isinstance(meaning, Macro):
                if silent and name not in self.definers:
                    continue
                if start > begin:
                    self.emit(text[begin:start])
                level.pos = match.end()
                self._call(meaning, name, level, start)
            else:
                if start > begin:
                    self.emit(text[begin:start])
                level.pos = match.end()
                if not meaning(self, level, name, start):
                    self.emit(name)
            begin = level.pos
            if (
                stack[-1] is not level
                or begin > start + _FAR
                or level.at_is_letter != at_is_letter
                or self.silent != silent
            ):
                return False
        level.pos = len(text)
        self.emit(text[begin:])
        return True

    def _go_back(self, floor: int) -> None:
        """Write the call of a file in which a limit was reached as it stands there."""
        stack = self.stack
        while len(stack) > floor + 1 and stack[-1].depth:
            stack.pop()
        level = stack[-1]
        outputs, self.size, start, end = level.mark
        del self.out[outputs:]
        self.emit(level.text[start:end])
        level.pos = max(end, start)

    def _call(self, macro: Macro, name: str, level: Level, start: int) -> None:
        if macro.alias:
            command = self.commands.get(macro.alias)
            if not (command and command(self, level, macro.alias, start)):
                self.emit(macro.alias)
                if not macro.alias[-1].isalpha():
                    level.skip()
            return
        why = self._refusal(macro, level)
        if not level.depth:
            outputs = len(self.out), self.size
            level.mark = (*outputs, start, level.pos)
            self._call_end = min(MAX_EXPANSIONS, self.counts.expansions + MAX_EXPANSIONS_PER_CALL)
        arguments = None if why else self.arguments(macro, level)
        if arguments is None:
            self.leave(name, why or "arguments")
            self.emit(name)
            return
        if not level.depth:
            level.mark = (*outputs, start, level.pos)
        self._count(1)
        at_is_letter = macro.at_is_letter or level.at_is_letter
        key = None
        if not self.silent:
            key = Memory.key(name, arguments, at_is_letter=at_is_letter)
        if key is not None and (known := self.memory.find(key, level.depth)):
            text = known.text
            self._recall(known, name, macro, level)
        else:
            text = self.lay(macro, arguments, level, name=name, key=key)
        if not text or text.isspace():
            level.forget_line(start)

    def _count(self, expansions: int) -> None:
        self.counts.expansions += expansions
        if self.counts.expansions >= self._call_end:
            raise LimitReached("expansions")

    def _recall(self, known: Known, name: str, macro: Macro, level: Level) -> None:
        """Write what a call became before."""
        if not macro.parameters:
            self._gobble(name, known.text)
        if self.size + known.size > self._limit:
            raise LimitReached("output")
        self._count(known.expansions)
        for each in known.left:
            self.leave(*each)
        self.emit(known.output)
        self.size += known.size - len(known.output)
        if known.text.endswith(_XSPACE):
            self._lay_xspace(level)

    def _remember(self, started: Started) -> None:
        """Remember a call that was read to its end."""
        out = self.out
        if len(out) > started.pieces and out[started.pieces] == " ":
            return  # perhaps the space that what stood before it asked for
        known = Known(
            started.text,
            "".join(out[started.pieces :]),
            self.size - started.size,
            self.counts.expansions - started.expansions,
            tuple(self._left[started.left :]),
            started.depth,
        )
        self.memory.keep(started, known)

    def _refusal(self, macro: Macro, level: Level) -> str:
        """Return why a call is left alone before its arguments are looked at, "" if it is not."""
        if macro.unsupported:
            return macro.unsupported
        if not self.silent:
            if macro.redefines:
                return "redefines"
            if (macro.at_is_letter or macro.programs) and self.reach.is_internal(macro.name):
                if macro.stores:
                    self.distrust(macro)
                return "internal"
        if level.depth >= MAX_DEPTH:
            self.guard("depth")
            return "depth"
        exhausted = self.counts.expansions >= MAX_EXPANSIONS or self.size > self._limit
        return "limit" if exhausted else ""

    def lay(
        self, macro: Macro, arguments: list[str], level: Level, *, name: str, key: Key | None = None
    ) -> str:
        """Lay what a call becomes on the stack, and return it; write it, if that is its end.

        Args:
            macro: what is called.
            arguments: of the call.
            level: where the call stands.
            name: of the call, which it must not reach again.
            key: under which what it becomes is remembered, if it may be.
        """
        changes = self.memory.changes
        if name in macro.words or not macro.words.isdisjoint(level.active):
            frozen = self.reach.cycles(macro, name, level.active)
            if frozen:
                self.guard("recursion")
                for each in frozen:
                    self.leave(each, "recursive")
                macro = freeze(macro, frozen)
        text = substitute(macro, arguments)
        if not macro.parameters:
            self._gobble(name, text)
        size = self.size + self.sealed.size(text)
        if size + len(text) > self._limit:
            raise LimitReached("output")
        started = None
        if key is not None:
            started = Started(
                key,
                text,
                len(self.out),
                self.size,
                self.counts.expansions,
                len(self._left),
                changes,
                level.depth,
            )
        self.size = size
        at_is_letter = macro.at_is_letter or level.at_is_letter
        body = text
        if text.endswith(_XSPACE):  # it looks at what follows, which is not to be remembered
            body = text[: -len(_XSPACE)]
            self._lay_xspace(level)
        if self.is_inert(body, at_is_letter=at_is_letter):
            self.emit(body)
            if started is not None:
                self._remember(started)
            return text
        laid = Level(
            body,
            depth=level.depth + 1,
            active=level.active | {name},
            at_is_letter=at_is_letter,
            path=level.path,
            folder=level.folder,
        )
        laid.started = started
        self.push(laid)
        return text

    def _lay_xspace(self, level: Level) -> None:
        self.push(Level(_XSPACE, depth=level.depth + 1, path=level.path, folder=level.folder))

    def is_inert(self, text: str, *, at_is_letter: bool) -> bool:
        """Tell whether nothing in a text is to be expanded or done."""
        if "\\" not in text:
            return True
        names = (CONTROL_AT if at_is_letter else CONTROL).findall(text)
        return self.meanings.keys().isdisjoint(names)

    def _gobble(self, name: str, text: str) -> None:
        """Skip the blanks after a control word, as TeX does (rule 1)."""
        if name[0] != "\\" or not name[-1].isalpha():
            return
        level = self.stack[-1]
        at = skip_blanks(level.text, level.pos)
        if (
            at > level.pos
            and "\n" in level.text[level.pos : at]
            and (_ENDS_ENVIRONMENT.search(text[-_TAIL:]) or level.text.startswith(_BREAKS, at))
        ):
            return  # after \begin{...}, and before it, a line end sets nothing: it stays
        level.pos = at

    def arguments(self, macro: Macro, level: Level) -> list[str] | None:
        """Read the arguments of a call; None, and all is as it was, where they are not there."""
        if not macro.parameters:
            return []
        groups = read_groups(level, len(macro.parameters)) if macro.grouped else None
        return self._searched_arguments(macro, level) if groups is None else groups

    def _searched_arguments(self, macro: Macro, level: Level) -> list[str] | None:
        """Read arguments of any kind, also from the texts below."""
        places = [(level, level.pos)]
        found: list[str] = []
        for parameter in macro.parameters:
            reader = self.settle()
            if parameter.kind == "delimited" and not found and macro.name[-1].isalpha():
                reader.skip()
            if reader is not places[-1][0]:
                places.append((reader, reader.pos))
            value = None
            if parameter.kind != "delimited" or self._failures <= _MAX_FAILURES:
                value = read_argument(parameter, reader)
            if value is None:
                self._failures += parameter.kind == "delimited"
                for other, pos in places:
                    other.pos = pos
                if level not in self.stack:  # it was read up: nothing of it is left to read
                    level.pos = len(level.text)
                return None
            if parameter.kind != "literal":
                found.append(value)
        return found
