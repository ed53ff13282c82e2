r"""Comments of TeX, and the parts of a text in which ``%`` is none.

The rules are docs/rules/sources.md 4.4. One reading of a file removes its comments, seals what is
verbatim, removes ``comment`` environments, and takes out files that ``filecontents`` holds.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from filters.latex.sealed import Sealed
from filters.latex.tokens import join

VERBATIM = frozenset(
    [
        "verbatim",
        "verbatim*",
        "Verbatim",
        "Verbatim*",
        "BVerbatim",
        "LVerbatim",
        "lstlisting",
        "minted",
        "alltt",
        "SaveVerbatim",
        "spverbatim",
        "verbatimtab",
    ]
)
FILECONTENTS = frozenset({"filecontents", "filecontents*"})
_ADDRESSES = frozenset({"url", "path", "nolinkurl", "href"})
_INLINE = frozenset({"verb", "lstinline", "mintinline", "Verb"})
_MAX_INLINE = 2000  # characters of a \verb or an address, so that an unclosed one costs no more
_SPECIAL = re.compile(
    r"\\(begin|verb|Verb|lstinline|mintinline|url|path|nolinkurl|href)(?![A-Za-z@])"
    r"|\\[^A-Za-z]|%"
)
_NAME = re.compile(r"[ \t]*\{([A-Za-z]+\*?)\}")
_COMMENTS = re.compile(r"%[^\n]*(?:\n[ \t]*%[^\n]*)*")
_NEXT_LINE = re.compile(r"\n(?![ \t]*(?:\n|\Z))[ \t]*")
_OPTIONS = re.compile(r"[ \t]*\[[^\]\n]*\]")
_DECLARED = re.compile(
    r"\\(?:lstnewenvironment|DefineVerbatimEnvironment|newverbatim)[ \t]*\{([A-Za-z]+\*?)\}"
)
_EXCLUDED = re.compile(r"\\excludecomment[ \t]*\{([A-Za-z]+\*?)\}")
_DECLARED_MINTED = re.compile(r"\\newminted(?:\[([A-Za-z]+)\])?[ \t]*\{([A-Za-z]+)\}")


@dataclass(slots=True)
class Stripped:
    """A file without comments."""

    text: str
    comments: int = 0  # how many were removed
    files: dict[str, str] = field(default_factory=dict)  # what ``filecontents`` holds, by name


def verbatim_names(texts: Collection[str]) -> frozenset[str]:
    """Return the verbatim environments, with those that a paper declares for itself."""
    names = set(VERBATIM)
    for text in texts:
        if "erb" in text or "lstnew" in text or "newminted" in text:
            names.update(_DECLARED.findall(text))
            names.update(own or f"{lang}code" for own, lang in _DECLARED_MINTED.findall(text))
    return frozenset(names)


def excluded_names(texts: Collection[str]) -> frozenset[str]:
    r"""Return the environments that are comments, with those of ``\excludecomment``."""
    names = {"comment"}
    for text in texts:
        if "\\excludecomment" in text:
            names.update(_EXCLUDED.findall(text))
    return frozenset(names)


def strip_comments(
    text: str,
    sealed: Sealed,
    *,
    verbatim: Collection[str] = VERBATIM,
    excluded: Collection[str] = frozenset({"comment"}),
) -> Stripped:
    r"""Remove the comments of a file and seal its verbatim parts.

    A comment takes its line end and the blanks of the next line with it, as in TeX; where a blank
    line follows, the paragraph break stays.

    >>> strip_comments("foo%\n  bar", Sealed()).text
    'foobar'
    """
    reading = _Reading(text, sealed, verbatim, excluded)
    reading.run()
    return Stripped(join(reading.out), reading.comments, reading.files)


class _Reading:
    """One reading of a file."""

    def __init__(
        self, text: str, sealed: Sealed, verbatim: Collection[str], excluded: Collection[str]
    ) -> None:
        self.text = text
        self.sealed = sealed
        self.verbatim = verbatim
        self.excluded = excluded
        self.out: list[str] = []
        self.comments = 0
        self.files: dict[str, str] = {}
        self._unclosed: set[str] = set()  # environments that have no more \end

    def run(self) -> None:
        """Read the file to its end."""
        text, done, at = self.text, 0, 0
        while match := _SPECIAL.search(text, at):
            start, at = match.span()
            if match[0] == "%":
                kept, at = self._comment(done, start)
                self.out.append(text[done:kept])
                done = at
            elif word := match[1]:
                span = self._literal(word, at)
                if span is None:
                    continue
                begin, end, replacement = span
                self.out += (text[done : start if begin < 0 else begin], replacement)
                done = at = end
        self.out.append(text[done:])

    def _comment(self, done: int, start: int) -> tuple[int, int]:
        """Return where the text before a comment ends, and where it goes on after it."""
        text = self.text
        match = _COMMENTS.match(text, start)
        assert match
        self.comments += 1
        end = match.end()
        line = max(text.rfind("\n", done, start) + 1, done)
        own_line = text[line:start].isspace() or line == start
        if own_line and (line == 0 or text[line - 1] == "\n"):
            return line, min(end + 1, len(text))  # the whole line goes
        following = _NEXT_LINE.match(text, end)
        return start, following.end() if following else end

    def _literal(self, word: str, at: int) -> tuple[int, int, str] | None:
        """Return (begin, end, replacement) of a part that is not read; begin -1: at the command."""
        if word == "begin":
            return self._environment(at)
        if word in _ADDRESSES:
            return self._address(at)
        return self._inline(word, at)

    def _inline(self, word: str, at: int) -> tuple[int, int, str] | None:
        text = self.text
        if word in {"verb", "Verb"} and text[at : at + 1] == "*":
            at += 1
        if word != "verb" and (options := _OPTIONS.match(text, at)):
            at = options.end()
        if word == "mintinline":
            language = _NAME.match(text, at) or re.compile(r"\{[^{}\n]*\}").match(text, at)
            if not language:
                return None
            at = language.end()
        mark = text[at : at + 1]
        if not mark or mark.isspace() or (word == "verb" and mark.isalpha()):
            return None
        limit = text.find("\n", at, at + _MAX_INLINE)
        limit = min(len(text), at + _MAX_INLINE) if limit < 0 else limit
        if mark == "{" and word != "verb":
            end = _closing(text, at, limit)
        else:
            end = text.find(mark, at + 1, limit)
        if end < 0:
            return None
        start = text.rfind("\\" + word, 0, at)
        return start, end + 1, self.sealed.seal(text[start : end + 1])

    def _address(self, at: int) -> tuple[int, int, str] | None:
        text = self.text
        while text[at : at + 1] in {" ", "\t"}:
            at += 1
        if options := _OPTIONS.match(text, at):
            at = options.end()
        if text[at : at + 1] != "{":
            return None
        limit = min(len(text), at + _MAX_INLINE)
        if "%" not in text[at:limit] or text.find("}", at, limit) < 0:
            return None
        end = _closing(text, at, limit)
        if end < 0 or "%" not in text[at:end] or text[at + 1 : at + 2] in {"%", "\\"}:
            return None
        return at + 1, end, self.sealed.seal(text[at + 1 : end])

    def _environment(self, at: int) -> tuple[int, int, str] | None:
        match = _NAME.match(self.text, at)
        if not match:
            return None
        name = match[1]
        kept = name in self.verbatim
        if not (kept or name in self.excluded or name in FILECONTENTS) or name in self._unclosed:
            return None
        if self.text[match.end() : match.end() + 1] == "}":
            return None  # the body of a definition, such as \newcommand{\bv}{\begin{verbatim}}
        closing = f"\\end{{{name}}}"
        end = self.text.find(closing, match.end())
        if end < 0:
            self._unclosed.add(name)
            return None
        begin = self.text.rfind("\\begin", 0, match.end())
        after = end + len(closing)
        if kept:
            return begin, after, self.sealed.seal(self.text[begin:after])
        if name in FILECONTENTS:
            self._file(self.text[match.end() : end])
        if _NEXT_LINE.match(self.text, after) and self._begins_line(begin):
            after += 1  # the lines of the environment go, and no blank one is left
        return begin, after, ""

    def _begins_line(self, at: int) -> bool:
        return not self.text[max(at - 200, 0) : at].rpartition("\n")[2].strip()

    def _file(self, content: str) -> None:
        match = re.compile(r"(?:\[[^\]]*\])?\s*\{([^{}]*)\}[^\n]*\n?").match(content)
        if match:
            self.files.setdefault(match[1].strip(), content[match.end() :])


def _closing(text: str, at: int, limit: int) -> int:
    """Return where the brace that opens at a place is closed, -1 if it is not before the limit."""
    depth = 0
    for match in re.compile(r"\\[\s\S]|[{}]").finditer(text, at, limit):
        if match[0] == "{":
            depth += 1
        elif match[0] == "}":
            depth -= 1
            if not depth:
                return match.start()
    return -1
