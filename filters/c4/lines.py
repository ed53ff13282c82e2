"""The line rules of C4: which lines of a page stay, and when they drop the page.

The order of the rules is that of TensorFlow Datasets, and the first that applies to a line decides
(docs/rules/web.md 9.3). Most lines of a page have no mark at their end, so the whole page is
searched once for what the later rules look for; a page without any of it takes a few passes in C,
and the others are read line by line.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

MAX_WORD_CHARS = 1000
DETAIL_CHARS = 200  # of a line that drops its page
ELLIPSIS = "..."
POLICY = (
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "use of cookies",
    "use cookies",
)
# What the rules 6 to 9 look for, in a page of lower case.
_SPECIAL = re.compile(
    r"lorem ipsum|javascript|\{|terms of use|privacy policy|cookie policy|uses? (?:of )?cookies"
)
_CITATION = re.compile(r"\[\d*\]|\[edit\]|\[citation needed\]")

# Tells whether lines hold so many sentences, counted line by line; see ``sentences``.
EnoughSentences = Callable[[Sequence[str], int], bool]


@dataclass(frozen=True, slots=True)
class LineRules:
    """The numbers of the line rules, of which published descriptions disagree (9.4)."""

    min_sentences: int = 3  # of a page
    min_words: int = 5  # of a line
    end_marks: tuple[str, ...] = (".", "?", "!", '"')
    # datatrove counts the words of a line before its citation markers go.
    words_with_citations: bool = False


PRESETS = {
    "tfds": LineRules(),  # TensorFlow Datasets, all versions
    "jmlr": LineRules(min_sentences=5, min_words=3),  # Raffel et al., JMLR 21 (2020), section 2.2
    "datatrove": LineRules(5, 3, (".", "?", "!", '"', "'"), words_with_citations=True),
}


@dataclass(slots=True)
class CleanPage:
    """What the line rules leave of a page."""

    text: str | None  # None: the page is dropped
    reason: str  # of the drop, "" where the page stays
    detail: str  # what dropped it: the line, or the number of lines that were left
    counters: Counter[str]  # by the names of TensorFlow Datasets


def clean_page(
    text: str, enough_sentences: EnoughSentences, *, rules: LineRules = PRESETS["tfds"]
) -> CleanPage:
    r"""Keep the lines of a page that look like sentences, or drop the page.

    Args:
        text: of the page.
        enough_sentences: the model of sentences.
        rules: the numbers.

    >>> clean_page("Menu\nOne line of five words.", lambda lines, least: True).text
    'One line of five words.'
    """
    # A marker inside a word may hide what the rules look for.
    seen = _CITATION.sub("", text) if "[" in text else text
    if _SPECIAL.search(seen.lower()):
        kept, reason, detail, counters = _line_by_line(text, rules)
    else:
        kept, counters = _all_lines(text, rules)
        reason = detail = ""
    counters = Counter({name: count for name, count in counters.items() if count})
    if not reason and not enough_sentences(kept, rules.min_sentences):
        reason, detail = "too_few_sentences", f"lines left: {len(kept)}"
    if reason:
        counters[f"filtered:{reason}"] += 1
        return CleanPage(None, reason, detail, counters)
    counters["passed"] += 1
    return CleanPage("\n".join(kept).strip(), "", "", counters)


def _all_lines(text: str, rules: LineRules) -> tuple[list[str], dict[str, int]]:
    """Apply the rules 1 to 5 to a page that the others do not concern."""
    found = text.splitlines()
    lines = list(map(str.strip, found))
    if max(map(len, lines), default=0) > MAX_WORD_CHARS:
        lines = [line for line in lines if not has_long_word(line)]
    too_long = len(found) - len(lines)
    if "[" in text:
        if rules.words_with_citations:
            return _with_citations(lines, too_long, rules)
        lines = [_CITATION.sub("", line) if "[" in line else line for line in lines]
    ended = [line for line in lines if line.endswith(rules.end_marks)]
    ended = [line for line in ended if not line.endswith(ELLIPSIS)]
    kept = _long_enough(ended, rules.min_words)
    return kept, _tally(too_long, len(lines), len(ended), len(kept))


def _with_citations(
    lines: Sequence[str], too_long: int, rules: LineRules
) -> tuple[list[str], dict[str, int]]:
    """Apply the rules 3 to 5 where citation markers count as words."""
    ended = [
        (cleaned, line)
        for cleaned, line in ((_CITATION.sub("", line), line) for line in lines)
        if cleaned.endswith(rules.end_marks) and not cleaned.endswith(ELLIPSIS)
    ]
    kept = [cleaned for cleaned, line in ended if len(line.split()) >= rules.min_words]
    return kept, _tally(too_long, len(lines), len(ended), len(kept))


def _tally(too_long: int, lines: int, ended: int, kept: int) -> dict[str, int]:
    """Return the counters of a page: lines with long words, others, with a mark, and kept."""
    return {
        "line-filtered:too_long_word": too_long,
        "line-filtered:no_endmark": lines - ended,
        "line-filtered:too_short": ended - kept,
        "line-passed": kept,
    }


def _long_enough(lines: list[str], min_words: int) -> list[str]:
    if min_words <= 0:
        return lines
    most = min_words - 1
    return [line for line in lines if len(line.split(None, most)) > most]


def _line_by_line(text: str, rules: LineRules) -> tuple[list[str], str, str, dict[str, int]]:
    """Apply all rules in their order; return the lines kept, and why and where the page drops."""
    counters: Counter[str] = Counter()
    kept: list[str] = []
    for line in map(str.strip, text.splitlines()):
        verdict, cleaned = _judge_line(line, rules)
        if verdict.startswith("filtered:"):
            return kept, verdict.removeprefix("filtered:"), cleaned[:DETAIL_CHARS], counters
        counters[verdict] += 1
        if verdict == "line-passed":
            kept.append(cleaned)
    return kept, "", "", counters


def _judge_line(  # noqa: PLR0911 -- the first rule that applies decides
    line: str, rules: LineRules
) -> tuple[str, str]:
    """Return the counter of the first rule that applies to a line, and the line without markers."""
    if len(line) > MAX_WORD_CHARS and has_long_word(line):
        return "line-filtered:too_long_word", line
    cleaned = _CITATION.sub("", line) if "[" in line else line
    if not cleaned.endswith(rules.end_marks) or cleaned.endswith(ELLIPSIS):
        return "line-filtered:no_endmark", cleaned
    counted = line if rules.words_with_citations else cleaned
    if len(counted.split()) < rules.min_words:
        return "line-filtered:too_short", cleaned
    lower = cleaned.lower()
    if "lorem ipsum" in lower:
        return "filtered:loremipsum", cleaned
    if "javascript" in lower:
        return "line-filtered:javascript", cleaned
    if "{" in cleaned:
        return "filtered:squigglybracket", cleaned
    if any(phrase in lower for phrase in POLICY):
        return "line-filtered:policy", cleaned
    return "line-passed", cleaned


def has_long_word(line: str) -> bool:
    """Tell whether a line holds a word of more than 1,000 characters."""
    return len(line) > MAX_WORD_CHARS and max(map(len, line.split()), default=0) > MAX_WORD_CHARS
