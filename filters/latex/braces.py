r"""Calls that are an argument without braces: they are found, and what they become gets braces.

The argument of ``\frac\x2``, and a label of Xy-pic such as ``\ar^\x[d]``, is one token. Where the
call becomes several, only the first of them would be the argument (docs/rules/sources.md 4.6, rule
13).
"""

import re
from collections.abc import Mapping
from typing import Literal

from filters.latex.macros import Macro
from filters.latex.tokens import Reader, near_closing

Place = Literal["", "argument", "script", "label"]
_NEAR = 200  # characters before a call that are looked at
_MAX_LOOKS = 5  # at what macros mean that are nothing but another macro


def _names(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Macros of LaTeX and its packages: they take one token before it is expanded.
_TAKE_ONE = _names(
    r"""
    mathrm mathbf mathit mathsf mathtt mathcal mathbb mathfrak mathscr mathnormal boldsymbol
    textbf textit texttt textrm textsf textsc textsl textup textmd textnormal text emph mbox
    operatorname frac dfrac tfrac cfrac binom inferrule
    """
)
# Those that end in a primitive, which expands what follows, as ^ and _ do.
_TAKE_FIELD = _names(
    r"""
    hat bar tilde vec dot ddot check breve acute grave widehat widetilde overline underline sqrt
    overrightarrow overleftarrow overbrace underbrace
    """
)
_TAKE_MORE = re.compile(
    r"\\(?:[dtc]?frac|binom|inferrule\*?[ \t\n]*(?:\[[^\[\]]*\])?)[ \t\n]*(?:\{[^{}]*\})?\Z"
)
_LABEL = re.compile(r"[\^_|][-<>]*(?:\([^()]*\))?\Z")
_CELL = re.compile(r"&|\\\\")
_ARROW = re.compile(r"\\ar(?![A-Za-z])")
_ONE_TOKEN = re.compile(r"\\(?:[A-Za-z@]+|[^A-Za-z])\Z|[^\\{}]\Z")


def place_of(macro: Macro, text: str, start: int, meanings: Mapping[str, object]) -> Place:
    """Tell whether a call is an argument without braces, and of which kind.

    Args:
        macro: what is called.
        text: the text that the call stands in.
        start: the place in it where the call begins.
        meanings: what the control sequences of the paper mean.

    Returns:
        "argument" after a macro that takes one token before it is expanded, "script" after one that
        expands what follows, "label" in an arrow of Xy-pic, and "" elsewhere. A call that takes an
        optional argument can only be a label; one that takes others is given "".
    """
    option = bool(macro.parameters)
    if option and (len(macro.parameters) > 1 or macro.parameters[0].kind != "optional"):
        return ""
    before = text[max(start - _NEAR, 0) : start].rstrip(" \t\n")
    last = before[-1:]
    if "\\ar" in before and "\\ar" not in meanings and _LABEL.search(before) and _in_arrow(before):
        return "label"
    if option:
        return ""
    if last in {"^", "_"}:
        return "" if before[-2:-1] == "\\" else "script"
    if last.isalpha():
        word = before[before.rfind("\\") + 1 :] if "\\" in before else ""
        return "argument" if word in _TAKE_ONE else "script" if word in _TAKE_FIELD else ""
    return "argument" if last in {"*", "]", "}"} and _TAKE_MORE.search(before) else ""


def _in_arrow(before: str) -> bool:
    r"""Tell whether the last cell has an ``\ar`` of Xy-pic, all groups after it closed."""
    cell = _CELL.split(before)[-1]
    arrow = _ARROW.search(cell)
    return arrow is not None and cell.count("{", arrow.end()) == cell.count("}", arrow.end())


def needs_braces(place: Place, macro: Macro, meanings: Mapping[str, object]) -> bool:
    """Tell whether what a call becomes needs braces, so that it stays one argument.

    Args:
        place: the kind of argument that the call is, from `place_of`.
        macro: what is called.
        meanings: what the control sequences of the paper mean.
    """
    for _ in range(_MAX_LOOKS):
        body = "".join(piece for piece in macro.pieces if isinstance(piece, str))
        body = body.strip().removesuffix("\\xspace").rstrip()
        known = meanings.get(body)
        if not isinstance(known, Macro) or known.parameters:
            break
        macro = known
    if not body or _ONE_TOKEN.match(body):
        return False
    if body[0] == "{" and near_closing(body, 0) == len(body) - 1:
        return False
    return place != "script" or _is_one_command(body)


def _is_one_command(body: str) -> bool:
    """Tell whether a body is a command with its arguments in braces and nothing else."""
    reader = Reader(body)
    if len(reader.control()) < len("\\ab"):
        return False
    reader.take("*")
    while reader.option() is not None:
        pass
    groups = 0
    while reader.group() is not None:
        groups += 1
    return groups > 0 and reader.pos == len(body)
