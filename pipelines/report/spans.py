"""Find the parts of a text that are not in the rewritten text, by lines and then by words."""

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate

from pipelines.report.marks import Span
from pipelines.report.trace import differences, shown

_MOST_PAIRS = 4_000_000  # of words before and after; larger blocks are marked whole
_WORD = re.compile(r"\w+|\s+|[^\w\s]")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")


def removed_spans(before: str, after: str) -> tuple[Span, ...]:
    r"""Return what of a text is not in the rewritten text, found by lines and then by words.

    White space alone is not marked: a rewritten end of a line removes nothing that can be read.
    Where something else took the place of the removed text, the note says what.

    >>> text = "# Licence\nx = 1\n"
    >>> [text[span.start : span.end] for span in removed_spans(text, "x = 1\n")]
    ['# Licence']
    """
    old, new = ([line for line in _LINE.findall(text) if line] for text in (before, after))
    starts = [0, *accumulate(map(len, old))]
    spans: list[Span] = []
    bare_old, bare_new = ([line.rstrip("\r\n") for line in lines] for lines in (old, new))
    for first, last, from_, to in differences(bare_old, bare_new):
        gone, added = "".join(old[first:last]), "".join(new[from_:to])
        spans += _spans_of_words(gone, added, starts[first])
    return tuple(spans)


def _spans_of_words(gone: str, added: str, at: int) -> Iterator[Span]:
    """Yield what of a block is not in the block that replaces it, at a place of the text."""
    old, new = _WORD.findall(gone), _WORD.findall(added)
    if len(old) * len(new) > _MOST_PAIRS:
        changes = [(0, len(old), 0, len(new))]
    else:
        changes = differences(old, new)
    starts = [0, *accumulate(map(len, old))]
    for first, last, from_, to in _joined(changes, starts):
        text = gone[starts[first] : starts[last]]
        if not text.strip():
            continue
        start = at + starts[first] + len(text) - len(text.lstrip())
        put = " ".join("".join(new[from_:to]).split())
        note = f"now: {shown(put)}" if put else ""
        yield Span(start, start + len(text.strip()), note, removed=True)


def _joined(
    changes: Sequence[tuple[int, int, int, int]], starts: Sequence[int]
) -> list[tuple[int, int, int, int]]:
    """Join changes where less is left between them than is gone on either side.

    A template and the sentence after it have words in common by chance, and a mark that such words
    interrupt cannot be read.
    """
    found: list[tuple[int, int, int, int]] = []
    for first, last, from_, to in changes:
        if found:
            begin, end, source, _ = found[-1]
            gone = min(starts[end] - starts[begin], starts[last] - starts[first])
            if starts[first] - starts[end] < gone:
                found[-1] = (begin, last, source, to)
                continue
        found.append((first, last, from_, to))
    return found
