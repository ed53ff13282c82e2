"""Write numbers with the decimal mark and the mark between thousands of a Wikipedia's language.

Templates and ``{{formatnum:}}`` receive numbers as programs write them, 299792.458, and show them
in the language of the wiki. The marks are those of MediaWiki's messages
(``separatorTransformTable`` and ``minimumGroupingDigits`` in ``languages/messages``); a no-break
space is a blank here, as everywhere in our text.

No digit is ever changed: text that is not clearly a number, or could be two, stays unchanged.
"""

import re
from typing import Final

# Language -> decimal mark, mark between thousands, and the fewest digits that are grouped.
_MARKS: Final[dict[str, tuple[str, str, int]]] = {
    **dict.fromkeys(("ca", "da", "de", "hr", "it", "nl", "ro", "sl", "sr"), (",", ".", 4)),
    **dict.fromkeys(("cs", "fr", "pt", "sv"), (",", " ", 4)),
    **dict.fromkeys(("bg", "es", "hu", "pl", "ru", "uk"), (",", " ", 5)),
    "en": (".", ",", 4),
}
_GROUP: Final = re.compile(r"(?<=\d)(?=(?:\d{3})+(?!\d))")
_MAX_DIGITS: Final = 40  # a longer number is not a quantity
# A number that is not part of a date, a time, a fraction or a name.
_TOKEN: Final = re.compile(
    r"(?<![\w.,/:])(?<!\d[-–])([0-9]{1,40})(\.[0-9]+)?(?![\w/:]|[.,\-–]\d)"  # noqa: RUF001
)
_GROUPED: Final = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(\.[0-9]+)?")
_PLAIN: Final = re.compile(r"([-−–+]?)([0-9]{1,40})(?:([.,])([0-9]+))?")  # noqa: RUF001  (minus)
_RAW: Final = re.compile(r"[^0-9.\-]")


def decimal_mark(lang: str) -> str:
    """Return the mark between the integer part and the fraction of a number."""
    return _MARKS.get(lang, _MARKS["en"])[0]


def group(digits: str, lang: str) -> str:
    """Return the digits of an integer in groups of three, if the language groups so many.

    >>> group("188520", "it"), group("1234", "es"), group("1234", "en")
    ('188.520', '1234', '1,234')
    """
    _, mark, least = _MARKS.get(lang, _MARKS["en"])
    return _GROUP.sub(mark, digits) if least <= len(digits) <= _MAX_DIGITS else digits


def format_number(text: str, lang: str, *, grouped: bool = True) -> str:
    """Return what ``{{formatnum:}}`` shows: the text with the language's marks in its numbers.

    A point is a decimal mark. A comma separates thousands if there are two groups or a point.

    >>> format_number("299792.458", "it"), format_number("1,234,567.5", "de")
    ('299.792,458', '1.234.567,5')
    >>> format_number("1,234", "de"), format_number("8 700 471.5 m", "fr")
    ('1,234', '8 700 471,5 m')
    """
    match = _GROUPED.fullmatch(text)
    if match and (match[1] or text.count(",") > 1):
        text = text.replace(",", "")
    mark = decimal_mark(lang)

    def number(found: re.Match[str]) -> str:
        fraction = found[2] or ""
        whole = group(found[1], lang) if grouped else found[1]
        return whole + fraction.replace(".", mark)

    return _TOKEN.sub(number, text)


def local_number(text: str, lang: str) -> str:
    """Return a template's number with the language's marks.

    Writers give templates numbers in the form of programs or of their language. A point before
    three digits could be either mark in a language that separates thousands by points; such a
    number stays unchanged.

    >>> local_number("1234.5", "fr"), local_number("12345,6", "de"), local_number("12.345", "de")
    ('1 234,5', '12.345,6', '12.345')
    """
    match = _PLAIN.fullmatch(text)
    if not match:
        return text
    sign, whole, mark, fraction = match.groups()
    decimal, thousands, _ = _MARKS.get(lang, _MARKS["en"])
    if mark and mark not in (".", decimal):
        return text
    if mark == thousands and len(fraction) == 3:
        return text
    return sign + group(whole, lang) + (decimal + fraction if mark else "")


def raw_number(text: str, lang: str) -> str:
    """Return what ``{{formatnum:...|R}}`` shows: the number in the form of programs.

    >>> raw_number("299.792,458", "it")
    '299792.458'
    """
    decimal, thousands, _ = _MARKS.get(lang, _MARKS["en"])
    plain = text.replace(thousands, "").replace(decimal, ".")
    return text if _RAW.search(plain) else plain
