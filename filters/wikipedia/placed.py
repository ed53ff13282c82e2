"""Where the texts of templates meet the text around them.

Some rules know where their text belongs (`filters.wikipedia.rules`): on a line of its own, only in
an item of a list, close to the number before it. Whether it is there shows in the rendered page.
"""

import re
from typing import Final

from filters.wikipedia.markers import EMPTY, FRESH_LINE, GLUE, IN_ITEM, REMOVED

_FRESH_LINE: Final = re.compile(f"\n?{FRESH_LINE}++\n?")
_GLUED: Final = re.compile(rf"(?<=\d)[ \t{REMOVED}]*+{GLUE}|{GLUE}")
_ONLY_IN_ITEM: Final = re.compile(f"{IN_ITEM}([^{IN_ITEM}]*+){IN_ITEM}?")
_TWICE_BRACKETED: Final = re.compile(rf"\[{EMPTY}(\[[^\[\]\n]*+\])\]")
# `$5 (${{Inflation|…}} today)`: without its amount, which is another every day, it says nothing.
_BRACKETED_WORDS: Final = re.compile(r"\(([^()\n\d]*+)\)")
_SIGNS: Final = "$£€¥₹"
_LIST_MARKS: Final = frozenset("*#:;")


def place_templates(text: str) -> str:
    """Return a rendered page with the texts of templates put where they belong."""
    if FRESH_LINE in text:
        text = _FRESH_LINE.sub("\n", text)
    if GLUE in text:
        text = _GLUED.sub("", text)
    if IN_ITEM in text:
        text = "\n".join(map(_only_in_items, text.split("\n")))
    if f"[{EMPTY}[" in text:
        text = _TWICE_BRACKETED.sub(r"\1", text)
    if _lacks_amount(text):
        text = _BRACKETED_WORDS.sub(_with_amount, text)
    return text


def _only_in_items(line: str) -> str:
    """Keep what shows only in an item of a list, or leave a gap for it."""
    return _ONLY_IN_ITEM.sub(r"\1" if line[:1] in _LIST_MARKS else REMOVED, line)


def _with_amount(match: re.Match[str]) -> str:
    """Remove a bracket whose amount of money is gone."""
    return REMOVED if _lacks_amount(match[1]) else match[0]


def _lacks_amount(text: str) -> bool:
    # A single character is looked for much faster than two.
    return any(sign in text and sign + REMOVED in text for sign in _SIGNS)
