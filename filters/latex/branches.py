r"""The commands that choose a branch: conditionals of a paper's own, toggles, looks ahead.

The rules are docs/rules/sources.md 4.4. A branch is taken where the paper itself says which: by
``\drafttrue``, by ``\togglefalse``, by an argument that is there or not, by the next character.
"""

from filters.latex.expansion import Command, Expander
from filters.latex.levels import Level
from filters.latex.macros import NO_VALUE
from filters.latex.tokens import skip_blanks

DEEPEST_BRANCH = 50  # branches within branches


def declare(expander: Expander, name: str) -> None:
    """Learn a conditional of the paper; its value is unknown until it is set."""
    expander.memory.forget()
    expander.flags.setdefault(name, None)
    expander.meanings[name] = _flag
    stem = name.removeprefix("\\if")
    for value in ("true", "false"):
        expander.meanings[f"\\{stem}{value}"] = _set_flag
        expander.definers.add(f"\\{stem}{value}")


def _newif(expander: Expander, _level: Level, _name: str, _start: int) -> bool:
    r"""Learn ``\newif\ifdraft``; in a body it stays (4.6)."""
    reader = expander.settle()
    pos = reader.pos
    declared = reader.control()
    if declared.startswith("\\if") and declared not in expander.commands:
        declare(expander, declared)
        if expander.silent:
            return True
    reader.pos = pos
    return False


def _set_flag(expander: Expander, level: Level, name: str, start: int) -> bool:
    value = name.endswith("true")
    flag = "\\if" + name[1 : -4 if value else -5]
    expander.memory.forget()
    expander.flags[flag] = None if level.is_in_doubt(start) else value
    return False


def _flag(expander: Expander, level: Level, name: str, start: int) -> bool:
    """Take the branch of a conditional whose value is known (4.4)."""
    value = expander.flags.get(name)
    return value is not None and take_branch(level, start, level.pos, value=value)


def take_branch(level: Level, start: int, end: int, *, value: bool) -> bool:
    """Go to the branch of a conditional that holds; False where its parts are not found.

    Args:
        level: where it stands.
        start: where it begins.
        end: where its condition ends.
        value: of the condition.
    """
    found = level.conditional(start)
    if found is None:
        return False
    text = level.text
    fi_end = skip_blanks(text, found.fi_start + len("\\fi"))
    level.jumps[found.start] = found.end
    level.jumps[found.fi_start] = fi_end
    if value:
        if found.else_start >= 0:
            level.jumps[found.else_start] = fi_end
        level.pos = skip_blanks(text, end)
    elif found.else_start >= 0:
        level.pos = skip_blanks(text, found.else_start + len("\\else"))
    else:
        level.pos = fi_end
    return True


def _jump(_expander: Expander, level: Level, _name: str, start: int) -> bool:
    r"""Leave a branch at its ``\else`` or ``\fi``, if its conditional was decided."""
    if start not in level.jumps:
        return False
    level.pos = level.jumps[start]
    return True


def _choice(expander: Expander, level: Level, name: str, start: int) -> bool:
    r"""Take the branch of ``\IfNoValueTF`` and ``\IfBooleanTF`` in what a call became."""
    if not level.depth:
        return False
    pos = level.pos
    subject = level.token()
    branches = [level.group() for _ in range(2 if name.endswith("TF") else 1)]
    if subject is None or None in branches:
        level.pos = pos
        return False
    if "Boolean" in name:
        holds = subject.strip() == "\\BooleanTrue"
        if not holds and subject.strip() != "\\BooleanFalse":
            level.pos = pos
            return False
    else:
        holds = (subject.strip() == NO_VALUE) == ("NoValue" in name)
    if name.endswith("TF"):
        chosen = branches[0] if holds else branches[1]
    else:
        chosen = branches[0] if holds == name.endswith("T") else ""
    _lay_branch(expander, chosen or "", level, start)
    return True


def _lay_branch(expander: Expander, text: str, level: Level, start: int) -> None:
    """Read a branch next; what a limit goes back to is the command that chose it."""
    if not level.depth:
        level.mark = (len(expander.out), expander.size, start, level.pos)
    expander.push(
        Level(
            text,
            depth=level.depth + 1,
            active=level.active,
            at_is_letter=level.at_is_letter,
            path=level.path,
            folder=level.folder,
        )
    )


def _set_toggle(expander: Expander, level: Level, name: str, _start: int) -> bool:
    pos = level.pos
    toggle = level.group()
    if toggle is None:
        return False
    expander.memory.forget()
    expander.toggles[toggle.strip()] = name == "\\toggletrue"
    if not expander.silent:
        level.pos = pos
    return expander.silent


def _toggle(expander: Expander, level: Level, _name: str, start: int) -> bool:
    r"""Take the branch of ``\iftoggle{x}{a}{b}`` whose toggle was set (etoolbox)."""
    pos = level.pos
    toggle, true, false = level.group(), level.group(), level.group()
    value = expander.toggles.get((toggle or "").strip())
    if value is None or true is None or false is None or level.depth >= DEEPEST_BRANCH:
        level.pos = pos
        return False
    _lay_branch(expander, true if value else false, level, start)
    return True


def _next_character(expander: Expander, level: Level, name: str, start: int) -> bool:
    r"""Take the branch of ``\@ifnextchar`` and ``\@ifstar`` in what a call became."""
    if not level.depth or level.depth >= DEEPEST_BRANCH:
        return False
    pos = level.pos
    wanted = "*" if name == "\\@ifstar" else level.token()
    true, false = level.group(), level.group()
    if wanted is None or true is None or false is None:
        level.pos = pos
        return False
    reader = expander.settle()
    reader.skip()  # TeX drops the blanks that it looks past, whatever follows them
    place = reader.pos
    if wanted[0] == "\\" and wanted != "\\bgroup":
        found = reader.control() == wanted
        reader.pos -= len(wanted) if found else 0
    else:
        found = reader.take("{" if wanted == "\\bgroup" else wanted)
        reader.pos -= found and name != "\\@ifstar"
    if not found:
        reader.pos = place
    _lay_branch(expander, true if found else false, level, start)
    return True


_EMPTY = frozenset({"\\relax", "\\empty", "\\@empty", "\\\\", "\\@nil", "&", "!"})


def _compare(expander: Expander, level: Level, name: str, start: int) -> bool:
    r"""Take the branch of a test whether an argument is empty, in what a call became.

    The forms are ``\if\relax\detokenize{#1}\relax`` and ``\ifx\relax#1\relax``, also with another
    token in place of ``\relax``.
    """
    if not level.depth:
        return False
    pos = level.pos
    first = level.token()
    value: bool | None = None
    if first in _EMPTY:
        following = level.control() if level.peek() == "\\" else ""
        if following == "\\detokenize" and first == "\\relax":
            content = level.group()
            if content is not None and level.control() == "\\relax":
                value = not content.strip()
        elif following:
            known = following in expander.meanings or name == "\\if"
            value = True if following == first else None if known else False
        elif level.peek() == first:
            level.pos += 1
            value = True
        elif level.peek():
            value = False
    at, level.pos = level.pos, pos
    return value is not None and take_branch(level, start, at, value=value)


BRANCHES: dict[str, Command] = {
    "\\newif": _newif,
    "\\else": _jump,
    "\\fi": _jump,
    "\\toggletrue": _set_toggle,
    "\\togglefalse": _set_toggle,
    "\\iftoggle": _toggle,
    "\\if": _compare,
    "\\ifx": _compare,
    "\\@ifnextchar": _next_character,
    "\\kernel@ifnextchar": _next_character,
    "\\@ifstar": _next_character,
    **{
        f"\\If{what}{form}": _choice
        for what in ("NoValue", "Value", "Boolean")
        for form in ("TF", "T", "F")
    },
}
