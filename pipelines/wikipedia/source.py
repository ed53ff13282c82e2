"""Wikipedia: articles in twenty languages (section 2.1, "Wikipedia", 4.5 % of the mixture).

The inputs are dumps, ``pages-articles`` or ``pages-meta-history`` (docs/rules/sources.md 2). A
record is a page:

1. articles are kept; pages of other namespaces, redirects, other models than wikitext and empty
   pages are dropped;
2. wikitext becomes text: markup is removed, and values that templates show in running text stay;
3. pages that are too short without their title are dropped.

A wiki's own dump holds each page once. If the names of the inputs do not guarantee that, the pages
with the same id are compared, and the newest revision is kept.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal
from urllib.parse import quote

from filters.verdict import KEEP, Verdict
from filters.wikipedia import pages
from filters.wikipedia.sites import is_disambiguation
from filters.wikipedia.text import Options
from pipelines.engine.child import CALL_SECONDS
from pipelines.engine.documents import Document
from pipelines.engine.errors import RunError
from pipelines.engine.passes import Converter, Notes, Write
from pipelines.engine.plan import Inputs
from pipelines.engine.source import Phase, Source
from pipelines.engine.stages import Keep, Rewrite, Score, Stage
from pipelines.engine.steps import Verdicts
from pipelines.engine.units import Part, Unit
from pipelines.joins.claims import digest_key
from pipelines.joins.settle import Settle
from pipelines.readers.rows import BadRow, UnreadableFile
from pipelines.storage import files as storage
from pipelines.storage.files import find_inputs
from pipelines.wikipedia.dumps import are_distinct, check_status, find_units
from pipelines.wikipedia.export import SiteInfo
from pipelines.wikipedia.records import Page, RawPage, frame_pages, wiki_page
from pipelines.wikipedia.text import Wiki, render, site_of
from tokenizer.settings import setting

_LARGEST = 10**20 - 1  # larger than any revision id
# Only the selection needs these facts of a page; they are the same for all pages that are kept.
_SELECTION = ("namespace", "model", "redirect")
_CC_BY_SA_4 = "2023-06-07"  # Wikipedia's text is under version 4.0 from then on, before it 3.0
_TITLE_SAFE = ";@$!*(),/~:"  # characters that MediaWiki does not escape in an address


@dataclass(frozen=True)
class WikipediaConfig:
    """The settings of the source, given as flags or as keys of a recipe."""

    input: tuple[str, ...] = setting(
        help="dumps: files or globs (WIKI-DATE-pages-articles[-multistream].xml.bz2, .gz, .xml)"
    )
    math: Literal["latex", "drop", "placeholder"] = setting("latex", help="what formulas become")
    title: bool = setting(True, help="begin each text with the title of its page")
    drop_sections: tuple[str, ...] = setting(
        (), help="headings whose sections go, e.g. References 'See also'"
    )
    drop_disambiguation: bool = setting(
        False, help="drop pages that list the meanings of their title"
    )
    min_chars: int = setting(1, at_least=0, help="characters of a text without its title, at least")
    templates: str = setting(
        "",
        help="JSON of inline templates and other names, in the form of filters/wikipedia/data",
        place=True,
    )
    parser_seconds: float = setting(
        CALL_SECONDS,
        help="CPU seconds for a page in the parser, before it goes on without",
    )
    unit_megabytes: float = setting(32.0, help="of a multistream dump, compressed, a unit")
    verify: bool = setting(False, help="compare checksums with the dumpstatus.json beside a dump")
    rejects: str = setting("all", help="rejects to keep: all, sample:F, ids or none")

    @property
    def options(self) -> Options:
        """The options of the filter; a later stage adds the title, after the length check."""
        return Options(
            math=self.math, include_title=False, drop_sections=frozenset(self.drop_sections)
        )


@dataclass(frozen=True)
class ToText:
    """Turn wikitext into text; count the pages per way of parsing, and the dropped templates."""

    name: str
    wiki: Wiki
    options: Options
    seconds: float  # of CPU time, in the parser
    notes: Counter[str] = field(default_factory=Counter)
    tables: dict[str, Counter[str]] = field(default_factory=dict)

    def __call__(self, document: Document) -> Verdict:
        """Rewrite the text; every document is kept."""
        meta = document.meta
        rendered, failure = render(
            document.text, meta["title"], self.wiki, self.options, seconds=self.seconds
        )
        document.text = rendered.text
        meta["n_templates_dropped"] = sum(rendered.dropped.values())
        meta["lost_values"] = rendered.lost_values
        self.notes[f"pages_{rendered.path}"] += 1
        if failure:
            self.notes[f"parser_{failure}"] += 1
        table = self.tables.setdefault(f"templates_dropped.{self.wiki.lang}", Counter())
        table.update(rendered.dropped)
        for key in _SELECTION:
            del meta[key]
        return KEEP


def unit_stages(config: WikipediaConfig, extra: str, unit: Unit, _: Verdicts) -> Sequence[Stage]:
    """Return the stages of a unit, for the language of its wiki."""
    namespaces = tuple((int(key), name) for key, name in unit.extra["namespaces"].items())
    wiki = Wiki(unit.extra["lang"], namespaces, extra)
    return stages(config, wiki)


def stages(config: WikipediaConfig, wiki: Wiki) -> list[Stage]:
    """Return the stages for the pages of one Wikipedia (docs/rules/sources.md 2.2)."""
    site = site_of(wiki)
    lists = Keep("wikipedia.disambiguation", pages.check_disambiguation, ("meta.disambiguation",))
    return [
        Keep("wikipedia.namespace", pages.check_namespace, ("meta.namespace",)),
        Keep(
            "wikipedia.redirect",
            partial(pages.check_redirect, site=site),
            ("text", "meta.redirect"),
        ),
        Keep("wikipedia.model", pages.check_model, ("meta.model",)),
        Keep("wikipedia.wikitext", pages.check_wikitext),
        Score("wikipedia.kind", partial(is_disambiguation, site=site), into="meta.disambiguation"),
        *([lists] if config.drop_disambiguation else []),
        ToText("wikipedia.markup", wiki, config.options, config.parser_seconds),
        Keep("wikipedia.length", partial(pages.check_body, min_chars=config.min_chars)),
        *(
            [Rewrite("wikipedia.title", pages.put_title, ("text", "meta.title"))]
            if config.title
            else []
        ),
    ]


def page_url(lang: str, title: str) -> str:
    """Return the address of a page (docs/rules/sources.md 2.8).

    >>> page_url("de", "Straße 1 (Film)")
    'https://de.wikipedia.org/wiki/Stra%C3%9Fe_1_(Film)'
    """
    name = title.replace(" ", "_").encode("utf-8", "replace")
    return f"https://{lang}.wikipedia.org/wiki/{quote(name, safe=_TITLE_SAFE)}"


def license_of(dump_date: str, timestamp: str | None) -> str:
    """Return the licence of a page, by the dump's date (YYYYMMDD), else by the page's timestamp.

    >>> license_of("20220801", None), license_of("", "2024-01-01T00:00:00Z")
    ('CC-BY-SA-3.0', 'CC-BY-SA-4.0')
    """
    date = dump_date or (timestamp or "").replace("-", "")[:8]
    return "CC-BY-SA-4.0" if date >= _CC_BY_SA_4.replace("-", "") else "CC-BY-SA-3.0"


def document_of(unit: Unit, page: Page) -> Document:
    """Return the document of a page; its text is still wikitext (docs/rules/sources.md 2.8)."""
    lang, date = unit.extra["lang"], unit.extra["date"]
    return Document(
        id=f"wikipedia:{lang}:{page.page_id}",
        source="wikipedia",
        text=page.text or "",
        url=page_url(lang, page.title),
        created=page.timestamp,
        lang=lang,
        license=license_of(date, page.timestamp),
        meta={
            "title": page.title,
            "lang": lang,
            "page_id": page.page_id,
            "revision_id": page.revision_id,
            "timestamp": page.timestamp,
            "wiki": unit.extra["wiki"],
            "dump_date": f"{date[:4]}-{date[4:6]}-{date[6:]}" if date else None,
            "namespace": page.namespace,
            "model": page.model,
            "redirect": page.redirect,
        },
        row=page.row,
    )


def records(_unit: Unit, part: Part, _notes: Notes) -> Iterator[RawPage | BadRow]:
    """Yield the pages of a part; their elements are not yet converted."""
    with storage.open_input(part.path) as stream:
        name = storage.basename(part.path)
        yield from frame_pages(stream, name, start=part.start, end=part.end)


def converter(unit: Unit, _verdicts: Verdicts, _notes: Notes) -> Converter:
    """Return the function that turns a page of this unit into a document."""
    names = unit.extra["namespaces"].items()
    site = SiteInfo(namespaces={int(key): name for key, name in names})

    def convert(record: RawPage) -> Document | BadRow:
        page = wiki_page(record, site=site)
        return page if isinstance(page, BadRow) else document_of(unit, page)

    return convert


def page_claim(document: Document) -> dict[str, Any]:
    """Return the claim of a page on its id: among equal ids the newest revision wins."""
    return {
        "claim_key": digest_key(document.id),
        "claim_rank": b"%020d" % (_LARGEST - document.meta["revision_id"]),
        "claim_count": 1,
    }


def revision_of(rank: bytes) -> str:
    """Name the revision whose claim has this rank."""
    return f"revision {_LARGEST - int(rank)}"


def read_templates(path: str) -> str:
    """Return the user's JSON after its form is checked.

    Raises:
        RunError: the file is absent, not JSON, or not in the form of ``filters/wikipedia/data``.
    """
    if not path:
        return ""
    try:
        text = storage.read_bytes(path).decode("utf-8")
        site_of(Wiki("en", extra=text))
    except (UnreadableFile, OSError, ValueError) as error:
        what = str(error).removeprefix(f"{path}: ")
        raise RunError(f"--templates {path}: {what}") from error
    return json.dumps(json.loads(text), sort_keys=True, ensure_ascii=False)


def find(config: WikipediaConfig) -> Inputs:
    """Find the dumps and cut them into units.

    Raises:
        StorageError: an input does not exist.
        RunError: the inputs hold the same pages, or are unfinished, or a setting is wrong.
    """
    for name in ("unit_megabytes", "parser_seconds"):
        if getattr(config, name) <= 0:
            flag = name.replace("_", "-")
            raise RunError(f"--{flag}={getattr(config, name):g}: give a number above 0")
    templates = read_templates(config.templates)
    files = find_inputs(config.input)
    units, unreadable = find_units(files, unit_bytes=max(1, int(config.unit_megabytes * 1e6)))
    check_status(files, verify=config.verify)
    facts = {
        "templates_sha256": hashlib.sha256(templates.encode()).hexdigest() if templates else ""
    }
    return Inputs(units, unreadable, facts)


def phases(config: WikipediaConfig, units: Sequence[Unit]) -> list[Phase]:
    """Return the phases that the pages of the dumps pass through, in order."""
    stages_of = partial(unit_stages, config, read_templates(config.templates))
    if are_distinct(units):
        return [Write("write", records, converter, stages_of)]
    pages_meet = Settle(
        "wikipedia.duplicate_page", "duplicate_page", page_claim, describe=revision_of
    )
    return [Write("render", records, converter, stages_of, staged=pages_meet.staged), pages_meet]


WIKIPEDIA = Source("wikipedia", WikipediaConfig, find, phases)
