"""Count the values that sentences lost with templates that have no rule.

"The city has {{population of|Berlin}} inhabitants" lost its number. At each dropped template
(`filters.wikipedia.markers.LOST`) this module examines the text on both sides: a value has blanks
around it and stands between words, after an opening bracket, or inside a word. Remarks, notes and
boxes follow a word or a full stop, or have a line of their own; the text is complete without them
(docs/rules/sources.md 2.4).

Brackets in which only a sign or an abbreviation is left, as "($ in)", are removed. Other losses
stay and are counted, so that a user can leave such pages out (`meta.lost_values`).
"""

import re
from typing import Final

from filters.wikipedia.markers import (
    APOSTROPHE,
    BLOCK,
    BREAK,
    EMPTY,
    FIGURE,
    FRESH_LINE,
    JOINT,
    LOST,
    REMOVED,
)

_SKIPPED: Final = frozenset(f"' \t{EMPTY}{JOINT}{FIGURE}{APOSTROPHE}")
_LINE_ENDS: Final = frozenset(f"\n{BLOCK}{BREAK}{FRESH_LINE}")
_MARKERS: Final = frozenset(LOST + REMOVED)
_OPENING: Final = frozenset("([«„“~≈<>=±€$£")
_SENTENCE_ENDS: Final = frozenset(".!?…]")
_CLOSING: Final = frozenset(".,;:)!?»”")
_MAX_CHARS: Final = 300  # examined on each side
_DIGIT: Final = re.compile(r"\d")
# A removed bracket may hold such words: a sign, an abbreviation or a preposition.
_LEFT_OVER: Final = re.compile(r"[^\w\s()]{1,3}|[^\W\d_]{1,6}\.|[^\W\d_A-Z]{2,3}")
_AMOUNT: Final = re.compile(rf"[~≈<>=±€$£¥]\s*{LOST}")
_NOTHING: Final = str.maketrans(dict.fromkeys((LOST, REMOVED, "'"), " "))
_MAX_BRACKET_CHARS: Final = 80
_MAX_AMOUNT_WORDS: Final = 3  # beside the sign of a lost amount


def settle_losses(text: str) -> tuple[str, int]:
    """Return the text with each loss marked as a removal, and the number of lost values.

    A bracket in which only a sign or an abbreviation is left becomes one removal as a whole.

    >>> settle_losses(f"It has {LOST} inhabitants. Next.{LOST}")[1]
    1
    """
    if LOST not in text:
        return text, 0
    count = done = 0
    pieces: list[str] = []
    at = text.find(LOST)
    while at >= 0:
        count += _is_lost(text, at)
        start = text.rfind("(", max(done, at - _MAX_BRACKET_CHARS), at)
        end = text.find(")", at, start + _MAX_BRACKET_CHARS) if start >= 0 else -1
        if end >= 0 and _is_left_over(text[start + 1 : end]):
            pieces += [text[done:start], REMOVED]
            done = end + 1
        at = text.find(LOST, max(at + 1, done))
    pieces.append(text[done:])
    return "".join(pieces).replace(LOST, REMOVED), count


def _is_left_over(inner: str) -> bool:
    """Tell whether the content of a bracket has no digit and no words of its own."""
    if "\n" in inner or "(" in inner or _DIGIT.search(inner):
        return False
    words = inner.translate(_NOTHING).split()
    if _AMOUNT.search(inner):
        return len(words) <= _MAX_AMOUNT_WORDS + 1
    return bool(words) and all(map(_LEFT_OVER.fullmatch, words))


def _is_lost(text: str, at: int) -> bool:
    """Tell whether the template dropped here was a value in a sentence."""
    if text[at - 1 : at] == "\n" and text[at + 1 : at + 2] == "\n":
        return False  # it has a line of its own, the most frequent case
    before, blank_before = _left(text, at)
    after, blank_after = _right(text, at)
    if not before or before in _LINE_ENDS:
        # After a loss at the start of a line a sentence continues in lower case; an item has words.
        return after.islower() and blank_after
    if before in "*#:;" and _starts_item(text, at):
        return after.isdigit() and not _has_words(text, at)
    if before in _OPENING:
        return after not in _CLOSING and after not in _LINE_ENDS and after not in _MARKERS
    if not blank_before:
        return before.isalnum() and after.isalnum() and not blank_after
    ended = before in _SENTENCE_ENDS or before in _MARKERS
    return after.islower() if ended else bool(after) and after not in _LINE_ENDS


def _left(text: str, at: int) -> tuple[str, bool]:
    """Return the character before a loss, and whether a blank is between the two."""
    blank = False
    for position in range(at - 1, max(-1, at - _MAX_CHARS), -1):
        if text[position] not in _SKIPPED:
            return text[position], blank
        blank = blank or text[position] in " \t"
    return "", blank


def _right(text: str, at: int) -> tuple[str, bool]:
    """Return the character after a loss, and whether a blank is between the two."""
    blank = False
    for position in range(at + 1, min(len(text), at + _MAX_CHARS)):
        if text[position] not in _SKIPPED:
            return text[position], blank
        blank = blank or text[position] in " \t"
    return "", blank


def _starts_item(text: str, at: int) -> bool:
    """Tell whether only the marks of a list precede a loss in its line."""
    start = max(0, at - _MAX_CHARS)
    line = text[start:at]
    for end in _LINE_ENDS:
        line = line.rpartition(end)[2]
    return not line.strip("*#:; \t")


def _has_words(text: str, at: int) -> bool:
    """Tell whether letters follow a loss in its line."""
    line = text[at + 1 : at + _MAX_CHARS].partition("\n")[0]
    return any(map(str.isalpha, line))
