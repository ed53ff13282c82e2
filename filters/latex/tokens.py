r"""The tokens of TeX, as far as text that stays text needs them.

Nothing here makes a list of all tokens: a text is scanned for control sequences, and what lies
between is copied as it was written. Texts have no comments any more (``comments``), and their
verbatim parts are sealed (``sealed``), so a brace is a brace unless a backslash stands before it.
"""

import re
from collections.abc import Sequence
from string import ascii_letters

# A control sequence: a backslash with letters, or with one other character (docs/rules/sources.md
# 4.6, rule 1). "@" is a letter in style files and after \makeatletter.
CONTROL = re.compile(r"\\(?:[A-Za-z]+|[\s\S])")
CONTROL_AT = re.compile(r"\\(?:[A-Za-z@]+|[\s\S])")
# Blanks that TeX skips after a control word and before an argument: one line end, no blank line.
BLANKS = re.compile(r"[ \t]*(?:\n(?![ \t]*(?:\n|\Z))[ \t]*)?")
SEAL_START, SEAL_END = "\x02", "\x03"  # around the number of a sealed part
FROZEN = "\x01"  # in place of the backslash of a control sequence that must not be expanded again
_NEAR = 300  # characters within which most arguments end: no table of braces is made for them
_DELIMITERS = re.compile(r"\\[\\{}\[\]]|[{}\[\]]")
LINE_END = re.compile(r"[ \t]*\n")
_BLANK = frozenset(" \t\n")
_MAX_BLANK_PIECES = 20  # at the end of a text that are looked through
_WORD_CHARACTERS = ascii_letters + "@"


def control_at(text: str, at: int, *, at_is_letter: bool = False) -> str:
    r"""Return the control sequence that begins at a place, "" if none does.

    >>> control_at(r"\alpha b", 0)
    '\\alpha'
    """
    match = (CONTROL_AT if at_is_letter else CONTROL).match(text, at)
    return match[0] if match else ""


def skip_blanks(text: str, at: int) -> int:
    """Return the place after blanks and at most one line end; a blank line is not passed."""
    if text[at : at + 1] > " ":
        return at
    match = BLANKS.match(text, at)
    return match.end() if match else at


def ends_in_word(text: str) -> bool:
    r"""Tell whether a letter after the text would become part of its last control word.

    >>> ends_in_word(r"x\alpha"), ends_in_word(r"\\alpha"), ends_in_word("alpha")
    (True, False, False)
    """
    if not text or text[-1] not in _WORD_CHARACTERS:
        return False
    stem = text.rstrip(_WORD_CHARACTERS)
    if not stem:
        return False
    if stem[-1] == FROZEN:
        return True
    slashes = len(stem) - len(stem.rstrip("\\"))
    return slashes % 2 == 1


def join(pieces: Sequence[str]) -> str:
    r"""Join texts of tokens: a space keeps a control word from a letter after it.

    >>> join([r"\alpha", "b"])
    '\\alpha b'
    """
    out: list[str] = []
    last = ""
    for piece in pieces:
        if not piece:
            continue
        if piece[0] in ascii_letters and ends_in_word(last):
            out.append(" ")
        out.append(piece)
        last = piece
    return "".join(out)


def after_line_end(pieces: Sequence[str], text: str) -> str:
    r"""Return a text as it goes on behind pieces, without the line end that would be a second one.

    Where two texts meet in which a line end is a space for TeX, both together are no blank line.

    >>> after_line_end(["a\n"], "\n  b"), after_line_end(["a\n", " "], "\n  b")
    ('  b', 'b')
    """
    if not (match := LINE_END.match(text)):
        return text
    for piece in pieces[: -_MAX_BLANK_PIECES - 1 : -1]:
        if stem := piece.rstrip(" \t"):
            if stem[-1] != "\n":
                return text
            rest = text[match.end() :]
            return rest if pieces[-1][-1] == "\n" else rest.lstrip(" \t")
    return text


def join_expanded(pieces: Sequence[str]) -> str:
    r"""Join the pieces of a body and arguments: two line ends that meet are no paragraph break.

    >>> join_expanded(["\\begin{x}\n", "\n a\n", "\n\\end{x}"])
    '\\begin{x}\n a\n\\end{x}'
    """
    out: list[str] = []
    for piece in pieces:
        if following := after_line_end(out, piece) if piece[:1] in _BLANK else piece:
            out.append(following)
    return join(out)


def near_closing(text: str, at: int) -> int:
    """Return where the brace that opens at a place is closed, -1 if it is not nearby."""
    limit = at + _NEAR
    end = text.find("}", at, limit)
    open_braces = text.count("{", at, end) if end > 0 else 0
    while end > 0 and open_braces > 1:
        following = text.find("}", end + 1, limit)
        open_braces += text.count("{", end, following) - 1
        end = following
    if text.find("\\{", at, end + 1) < 0 and text.find("\\}", at, end + 1) < 0:
        return end
    open_braces = 0
    for match in _DELIMITERS.finditer(text, at, limit):
        if match[0] == "{":
            open_braces += 1
        elif match[0] == "}":
            open_braces -= 1
            if not open_braces:
                return match.start()
    return -1


class Groups:
    """The places of matching braces and brackets in a text, found in one reading."""

    def __init__(self, text: str) -> None:
        self.braces: dict[int, int] = {}  # "{" -> its "}"
        self.brackets: dict[int, int] = {}  # "[" -> the first "]" after it in the same group
        open_braces: list[int] = []
        waiting: list[list[int]] = [[]]
        for match in _DELIMITERS.finditer(text):
            at, found = match.start(), match[0]
            if found == "{":
                open_braces.append(at)
                waiting.append([])
            elif found == "}":
                if open_braces:
                    self.braces[open_braces.pop()] = at
                    waiting.pop()
            elif found == "[":
                waiting[-1].append(at)
            elif found == "]" and waiting[-1]:
                self.brackets.update((start, at) for start in waiting[-1])
                waiting[-1].clear()


class Reader:
    """A text with a place in it, and the arguments that follow that place."""

    __slots__ = ("_groups", "at_is_letter", "pos", "text")

    def __init__(self, text: str, pos: int = 0, *, at_is_letter: bool = False) -> None:
        self.text = text
        self.pos = pos
        self.at_is_letter = at_is_letter
        self._groups: Groups | None = None

    @property
    def groups(self) -> Groups:
        """The matching braces and brackets; they are found when first asked for."""
        if self._groups is None:
            self._groups = Groups(self.text)
        return self._groups

    def skip(self) -> None:
        """Go past blanks and at most one line end."""
        self.pos = skip_blanks(self.text, self.pos)

    def peek(self) -> str:
        """Return the character at the place, "" at the end."""
        return self.text[self.pos : self.pos + 1]

    def take(self, character: str) -> bool:
        """Go past blanks and a character, if it is there; else stay."""
        at = skip_blanks(self.text, self.pos)
        if self.text[at : at + 1] == character:
            self.pos = at + 1
            return True
        return False

    def group(self) -> str | None:
        """Return what a balanced ``{...}`` holds and go past it; None, and stay, without one."""
        text = self.text
        at = skip_blanks(text, self.pos)
        if text[at : at + 1] != "{":
            return None
        end = near_closing(text, at)
        if end < 0:
            far = self.groups.braces.get(at)
            if far is None:
                return None
            end = far
        self.pos = end + 1
        return text[at + 1 : end]

    def option(self) -> str | None:
        """Return what ``[...]`` holds and go past it; None, and stay, without one."""
        at = skip_blanks(self.text, self.pos)
        if self.text[at : at + 1] != "[":
            return None
        text = self.text
        end = text.find("]", at + 1, at + _NEAR)
        if end < 0 or "\\" in text[at:end] or "{" in text[at:end] or "}" in text[at:end]:
            far = self.groups.brackets.get(at)
            if far is None:
                return None
            end = far
        self.pos = end + 1
        return text[at + 1 : end]

    def control(self) -> str:
        """Return the control sequence that follows and go past it; "" where none does."""
        at = skip_blanks(self.text, self.pos)
        name = control_at(self.text, at, at_is_letter=self.at_is_letter)
        if name:
            self.pos = at + len(name)
        return name

    def name(self) -> str:
        r"""Return a control sequence that follows as ``\x`` or ``{\x}`` and go past it, or ""."""
        start = self.pos
        braced = self.take("{")
        name = self.control()
        if name and braced and not self.take("}"):
            name = ""
        if not name:
            self.pos = start
        return name

    def token(self) -> str | None:
        """Return the next token, or the content of the next group: an undelimited argument.

        None, and stay, at a paragraph break, at the end, and before a closing brace (4.6, rule 2).
        """
        at = skip_blanks(self.text, self.pos)
        first = self.text[at : at + 1]
        if first == "{":
            return self.group()
        if first in {"", "}", "\n"} or (first.isspace()):
            return None
        if first == "\\":
            return self.control() or None
        end = at + 1
        if first == SEAL_START:
            end = self.text.index(SEAL_END, at) + 1
        elif first == FROZEN:
            match = CONTROL_AT.match("\\" + self.text[at + 1 : at + 100])
            end = at + (match.end() if match else 1)
        self.pos = end
        return self.text[at:end]
