r"""Macros: a body with parameters, and what a call of it becomes.

A body is kept in pieces, cut at its parameters, and is never a pattern: ``\1``, ``\g`` and ``#`` in
it are themselves (docs/rules/sources.md 4.6, rule 3).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from filters.latex.tokens import CONTROL, CONTROL_AT, join, join_expanded

Kind = Literal["mandatory", "optional", "star", "delimited", "literal"]
_HASHES = re.compile(r"\\[\s\S]|#(#|[1-9])")
NO_VALUE = "-NoValue-"  # what xparse gives for an optional argument that is not there


class Parameter(NamedTuple):
    """One argument that a call takes, or the text that must stand between two."""

    kind: Kind
    text: str = ""  # the default of an optional one; the delimiter; the literal text


@dataclass(slots=True)
class Macro:
    """What a control sequence of a paper means."""

    name: str
    pieces: tuple[str | int, ...]
    parameters: tuple[Parameter, ...] = ()
    at_is_letter: bool = False  # where it was defined, "@" was a letter
    alias: str = ""  # \let to something that the paper does not define
    unsupported: str = ""  # why calls are left alone
    words: frozenset[str] = field(default_factory=frozenset)  # control sequences of the body
    earlier: "Macro | None" = None  # what the name meant before, with other arguments
    programs: bool = False  # it works on tokens, as with \expandafter
    redefines: bool = False  # a call gives a name of LaTeX a new meaning
    grouped: bool = False  # all its arguments are undelimited and mandatory
    stores: bool = False  # a call puts its argument into a macro with "@" in its name


def cut_body(body: str) -> tuple[str | int, ...]:
    """Cut a body at its parameters; ``##`` becomes ``#``.

    >>> cut_body("(#1,##2)")
    ('(', 1, ',#2)')
    """
    pieces: list[str | int] = []
    text = ""
    done = 0
    for match in _HASHES.finditer(body):
        if not match[1]:
            continue
        text += body[done : match.start()]
        done = match.end()
        if match[1] == "#":
            text += "#"
            continue
        if text:
            pieces.append(text)
            text = ""
        pieces.append(int(match[1]))
    text += body[done:]
    return (*pieces, text) if text else tuple(pieces)


def uncut_body(pieces: Sequence[str | int]) -> str:
    """Return the body that was cut into pieces, with ``#1`` for its first parameter.

    >>> uncut_body(("(", 1, ")"))
    '(#1)'
    """
    return "".join(piece if isinstance(piece, str) else f"#{piece}" for piece in pieces)


def make_macro(
    name: str, parameters: Sequence[Parameter], body: str, *, at_is_letter: bool = False
) -> Macro | None:
    """Return the macro of a definition, None if its body uses a parameter that it has not."""
    pieces = cut_body(body)
    count = sum(parameter.kind != "literal" for parameter in parameters)
    if any(isinstance(piece, int) and piece > count for piece in pieces):
        return None
    words = frozenset((CONTROL_AT if at_is_letter else CONTROL).findall(body))
    return Macro(name, pieces, tuple(parameters), at_is_letter, words=words)


def substitute(macro: Macro, arguments: Sequence[str]) -> str:
    """Return the body with the arguments in place of its parameters."""
    if not macro.parameters:
        if len(macro.pieces) == 1:
            return str(macro.pieces[0])
        return join([piece for piece in macro.pieces if isinstance(piece, str)])
    return join_expanded(
        [piece if isinstance(piece, str) else arguments[piece - 1] for piece in macro.pieces]
    )
