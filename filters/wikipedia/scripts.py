# ruff: noqa: RUF001, RUF002  (minus signs, and signs that look like letters)
"""Write superscripts and subscripts as plain text: ``10<sup>7</sup>`` is 10⁷ and not 107.

Plain text cannot raise or lower digits as a browser does, and digits that are only put beside a
number would change it. Tags, powers and chemical formulas follow one rule
(docs/rules/sources.md 2.3):

1. A script with a digit or a sign becomes Unicode's superscripts or subscripts, if they exist for
   all of its characters: 10⁷, 2ⁿ⁻¹, cm⁻¹, CO₃²⁻, ¹⁴C, log₁₀.
2. Otherwise ``^`` precedes a power, and ``_`` an index that would be read as part of a number:
   10^(3/2), 5_3.2. A script without a base gets no mark.
3. Letters alone stay letters, since most are not powers: 1st, XIXe, xn. A single letter raised over
   a number is a power if it is italic or ends no ordinal in any language: 2ⁿ.

A fraction of a raised and a lowered number is written with a slash: ½ from tags is 1/2.
"""

import re
from typing import Final

from filters.wikipedia.apostrophes import strip_apostrophes
from filters.wikipedia.entities import decode_entities
from filters.wikipedia.markers import (
    APOSTROPHE,
    BREAK,
    EMPTY,
    JOINT,
    LOST,
    REMOVED,
    SCRIPT_END,
    SUBSCRIPT,
    SUPERSCRIPT,
)

_RAISED: Final = str.maketrans(
    "0123456789+-−–=()abcdefghijklmnoprstuvwxyz",
    "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ",
)
_LOWERED: Final = str.maketrans(
    "0123456789+-−–=()aehijklmnoprstuvx",
    "₀₁₂₃₄₅₆₇₈₉₊₋₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ",
)
# The form of a script of rule 1: two letters in a row would be a word or a product.
_FIGURES: Final = re.compile(r"(?=.*[0-9+\-−–])(?:[a-z](?![a-z])|[0-9+\-−–=()])+")
_CALCULATION: Final = re.compile(r"[0-9+\-−–⁰¹²³⁴-⁹₀-₉]")
_WORD: Final = re.compile(r"[^\W\d_]{3}")
_CLOSED: Final = frozenset(")]}")  # a base may end with these
_POWER_LETTERS: Final = frozenset("iknpqxyzN")  # end no ordinal in any of the languages
_NUMBER: Final = re.compile(r"[-−–]?[0-9]+(?:[.,][0-9]+)?")
_SIMPLE: Final = re.compile(r"[ ]?([0-9+\-−–=()]{1,40})[ ]?</(?:sup|sub)\s*>", re.IGNORECASE)
_SCRIPT: Final = re.compile(
    rf"([{SUPERSCRIPT}{SUBSCRIPT}])([^{SUPERSCRIPT}{SUBSCRIPT}{SCRIPT_END}\n]*+){SCRIPT_END}"
)
_STRAY: Final = re.compile(f"[{SUPERSCRIPT}{SUBSCRIPT}{SCRIPT_END}]")
SLASHES: Final = frozenset("/⁄∕")
_STACKED: Final = re.compile(r"([0-9]?)([⁰¹²³⁴-⁹]++)[/⁄∕]([₀-₉]++)")
_LEVEL: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉", "01234567890123456789")
_BESIDE: Final = f"'{EMPTY}{JOINT}{APOSTROPHE}"  # marks between a script and its base
_INVISIBLE: Final = str.maketrans(dict.fromkeys((EMPTY, JOINT, LOST, REMOVED), ""))
_MAX_ROUNDS: Final = 10


def raised(text: str) -> str | None:
    """Return the text in superscripts, or None if one of its characters has none.

    >>> raised("−24"), raised("1,5")
    ('⁻²⁴', None)
    """
    out = text.translate(_RAISED)
    return out if not any(map(str.__eq__, out, text)) else None


def lowered(text: str) -> str | None:
    """Return the text in subscripts, or None if one of its characters has none."""
    out = text.translate(_LOWERED)
    return out if not any(map(str.__eq__, out, text)) else None


def power(text: str) -> str:
    """Return a power as it is written after its base.

    >>> power("-3"), power("1,5"), power("a/b")
    ('⁻³', '^1,5', '^(a/b)')
    """
    return raised(text) or "^" + _bracketed(text)


def _bracketed(text: str) -> str:
    return text if len(text) < 2 or _NUMBER.fullmatch(text) else f"({text})"


def simple_script(text: str, start: int, *, up: bool) -> tuple[str, int] | None:
    """Return a script of digits and signs whose start tag ends at ``start``, and its end."""
    match = _SIMPLE.match(text, start)
    if not match or not _FIGURES.fullmatch(match[1]):
        return None
    return match[1].translate(_RAISED if up else _LOWERED), match.end()


def resolve_scripts(text: str) -> str:
    """Replace the markers of scripts by the rules above."""
    for _ in range(_MAX_ROUNDS):  # nested scripts
        if SCRIPT_END not in text:
            break
        replaced = _SCRIPT.sub(_script, text)
        if replaced == text:
            break
        text = replaced
    if SCRIPT_END in text or SUPERSCRIPT in text or SUBSCRIPT in text:
        text = _STRAY.sub(_stray, text)
    return text


def _stray(match: re.Match[str]) -> str:
    """Replace a marker without a partner, so that two numbers stay separate."""
    before = match.string[match.start() - 1 : match.start()]
    if not (before.isdigit() and match.string[match.end() : match.end() + 1].isdigit()):
        return ""
    return "^" if match[0] == SUPERSCRIPT else "_"


def join_fractions(text: str) -> str:
    """Write fractions of a raised and a lowered number as one.

    >>> join_fractions("1¹/₂ and ³⁄₄")
    '1 1/2 and 3/4'
    """
    return _STACKED.sub(_stacked, text)


def _stacked(match: re.Match[str]) -> str:
    whole, over, under = match[1], match[2].translate(_LEVEL), match[3].translate(_LEVEL)
    return f"{whole} {over}/{under}" if whole else f"{over}/{under}"


def _script(match: re.Match[str]) -> str:
    """Return one script as text, depending on its base."""
    up, inner = match[1] == SUPERSCRIPT, match[2]
    content = decode_entities(inner.translate(_INVISIBLE)).strip()
    if not content:
        return inner
    italic = "''" in content
    if italic:
        runs = content.count("''")
        if runs % 2:
            return f"{JOINT}{inner}{JOINT}"
        content = strip_apostrophes(content).translate(_INVISIBLE)
    text = _on_base(content, _base(match.string, match.start()), up=up, italic=italic)
    if text != content:
        return text
    return content if italic else inner


def _base(text: str, at: int) -> str:
    """Return the character before a script, ignoring marks of emphasis."""
    while at and text[at - 1] in _BESIDE:
        at -= 1
    before = text[at - 1] if at else ""
    return "x" if before == SCRIPT_END else before


def _on_base(content: str, base: str, *, up: bool, italic: bool) -> str:
    compact = content.replace(" ", "")
    if _FIGURES.fullmatch(compact) and (found := raised(compact) if up else lowered(compact)):
        return found
    digit = base.isdigit()
    glued = digit and content[0].isdigit()
    if not up:
        return f"_{content}" if glued else content
    if len(content) == 1 and (digit or base == ")"):
        return power(content) if italic or content in _POWER_LETTERS else content
    if _WORD.search(content):  # a remark
        return f" {content}" if glued else content
    stands = base.isalnum() or base in _CLOSED
    if not stands or content[0] in "([" or BREAK in content:
        return content
    calculated = _CALCULATION.search(content) or (italic and digit)
    return "^" + _bracketed(content) if calculated else content
