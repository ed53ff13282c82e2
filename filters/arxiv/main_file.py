r"""Which file of a paper is the one that TeX is started on (docs/rules/sources.md 4.3)."""

import json
import posixpath
import re
from collections.abc import Mapping
from typing import NamedTuple

from filters.latex.inputs import Files

_CLASS = re.compile(
    r"\\(?:documentclass|documentstyle)(?![A-Za-z])[ \t\n]*(?:\[[^\]]*\])?[ \t\n]*\{?([^}\s]*)"
)
_BEGIN = re.compile(r"\\begin[ \t]*\{document\}")
_TITLE = re.compile(r"\\(?:title|maketitle)(?![A-Za-z])|\\begin[ \t]*\{abstract\}")
_INPUT = re.compile(
    r"\\(?:input|include|subfile|subfileinclude|@input)(?![A-Za-z])[ \t]*"
    r"(?:\{([^{}]*)\}|([^\s{}\\]+))"
)
_PLAIN_END = re.compile(r"\\(?:bye|end)(?![A-Za-z])[ \t\n]*(?!\{)")
_GOOD_NAME = re.compile(r"(?i)(?:main|ms|paper|article|arxiv|root|manuscript)")
_BAD_NAME = re.compile(r"(?i)supp|appendix|response|cover|template|sample|letter|standalone")
_NEVER = {"standalone", "subfiles"}
_MAX_WRAPPER = 5_000  # characters of a file that a main file is wrapped in
TEXT_ENDINGS = (".tex", ".ltx", ".latex")


class Instructions(NamedTuple):
    """What the file 00README of a paper says."""

    top: tuple[str, ...] = ()
    ignored: frozenset[str] = frozenset()


NO_INSTRUCTIONS = Instructions()


def read_instructions(name: str, text: str) -> Instructions:
    """Read ``00README.XXX`` (lines "name word"), or its form in JSON or YAML."""
    if name.lower().endswith(".json"):
        return _of_json(text)
    top, ignored = [], set()
    yaml_name = ""
    for line in text.splitlines():
        words = line.split()
        if name.lower().endswith((".yaml", ".yml")):
            if match := re.match(r"\s*(?:-\s*)?(filename|usage)\s*:\s*(.+?)\s*$", line):
                value = match[2].strip("'\"")
                if match[1] == "filename":
                    yaml_name = value
                elif value == "toplevel":
                    top.append(yaml_name)
                elif value == "ignore":
                    ignored.add(yaml_name)
        elif len(words) == 2 and words[1] == "toplevelfile":
            top.append(words[0])
        elif len(words) == 2 and words[1] == "ignore":
            ignored.add(words[0])
    return Instructions(tuple(top), frozenset(ignored))


def _of_json(text: str) -> Instructions:
    try:
        sources = json.loads(text).get("sources", [])
        usage = [(str(each["filename"]), each.get("usage")) for each in sources]
    except (ValueError, AttributeError, TypeError, KeyError):
        return Instructions()
    return Instructions(
        tuple(name for name, use in usage if use == "toplevel"),
        frozenset(name for name, use in usage if use == "ignore"),
    )


def is_candidate(path: str, text: str) -> bool:
    """Tell the text members of a paper from its other files (4.2, step 1)."""
    lower = path.lower()
    if lower.endswith(TEXT_ENDINGS):
        return True
    marked = "\\documentclass" in text or "\\documentstyle" in text or "\\begin{document}" in text
    return marked and (lower.endswith(".txt") or "." not in posixpath.basename(lower))


def main_files(
    texts: Mapping[str, str], instructions: Instructions = NO_INSTRUCTIONS, *, paper: str = ""
) -> list[str]:
    """Return the files that stand for themselves, the main file first; none if there is none.

    Args:
        texts: the candidates by path, without comments.
        instructions: of 00README.
        paper: identifier, after which a main file may be named.
    """
    files = Files(texts)
    ignored = {path for name in instructions.ignored if (path := files.find(name))}
    candidates = {path: text for path, text in texts.items() if path not in ignored}
    for name in instructions.top:
        if (path := files.find(name)) in candidates:
            return [path, *(p for p in _ranked(candidates, files, paper) if p != path)]
    ranked = _ranked(candidates, files, paper)
    if ranked:
        return ranked
    if len(candidates) == 1:
        return list(candidates)
    plain = {path: text for path, text in candidates.items() if _PLAIN_END.search(text)}
    return sorted(plain, key=lambda path: _order(path, plain[path], _inputs(plain, files), paper))


def _ranked(texts: Mapping[str, str], files: Files, paper: str) -> list[str]:
    tops = {}
    for path, text in texts.items():
        kind = _CLASS.search(text)
        if kind and kind[1] in _NEVER:
            continue
        if kind or _BEGIN.search(text):
            tops[path] = text
    inputs = _inputs(texts, files)
    return sorted(tops, key=lambda path: _order(path, tops[path], inputs, paper))


def _inputs(texts: Mapping[str, str], files: Files) -> set[str]:
    found = set()
    for path, text in texts.items():
        if not (_CLASS.search(text) or _BEGIN.search(text)):
            continue  # such as a wrapper of the main file, which only chooses a paper size
        found |= _targets(path, text, files) - {path}
    return found


def begins_document(path: str, files: Files) -> bool:
    r"""Tell whether a paper that begins with a file has a preamble.

    A file that inputs the one with ``\documentclass`` has one as well.
    """
    text = files.text(path)
    texts = [text, *(files.text(each) for each in _targets(path, text, files))]
    return any(_CLASS.search(text) or _BEGIN.search(text) for text in texts)


def wrapper_of(main: str, texts: Mapping[str, str], files: Files) -> str:
    r"""Return the file that makes definitions and then inputs a main file, "" where none does.

    Such as ``\def\screen{}\input{main}``: TeX is started on it. Of several, which choose a paper
    size or the like, the one with the shortest name.

    Args:
        main: path of the main file.
        texts: the candidates by path, without comments.
        files: all texts of the paper.
    """
    inputs = {path: _targets(path, text, files) for path, text in texts.items()}
    read = {target for path, targets in inputs.items() for target in targets if target != path}
    wrappers = [
        path
        for path, targets in inputs.items()
        if main in targets
        and path not in read
        and len(texts[path]) <= _MAX_WRAPPER
        and not (_CLASS.search(texts[path]) or _BEGIN.search(texts[path]))
    ]
    return min(wrappers, key=lambda path: (len(path), path), default="")


def _targets(path: str, text: str, files: Files) -> set[str]:
    folder = posixpath.dirname(path)
    names = {braced or bare for braced, bare in _INPUT.findall(text)}
    return {target for name in names if (target := files.find(name, folder))}


def _order(path: str, text: str, inputs: set[str], paper: str) -> tuple[int | str, ...]:
    """Return what sorts the best main file first; the path decides between equals."""
    stem = posixpath.basename(path).rpartition(".")[0] or posixpath.basename(path)
    named = bool(_GOOD_NAME.fullmatch(stem)) or bool(paper and stem == paper.replace("/", ""))
    return (
        path in inputs,
        not (_CLASS.search(text) and _BEGIN.search(text)),
        not _BEGIN.search(text),
        bool(_BAD_NAME.search(stem)),
        -(2 * bool(_TITLE.search(text)) + 2 * named + ("/" not in path)),
        -len(text),
        path,
    )
