"""The envelope of a Project Gutenberg text: header, credits, licence (docs/rules/sources.md 3.2).

The header ends at the last start line of the first 600 lines; the footer begins at the first end
line after it. Where an end line has stars, one without stars counts only shortly before it: far
from the footer it is the text of a book that speaks of Project Gutenberg.

Lines are matched by their beginnings, whatever the case, the stars and the spacing. Lines that also
occur in prose ("Produced by ...") count only where they begin a paragraph, within the first lines
after a START line, or where the text has no START line.
"""

import re
from typing import Final, NamedTuple

HEADER_LINES: Final = 600  # in which the header ends
CREDIT_LINES: Final = 60  # after the START line, in which credits stand
FIRST_END_LINE: Final = 100  # before it, an end line without stars may be a phrase of a preface
TITLE_LINES: Final = 8  # of a START or END line whose title goes on
FOOTER_LINES: Final = 40  # from an end line without stars to the one with stars, at most
LEGAL_LINES: Final = 60  # of the legal span, at most
SPAN_START: Final = "<<this electronic version of"
SPAN_END: Final = "service that charges for download"

_STARS: Final = re.compile(r"[*\s]+")
_OF_GUTENBERG: Final = r"of (?:the |this )?(?:project|projekt) gutenberg"

# Start lines that no prose holds. Where ``_STARRED`` matches, a star must stand before it.
_START: Final = re.compile(
    rf"start {_OF_GUTENBERG}|start of the copyrighted|end ?the small print|end of the small print"
    r"|start ?the small print|small print!|the project gutenberg"
)
_TITLED: Final = re.compile(rf"(?:start|end) (?:{_OF_GUTENBERG}|of the copyrighted)")
# Start lines of older headers, without stars; where there is no START line.
_OLD_START: Final = re.compile(
    r"beginning of (?:this|the) project gutenberg|tells you about restrictions in how the file"
    r"|we need your donations more than ever!|project runeberg publishes"
    r"|.{0,80}gutenberg\.spiegel\.de/? erreichbar"
)
_CREDIT: Final = re.compile(
    r"(?:this|the) (?:project gutenberg )?(?:e-?text|e-?book)(?: of .{1,80})? (?:was|is) "
    r"(?:first |originally )?(?:prepared|produced|created|scanned|transcribed|typed|entered)"
    r"|(?:scanned|prepared|produced|transcribed|etext prepared|e-text prepared|ebook prepared"
    r"|html version (?:prepared|produced)?) ?by:? |transcribed from the "
    r"|(?:project )?gutenberg (?:online )?distributed proofread|(?:online )?distributed proofread"
    r"|note: project gutenberg (?:also )?has |\(?this (?:file|book) was produced from"
    r"|this project gutenberg (?:e-?text|e-?book)"
    r"|the internet wiretap .{0,40}edition|(?:entered|typed|digiti[sz]ed) by "
)
_TAILS: Final = re.compile(
    r"https?://(?:www\.)?pgdp\.net|https?://(?:www\.)?archive\.org/details/"
    r"|by the internet archive|material from the google print project"
    r"|distributed proofread(?:ing|ers)"
)
CREDIT_PARAGRAPH_LINES: Final = 12  # of credits, at most; a longer paragraph is text

_STARRED_END: Final = re.compile(
    rf"end {_OF_GUTENBERG}|end of the copyrighted|end of this is copyrighted"
)
_END: Final = re.compile(
    rf"end {_OF_GUTENBERG}|end of this is copyrighted|end of the copyrighted"
    r"|ende? dieses? (?:project|projekt) gutenberg|ende dieses e-?textes"
    r"|fin de (?:ce |cette )?(?:project|projet) gutenberg"
    r"|ce document fut (?:present|présent|pr.sent).{1,4}en lecture"
    r"|the project gutenberg e-?(?:text|book) of |project gutenberg e-?(?:text|book) of "
    r"|(?:\W{0,3})this file should be named .{1,40}\.(?:txt|zip)"
)
_WEAK_END: Final = re.compile(r"by project gutenberg")


class Stripped(NamedTuple):
    """A text without its envelope, and what was found of it."""

    text: str
    start: bool = False  # a start line
    end: bool = False  # an end line
    credits: int = 0  # paragraphs of credits that were removed
    legal: int = 0  # legal spans that were removed

    @property
    def marked(self) -> bool:
        """Whether anything of an envelope was found."""
        return self.start or self.end or bool(self.credits or self.legal)


def key_of(line: str) -> str:
    """Return a line as it is matched: in small letters, stars and runs of spaces as one space.

    >>> key_of("***START OF THIS  PROJECT GUTENBERG EBOOK X***")
    'start of this project gutenberg ebook x'
    """
    return _STARS.sub(" ", line).strip().lower()


def strip_envelope(text: str) -> Stripped:
    r"""Remove the header, the credits and the licence of a text.

    A text without any of them is returned as it is.

    Args:
        text: whole, its lines ending in "\n".
    """
    lines = text.split("\n")
    lines, legal = _without_legal_span(lines)
    start, strong = _start(lines)
    end = _end(lines, start, strong=strong)
    has_end = end < len(lines)
    body, removed = _without_credits(lines[start:end], strong=strong)
    if not (start or has_end or removed or legal):
        return Stripped(text)
    while body and not body[0].strip():
        body.pop(0)
    while body and not body[-1].strip():
        body.pop()
    return Stripped("\n".join(body) + ("\n" if body else ""), bool(start), has_end, removed, legal)


def _starred(line: str) -> bool:
    return line.lstrip().startswith("*")


def _start(lines: list[str]) -> tuple[int, bool]:
    """Return the number of the first line after the header, and whether a START line ends it."""
    last = old = 0
    for number, line in enumerate(lines[:HEADER_LINES]):
        key = key_of(line)
        if _starred(line) and _START.match(key):
            # The footer of a short text is no header.
            if number and last and _STARRED_END.match(key):
                break
            last = _after_title(lines, number, key)
        elif _OLD_START.match(key):
            old = number + 1
        elif last and _STARRED_END.match(key) and _starred(line):
            break
    return (last, True) if last else (old, False)


def _after_title(lines: list[str], number: int, key: str) -> int:
    """Return the line after a START or END line, whose title may go on to closing stars."""
    if _TITLED.match(key) and not lines[number].rstrip().endswith("*"):
        for further in range(number + 1, min(number + 1 + TITLE_LINES, len(lines))):
            line = lines[further].rstrip()
            if not line:
                break
            if line.endswith("***"):
                return further + 1
    return number + 1


def _end(lines: list[str], start: int, *, strong: bool) -> int:
    """Return the number of the line at which the footer begins."""
    half = start + (len(lines) - start) // 2
    first_plain = min(FIRST_END_LINE, half) if strong else FIRST_END_LINE
    plain: list[int] = []
    for number in range(start, len(lines)):
        line = lines[number]
        if not line or line.isspace() or len(line) > 400:
            continue
        key = key_of(line)
        if _starred(line) and _STARRED_END.match(key):
            return next((at for at in plain if at >= number - FOOTER_LINES), number)
        if number >= first_plain and (_END.match(key) or (not strong and _WEAK_END.match(key))):
            plain.append(number)
    return plain[0] if plain else len(lines)


def _without_credits(lines: list[str], *, strong: bool) -> tuple[list[str], int]:
    """Return the lines of the body without paragraphs of credits, and how many there were."""
    limit = CREDIT_LINES if strong else HEADER_LINES
    gone: list[tuple[int, int]] = []
    at = 0
    while at < min(limit, len(lines)):
        if not lines[at].strip():
            at += 1
            continue
        end = at
        while end < len(lines) and lines[end].strip():
            end += 1
        if end - at <= CREDIT_PARAGRAPH_LINES and _is_credit(lines[at:end]):
            gone.append((at, end))
        at = end
    if not gone:
        return lines, 0
    if not strong:  # what stands before the last credits is a header without a START line
        return lines[gone[-1][1] :], len(gone)
    body = list(lines)
    for begin, end in reversed(gone):
        del body[begin:end]
    return body, len(gone)


def _is_credit(paragraph: list[str]) -> bool:
    """Tell a paragraph of credits: it begins as one, or names who scanned and proofread."""
    first = paragraph[0].strip()
    if _CREDIT.match(key_of(paragraph[0])) and (first[0].isupper() or first[0] in "(["):
        return True
    return any(_TAILS.search(line.lower()) for line in paragraph) and len(paragraph) <= 8


def _without_legal_span(lines: list[str]) -> tuple[list[str], int]:
    """Remove the notice of an electronic version, wherever it stands."""
    kept: list[str] = []
    removed = at = 0
    while at < len(lines):
        if SPAN_START in key_of(lines[at]):
            ends = (
                further
                for further in range(at, min(at + LEGAL_LINES, len(lines)))
                if SPAN_END in key_of(lines[further])
            )
            if (end := next(ends, -1)) >= 0:
                removed += 1
                at = end + 1
                continue
        kept.append(lines[at])
        at += 1
    return kept, removed


_NOTE: Final = re.compile(
    r"^[ \t]*\[[ \t]*transcriber(?:'s|\u2019s|s'|s)?[ \t]+notes?\b[^\[\]]*\][ \t]*\n?",
    re.IGNORECASE | re.MULTILINE,
)


def drop_transcriber_notes(text: str) -> str:
    r"""Remove the bracketed notes of a transcriber.

    >>> drop_transcriber_notes("One.\n[Transcriber's Note: spelling\nis kept.]\nTwo.\n")
    'One.\nTwo.\n'
    """
    return _NOTE.sub("", text)
