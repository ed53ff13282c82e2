"""Templates that stand for a value in running text: numbers, units, dates, words, characters.

Dropping every template takes them out of the sentence: "an area of {{convert|5|km2}} and" became
"an area of  and". The families of spec/sources.md, section 2.4, are rendered here without a
template engine; `filters.wikipedia.sites` knows their names in each language. Infoboxes, citations
and all others are dropped.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from filters.wikipedia.amounts import (
    render_currency,
    render_exponent,
    render_gaps,
    render_raised,
)
from filters.wikipedia.biography import render_biography
from filters.wikipedia.dates import render_age, render_as_of, render_date
from filters.wikipedia.evaluation import evaluate
from filters.wikipedia.places import render_coordinates, render_country, render_density
from filters.wikipedia.rules import FAMILIES, Arguments
from filters.wikipedia.sites import Site, fold, normalise_template_name
from filters.wikipedia.wrappers import render_columns, render_original

_SUPERSCRIPTS: Final = str.maketrans("-−0123456789", "⁻⁻⁰¹²³⁴⁵⁶⁷⁸⁹")  # noqa: RUF001  (minus)
_SCALE: Final = re.compile(r"e(3|6|9|12)(?=[^\W\d]|$)")
_POWER: Final = re.compile(r"(?<=[^\W\d])(-?[2-4])$")
_MAX_UNIT_CHARS: Final = 40  # a longer one is no code; parts of a code are looked up recursively
_DIGIT: Final = re.compile(r"\d")
# Units that `convert` takes with a second, smaller one: `{{convert|5|ft|10|in|cm}}`.
_COMPOUNDS: Final = frozenset(
    {("ft", "in"), ("yd", "ft"), ("mi", "yd"), ("mi", "ft"), ("st", "lb"), ("lb", "oz")}
)
# Names of the argument that holds the text of a wrapper or quotation, in all languages.
_TEXT_NAMES: Final = (
    *(
        "1",
        "text",
        "Text",
        "texte",
        "texto",
        "testo",
        "tekst",
        "text1",
        "treść",
        "текст",
        "content",
    ),
    *("szöveg", "inhoud", "quote", "citat", "citation", "zitat", "Zitat", "cita", "citazione"),
    *("цитата", "citát", "citace", "цитат"),
)
# `{{IPAc-en|UK|b|ɜː|r|En-uk.ogg}}` has these and a recording among the sounds.
_IPA_LABELS: Final = frozenset(
    {"also", "alsouk", "alsous", "ipa", "lang", "local", "pron", "uk", "ukalso", "us", "usalso"}
)
_IPA_SIGNS: Final = {"'": "ˈ", ",": "ˌ", ",_": ", "}  # noqa: RUF001  (the mark of stress)
_RECORDINGS: Final = (".mp3", ".oga", ".ogg", ".opus", ".wav")
_SILENT: Final = frozenset({"defaultsort", "displaytitle"})
_PARSER_FUNCTION: Final = re.compile(r"(#?[^\W\d][\w-]*|#)\s*:")


@dataclass(frozen=True, slots=True)
class Page:
    """The page that a template stands on, for the magic words."""

    title: str  # without the namespace
    full_title: str
    site_name: str


def render_template(
    name: str, arguments: Sequence[tuple[str | None, str]], site: Site, page: Page
) -> str | None:
    """Return what an inline template reads as; None if it is to be dropped.

    Words of MediaWiki that set the page's title or its place in a category look like templates
    and show nothing: they read as "", and count as none.

    Args:
        name: all before the first "|", rendered: "convert", "formatnum:1234", "#if:x".
        arguments: (name, or None for a positional one; rendered text), in order.
        site: the Wikipedia that the text is from.
        page: the page that it is on.

    >>> from filters.wikipedia.sites import load_site
    >>> page = Page("Berlin", "Berlin", "Wikipedia")
    >>> render_template("convert", [(None, "5"), (None, "km2")], load_site("en"), page)
    '5 km²'
    """
    word, colon, rest = name.partition(":")
    magic = site.magic_words.get(fold(word), "")
    if colon and magic in _FUNCTIONS:
        return _FUNCTIONS[magic](rest.strip()) or None
    if colon and magic in _SILENT:
        return ""
    if not colon and magic and word.isupper():  # `{{pagename}}` is a template
        return _page_value(magic, page)
    rule = site.rule(normalise_template_name(name, site.template_names))
    if rule is None:
        return None
    given = Arguments(arguments)
    if rule.definition is not None:
        return evaluate(rule.definition, given, site, partial(_render_other, site, page))
    return rule.framed(_FAMILIES[rule.family](given, site)) if rule.family else rule.fill(given)


def _render_other(
    site: Site, page: Page, name: str, arguments: Sequence[tuple[str | None, str]]
) -> str | None:
    return render_template(name, arguments, site, page)


def dropped_name(name: str, site: Site) -> str:
    """Return the name by which a dropped template is counted.

    Parser functions and magic words are counted without what follows their colon.

    >>> from filters.wikipedia.sites import load_site
    >>> dropped_name("#if: a ", load_site("en")), dropped_name("cite_web", load_site("en"))
    ('#if:', 'Cite web')
    """
    name = normalise_template_name(name, site.template_names)
    match = _PARSER_FUNCTION.match(name)
    if match and (name.startswith("#") or match[1].isupper() or fold(match[1]) in site.magic_words):
        return match[1] + ":"
    return name


def _page_value(word: str, page: Page) -> str | None:
    return {
        "pagename": page.title,
        "fullpagename": page.full_title,
        "basepagename": page.title.rpartition("/")[0] or page.title,
        "subpagename": page.title.rpartition("/")[2],
        "rootpagename": page.title.partition("/")[0],
        "sitename": page.site_name,
    }.get(word)


_FUNCTIONS: Final[Mapping[str, Callable[[str], str]]] = {
    "formatnum": str,
    "lc": str.lower,
    "uc": str.upper,
    "lcfirst": lambda text: text[:1].lower() + text[1:],
    "ucfirst": lambda text: text[:1].upper() + text[1:],
}


def _text(given: Arguments, _: Site) -> str:
    """A wrapper's or a quotation's text: the first positional argument, or a named one."""
    return given.get(*_TEXT_NAMES)


def _number(given: Arguments, site: Site) -> str:
    """A number, then its unit: `{{unité|892|km|2}}` is 892 km²."""
    if not given.positional or not given.positional[0]:
        return ""
    number, *units = given.positional
    unit = ""
    for part in units:
        if re.fullmatch(r"-?\d{1,2}", part):  # the power of the unit before it
            unit += "" if part == "1" else part.translate(_SUPERSCRIPTS)
        elif part:
            unit += " " + part
    unit = unit.strip() or given.get("unit", "unité", "u", "ul")
    text = given.get("prefix") + number + given.get("suffix")
    return f"{text} {_unit_text(unit, site)}" if unit else text


def _val(given: Arguments, site: Site) -> str:
    """`val`: a number, its uncertainty, and the unit by name."""
    number = given.get("1")
    if not number:
        return ""
    error, below = given.get("2"), given.get("3")
    if error and below:
        number += f" +{error.lstrip('+')} −{below.lstrip('-−')}"  # noqa: RUF001  (a minus sign)
    elif error:
        number += f"±{error}"
    if power := given.get("e"):
        number += _power_of_ten(power)
    unit, per = given.get("u", "ul"), given.get("up", "upl")
    unit = _unit_text(unit, site) + (f"/{_unit_text(per, site)}" if per else "")
    text = given.get("p") + number + given.get("s")
    return f"{text} {unit}" if unit else text


def _quantity(given: Arguments, site: Site) -> str:
    """A number, the prefix of its unit ("-" for none) and the unit: `{{M|32,7|k|m}}` is 32,7 km."""
    number = given.get("1")
    prefix = given.get("2")
    unit = ("" if prefix == "-" else prefix) + given.get("3") or given.get("ul", "u", "um")
    if number and (power := given.get("e")):
        number += _power_of_ten(power)
    return f"{number} {_unit_text(unit, site)}" if number and unit else number


def _power(given: Arguments, _: Site) -> str:
    """`{{exp|1,3|-5}}` is 1,3 times 10⁻⁵, `{{exp|6}}` is 10⁶."""
    match given.positional:
        case [power] if power:
            return _power_of_ten(power).removeprefix("×")  # noqa: RUF001
        case [number, power, *_] if power:
            return number + _power_of_ten(power)
        case _:
            return given.get("1")


def _power_of_ten(power: str) -> str:
    return f"×10{power.translate(_SUPERSCRIPTS)}"  # noqa: RUF001  (the multiplication sign)


def _convert(given: Arguments, site: Site) -> str:
    """The value or the span of values, and its unit; the conversion is left out."""
    values = given.positional
    if not values or not _DIGIT.search(values[0]):
        return ""
    text, at = _value(values[0]), 1
    while at + 1 < len(values) and values[at] in site.range_words:
        text += site.range_words[values[at]] + _value(values[at + 1])
        at += 2
    if at >= len(values) or not values[at]:
        return text
    code = values[at]
    one = text in {"1", "-1", "−1"} or given.get("adj") in {"on", "mid"}  # noqa: RUF001
    unit = _unit_text(code, site, one=one)
    text += unit if unit in {"%", "°", "′", "″"} else f" {unit}"  # noqa: RUF001
    rest = values[at + 1 :]
    if len(rest) > 1 and (code, rest[1]) in _COMPOUNDS and _DIGIT.search(rest[0]):
        text += f" {_value(rest[0])} {_unit_text(rest[1], site)}"
        rest = rest[2:]
    if given.get("adj") == "mid" and rest and rest[-1]:
        text += f" {rest[-1].lstrip('-').lstrip()}"  # `-high`, as in "a 204 m high tower"
    return text


def _value(text: str) -> str:
    """`1+1/2` is one and a half, `1//2` a half."""
    return text.replace("//", "/").replace("+", " ").strip() if "/" in text else text


def _unit_text(code: str, site: Site, *, one: bool = False) -> str:
    """Return a unit as it reads; an unknown code with its powers raised."""
    if (known := site.units.get(code)) is not None:
        singular, _, plural = known.partition("|")
        return singular if one or not plural else plural
    if len(code) > _MAX_UNIT_CHARS:
        return code
    scale = _SCALE.match(code)
    if scale and scale[0] in site.scales:
        rest = code[scale.end() :]
        return f"{site.scales[scale[0]]} {_unit_text(rest, site)}".strip()
    over, slash, under = code.partition("/")
    if slash and over and under:
        return f"{_unit_text(over, site)}/{_unit_text(under, site, one=True)}"
    return _POWER.sub(lambda match: match[0].translate(_SUPERSCRIPTS), code)


def _century(given: Arguments, site: Site) -> str:
    """`{{segle|XIII|s}}` is "segle XIII"; without its "s" the numeral alone.

    "a" and "d" put it before or after Christ: `{{siglo|V|a|s}}` is "siglo V a. C.".
    """
    numeral = given.get("1")
    marks = set(map(str.lower, given.positional[1:]))
    if not numeral:
        return ""
    word = site.words.get("century", "") if "s" in marks else ""
    era = site.words.get("bc" if "a" in marks else "ad", "") if marks & {"a", "d"} else ""
    return f"{word} {numeral} {era}".strip()


def _ipa(given: Arguments, _: Site) -> str:
    """The sounds of `{{IPAc-en|b|ɜː|r}}` between slashes, without labels and recordings."""
    sounds = [
        _IPA_SIGNS.get(sound, sound.replace("_", " "))
        for sound in given.positional
        if sound.lower() not in _IPA_LABELS and not sound.lower().endswith(_RECORDINGS)
    ]
    text = "".join(sounds)
    return f"/{text}/" if text else ""


def _fraction(given: Arguments, _: Site) -> str:
    """`{{frac|2}}` is 1/2, `{{frac|3|4}}` 3/4 and `{{frac|1|3|4}}` 1 3/4."""
    match given.positional:
        case [under] if under:
            return f"1/{under}"
        case [over, under] if over and under:
            return f"{over}/{under}"
        case [whole, over, under] if over and under:
            return f"{whole} {over}/{under}".strip()
        case _:
            return given.join()


_FAMILIES: Final[Mapping[str, Callable[[Arguments, Site], str]]] = {
    "age": render_age,
    "as of": render_as_of,
    "biography": lambda given, _: render_biography(given),
    "century": _century,
    "columns": render_columns,
    "convert": _convert,
    "coordinates": render_coordinates,
    "country": render_country,
    "currency": render_currency,
    "date": render_date,
    "density": render_density,
    "exponent": render_exponent,
    "fraction": _fraction,
    "gaps": render_gaps,
    "ipa": _ipa,
    "number": _number,
    "original": render_original,
    "power": _power,
    "quantity": _quantity,
    "raised": render_raised,
    "text": _text,
    "val": _val,
}
assert _FAMILIES.keys() == FAMILIES
