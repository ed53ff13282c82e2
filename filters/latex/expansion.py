r"""The expansion of a paper's macros: its files are read in the order in which TeX reads them.

The expander stands on a stack of texts. At the bottom is the main file; a file that ``\input``
names, and what a call of a macro becomes, are laid on top and read next. What it reads and knows
nothing about it copies as it was written, character for character. Before ``\begin{document}`` it
writes nothing and only learns definitions. The rules are docs/rules/sources.md 4.5 and 4.6; what
the commands do that it knows is in ``commands``.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from filters.latex.arguments import Arguments
from filters.latex.braces import Place, needs_braces, place_of
from filters.latex.counts import LimitReached
from filters.latex.inputs import Files
from filters.latex.levels import Level
from filters.latex.macros import Macro, substitute
from filters.latex.memory import Key, Known, Memory, Started
from filters.latex.output import Output
from filters.latex.reach import freeze
from filters.latex.sealed import Sealed
from filters.latex.tokens import CONTROL, CONTROL_AT, FROZEN, skip_blanks

MAX_DEPTH = 50  # of a call within calls (rule 4)
MAX_EXPANSIONS = 100_000  # of a paper (rule 4)
MAX_EXPANSIONS_PER_CALL = 50_000  # so that one bad macro leaves some to the others
GROWTH, SPARE = 10, 1_000_000  # output is at most so many times the input, and so much more
SPARE_INCLUDED, MAX_INCLUDED = 100_000, 20_000_000  # as much for files that are included
_FAR = 2_000  # characters that a command may read before a reading begins anew after it
_XSPACE = "\\xspace"


Command: TypeAlias = Callable[["Expander", Level, str, int], bool]


class Expander(Output[Command]):
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
        super().__init__(commands, definers)
        self.files = files
        self.sealed = sealed
        self.included: frozenset[str] | None = None  # \includeonly
        self.document = False  # \begin{document} was met
        self.stack: list[Level] = []
        self.left_to_include = min(GROWTH * files.size() + SPARE_INCLUDED, MAX_INCLUDED)
        self.loaded: set[str] = set()  # styles
        self._arguments = Arguments(self.settle)
        self._work = 0
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
        kept = self.out, self.size, self.silent, self._floor, self.met_call
        self.out, self.silent, self.met_call = [], False, False
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
            self.out, self.size, self.silent, self._floor, self.met_call = kept

    def push(self, level: Level) -> None:
        """Lay a text on the stack: it is read next."""
        self._work += len(level.text)
        if self._work > 10 * self._limit:
            raise LimitReached("work")
        self.stack.append(level)

    def stop(self) -> None:
        """Read no more."""
        self.memory.skip_running()
        for level in self.stack:
            level.pos = len(level.text)

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
            self.met_call = True

    def arguments(self, macro: Macro, level: Level, place: Place = "") -> list[str] | None:
        """Read the arguments of a call; None, and all is as it was, where they are not there."""
        if place == "label" and macro.parameters:
            return [macro.parameters[0].text]  # what follows is the option of the arrow
        found = self._arguments.read(macro, level)
        if found is None and level not in self.stack:  # it was read up: nothing of it is left
            level.pos = len(level.text)
        return found

    def _run(self, floor: int) -> None:
        stack = self.stack
        while len(stack) > floor:
            level = stack[-1]
            try:
                if self._step(level):
                    stack.pop()
                    if level.depth:
                        self.met_call = True
                    if level.started is not None:
                        self.remember(level.started)
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
                    self.copy(text, begin, start)
                level.pos = match.end()
                self._call(meaning, name, level, start)
            else:
                if start > begin:
                    self.copy(text, begin, start)
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
        self.copy(text, begin, len(text))
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

    def _call_alias(self, alias: str, level: Level, start: int) -> None:
        command = self.commands.get(alias)
        if not (command and command(self, level, alias, start)):
            self.emit(alias)
            if not alias[-1].isalpha():
                level.skip()

    def _call(self, macro: Macro, name: str, level: Level, start: int) -> None:
        if macro.alias:
            self._call_alias(macro.alias, level, start)
            return
        why = self._refusal(macro, level)
        if not level.depth:
            outputs = len(self.out), self.size
            level.mark = (*outputs, start, level.pos)
            self._call_end = min(MAX_EXPANSIONS, self.counts.expansions + MAX_EXPANSIONS_PER_CALL)
        place = "" if self.silent else place_of(macro, level.text, start, self.meanings)
        arguments = None if why else self.arguments(macro, level, place)
        if arguments is None and macro.earlier and not why:
            self._call(macro.earlier, name, level, start)  # the group of the definition has ended
            return
        if arguments is None:
            self.leave(name, why or "arguments")
            self.emit(name)
            return
        if not level.depth:
            level.mark = (*outputs, start, level.pos)
        self._count(1)
        braced = place != "" and needs_braces(place, macro, self.meanings)
        if braced:
            macro = replace(macro, pieces=("{", *macro.pieces, "}"))
        at_is_letter = macro.at_is_letter or level.at_is_letter
        key = None
        if not self.silent:
            decisive = [*arguments, "{"] if braced else arguments
            key = Memory.key(name, decisive, at_is_letter=at_is_letter)
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
            self.stack[-1].gobble(name, known.text)
        if self.size + known.size > self._limit:
            raise LimitReached("output")
        self._count(known.expansions)
        for each in known.left:
            self.leave(*each)
        self.met_call = True
        self.emit(known.output)
        self.met_call = True
        self.size += known.size - len(known.output)
        if known.text.endswith(_XSPACE):
            self.push(Level(_XSPACE, depth=level.depth + 1))

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
        changes, before = self.memory.changes, self.state()
        if name in macro.words or not macro.words.isdisjoint(level.active):
            frozen = self.reach.cycles(macro, name, level.active)
            if frozen:
                self.guard("recursion")
                for each in frozen:
                    self.leave(each, "recursive")
                macro = freeze(macro, frozen)
        text = substitute(macro, arguments)
        if not macro.parameters:
            self.stack[-1].gobble(name, text)
        size = self.size + self.sealed.size(text)
        if size + len(text) > self._limit:
            raise LimitReached("output")
        self.met_call = True
        started = None
        if key is not None:
            started = Started(key, text, before, changes, level.depth)
        self.size = size
        at_is_letter = macro.at_is_letter or level.at_is_letter
        body = text
        if text.endswith(_XSPACE):  # it looks at what follows, which is not to be remembered
            body = text[: -len(_XSPACE)]
            self.push(Level(_XSPACE, depth=level.depth + 1))
        if self.is_inert(body, at_is_letter=at_is_letter):
            self.emit(body)
            self.met_call = True
            if started is not None:
                self.remember(started)
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
