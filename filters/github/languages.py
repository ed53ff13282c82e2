"""Find the language of a file by its text, if several languages share its extension.

`.h` is C, C++ or Objective-C, `.m` Objective-C or MATLAB, `.pl` Perl or Prolog. Only words that
one of the languages has and the others lack decide, outside of comments. Where the text has none of
them, the languages of the repository decide if just one of the candidates is among them, and
otherwise the extension's most usual language.
"""

import re
from collections.abc import Callable, Collection
from typing import Final

from filters.github.paths import extension_of, language_of

_MAX_CHARS: Final = 200_000  # characters of a file that are looked at
_COMMENTS: Final = re.compile(r"/\*(?:.*?\*/|.*)|//[^\n]*", re.DOTALL)
_FOR_CPP: Final = re.compile(  # parts of a C header that only C++ reads
    r"^[ \t]*#[ \t]*if(?:def|[ \t]+defined)?\b[^\n]*\b__cplusplus\b(?![ \t]*[<>])"
    r".*?^[ \t]*#[ \t]*(?:else|endif)\b",
    re.DOTALL | re.MULTILINE,
)
_CPP_HINTS: Final = (
    "namespace", "class ", "template", "::", "public", "private:", "protected:", "virtual ",
    "constexpr", "using ", "operator", "nullptr", "_cast<", "noexcept", "override", "mutable",
)  # fmt: skip
_CPP: Final = re.compile(
    r"""
      ^[ \t]*(?:inline[ ])?namespace\b[ \t\w:]*\{ | ^[ \t]*namespace[ ]+\w+[ \t]*$
    | ^[ \t]*(?:class|struct)\s+(?:[A-Z_]+\s+)?\w+[^;{}()]*:\s*
      (?:public|private|protected|virtual)\b
    | ^[ \t]*class\s+\w[\w:<>, \t]*(?:\{|;|$) | ^[ \t]*template[ \t]*<
    | ^[ \t]*(?:public|private|protected)[ \t]*:
    | \b(?:static|const|dynamic|reinterpret)_cast[ \t]*<
    | \bstd::\w | \b\w+::~?\w+[ \t]*\( | ^[ \t]*using[ ]+(?:namespace[ ]+)?\w[\w:]*[ \t]*[;=]
    | \bvirtual[ ]+[\w~] | \boperator[ \t]*(?:[-+*/=<>!&|^~%]|\(\)|\[\])
    | \bconstexpr\b | \bnullptr\b
    | \)[ \t]*(?:const[ \t]*)?(?:noexcept|override)\b
    """,
    re.VERBOSE | re.MULTILINE,
)
_CPP_INCLUDE: Final = re.compile(  # `<vector>`: the headers of C have an extension
    r"include[ \t]*(?:<[a-z_]+>|[<\"][\w/.+-]+\.(?:hpp|hh|hxx|ipp)[>\"])"
)
_OBJECTIVE_C: Final = re.compile(
    r"^[ \t]*(?:@(?:interface|implementation|protocol|class|import|property|end)\b|#[ \t]*import\b)"
    r"|\bNS(?:String|Object|Array|Dictionary|Error|Integer)\b",
    re.MULTILINE,
)
_OBJECTIVE_C_HINTS: Final = (
    "@interface", "@implementation", "@protocol", "@class", "@import", "@property", "@end",
    "import", "NSString", "NSObject", "NSArray", "NSDictionary", "NSError", "NSInteger",
)  # fmt: skip
_MATLAB: Final = re.compile(
    r"\A\s*(?:%|function\b[^\n;{]*(?:=|\()|classdef\b)"
    r"|^[ \t]*(?:%%?[ ]\w|end[ \t]*;?[ \t]*$)",
    re.MULTILINE,
)
_C_BLOCK: Final = re.compile(r"^\s*(?:#[ \t]*(?:include|import|define)\b|@\w+)|/\*", re.MULTILINE)
_PERL: Final = re.compile(
    r"\A#!.*\bperl|^\s*(?:use\s+(?:strict|warnings|v?5)|package\s+\w|sub\s+\w+\s*[{(]|my\s*[$@%(])"
    r"|[$@]\w+\s*(?:=|->)",
    re.MULTILINE,
)
_PROLOG: Final = re.compile(
    r"\A#!.*\bswipl|^:-\s*(?:module|use_module|dynamic|initialization|ensure_loaded)\b"
    r"|^[a-z]\w*(?:\([^\n]*\))?\s*:-",
    re.MULTILINE,
)


def language_of_file(
    path: str, text: str, repo_languages: Collection[str] | None = None
) -> str | None:
    r"""Return the language of a file, as GitHub spells it.

    Args:
        path: inside the repository.
        text: of the file.
        repo_languages: of its repository, if known.

    >>> language_of_file("a.h", "namespace a {\\nclass B;\\n}")
    'C++'
    >>> language_of_file("a.h", "int a(void);"), language_of_file("a.h", "int a();", {"C++"})
    ('C', 'C++')
    """
    by_path = language_of(path)
    rule = _RULES.get(extension_of(path))
    if rule is None:
        return by_path
    candidates, decide = rule
    decided = decide(text[:_MAX_CHARS])
    if decided:
        return decided
    known = [language for language in candidates if language in (repo_languages or ())]
    return known[0] if len(known) == 1 else by_path


def _of_header(text: str) -> str | None:
    if (
        any(map(text.__contains__, _OBJECTIVE_C_HINTS))
        and _OBJECTIVE_C.search(text)
        and _OBJECTIVE_C.search(_COMMENTS.sub("", text))
    ):
        return "Objective-C"
    words = any(map(text.__contains__, _CPP_HINTS)) and _CPP.search(text) is not None
    if not words and _CPP_INCLUDE.search(text) is None:
        return None
    code = _COMMENTS.sub("", text)
    if "__cplusplus" in code:
        code = _FOR_CPP.sub("", code)
    return "C++" if _CPP.search(code) or _CPP_INCLUDE.search(code) else None


def _of_m(text: str) -> str | None:
    if _OBJECTIVE_C.search(text):
        return "Objective-C"
    if _MATLAB.search(text) and not _C_BLOCK.search(text):
        return "MATLAB"
    return None


def _of_pl(text: str) -> str | None:
    perl, prolog = _PERL.search(text), _PROLOG.search(text)
    if perl and not prolog:
        return "Perl"
    return "Prolog" if prolog and not perl else None


def _of_ts(text: str) -> str | None:
    """Qt's translations are XML with the same extension."""
    head = text[:500].lstrip()
    return "XML" if head.startswith(("<?xml", "<!DOCTYPE TS")) else None


def _of_rs(text: str) -> str | None:
    return "RenderScript" if re.search(r"^#pragma\s+(?:version|rs)\b", text, re.MULTILINE) else None


def _of_php(text: str) -> str | None:
    return "Hack" if text.startswith("<?hh") else None


_RULES: Final[dict[str, tuple[tuple[str, ...], Callable[[str], str | None]]]] = {
    ".h": (("C", "C++", "Objective-C"), _of_header),
    ".m": (("Objective-C", "MATLAB"), _of_m),
    ".pl": (("Perl", "Prolog"), _of_pl),
    ".ts": ((), _of_ts),
    ".rs": ((), _of_rs),
    ".php": ((), _of_php),
}
