"""Render templates that are values in running text: numbers, units, dates, words, characters.

If every template were dropped, sentences would lose these values: "an area of {{convert|5|km2}}
and" would become "an area of  and". This module renders the families of docs/rules/sources.md 2.4
without a template engine; `filters.wikipedia.sites` knows their names in each language. Infoboxes,
citations and all other templates are dropped.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Final

from filters.wikipedia import values
from filters.wikipedia.amounts import (
    render_currency,
    render_exponent,
    render_gaps,
    render_raised,
)
from filters.wikipedia.biography import render_biography
from filters.wikipedia.chemistry import chemical_formula
from filters.wikipedia.dates import render_age, render_as_of, render_date
from filters.wikipedia.evaluation import evaluate
from filters.wikipedia.markers import LOST, SCRIPT_END, SUBSCRIPT, SUPERSCRIPT
from filters.wikipedia.numerals import format_number, local_number, raw_number
from filters.wikipedia.places import render_coordinates, render_country, render_density
from filters.wikipedia.rules import FAMILIES, Arguments, Field, Rule
from filters.wikipedia.site_data import fold, normalise_template_name
from filters.wikipedia.sites import Site
from filters.wikipedia.wrappers import render_columns, render_original

_DIGIT: Final = re.compile(r"\d")
# The names, in all languages, of the argument that holds the text of a wrapper or quotation.
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
# `{{IPAc-en|UK|b|ɜː|r|En-uk.ogg}}` has such labels and a recording among the sounds.
_IPA_LABELS: Final = frozenset(
    {"also", "alsouk", "alsous", "ipa", "lang", "local", "pron", "uk", "ukalso", "us", "usalso"}
)
_IPA_SIGNS: Final = {"'": "ˈ", ",": "ˌ", ",_": ", "}  # noqa: RUF001  (the mark of stress)
_RECORDINGS: Final = (".mp3", ".oga", ".ogg", ".opus", ".wav")
_SILENT: Final = frozenset({"defaultsort", "displaytitle"})
_CURRENCIES: Final = frozenset({"€", "$", "£", "¥", "₹", "₽", "₴", "zł", "Kč", "kr", "Ft", "лв."})
# These templates are not part of a sentence: notes, citations, recordings, remarks.
_NOTE: Final = re.compile(
    r"(?:audio|bandier|border|cit[aeo]|drapeau|efn|fact|flagicon|harv|icon|listen|note|nota|pron"
    r"|ref|rp$|r$|sfn|#tag|webarchive|wayback|прапор)|.*(?:[ -]icon|citation|inline|needed)$",
    re.IGNORECASE,
)
_REMARK_ARGUMENTS: Final = frozenset(
    {"data", "date", "dato", "datum", "fecha", "reason", "dátum", "title", "titel", "url"}
    | {"дата", "титул"}
)
_MAX_NAMED_VALUES: Final = 2  # named arguments of a value; citations and boxes have more
_MAX_CACHED_CHARS: Final = 60  # of a name; longer names are parser functions with their operands
_MAX_CACHED_NAMES: Final = 4096
_MAX_VALUE_ARGUMENTS: Final = 12
_PARSER_FUNCTION: Final = re.compile(r"(#?[^\W\d][\w-]*|#)\s*:")


@dataclass(frozen=True, slots=True)
class Page:
    """The page that contains a template, for the magic words."""

    title: str  # without the namespace
    full_title: str
    site_name: str


@dataclass(frozen=True, slots=True)
class _Called:
    """What a site knows of a name between the braces of a template."""

    magic: str  # the word or function of MediaWiki that comes first in it, or ""
    rule: Rule | None
    counted: str  # see `dropped_name`


def render_template(
    name: str, arguments: Sequence[tuple[str | None, str]], site: Site, page: Page
) -> str | None:
    """Return the text of an inline template, or None if it is to be dropped.

    MediaWiki's words that set the page's title or its place in a category look like templates and
    show nothing: their text is "", and they are not counted as dropped.

    Args:
        name: the rendered text before the first "|": "convert", "formatnum:1234", "#if:x".
        arguments: (name, or None for a positional one; rendered text), in order.
        site: the Wikipedia that the text is from.
        page: the page that contains the template.

    >>> from filters.wikipedia.sites import load_site
    >>> page = Page("Berlin", "Berlin", "Wikipedia")
    >>> render_template("convert", [(None, "5"), (None, "km2")], load_site("en"), page)
    '5 km²'
    """
    called = _called(name, site)
    if called.magic:
        word, colon, rest = name.partition(":")
        if colon and called.magic in _SILENT:
            return ""
        if colon and (called.magic == "formatnum" or called.magic in _FUNCTIONS):
            options = [value for _, value in arguments]
            return _function(called.magic, rest.strip(), options, site) or None
        if not colon and word.isupper():  # `{{pagename}}` is a template
            return _page_value(called.magic, page)
    rule = called.rule
    if rule is None:
        return None
    given = Arguments(arguments)
    return _fill(rule, given, site, page)


def _fill(rule: Rule, given: Arguments, site: Site, page: Page) -> str | None:
    if rule.definition is not None:
        return evaluate(rule.definition, given, site, partial(_render_other, site, page))
    if rule.family:
        return rule.framed(_FAMILIES[rule.family](given, site))
    return rule.fill(_with_local_numbers(rule, given, site))


def _render_other(
    site: Site, page: Page, name: str, arguments: Sequence[tuple[str | None, str]]
) -> str | None:
    return render_template(name, arguments, site, page)


def is_value(name: str, site: Site) -> bool:
    """Tell whether a template is a number of its own, separate from digits beside it."""
    rule = _called(name, site).rule
    return rule is not None and rule.family in _VALUES


def may_lose(
    name: str, arguments: Sequence[tuple[str | None, str]], parts: Sequence[str], site: Site
) -> bool:
    """Tell whether a template that was dropped may have been part of a sentence.

    It may if it has no rule, or if its rule uses none of the given arguments. Remarks and citations
    are given no arguments, a date and a reason, or a list of named facts.

    Args:
        name: the name that it is counted by (`dropped_name`).
        arguments: the given arguments, rendered.
        parts: the same arguments with the markers of templates that were lost in them.
        site: the Wikipedia that the template is from.
    """
    if len(arguments) > _MAX_VALUE_ARGUMENTS:
        return False
    names = [key for key, value in arguments if value]
    rule = site.rule(name)
    if rule is not None:
        given = names or any(LOST in part for part in parts)
        return bool(given and (rule.family or rule.parts or rule.definition))
    if _is_note(name):
        return False
    if None in names or not names:
        return True
    return len(names) <= _MAX_NAMED_VALUES and not any(
        key is not None and fold(key) in _REMARK_ARGUMENTS for key in names
    )


def _called(name: str, site: Site) -> _Called:
    """Return what a name calls, cached since most pages use the same few names."""
    called: _Called | None = site.called.get(name)
    if called is None:
        called = _find_called(name, site)
        if len(site.called) >= _MAX_CACHED_NAMES:
            site.called.clear()
        if len(name) <= _MAX_CACHED_CHARS:
            site.called[name] = called
    return called


def _find_called(name: str, site: Site) -> _Called:
    title = normalise_template_name(name, site.template_names)
    magic = site.magic_words.get(fold(name.partition(":")[0]), "")
    match = _PARSER_FUNCTION.match(title)
    counted = title
    if match and (
        title.startswith("#") or match[1].isupper() or fold(match[1]) in site.magic_words
    ):
        counted = match[1] + ":"
    return _Called(magic, site.rule(title), counted)


@lru_cache(4096)
def _is_note(name: str) -> bool:
    return _NOTE.match(name) is not None


def dropped_name(name: str, site: Site) -> str:
    """Return the name by which a dropped template is counted.

    Parser functions and magic words are counted without what follows their colon.

    >>> from filters.wikipedia.sites import load_site
    >>> dropped_name("#if: a ", load_site("en")), dropped_name("cite_web", load_site("en"))
    ('#if:', 'Cite web')
    """
    return _called(name, site).counted


def _page_value(word: str, page: Page) -> str | None:
    return {
        "pagename": page.title,
        "fullpagename": page.full_title,
        "basepagename": page.title.rpartition("/")[0] or page.title,
        "subpagename": page.title.rpartition("/")[2],
        "rootpagename": page.title.partition("/")[0],
        "sitename": page.site_name,
    }.get(word)


def _function(name: str, text: str, options: Sequence[str], site: Site) -> str:
    """Return the result of a function of MediaWiki for a text.

    ``formatnum`` gives a number the marks of the language; with the option NOSEP it makes no
    groups, and with R it returns the number in the form of programs.
    """
    if name in _FUNCTIONS:
        return _FUNCTIONS[name](text)
    option = options[0].strip().upper() if options else ""
    if option == "R":
        return raw_number(text, site.lang)
    return format_number(text, site.lang, grouped=option != "NOSEP")


def _with_local_numbers(rule: Rule, given: Arguments, site: Site) -> Arguments:
    """Write the numbers before a unit of a pattern, as in "{1} €", in the language's form."""
    for part, after in zip(rule.parts, rule.parts[1:], strict=False):
        if isinstance(part, Field) and part.join is None and isinstance(after, str):
            unit = after.strip().partition(" ")[0]
            if unit and (unit in site.units or unit in _CURRENCIES):
                for name in part.names:
                    if name.isdigit() and int(name) <= len(given.positional):
                        at = int(name) - 1
                        given.positional[at] = local_number(given.positional[at], site.lang)
    return given


_FUNCTIONS: Final[Mapping[str, Callable[[str], str]]] = {
    "lc": str.lower,
    "uc": str.upper,
    "lcfirst": lambda text: text[:1].lower() + text[1:],
    "ucfirst": lambda text: text[:1].upper() + text[1:],
}


def _text(given: Arguments, _: Site) -> str:
    """Return a wrapper's or quotation's text: the first positional argument, or a named one."""
    return given.get(*_TEXT_NAMES)


def _raised(given: Arguments, site: Site) -> str:
    """Return a marked superscript; it is resolved with its base (`filters.wikipedia.scripts`)."""
    text = _text(given, site)
    return f"{SUPERSCRIPT}{text}{SCRIPT_END}" if text else ""


def _lowered(given: Arguments, site: Site) -> str:
    text = _text(given, site)
    return f"{SUBSCRIPT}{text}{SCRIPT_END}" if text else ""


def _century(given: Arguments, site: Site) -> str:
    """Return a century: `{{segle|XIII|s}}` is "segle XIII", without its "s" the numeral alone.

    "a" and "d" mean before and after Christ: `{{siglo|V|a|s}}` is "siglo V a. C.".
    """
    numeral = given.get("1")
    marks = set(map(str.lower, given.positional[1:]))
    if not numeral:
        return ""
    word = site.words.get("century", "") if "s" in marks else ""
    era = site.words.get("bc" if "a" in marks else "ad", "") if marks & {"a", "d"} else ""
    return f"{word} {numeral} {era}".strip()


def _ipa(given: Arguments, _: Site) -> str:
    """Return the sounds of `{{IPAc-en|b|ɜː|r}}` between slashes, without labels or recordings."""
    sounds = [
        _IPA_SIGNS.get(sound, sound.replace("_", " "))
        for sound in given.positional
        if sound.lower() not in _IPA_LABELS and not sound.lower().endswith(_RECORDINGS)
    ]
    text = "".join(sounds)
    return f"/{text}/" if text else ""


_FAMILIES: Final[Mapping[str, Callable[[Arguments, Site], str]]] = {
    "age": render_age,
    "as of": render_as_of,
    "biography": lambda given, _: render_biography(given),
    "century": _century,
    "chem": lambda given, _: chemical_formula(given),
    "columns": render_columns,
    "convert": values.convert,
    "coordinates": render_coordinates,
    "country": render_country,
    "currency": render_currency,
    "date": render_date,
    "density": render_density,
    "exponent": render_exponent,
    "fraction": values.fraction,
    "gaps": render_gaps,
    "ipa": _ipa,
    "number": values.number,
    "original": render_original,
    "power": values.power,
    "quantity": values.quantity,
    "raised": render_raised,
    "sub": _lowered,
    "sup": _raised,
    "text": _text,
    "val": values.val,
}
assert _FAMILIES.keys() == FAMILIES
# These families make numbers: a digit beside one belongs to another number.
_VALUES: Final = frozenset(
    {"age", "as of", "convert", "date", "fraction", "number", "power", "quantity", "val"}
)
