"""Turn the source of a template's page into a rule for the template.

A definition that is only wikitext becomes a rule (`filters.wikipedia.rules`): a pattern if one is
equivalent, else the definition itself without the parts that show no text. A definition that needs
Lua, data or the clock, or that makes a table, a box or a notice, is refused with a short reason.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from filters.wikipedia.definition_tags import strip_definition_tags
from filters.wikipedia.definitions import (
    Call,
    DefinitionError,
    Link,
    Node,
    Nodes,
    Parameter,
    call_name,
    parse,
    split_argument,
    walk,
    write,
)
from filters.wikipedia.evaluation import ADDRESSES, CONDITIONS, CONSTANTS
from filters.wikipedia.rules import WIKITEXT
from filters.wikipedia.site_data import fold, normalise_template_name
from filters.wikipedia.sites import Site

MAX_SOURCE_CHARS: Final = 20_000  # without documentation; longer templates are not inline
MAX_RULE_CHARS: Final = 4_000
MAX_CONSTANT_CHARS: Final = 300  # without parameters, a longer definition is a list or a notice

_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_ONLY: Final = re.compile(
    r"<onlyinclude\s*+>(.*?)(?:</onlyinclude\s*+>|\Z)", re.DOTALL | re.IGNORECASE
)
_NOT_INCLUDED: Final = re.compile(
    r"<noinclude\s*+/>|<noinclude\s*+>.*?(?:</noinclude\s*+>|\Z)", re.DOTALL | re.IGNORECASE
)
_INCLUDED: Final = re.compile(r"</?(?:includeonly|onlyinclude)\s*+/?>", re.IGNORECASE)
_CLOCK: Final = re.compile(r"(?:current|local)(?:day|dow|hour|month|time|week|year)|#timel?$")
_PROJECT_KEYS: Final = (4, 12)  # namespaces of the project and its help in every siteinfo
_PROJECT: Final = frozenset({"help", "project", "wikipedia", "wp"})
# A row of a table whose start comes from another template.
_ROW: Final = re.compile(r"(?:\A|\n)[ \t]*(?:\|[-+}|\s]|!)")
# Conditions, and how many arguments come before their branches.
_BRANCHES: Final = {"#if": 0, "#ifeq": 1, "#iferror": 0, "#ifexpr": 0, "#ifexist": 0, "#switch": 0}
# The folded names of calls that show nothing on a page.
_SILENT: Final = frozenset({"defaultsort", "displaytitle", "noexternallanglinks", "toc"})
_KNOWN_FUNCTIONS: Final = frozenset({"formatnum", "lc", "lcfirst", "ns", "uc", "ucfirst"})
_KNOWN_WORDS: Final = frozenset(
    {"basepagename", "fullpagename", "pagename", "rootpagename", "sitename", "subpagename"}
)


@dataclass(frozen=True, slots=True)
class Definition:
    """A definition that needs nothing but wikitext, apart from the templates that it calls."""

    rule: str  # the rule that is equivalent to it
    calls: frozenset[str]  # normalised names of the templates in it


@dataclass(frozen=True, slots=True)
class Refused:
    """A template that gets no rule, and the reason."""

    reason: str


def reduce_definition(
    source: str, site: Site, namespaces: Mapping[int, str] | None = None
) -> Definition | Refused:
    """Reduce the source of a template's page to the text that its uses show.

    Args:
        source: the wikitext of the page.
        site: the wiki of the page.
        namespaces: local names by key, from the dump's `siteinfo`.

    >>> from filters.wikipedia.sites import load_site
    >>> reduce_definition("{{{1}}} km<noinclude>{{doc}}</noinclude>", load_site("en")).rule
    '{1} km'
    """
    included = _included(source)
    if len(included) > MAX_SOURCE_CHARS:
        return Refused("long")
    project = _PROJECT.union(fold((namespaces or {}).get(key, "")) for key in _PROJECT_KEYS) - {""}
    try:
        text = strip_definition_tags(included)
        nodes = _shown(_trimmed(parse(text)), site, project)
        calls = _calls(nodes, site)
    except DefinitionError as error:
        return Refused(str(error))
    if any(isinstance(node, str) and _ROW.search(node) for node in nodes):
        return Refused("table")
    written = write(nodes)
    if not written.strip():
        return Refused("shows nothing")
    constant = not any(isinstance(node, Parameter) for node in walk(nodes))
    if len(written) > (MAX_CONSTANT_CHARS if constant else MAX_RULE_CHARS):
        return Refused("long")
    return Definition(_pattern(nodes) or WIKITEXT + written, calls)


def _included(source: str) -> str:
    """Return the part of the source that is included in pages that use the template."""
    text = _COMMENT.sub("", source)
    if only := _ONLY.findall(text):
        text = "".join(only)
    return _INCLUDED.sub("", _NOT_INCLUDED.sub("", text))


def _trimmed(nodes: Nodes) -> Nodes:
    """Remove the line ends around a definition, which only help its writers."""
    trimmed = list(nodes)
    for at, strip in ((0, str.lstrip), (-1, str.rstrip)):
        if trimmed and isinstance(end := trimmed[at], str):
            trimmed[at] = strip(end, "\n") if end.strip() else end.strip("\n")
    return tuple(node for node in trimmed if node != "")


def _shown(nodes: Nodes, site: Site, project: frozenset[str]) -> Nodes:
    """Replace links that depend on no argument by their labels; drop what shows nothing."""
    out: list[Node] = []
    for node in nodes:
        match node:
            case str():
                out.append(node)
            case Parameter(name, default):
                out.append(
                    Parameter(name, None if default is None else _shown(default, site, project))
                )
            case Call():
                out += _shown_call(node, site, project)
            case Link(parts):
                out += _label(parts, site, project)
    joined: list[Node] = []
    for node in out:
        if isinstance(node, str) and joined and isinstance(joined[-1], str):
            joined[-1] += node
        else:
            joined.append(node)
    return tuple(joined)


def _shown_call(call: Call, site: Site, project: frozenset[str]) -> Nodes:
    """Return a call with reduced arguments, or less if the rest never shows anything."""
    name = call_name(call)
    head, _, _ = write(name).partition(":")
    word = site.magic_words.get(fold(head), fold(head))
    shown = tuple(_shown(part, site, project) for part in call.parts[1:])
    if word in _SILENT or (word in _BRANCHES and not any(_results(word, shown))):
        return ()
    if word == "#ifexist" and len(shown) == 2 and shown[0] == shown[1]:
        return shown[0]  # a link that shows the same text if its page does not exist
    return (Call((_shown(name, site, project), *shown)),)


def _results(word: str, arguments: tuple[Nodes, ...]) -> Iterator[str]:
    """Yield the wikitext of each branch of a condition."""
    for number, argument in enumerate(arguments[_BRANCHES[word] :]):
        if word == "#switch":
            case, result = split_argument(argument)
            if case is not None or number == len(arguments) - 1:
                yield write(result).strip()
        else:
            yield write(argument).strip()


def _label(parts: tuple[Nodes, ...], site: Site, project: frozenset[str]) -> Nodes:
    target = parts[0]
    first = target[0] if target and isinstance(target[0], str) else ""
    prefix, colon, _ = first.partition(":")
    unlinked = site.file_names | site.category_names | site.language_codes
    if colon and fold(prefix) in unlinked:
        return ()
    if colon and fold(prefix) in project:
        raise DefinitionError("notice")
    if len(parts) == 2 and parts[1]:
        return _shown(parts[1], site, project)
    if len(parts) == 1 and all(isinstance(n, str | Parameter) for n in target) and ":" not in first:
        return _shown(target, site, project)
    return (Link(tuple(_shown(part, site, project) for part in parts)),)


def _calls(nodes: Nodes, site: Site) -> frozenset[str]:
    """Return the templates that a definition calls.

    Raises:
        DefinitionError: it calls something that cannot be evaluated here.
    """
    names = set()
    for node in walk(nodes):
        if not isinstance(node, Call):
            continue
        name = node.parts[0]
        head = name[0].strip() if name and isinstance(name[0], str) else ""
        word, colon, _ = head.partition(":")
        known = site.magic_words.get(fold(word), fold(word))
        if _CLOCK.match(known):
            raise DefinitionError("clock")
        if colon and (known in CONDITIONS or known in ADDRESSES or known in _KNOWN_FUNCTIONS):
            _check_condition(known, head, node)
            continue
        if colon and known == "#invoke":
            raise DefinitionError("Lua")
        if word.startswith("#"):
            raise DefinitionError(known)
        if len(name) != 1 or not head:
            raise DefinitionError("a name made of arguments")
        if (head.isupper() or len(head) < 2) and CONSTANTS.get(fold(head)) is not None:
            continue
        if word.isupper() and known in _KNOWN_WORDS:
            continue
        names.add(normalise_template_name(head, site.template_names))
    return frozenset(names)


def _check_condition(known: str, head: str, call: Call) -> None:
    if known == "#tag" and head.partition(":")[2].strip().lower() not in {"ref", "references"}:
        raise DefinitionError(f"tag <{head.partition(':')[2].strip()}>")
    if known == "#switch" and len(call.parts) < 2:
        raise DefinitionError("#switch without cases")


def _pattern(nodes: Nodes) -> str:
    """Return the equivalent pattern, or "" if there is none."""
    out = []
    for node in nodes:
        match node:
            case str() if "<" not in node and node[0] not in "*#:;":
                out.append(node.replace("{", "{{").replace("}", "}}"))
            case Parameter((str(name),), None | ()) if name.strip() and not set(name) & _OF_FIELDS:
                optional = "" if node.default is None else "?"
                out.append(f"{{{name.strip()}{optional}}}")
            case _:
                return ""
    pattern = "".join(out)
    if pattern.startswith("@") or (len(nodes) > 1 and pattern != pattern.strip()):
        return ""  # a pattern with fields is trimmed
    return "" if pattern != pattern.strip("\n") or "\n" in pattern else pattern


_OF_FIELDS: Final = frozenset("{}|=?!:*+-#·[]")
