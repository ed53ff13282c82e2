"""A page's wikitext to text, its parser in a process of its own (docs/rules/sources.md 2.7).

Most pages are read by a scanner of ours, whose time the budget of a document limits. The others go
to ``mwparserfromhell``, which holds the interpreter lock for as long as it likes: a child process
parses them, and what it cannot do in its time is left to the scanner alone, and counted.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn

from filters.wikipedia.sites import Site, load_site
from filters.wikipedia.text import Options, Rendered, to_text
from pipelines.engine.child import ChildFailed, shared_child


@dataclass(frozen=True, slots=True)
class Wiki:
    """What :func:`site_of` makes a site of; small and hashable, to cross a pipe with every page."""

    lang: str
    namespaces: tuple[tuple[int, str], ...] = ()  # key and local name, from the dump
    extra: str = ""  # JSON that the user adds to the data of the language


@lru_cache(64)
def site_of(wiki: Wiki) -> Site:
    """Return the names that a wiki gives things.

    Raises:
        ValueError: the language is unknown, or the user's JSON is wrong.
    """
    extra: dict[str, Any] | None = json.loads(wiki.extra) if wiki.extra else None
    return load_site(wiki.lang, {key: (name,) for key, name in wiki.namespaces}, extra)


class _ParserWanted(BaseException):
    """The scanner wants the parser; not an ``Exception``, so that the filter passes it on."""


def _ask(*_: Any) -> NoReturn:
    raise _ParserWanted


def _refuse(*_: Any) -> NoReturn:
    raise TimeoutError


def render_here(wikitext: str, title: str, wiki: Wiki, options: Options) -> Rendered:
    """Return the text of a page, with the parser where it is wanted: what the child does."""
    return to_text(wikitext, site_of(wiki), title=title, options=options)


def render(
    wikitext: str, title: str, wiki: Wiki, options: Options, *, seconds: float
) -> tuple[Rendered, str]:
    """Return the text of a page, and why the parser failed where it did.

    Args:
        wikitext: source of the page.
        title: of the page.
        wiki: which Wikipedia it is of.
        options: what the text holds.
        seconds: of CPU time for the parser.
    """
    try:
        return to_text(wikitext, site_of(wiki), title=title, options=options, parse=_ask), ""
    except _ParserWanted:
        pass
    try:
        child = shared_child(render_here, seconds=seconds)
        return child.call(wikitext, title, wiki, options), ""
    except ChildFailed as failure:
        without = to_text(wikitext, site_of(wiki), title=title, options=options, parse=_refuse)
        return without, failure.reason
