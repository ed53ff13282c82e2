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
from filters.latex.macros import Macro, make_macro
from filters.latex.names import KEYED, NO_FI, PROTECTED, PROTECTED_ENVIRONMENTS
from filters.latex.tokens import Reader, control_at, skip_blanks

_NO_MEANINGS = frozenset({"\\undefined", "\\@undefined", "\\@@undefined"})
_PREFIXES = frozenset({"\\long", "\\outer", "\\global", "\\protected"})
# After these \xspace gives no space even where blanks were skipped (its documentation).
_NO_SPACE_BEFORE = set(".,'/?;:!~-)\\{} \n")


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
            expander.counts.left[macro.name, "protected"] += 1
        elif not (only_new and known):
            expander.define(macro)
        if reader is level:
            level.forget_line(start)
        return True

    return command


def _expanded(expander: Expander, macro: Macro, level: Level) -> Macro:
    body = "".join(piece if isinstance(piece, str) else f"#{piece}" for piece in macro.pieces)
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
        expander.counts.left[new, "protected"] += 1
    elif old in _NO_MEANINGS:
        expander.meanings.pop(new, None)
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
        expander.counts.left[f"\\begin{{{defined}}}", "protected"] += 1
    elif not (name.startswith("\\Provide") and defined in expander.environments):
        expander.counts.definitions += 1
        expander.environments[defined] = environment
    if reader is level:
        level.forget_line(start)
    return True


def _letter(_expander: Expander, level: Level, name: str, start: int) -> bool:
    r"""``\makeatletter`` and ``\makeatother``: they go with the definitions that they surround."""
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
    expander.emit("".join([*out, blanks, "{", key, "}"]))
    return True


def _xspace(expander: Expander, level: Level, _name: str, _start: int) -> bool:
    """Put the space that was skipped before a letter, and nothing before punctuation (rule 7)."""
    if not level.depth:
        return False
    gobbled = expander.gobbled
    reader = expander.settle()
    if reader is level and skip_blanks(level.text, level.pos) > level.pos:
        level.skip()
        gobbled = True
    following = reader.peek()
    if (following.isalpha()) or (gobbled and following and following not in _NO_SPACE_BEFORE):
        expander.emit(" ")
    return True


_newcommand = _defining(definitions.read_newcommand)
_def = _defining(definitions.read_def)
_document_command = _defining(definitions.read_document_command)
_DEFINITIONS: dict[str, Command] = {
    "\\newcommand": _newcommand,
    "\\renewcommand": _newcommand,
    "\\providecommand": _defining(definitions.read_newcommand, only_new=True),
    "\\DeclareRobustCommand": _newcommand,
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
    "\\makeatletter": _letter,
    "\\makeatother": _letter,
    "\\begin": begin,
    "\\end": end,
    "\\xspace": _xspace,
}
DEFINERS = frozenset(_DEFINITIONS) | {
    *("\\let", "\\newif", "\\newenvironment", "\\toggletrue", "\\togglefalse"),
    *FILE_COMMANDS,
}
assert not DEFINERS & NO_FI
