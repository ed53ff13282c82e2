r"""The commands that include files: ``\input`` and its relatives, and a paper's own styles.

The rules are docs/rules/sources.md 4.5, and 4.6, rule 8.
"""

import posixpath
import re

from filters.latex.expansion import Command, Expander
from filters.latex.inputs import Files, body_of, clean_name, is_distributed
from filters.latex.levels import Level
from filters.latex.tokens import LINE_END

MAX_DEPTH = 20  # files within files
_WORD = re.compile(r"[ \t]*([^\s{}\\%]+)[ ]?")


def _missing(expander: Expander, level: Level, start: int) -> bool:
    expander.memory.skip_running()
    expander.counts.missing_inputs += 1
    level.forget_line(start)
    return True


def _argument(expander: Expander, level: Level, *, bare: bool = False) -> str | None:
    """Read the name of a file, its macros expanded; None where there is none."""
    reader = expander.settle()
    name = reader.group()
    if name is None:
        match = _WORD.match(reader.text, reader.pos) if bare else None
        if not match:
            return None
        reader.pos = match.end()
        return match[1]
    if "\\" in name and not expander.files.find(name, level.folder):
        name = expander.fragment(name, reader)
    return name


def _include(
    expander: Expander, path: str, level: Level, *, around: str = "", folder: str | None = None
) -> bool:
    """Lay a file on the stack, unless it is being read already or the limits are reached."""
    expander.memory.skip_running()
    files = [each for each in expander.stack if each.path and not each.depth]
    if any(each.path == path for each in files) or len(files) > MAX_DEPTH:
        expander.guard("input_loop")
        return True
    text = expander.files.text(path)
    expander.left_to_include -= len(text)
    if expander.left_to_include < 0:
        expander.guard("input_size")
        return True
    if expander.document and "document}" in text:
        text = body_of(text)
    style = path.endswith((".sty", ".cls", ".def"))
    expander.counts.inputs += not style
    at = expander.stack[-1]
    if text.endswith("\n") and not around and LINE_END.match(at.text, at.pos):
        text = text[:-1]  # the line end after the command stands for that of the last line
    expander.met_call = False  # a line end at the start of a file is that of a blank line
    if text[:1] in {"\n", " ", "\t"}:
        expander.memory.skip_running()
    expander.stack.append(
        Level(
            f"{around}{text}{around}",
            at_is_letter=style or level.at_is_letter,
            path=path,
            folder=level.folder if folder is None else folder,
            style=style,
        )
    )
    return True


def _input(expander: Expander, level: Level, name: str, start: int) -> bool:
    wanted = _argument(expander, level, bare=name in {"\\input", "\\@input"})
    if wanted is None:
        return False
    if wanted.strip().endswith((".bbl", ".ind", ".gls")):
        return _missing(expander, level, start)
    path = expander.files.find(wanted, level.folder)
    if name == "\\include":
        if expander.included is not None and clean_name(wanted) not in expander.included:
            return True
        if path:
            return _include(expander, path, level, around="\n\n")
    if not path:
        return _missing(expander, level, start)
    folder = posixpath.dirname(path) if name.startswith("\\subfile") else None
    return _include(expander, path, level, folder=folder)


def _import(expander: Expander, level: Level, name: str, start: int) -> bool:
    folder = _argument(expander, level)
    wanted = _argument(expander, level) if folder is not None else None
    if folder is None or wanted is None:
        return False
    if name.startswith("\\sub"):
        folder = posixpath.join(level.folder, clean_name(folder))
    folder = clean_name(folder)
    path = expander.files.find(posixpath.join(folder, clean_name(wanted)))
    return (
        _include(expander, path, level, folder=folder) if path else _missing(expander, level, start)
    )


def _input_if_exists(expander: Expander, level: Level, _name: str, _start: int) -> bool:
    wanted = _argument(expander, level)
    reader = expander.settle()
    there = reader.group() if wanted is not None else None
    absent = reader.group() if there is not None else None
    if wanted is None or there is None or absent is None:
        return False
    path = expander.files.find(wanted, level.folder)
    if path:
        _include(expander, path, level)
    expander.stack.append(
        Level(
            there if path else absent,
            depth=level.depth + 1,
            active=level.active,
            at_is_letter=level.at_is_letter,
            path=level.path,
            folder=level.folder,
        )
    )
    return True


def _include_only(expander: Expander, level: Level, _name: str, _start: int) -> bool:
    names = _argument(expander, level)
    if names is None:
        return False
    expander.included = frozenset(map(clean_name, names.split(",")))
    return True


def _no_parts(expander: Expander, _level: Level, _name: str, _start: int) -> bool:
    r"""Take back ``\includeonly``."""
    expander.included = None
    return expander.silent


def _style(expander: Expander, level: Level, name: str, _start: int) -> bool:
    """Read the definitions of a style or class of the paper's own (rule 8)."""
    if not expander.silent or level.depth:
        return False
    options = level.option()
    names = level.group()
    if names is None:
        return False
    if name == "\\documentstyle" and options:  # LaTeX 2.09: options are styles
        names = f"{names},{options}"
    ending = ".cls" if "lass" in name else ".sty"
    for wanted in reversed(names.split(",")):
        path = expander.files.find(wanted, level.folder, endings=(ending,))
        base = posixpath.basename(clean_name(wanted))
        if path and path not in expander.loaded and not is_distributed(base):
            expander.loaded.add(path)
            _include(expander, path, level)
    return True


def _end_input(expander: Expander, level: Level, _name: str, _start: int) -> bool:
    while level.depth and len(expander.stack) > 1:
        expander.stack.pop()
        level = expander.stack[-1]
    level.pos = len(level.text)
    return True


def _bye(expander: Expander, level: Level, _name: str, _start: int) -> bool:
    if expander.silent or level.depth:
        return False
    expander.stop()
    return True


FILE_COMMANDS: dict[str, Command] = {
    **dict.fromkeys(("\\input", "\\@input", "\\include", "\\subfile", "\\subfileinclude"), _input),
    **dict.fromkeys(("\\import", "\\subimport", "\\includefrom", "\\subincludefrom"), _import),
    "\\InputIfFileExists": _input_if_exists,
    "\\includeonly": _include_only,
    "\\@partswfalse": _no_parts,
    **dict.fromkeys(
        ("\\usepackage", "\\RequirePackage", "\\documentclass", "\\LoadClass", "\\documentstyle"),
        _style,
    ),
    "\\endinput": _end_input,
    "\\bye": _bye,
    "\\enddocument": _bye,
}

__all__ = ["FILE_COMMANDS", "Files"]
