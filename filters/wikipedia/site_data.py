"""Check the form of the data about a Wikipedia (see ``sites``)."""

import json
from collections.abc import Mapping
from typing import Any, Final

from filters.wikipedia.rules import nearest, parse_rule

# The languages of the paper (arXiv:2302.13971v1, section 2.1, "Wikipedia").
LANGUAGES: Final = (
    *("bg", "ca", "cs", "da", "de", "en", "es", "fr", "hr", "hu"),
    *("it", "nl", "pl", "pt", "ro", "ru", "sl", "sr", "sv", "uk"),
)

LISTS: Final = (
    "behaviour_switches",
    "category_names",
    "country_templates",
    "disambiguation_switches",
    "disambiguation_templates",
    "file_names",
    "interwiki_prefixes",
    "language_codes",
    "redirect_words",
    "template_names",
)
# These keys map a name to a text.
TEXTS: Final = (
    *("countries", "currencies", "magic_words", "range_words", "scales", "units", "words"),
)
RULES: Final = ("template_prefixes", "templates")  # map a rule to the names that it applies to
_COUNTRY_KINDS: Final = ("code", "code or text", "name")
DEFINITIONS: Final = "definitions"  # maps, per language, a rule to the names
_KEYS: Final = tuple(sorted({*LISTS, *TEXTS, *RULES, DEFINITIONS}))


def check_data(data: Mapping[str, Any], where: str) -> None:
    """Check that data about a Wikipedia has the form of the files in `data/wikipedia/`.

    Raises:
        ValueError: a key is unknown, a value has the wrong type, or a rule does not parse; the
            message says where.
    """
    for key, value in _object(data, where).items():
        inside = f"{where}: {key}"
        if key in LISTS:
            _check_names(value, inside)
            if key == "country_templates" and (wrong := sorted({*value} - {*_COUNTRY_KINDS})):
                raise ValueError(
                    f"{inside}: unknown {wrong[0]!r}{nearest(wrong[0], _COUNTRY_KINDS)}"
                )
        elif key in TEXTS:
            _check_texts(value, inside)
        elif key in RULES:
            _check_rules(value, inside)
        elif key == DEFINITIONS:
            for lang, rules in _object(value, inside).items():
                if lang not in LANGUAGES:
                    hint = nearest(lang, LANGUAGES)
                    raise ValueError(f"{inside}: no data for the Wikipedia {lang!r}{hint}")
                _check_rules(rules, f"{inside}: {lang}")
        else:
            raise ValueError(f"{where}: unknown key {key!r}{nearest(key, _KEYS)}")


def _check_names(value: Any, where: str) -> None:
    if type(value) is not list or not all(type(name) is str and name.strip() for name in value):
        raise ValueError(f"{where}: expected a list of names, found {_shown(value)}")


def _check_texts(value: Any, where: str) -> None:
    for name, text in _object(value, where).items():
        if type(text) is not str:
            raise ValueError(f"{where}: {name}: expected a text, found {_shown(text)}")


def _check_rules(value: Any, where: str) -> None:
    """Raise if a rule does not parse or if a name has two rules."""
    seen: dict[str, str] = {}
    for rule, names in _object(value, where).items():
        try:
            parse_rule(rule)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
        _check_names(names, f"{where}: {rule}")
        for name in names:
            other = seen.setdefault(normalise_template_name(name), rule)
            if other != rule:
                raise ValueError(f"{where}: {name!r} has two rules, {other!r} and {rule!r}")


def _object(value: Any, where: str) -> dict[str, Any]:
    if type(value) is not dict:
        raise ValueError(f"{where}: expected an object, found {_shown(value)}")
    return value


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=repr)[:80]


def normalise_template_name(name: str, template_names: frozenset[str] = frozenset()) -> str:
    """Return a template's name in the form of its page's title, without the namespace.

    Args:
        name: the text before the first "|".
        template_names: folded names of the namespace, which a template's name may begin with.

    >>> normalise_template_name(" template:birth_date ", frozenset({"template"}))
    'Birth date'
    """
    name = " ".join(name.replace("_", " ").split())
    namespace, colon, rest = name.partition(":")
    if colon and fold(namespace) in template_names:
        name = rest.lstrip()
    first = name[:1].upper()
    return first + name[1:] if len(first) == 1 else name  # "ß" has no capital of one letter


def fold(name: str) -> str:
    """Return the form in which names of namespaces and prefixes are compared.

    >>> fold(" CATEGORY_talk ")
    'category talk'
    """
    return " ".join(name.replace("_", " ").casefold().split())
