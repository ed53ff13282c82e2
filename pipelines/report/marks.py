"""Mark in a document what a rule looked at, or what it removed, where the run says enough.

A reject holds the text as the rule saw it, and the rule's reason and detail. From these a mark can
often be found: the longest line, a bad word, the line with a curly bracket. Where a rule judged the
whole text, such as its language, nothing is marked. Nothing is guessed.

A run does not keep the text from before a stage that rewrites it, so what such a stage removed is
not seen here, with two exceptions: a page of which every line was a duplicate is kept whole among
the rejects, and a page of Common Crawl knows the numbers of the lines that are left of it. For the
rest, a few documents are run through the stages again (``removed.py``), and ``python -m pipelines
explain`` does so with any document.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

HEAD = 420  # characters of a text that are shown from its beginning
AROUND = 100  # characters shown before and after a mark
SHOWN_MARKS = 4  # marks of a document that are shown
MARK = 240  # characters of a long mark that are shown, half of them from its end


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a text, and what a rule has to do with it.

    ``start`` equals ``end`` where text was removed that the run does not hold; ``note`` says how
    much.
    """

    start: int
    end: int
    note: str
    removed: bool = False


@dataclass(frozen=True, slots=True)
class Marked:
    """A text as a rule saw it, or what is left of it, with the spans that concern the rule."""

    before: str
    spans: tuple[Span, ...] = ()

    @property
    def removed(self) -> tuple[Span, ...]:
        """The spans that the rule removed."""
        return tuple(span for span in self.spans if span.removed)


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a marked text as the page shows it: ``text``, ``mark``, ``removed`` or ``cut``."""

    kind: str
    text: str
    note: str = ""


def _matches(text: str, pattern: str, note: str, flags: int = 0) -> tuple[Span, ...]:
    """Return the first places at which a pattern matches."""
    found: list[Span] = []
    for match in re.finditer(pattern, text, flags):
        if match.end() > match.start():
            found.append(Span(match.start(), match.end(), note))
        if len(found) == SHOWN_MARKS:
            break
    return tuple(found)


def _longest_line(text: str, _detail: str) -> tuple[Span, ...]:
    start = longest = end = 0
    at = 0
    for line in text.split("\n"):
        if len(line) > longest:
            longest, start, end = len(line), at, at + len(line)
        at += len(line) + 1
    return (Span(start, end, f"the longest line: {longest:,} characters"),) if longest else ()


def _named_line(text: str, detail: str) -> tuple[Span, ...]:
    """Return the line that the detail quotes; it is the line without the blanks around it."""
    return _matches(text, re.escape(detail), "the line that decided")[:1] if detail else ()


def _bad_word(text: str, detail: str) -> tuple[Span, ...]:
    """Return the entry as a word of its own, or inside words where a language's list says so."""
    if not detail:
        return ()
    word = re.escape(detail)
    alone = _matches(text, rf"(?<!\w){word}(?!\w)", "entry of the list", re.IGNORECASE)
    return alone or _matches(text, word, "entry of the list", re.IGNORECASE)


def _damage(text: str, _detail: str) -> tuple[Span, ...]:
    return _matches(text, "[\0\N{REPLACEMENT CHARACTER}]+", "NUL or U+FFFD")


def _carriage_return(text: str, _detail: str) -> tuple[Span, ...]:
    return _matches(text, "\r", "carriage return")


def _xml(text: str, _detail: str) -> tuple[Span, ...]:
    return _matches(text, r"<\?xml version=", "declaration of XML")[:1]


def _redirect(text: str, detail: str) -> tuple[Span, ...]:
    return _matches(text, re.escape(detail), "target of the redirect")[:1] if detail else ()


def _whole(text: str, _detail: str) -> tuple[Span, ...]:
    return (Span(0, len(text), "all of it is a duplicate", removed=True),) if text else ()


# How the part of a text that a rule looked at is found, by stage and reason; "" is any stage.
_FINDERS: Mapping[tuple[str, str], Callable[[str, str], tuple[Span, ...]]] = {
    ("github.quality", "max_line_length"): _longest_line,
    ("github.binary", "binary_like"): _damage,
    ("", "xml"): _xml,
    ("c4.clean", "squigglybracket"): _named_line,
    ("c4.clean", "loremipsum"): _named_line,
    ("c4.badwords", "badwords"): _bad_word,
    ("c4.duplicates", "empty"): _whole,
    ("commoncrawl.paragraphs", "all_paragraphs_duplicate"): _whole,
    ("books.damage", "damaged_text"): _damage,
    ("wikipedia.redirect", "redirect"): _redirect,
    ("", "carriage_return"): _carriage_return,
    ("", "nul_character"): _damage,
}


def mark_reject(row: Mapping[str, Any]) -> Marked:
    """Mark in a reject what its rule looked at, if it can be found."""
    text = row["text"]
    finder = _FINDERS.get((row["stage"], row["reason"])) or _FINDERS.get(("", row["reason"]))
    return Marked(text, finder(text, row["detail"]) if finder else ())


def mark_kept(row: Mapping[str, Any]) -> Marked:
    """Mark in a kept page of Common Crawl where duplicate lines were removed.

    ``meta`` has the numbers of the lines that are left, and how many there were. The text of the
    others is not in the run.
    """
    text = row["text"]
    meta = json.loads(row["meta"])
    ids, before = meta.get("line_ids"), meta.get("original_nlines")
    lines = text.split("\n")
    if not isinstance(ids, list) or not isinstance(before, int) or len(ids) != len(lines):
        return Marked(text)
    spans, at, expected = [], 0, 0
    for number, line in zip(ids, lines, strict=True):
        if number > expected:
            spans.append(_gap(at, number - expected))
        expected = number + 1
        at += len(line) + 1
    if before > expected:
        spans.append(_gap(len(text), before - expected))
    return Marked(text, tuple(spans))


def _gap(at: int, lines: int) -> Span:
    return Span(at, at, f"{lines:,} line{'s' if lines > 1 else ''} removed", removed=True)


def pieces(marked: Marked, *, most: int = SHOWN_MARKS) -> list[Piece]:
    """Return what the page shows of a marked text: its beginning, and what is around its marks.

    Args:
        marked: the text and its spans.
        most: spans that are shown; of the text from the next one on, nothing is.
    """
    return list(_pieces(marked, most))


def _pieces(marked: Marked, most: int) -> Iterator[Piece]:
    text = marked.before
    spans = sorted(marked.spans, key=lambda span: (span.start, span.end))
    # Text with a mark that is not shown would look as if nothing concerned it.
    shown_end = spans[most].start if len(spans) > most else len(text)
    spans = spans[:most]
    windows = [(0, min(HEAD, shown_end))]
    told = ""  # the last note, which is not repeated
    for span in spans:
        low = max(0, span.start - AROUND)
        high = max(span.end, min(shown_end, span.end + AROUND))
        if low <= windows[-1][1]:
            windows[-1] = (windows[-1][0], max(windows[-1][1], high))
        else:
            windows.append((low, high))
    shown_to = 0
    for low, high in windows:
        if low > shown_to:
            yield Piece("cut", f"{low - shown_to:,} characters left out")
        at = low
        for span in spans:
            if not low <= span.start <= span.end <= high or span.start < at:
                continue
            if span.start > at:
                yield Piece("text", text[at : span.start])
            again = span.note == told and span.end > span.start
            yield from _marked_piece(text, span, "" if again else span.note)
            told = span.note
            at = span.end
        if at < high:
            yield Piece("text", text[at:high])
        shown_to = high
    if shown_to < len(text):
        yield Piece("cut", f"{len(text) - shown_to:,} more characters")


def _marked_piece(text: str, span: Span, note: str) -> Iterator[Piece]:
    kind, inside = ("removed" if span.removed else "mark"), text[span.start : span.end]
    if len(inside) <= MARK:
        yield Piece(kind, inside, note)
        return
    half = MARK // 2
    yield Piece(kind, inside[:half], note)
    yield Piece("cut", f"{len(inside) - 2 * half:,} characters left out")
    yield Piece(kind, inside[-half:])
