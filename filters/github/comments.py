"""Find the comments above the first line of code.

`leading_comments` walks down from the top of a file, in the comment syntax of its language, and
stops at the first line that is neither blank nor a comment. It reads no further, so its cost is
that of the header, not of the file. Some lines are *asides*: they are not comments, but do not end
the search either. Such are a shebang, a coding line, a `<?php` tag, an XML declaration, an include
guard, a Go build tag, and an instruction to a linter.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

from filters.github.comment_syntax import INSTRUCTION, PREPROCESSOR, Syntax


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of the leading region: ``text[start:end]``, with its line end if it has its own."""

    start: int
    end: int
    kind: Literal["aside", "line", "block", "docstring"]
    opener: str = ""  # of a block or docstring
    closer: str = ""


_BLANK_LINES: Final = re.compile(r"(?:[^\S\n]*+\n)*+")
_INDENTATION: Final = re.compile(r"[^\S\n]*+")
_POD_FRAME: Final = re.compile(r"=(?!head|item)")  # commands that say nothing: `=pod`, `=cut`
_HAS_WORD: Final = re.compile(r"[^\W_]|©")
_SHEBANG: Final = re.compile(r"#![^\n]*")


def leading_comments(text: str, syntax: Syntax) -> list[Piece]:
    """List the comments and asides above the first line of code, from the top.

    A run of line comments is one piece; a blank line or an aside ends it. A comment that is never
    closed is code.
    """
    pieces: list[Piece] = []
    position = 0
    while piece := _next_piece(text, position, syntax):
        pieces.append(piece)
        position = piece.end
    return pieces


def comment_contents(comment: str, piece: Piece, syntax: Syntax) -> list[str]:
    """Return the lines of a piece's text without the markers that make them a comment."""
    body = comment.removesuffix("\n")
    if piece.kind == "line" and syntax.line:
        lines = body.split("\n")
        markers = [syntax.line.match(line, _end(_INDENTATION, line, 0)) for line in lines]
        return [
            line[marker.end() :] if marker else line
            for line, marker in zip(lines, markers, strict=True)
        ]
    if piece.opener == "\n=":
        return ["" if _POD_FRAME.match(line) else line for line in body.split("\n")]
    body = body.lstrip().removeprefix(piece.opener.lstrip("\n"))
    if piece.closer.startswith("\n"):  # `=end` has a line of its own
        body = body[: body.rfind("\n") + 1]
    elif piece.closer:
        body = body.rstrip().removesuffix(piece.closer)
    return body.split("\n")


def undecorated(line: str) -> str:
    """Return a comment's line without what frames it; "" if there is no letter or digit in it.

    >>> undecorated(" * Parses. */"), undecorated("# -----")
    ('Parses.', '')
    """
    if not _HAS_WORD.search(line):
        return ""
    return line.lstrip(" \t/*#;%!'\"|=~+-.{").rstrip(" \t\r/*#|=~+-")


def skip_blank_lines(text: str, position: int) -> int:
    """Return where the first line that is not blank starts, from the start of a line on."""
    return _end(_BLANK_LINES, text, position)


def _next_piece(text: str, position: int, syntax: Syntax) -> Piece | None:
    position = skip_blank_lines(text, position)
    first = _end(_INDENTATION, text, position)
    if first == len(text):
        return None
    start = position if _starts_line(text, position) else first
    # Wherever it stands: it is a first line once the licence above it is gone.
    aside = _SHEBANG.match(text, first) or (syntax.aside and syntax.aside.match(text, first))
    if aside:
        return _piece(text, start, aside.end(), "aside")
    if syntax.indented and (match := syntax.indented.match(text, first)):
        return _piece(text, start, match.end(), "block", "..", "")
    opening = _opening(text, first, syntax)
    if opening is None:
        return _line_comments(text, start, syntax)
    kind, opener, closer = opening
    end = _block_end(text, first, opener, closer, nested=syntax.nested)
    # A string with something behind it is an operand and no docstring.
    if end < 0 or (kind == "docstring" and text[end : _line_end(text, end)].strip()):
        return None
    return _piece(text, start, end, kind, opener, closer)


def _opening(
    text: str, first: int, syntax: Syntax
) -> tuple[Literal["block", "docstring"], str, str] | None:
    """Return the kind, the opener and the closer of the block comment that begins here, if any."""
    for opener, closer in syntax.block:
        on_own_line = opener.startswith("\n")
        if text.startswith(opener.lstrip("\n"), first) and (
            not on_own_line or _starts_line(text, first)
        ):
            return "block", opener, closer
    for quotes in syntax.docstring:
        opener = text[first] + quotes if text[first] in "rRuU" else quotes
        if text.startswith(opener, first):
            return "docstring", opener, quotes
    return None


def _line_comments(text: str, start: int, syntax: Syntax) -> Piece | None:
    """Return the run of line comments from ``start`` on, or one instruction as an aside."""
    if syntax.line is None:
        return None
    openers = tuple(opener for opener, _ in syntax.block)
    end = start
    while end < len(text):
        first = end if syntax.first_column else _end(_INDENTATION, text, end)
        marker = syntax.line.match(text, first)
        if marker is None or (end > start and text.startswith(openers, first)):
            break
        line_end = _line_end(text, first)
        if INSTRUCTION.match(text, marker.end()) or PREPROCESSOR.match(text, first):
            if end == start:
                return _piece(text, start, line_end, "aside")
            break
        end = min(line_end + 1, len(text))
        if not _starts_line(text, start):
            end = line_end
            break
    return _piece(text, start, end, "line") if end > start else None


def _piece(  # noqa: PLR0917  (the fields of `Piece`, in its order)
    text: str,
    start: int,
    end: int,
    kind: Literal["aside", "line", "block", "docstring"],
    opener: str = "",
    closer: str = "",
) -> Piece:
    """Make a piece; if it has its last line and its first for itself, the line end is its own."""
    if _starts_line(text, start) and not _starts_line(text, end):
        rest = _end(_INDENTATION, text, end)
        if rest == len(text):
            end = rest
        elif text[rest] == "\n":
            end = rest + 1
    return Piece(start, end, kind, opener, closer)


def _block_end(text: str, start: int, opener: str, closer: str, *, nested: bool = False) -> int:
    """Return where the comment that opens at ``start`` ends; -1 if it is never closed."""
    position = start + len(opener.lstrip("\n"))
    close = text.find(closer, position)
    depth = 1
    while nested and close >= 0:
        inner = text.find(opener, position, close)
        depth += 1 if inner >= 0 else -1
        if depth == 0:
            break
        position = inner + len(opener) if inner >= 0 else close + len(closer)
        if close < position:
            close = text.find(closer, position)
    if close < 0:
        return -1
    return _line_end(text, close + 1) if closer.startswith("\n") else close + len(closer)


def _starts_line(text: str, position: int) -> bool:
    return position == 0 or text[position - 1] == "\n"


def _line_end(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    """Return where a pattern that matches everywhere stops matching."""
    match = pattern.match(text, position)
    assert match
    return match.end()
