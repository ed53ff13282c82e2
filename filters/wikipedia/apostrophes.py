"""Pair the marks of bold and italics as MediaWiki pairs them, and remove them.

Two apostrophes are italics, three are bold, five are both. The pairs are searched line by line,
since emphasis ends with its line. Runs of another length, and marks without a partner, follow the
rules of MediaWiki's parser (``doQuotes`` in ``includes/parser/Parser.php``): the first of four is
an apostrophe; the last five of more than five are the mark; and if the numbers of both kinds are
odd, one mark of bold is an apostrophe before italics, as in ``l'''arbre''``.

A tag, a link or a template between two runs separates them. Without it the runs would become one,
so it leaves a ``JOINT`` in its place.
"""

import re
from typing import Final

from filters.wikipedia.markers import APOSTROPHE, EMPTY, JOINT

try:
    from filters.wikipedia import _lines
except ImportError:  # installed without a compiler
    AVAILABLE = False
else:
    AVAILABLE = True

_RUN: Final = re.compile("''++")
# Characters that would be read as a mark at the start of a line without the apostrophes before.
_LINE_MARKS: Final = frozenset(" \t*#:;=|{!-")


def pair_apostrophes(text: str) -> str:
    """Remove the marks of emphasis from each line, and the joints from the whole text.

    A mark leaves an ``EMPTY`` if the text after it would be read as the mark of a list or heading.
    A line that holds only marks leaves one too, since it is not an empty line.
    """
    if "''" in text:
        if AVAILABLE:
            return _lines.pair_apostrophes(text, _unpaired)
        pieces: list[str] = []
        done = 0
        at = text.find("''")
        while at >= 0:
            start = text.rfind("\n", done, at) + 1 or done
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
            line = strip_apostrophes(text[start:end])
            if (not line or line[0] in _LINE_MARKS) and text[start] not in _LINE_MARKS:
                line = EMPTY + line
            pieces += [text[done:start], line]
            done = end
            at = text.find("''", end)
        pieces.append(text[done:])
        text = "".join(pieces)
    return text.replace(JOINT, "") if JOINT in text else text


def strip_apostrophes(line: str) -> str:
    """Remove the marks of bold and italics from a line; apostrophes that are text get a marker.

    >>> strip_apostrophes("l'''arbre'' et '''l'eau'''").replace(APOSTROPHE, "'")
    "l'arbre et l'eau"
    """
    if "''''" not in line:  # most lines have only runs of two or three
        bold = line.count("'''")
        italic = line.count("''") - bold
        if bold % 2 and italic % 2:
            return _unpaired(line)
        return line.replace("'''", "").replace("''", "")
    runs = [len(run) for run in _RUN.findall(line)]
    bold = sum(run != 2 for run in runs)
    italic = sum(run == 2 or run > 4 for run in runs)
    return _unpaired(line) if bold % 2 and italic % 2 else _RUN.sub(_literal, line)


def _literal(match: re.Match[str]) -> str:
    """Return the text in a run: the first of four, or all but the last five of a longer run."""
    return APOSTROPHE * _literal_count(len(match[0]))


def _literal_count(run: int) -> int:
    return 1 if run == 4 else max(0, run - 5)


def _unpaired(line: str) -> str:
    """Remove the marks of a line in which one mark of bold is an apostrophe before italics.

    That mark is the first one after a word of one letter, else the first after a longer word, else
    the first after a blank. MediaWiki counts bytes as letters, so a word of one letter is ASCII.
    """
    pieces = _RUN.split(line)
    runs = _RUN.findall(line)
    candidates: dict[str, int] = {}
    for number, run in enumerate(runs):
        if len(run) in {3, 4}:
            before = pieces[number] + "'" * (len(run) - 3)
            if before.endswith(" "):
                kind = "blank"
            elif before[-2:-1] == " " and before[-1].isascii():
                candidates["letter"] = number
                break
            else:
                kind = "word"
            candidates.setdefault(kind, number)
    chosen = next((candidates[k] for k in ("letter", "word", "blank") if k in candidates), -1)
    out = [pieces[0]]
    for number, run in enumerate(runs):
        out.append(APOSTROPHE * (_literal_count(len(run)) + (number == chosen)))
        out.append(pieces[number + 1])
    return "".join(out)
