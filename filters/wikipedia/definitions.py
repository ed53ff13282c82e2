"""Parse the wikitext of a template's definition into text, parameters, conditions and links.

A rule of the data may be a definition (`filters.wikipedia.rules`), and the templates of a wiki are
parsed as definitions (`filters.wikipedia.reduction`). Runs of braces are matched as in MediaWiki's
preprocessor: a closing run takes three braces for a parameter or two for a call from the innermost
opening run, as long as both have them. Errors are not repaired: marks that do not match raise a
`DefinitionError`, and the caller makes no rule for the template.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

_MAX_DEPTH: Final = 40  # of nested constructs; a definition is evaluated by recursion
_MARK: Final = re.compile(r"\{\{++|\}\}++|\[\[|\]\]|\|")


class DefinitionError(ValueError):
    """A definition cannot be parsed or used; the message says why in a few words."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter, ``{{{name|default}}}``."""

    name: "Nodes"
    default: "Nodes | None"


@dataclass(frozen=True, slots=True)
class Call:
    """A call ``{{name|argument|…}}`` of a parser function, a magic word, or another template."""

    parts: tuple["Nodes", ...]  # the text before the first bar, then the arguments


@dataclass(frozen=True, slots=True)
class Link:
    """A link, ``[[target|label]]``."""

    parts: tuple["Nodes", ...]


Node: TypeAlias = str | Parameter | Call | Link
Nodes: TypeAlias = tuple[Node, ...]


class _Frame:
    """An open construct with its kind, the braces of its mark, and its parts so far."""

    __slots__ = ("braces", "kind", "parts")

    def __init__(self, kind: str, braces: int = 0) -> None:
        self.kind = kind
        self.braces = braces
        self.parts: list[list[Node]] = [[]]

    def put(self, node: Node) -> None:
        part = self.parts[-1]
        if isinstance(node, str) and part and isinstance(part[-1], str):
            part[-1] += node
        elif node != "":
            part.append(node)

    def nodes(self) -> tuple[Nodes, ...]:
        return tuple(map(tuple, self.parts))


def parse(source: str) -> Nodes:
    """Parse the wikitext of a definition; its tags and apostrophes are treated as text.

    Raises:
        DefinitionError: braces or brackets do not match, or are nested too deeply.

    >>> parse("{{{1|}}} km")
    (Parameter(name=('1',), default=()), ' km')
    """
    stack = [_Frame("")]
    position = 0
    for match in _MARK.finditer(source):
        stack[-1].put(source[position : match.start()])
        position = match.end()
        mark = match[0]
        if mark[0] == "{":
            stack.append(_Frame("{", len(mark)))
        elif mark == "[[":
            stack.append(_Frame("["))
        elif mark[0] == "}":
            _close_braces(stack, len(mark))
        elif mark == "]]":
            _close_link(stack)
        elif stack[-1].kind:
            stack[-1].parts.append([])
        else:
            stack[-1].put("|")
        if len(stack) > _MAX_DEPTH:
            raise DefinitionError("nested too deep")
    if len(stack) > 1:
        raise DefinitionError("unbalanced braces")
    stack[-1].put(source[position:])
    return stack[-1].nodes()[0]


def _close_braces(stack: list[_Frame], braces: int) -> None:
    while braces > 1:
        frame = stack[-1]
        if frame.kind != "{":
            raise DefinitionError("unbalanced braces")
        taken = 3 if min(braces, frame.braces) > 2 else 2
        parts = frame.nodes()
        node: Parameter | Call
        if taken == 3:
            node = Parameter(parts[0], parts[1] if len(parts) > 1 else None)
        else:
            node = Call(parts)
        braces -= taken
        frame.braces -= taken
        if frame.braces > 1:
            frame.parts = [[]]
        else:
            stack.pop()
            if frame.braces:
                stack[-1].put("{")
        stack[-1].put(node)
    if braces:
        stack[-1].put("}")


def _close_link(stack: list[_Frame]) -> None:
    if stack[-1].kind != "[":
        stack[-1].put("]]")
        return
    frame = stack.pop()
    stack[-1].put(Link(frame.nodes()))


def write(nodes: Nodes) -> str:
    """Return the wikitext of parsed nodes.

    >>> write(parse("{{#if:{{{1|}}}|[[a|b]]}}"))
    '{{#if:{{{1|}}}|[[a|b]]}}'
    """
    written = []
    for node in nodes:
        match node:
            case str():
                written.append(node)
            case Parameter(name, None):
                written.append(f"{{{{{{{write(name)}}}}}}}")
            case Parameter(name, default):
                written.append(f"{{{{{{{write(name)}|{write(default or ())}}}}}}}")
            case Call(parts):
                written.append(f"{{{{{'|'.join(map(write, parts))}}}}}")
            case Link(parts):
                written.append(f"[[{'|'.join(map(write, parts))}]]")
    return "".join(written)


def split_argument(part: Nodes) -> tuple[Nodes | None, Nodes]:
    """Split an argument at its first equals sign outside other constructs; no name without one."""
    for number, node in enumerate(part):
        if isinstance(node, str) and "=" in node:
            before, _, after = node.partition("=")
            name = (*part[:number], before) if before else part[:number]
            value = (after, *part[number + 1 :]) if after else part[number + 1 :]
            return name, value
    return None, part


def call_name(call: Call) -> Nodes:
    """Return the nodes of a call's name, without a `subst:` or `safesubst:` before it."""
    name = call.parts[0]
    if name and isinstance(name[0], Parameter) and name[0].default in _SUBSTITUTIONS:
        return name[1:]
    if name and isinstance(name[0], str):
        word, colon, rest = name[0].lstrip().partition(":")
        if colon and word.lower() in {"subst", "safesubst"}:
            return (rest, *name[1:])
    return name


_SUBSTITUTIONS: Final = (("subst:",), ("safesubst:",))


def walk(nodes: Nodes) -> Iterator[Parameter | Call | Link]:
    """Yield the constructs of a definition, outer ones first."""
    for node in nodes:
        match node:
            case Parameter(name, default):
                yield node
                yield from walk(name)
                yield from walk(default or ())
            case Call(parts) | Link(parts):
                yield node
                for part in parts:
                    yield from walk(part)
