"""What the header of a Project Gutenberg text states: title, language, date, number, rights."""

import re
from typing import Final

HEADER_LINES: Final = 600  # in which it is looked for, as the envelope is
_FIELD: Final = re.compile(
    r"^(title|author|language|release date|posting date|editor|translator)[ \t]*:[ \t]*"
    r"(\S.*)((?:\n(?![A-Za-z][A-Za-z ]*:|\*)[ \t]*\S.*){0,8})$",  # and further lines of a value
    re.IGNORECASE | re.MULTILINE,
)
_LONG: Final = ("title", "author")  # fields whose values go on in the next lines
_NUMBER: Final = re.compile(r"\[(?:e-?text|e-?book)[ \t]*#?[ \t]*(\d+)\]", re.IGNORECASE)
_DATED: Final = re.compile(
    r"^\s*([A-Z][a-z]+)(?:[ \t]+(\d{1,2}))?,?[ \t]+(\d{4})[ \t]*\[(?:e-?text|e-?book)",
    re.IGNORECASE | re.MULTILINE,
)
_DATE: Final = re.compile(r"([A-Z][a-z]+)(?:[ \t]+(\d{1,2}))?,?[ \t]+(\d{4})")
_TITLED: Final = re.compile(
    r"\**(?:the )?project gutenberg(?:'s)? (?:e-?text|e-?book)(?: of|,) (.{1,200}?),? by ",
    re.IGNORECASE,
)
_COPYRIGHTED: Final = re.compile(
    r"this is a copyrighted project gutenberg|start of the copyrighted", re.IGNORECASE
)
_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june", "july", "august"),
    *("september", "october", "november", "december"),
)
# ISO 639-1 codes of the languages that the catalogue has most books of.
LANGUAGES: Final = {
    "english": "en",
    "french": "fr",
    "finnish": "fi",
    "german": "de",
    "dutch": "nl",
    "italian": "it",
    "spanish": "es",
    "portuguese": "pt",
    "hungarian": "hu",
    "greek": "el",
    "swedish": "sv",
    "latin": "la",
    "esperanto": "eo",
    "danish": "da",
    "tagalog": "tl",
    "catalan": "ca",
    "polish": "pl",
    "norwegian": "no",
    "japanese": "ja",
    "chinese": "zh",
    "welsh": "cy",
    "czech": "cs",
    "russian": "ru",
    "icelandic": "is",
    "hebrew": "he",
    "bulgarian": "bg",
    "afrikaans": "af",
    "romanian": "ro",
    "serbian": "sr",
    "irish": "ga",
    "slovenian": "sl",
    "frisian": "fy",
    "galician": "gl",
    "estonian": "et",
    "breton": "br",
}


def header_facts(text: str) -> dict[str, str]:
    r"""Return what the first lines of a text state, under the names that a catalogue uses.

    >>> header_facts("Title: Emma\nLanguage: English\nRelease Date: August, 1994 [EBook #158]\n")
    {'title': 'Emma', 'lang': 'en', 'created': '1994-08', 'number': '158'}
    """
    head = "\n".join(text.split("\n", HEADER_LINES)[:HEADER_LINES])
    first: dict[str, str] = {}
    for match in _FIELD.finditer(head):
        name = match[1].lower()
        value = match[2] + match[3] if name in _LONG else match[2]
        first.setdefault(name, " ".join(value.split()))
    facts = {
        "title": first.get("title", "") or _titled(head),
        "author": first.get("author", ""),
        "lang": language_code(first.get("language", "")),
        "created": iso_date(first.get("release date", "")) or _dated(head),
    }
    if number := _NUMBER.search(head):
        facts["number"] = number[1]
    if _COPYRIGHTED.search(head):
        facts["rights"] = "Copyrighted."
    return {name: value for name, value in facts.items() if value}


def language_code(name: str) -> str:
    """Return the code of a language that a header names, the first of several; "" if unknown."""
    first = re.split(r"[,;/(]| and | with ", name.strip().lower())[0].strip()
    return LANGUAGES.get(first, "")


def iso_date(words: str) -> str:
    """Return a date as ISO 8601, of the month where no day is given; "" where there is none.

    >>> iso_date("October 9, 2003  [eBook #10026]"), iso_date("June, 2002"), iso_date("soon")
    ('2003-10-09', '2002-06', '')
    """
    if match := _DATE.search(words):
        return _iso(*match.groups())
    year = re.match(r"\s*(\d{4})\b", words)
    return year[1] if year else ""


def _titled(head: str) -> str:
    """Return the title that the first line of an old text names."""
    match = _TITLED.match(head.lstrip())
    return match[1].strip() if match else ""


def _dated(head: str) -> str:
    match = _DATED.search(head)
    return _iso(*match.groups()) if match else ""


def _iso(month: str, day: str | None, year: str) -> str:
    if month.lower() not in _MONTHS:
        return ""
    date = f"{year}-{_MONTHS.index(month.lower()) + 1:02d}"
    return f"{date}-{int(day):02d}" if day and 1 <= int(day) <= 31 else date
