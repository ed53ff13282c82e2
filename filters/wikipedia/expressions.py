"""Evaluate the arithmetic of `#expr` and `#ifexpr` that templates for running text use.

This module knows numbers, `+ - * / ^ mod`, `round`, comparisons, `and`, `or`, `not`, `abs`,
`trunc`, `floor`, `ceil` and brackets, with MediaWiki's precedence. Only brackets and signs recurse,
and their depth is limited.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Final

MAX_CHARS: Final = 500  # per expression
_MAX_DEPTH: Final = 20  # of nested brackets and signs
_LARGEST_POWER: Final = 1000.0
_TOKEN: Final = re.compile(
    r"\s*(?:(\d+(?:\.\d*)?(?:e[+-]?\d+)?|\.\d+)|([a-z]+)|(!=|<>|<=|>=|[-+*/^()=<>]))", re.IGNORECASE
)
_UNARY: Final[Mapping[str, Callable[[float], float]]] = {
    "+": float,
    "-": lambda value: -value,
    "abs": abs,
    "ceil": math.ceil,
    "floor": math.floor,
    "not": lambda value: float(not value),
    "sqrt": math.sqrt,
    "trunc": math.trunc,
}


def _power(base: float, exponent: float) -> float:
    if abs(exponent) > _LARGEST_POWER:
        raise OverflowError
    return math.pow(base, exponent)


def _round(value: float, digits: float) -> float:
    """Round halves away from zero, as PHP does."""
    scale = 10.0 ** int(max(-15, min(15, digits)))
    return math.copysign(math.floor(abs(value) * scale + 0.5) / scale, value)


# The operators in order of precedence, from the weakest to the strongest.
_BINARY: Final[tuple[Mapping[str, Callable[[float, float], float]], ...]] = (
    {"or": lambda a, b: float(bool(a or b))},
    {"and": lambda a, b: float(bool(a and b))},
    {
        "=": lambda a, b: float(a == b),
        "!=": lambda a, b: float(a != b),
        "<>": lambda a, b: float(a != b),
        "<": lambda a, b: float(a < b),
        ">": lambda a, b: float(a > b),
        "<=": lambda a, b: float(a <= b),
        ">=": lambda a, b: float(a >= b),
    },
    {"round": _round},
    {"+": lambda a, b: a + b, "-": lambda a, b: a - b},
    {
        "*": lambda a, b: a * b,
        "/": lambda a, b: a / b,
        "mod": lambda a, b: math.fmod(int(a), int(b)),
    },
    {"^": _power},
)


def calculate(expression: str) -> float | None:
    """Return the value of an expression, 0 for an empty one, or None for an invalid one.

    >>> calculate("2 + 3 * 4 round 0"), calculate("1 < 2 and not 0"), calculate("1 +")
    (14.0, 1.0, None)
    """
    text = expression.replace("−", "-").replace("&minus;", "-")  # noqa: RUF001  (a minus sign)
    if not text.strip():
        return 0.0
    if len(text) > MAX_CHARS:
        return None
    tokens: list[str] = []
    position = 0
    while position < len(text.rstrip()):
        match = _TOKEN.match(text, position)
        if not match:
            return None
        tokens.append(match[match.lastindex or 0].lower())
        position = match.end()
    try:
        reader = _Reader(tokens)
        value = reader.binary(0)
    except (ArithmeticError, LookupError, ValueError):
        return None
    return value if reader.at_end and math.isfinite(value) else None


def show_number(value: float) -> str:
    """Return a number as `#expr` shows it.

    >>> show_number(3.0), show_number(0.1 + 0.2)
    ('3', '0.3')
    """
    return f"{value:.14g}" if value else "0"


class _Reader:
    """A reader of the tokens of an expression, from left to right."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    @property
    def at_end(self) -> bool:
        """Whether all tokens have been read."""
        return self._at == len(self._tokens)

    def binary(self, level: int) -> float:
        """Read operands and the operators between them of at least this precedence."""
        if level == len(_BINARY):
            return self._operand()
        value = self.binary(level + 1)
        while not self.at_end and (operate := _BINARY[level].get(self._tokens[self._at])):
            self._at += 1
            value = operate(value, self.binary(level + 1))
        return value

    def _operand(self) -> float:
        word = self._next()
        if word[0].isdigit() or word[0] == ".":
            return float(word)
        if word == "pi":
            return math.pi
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ValueError(word)
        if word == "(":
            value = self.binary(0)
            if self._next() != ")":
                raise ValueError(word)
        else:
            value = float(_UNARY[word](self._operand()))
        self._depth -= 1
        return value

    def _next(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1]
