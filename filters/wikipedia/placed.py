"""Place the texts of templates that depend on the text around them.

Some rules say where their text belongs (`filters.wikipedia.rules`): on a line of its own, only in
a list item, or directly after the number before it. Only the rendered page shows whether it is.
"""

import re
from functools import partial
from typing import Final

from filters.wikipedia.markers import BLOCK, EMPTY, FRESH_LINE, GLUE, IN_ITEM, REMOVED

_GLUED: Final = re.compile(rf"(?<=\d)(?:[ \t\xa0{REMOVED}]|&nbsp;)*+{GLUE}|{GLUE}")
# The name of the template, and its text.
_ONLY_IN_ITEM: Final = re.compile(f"{IN_ITEM}([^{IN_ITEM}]*+){IN_ITEM}([^{IN_ITEM}]*+){IN_ITEM}?")
_TWICE_BRACKETED: Final = re.compile(rf"\[{EMPTY}(\[[^\[\]\n]*+\])\]")
# The amount in `$5 (${{Inflation|…}} today)` changes every day; without it the bracket is empty.
_BRACKETED_WORDS: Final = re.compile(r"\(([^()\n\d]*+)\)")
_SIGNS: Final = "$£€¥₹"
_LIST_MARKS: Final = frozenset("*#:;")


def place_templates(text: str) -> tuple[str, list[str]]:
    """Put the texts of templates where they belong.

    Args:
        text: a rendered page, before it is laid out.

    Returns:
        the page, and the names of the templates that show nothing at their place.
    """
    dropped: list[str] = []
    if FRESH_LINE in text or IN_ITEM in text:
        text = _with_fresh_lines(text.replace(BLOCK, "\n"))
    if GLUE in text:
        text = _GLUED.sub("", text)
    if IN_ITEM in text:
        text = _ONLY_IN_ITEM.sub(partial(_only_in_item, dropped), text).replace(IN_ITEM, "")
    if EMPTY in text and f"[{EMPTY}[" in text:
        text = _TWICE_BRACKETED.sub(r"\1", text)
    if _lacks_amount(text):
        text = _BRACKETED_WORDS.sub(_with_amount, text)
    return text, dropped


def _with_fresh_lines(text: str) -> str:
    """Break lines at the marks, unless there is a line break already."""
    pieces = [piece for piece in text.split(FRESH_LINE) if piece]
    for number in range(1, len(pieces)):
        pieces[number - 1] = pieces[number - 1].removesuffix("\n")
        pieces[number] = pieces[number].removeprefix("\n")
    return "\n".join(pieces)


def _only_in_item(dropped: list[str], match: re.Match[str]) -> str:
    """Keep a text that shows only in a list item, or replace it by a removal."""
    line = match.string.rfind("\n", 0, match.start()) + 1
    if match.string[line] in _LIST_MARKS:
        return match[2]
    dropped.append(match[1])
    return REMOVED


def _with_amount(match: re.Match[str]) -> str:
    """Remove a bracket whose amount of money is gone."""
    return REMOVED if _lacks_amount(match[1]) else match[0]


def _lacks_amount(text: str) -> bool:
    # The search for a single character is much faster than for two.
    return any(sign in text and sign + REMOVED in text for sign in _SIGNS)
