"""Find the comments above the first line of code.

`leading_comments` walks down from the top of a file, in the comment syntax of its language, and
stops at the first line that is neither blank nor a comment. It reads no further, so its cost is
that of the header, not of the file. Some lines are *asides*: no comment to judge, but no reason to
stop either. They are a shebang, a coding line, a `<?php` tag, an XML declaration, an include
guard, a Go build tag, a linter's instruction.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

from filters.github.paths import language_of


@dataclass(frozen=True, slots=True)
class Syntax:
    """How a language writes comments. Patterns are matched where a line's indentation ends.

    Openers and closers that begin with a line end stand at the start of a line, and such a closer
    takes the rest of its line.
    """

    line: re.Pattern[str] | None = None  # the marker of a line comment
    block: tuple[tuple[str, str], ...] = ()  # openers and closers
    aside: re.Pattern[str] | None = None
    docstring: tuple[str, ...] = ()  # delimiters of a string that documents the file
    indented: re.Pattern[str] | None = None  # a comment that lasts as long as it is indented
    nested: bool = False  # block comments hold block comments
    first_column: bool = False  # a line comment's marker is not indented


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

# Line comments that a tool or the compiler reads: they are code, wherever they stand.
_INSTRUCTION: Final = re.compile(
    r"""
    [^\S\n]*+ (?:
        -\*- .* -\*-                                            # Emacs
      | (?:vi|vim|ex): | [^\n]* coding [:=] [^\S\n]* [-\w.]     # Vim, PEP 263
      | go:\w | \+build\b | export\s\w | nolint                 # Go
      | @ts- | @flow\b | @jsx\b | eslint\b | jshint\b | jslint\b | tslint: | globals?\s
      | prettier- | istanbul\s | <reference\s                   # JavaScript, TypeScript
      | frozen_string_literal: | warn_indent: | warn_past_scope: | typed: | rubocop:
      | pylint: | flake8[:\s] | noqa\b | type:\s*ignore | mypy: | ruff: | isort: | fmt: | yapf:
      | pyright: | cython: | distutils:                         # Python
      | syntax\s*= | escape\s*= | check\s*=                     # Dockerfile
      | shellcheck\s | compdef\s | autoload\b                   # shells
      | requires\s+- | !tex\s | swift-tools-version | clang-format\s | NOLINT
    )
    """,
    re.VERBOSE | re.IGNORECASE,
)
# In languages whose comments start with "#", lines that look like a C preprocessor's: the
# extension may be wrong, or another tool reads them.
_PREPROCESSOR: Final = re.compile(
    r"\#(?: include\s*[<\"] | import\s*[<\"] | (?:define|ifdef|ifndef|undef)\s+\w | \[ | !"
    r" | if\s+(?:!|\(|defined|[A-Z0-9_]+\b) | (?:else|endif|pragma|region|endregion)\b )",
    re.VERBOSE,
)

_GUARD: Final = (
    r"\#[ \t]*pragma\b[^\n]*"
    r"|\#[ \t]*ifndef[ \t]+(\w+)[^\n]*\s*\#[ \t]*define[ \t]+\1\b[^\n]*"
    r"|\#[ \t]*if[ \t]+!\s*defined\b[ \t(]*(\w+)[^\n]*\s*\#[ \t]*define[ \t]+\2\b[^\n]*"
)

# `#region License`: the editor folds away what is between it and `#endregion`.
_LEGAL_REGION: Final = r"\#[ \t]*region\b[^\n]*(?:licen[sc]e|copyright|header)[^\n]*"

# Not a directive, target, footnote or substitution, which start the same way.
_RST_COMMENT: Final = (
    r"[^\S\n]*+\.\.(?=\s)(?![^\n:]*::)(?!\s+[_\[|])[^\n]*+(?:\n++[^\S\n]++[^\n]++)*+"
)


def _syntax(
    line: str = "",
    *block: tuple[str, str],
    aside: str = "",
    docstring: tuple[str, ...] = (),
    indented: str = "",
    nested: bool = False,
    first_column: bool = False,
) -> Syntax:
    return Syntax(
        line=re.compile(line, re.IGNORECASE) if line else None,
        block=block,
        aside=re.compile(aside, re.IGNORECASE) if aside else None,
        docstring=docstring,
        indented=re.compile(indented) if indented else None,
        nested=nested,
        first_column=first_column,
    )


_PACKAGE: Final = r"package\s+[\w.]++(?=\s*[;\n]);?"
_SLASH: Final = r"//+!?"
_SLASHES: Final = ("/*", "*/")
_C_LIKE: Final = _syntax(_SLASH, _SLASHES)
# Many notices stand right behind the package clause.
_PACKAGED: Final = _syntax(_SLASH, _SLASHES, aside=_PACKAGE)
_PACKAGED_NESTED: Final = _syntax(_SLASH, _SLASHES, aside=_PACKAGE, nested=True)
_C: Final = _syntax(_SLASH, _SLASHES, aside=_GUARD)
_VERILOG_GUARD: Final = (
    r"`(?:timescale|default_nettype)\b[^\n]*"
    r"|`ifndef[ \t]+(\w+)[^\n]*\s*`define[ \t]+\1\b[^\n]*"
)
_HASH: Final = _syntax("#+")
_MARKUP: Final = _syntax("", ("<!--", "-->"), aside=r"<\?xml[^>]*>|<!doctype[^>]*>")
_SEMICOLON: Final = _syntax(";+")
_SCRIPT: Final = _syntax(_SLASH, _SLASHES, aside=r"(?:'use strict'|\"use strict\");?")
_STYLE: Final = _syntax("", _SLASHES, aside=r"@charset[^\n;]*;")
_SYNTAX_BY_LANGUAGE: Final = {
    "Assembly": _syntax(r";+|//+", _SLASHES),
    "Batchfile": _syntax(r"@?rem\b|::", aside=r"@?(?:echo\s+off|setlocal)\b[^\n]*"),
    "C": _C,
    "C#": _syntax(
        _SLASH, _SLASHES, aside=rf"{_LEGAL_REGION}|\#(?:endregion|pragma|nullable)\b[^\n]*"
    ),
    "C++": _C,
    "CMake": _syntax("#+", ("#[[", "]]"), ("#[=[", "]=]")),
    "CSS": _STYLE,
    "Clojure": _SEMICOLON,
    "CoffeeScript": _syntax("#+", ("###", "###")),
    "Common Lisp": _syntax(";+", ("#|", "|#")),
    "Cuda": _C,
    "Cython": _syntax("#+", docstring=('"""', "'''")),
    "Dart": _C_LIKE,
    "Dockerfile": _HASH,
    "Elixir": _HASH,
    "Emacs Lisp": _SEMICOLON,
    "Erlang": _syntax("%+"),
    "F#": _syntax(_SLASH, ("(*", "*)"), nested=True),
    "Fortran": _syntax(r"[c*](?![abd-z0-9(=])|!", first_column=True),
    "Fortran Free Form": _syntax("!"),
    "Go": _PACKAGED,
    "Groovy": _PACKAGED,
    "HTML": _MARKUP,
    "Haskell": _syntax(
        r"--+(?![!#$%&*+./<=>?@\\^|~:])|--+ *\|",
        ("{-", "-}"),
        aside=r"\{-#[^#]*#-\}",
        nested=True,
    ),
    "Java": _PACKAGED,
    "JavaScript": _SCRIPT,
    "Julia": _syntax("#+", ("#=", "=#"), nested=True),
    "Kotlin": _PACKAGED_NESTED,
    "Less": _syntax(_SLASH, _SLASHES, aside=r"@charset[^\n;]*;"),
    "Lua": _syntax("--+", ("--[[", "]]"), ("--[=[", "]=]")),
    "Makefile": _HASH,
    "Markdown": _MARKUP,
    "OCaml": _syntax("", ("(*", "*)"), nested=True),
    # `.m` is also MATLAB, whose comments start with "%": no line of Objective-C does.
    "Objective-C": _syntax(r"//+|%+", _SLASHES, ("%{", "%}"), aside=_GUARD),
    "Objective-C++": _C,
    "PHP": _syntax(
        "//+|#+",
        _SLASHES,
        ("<!--", "-->"),
        aside=r"<\?(?:php\b)?|declare\s*\(\s*strict_types[^\n;]*;",
    ),
    "Perl": _syntax("#+", ("\n=", "\n=cut")),
    "PowerShell": _syntax("#+", ("<#", "#>")),
    "Protocol Buffer": _C_LIKE,
    "Python": _syntax("#+", docstring=('"""', "'''")),
    "R": _HASH,
    "Racket": _syntax(";+", ("#|", "|#"), aside=r"\#lang\b[^\n]*"),
    "Ruby": _syntax("#+", ("\n=begin", "\n=end")),
    "Rust": _syntax(_SLASH, _SLASHES, nested=True),
    "SCSS": _syntax(_SLASH, _SLASHES, aside=r"@charset[^\n;]*;"),
    "SQL": _syntax("--+|#+", _SLASHES),
    "Sass": _syntax(_SLASH, _SLASHES, aside=r"@charset[^\n;]*;"),
    "Scala": _PACKAGED_NESTED,
    "Scheme": _SEMICOLON,
    "Shell": _HASH,
    "Smali": _HASH,
    "Swift": _syntax(_SLASH, _SLASHES, nested=True),
    "SystemVerilog": _syntax(_SLASH, _SLASHES, aside=_VERILOG_GUARD),
    "TOML": _HASH,
    "TeX": _syntax("%+"),
    "Thrift": _syntax(rf"{_SLASH}|\#+", _SLASHES),
    "TypeScript": _SCRIPT,
    "VHDL": _syntax("--+", _SLASHES),
    "Verilog": _syntax(_SLASH, _SLASHES, aside=_VERILOG_GUARD),
    "Visual Basic .NET": _syntax(
        r"'|rem\b", aside=rf"{_LEGAL_REGION}|\#[ \t]*end[ \t]+region\b[^\n]*"
    ),
    "XML": _MARKUP,
    "YAML": _HASH,
    "Zig": _syntax(_SLASH),
    "reStructuredText": _syntax(indented=rf"{_RST_COMMENT}(?:\n{_RST_COMMENT})*+"),
}


# For files of an unknown language: what starts a comment in any of the common ones.
ANY_SYNTAX: Final = _syntax(
    r"//+!?|#+|--+|;+|%+|'|@?rem\b|::",
    _SLASHES,
    ("<!--", "-->"),
    ("(*", "*)"),
    ("{-", "-}"),
    ("<#", "#>"),
    ("\n=begin", "\n=end"),
    aside=r"<\?(?:php|xml)\b[^\n>]*>?|<!doctype[^>]*>|package\s+[\w.]++;?(?=\s*\n)",
    docstring=('"""', "'''"),
)


def syntax_of(path: str) -> Syntax | None:
    """Return the comment syntax of a file's language; None where it is not known."""
    return _SYNTAX_BY_LANGUAGE.get(language_of(path) or "")


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
        if _INSTRUCTION.match(text, marker.end()) or _PREPROCESSOR.match(text, first):
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
