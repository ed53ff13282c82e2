"""Render templates for numbers with units, powers, uncertainties, fractions and conversions.

Each function is a family of `filters.wikipedia.rules`: it takes the arguments of a template and the
site, and returns the text of the template, or "" for nothing. No digit that is given as a part of
the value is lost, and the marks of a number become those of the language
(`filters.wikipedia.numerals`). Conversions are left out, since they repeat the same value.
"""

import re
from collections.abc import Sequence
from typing import Final

from filters.wikipedia.numerals import local_number
from filters.wikipedia.rules import Arguments
from filters.wikipedia.scripts import power as superscript
from filters.wikipedia.scripts import raised
from filters.wikipedia.sites import Site

_SCALE: Final = re.compile(r"e(3|6|9|12)(?=[^\W\d]|$)")
_POWER: Final = re.compile(r"(?<=[^\W\d])(-?[2-4])$")
_MAX_UNIT_CHARS: Final = 40  # a longer text is not a code; parts of a code are resolved recursively
_DIGIT: Final = re.compile(r"\d")
_UNIT_POWER: Final = re.compile(r"[-−]?\d{1,2}")  # noqa: RUF001  (a minus sign)
# An uncertainty of the last digits, as in 1.00794(7).
_LAST_DIGITS: Final = re.compile(r"\([0-9.,]+\)")
# Units that `convert` accepts with a second, smaller one: `{{convert|5|ft|10|in|cm}}`.
_COMPOUNDS: Final = frozenset(
    {("ft", "in"), ("yd", "ft"), ("mi", "yd"), ("mi", "ft"), ("st", "lb"), ("lb", "oz")}
)
_TIMES_TEN: Final = "×10"  # noqa: RUF001  (the multiplication sign)
_MINUS: Final = "−"  # noqa: RUF001  (a minus sign)
_UNSPACED: Final = frozenset({"%", "°", "′", "″"})  # noqa: RUF001  (units without a blank)


def number(given: Arguments, site: Site) -> str:
    """Return a number and its unit: `{{unité|892|km|2}}` is 892 km²."""
    if not given.positional or not given.positional[0]:
        return ""
    value, *units = given.positional
    unit = ""
    for part in units:
        if _UNIT_POWER.fullmatch(part):  # the power of the unit before it
            unit += "" if part == "1" else raised(part) or part
        elif part:
            unit += " " + part
    unit = unit.strip() or given.get("unit", "unité", "u", "ul")
    value = local_number(value, site.lang)
    if exponent := given.get("e", "É"):
        value += _times_ten(exponent)
    text = given.get("prefix") + value + given.get("suffix")
    return f"{text} {unit_text(unit, site)}" if unit else text


def val(given: Arguments, site: Site) -> str:
    """Return a number or a range for `val`, with uncertainties and the unit by name.

    With a power of ten, brackets enclose a number and its uncertainty.
    """
    exponent = given.get("e")
    parts = given.positional or [""]
    at = next((i for i, part in enumerate(parts) if i and part in site.range_words), len(parts))
    text = _measured(parts[:at], exponent, given.get("err"), site)
    while text and at + 1 < len(parts):
        between, start = site.range_words[parts[at]], at + 1
        at = next((i for i in range(start, len(parts)) if parts[i] in site.range_words), len(parts))
        text += between + _measured(parts[start:at], exponent, "", site)
    if not text:
        return ""
    unit, per = given.get("u", "ul"), given.get("up", "upl")
    unit = unit_text(unit, site) if unit else ""
    unit += f"/{unit_text(per, site)}" if per else ""
    text = given.get("p") + text + given.get("s", "end")
    return f"{text}{'' if unit in _UNSPACED else ' '}{unit}" if unit else text


def _measured(parts: Sequence[str], exponent: str, error: str, site: Site) -> str:
    """Return a number with its uncertainty and its power of ten."""
    value, above, below = [*parts, "", "", ""][:3]
    if not value:
        return f"10{superscript(exponent)}" if exponent else ""
    spread = _spread(above or error, below, site)
    exact = not spread or spread.startswith("(")
    value = local_number(value, site.lang) + (spread if exact or not below else f" {spread}")
    if not exponent:
        return value
    return (value if exact else f"({value})") + _times_ten(exponent)


def _spread(above: str, below: str, site: Site) -> str:
    """Return an uncertainty: in brackets for the last digits, as ±, or for each side."""
    if _LAST_DIGITS.fullmatch(above):
        return above + (below if _LAST_DIGITS.fullmatch(below) else "")
    above, below = local_number(above, site.lang), local_number(below, site.lang)
    if above and below:
        return f"+{above.lstrip('+')} {_MINUS}{below.lstrip('-' + _MINUS)}"
    return f"±{above.removeprefix('±')}" if above else ""


def quantity(given: Arguments, site: Site) -> str:
    """Return a number with a prefixed unit: `{{M|32,7|k|m}}` is 32,7 km ("-" is no prefix)."""
    value = local_number(given.get("1"), site.lang)
    prefix = given.get("2")
    unit = ("" if prefix == "-" else prefix) + given.get("3") or given.get("ul", "u", "um")
    if value and (exponent := given.get("e")):
        value += _times_ten(exponent)
    return f"{value} {unit_text(unit, site)}" if value and unit else value


def power(given: Arguments, site: Site) -> str:
    """Return a power of ten: `{{exp|1,3|-5}}` is 1,3 times 10⁻⁵, `{{exp|6}}` is 10⁶."""
    match given.positional:
        case [exponent] if exponent:
            return f"10{superscript(exponent)}"
        case [value, exponent, *_] if exponent:
            return local_number(value, site.lang) + _times_ten(exponent)
        case _:
            return given.get("1")


def _times_ten(exponent: str) -> str:
    return _TIMES_TEN + superscript(exponent)


def fraction(given: Arguments, _: Site) -> str:
    """Return a fraction: `{{frac|2}}` is 1/2, `{{frac|3|4}}` 3/4 and `{{frac|1|3|4}}` 1 3/4."""
    match given.positional:
        case [under] if under:
            return f"1/{under}"
        case [over, under] if over and under:
            return f"{over}/{under}"
        case [whole, over, under] if over and under:
            return f"{whole} {over}/{under}".strip()
        case _:
            return given.join()


def convert(given: Arguments, site: Site) -> str:
    """Return the value or the range of values and its unit; the conversion is left out."""
    values = given.positional
    if not values or not _DIGIT.search(values[0]):
        return ""
    first = _value(values[0], site)
    text, at = first, 1
    while at + 1 < len(values) and values[at] in site.range_words:
        text += site.range_words[values[at]] + _value(values[at + 1], site)
        at += 2
    if at >= len(values) or not values[at]:
        return text
    code = values[at]
    one = text in {"1", "-1", f"{_MINUS}1"} or given.get("adj") in {"on", "mid"}
    unit = unit_text(code, site, one=one)
    text += unit if unit in _UNSPACED else f" {unit}"
    rest = values[at + 1 :]
    if len(rest) > 1 and (code, rest[1]) in _COMPOUNDS and _DIGIT.search(rest[0]):
        text += f" {_value(rest[0], site)} {unit_text(rest[1], site)}"
        rest = rest[2:]
    if given.get("adj") == "mid" and rest and rest[-1]:
        text += f" {rest[-1].lstrip('-').lstrip()}"  # `-high`, as in "a 204 m high tower"
    return text


def _value(text: str, site: Site) -> str:
    """Return a value of `convert`: `1+1/2` is one and a half, `1//2` a half."""
    if "/" in text:
        return text.replace("//", "/").replace("+", " ").strip()
    return local_number(text, site.lang)


def unit_text(code: str, site: Site, *, one: bool = False) -> str:
    """Return the text of a unit; an unknown code gets superscripts for its powers."""
    if (known := site.units.get(code)) is not None:
        singular, _, plural = known.partition("|")
        return singular if one or not plural else plural
    if len(code) > _MAX_UNIT_CHARS:
        return code
    scale = _SCALE.match(code)
    if scale and scale[0] in site.scales:
        rest = code[scale.end() :]
        return f"{site.scales[scale[0]]} {unit_text(rest, site)}".strip()
    over, slash, under = code.partition("/")
    if slash and over and under:
        return f"{unit_text(over, site)}/{unit_text(under, site, one=True)}"
    return _POWER.sub(lambda match: raised(match[0]) or match[0], code)
