"""Parse wikitext with mwparserfromhell, and render it with our renderer.

This parser reads only pages whose marks can be read in more than one way. Tags, comments and
unclosed constructs are removed before, so the parser decides where templates, arguments, links and
tables start and end; all other nodes stay text. It has no time limit and holds the interpreter's
lock, so the caller must limit it.
"""

from collections.abc import Callable
from typing import Any, Final

import mwparserfromhell
from mwparserfromhell.nodes import (
    Argument,
    ExternalLink,
    Heading,
    Node,
    Tag,
    Template,
    Text,
    Wikilink,
)
from mwparserfromhell.wikicode import Wikicode

from filters.wikipedia.markers import BLOCK, EQUALS, LESS
from filters.wikipedia.nodes import Renderer

_TABLE: Final = "{|"


def parse_with_mwparserfromhell(text: str, renderer: Renderer) -> str:
    """Render templates, links and tables of a balanced text without tags.

    Raises:
        mwparserfromhell.parser.ParserError: the library cannot parse the text.
        RecursionError: constructs are nested too deeply.
    """
    text = text.replace("<", LESS).replace(BLOCK, "\n")
    return _render(mwparserfromhell.parse(text, skip_style_tags=True), renderer).replace(LESS, "<")


def _render(code: Wikicode | None, renderer: Renderer) -> str:
    return "".join(_node(node, renderer) for node in code.nodes) if code else ""


def _value(code: Wikicode | None, renderer: Renderer) -> str:
    """Render a part of a template; an equals sign in it must not look like the template's own."""
    if not code:
        return ""
    return "".join(
        str(node) if isinstance(node, Text) else _node(node, renderer).replace("=", EQUALS)
        for node in code.nodes
    )


def _node(node: Node, renderer: Renderer) -> str:
    render = _RENDERERS.get(type(node))
    return str(node) if render is None else render(node, renderer)


def _template(node: Template, renderer: Renderer) -> str:
    mark = renderer.mark()
    parts = [_value(node.name, renderer)]
    for parameter in node.params:
        value = _value(parameter.value, renderer)
        parts.append(f"{parameter.name}={value}" if parameter.showkey else value)
    return renderer.template(parts, mark)


def _argument(node: Argument, renderer: Renderer) -> str:
    parts = [_render(node.name, renderer)]
    if node.default is not None:
        parts.append(_render(node.default, renderer))
    return renderer.argument(parts)


def _link(node: Wikilink, renderer: Renderer) -> str:
    mark = renderer.mark()
    parts = [_render(node.title, renderer)]
    if node.text is not None:
        parts.append(_render(node.text, renderer))
    return renderer.link(parts, mark)


def _external_link(node: ExternalLink, renderer: Renderer) -> str:
    url = _render(node.url, renderer)
    if not node.brackets:
        return url
    return f"[{url}]" if node.title is None else f"[{url} {_render(node.title, renderer)}]"


def _heading(node: Heading, renderer: Renderer) -> str:
    marks = "=" * node.level
    return f"{marks}{_render(node.title, renderer)}{marks}"


def _tag(node: Tag, renderer: Renderer) -> str:
    """Render a table; the library also treats lists and rules as tags, and they stay unchanged."""
    return renderer.table(renderer.mark()) if node.wiki_markup == _TABLE else str(node)


_RENDERERS: Final[dict[type[Node], Callable[[Any, Renderer], str]]] = {
    Template: _template,
    Argument: _argument,
    Wikilink: _link,
    ExternalLink: _external_link,
    Heading: _heading,
    Tag: _tag,
}
