r"""The expansion of a paper's macros: its files are read in the order in which TeX reads them.

The expander stands on a stack of texts. At the bottom is the main file; a file that ``\input``
names, and what a call of a macro becomes, are laid on top and read next. What it reads and knows
nothing about it copies as it was written, character for character. Before ``\begin{document}`` it
writes nothing and only learns definitions. The rules are docs/rules/sources.md 4.5 and 4.6; what
the commands do that it knows is in ``commands``.
"""

import re
from collections.abc import Callable
from typing import TypeAlias

from filters.latex.arguments import read_argument
from filters.latex.counts import Counts, LimitReached
from filters.latex.definitions import Environment
from filters.latex.inputs import Files
from filters.latex.levels import Level
from filters.latex.macros import Macro, substitute
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
_MAX_SEARCHES = 5_000  # for a cycle among macros
_ENDS_ENVIRONMENT = re.compile(r"\\(?:begin|end)\{[^{}]*\}(?:\[[^\]]*\])?\s*\Z")
_LOOKS_AHEAD = frozenset({"\\@ifnextchar", "\\kernel@ifnextchar", "\\@ifstar"})
_BREAKS = ("\\begin", "\\end", "\\[", "\\]", "\\item", "$$", "\\section", "\\subsection")
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
        self.silent = True
        self.document = False  # \begin{document} was met
        self.stack: list[Level] = []
        self.out: list[str] = []
        self.size = 0
        self.included_size = 0  # characters of the files that were included
        self.gobbled = False  # blanks after the last call were skipped
        self.late: set[str] = set()  # macros that were first defined in the body
        self.loaded: set[str] = set()  # styles
        self._word = False  # the output ends in a control word
        self._work = 0
        self._failures = 0
        self._searches = 0
        self._limit = GROWTH * files.size() + SPARE
        self._call_end = 0
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
        if "\\" not in text:
            return text
        kept = self.out, self.size, self._word, self.silent, self._floor
        self.out, self._word, self.silent = [], False, False
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
            self.out, self.size, self._word, self.silent, self._floor = kept

    def push(self, level: Level) -> None:
        """Lay a text on the stack: it is read next."""
        self._work += len(level.text)
        if self._work > 10 * self._limit:
            raise LimitReached("work")
        self.stack.append(level)

    def stop(self) -> None:
        """Read no more."""
        for level in self.stack:
            level.pos = len(level.text)

    def emit(self, text: str) -> None:
        """Write a text, with a space where a letter would prolong the control word before it."""
        if self.silent or not text:
            return
        if self._word and text[0].isalpha() and text[0].isascii():
            self.out.append(" ")
        self.out.append(text)
        self.size += len(text)
        self._word = text[-1].isalpha() and ends_in_word(text)

    def settle(self) -> Level:
        """Return the level that the next argument is read from: those that are read up go."""
        while True:
            level = self.stack[-1]
            if not level.depth or len(self.stack) <= self._floor + 1:
                return level
            if skip_blanks(level.text, level.pos) < len(level.text):
                return level
            self.stack.pop()

    def define(self, macro: Macro) -> None:
        """Learn a macro."""
        self.counts.definitions += 1
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
            except LimitReached as limit:
                self.counts.guards[str(limit)] += 1
                self._go_back(floor)

    def _step(self, level: Level) -> bool:
        """Read a level until something is to be done; True at its end."""
        text, begin = level.text, level.pos
        meanings, silent, definers = self.meanings, self.silent, self.definers
        for match in (CONTROL_AT if level.at_is_letter else CONTROL).finditer(text, begin):
            meaning = meanings.get(match[0])
            if meaning is None:
                continue
            name, start = match[0], match.start()
            if isinstance(meaning, Macro):
                if silent and name not in definers:
                    continue
                self.emit(text[begin:start])
                level.pos = match.end()
                self._call(meaning, name, level, start)
                return False
            level.pos = match.end()
            self.emit(text[begin:start])
            if not meaning(self, level, name, start):
                self.emit(name)
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
        outputs, self.size, start, end, word = level.mark
        del self.out[outputs:]
        self._word = bool(word)
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
        counts = self.counts
        why = self._refusal(macro, level)
        outputs = (len(self.out), self.size, start, level.pos, int(self._word))
        if not level.depth:
            level.mark = outputs
            self._call_end = counts.expansions + MAX_EXPANSIONS_PER_CALL
        arguments = None if why else self.arguments(macro, level)
        if arguments is None:
            counts.left[name, why or "arguments"] += 1
            self.emit(name)
            return
        counts.expansions += 1
        if not level.depth:
            level.mark = (*outputs[:3], level.pos, outputs[4])
        if counts.expansions >= min(MAX_EXPANSIONS, self._call_end):
            raise LimitReached("expansions")
        if not self.lay(macro, arguments, level, key=name).strip():
            level.forget_line(start)

    def _refusal(self, macro: Macro, level: Level) -> str:
        """Return why a call is left alone before its arguments are looked at, "" if it is not."""
        if macro.unsupported:
            return macro.unsupported
        if level.depth >= MAX_DEPTH:
            self.counts.guards["depth"] += 1
            return "depth"
        exhausted = self.counts.expansions >= MAX_EXPANSIONS or self.size > self._limit
        return "limit" if exhausted else ""

    def lay(self, macro: Macro, arguments: list[str], level: Level, *, key: str) -> str:
        """Lay what a macro becomes on the stack, and return it."""
        macro = self._without_cycles(macro, key, level.active)
        text = substitute(macro, arguments)
        self.gobbled = False
        if not macro.parameters and key[-1].isalpha() and key[0] == "\\":
            self._gobble(text)
        if self.size + len(text) + self.sealed.size(text) > self._limit:
            raise LimitReached("output")
        self.size += self.sealed.size(text)
        self.push(
            Level(
                text,
                depth=level.depth + 1,
                active=level.active | {key},
                at_is_letter=macro.at_is_letter or level.at_is_letter,
                path=level.path,
                folder=level.folder,
            )
        )
        return text

    def _gobble(self, text: str) -> None:
        """Skip the blanks after a control word, as TeX does (rule 1)."""
        level = self.stack[-1]
        at = skip_blanks(level.text, level.pos)
        if "\n" in level.text[level.pos : at] and (
            _ENDS_ENVIRONMENT.search(text[-_TAIL:]) or level.text.startswith(_BREAKS, at)
        ):
            return  # after \begin{...}, and before it, a line end sets nothing: it stays
        self.gobbled = at > level.pos
        level.pos = at

    def _without_cycles(self, macro: Macro, key: str, active: frozenset[str]) -> Macro:
        """Return a macro in which calls that would come back to themselves are frozen (rule 4)."""
        if not macro.words.isdisjoint(_LOOKS_AHEAD):  # it ends where its arguments end
            return macro
        frozen = {
            name
            for name in macro.words & (active | {key})
            if name == key or self._reaches(name, key)
        }
        if not frozen:
            return macro
        self.counts.guards["recursion"] += 1
        for name in frozen:
            self.counts.left[name, "recursive"] += 1
        control = CONTROL_AT if macro.at_is_letter else CONTROL

        def freeze(match: re.Match[str]) -> str:
            return FROZEN + match[0][1:] if match[0] in frozen else match[0]

        pieces = tuple(
            control.sub(freeze, piece) if isinstance(piece, str) else piece
            for piece in macro.pieces
        )
        return Macro(macro.name, pieces, macro.parameters, macro.at_is_letter)

    def _reaches(self, name: str, target: str) -> bool:
        """Tell whether the expansion of a macro can come to another."""
        seen, waiting = {name}, [name]
        while waiting:
            self._searches += 1
            if self._searches > _MAX_SEARCHES:
                return True
            macro = self.meanings.get(waiting.pop())
            if not isinstance(macro, Macro):
                continue
            if target in macro.words:
                return True
            waiting += macro.words - seen
            seen |= macro.words
        return False

    def arguments(self, macro: Macro, level: Level) -> list[str] | None:
        """Read the arguments of a call; None, and all is as it was, where they are not there."""
        if not macro.parameters:
            return []
        places = [(level, level.pos)]
        found: list[str] = []
        for parameter in macro.parameters:
            reader = self.settle()
            if parameter.kind == "delimited" and not found and macro.name[-1].isalpha():
                reader.skip()
            if all(reader is not other for other, _ in places):
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
