"""Characters that stand for something on the way to text, and the gaps that removals leave.

They are Unicode noncharacters: no valid text holds them, so they cannot be mistaken for content.
`clean_input` takes them out of what comes in; nothing of them is left in what goes out.
"""

import re
from collections.abc import Callable
from typing import Final

REMOVED: Final = "\ufdd0"  # something was removed here
VERBATIM: Final = "\ufdd1"  # a piece of text that is not parsed; its number follows
BREAK: Final = "\ufdd2"  # <br>
BLOCK: Final = "\ufdd3"  # where a block element starts or ends
EMPTY: Final = "\ufdd4"  # nothing, but it parts what stands around it (`<nowiki/>`)
EQUALS: Final = "\ufdd5"  # an equals sign in a value: it does not name an argument
LESS: Final = "\ufdd6"  # a "<" that starts no tag, while another library parses
STRAY_LINK: Final = "\ufdd7"  # a `[[` that is never closed
STRAY_TEMPLATE: Final = "\ufdd8"
STRAY_TABLE: Final = "\ufdd9"
_DIGITS: Final = "".join(map(chr, range(0xFDE0, 0xFDF0)))  # of the number of a verbatim piece

_NONCHARACTERS: Final = re.compile("[\ufdd0-\ufdef]++|\x00++")
_VERBATIM_PIECE: Final = re.compile(f"{VERBATIM}([{_DIGITS}]++)")
_TO_DIGITS: Final = str.maketrans("0123456789abcdef", _DIGITS)
_FROM_DIGITS: Final = str.maketrans(_DIGITS, "0123456789abcdef")

# A run of blanks with a removal in it. The look-behind lets it start only where the run starts,
# which keeps the search linear.
# What stood first in its line is gone, and a mark that followed it has nothing to follow.
_LOST_START: Final = re.compile(
    rf"^([*#:;]*+)[ \t]*+{REMOVED}[ \t{REMOVED}]*+[,;:.)](?=[ \t\n]|\Z)", re.MULTILINE
)
_GAP: Final = re.compile(f"(?<![ \t{REMOVED}])[ \t]*+{REMOVED}[ \t{REMOVED}]*+")
_EMPTY_PARENTHESES: Final = re.compile(rf"\([ \t,;:/\u2013\u2014{REMOVED}-]*+\)")
_EMPTY_BRACKETS: Final = re.compile(rf"\[[ \t{REMOVED}]++\]")
_AFTER_OPENING: Final = re.compile(rf"\([ \t,;{REMOVED}]++")
_BEFORE_CLOSING: Final = re.compile(rf"(?<![ \t,;{REMOVED}])[ \t,;{REMOVED}]++(?=\))")
_EMPTY_EMPHASIS: Final = re.compile(rf"(?<!')(''(?:'(?:'')?)?)(?!')[ \t{REMOVED}]++\1(?!')")
_EMPTY_QUOTES: Final = re.compile(rf"[\"\u201c\u201e«][ \t{REMOVED}]++[\"\u201d\u201c»]")
_DOUBLE_COMMA: Final = re.compile(rf"([,;])[ \t{REMOVED}]++(?=\1)")


def clean_input(text: str) -> str:
    """Return the text with line feeds as line ends, without NUL and without the markers above."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _NONCHARACTERS.sub("", text)


def keep_verbatim(piece: str, pieces: list[str]) -> str:
    """Put a piece aside and return the marker that stands for it."""
    pieces.append(piece)
    return VERBATIM + f"{len(pieces) - 1:x}".translate(_TO_DIGITS)


def restore_verbatim(text: str, pieces: list[str]) -> str:
    """Put the pieces back where their markers stand."""

    def piece(match: re.Match[str]) -> str:
        number = int(match[1].translate(_FROM_DIGITS), 16)
        return pieces[number] if number < len(pieces) else ""

    return _VERBATIM_PIECE.sub(piece, text)


def repair_gaps(text: str) -> str:
    """Close the gaps at `REMOVED`; a line of which nothing else is left keeps one as its only mark.

    Double blanks become one, blanks before ",.;:)" go, and so do parentheses with nothing but
    separators in them (spec/sources.md, section 2.4). Blanks that no removal made stay.

    >>> repair_gaps(f"Oslo ({REMOVED}; {REMOVED}) is{REMOVED} a city {REMOVED}.")
    'Oslo is a city.'
    """
    if REMOVED not in text:
        return text
    for pattern in (_EMPTY_EMPHASIS, _EMPTY_QUOTES, _EMPTY_BRACKETS):
        text = pattern.sub(_if_removed(REMOVED), text)
    for _ in range(3):  # parentheses in parentheses
        changed = _EMPTY_PARENTHESES.sub(_if_removed(REMOVED), text)
        if changed == text:
            break
        text = changed
    text = _AFTER_OPENING.sub(_if_removed("("), text)
    text = _BEFORE_CLOSING.sub(_if_removed(""), text)
    text = _DOUBLE_COMMA.sub(_if_removed(""), text)
    text = _LOST_START.sub(rf"\1{REMOVED}", text)
    return _GAP.sub(_close_gap, text)


def _if_removed(replacement: str) -> Callable[[re.Match[str]], str]:
    return lambda match: replacement if REMOVED in match[0] else match[0]


def _close_gap(match: re.Match[str]) -> str:
    text, start, end = match.string, match.start(), match.end()
    before = text[start - 1] if start else "\n"
    after = text[end] if end < len(text) else "\n"
    if before == "\n":
        return REMOVED if after == "\n" else ""
    if after == "\n" or before in "([«„“":
        return ""
    gap = match[0]
    blank_before, blank_after = gap[0] != REMOVED, gap[-1] != REMOVED
    if after in ",.;:)!?]":
        # A blank behind the removal is the writer's own, as in French before a colon.
        own = blank_after and (not blank_before or after in ";:!?")
        return " " if own else ""
    return " " if blank_before or blank_after else ""
