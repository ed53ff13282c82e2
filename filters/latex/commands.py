r"""What the expander does at the commands that it knows: define, include, begin, compare.

A command is a function of the expander, the level in which it stands, its name, and the place where
it begins there. It returns False where it does nothing, and then it is copied.
"""

from collections.abc import Callable

from filters.latex import definitions
from filters.latex.branches import BRANCHES, declare
from filters.latex.environments import begin, end
from filters.latex.expansion import Command, Expander
from filters.latex.files import FILE_COMMANDS
from filters.latex.levels import Level
from filters.latex.macros import Macro, make_macro, uncut_body
from filters.latex.names import KEYED, NO_FI, PROTECTED, PROTECTED_ENVIRONMENTS
from filters.latex.tokens import CONTROL, Reader, control_at, skip_blanks

_NO_MEANINGS = frozenset({"\\undefined", "\\@undefined", "\\@@undefined"})
_PREFIXES = frozenset({"\\long", "\\outer", "\\global", "\\protected"})
# Before these \xspace gives no space (its documentation); before the others that stand here, a
# space is nothing on a page: they end a line, a paragraph, a formula, an item.
_NO_SPACE_BEFORE = frozenset(".,'/?;:!~-){} \t\n_^&")
_NO_SPACE_BEFORE_WORD = frozenset(
    [
        *("\\ ", "\\\n", "\\/", "\\\\", "\\)", "\\]", "\\space", "\\bgroup", "\\egroup"),
        *("\\footnote", "\\footnotemark", "\\par", "\\begin", "\\end", "\\item"),
    ]
)
_PARAGRAPH = 5_000  # characters in which a paragraph begins
_MAX_LOOKS = 5  # at what macros begin with


def _defining(read: Callable[[Reader], Macro | None], *, only_new: bool = False) -> Command:
    """Return the command that reads a definition in one form."""

    def command(expander: Expander, level: Level, name: str, start: int) -> bool:
        reader = expander.settle()
        pos = reader.pos
        macro = read(reader)
        if macro is None or macro.name == "\\csname":
            reader.pos = pos
            return False
        if name in {"\\edef", "\\xdef"}:
            macro = _expanded(expander, macro, reader)
        known = macro.name in expander.meanings
        if macro.name in PROTECTED or macro.name in expander.commands:
            expander.leave(macro.name, "protected")
            expander.distrust(macro)
        elif not (only_new and known):
            expander.define(macro)
        if reader is level:
            level.forget_line(start)
        return True

    return command


def _expanded(expander: Expander, macro: Macro, level: Level) -> Macro:
    body = uncut_body(macro.pieces)
    made = make_macro(
        macro.name,
        macro.parameters,
        expander.fragment(body, level),
        at_is_letter=macro.at_is_letter,
    )
    return made or macro


def _let(expander: Expander, level: Level, _name: str, start: int) -> bool:
    reader = expander.settle()
    pos = reader.pos
    read = definitions.read_let(reader)
    if read is None:
        reader.pos = pos
        return False
    new, old = read
    meaning = expander.meanings.get(old)
    if new.startswith("\\if") and old in {"\\iffalse", "\\iftrue"}:
        declare(expander, new)
        expander.flags[new] = old == "\\iftrue"
    elif new in PROTECTED or new in expander.commands:
        expander.leave(new, "protected")
    elif old in _NO_MEANINGS:
        expander.meanings.pop(new, None)
        expander.memory.forget()
    elif new != old:
        if isinstance(meaning, Macro):
            macro = Macro(
                new,
                meaning.pieces,
                meaning.parameters,
                meaning.at_is_letter,
                meaning.alias,
                meaning.unsupported,
                meaning.words,
            )
        else:
            macro = Macro(new, (), alias=old)
        expander.define(macro)
    if reader is level:
        level.forget_line(start)
    return True


def _prefix(_expander: Expander, level: Level, _name: str, _start: int) -> bool:
    r"""Swallow ``\long`` and its like before a definition."""
    at = skip_blanks(level.text, level.pos)
    following = control_at(level.text, at)
    if following in _PREFIXES or following in _DEFINITIONS or following == "\\let":
        level.pos = at
        return True
    return False


def _environment(expander: Expander, level: Level, name: str, start: int) -> bool:
    reader = expander.settle()
    pos = reader.pos
    read = definitions.read_environment(reader)
    if read is None:
        reader.pos = pos
        return False
    defined, environment = read
    if defined in PROTECTED_ENVIRONMENTS or environment is None:
        expander.leave(f"\\begin{{{defined}}}", "protected")
    elif not (name.startswith("\\Provide") and defined in expander.environments):
        expander.counts.definitions += 1
        expander.environments[defined] = environment
        expander.memory.forget()
    if reader is level:
        level.forget_line(start)
    return True


def _comment_environment(expander: Expander, level: Level, name: str, start: int) -> bool:
    r"""``\includecomment{e}`` keeps what ``e`` holds; what is excluded is gone already."""
    reader = expander.settle()
    pos = reader.pos
    defined = reader.group()
    if defined is None:
        reader.pos = pos
        return False
    if name == "\\includecomment" and defined.strip() not in PROTECTED_ENVIRONMENTS:
        empty = Macro(defined.strip(), ())
        expander.counts.definitions += 1
        expander.environments[defined.strip()] = definitions.Environment(empty, empty)
        expander.memory.forget()
    if reader is level:
        level.forget_line(start)
    return True


def _letter(expander: Expander, level: Level, name: str, start: int) -> bool:
    r"""``\makeatletter`` and ``\makeatother``: they go with the definitions that they surround."""
    expander.memory.forget()
    if not level.style:
        level.at_is_letter = name == "\\makeatletter"
    level.forget_line(start)
    return True


def _keyed(expander: Expander, _level: Level, name: str, _start: int) -> bool:
    r"""Copy the key of ``\ref`` and its like; expand it only where it is a call (rule 5)."""
    reader = expander.settle()
    out = [name]
    if reader.take("*"):
        out.append("*")
    for _ in range(2):
        option = reader.option()
        if option is None:
            break
        expander.emit("".join(out))
        out = ["[", expander.fragment(option, reader), "]"]
    pos = reader.pos
    blanks = reader.text[pos : skip_blanks(reader.text, pos)]
    key = reader.group()
    if key is None:
        expander.emit("".join(out))
        return True
    stripped = key.lstrip()
    if stripped.startswith("\\") and isinstance(
        expander.meanings.get(control_at(stripped, 0, at_is_letter=reader.at_is_letter)), Macro
    ):
        key = expander.fragment(key, reader)
    else:
        for each in CONTROL.findall(key):
            if isinstance(expander.meanings.get(each), Macro):
                expander.leave(each, "key")
    expander.emit("".join([*out, blanks, "{", key, "}"]))
    return True


def _xspace(expander: Expander, level: Level, _name: str, _start: int) -> bool:
    """Put a space unless what follows is one of the exceptions of the package xspace (rule 7)."""
    if expander.silent:
        return False
    reader = expander.settle()
    if reader is level:
        level.skip()
    following = reader.control() or reader.peek()
    if following[:1] == "\\":
        reader.pos -= len(following)
        following = _first_of(expander, following)
    if following[:1] == "\\":
        space = following not in _NO_SPACE_BEFORE_WORD
    else:
        space = bool(following) and following not in _NO_SPACE_BEFORE
    if space and not following.isalpha() and _in_formula(reader):
        space = False
    if space:
        expander.emit(" ")
    return True


def _in_formula(reader: Reader) -> bool:
    """Tell whether a dollar sign is open in the paragraph before a place."""
    text, at = reader.text, reader.pos
    start = max(text.rfind("\n\n", max(at - _PARAGRAPH, 0), at), at - _PARAGRAPH, 0)
    return (text.count("$", start, at) - text.count("\\$", start, at)) % 2 == 1


def _first_of(expander: Expander, name: str) -> str:
    """Return what the expansion of a control sequence begins with."""
    for _ in range(_MAX_LOOKS):
        meaning = expander.meanings.get(name)
        if not isinstance(meaning, Macro):
            break
        first = meaning.alias or (meaning.pieces[0] if meaning.pieces else "")
        reader = Reader(first.lstrip() if isinstance(first, str) else "")
        name = reader.control() or reader.peek()
    return name


_newcommand = _defining(definitions.read_newcommand)
_def = _defining(definitions.read_def)
_document_command = _defining(definitions.read_document_command)
_DEFINITIONS: dict[str, Command] = {
    "\\newcommand": _newcommand,
    "\\renewcommand": _newcommand,
    "\\providecommand": _defining(definitions.read_newcommand, only_new=True),
    "\\DeclareRobustCommand": _newcommand,
    "\\algnewcommand": _newcommand,
    "\\algrenewcommand": _newcommand,
    "\\newrobustcmd": _newcommand,
    "\\renewrobustcmd": _newcommand,
    "\\providerobustcmd": _defining(definitions.read_newcommand, only_new=True),
    "\\def": _def,
    "\\gdef": _def,
    "\\edef": _def,
    "\\xdef": _def,
    "\\DeclareMathOperator": _defining(definitions.read_operator),
    "\\DeclarePairedDelimiter": _defining(definitions.read_paired_delimiter),
    "\\NewDocumentCommand": _document_command,
    "\\RenewDocumentCommand": _document_command,
    "\\DeclareDocumentCommand": _document_command,
    "\\ProvideDocumentCommand": _defining(definitions.read_document_command, only_new=True),
}
COMMANDS: dict[str, Command] = {
    **dict.fromkeys(KEYED, _keyed),
    **_DEFINITIONS,
    **dict.fromkeys(_PREFIXES, _prefix),
    **FILE_COMMANDS,
    **BRANCHES,
    "\\let": _let,
    "\\newenvironment": _environment,
    "\\renewenvironment": _environment,
    "\\provideenvironment": _environment,
    "\\specialcomment": _environment,
    "\\includecomment": _comment_environment,
    "\\excludecomment": _comment_environment,
    "\\makeatletter": _letter,
    "\\makeatother": _letter,
    "\\begin": begin,
    "\\end": end,
    "\\xspace": _xspace,
}
DEFINERS = frozenset(_DEFINITIONS) | {
    *("\\specialcomment", "\\includecomment"),
    *("\\let", "\\newif", "\\newenvironment", "\\toggletrue", "\\togglefalse"),
    *FILE_COMMANDS,
}
assert not DEFINERS & NO_FI
