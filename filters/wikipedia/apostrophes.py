"""Marks of bold and italics, paired as MediaWiki pairs them.

Two apostrophes are italics, three are bold, five are both; the pairs are looked for line by line,
since a mark ends with its line. Runs of another length, and marks without a partner, are read by
the rules of MediaWiki's parser (``doQuotes`` in ``includes/parser/Parser.php``): of four, the first
is an apostrophe; of more than five, the last five are the mark; and where both kinds are odd, one
mark of bold is an apostrophe before italics, as in ``l'''arbre''``.

A tag, a link or a template that stands between two runs parts them. When it is gone they would
meet, so it leaves a ``JOINT`` there.
"""

import re
from typing import Final

from filters.wikipedia.markers import APOSTROPHE, EMPTY, JOINT

_RUN: Final = re.compile("''++")
# What starts a line and would be read as its mark, were the apostrophes before it not there.
_LINE_MARKS: Final = frozenset(" \t*#:;=|{!-")


def pair_apostrophes(text: str) -> str:
    """Remove the marks of emphasis from each line, and the joints of the whole text.

    A mark before what would be read as the mark of a list or heading leaves an ``EMPTY``, and so
    does a line of marks alone, which is no empty line.
    """
    if "''" in text:
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
    if "''''" not in line:  # the usual line, whose runs are of two or three
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
    """Return what is text of a run: the first of four, all but the last five of a longer one."""
    return APOSTROPHE * _literal_count(len(match[0]))


def _literal_count(run: int) -> int:
    return 1 if run == 4 else max(0, run - 5)


def _unpaired(line: str) -> str:
    """Remove the marks where one mark of bold is an apostrophe and the start of italics.

    It is the first one that follows a word of one letter, else the first that follows a longer
    word, else the first that follows a blank. A letter is a byte to MediaWiki: the word of one
    letter is ASCII.
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
