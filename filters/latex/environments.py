r"""Environments: where the document begins and ends, and those that a paper defines itself."""

import re
from functools import lru_cache

from filters.latex.definitions import Environment
from filters.latex.expansion import Expander
from filters.latex.levels import Level
from filters.latex.macros import Macro, uncut_body
from filters.latex.names import PLAIN_TEXT, STANDARD_ENVIRONMENTS

_NAME = re.compile(r"[ \t]*\{[ \t]*([^{}\\\n]*?)[ \t]*\}")
_WRAPPED = re.compile(r"\\(begin|end)[ \t]*\{([^{}]*)\}")


def _plain(macro: Macro, expander: Expander) -> bool:
    """Tell whether a body is plain text and what is expanded anyway (4.6)."""
    return all(
        word in PLAIN_TEXT or isinstance(expander.meanings.get(word), Macro) for word in macro.words
    )


@lru_cache(4096)
def _wraps(begin: tuple[str | int, ...], end: tuple[str | int, ...]) -> frozenset[str] | None:
    """Return the environments that two bodies open and close in order; None if they do not."""
    opened: list[str] = []
    names: set[str] = set()
    for body in (begin, end):
        for kind, name in _WRAPPED.findall(uncut_body(body)):
            names.add(name)
            if kind == "begin":
                opened.append(name)
            elif not opened or opened.pop() != name:
                return None
    return None if opened else frozenset(names)


def is_expanded(environment: Environment, expander: Expander) -> bool:
    """Tell an environment whose bodies are plain text or wrap standard ones from the others."""
    wrapped = _wraps(environment.begin.pieces, environment.end.pieces)
    return (
        wrapped is not None
        and all(name in STANDARD_ENVIRONMENTS or name in expander.environments for name in wrapped)
        and _plain(environment.begin, expander)
        and _plain(environment.end, expander)
    )


_MAX_DEPTH = 40  # of an environment within calls; calls may go ten deeper


def _named(expander: Expander) -> tuple[str, Level, int] | None:
    """Return the name that follows, where it stands, and its end there."""
    reader = expander.settle()
    match = _NAME.match(reader.text, reader.pos)
    return (match[1], reader, match.end()) if match else None


def begin(  # noqa: PLR0911 - a way out for each reason to leave it
    expander: Expander, level: Level, _name: str, start: int
) -> bool:
    r"""``\begin{e}``."""
    named = _named(expander)
    if named is None:
        return False
    name, reader, after = named
    if name == "document":
        if not expander.document and not level.style:
            expander.memory.forget()
            expander.document = True
            expander.silent = False
            reader.pos = after
            return True
        return False
    environment = expander.environments.get(name)
    key = f"begin {name}"
    if environment is None or expander.silent or key in level.active:
        return False
    expander.memory.skip_running()  # it decides what a later \end becomes
    opened = expander.opened.setdefault(name, [])
    opened.append(False)
    if not is_expanded(environment, expander) or level.depth >= _MAX_DEPTH:
        expander.leave(f"\\begin{{{name}}}", "environment")
        return False
    pos = reader.pos
    reader.pos = after
    if not level.depth:
        level.mark = (len(expander.out), expander.size, start, level.pos)
    arguments = expander.arguments(environment.begin, reader)
    if arguments is None:
        reader.pos = pos
        expander.leave(f"\\begin{{{name}}}", "arguments")
        return False
    opened[-1] = True
    expander.counts.expansions += 1
    expander.lay(environment.begin, arguments, level, name=key)
    return True


def end(  # noqa: PLR0911 - as above
    expander: Expander, level: Level, _name: str, start: int
) -> bool:
    r"""``\end{e}``, and the ``\end`` of plain TeX."""
    named = _named(expander)
    if named is None:
        if not expander.document and not expander.silent and not level.depth:
            expander.stop()
            return True
        return False
    name, reader, after = named
    if name == "document":
        if not expander.document or level.style:
            return False
        expander.stop()
        return True
    environment = expander.environments.get(name)
    key = f"begin {name}"
    if environment is None or expander.silent or key in level.active:
        return False
    expander.memory.skip_running()  # an earlier \begin decides what it becomes
    opened = expander.opened.get(name)
    if not (opened and opened.pop()):
        return False  # its \begin stands in the text, so its \end does
    if not level.depth:
        level.mark = (len(expander.out), expander.size, start, level.pos)
    reader.pos = after
    expander.lay(environment.end, [], level, name=key)
    return True
