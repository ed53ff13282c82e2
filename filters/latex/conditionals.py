r"""Conditionals of TeX: where their branches lie, and those that are decided by their name.

The rules are docs/rules/sources.md 4.4: ``\iffalse``, ``\iftrue``, ``\if0`` and ``\if1`` are
resolved; others stay, but count in the nesting. A text whose nesting is broken is left alone.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from filters.latex.names import NO_FI
from filters.latex.tokens import join, skip_blanks

_TOKENS = re.compile(
    r"\\(?:(if[A-Za-z@]*|else|fi)(?![A-Za-z@])"
    r"|(newif|let|def|gdef|edef|xdef|(?:re)?newcommand|providecommand|DeclareRobustCommand"
    r"|DeclareMathOperator|string|noexpand|protect|ifdefined|meaning|show|undef)(?![A-Za-z@])"
    r"|[^A-Za-z])"
)
_BY_NAME = {"\\iffalse": False, "\\iftrue": True}
# What follows \if where an author wrote the answer: a digit, a word; then nothing that compares.
_WRITTEN = re.compile(r"[ \t]*(?:(false|true)(?![A-Za-z@])|([01])(?![0-9\\]))")
_TWO_DIGITS = re.compile(r"[ \t]*([0-9])([0-9])")
_DEFINED = re.compile(
    r"\\(?:(?:re)?newcommand|providecommand|DeclareRobustCommand|DeclareMathOperator|[gex]?def)"
    r"(?![A-Za-z@])\*?[ \t]*\{?[ \t]*(\\if[A-Za-z@]*)"
)
_TARGET = re.compile(r"\*?[ \t]*\{?[ \t]*\\if[A-Za-z@]*")
_HELD_BACK = re.compile(r"[ \t]*\\(?:if[A-Za-z@]*|else|fi)(?![A-Za-z@])")
_LET = re.compile(r"[ \t]*\\[A-Za-z@]+[ \t]*=?[ \t]*\\[A-Za-z@]+")


@dataclass(slots=True)
class Conditional:
    r"""Where the parts of a conditional begin and end; else_start is -1 where it has no branch."""

    name: str
    start: int  # of the \if
    end: int  # of the \if token
    else_start: int = -1
    fi_start: int = -1
    parent: int = -1  # index of the one around it


def find_conditionals(  # noqa: C901, PLR0912 - a branch for each kind of token
    text: str, commands: Collection[str] = frozenset()
) -> list[Conditional] | None:
    r"""Return the conditionals of a text in order, None where they are not balanced.

    Args:
        text: without comments.
        commands: names that begin with \if and are commands of the paper.
    """
    found: list[Conditional] = []
    stack: list[int] = []
    at = 0
    while match := _TOKENS.search(text, at):
        at = match.end()
        if word := match[2]:
            if word == "let":
                following = _LET.match(text, at)
            elif word == "ifdefined":
                following = None
            elif word in {"protect", "noexpand", "string"}:  # it is written somewhere, not done
                following = _HELD_BACK.match(text, at)
            else:
                following = _TARGET.match(text, at)
            if following:
                at = following.end()
            continue
        word = match[1]
        if not word:
            continue
        if word == "fi":
            if not stack:
                return None
            found[stack.pop()].fi_start = match.start()
        elif word == "else":
            if not stack or found[stack[-1]].else_start >= 0:
                return None
            found[stack[-1]].else_start = match.start()
        elif match[0] not in NO_FI and match[0] not in commands:
            parent = stack[-1] if stack else -1
            stack.append(len(found))
            found.append(Conditional(match[0], match.start(), at, parent=parent))
            if word == "ifdefined":
                at = following.end() if (following := _TARGET.match(text, at)) else at
    return None if stack else found


def defined_commands(text: str) -> set[str]:
    r"""Return names that begin with \if and that a paper defines as commands."""
    return set(_DEFINED.findall(text)) if "\\if" in text else set()


def _decided(text: str, conditional: Conditional) -> tuple[bool, int] | None:
    """Return the answer that is written down, and where it ends; None where none is."""
    if conditional.name in _BY_NAME:
        return _BY_NAME[conditional.name], conditional.end
    if conditional.name != "\\if":
        return None
    if match := _TWO_DIGITS.match(text, conditional.end):
        return match[1] == match[2], match.end()
    if match := _WRITTEN.match(text, conditional.end):
        return (match[1] == "true" or match[2] == "1"), match.end()
    return None


def resolve_conditionals(text: str, commands: Collection[str] = frozenset()) -> str:
    r"""Replace each conditional that is decided by its name by the branch that holds.

    >>> resolve_conditionals(r"\iffalse not there\else here\fi")
    'here'
    """
    if "\\if" not in text or not re.search(r"\\if(?:false|true|[ \t]*(?:[0-9]|false|true))", text):
        return text
    conditionals = find_conditionals(text, commands)
    if not conditionals:
        return text
    cuts: list[tuple[int, int]] = []
    for conditional in conditionals:
        decided = _decided(text, conditional)
        if decided is None:
            continue
        holds, end = decided
        fi_end = skip_blanks(text, conditional.fi_start + len("\\fi"))
        middle = conditional.else_start
        begin = skip_blanks(text, end)
        if holds:
            cuts.append((conditional.start, begin))
            cuts.append((conditional.fi_start if middle < 0 else middle, fi_end))
        elif middle < 0:
            cuts.append((conditional.start, fi_end))
        else:
            cuts.append((conditional.start, skip_blanks(text, middle + len("\\else"))))
            cuts.append((conditional.fi_start, fi_end))
    return _without(text, sorted(cuts))


def _without(text: str, cuts: list[tuple[int, int]]) -> str:
    out: list[str] = []
    done = 0
    for start, end in cuts:
        if start > done:
            out.append(text[done:start])
        done = max(done, end)
    out.append(text[done:])
    return join(out)
