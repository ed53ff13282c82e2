"""Find the web pages that a wiki page cites as its references (docs/rules/web.md 8.3).

Regular expressions over whole dumps miss citations that have a name or several lines, and cut
addresses at entities. This module finds the ``<ref>`` elements of a page first, and then the
addresses in them as MediaWiki would link them.
"""

import html
import re
from typing import Final

from filters.urls import host_of

# A page of an archive counts as the page that it stores: /web/20060101000000/http://example.com/
_ARCHIVED: Final = re.compile(
    r"(?:/\d{4,14}[a-z]{0,2}_?\*?|/\*)/(https?:/{1,2}[^/]|www\.)", re.IGNORECASE
)
# These archives do not, or not always, name the stored page in this way.
_ARCHIVES: Final = frozenset(
    {
        *("archive.today", "archive.is", "archive.ph", "archive.li", "archive.fo", "archive.md"),
        *("archive.vn", "web.archive.org", "wayback.archive.org", "webcitation.org", "perma.cc"),
        *("webcache.googleusercontent.com", "archive.wikiwix.com", "freezepage.com", "peeep.us"),
        *("webarchive.org.uk", "webarchive.nationalarchives.gov.uk", "webarchive.loc.gov"),
    }
)
_WIKIMEDIA: Final = frozenset(
    {
        *("wikipedia.org", "wikimedia.org", "wikidata.org", "wiktionary.org", "wikibooks.org"),
        *("wikinews.org", "wikiquote.org", "wikisource.org", "wikiversity.org", "wikivoyage.org"),
        *("mediawiki.org", "wikimediafoundation.org", "wmflabs.org", "toolforge.org"),
        *("toolserver.org", "wmcloud.org", "w.wiki"),
    }
)
# The content of these tags is not wikitext; a page may use them to explain how to cite.
_NOT_PARSED: Final = re.compile(
    r"<!--.*?(?:-->|\Z)|<(nowiki|pre|syntaxhighlight|source)\b[^<>]*(?<!/)>.*?(?:</\1\s*>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_REF_TAG: Final = re.compile(r"<(/?)ref(?:\s[^<>]*|/)?>", re.IGNORECASE)
_BLANK_LINE: Final = re.compile(r"\n[ \t]*\n")
# An address, with the mark before it that shows where it begins: the bracket of a link, or the
# equals sign of an argument.
_URL: Final = re.compile(
    r"([\[=][ \t]{0,8})?(https?://[^\s\[\]<>\"|{}\x00-\x20\x7f]+)", re.IGNORECASE
)
_ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_TRAILING: Final = ",;.:!?'"  # punctuation of a sentence that ends with an address


def reference_urls(wikitext: str) -> list[str]:
    """Return the addresses in the references of a page, each once, in order of appearance.

    Addresses of Wikimedia's own sites and of archives are left out; a page of an archive counts as
    the page that it stores, if its address says which.

    >>> reference_urls('A.<ref name="b">{{cite web|url=http://a.org/?x=1&amp;y=2|title=T}}</ref>')
    ['http://a.org/?x=1&y=2']
    """
    found: dict[str, None] = {}
    for content in references(wikitext):
        for match in _URL.finditer(_ENTITY.sub(_unescape, content)):
            if url := _cited(match[2] if match[1] else _without_punctuation(match[2])):
                found[url] = None
    return list(found)


def references(wikitext: str) -> list[str]:
    """Return the content of each ``<ref>``; an unclosed one ends at a blank line.

    >>> references('<ref>a</ref> <ref name="b" /> <ref name=c>d')
    ['a', 'd']
    """
    text = _NOT_PARSED.sub("", wikitext) if "<!--" in wikitext or "</" in wikitext else wikitext
    contents: list[str] = []
    start: int | None = None
    for tag in _REF_TAG.finditer(text):
        if start is not None:
            contents.append(_content(text, start, tag.start(), closed=bool(tag[1])))
        start = None if tag[1] or tag[0].endswith("/>") else tag.end()
    if start is not None:
        contents.append(_content(text, start, len(text), closed=False))
    return contents


def _content(text: str, start: int, end: int, *, closed: bool) -> str:
    blank = None if closed else _BLANK_LINE.search(text, start, end)
    return text[start : blank.start() if blank else end]


def _unescape(match: re.Match[str]) -> str:
    return html.unescape(match[0])


def _without_punctuation(url: str) -> str:
    """Remove punctuation that ends a sentence, and a closing parenthesis without an opening one."""
    return url.rstrip(_TRAILING if "(" in url else f"{_TRAILING})")


def _cited(url: str) -> str:
    """Return the cited page without its archive, or "" if it does not count."""
    for _ in range(3):  # archives also store pages of other archives
        if not (match := _ARCHIVED.search(url, len("https://"))):
            break
        inner = url[match.start(1) :]
        scheme, colon, rest = inner.partition(":")
        url = f"{scheme}://{rest.lstrip('/')}" if colon and "." not in scheme else f"http://{inner}"
    host = host_of(url)
    if "." not in host or _is_of(host, _WIKIMEDIA) or _is_of(host, _ARCHIVES):
        return ""
    return url


def _is_of(host: str, domains: frozenset[str]) -> bool:
    """Tell whether a host is one of the domains or a subdomain of one."""
    return host in domains or any(
        host[at + 1 :] in domains for at, char in enumerate(host) if char == "."
    )
