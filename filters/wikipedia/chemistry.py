# ruff: noqa: RUF001  (minus signs)
"""Render chemical formulas: ``{{chem|CO|3|2-}}`` and ``{{chem2|CO3(2-)}}`` are both CO₃²⁻.

The arguments of the first template are elements and, between them, the subscripts; the second
takes the formula in the form that people type (docs/rules/sources.md 2.3).
"""

import re
from typing import Final

from filters.wikipedia.rules import Arguments
from filters.wikipedia.scripts import lowered, raised

_COUNT: Final = re.compile(r"[0-9]*[nmxy]?(?:[+\-−][0-9])?")
_CHARGE: Final = re.compile(r"[0-9n]*[+\-−–]")
_TYPED_CHARGE: Final = re.compile(r"\(([0-9]*[+\-−])\)|(?<=[\w)\]])([+\-−])(?=[\s,;)]|$)")
_TYPED_COUNT: Final = re.compile(r"(?<=[A-Za-z)\]])([0-9]+)")


def chemical_formula(given: Arguments) -> str:
    """Return a formula with its numbers as subscripts and its charges as superscripts.

    >>> chemical_formula(Arguments([(None, "Si"), (None, "4"), (None, "4-")]))
    'Si₄⁴⁻'
    >>> chemical_formula(Arguments([(None, "Fe2(SO4)3 + Fe(3+)")]))
    'Fe₂(SO₄)₃ + Fe³⁺'
    """
    parts = [part for part in given.positional if part]
    if len(parts) == 1:
        return _typed(parts[0])
    out: list[str] = []
    for part in parts:
        if _CHARGE.fullmatch(part):
            out.append(raised(part) or part)
        elif _COUNT.fullmatch(part):
            # A number at the start is the mass of an isotope.
            out.append((lowered(part) if out else raised(part)) or part)
        else:
            out.append(part)
    return "".join(out)


def _typed(text: str) -> str:
    text = _TYPED_CHARGE.sub(lambda match: raised(match[1] or match[2]) or match[0], text)
    return _TYPED_COUNT.sub(lambda match: lowered(match[1]) or match[1], text)
