r"""What macros lead to: which come back to themselves, and which are at work within LaTeX.

Both kinds of calls stay in the text (docs/rules/sources.md 4.6, rules 4 and 9).
"""

import re
from collections.abc import Collection, Mapping

from filters.latex.macros import Macro, uncut_body
from filters.latex.names import PROGRAMMING, PROTECTED
from filters.latex.tokens import CONTROL, CONTROL_AT, FROZEN

_MAX_SEARCHES = 20_000  # looks at macros in a paper
_LOOKS_AHEAD = frozenset({"\\@ifnextchar", "\\kernel@ifnextchar", "\\@ifstar"})
_DEFINERS = (
    *("def", "gdef", "edef", "xdef", "let"),
    *("newcommand", "renewcommand", "DeclareRobustCommand"),
)
_DEFINES = frozenset(f"\\{name}" for name in _DEFINERS)
_DEFINED = re.compile(
    rf"\\(?:{'|'.join(_DEFINERS)})(?![A-Za-z@])\*?[ \t\n]*\{{?[ \t\n]*"
    r"(\\(?:[A-Za-z@]+|[^A-Za-z@]))"
)


def defined_by(macro: Macro) -> set[str]:
    """Return what a call of a macro defines."""
    if macro.words.isdisjoint(_DEFINES):
        return set()
    return set(_DEFINED.findall(uncut_body(macro.pieces)))


def freeze(macro: Macro, names: Collection[str]) -> Macro:
    """Return a macro in whose body some control sequences are never expanded."""
    control = CONTROL_AT if macro.at_is_letter else CONTROL

    def put(match: re.Match[str]) -> str:
        return FROZEN + match[0][1:] if match[0] in names else match[0]

    pieces = tuple(
        control.sub(put, piece) if isinstance(piece, str) else piece for piece in macro.pieces
    )
    return Macro(macro.name, pieces, macro.parameters, macro.at_is_letter)


class Reach:
    """What the macros of one paper lead to.

    Args:
        meanings: of control sequences; what the expander learns is in it.
    """

    def __init__(self, meanings: Mapping[str, object]) -> None:
        self._meanings = meanings
        self._internal: dict[str, bool] = {}
        self._delimiters: set[str] = set()  # control sequences that end arguments
        self._searches = 0

    def learn(self, macro: Macro) -> None:
        """Look at a macro that is being defined, and mark what it does."""
        defined = defined_by(macro)
        macro.grouped = all(each.kind == "mandatory" for each in macro.parameters)
        macro.programs = not macro.words.isdisjoint(PROGRAMMING)
        macro.redefines = not defined.isdisjoint(PROTECTED)
        macro.stores = bool(macro.parameters) and any("@" in name for name in defined)
        if macro.at_is_letter:
            self._internal.clear()
        for parameter in macro.parameters:
            if parameter.kind in {"delimited", "literal"}:
                self._delimiters.update(CONTROL_AT.findall(parameter.text))

    def forget(self) -> None:
        """Some name has no meaning any more."""
        self._internal.clear()

    def is_internal(self, name: str) -> bool:
        r"""Tell a macro that is at work within LaTeX.

        Its expansion would hold internals such as ``\g@addto@macro``: in the body of a paper "@" is
        no letter, and they would be other commands. Or it stores its argument in such a command
        (``\gdef\@keywords{#1}``), from which only internals of a class would fetch it again. Or it
        works on tokens, as with ``\expandafter``.
        """
        known = self._internal.get(name)
        if known is not None:
            return known
        seen, waiting = {name}, [name]
        internal = False
        while waiting and not internal and self._searches < _MAX_SEARCHES:
            self._searches += 1
            macro = self._meanings.get(waiting.pop())
            if not isinstance(macro, Macro):
                continue
            internal = macro.stores or macro.programs or any(map(self._is_stranger, macro.words))
            # One without "@" in its name can stay in the text, if it has to.
            inner = {word for word in macro.words if "@" in word} - seen
            waiting += inner
            seen |= inner
        self._internal[name] = internal
        return internal

    def _is_stranger(self, word: str) -> bool:
        """Tell an internal of LaTeX that is not known here."""
        return (
            "@" in word
            and word not in self._meanings
            and word not in self._delimiters
            and word != "\\@"
        )

    def cycles(self, macro: Macro, name: str, active: frozenset[str]) -> set[str]:
        """Return the calls in a body that would come back to it (rule 4).

        Args:
            macro: whose body is laid.
            name: of the call.
            active: names of the calls around it.
        """
        if not macro.words.isdisjoint(_LOOKS_AHEAD):  # it ends where its arguments end
            return set()
        return {
            word
            for word in macro.words & (active | {name})
            if word == name or self._leads(word, name)
        }

    def _leads(self, name: str, target: str) -> bool:
        """Tell whether the expansion of a macro can come to another."""
        seen, waiting = {name}, [name]
        while waiting:
            self._searches += 1
            if self._searches > _MAX_SEARCHES:
                return True
            macro = self._meanings.get(waiting.pop())
            if not isinstance(macro, Macro):
                continue
            if target in macro.words:
                return True
            waiting += macro.words - seen
            seen |= macro.words
        return False
