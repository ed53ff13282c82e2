"""Strip the tags of a template's definition, and refuse definitions that make a box.

Tags that only style a text are removed with their attributes. Tags that affect the layout lose
their attributes and stay; they are removed later with the tags of the page. Elements that are not
displayed are removed with their content, and so are notes to the reader about the article.
"""

import re
from typing import Final

from filters.wikipedia.definitions import DefinitionError

_UNSEEN: Final = re.compile(
    r"<(ref|references|templatestyles|section|indicator|gallery|categorytree|templatedata)\b"
    r"(?:[^<>]*/>|[^<>]*>(?:.*?</\1\s*>)?)",
    re.DOTALL | re.IGNORECASE,
)
_NOWIKI: Final = re.compile(r"<nowiki\s*/>|<nowiki>(.*?)</nowiki>", re.DOTALL | re.IGNORECASE)
_TAG: Final = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]*+)([^<>]*)>")
_INLINE: Final = frozenset(
    {
        *("a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em"),
        *("font", "i", "ins", "kbd", "mark", "nobr", "q", "s", "samp", "small", "span"),
        *("strike", "strong", "time", "tt", "u", "var", "wbr"),
    }
)
# These tags affect the layout of a text, so they stay without their attributes.
_LAYOUT: Final = frozenset(
    {
        *("blockquote", "br", "center", "dd", "div", "dl", "dt", "hr", "li", "ol", "p", "sub"),
        *("sup", "ul"),
    }
)
_TABLES: Final = frozenset(["caption", "table", "tbody", "td", "th", "thead", "tr"])
_HIDDEN: Final = re.compile(r"display\s*:\s*none|\bsortkey\b|\bmetadata\b", re.IGNORECASE)
_NOTICE: Final = re.compile(
    r"noprint|inline-template|hatnote|rellink|dablink|ambox|bandeau|homonymie|navigation-not|"
    r"role\s*=\s*[\"']?(?:note|navigation)|selfref|noexcerpt|printfooter",
    re.IGNORECASE,
)
_BOX: Final = re.compile(
    r"infobox|navbox|navframe|sidebar|thumb|float\s*:|clear\s*:|mw-collapsible|toccolours|"
    r"border\s*:\s*[1-9]",
    re.IGNORECASE,
)
_MARKUP: Final = re.compile(r"[\[\]{}|'<]")
_TABLE_START: Final = re.compile(r"(?:\A|\n)[ \t:]*\{\|")


def strip_definition_tags(text: str) -> str:
    """Return a definition with only the tags that matter to the layout of its text.

    Raises:
        DefinitionError: the definition makes a table, a box or a notice, contains something that is
            not wikitext, or hides something on a condition.

    >>> strip_definition_tags("<span style='x'>{{{1}}}</span><br /><ref>a</ref>")
    '{{{1}}}<br>'
    """
    text = _NOWIKI.sub(_plain, _UNSEEN.sub("", text))
    shown = _strip(text)
    if not shown.strip() and _NOTICE.search(text):
        raise DefinitionError("notice")
    return shown


def _strip(text: str) -> str:
    if _TABLE_START.search(text):
        raise DefinitionError("table")
    out: list[str] = []
    position = depth = 0
    hidden = ""  # the element that is not shown
    for match in _TAG.finditer(text):
        name = match[2].lower()
        alone = match[3].endswith("/")
        if hidden:
            if name == hidden and not alone:
                depth += -1 if match[1] else 1
            if not depth:
                hidden, position = "", match.end()
            continue
        out.append(text[position : match.start()])
        position = match.end()
        _check(name, match[3])
        if _HIDDEN.search(match[3]) or _NOTICE.search(match[3]):
            if not match[1] and not alone:
                hidden, depth = name, 1
        elif name in _LAYOUT:
            out.append(f"<{match[1]}{name}>")
    if hidden:
        raise DefinitionError("unbalanced tags")
    out.append(text[position:])
    return "".join(out)


def _check(name: str, attributes: str) -> None:
    """Raise for a tag that makes something other than running text."""
    if name not in _INLINE and name not in _LAYOUT:
        raise DefinitionError("table" if name in _TABLES else f"tag <{name}>")
    if _BOX.search(attributes):
        raise DefinitionError("box")
    if "{{" in attributes and _HIDDEN.search(attributes):
        raise DefinitionError("hidden on a condition")


def _plain(match: re.Match[str]) -> str:
    """Return the content of a `<nowiki>` that has the same meaning without the tag."""
    content: str = match[1] or ""
    if _MARKUP.search(content):
        raise DefinitionError("nowiki")
    return content
