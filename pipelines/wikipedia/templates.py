"""Derive rules for a wiki's inline templates from its own definitions (docs/templates.md).

``python -m pipelines templates --input DUMP … --out rules.json`` reads the template namespace of
dumps and writes the file that ``wikipedia --templates rules.json`` reads. If the package has a rule
for one name of a template, that rule applies to all of its names; for the other templates, a
definition that is only wikitext becomes a rule. ``rules.tsv`` beside it lists every template that
the articles use, how often they use it, and whether it has a rule or why not.

A dump is read once, as a stream. Only the rules, the names, and the counts of uses are kept.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial

from filters.wikipedia.pages import ARTICLES
from filters.wikipedia.reduction import Definition, Refused, reduce_definition
from filters.wikipedia.resolution import Outcome, follow, resolve
from filters.wikipedia.rules import SAME
from filters.wikipedia.site_data import normalise_template_name
from filters.wikipedia.sites import TEMPLATE, Site, is_redirect, load_site
from pipelines.engine.errors import RunError
from pipelines.engine.units import Unit
from pipelines.readers.rows import BadRow
from pipelines.storage import files as storage
from pipelines.wikipedia.dumps import find_units
from pipelines.wikipedia.export import SiteInfo
from pipelines.wikipedia.records import Page, read_pages
from tokenizer.settings import setting

_WHOLE = 1 << 62  # bytes per unit, so large that no dump is cut
_USE = re.compile(r"\{\{([^{}|\[\]<>]{1,200})")
_TARGET = re.compile(r"\[\[([^\[\]|#]+)")
_NAMES = 1 << 16  # spellings of names whose normalised forms are cached
RULE, BUNDLED, UNKNOWN = "rule", "has a rule already", "not in the dump"


@dataclass(frozen=True)
class TemplatesConfig:
    """The settings of the command, given as flags."""

    input: tuple[str, ...] = setting(
        help="dumps with their templates: WIKI-DATE-pages-articles[-multistream].xml.bz2, .gz, .xml"
    )
    min_uses: int = setting(
        1, at_least=1, help="uses in articles, at least, of a template that gets a rule"
    )


@dataclass(slots=True)
class WikiTemplates:
    """The templates of one wiki: their definitions, and how often its articles use them."""

    site: Site
    namespaces: Mapping[int, str]
    uses: Counter[str] = field(default_factory=Counter)
    definitions: dict[str, Outcome] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    articles: int = 0
    bad_pages: int = 0

    def add(self, page: Page) -> None:
        """Add the templates that an article uses, or the definition of a template."""
        if page.namespace == TEMPLATE:
            self._define(page)
        elif page.namespace == ARTICLES and page.text and page.redirect is None:
            self.articles += 1
            normalise = _normaliser(self.site.template_names)
            self.uses.update(normalise(match[1]) for match in _USE.finditer(page.text))

    def _define(self, page: Page) -> None:
        name = normalise_template_name(page.title, self.site.template_names)
        text = page.text or ""
        if page.redirect is not None or is_redirect(text, self.site):
            found = _TARGET.search(text)
            target = page.redirect or (found[1] if found else "")
            self.redirects[name] = normalise_template_name(target, self.site.template_names)
        elif page.model == "wikitext":
            outcome = reduce_definition(text, self.site, self.namespaces)
            self.definitions[name] = _shared(outcome) if isinstance(outcome, Refused) else outcome


@lru_cache(None)
def _shared(refused: Refused) -> Refused:
    """Return one shared object per reason, since few reasons cover most templates."""
    return refused


@lru_cache(None)
def _normaliser(template_names: frozenset[str]) -> Callable[[str], str]:
    return lru_cache(_NAMES)(partial(normalise_template_name, template_names=template_names))


@dataclass(frozen=True, slots=True)
class Row:
    """The outcome for a template, with all its names."""

    name: str
    uses: int
    outcome: str
    rule: str = ""
    names: tuple[str, ...] = ()  # the names that the rule applies to


def judge(wiki: WikiTemplates, min_uses: int) -> list[Row]:
    """Return the outcome for each template that articles use, the most used first."""
    judged = _Judge(wiki)
    uses: Counter[str] = Counter()
    for name, count in wiki.uses.items():
        if not _is_word(name, wiki.site):
            uses[follow(name, wiki.redirects)] += count
    wanted = judged.with_callees(sorted(name for name in uses if uses[name] >= min_uses))
    rows = [judged.row(name, uses[name]) for name in wanted]
    few = Refused(f"fewer than {min_uses} uses")
    rows += [judged.row(name, uses[name], few) for name in uses.keys() - set(wanted)]
    return sorted(rows, key=lambda row: (-row.uses, row.name))


class _Judge:
    """The resolved templates of a wiki, with all their names and the names that others call."""

    def __init__(self, wiki: WikiTemplates) -> None:
        self._wiki = wiki
        self._outcomes = resolve(wiki.definitions, wiki.redirects, wiki.site)
        self._called: set[str] = set()
        self._aliases: defaultdict[str, list[str]] = defaultdict(list)
        for name in sorted(wiki.redirects):
            self._aliases[follow(name, wiki.redirects)].append(name)

    def with_callees(self, wanted: list[str]) -> list[str]:
        """Return the names, and the names of all templates that their definitions call."""
        names, seen = list(wanted), set(wanted)
        for name in names:
            outcome = self._outcomes.get(name)
            for call in sorted(outcome.calls) if isinstance(outcome, Definition) else ():
                self._called.add(call)
                target = follow(call, self._wiki.redirects)
                if target in self._outcomes and target not in seen:
                    seen.add(target)
                    names.append(target)
        return names

    def row(self, name: str, uses: int, refused: Refused | None = None) -> Row:
        """Return the outcome for a template, by its names or by its definition."""
        site = self._wiki.site
        names = [name, *self._aliases[name]]
        outcome = refused or self._outcomes.get(name, Refused(UNKNOWN))
        used = tuple(
            other
            for other in names
            if (self._wiki.uses[other] or other in self._called) and site.rule(other) is None
        )
        if known := next((other for other in names if other in site.templates), ""):
            return Row(name, uses, BUNDLED, SAME + known, used)
        if site.rule(name) is not None:  # known by a prefix, which an alias need not have
            return Row(name, uses, BUNDLED)
        if isinstance(outcome, Definition):
            return Row(name, uses, RULE, outcome.rule, used)
        return Row(name, uses, outcome.reason)


def _is_word(name: str, site: Site) -> bool:
    """Tell whether a name is a parser function or a magic word, not a template."""
    word, colon, _ = name.partition(":")
    known = " ".join(word.casefold().split()) in site.magic_words
    return not name or name.startswith("#") or (known and (bool(colon) or word.isupper()))


def make_rules(config: TemplatesConfig, out: str, say: Callable[[str], None]) -> None:
    """Read dumps and write the rules and the table beside them.

    Args:
        config: the dumps, and the least number of uses.
        out: the path of the rules; it must end in ``.json``.
        say: the function that receives the summary of each wiki.

    Raises:
        RunError: a setting is wrong, or a dump cannot be read.
        StorageError: an input does not exist.
    """
    if not out.endswith(".json"):
        raise RunError(f"--out {out}: give a name that ends in .json")
    units, unreadable = find_units(storage.find_inputs(config.input), unit_bytes=_WHOLE)
    if unreadable:
        raise RunError("; ".join(unreadable.values()))
    wikis: dict[str, WikiTemplates] = {}
    for unit in units:
        _read(unit, wikis)
    definitions: dict[str, dict[str, list[str]]] = {}
    table = ["language\ttemplate\tuses\toutcome"]
    for lang, wiki in sorted(wikis.items()):
        rows = judge(wiki, config.min_uses)
        rules: defaultdict[str, list[str]] = defaultdict(list)
        for row in rows:
            if row.names:
                rules[row.rule] += row.names
            if row.uses:
                table.append(f"{lang}\t{row.name}\t{row.uses}\t{row.outcome}")
        definitions[lang] = dict(rules)
        say(_summary(lang, wiki, rows))
    text = json.dumps({"definitions": definitions}, ensure_ascii=False, indent=1)
    storage.write_bytes(out, text.encode("utf-8", "replace") + b"\n")
    tsv = "\n".join(table) + "\n"
    storage.write_bytes(out.removesuffix(".json") + ".tsv", tsv.encode("utf-8", "replace"))


def _read(unit: Unit, wikis: dict[str, WikiTemplates]) -> None:
    namespaces = {int(key): name for key, name in unit.extra["namespaces"].items()}
    lang = unit.extra["lang"]
    if lang not in wikis:
        site = load_site(lang, {key: (name,) for key, name in namespaces.items()})
        wikis[lang] = WikiTemplates(site, namespaces)
    wiki = wikis[lang]
    with storage.open_input(unit.path) as stream:
        for page in read_pages(
            stream, storage.basename(unit.path), SiteInfo(namespaces=namespaces)
        ):
            if isinstance(page, BadRow):
                wiki.bad_pages += 1
            else:
                wiki.add(page)


def _summary(lang: str, wiki: WikiTemplates, rows: list[Row]) -> str:
    """Return a few lines that sum up the outcomes for a wiki's templates, weighted by uses."""
    total = sum(row.uses for row in rows)
    by_outcome: Counter[str] = Counter()
    for row in rows:
        by_outcome[row.outcome] += row.uses
    head = f"{lang}: {total:,} uses of {len(rows):,} templates in {wiki.articles:,} articles"
    lines = [f"{head}; {len(wiki.definitions):,} definitions"]
    if not wiki.definitions:
        lines.append("  the dump holds no templates: give pages-articles, whole or all its parts")
    if wiki.bad_pages:
        lines.append(f"  {wiki.bad_pages:,} pages could not be read")
    for outcome, uses in sorted(by_outcome.items(), key=lambda pair: (-pair[1], pair[0]))[:12]:
        lines.append(f"  {uses:>12,}  {uses / max(total, 1):6.1%}  {outcome}")
    return "\n".join(lines)
