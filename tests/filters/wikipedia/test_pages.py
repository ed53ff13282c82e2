"""Real pages of 20 languages: both parsers agree, and no markup is left."""

import re
from pathlib import Path

import pytest

from filters.wikipedia.layout import lay_out
from filters.wikipedia.markers import clean_input
from filters.wikipedia.nodes import Renderer
from filters.wikipedia.parser import parse_with_mwparserfromhell
from filters.wikipedia.scanner import balance, scan
from filters.wikipedia.sites import load_site
from filters.wikipedia.tags import strip_tags
from filters.wikipedia.templates import Page, render_template
from filters.wikipedia.text import to_text
from tests.filters.wikipedia.wikitext_pages import DUMPS, sample_pages

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not DUMPS, reason="no sample dumps: set CORPUSMILL_DATA"),
]

# Pieces that may hold markup: what is put aside, and what entities make.
_LITERAL = re.compile(
    r"<(nowiki|pre|code|source|syntaxhighlight|math|chem|ce|score)\b.*?</\1\s*>|<!--.*?-->|&\w+;|&#\w+;",
    re.DOTALL | re.IGNORECASE,
)
_MARKUP = re.compile(
    r"\[\[|\]\]|\{\{|\}\}|\{\||<ref|</ref|<br|\|thumb|__[A-Z]{3,}__|''|^[*#:;|]|^==|[\ufdd0-\ufdef]"
    r"|\n\n\n|[ \t]$|^\[\[?(?:File|Category)",
    re.MULTILINE,
)


@pytest.mark.parametrize("dump", DUMPS, ids=lambda path: path.name[:2])
def test_both_parsers_read_the_same(dump: Path) -> None:
    """On pages that the scanner accepts, mwparserfromhell gives the same text."""
    site = load_site(dump.name[:2])
    compared = 0
    for sample in sample_pages(dump):
        page = Page(sample.title, sample.title, "Wikipedia")
        text, _ = strip_tags(clean_input(sample.wikitext))
        scanned = scan(text, Renderer(site, page, render_template))
        if not scanned.ambiguous:
            renderer = Renderer(site, page, render_template)
            parsed = parse_with_mwparserfromhell(balance(text, scanned.edits), renderer)
            sections: frozenset[str] = frozenset()
            assert lay_out(scanned.text, site, sections) == lay_out(parsed, site, sections)
            compared += 1
    assert compared


@pytest.mark.parametrize("dump", DUMPS, ids=lambda path: path.name[:2])
def test_no_markup_is_left(dump: Path) -> None:
    """Pages without code, formulas and entities become text without any mark of wikitext."""
    site = load_site(dump.name[:2])
    for sample in sample_pages(dump):
        wikitext = _LITERAL.sub("", sample.wikitext)
        text = to_text(wikitext, site, title=sample.title).text
        assert _MARKUP.findall(text) == [], sample.title


@pytest.mark.parametrize("dump", DUMPS, ids=lambda path: path.name[:2])
def test_few_pages_need_the_parser(dump: Path) -> None:
    """The scanner reads at least 19 of 20 pages alone."""
    site = load_site(dump.name[:2])
    paths = [to_text(p.wikitext, site, parse=None).path for p in sample_pages(dump)]
    assert paths.count("fast") >= 0.95 * len(paths)
