# ruff: noqa: RUF001, RUF002  (minus and multiplication signs)
"""Render templates for amounts of money, powers of ten and groups of digits."""

import re
from typing import Final

from filters.wikipedia.markers import GLUE
from filters.wikipedia.rules import Arguments
from filters.wikipedia.sites import Site

_SUPERSCRIPTS: Final = str.maketrans("+-−0123456789", "⁺⁻⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_EXPONENT: Final = re.compile(r"[+\-−]?\d+")


def render_exponent(given: Arguments, _: Site) -> str:
    """Return the power of ten that follows a number: `4.6{{e|9}}` is 4.6×10⁹."""
    power = given.get("1", "e")
    return f"{GLUE}×10{_raised(power)}" if power else ""


def render_raised(given: Arguments, _: Site) -> str:
    """Return an exponent: `10{{esp|9}}` is 10⁹; letters, as in ordinals, stay unchanged."""
    power = given.get("1")
    return _raised(power) if _EXPONENT.fullmatch(power) else power


def render_gaps(given: Arguments, site: Site) -> str:
    """Return groups of digits: `{{gaps|6.022|14|e=23|u=kg}}` is 6.022 14×10²³ kg."""
    text = given.join()
    if power := given.get("e"):
        text += f"×10{_raised(power)}"
    unit = given.get("u", "ul")
    text = f"{text} {site.units.get(unit, unit)}" if unit and text else text
    return f"{left} = {text}" if (left := given.get("lhs")) and text else text


def render_currency(given: Arguments, site: Site) -> str:
    """Return an amount with the sign of its currency: `{{currency|5|USD}}` is US$5."""
    amount = given.get("1", "amount")
    code = given.get("2", "code", "type")
    sign = site.currencies.get(code.upper(), code)
    if not amount or not sign:
        return amount
    return f"{sign} {amount}" if sign[-1].isalpha() else f"{sign}{amount}"


def _raised(power: str) -> str:
    """Write an exponent of digits as superscripts; put a caret before others, such as "n"."""
    return power.translate(_SUPERSCRIPTS) if _EXPONENT.fullmatch(power) else f"^{power}"
