"""Find the marks of templates, links and tables in wikitext, in linear time.

A page is read as a list of texts and marks. Links and templates that contain no others are one mark
with their parts. Where a C compiler was at hand when Corpusmill was installed, `_marks.c` reads the
list, and writes what decides nothing as texts: links that show their label unchanged, and, where no
link or template can be open, bars and the ends of paragraphs.
"""

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from filters.wikipedia.markers import BLOCK

try:
    from filters.wikipedia import _marks
except ImportError:  # installed without a compiler
    AVAILABLE = False
else:
    AVAILABLE = True

# The first character of a mark, its start and its end, and its parts: the target and the label of a
# link, or the content of a template, or None.
Mark: TypeAlias = tuple[str, int, int, str | None, str | None]
# Returns the texts and marks from a place on, "|" for a bar, and the place behind them: the end of
# the text, or of a mark that the caller may end elsewhere.
ReadMarks: TypeAlias = Callable[[int], tuple[list[str | Mark], int]]

# Most links and templates contain no others and are matched whole; the look-arounds leave longer
# runs of braces to the scanner. Every quantifier is possessive and stops at the next mark. Every
# alternative begins with a literal character, so that `re` skips to the next of these characters.
MARK: Final = re.compile(
    rf"""
    \[\[ (?: ([^\[\]{{}}|\n]*+) (?:\|([^\[\]{{}}|\n]*+))?+ \]\] )?+
  | \{{\{{ (?: (?<!\{{\{{\{{) ([^{{}}\[\]]++) \}}\}}(?!\}}) | \{{*+ )
  | \}}\}}++ | \]\] | \|
  | \n (?: (?=[ \t]*+\n) | [ \t:*\#;]*+\{{\| | [ \t]*+\|\}} )
  | {BLOCK} (?: [ \t:*\#;]*+\{{\| | [ \t]*+\|\}} )
    """,
    re.VERBOSE,
)


def marks_of(text: str) -> ReadMarks:
    """Return the function that reads the marks; each call goes on where the last one ended."""
    if AVAILABLE:
        page = _marks.open_page(text)
        return lambda place: _marks.read_marks(page, text, place)
    return lambda place: _read(text, place)


def _read(text: str, place: int) -> tuple[list[str | Mark], int]:
    """Do in Python what the extension does."""
    found: list[str | Mark] = []
    for match in MARK.finditer(text, place):
        start, end = match.span()
        if start > place:
            found.append(text[place:start])
        sign, place = text[start], end
        if sign == "|":
            found.append(sign)
            continue
        found.append((sign, start, end, match[1] if sign == "[" else match[3], match[2]))
        # `]]]`, of which the link may end with the last two; `|}}`, which may end a template.
        if text[end - 1] == sign == "]" and text.startswith("]", end):
            return found, end
        if sign in _LINES and text[end - 1] == "}" and text.startswith("}", end):
            return found, end
    if place < len(text):
        found.append(text[place:])
    return found, len(text)


_LINES: Final = frozenset({"\n", BLOCK})
