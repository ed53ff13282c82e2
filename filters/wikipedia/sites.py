"""Load a Wikipedia's names of namespaces, redirects, disambiguation pages and inline templates.

Wikitext is localised. The names that a parser must know are data: one JSON file per language in
`data/wikipedia/`, and `all.json` for the names that all languages share (docs/rules/sources.md 2.2,
2.4 and 2.5). A dump's own `siteinfo` and a user's JSON of the same form are added to them:

- lists of names: `file_names`, `category_names`, `template_names`, `redirect_words` (with "#"),
  `disambiguation_templates`, `disambiguation_switches`, `behaviour_switches`, `language_codes`,
  `interwiki_prefixes`; `country_templates`, which of a country's names show its name as a template:
  "code" (`{{ALB}}`), "code or text" (`{{ALB|Tirana}}` is Tirana, `{{ALB|#}}` nothing), "name";
- `templates`: a rule (`filters.wikipedia.rules`) and the templates that it renders, such as
  `{"@convert": ["umrechnen"], "{1} €": ["euro"]}`; `template_prefixes`: the same for all names
  that begin with "lang-", say;
- `definitions`: by language, rules in the same form for templates that have no other rule;
  `python -m pipelines templates` derives them from a dump (docs/templates.md);
- from a name to a text: `magic_words` (local to English), and for `convert` its `units`
  ("acre|acres" where one reads differently), `scales` (e6) and `range_words` (spaces included);
  `countries` (by code) and `currencies`; `words` for what other families write, and "site name".
"""

import functools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Final

from filters.wikipedia.rules import WIKITEXT, Rule, nearest, parse_rule
from filters.wikipedia.site_data import (
    DEFINITIONS,
    LANGUAGES,
    LISTS,
    RULES,
    TEXTS,
    check_data,
    fold,
    normalise_template_name,
)

try:
    from filters.wikipedia import _marks
except ImportError:  # installed without a compiler
    AVAILABLE = False
else:
    AVAILABLE = True

FILE, MEDIA, CATEGORY, TEMPLATE = 6, -2, 14, 10  # keys of namespaces in every dump's siteinfo

_TEMPLATE_NAME: Final = re.compile(r"\{\{([^{}|\[\]<>]{1,200})")
_REDIRECT_HEAD_CHARS: Final = 80


@dataclass(frozen=True)
class Site:
    """One Wikipedia, with the names that its wikitext uses.

    Names of namespaces, prefixes and redirect words are compared after `fold`; names of templates
    after `normalise_template_name`.
    """

    lang: str
    file_names: frozenset[str]  # File and Media with all aliases
    category_names: frozenset[str]
    template_names: frozenset[str]
    redirect_words: frozenset[str]  # with their "#"
    disambiguation: frozenset[str]  # names of templates
    disambiguation_switches: frozenset[str]  # casefolded, e.g. "__disambig__"
    behaviour_switches: frozenset[str]  # casefolded, English and localised, e.g. "__notoc__"
    templates: Mapping[str, Rule]  # an inline template's name -> its rule
    template_prefixes: Mapping[str, Rule]  # the same for all names up to a "-", e.g. "Lang-"
    magic_words: Mapping[str, str]  # as folded -> canonical, e.g. "nompage" -> "pagename"
    units: Mapping[str, str]  # `convert` code -> text, "one|more" where the two differ
    scales: Mapping[str, str]  # "e6" -> "million"
    countries: Mapping[str, str]  # ISO 3166's and the IOC's codes of three letters -> name
    currencies: Mapping[str, str]  # ISO 4217's code -> sign, "USD" -> "US$"
    words: Mapping[str, str]  # words that families add, e.g. "century" -> "segle"
    range_words: Mapping[str, str]  # separator of values in `convert` -> its text
    language_codes: frozenset[str]  # prefixes of links to other Wikipedias
    interwiki: frozenset[str]  # prefixes of links to other projects and sites
    # What `filters.wikipedia.templates` found out about the names that pages call.
    called: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def rule(self, name: str) -> Rule | None:
        """Return the rule of the inline template with this normalised name, or None without one.

        A name ending in "-" and more, such as `Lang-de`, may be known by its prefix.
        """
        found = self.templates.get(name)
        if found is None and (dash := name.find("-")) >= 0:
            found = self.template_prefixes.get(name[: dash + 1])
        return found


def load_site(
    lang: str,
    namespaces: Mapping[int, Sequence[str]] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Site:
    """Build the site of a language from the packaged data, the dump's and the user's.

    Args:
        lang: one of `LANGUAGES`.
        namespaces: local names by key, from the dump's `siteinfo`; other keys are ignored.
        extra: data that a user adds, in the form of a file of `data/wikipedia/`. Lists are
            extended; a known name of a template, unit or word gets the user's rule or text; only
            ``definitions`` apply after all others.

    Raises:
        ValueError: the language is unknown or ``extra`` has an error; the message says what is
            valid.

    """
    if lang not in LANGUAGES:
        raise ValueError(f"no data for the Wikipedia {lang!r}{nearest(lang, LANGUAGES)}")
    layers = [_packaged("all"), {"countries": _packaged_countries(lang)}, _packaged(lang)]
    if extra is not None:
        check_data(extra, "extra")
        layers.append(extra)
    local = namespaces or {}
    names: dict[str, frozenset[str]] = {
        key: frozenset(fold(name) for layer in layers for name in layer.get(key, ()))
        for key in LISTS
    }
    template_names = names["template_names"] | set(map(fold, local.get(TEMPLATE, ())))
    texts = {
        key: {name: text for layer in layers for name, text in layer.get(key, {}).items()}
        for key in TEXTS
    }
    rules = {
        key: {
            normalise_template_name(name, template_names): rule
            for layer in layers
            for name, rule in _rules(layer.get(key, {}))
        }
        for key in RULES
    }
    read = {
        normalise_template_name(name, template_names): rule
        for layer in layers
        for name, rule in _rules(layer.get(DEFINITIONS, {}).get(lang, {}))
    }
    templates = {**_country_rules(texts["countries"], names["country_templates"])}
    templates |= rules["templates"]
    for name, rule in read.items():
        prefix, dash, _ = name.partition("-")
        if not dash or prefix + dash not in rules["template_prefixes"]:
            templates.setdefault(name, rule)
    for name, rule in templates.items():
        if rule.same:
            templates[name] = _same(name, rule.same, templates, template_names)
    file_names = names["file_names"].union(map(fold, [*local.get(FILE, ()), *local.get(MEDIA, ())]))
    category_names = names["category_names"].union(map(fold, local.get(CATEGORY, ())))
    return Site(
        lang=lang,
        file_names=file_names,
        category_names=category_names,
        template_names=template_names,
        redirect_words=names["redirect_words"],
        disambiguation=frozenset(
            normalise_template_name(name, template_names)
            for layer in layers
            for name in layer.get("disambiguation_templates", ())
        ),
        disambiguation_switches=_switches(layers, "disambiguation_switches"),
        behaviour_switches=_switches(layers, "behaviour_switches"),
        templates=templates,
        template_prefixes=rules["template_prefixes"],
        magic_words={fold(word): fold(meaning) for word, meaning in texts["magic_words"].items()},
        units=texts["units"],
        scales=texts["scales"],
        countries=texts["countries"],
        currencies=texts["currencies"],
        words=texts["words"],
        range_words=texts["range_words"],
        language_codes=names["language_codes"],
        # A wiki's own namespace comes first: F is a file in Croatian, Wikifunctions elsewhere.
        interwiki=names["interwiki_prefixes"] - file_names - category_names,
    )


def is_redirect(text: str, site: Site) -> bool:
    """Tell whether a page's wikitext is a redirect, by its first word.

    This is the fallback if the dump's `<redirect>` is missing (docs/rules/sources.md 2.2): leading
    white space is allowed, and the English word is valid in all languages.
    """
    start = text.lstrip("\ufeff \t\r\n\v\f\u00a0")
    if not start.startswith("#"):
        return False
    word = re.split(r"[\s:\[]", start[:_REDIRECT_HEAD_CHARS], maxsplit=1)[0]
    return fold(word) in site.redirect_words


def is_disambiguation(text: str, site: Site) -> bool:
    """Tell by a switch or a template whether a page lists the meanings of its title.

    The time is linear in the length of ``text``; comments are not treated separately.
    """
    if AVAILABLE:
        names, switches = _marks.template_names(text)
    else:
        names, switches = set(_TEMPLATE_NAME.findall(text)), "__" in text
    if switches and site.disambiguation_switches:
        folded = text.casefold()
        if any(switch in folded for switch in site.disambiguation_switches):
            return True
    return any(
        _is_disambiguation_name(name, site.template_names, site.disambiguation) for name in names
    )


@functools.lru_cache(4096)
def _is_disambiguation_name(name: str, namespace: frozenset[str], known: frozenset[str]) -> bool:
    return normalise_template_name(name, namespace) in known


@functools.cache
def _packaged(name: str) -> Mapping[str, Any]:
    """Read a data file of the package once per process."""
    path = resources.files("filters.wikipedia") / "data" / f"{name}.json"
    data: dict[str, Any] = json.loads(path.read_text("utf-8"))
    check_data(data, path.name)
    return data


@functools.cache
def _packaged_countries(lang: str) -> Mapping[str, str]:
    """Read the names of countries in a language, also by the codes that sports use."""
    path = resources.files("filters.wikipedia") / "data" / "countries.json"
    data: dict[str, dict[str, str]] = json.loads(path.read_text("utf-8"))
    names = data[lang]
    return names | {code: names[iso] for code, iso in data["aliases"].items()}


def _country_rules(countries: Mapping[str, str], kinds: frozenset[str]) -> dict[str, Rule]:
    """Return rules for templates that are named after a country and show its name and flag."""
    rules: dict[str, Rule] = {}
    for code, name in countries.items():
        if "name" in kinds:
            rules[normalise_template_name(name)] = Rule(parts=(name,))
        if "code" in kinds:
            rules[code] = Rule(parts=(name,))
        elif "code or text" in kinds:
            text = f"{WIKITEXT}{{{{#switch:{{{{{{1|}}}}}}|={name}|#=|#default={{{{{{1}}}}}}}}}}"
            rules[code] = parse_rule(text)
    return rules


def _rules(names_by_rule: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, Rule]]:
    for text, names in names_by_rule.items():
        rule = parse_rule(text)
        for name in names:
            yield name, rule


def _same(
    name: str, same: str, templates: Mapping[str, Rule], template_names: frozenset[str]
) -> Rule:
    """Return the rule of the template that a name is an alias of."""
    rule = templates.get(normalise_template_name(same, template_names))
    if rule is None or rule.same:
        raise ValueError(f"{name!r} cannot read as {same!r}: that has no rule of its own")
    return rule


def _switches(layers: Sequence[Mapping[str, Any]], key: str) -> frozenset[str]:
    """Return the casefolded switches; underscores are part of their names."""
    return frozenset(switch.casefold() for layer in layers for switch in layer.get(key, ()))
