"""Turn a page's wikitext into text, with the parser in a child process (docs/rules/sources.md 2.7).

Our own scanner reads most pages, and the time budget of a document limits it. The other pages go to
``mwparserfromhell``, which holds the interpreter lock without a limit. So a child process parses
them; the scanner alone reads the pages that the child cannot parse in time, and they are counted.
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
    """The arguments of :func:`site_of`; small and hashable, as a pipe carries them per page."""

    lang: str
    namespaces: tuple[tuple[int, str], ...] = ()  # key and local name, from the dump
    extra: str = ""  # JSON that the user adds to the data of the language


@lru_cache(64)
def site_of(wiki: Wiki) -> Site:
    """Return the names of a wiki's namespaces, templates and words.

    Raises:
        ValueError: the language is unknown, or the user's JSON is wrong.
    """
    extra: dict[str, Any] | None = json.loads(wiki.extra) if wiki.extra else None
    return load_site(wiki.lang, {key: (name,) for key, name in wiki.namespaces}, extra)


class _ParserWanted(BaseException):
    """The scanner needs the parser; not an ``Exception``, so that the filter passes it on."""


def _ask(*_: Any) -> NoReturn:
    raise _ParserWanted


def _refuse(*_: Any) -> NoReturn:
    raise TimeoutError


def render_here(wikitext: str, title: str, wiki: Wiki, options: Options) -> Rendered:
    """Return the text of a page in the child process, with the parser if it is needed."""
    return to_text(wikitext, site_of(wiki), title=title, options=options)


def render(
    wikitext: str, title: str, wiki: Wiki, options: Options, *, seconds: float
) -> tuple[Rendered, str]:
    """Return the text of a page, and why the parser failed, "" if it did not.

    Args:
        wikitext: source of the page.
        title: title of the page.
        wiki: the Wikipedia of the page.
        options: what the text includes.
        seconds: CPU seconds for the parser.
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
