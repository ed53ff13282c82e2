r"""What of a paper's body is kept: from the first section on, without the bibliography (4.7).

The text has no comments, its macros are expanded, and its verbatim parts are sealed.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from filters.latex.tokens import LINE_END, Reader, join

_SECTION = re.compile(
    r"\\(?:part|chapter|section|subsection|subsubsection|paragraph|subparagraph)(?![A-Za-z@])"
    r"[ \t]*\n?[ \t]*\*?[ \t]*\n?[ \t]*([\[{])"
)
_PLAIN_HEAD = re.compile(r"\\(?:beginsection|heading|head)(?![A-Za-z@])")
_AFTER_TITLE = re.compile(
    r"\\maketitle(?![A-Za-z@])|\\end[ \t]*\{abstract\}|\\endabstract(?![A-Za-z@])"
)
_ABSTRACT = re.compile(r"\\begin[ \t]*\{abstract\}")
_ENVIRONMENT = re.compile(r"\\(begin|end)[ \t]*\{([^{}\n]+)\}")
_BIBLIOGRAPHY = re.compile(
    r"\\begin[ \t]*\{(thebibliography|references|biblist|bibdiv|bibsection)\*?\}"
    r"|\\(bibliography|bibliographystyle|nocite|printbibliography|printbibheading|putbib"
    r"|addbibresource|bibliographyunit|Refs)(?![A-Za-z@])",
    re.IGNORECASE,
)
_WITHOUT_BRACES = frozenset({"printbibliography", "printbibheading", "putbib"})
_LISTS = frozenset({"bibliography", "printbibliography", "putbib", "refs"})
_APPENDIX = re.compile(r"\\appendix(?![A-Za-z@])|\\begin[ \t]*\{appendix\}")
_INNER = r"[^{}]*(?:\{[^{}]*\}[^{}]*)*"  # what an argument in braces holds
_ARGUMENT = rf"\{{({_INNER})\}}"
_ANY = rf"\{{{_INNER}\}}"
_HEADINGS = re.compile(
    r"\\(?:section|chapter|subsection|part)\*?[ \t\n]*" + _ARGUMENT + r"[ \t\n]*\Z"
)
_BEFORE_LIST = re.compile(
    r"(?:\\(?:addcontentsline|markboth|markright|label|phantomsection|newpage|clearpage"
    r"|cleardoublepage|small|footnotesize|bigskip|medskip|smallskip|noindent|par)(?![A-Za-z])"
    r"(?:[ \t\n]|\{[^{}]*\})*+)+\Z"
)
_OPENS = re.compile(r"\\begin[ \t]*\{([A-Za-z]+\*?)\}(?:\{[^{}]*\}|\[[^\]]*\])*+\s*\Z")
# A group of its own, not an argument: a paragraph or a sentence begins there, or a command before
# it has all its arguments.
_OPENS_GROUP = re.compile(
    r"(?:\n[ \t]*\n|[.,;:!?]|\\markright"
    + _ANY
    + r"|\\markboth"
    + 2 * _ANY
    + r"|\\addcontentsline\{[a-z]+\}\{[a-z]+\}"
    + _ANY
    + r"|\\(?:phantomsection|newpage|clearpage|cleardoublepage))\s*"
    r"(\{(?:\s*\\(?:small|footnotesize|scriptsize|tiny|normalsize|raggedright|sloppy)(?![A-Za-z]))*"
    r"\s*)\Z"
)
_CLOSES = re.compile(r"\s*(?:\\end[ \t]*\{([A-Za-z]+\*?)\}|(?:\\par(?![A-Za-z])\s*)?\})")
_CONTENTS_LINE = re.compile(
    r"(?:\\phantomsection\s*)?\\addcontentsline\{toc\}\{[a-z]+\}" + _ARGUMENT + r"\s*\Z"
)
_RUNNING_HEAD = re.compile(r"\\mark(?:right|both" + _ARGUMENT + ")" + _ARGUMENT + r"\s*\Z")
_TITLE_NAMES = re.compile(r"\\(?:bibname|refname)(?![A-Za-z])")  # of the classes of LaTeX
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
_BLANK_LINES = re.compile(r"\n{3,}")


class Cut(NamedTuple):
    """What is kept of a body; ``text`` is None where it has no section and none is wanted."""

    text: str | None
    start: str  # section, title, or none


def cut_start(body: str, *, document: bool = True, keep_without_section: bool = True) -> Cut:
    r"""Drop what stands before the first sectioning command, and what ends only there.

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
        return Cut(_from(body, min(starts)), "section")
    if not (document and keep_without_section):
        return Cut(None, "none")
    end = max((match.end() for match in _AFTER_TITLE.finditer(body)), default=0)
    return Cut(_from(body, end), "title")


def _from(body: str, start: int) -> str:
    r"""Return a body from a place on, without the ends of environments that began before it.

    >>> _from("\\begin{CJK}{UTF8}{min}\\section{a}\nb\n\\end{CJK}\nc", 22)
    '\\section{a}\nb\nc'
    """
    begun: Counter[str] = Counter()
    for match in _ENVIRONMENT.finditer(body, 0, start):
        if match[1] == "begin":
            begun[match[2]] += 1
        elif begun[match[2]]:
            begun[match[2]] -= 1
    if not any(begun.values()):
        return body[start:]
    pieces = []
    nested: Counter[str] = Counter()
    done = start
    for match in _ENVIRONMENT.finditer(body, start):
        name = match[2]
        if match[1] == "begin":
            nested[name] += 1
        elif nested[name]:
            nested[name] -= 1
        elif begun[name]:
            begun[name] -= 1
            pieces.append(body[done : match.start()])
            done = match.end()
            before = body[max(start, match.start() - _HEADING_CHARACTERS) : match.start()]
            line_end = LINE_END.match(body, done)
            if line_end and before.rstrip(" \t")[-1:] == "\n":
                done = line_end.end()  # it had a line to itself
    return join([*pieces, body[done:]])


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
    r"""Remove bibliographies and what stands around them alone; return how many there were as well.

    That is the heading before one, its line in the table of contents, and environments and groups
    that hold nothing else, also where ``\bibliographystyle`` or ``\nocite`` stands in between.
    """
    kept = _Kept()
    done = count = 0
    for found in _commands(text):
        kept.add(text[done : found.start])
        done = kept.drop_wrapping(text, found.end, is_list=found.is_list)
        count += found.is_list
        if (line_end := LINE_END.match(text, done)) and kept.ends_line():
            done = line_end.end()  # it had a line to itself
    kept.add(text[done:])
    return join(kept.pieces), count


class _Command(NamedTuple):
    """A command for a bibliography, or an environment."""

    start: int
    end: int
    is_list: bool  # the references stand here


def _commands(text: str) -> Iterator[_Command]:
    at = 0
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
        yield _Command(start, end, bool(name) or match[2].lower() in _LISTS)
        at = max(end, at)


class _Kept:
    """What was kept of a text so far, in pieces; blanks at its end are a piece of their own."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self._blanks = ""

    def add(self, piece: str) -> None:
        """Keep what stands before a command."""
        if not piece.strip():
            self._blanks = _shorten(self._blanks + piece)
            return
        self.pieces += [self._blanks, piece]
        self._blanks = ""

    def ends_line(self) -> bool:
        """Tell whether nothing but blanks stands in the last line."""
        before = self.pieces[-1][-_HEADING_CHARACTERS:] if self.pieces else ""
        return (before + self._blanks).rstrip(" \t")[-1:] == "\n"

    def drop_wrapping(self, text: str, end: int, *, is_list: bool) -> int:
        """Drop what at the end of the pieces belongs to a command that was removed.

        Args:
            text: the whole.
            end: where the text goes on after the command.
            is_list: a heading and a line in the table of contents belong to it.

        Returns:
            where the text goes on: after the ends of environments that held the command alone.
        """
        while self.pieces:
            last = self.pieces[-1]
            cut = max(len(last) - _HEADING_CHARACTERS, 0)
            tail = shorter = last[cut:] + self._blanks
            before = ""
            while shorter != before:
                before = shorter
                shorter, end = _without_wrapping(shorter, text, end)
                if is_list:
                    shorter = _without_contents_line(_without_heading(shorter))
            if shorter == tail:
                break
            self.pieces.pop()
            rest = last[:cut] + shorter
            if rest.strip():
                self.pieces.append(rest)
                self._blanks = ""
            else:
                self._blanks = _shorten((self.pieces.pop() if self.pieces else "") + rest)
        return end


def _arguments_end(reader: Reader, at: int, *, braces: bool) -> int:
    reader.pos = at
    while reader.option() is not None:
        pass
    if braces:
        reader.group()
    return reader.pos


def _without_heading(tail: str) -> str:
    r"""Drop a heading such as ``\section*{References}`` that a text ends in."""
    shorter = tail
    if match := _BEFORE_LIST.search(tail):
        shorter = tail[: match.start()]
    for candidate in (tail, shorter):
        match = _HEADINGS.search(candidate)
        if match and _is_title(match[1]):
            return tail[: match.start()]
    return tail


def _without_wrapping(tail: str, text: str, end: int) -> tuple[str, int]:
    r"""Drop an environment, or a group with a font size, that held a bibliography alone.

    Returns:
        the text before the bibliography, and where the text goes on after it.
    """
    closing = _CLOSES.match(text, end)
    if closing is None:
        return tail, end
    if name := closing[1]:
        begin = _OPENS.search(tail)
        if begin and begin[1] == name:
            return tail[: begin.start()], closing.end()
    elif group := _OPENS_GROUP.search(tail):
        return tail[: group.start(1)], closing.end()
    return tail, end


def _without_contents_line(tail: str) -> str:
    """Drop the line that a bibliography has in the table of contents, and its running heads."""
    line = _CONTENTS_LINE.search(tail)
    if line and _is_title(line[1]):
        return tail[: line.start()]
    heads = _RUNNING_HEAD.search(tail)
    titles = [head for head in heads.groups("") if head.strip()] if heads else []
    return tail[: heads.start()] if heads and titles and all(map(_is_title, titles)) else tail


def _is_title(text: str) -> bool:
    """Tell whether a heading is that of a bibliography."""
    return _LETTERS.sub("", _TITLE_NAMES.sub("References", text)).lower() in _TITLES


def _shorten(blanks: str) -> str:
    """Return blanks that mean the same: a blank line, a line end, a space."""
    lines = blanks.count("\n")
    return "\n\n" if lines > 1 else "\n" if lines else blanks[:1]


def cut_appendix(text: str) -> str:
    r"""Drop everything from ``\appendix`` on."""
    match = _APPENDIX.search(text)
    return text[: match.start()] if match else text


def tidy(text: str) -> str:
    """Drop blanks at line ends, blank lines beyond one, and blanks at both ends (4.2, step 11)."""
    return _BLANK_LINES.sub("\n\n", "\n".join(line.rstrip() for line in text.split("\n"))).strip()
