# ruff: noqa: RUF001, RUF002  (minus signs, and those of minutes)
"""Render templates for places: countries by their codes, coordinates and densities."""

import re
from typing import Final

from filters.wikipedia.rules import Arguments
from filters.wikipedia.sites import Site

_NUMBER: Final = re.compile(r"[+\-−]?\d+(?:[.,]\d+)?")
_SIGNS: Final = ("°", "′", "″")
_FEW: Final = 10  # per area; from here on a density has no decimal
_LETTER: Final = re.compile(r"[^\W\d]")
_NAMES: Final = ("name", "nom", "nombre", "nome", "название", "назва", "nazwa", "naziv")


def render_country(given: Arguments, site: Site) -> str:
    """Return the name of a country, as given or by its code of three letters."""
    if name := given.get(*_NAMES):
        return name
    code = given.get("1", "country", "pays", "land")
    return site.countries.get(code, code)


def render_coordinates(given: Arguments, _: Site) -> str:
    """Return latitude and longitude as text, or "" for those shown beside the page's title.

    `{{coord|12|19|N|70|1|W}}` is 12°19′N 70°1′W, `{{coord|12.3|-70}}` is 12.3°N 70°W.
    """
    display = given.get("display")
    if display and "inline" not in display and "i" not in display.split(","):
        return ""
    angles: list[str] = []
    numbers: list[str] = []
    for value in given.positional:
        if _NUMBER.fullmatch(value):
            numbers.append(value)
        elif len(value) == 1 and _LETTER.match(value) and 0 < len(numbers) <= len(_SIGNS):
            angles.append("".join(map(str.__add__, numbers, _SIGNS)) + value)
            numbers = []
        else:
            break  # a type or a scale
    if not angles and len(numbers) == 2:
        return " ".join(map(_signed, numbers, ("NS", "EW")))
    return " ".join(angles) if len(angles) == 2 and not numbers else ""


def _signed(number: str, letters: str) -> str:
    digits = number.lstrip("+-−")
    return f"{digits}°{letters[number[0] in '-−']}"


def render_density(given: Arguments, site: Site) -> str:
    """Return inhabitants per area: `{{pop density|5000|100|km2}}` is 50/km²."""
    try:
        people, area = (float(given.get(place).replace(",", "")) for place in "12")
        density = people / area
        digits = int(given.get("prec") or (density < _FEW))
    except (ValueError, ZeroDivisionError, OverflowError):
        return ""
    unit = given.get("3")
    return f"{density:,.{min(max(digits, 0), 9)}f}/{site.units.get(unit, unit)}"
