"""How each language writes comments, and what stands between them that is no comment."""

import re
from dataclasses import dataclass
from typing import Final

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


# Line comments that a tool or the compiler reads: they are code, wherever they stand.
INSTRUCTION: Final = re.compile(
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
PREPROCESSOR: Final = re.compile(
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
