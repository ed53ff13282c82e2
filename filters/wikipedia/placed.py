"""Where the texts of templates meet the text around them.

Some rules know where their text belongs (`filters.wikipedia.rules`): on a line of its own, only in
an item of a list, close to the number before it. Whether it is there shows in the rendered page.
"""

import re
from functools import partial
from typing import Final

from filters.wikipedia.markers import BLOCK, EMPTY, FRESH_LINE, GLUE, IN_ITEM, REMOVED

_GLUED: Final = re.compile(rf"(?<=\d)(?:[ \t\xa0{REMOVED}]|&nbsp;)*+{GLUE}|{GLUE}")
# The name of the template, and its text.
_ONLY_IN_ITEM: Final = re.compile(f"{IN_ITEM}([^{IN_ITEM}]*+){IN_ITEM}([^{IN_ITEM}]*+){IN_ITEM}?")
_TWICE_BRACKETED: Final = re.compile(rf"\[{EMPTY}(\[[^\[\]\n]*+\])\]")
# `$5 (${{Inflation|…}} today)`: without its amount, which is another every day, it says nothing.
_BRACKETED_WORDS: Final = re.compile(r"\(([^()\n\d]*+)\)")
_SIGNS: Final = "$£€¥₹"
_LIST_MARKS: Final = frozenset("*#:;")


def place_templates(text: str) -> tuple[str, list[str]]:
    """Put the texts of templates where they belong.

    Args:
        text: a rendered page, before it is laid out.

    Returns:
        the page, and the names of the templates that show nothing where they are.
    """
    dropped: list[str] = []
    if FRESH_LINE in text or IN_ITEM in text:
        text = _with_fresh_lines(text.replace(BLOCK, "\n"))
    if GLUE in text:
        text = _GLUED.sub("", text)
    if IN_ITEM in text:
        text = _ONLY_IN_ITEM.sub(partial(_only_in_item, dropped), text).replace(IN_ITEM, "")
    if f"[{EMPTY}[" in text:
        text = _TWICE_BRACKETED.sub(r"\1", text)
    if _lacks_amount(text):
        text = _BRACKETED_WORDS.sub(_with_amount, text)
    return text, dropped


def _with_fresh_lines(text: str) -> str:
    """Break lines at the marks, where there is no line break already."""
    pieces = [piece for piece in text.split(FRESH_LINE) if piece]
    for number in range(1, len(pieces)):
        pieces[number - 1] = pieces[number - 1].removesuffix("\n")
        pieces[number] = pieces[number].removeprefix("\n")
    return "\n".join(pieces)


def _only_in_item(dropped: list[str], match: re.Match[str]) -> str:
    """Keep what shows only in an item of a list, or leave a gap for it."""
    line = match.string.rfind("\n", 0, match.start()) + 1
    if match.string[line] in _LIST_MARKS:
        return match[2]
    dropped.append(match[1])
    return REMOVED


def _with_amount(match: re.Match[str]) -> str:
    """Remove a bracket whose amount of money is gone."""
    return REMOVED if _lacks_amount(match[1]) else match[0]


def _lacks_amount(text: str) -> bool:
    # A single character is looked for much faster than two.
    return any(sign in text and sign + REMOVED in text for sign in _SIGNS)
