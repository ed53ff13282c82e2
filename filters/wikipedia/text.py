"""Turn wikitext into plain text (LLaMA, arXiv:2302.13971v1, section 2.1, "Wikipedia").

The paper removes "hyperlinks, comments and other formatting boilerplate". A page takes four steps
(the rules are in docs/rules/sources.md 2.3 to 2.7):

1. `strip_tags` removes comments and tags, and puts aside the pieces that are not parsed.
2. `scan` renders templates, links and tables, innermost first. If their marks can be read in more
   than one way, `parse_with_mwparserfromhell` decides instead.
3. `lay_out` splits the text into lines of headings, lists and paragraphs, removes emphasis, and
   repairs the gaps that removals left.
4. The pieces that were put aside are restored.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from filters.wikipedia.layout import lay_out
from filters.wikipedia.losses import settle_losses
from filters.wikipedia.markers import clean_input, restore_verbatim
from filters.wikipedia.nodes import Renderer, RenderTemplate
from filters.wikipedia.placed import place_templates
from filters.wikipedia.scanner import balance, scan
from filters.wikipedia.sites import Site
from filters.wikipedia.tags import strip_tags
from filters.wikipedia.templates import Page, render_template

MAX_PARSED_CHARS: Final = 4_000_000  # 4 MB (docs/rules/sources.md 2.7)

Path: TypeAlias = Literal["fast", "parser", "fallback"]
Parse: TypeAlias = Callable[[str, Renderer], str]


@dataclass(frozen=True)
class Options:
    """Options for the content of a page's text."""

    math: Literal["latex", "drop", "placeholder"] = "latex"
    include_title: bool = True
    drop_sections: frozenset[str] = frozenset()  # headings, e.g. {"References"}; case is ignored


@dataclass(frozen=True)
class Rendered:
    """The text of a page, and what was lost or used for it."""

    text: str  # empty if nothing but the title is left
    dropped: Mapping[str, int]  # templates that became nothing -> how often
    path: Path  # the parser that read its marks
    lost_values: int = 0  # templates that became nothing within a sentence


def parse_with_mwparserfromhell(text: str, renderer: Renderer) -> str:
    """Do what `filters.wikipedia.parser` does, which is imported for the first page that needs it.

    Most runs have none, and the import of the library takes as long as a hundred pages.
    """
    from filters.wikipedia import parser  # noqa: PLC0415

    return parser.parse_with_mwparserfromhell(text, renderer)


def to_text(
    wikitext: str,
    site: Site,
    *,
    title: str = "",
    options: Options = Options(),
    parse: Parse | None = parse_with_mwparserfromhell,
    render: RenderTemplate = render_template,
) -> Rendered:
    """Return the text of a page. It never raises, whatever the wikitext.

    Args:
        wikitext: the page's source, decoded.
        site: the namespaces and languages of its wiki.
        title: the page's title, which comes first in the text.
        options: the content of the text.
        parse: the parser for pages that the scanner may misread, or None to use only the scanner.
        render: returns the text of a template, or None to drop it.
    """
    text, verbatim = strip_tags(clean_input(wikitext), options.math)
    page = Page(title, title, site.words["site name"])
    renderer = Renderer(site, page, render)
    scanned = scan(text, renderer)
    rendered = scanned.text
    path: Path = "fast"
    if scanned.too_deep or len(wikitext) > MAX_PARSED_CHARS:
        path = "fallback"
    elif scanned.ambiguous:
        parsed = _parse(parse, balance(text, scanned.edits), Renderer(site, page, render))
        if parsed is None:
            path = "fallback"
        else:
            rendered, renderer = parsed
            path = "parser"
    sections = frozenset(name.casefold() for name in options.drop_sections)
    rendered, lost_values = settle_losses(rendered)
    rendered, unplaced = place_templates(rendered)
    body = restore_verbatim(lay_out(rendered, site, sections), verbatim)
    if body and options.include_title and title:
        body = f"{title}\n\n{body}"
    return Rendered(body, Counter(renderer.dropped + unplaced), path, lost_values)


def _parse(parse: Parse | None, text: str, renderer: Renderer) -> tuple[str, Renderer] | None:
    """Return the text from the parser and the renderer that it used, or None if it failed."""
    if parse is None:
        return None
    try:
        parsed = parse(text, renderer)
    except Exception:  # noqa: BLE001  (a parser may fail in any way, and the page is kept)
        return None
    return scan(parsed, renderer).text, renderer  # marks that the parser left as text
