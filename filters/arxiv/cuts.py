r"""What of a paper's body is kept: from the first section on, without the bibliography (4.7).

The text has no comments, its macros are expanded, and its verbatim parts are sealed.
"""

import re
from typing import NamedTuple

from filters.latex.tokens import Reader, join

_SECTION = re.compile(
    r"\\(?:part|chapter|section|subsection|subsubsection|paragraph|subparagraph)(?![A-Za-z@])"
    r"[ \t]*\n?[ \t]*\*?[ \t]*\n?[ \t]*([\[{])"
)
_PLAIN_HEAD = re.compile(r"\\(?:beginsection|heading|head)(?![A-Za-z@])")
_AFTER_TITLE = re.compile(
    r"\\maketitle(?![A-Za-z@])|\\end[ \t]*\{abstract\}|\\endabstract(?![A-Za-z@])"
)
_ABSTRACT = re.compile(r"\\begin[ \t]*\{abstract\}")
_BIBLIOGRAPHY = re.compile(
    r"\\begin[ \t]*\{(thebibliography|references|biblist|bibdiv|bibsection)\*?\}"
    r"|\\(bibliography|bibliographystyle|nocite|printbibliography|printbibheading|putbib"
    r"|addbibresource|bibliographyunit|Refs)(?![A-Za-z@])",
    re.IGNORECASE,
)
_WITHOUT_BRACES = frozenset({"printbibliography", "printbibheading", "putbib"})
_APPENDIX = re.compile(r"\\appendix(?![A-Za-z@])|\\begin[ \t]*\{appendix\}")
_HEADINGS = re.compile(
    r"\\(?:section|chapter|subsection|part)\*?[ \t\n]*\{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}[ \t\n]*\Z"
)
_BEFORE_LIST = re.compile(
    r"(?:\\(?:addcontentsline|markboth|markright|label|phantomsection|newpage|clearpage"
    r"|cleardoublepage|small|footnotesize|bigskip|medskip|smallskip|noindent|par)(?![A-Za-z])"
    r"(?:[ \t\n]|\{[^{}]*\})*+)+\Z"
)
_OPENS = re.compile(r"\\begin[ \t]*\{([A-Za-z]+\*?)\}(?:\{[^{}]*\}|\[[^\]]*\])*+\s*\Z")
_CONTENTS_LINE = re.compile(
    r"(?:\\phantomsection\s*)?\\addcontentsline\{toc\}\{[a-z]+\}\{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}\s*\Z"
)
_TITLES = frozenset(  # without blanks and commands
    [
        "references",
        "reference",
        "bibliography",
        "literature",
        "literaturecited",
        "literaturereferences",
        "workscited",
        "citedliterature",
        "citations",
        "referencescited",
        "literatur",
        "literaturverzeichnis",
        "bibliographie",
        "referencias",
        "bibliografia",
        "referencesandnotes",
    ]
)
_LETTERS = re.compile(r"\\[A-Za-z]+|[^A-Za-z]+")
_HEADING_CHARACTERS = 400  # before a bibliography in which its heading is looked for
_LINE_END = re.compile(r"[ \t]*\n")
_BLANK_LINES = re.compile(r"\n{3,}")


class Cut(NamedTuple):
    """What is kept of a body; ``text`` is None where it has no section and none is wanted."""

    text: str | None
    start: str  # section, title, or none


def cut_start(body: str, *, document: bool = True, keep_without_section: bool = True) -> Cut:
    r"""Drop what stands before the first sectioning command.

    Args:
        body: what stands between ``\begin{document}`` and its end.
        document: there was a ``\begin{document}``; else heads of plain TeX count as well.
        keep_without_section: start after the title and the abstract where no section comes.
    """
    reader = Reader(body)
    starts = []
    for match in _SECTION.finditer(body):
        if _titled(reader, match.start(1)):
            starts.append(match.start())
            break
    amsppt = not document or "\\endtopmatter" in body
    if amsppt and (head := _PLAIN_HEAD.search(body)):
        starts.append(head.start())
    if starts:
        return Cut(body[min(starts) :], "section")
    if not (document and keep_without_section):
        return Cut(None, "none")
    end = max((match.end() for match in _AFTER_TITLE.finditer(body)), default=0)
    return Cut(body[end:], "title")


def _titled(reader: Reader, at: int) -> bool:
    """Tell whether ``[short]{title}`` or ``{title}`` stands at a place, braces balanced."""
    reader.pos = at
    reader.option()
    return reader.group() is not None


def abstract_of(body: str) -> str:
    r"""Return the abstract with its ``\begin`` and ``\end``, "" where there is none."""
    begin = _ABSTRACT.search(body)
    end = re.compile(r"\\end[ \t]*\{abstract\}").search(body, begin.end()) if begin else None
    return body[begin.start() : end.end()] if begin and end else ""


def cut_bibliography(text: str) -> tuple[str, int]:
    """Remove bibliographies and the headings before them; return how many there were as well."""
    out: list[str] = []
    done = at = count = 0
    reader = Reader(text)
    missing: set[str] = set()
    while match := _BIBLIOGRAPHY.search(text, at):
        start, at = match.span()
        if name := match[1]:
            ending = re.compile(rf"\\end[ \t]*\{{{re.escape(name)}\*?\}}", re.IGNORECASE)
            found = None if name.lower() in missing else ending.search(text, at)
            if found is None:
                missing.add(name.lower())
                end = len(text) if name.lower() == "thebibliography" else at
                if end == at:
                    continue
            else:
                end = found.end()
        elif match[2] == "Refs":
            found = re.compile(r"\\endRefs(?![A-Za-z@])").search(text, at)
            end = found.end() if found else len(text)
        elif match[2] == "refs":
            continue
        else:
            end = _arguments_end(reader, at, braces=match[2].lower() not in _WITHOUT_BRACES)
        kept = text[done:start]
        if name or match[2].lower() in {"bibliography", "printbibliography", "putbib", "refs"}:
            kept = _without_heading(kept)
            count += 1
            kept, end = _without_wrapping(kept, text, end)
        if (line_end := _LINE_END.match(text, end)) and kept.rstrip(" \t")[-1:] == "\n":
            end = line_end.end()  # it had a line to itself
        out.append(kept)
        done = at = end
    out.append(text[done:])
    return join(out), count


def _arguments_end(reader: Reader, at: int, *, braces: bool) -> int:
    reader.pos = at
    while reader.option() is not None:
        pass
    if braces:
        reader.group()
    return reader.pos


def _without_heading(text: str) -> str:
    r"""Drop a heading such as ``\section*{References}`` that a text ends in."""
    tail = text[-_HEADING_CHARACTERS:]
    shorter = tail
    if match := _BEFORE_LIST.search(tail):
        shorter = tail[: match.start()]
    for candidate in (tail, shorter):
        match = _HEADINGS.search(candidate)
        if match and _LETTERS.sub("", match[1]).lower() in _TITLES:
            return text[: len(text) - len(tail) + match.start()]
    return text


def _without_wrapping(kept: str, text: str, end: int) -> tuple[str, int]:
    r"""Drop environments that held a bibliography alone, and its line in the table of contents.

    Returns:
        the text before the bibliography, and where the text goes on after it.
    """
    while (begin := _OPENS.search(kept[-_HEADING_CHARACTERS:])) and (
        closing := re.compile(rf"\s*\\end[ \t]*\{{{re.escape(begin[1])}\}}").match(text, end)
    ):
        kept = kept[: len(kept) - len(begin[0])]
        end = closing.end()
    line = _CONTENTS_LINE.search(kept[-_HEADING_CHARACTERS:])
    if line and _LETTERS.sub("", line[1]).lower() in _TITLES:
        kept = kept[: len(kept) - len(line[0])]
    return kept, end


def cut_appendix(text: str) -> str:
    r"""Drop everything from ``\appendix`` on."""
    match = _APPENDIX.search(text)
    return text[: match.start()] if match else text


def tidy(text: str) -> str:
    """Drop blanks at line ends, blank lines beyond one, and blanks at both ends (4.2, step 11)."""
    return _BLANK_LINES.sub("\n\n", "\n".join(line.rstrip() for line in text.split("\n"))).strip()
