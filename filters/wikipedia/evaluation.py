"""Evaluate a template's definition with the arguments of one use of it.

Parameters, `#if`, `#ifeq`, `#switch`, `#expr` and similar functions, and calls of other templates
work as in MediaWiki. Links become their labels, files and categories become nothing, and tags are
removed later with the tags of the page. Constructs that the reduction of definitions refuses
(`filters.wikipedia.reduction`) become nothing here.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from filters.wikipedia.definitions import (
    Call,
    Link,
    Nodes,
    Parameter,
    call_name,
    split_argument,
)
from filters.wikipedia.expressions import calculate, show_number
from filters.wikipedia.markers import EQUALS, FRESH_LINE, REMOVED
from filters.wikipedia.rules import Arguments
from filters.wikipedia.site_data import fold, normalise_template_name
from filters.wikipedia.sites import Site
from filters.wikipedia.tags import strip_tags

# Returns the text of a magic word, or of a template whose rule is not a definition; or None.
Render = Callable[[str, Sequence[tuple[str | None, str]]], str | None]

CONDITIONS: Final = frozenset(
    {"#expr", "#if", "#ifeq", "#iferror", "#ifexpr", "#switch", "#tag", "padleft", "padright"}
)
# These functions make an address, which no text shows.
ADDRESSES: Final = frozenset(
    {"anchorencode", "canonicalurl", "filepath", "fullurl", "localurl", "urlencode"}
)
# These words without arguments have the same value on all articles.
CONSTANTS: Final[Mapping[str, str]] = {
    "!": "|",
    "=": "=",
    "namespace": "",
    "namespacee": "",
    "namespacenumber": "0",
    "fullpagenamee": "",  # the second "e" marks the form for addresses
    "pagenamee": "",
    "subjectspace": "",
    "articlespace": "",
}
_MAX_CALLS: Final = 20  # nested templates
_MAX_STEPS: Final = 5_000  # constructs evaluated for one template on a page
_MAX_CHARS: Final = 500_000  # of one template on a page: an argument may be repeated many times
_NOT_GIVEN: Final = re.compile(r"\{\{\{[^{}]*+\}\}\}")
_LINE_STARTS: Final = frozenset("*#:;")
_ERROR: Final = '<strong class="error"></strong>'  # of an expression; it shows nothing
_WIDTH: Final = re.compile(r"\d{1,2}")
_NUMBER: Final = re.compile(r"[+-]?\d+(?:\.\d+)?")


class _TooMuch(Exception):  # noqa: N818 - it is not an error of the page
    """The steps of one template are used up."""


def evaluate(definition: Nodes, given: Arguments, site: Site, render: Render) -> str | None:
    """Return the text of a template by its definition, or None if it has no text.

    Args:
        definition: the parsed wikitext of the definition.
        given: the arguments on the page.
        site: the Wikipedia whose other templates it may call.
        render: the function that renders templates whose rule is not a definition.

    >>> from filters.wikipedia.definitions import parse
    >>> from filters.wikipedia.sites import load_site
    >>> nodes = parse("{{#if:{{{2|}}}|{{{1}}} ({{{2}}})|{{{1}}}}}")
    >>> evaluate(nodes, Arguments([(None, "a")]), load_site("en"), lambda *_: None)
    'a'
    """
    try:
        text = _Evaluation(site, render).text(definition, given.given)
    except (_TooMuch, RecursionError):
        return None
    text = _NOT_GIVEN.sub("", text).replace(EQUALS, "=").replace("&#32;", " ")
    if "<" in text:
        text = strip_tags(text)[0]
    if not text.strip(f"\n{REMOVED}"):
        return None
    text = text.strip("\n")
    return FRESH_LINE + text if text[0] in _LINE_STARTS else text


class _Evaluation:
    """The evaluation of one template on a page."""

    def __init__(self, site: Site, render: Render) -> None:
        self._site = site
        self._render = render
        self._steps = 0
        self._calls = 0

    def text(self, nodes: Nodes, given: Mapping[str, str]) -> str:
        """Return the wikitext that nodes become."""
        self._steps += len(nodes)
        if self._steps > _MAX_STEPS:
            raise _TooMuch
        if len(nodes) == 1 and isinstance(nodes[0], str):
            return nodes[0]
        text = "".join(
            node if isinstance(node, str) else self._construct(node, given) for node in nodes
        )
        if len(text) > _MAX_CHARS:
            raise _TooMuch
        return text

    def _construct(self, node: Parameter | Call | Link, given: Mapping[str, str]) -> str:
        if isinstance(node, Parameter):
            name = self.text(node.name, given).strip()
            if (value := given.get(name)) is not None:
                return value
            # MediaWiki shows the parameter itself, and `#if` treats it as text.
            return f"{{{{{{{name}}}}}}}" if node.default is None else self.text(node.default, given)
        if isinstance(node, Link):
            return self._link(node, given)
        return self._call(node, given)

    def _link(self, link: Link, given: Mapping[str, str]) -> str:
        target, bar, label = "|".join(self.text(part, given) for part in link.parts).partition("|")
        prefix, colon, _ = target.partition(":")
        if colon and fold(prefix) in self._site.file_names | self._site.category_names:
            return ""
        return label if bar and label else target.lstrip(":")

    def _call(self, call: Call, given: Mapping[str, str]) -> str:
        name = self.text(call_name(call), given).strip()
        constant = CONSTANTS.get(fold(name)) if name.isupper() or len(name) < 2 else None
        if constant is not None:
            return constant
        word, colon, rest = name.partition(":")
        if colon:
            function = self._site.magic_words.get(fold(word), fold(word))
            if function in CONDITIONS:
                return self._condition(function, rest.strip(), call.parts[1:], given)
            if function == "ns":  # the name of a namespace; that of articles is empty
                return rest.strip().strip("0")
            if function in ADDRESSES:
                return ("//" if function.endswith("url") else "") + "_".join(rest.split())
        return self._template(name, call.parts[1:], given)

    def _condition(
        self, function: str, first: str, parts: Sequence[Nodes], given: Mapping[str, str]
    ) -> str:
        def part(number: int) -> str:
            return self.text(parts[number], given).strip() if number < len(parts) else ""

        match function:
            case "#if":
                text = part(0 if first else 1)
            case "#ifeq":
                text = part(1 if _equal(first, part(0)) else 2)
            case "#iferror":
                wrong = _ERROR in first
                text = part(0 if wrong else 1) if wrong or len(parts) > 1 else first
            case "#switch":
                text = self._switch(first, parts, given)
            case "#expr":
                value = calculate(first)
                text = _ERROR if value is None else show_number(value)
            case "#ifexpr":
                value = calculate(first)
                text = _ERROR if value is None else part(0 if value else 1)
            case "padleft" | "padright":
                text = _padded(first, part(0), part(1) or "0", left=function == "padleft")
            case _:  # "#tag" makes references, which are removed
                text = ""
        return text

    def _switch(self, value: str, parts: Sequence[Nodes], given: Mapping[str, str]) -> str:
        default: Nodes = ()
        found = falls_to_default = False
        for number, part in enumerate(parts):
            name, result = split_argument(part)
            if name is None:
                if number == len(parts) - 1:  # a last part without "=" is the default
                    return self.text(result, given).strip()
                case = self.text(result, given).strip()
                found = found or _equal(case, value)
                falls_to_default = falls_to_default or self._is_default(case)
                continue
            case = self.text(name, given).strip()
            if found or _equal(case, value):
                return self.text(result, given).strip()
            if falls_to_default or self._is_default(case):
                default, falls_to_default = result, False
        return self.text(default, given).strip()

    def _is_default(self, case: str) -> bool:
        return self._site.magic_words.get(fold(case)) == "#default"

    def _template(self, name: str, parts: Sequence[Nodes], given: Mapping[str, str]) -> str:
        arguments: list[tuple[str | None, str]] = []
        for part in parts:
            key, value = split_argument(part)
            text = self.text(value, given)
            arguments.append((None if key is None else self.text(key, given), text))
        rule = self._site.rule(normalise_template_name(name, self._site.template_names))
        if rule is None or rule.definition is None:
            return self._render(name, arguments) or ""
        if self._calls >= _MAX_CALLS:
            raise _TooMuch
        self._calls += 1
        text = self.text(rule.definition, Arguments(arguments).given)
        self._calls -= 1
        return text


def _padded(text: str, width: str, filling: str, *, left: bool) -> str:
    """Pad a text with characters on one side, as `{{padleft:5|2|0}}` does."""
    missing = int(width) - len(text) if _WIDTH.fullmatch(width) else 0
    added = (filling * missing)[: max(missing, 0)]
    return added + text if left else text + added


def _equal(one: str, other: str) -> bool:
    """Compare two texts as MediaWiki does: numbers by value, other texts letter by letter."""
    if one == other:
        return True
    numbers = _NUMBER.fullmatch(one) and _NUMBER.fullmatch(other)
    return bool(numbers) and float(one) == float(other)
