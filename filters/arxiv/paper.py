r"""A paper: from the members of its archive to the text of its body.

The order is that of docs/rules/sources.md 4.2: decode, find the main file, remove comments, resolve
conditionals, then read the files in TeX's order and expand.
"""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field

from filters.arxiv.encodings import declared_encoding, decode
from filters.arxiv.main_file import (
    Instructions,
    begins_document,
    is_candidate,
    main_files,
    read_instructions,
    wrapper_of,
)
from filters.latex.commands import COMMANDS, DEFINERS
from filters.latex.comments import excluded_names, strip_comments, verbatim_names
from filters.latex.conditionals import defined_commands, resolve_conditionals
from filters.latex.counts import Counts
from filters.latex.expansion import Expander
from filters.latex.inputs import Files, clean_name, is_distributed
from filters.latex.macros import Macro
from filters.latex.sealed import Sealed

_TEXTS = (".tex", ".ltx", ".latex", ".txt")
_STYLES = (".sty", ".cls", ".def")
# What else \input may name: pictures and tables that are written in TeX.
_INCLUDED = (".tikz", ".pgf", ".pdf_tex", ".pstex_t", ".eps_tex", ".inc", ".cfg", ".mac", ".macros")
_NEVER_INCLUDED = frozenset(
    {".bbl", ".bib", ".bst", ".eps", ".ps", ".pdf", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".aux"}
    | {".log", ".out", ".toc", ".blg", ".ind", ".idx", ".gls", ".zip", ".gz", ".fd", ".pfb", ".tfm"}
)
_MAX_OTHER_BYTES = 500_000
_IGNORED = "%auto-ignore"


@dataclass(slots=True)
class PaperFiles:
    """The texts of a paper, decoded."""

    texts: dict[str, str] = field(default_factory=dict)  # candidates, by path
    others: dict[str, str] = field(default_factory=dict)  # styles, and what may be included
    encodings: dict[str, str] = field(default_factory=dict)  # of files that are not UTF-8
    instructions: Instructions = field(default_factory=Instructions)


@dataclass(slots=True)
class Paper:
    """A paper whose comments are gone, and the files that it may begin with."""

    files: Files
    sealed: Sealed
    mains: list[str]
    wrapper: str  # the file that inputs the first of them after some definitions, or ""
    encodings: dict[str, str]
    comments: int


@dataclass(slots=True)
class Body:
    """The body of a paper, expanded; its verbatim parts are still sealed."""

    text: str
    document: bool  # there was a \begin{document}
    counts: Counts
    macros: frozenset[str]  # names that the paper defined
    late: frozenset[str]  # those of them that it first defined in its body


def _may_be_included(name: str, data: bytes) -> bool:
    r"""Tell a small text that ``\input`` may name from pictures, tables of references, and logs."""
    ending = posixpath.splitext(name)[1].lower()
    return ending not in _NEVER_INCLUDED and len(data) <= _MAX_OTHER_BYTES and b"\0" not in data


def decode_files(members: Mapping[str, bytes]) -> PaperFiles:
    """Decode the members of a paper that are text (4.2, steps 1 and 2)."""
    found = PaperFiles()
    names = {clean_name(name): data for name, data in members.items()}
    wanted = {
        name: data
        for name, data in names.items()
        if name.lower().endswith((*_TEXTS, *_STYLES, *_INCLUDED))
        or posixpath.basename(name).upper().startswith("00README")
        or _may_be_included(name, data)
    }
    declared = next(filter(None, map(declared_encoding, wanted.values())), "")
    for name, data in sorted(wanted.items()):
        base = posixpath.basename(name)
        lower = name.lower()
        if base.upper().startswith("00README"):
            found.instructions = read_instructions(base, decode(data).text)
            continue
        style = lower.endswith(_STYLES)
        if style and is_distributed(base.rpartition(".")[0]):
            continue
        text, encoding = decode(data, declared)
        if text.startswith(_IGNORED):
            continue
        if not style and is_candidate(name, text):
            found.texts[name] = text
        else:
            found.others[name] = text
        if encoding != "utf-8":
            found.encodings[name] = encoding
    return found


def prepare(found: PaperFiles, *, paper: str = "") -> Paper:
    """Remove comments, resolve conditionals, and find the main file (4.3, 4.4)."""
    sealed = Sealed()
    everything = found.texts | found.others
    verbatim = verbatim_names(list(everything.values()))
    excluded = excluded_names(list(everything.values()))
    stripped = {
        name: strip_comments(text, sealed, verbatim=verbatim, excluded=excluded)
        for name, text in everything.items()
    }
    commands: set[str] = set()
    for file in stripped.values():
        commands |= defined_commands(file.text)
    texts = {name: resolve_conditionals(file.text, commands) for name, file in stripped.items()}
    candidates = {name: texts[name] for name in found.texts}
    for file in stripped.values():
        for name, text in file.files.items():
            texts.setdefault(clean_name(name), strip_comments(text, sealed).text)
    files = Files(texts)
    mains = main_files(candidates, found.instructions, paper=paper)
    return Paper(
        files,
        sealed,
        mains,
        wrapper_of(mains[0], candidates, files) if mains else "",
        found.encodings,
        sum(file.comments for file in stripped.values()),
    )


def expand(paper: Paper, main: str) -> Body:
    """Read a paper from one of its files and expand its macros (4.5, 4.6)."""
    start = paper.wrapper if paper.wrapper and main == paper.mains[0] else main
    expander = Expander(paper.files, paper.sealed, COMMANDS, DEFINERS)
    has_preamble = begins_document(start, paper.files)
    body = expander.expand(start, has_preamble=has_preamble)
    if has_preamble and not expander.document:  # AmS-TeX, or \begin{document} is missing
        expander = Expander(paper.files, paper.sealed, COMMANDS, DEFINERS)
        body = expander.expand(start, has_preamble=False)
    macros = {name: each for name, each in expander.meanings.items() if isinstance(each, Macro)}
    standard = {macro.alias for macro in macros.values()}  # \let\old\x: \x itself comes out
    return Body(
        body,
        expander.document,
        expander.counts,
        frozenset(macros) - standard,
        frozenset(expander.late),
    )
