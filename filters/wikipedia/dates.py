"""Render templates for dates with the name of the month, in the order of the language.

The `words` of a language's data hold "months", the names of the months in a date; "months alone",
if the names differ outside a date; "date", the order, such as `{day}. {month} {year}`; and "first
day", if the first day of a month is written in another way.
"""

import re
from typing import Final

from filters.wikipedia.rules import Arguments
from filters.wikipedia.sites import Site

_DIGIT: Final = re.compile(r"\d")
_YEAR: Final = re.compile(r"\d{3,4}")
_SMALL: Final = re.compile(r"\d{1,2}")
_MONTH: Final = re.compile(r"\d{1,2}|[^\W\d_]{3,}\.?")
_ISO: Final = re.compile(r"(\d{4})-(\d{1,2})(?:-(\d{1,2}))?")
_NO: Final = frozenset({"", "n", "no", "0"})
_MONTHS: Final = 12


def render_date(given: Arguments, site: Site) -> str:
    """Return day, month and year; arguments after them are not part of the date.

    Arguments that are not a year, month and day in a usual order stay in the order given.
    """
    values = given.positional
    weekday = bool(values and values[0]) and not _DIGIT.search(values[0]) and len(values) > 3
    american = site.lang == "en" and given.get("df").lower() in _NO
    return _named(values[:3], site, american=american) or given.join(last=4 if weekday else 3)


def render_as_of(given: Arguments, site: Site) -> str:
    """Return the text of `{{as of|2019|8}}`, "As of August 2019"."""
    if alternative := given.get("alt"):
        return alternative
    american = given.get("df").lower() == "us"
    date = _named(given.positional[:3], site, american=american) or given.join(last=3)
    words = "Since" if given.get("since") else "As of"
    return f"{words.lower() if given.get('lc') else words} {date}" if date else ""


def render_age(given: Arguments, site: Site) -> str:
    """Return the years between two dates, each given as year, month and day.

    The age since a single date depends on the day of reading, so a single date stays a date.
    """
    values = given.positional[:6]
    if len(values) == 6 and all(re.fullmatch(r"[0-9]{1,4}", value) for value in values):
        born, then = [int(v) for v in values[:3]], [int(v) for v in values[3:]]
        return str(then[0] - born[0] - (then[1:] < born[1:]))
    return render_date(given, site)


def _named(values: list[str], site: Site, *, american: bool) -> str:
    """Return a date with the name of the month, or "" if the values are not a numeric date."""
    if len(values) == 1 and (iso := _ISO.fullmatch(values[0])):
        values = [part or "" for part in iso.groups()]
    match [*values, "", "", ""][:3]:
        case [year, month, day] if _YEAR.fullmatch(year) and _MONTH.fullmatch(month):
            pass
        case [day, month, year] if _YEAR.fullmatch(year) and _SMALL.fullmatch(month):
            pass
        case _:
            return ""
    if day and not _SMALL.fullmatch(day):
        return ""
    if _SMALL.fullmatch(month):
        number = int(month)
        months = site.words.get("months", "").split("|")
        if not 0 < number <= _MONTHS == len(months):
            return ""
        alone = site.words.get("months alone", "").split("|")
        month = (alone if not day and len(alone) == _MONTHS else months)[number - 1]
    if not day:
        return f"{year}. {month}" if site.words.get("year first") else f"{month} {year}"
    day = day.lstrip("0") or day
    if day == "1":
        day = site.words.get("first day", day)
    pattern = "{month} {day}, {year}" if american else site.words.get("date", "")
    return (pattern or "{day} {month} {year}").format(day=day, month=month, year=year)
