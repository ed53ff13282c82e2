"""What the modules of this Python say of themselves, which the samples are made of.

Modules are read from their source and never imported, so the same Python gives the same samples.
"""

import ast
import gc
import inspect
import re
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_PARAGRAPH_BREAK: Final = re.compile(r"\n[ \t]*\n")
_AS_IT_STANDS: Final = re.compile(r"^[ \t]|>>>", re.MULTILINE)
# How a module that describes itself begins, after comments and empty lines: with a string, perhaps
# in brackets. This is far quicker to see than what a module consists of.
_BEGINS_WITH_STRING: Final = re.compile(r"""(?:[ \t\f]*(?:\#[^\n]*|\\)?\n)*[ \t\f]*[rRuU]?['"(]""")
MIN_WORDS: Final = 5  # of a description that is worth a paragraph
# Folders beside the standard library's modules that hold programs or other packages.
_NO_LIBRARY: Final = {
    "dist-packages",
    "idlelib",
    "lib-dynload",
    "lib2to3",
    "site-packages",
    "turtledemo",
}


def standard_modules() -> Iterator[tuple[str, Path]]:
    """Yield the public modules of the standard library, by name, and their files."""
    folder = Path(sysconfig.get_path("stdlib"))
    for name, path in module_files(folder, "**/*.py"):
        if name.partition(".")[0] not in _NO_LIBRARY:
            yield name, path


def module_files(folder: Path, pattern: str) -> Iterator[tuple[str, Path]]:
    """Yield the public modules among the files of a folder that match a pattern, by name."""
    for path in sorted(folder.glob(pattern)):
        name = ".".join(path.relative_to(folder).with_suffix("").parts)
        if "._" not in f".{name}" and ".test" not in f".{name}":
            yield name, path


def sources(modules: Iterable[tuple[str, Path]]) -> Iterator[tuple[str, str]]:
    """Yield the names and sources of the modules that can be read and may describe themselves."""
    for name, path in modules:
        try:
            source = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if _BEGINS_WITH_STRING.match(source):
            yield name, source


def parse(source: str) -> ast.Module:
    """Return what a module consists of.

    Raises:
        SyntaxError, ValueError: it is no Python.
    """
    # The garbage collector would walk the growing tree, which has no cycles, again and again.
    collects = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(source)
    finally:
        if collects:
            gc.enable()


def described(
    parent: ast.AST, min_words: int = MIN_WORDS
) -> Iterator[tuple[ast.ClassDef | ast.FunctionDef, str]]:
    """Yield the public functions and classes directly within a node, and their descriptions.

    Args:
        parent: a module or a class.
        min_words: of a description; shorter ones are left out.
    """
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            about = ast.get_docstring(node) or ""
            if len(about.split()) >= min_words:
                yield node, about


def paragraphs(description: str) -> Iterator[tuple[str, bool]]:
    """Yield the paragraphs of a description, and whether each is code or a list.

    These are indented or begin with a prompt, and their lines must stay as they are.
    """
    for paragraph in _PARAGRAPH_BREAK.split(inspect.cleandoc(description)):
        text = paragraph.strip("\n")
        yield text, _AS_IT_STANDS.search(text) is not None


def signature(node: ast.ClassDef | ast.FunctionDef) -> str:
    """Return how a function is called, or that it is a class.

    >>> signature(ast.parse("def f(a, b=1): pass").body[0])
    'f(a, b=1)'
    """
    if isinstance(node, ast.ClassDef):
        return f"class {node.name}"
    return f"{node.name}({ast.unparse(node.args)})"
