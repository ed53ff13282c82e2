"""Remove licence headers and generator notices from the top of source files.

LLaMA (arXiv:2302.13971v1, section 2.1, "Github"): "we removed boilerplate, such as headers, with
regular expressions". RedPajama's rules for that delete `#include` lines, shebangs and Markdown
headings; they are here as a profile for comparisons. The default reads the comments above the
first line of code in the syntax of the file's language (`filters.github.comments`), and takes from
them what is a notice (`filters.github.notices`); comments that document the file stay.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from filters.github.comment_syntax import Syntax, syntax_of
from filters.github.comments import (
    Piece,
    comment_contents,
    leading_comments,
    skip_blank_lines,
    undecorated,
)
from filters.github.generated import check_generated
from filters.github.notice_cues import has_hint
from filters.github.notices import notice_lines

__all__ = [
    "Header",
    "check_generated",
    "split_header",
    "strip_header_redpajama",
    "strip_license_header",
]

_COPYRIGHT: Final = re.compile("copyright", re.IGNORECASE)
_REGION: Final = re.compile(r"\s*#[ \t]*region\b", re.IGNORECASE)
_END_REGION: Final = re.compile(r"\s*#[ \t]*end[ \t]*region\b", re.IGNORECASE)
_BORDER_MIN_CHARS: Final = 4  # of the side of a box: "####", "// ---"


class Header(NamedTuple):
    """A file without its notices, and what they say."""

    text: str
    notice: str  # the removed lines without comment markers; "" if there were none


def strip_license_header(text: str, path: str) -> str:
    r"""Remove notices from the comments above the first line of code.

    A comment that is nothing but notices goes whole; from another only their lines go. Shebangs,
    coding lines, include guards, build tags and linter instructions are no comments and stay. A
    file in a language whose comments are not known comes back as it is.

    Args:
        text: normalised (`filters.github.quality.normalize_source`).
        path: decides the language.

    >>> strip_license_header("#!/bin/sh\n# Copyright 2020 A\n\n# Builds B.\nmake", "b.sh")
    '#!/bin/sh\n\n# Builds B.\nmake'
    """
    return split_header(text, path).text


def split_header(text: str, path: str) -> Header:
    r"""Do what `strip_license_header` does, and return the words of the notices as well.

    >>> split_header("// Copyright 2020 A\n// Adds b.\nint b;", "b.c")
    Header(text='// Adds b.\nint b;', notice='Copyright 2020 A')
    """
    syntax = syntax_of(path)
    if syntax is None:
        return Header(text, "")
    pieces = leading_comments(text, syntax)
    file_name = path[path.rfind("/") + 1 :]
    rewritten: list[str] = []
    notices: list[str] = []
    for piece in pieces:
        comment = text[piece.start : piece.end]
        if piece.kind == "aside" or not has_hint(comment):
            rewritten.append(comment)
            continue
        form = Piece(0, len(comment), piece.kind, piece.opener, piece.closer)
        new, notice = _rewrite(comment, form, syntax, file_name if file_name in comment else "")
        rewritten.append(new)
        if notice:
            notices.append(notice)
    if not notices:
        return Header(text, "")
    _empty_regions(rewritten)
    return Header(_join(text, pieces, rewritten), "\n\n".join(notices))


def strip_header_redpajama(text: str) -> str:
    r"""Remove the headers that RedPajama v1 removes, for comparisons with it.

    The first `/* */` comment of the file goes if it says "copyright", wherever it is, and that is
    all; in a file without one, every leading line that is empty or starts with `//`, `#` or `--`
    goes, code or not.

    >>> strip_header_redpajama("#include <a.h>\nint b;")
    'int b;'
    """
    start = text.find("/*")
    end = text.find("*/", start + 2) if start >= 0 else -1
    if end >= 0:
        end += 2
        return text[:start] + text[end:] if _COPYRIGHT.search(text, start, end) else text
    position = 0
    while position < len(text) and text.startswith(("\n", "//", "#", "--"), position):
        line_end = text.find("\n", position)
        position = len(text) if line_end < 0 else line_end + 1
    return text[position:]


@lru_cache(2048)  # a repository has one notice in many of its files
def _rewrite(comment: str, piece: Piece, syntax: Syntax, file_name: str) -> tuple[str, str]:
    """Return a comment without its notices, "" if nothing else is in it, and the notices."""
    raw = comment_contents(comment, piece, syntax)
    contents = [undecorated(line) for line in raw]
    notice = notice_lines(raw, file_name, contents=contents)
    if piece.kind == "docstring" and False in notice and True in notice:
        notice = notice_lines(raw, file_name, docstring=True, contents=contents)
    if True not in notice:
        return comment, ""
    said = [line for line, flag in zip(contents, notice, strict=True) if flag is not False]
    removed = "\n".join(said)
    if False not in notice:
        return "", removed.strip("\n")
    body = comment.removesuffix("\n")
    lines = body.split("\n")
    if piece.kind == "line":
        lines = _without_notices(lines, notice, fixed=set())
    else:
        opening, closing = _frame(lines[0], piece)
        if notice[0]:
            lines[0] = opening
        if notice[-1] and closing:
            lines[-1] = closing
        fixed = {0, len(lines) - 1} if closing else {0}
        if closing == "=cut" and notice[-2] is None:  # the command needs an empty line above it
            fixed.add(len(lines) - 2)
        lines = _without_notices(lines, notice, fixed)
    return "\n".join(lines) + comment[len(body) :], removed.strip("\n")


def _frame(first_line: str, piece: Piece) -> tuple[str, str]:
    """Return the first and the last line of a block comment without their text."""
    indentation = first_line[: len(first_line) - len(first_line.lstrip())]
    if piece.opener.startswith("\n"):  # `=head1 NAME`: any command opens a POD block
        return ("=begin" if piece.closer == "\n=end" else "=pod"), piece.closer.strip()
    opening = indentation + piece.opener
    while first_line.startswith(("*", "!"), len(opening)):  # `/**` and `/*!` mark doc comments
        opening = first_line[: len(opening) + 1]
    return opening, indentation + (" " if piece.closer == "*/" else "") + piece.closer


def _without_notices(lines: list[str], notice: list[bool | None], fixed: set[int]) -> list[str]:
    """Leave out the notices' lines, and the empty lines that only set them off.

    Args:
        lines: of one comment.
        notice: as `notice_lines` has it; None for a line without text.
        fixed: numbers of lines that stay, being the comment's opener and closer.
    """
    kept: list[str] = []
    before: list[int] = []  # lines without text since the last kept line, up to a notice
    after: list[int] = []  # those behind that notice
    cut = has_text = False
    for i, flag in enumerate(notice):
        if flag:
            cut = True
            after.clear()
            if i in fixed:
                (after if i else before).append(i)
        elif flag is None:
            (after if cut else before).append(i)
        else:
            if cut and has_text:
                between = before or after
            else:
                between = _borders(lines, before, fixed) if cut else before
            kept += [lines[k] for k in [*between, i]]
            before, after, cut, has_text = [], [], False, True
    kept += [lines[k] for k in (_borders(lines, before + after, fixed) if cut else before)]
    return kept


def _borders(lines: list[str], numbers: list[int], fixed: set[int]) -> list[int]:
    """Of lines without text, keep the opener, the closer and the sides of a box."""
    return [i for i in numbers if i in fixed or len(lines[i].strip()) >= _BORDER_MIN_CHARS]


def _empty_regions(rewritten: list[str]) -> None:
    """Remove `#region License` and its `#endregion` where nothing is left between them."""
    opening: int | None = None
    for i, piece in enumerate(rewritten):
        if _REGION.match(piece):
            opening = i
        elif opening is not None and _END_REGION.match(piece):
            rewritten[opening] = rewritten[i] = ""
            opening = None
        elif piece:
            opening = None


def _join(text: str, pieces: list[Piece], rewritten: list[str]) -> str:
    """Join the pieces of a file; where a comment was removed, keep one of the gaps around it."""
    kept: list[str] = []
    gap = ""
    position = 0
    for i, (piece, new) in enumerate(zip(pieces, rewritten, strict=True)):
        gap = max(gap, text[position : piece.start], key=_line_ends)
        if new:
            all_gone_so_far = not kept and i > 0
            kept += ["" if all_gone_so_far else gap, new]
            gap = ""
        position = piece.end
    code = skip_blank_lines(text, position)
    if not kept:
        return text[code:] if text[code - 1] == "\n" else text[code:].lstrip(" \t")
    return "".join([*kept, max(gap, text[position:code], key=_line_ends), text[code:]])


def _line_ends(gap: str) -> int:
    return gap.count("\n")
