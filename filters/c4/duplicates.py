"""Lines and spans of sentences that occur on several pages (docs/rules/web.md 9.5).

C4's code compares lines, and keeps each on one page; the paper speaks of spans of three sentences.
"""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]

KEY_BYTES = 8  # of the 16 of an MD5


def line_keys(text: str) -> Keys:
    r"""Return a key for each line of a page: 8 bytes of the MD5 of the line, stripped, lower case.

    >>> first, second = line_keys("One line.\n ONE LINE.")
    >>> bool(first == second)
    True
    """
    lines = [line.strip().lower() for line in text.split("\n")]
    return _keys(lines)


def _keys(texts: Sequence[str]) -> Keys:
    digests = b"".join(
        [
            hashlib.md5(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()[
                :KEY_BYTES
            ]
            for text in texts
        ]
    )
    return np.frombuffer(digests, ">u8").astype(np.uint64)


@dataclass(slots=True)
class UniqueText:
    """What is left of a page."""

    text: str
    counters: Counter[str]  # by the names of TensorFlow Datasets


def remove_lines(text: str, keys: Keys, elsewhere: Mask) -> UniqueText:
    """Remove the lines that another page keeps, and those that occur again on this one.

    Args:
        text: of the page.
        keys: of its lines.
        elsewhere: which of them another page keeps.
    """
    counters: Counter[str] = Counter()
    kept: list[str] = []
    seen: set[int] = set()
    for line, key, gone in zip(text.split("\n"), keys.tolist(), elsewhere.tolist(), strict=True):
        if gone:
            counters["line-filtered:global_duplicate"] += 1
        elif key in seen:
            counters["line-filtered:local_duplicate"] += 1
        else:
            counters["line-passed"] += 1
            seen.add(key)
            kept.append(line)
    return UniqueText("\n".join(kept), counters)


SPAN_SENTENCES = 3
_DIGITS = re.compile(r"\d+")
_PUNCTUATION = re.compile(r"[^\w\s]|_")

Spans = Sequence[tuple[int, int]]


def simplify(sentence: str) -> str:
    """Return a sentence as spans compare it: lower case, numbers as 0, no punctuation or accents.

    >>> simplify("The  Café, No. 12!")
    'the cafe no 0'
    """
    text = unicodedata.normalize("NFD", sentence.lower())
    text = "".join([c for c in text if not unicodedata.combining(c)])
    return " ".join(_PUNCTUATION.sub(" ", _DIGITS.sub("0", text)).split())


def span_keys(text: str, sentences: Spans) -> Keys:
    """Return a key for each span of three sentences of a page; none where it has fewer.

    Args:
        text: of the page.
        sentences: where each begins and ends.
    """
    simple = [simplify(text[start:end]) for start, end in sentences]
    last = len(simple) - SPAN_SENTENCES + 1
    return _keys(["\n".join(simple[at : at + SPAN_SENTENCES]) for at in range(last)])


def remove_spans(text: str, sentences: Spans, keys: Keys, elsewhere: Mask) -> UniqueText:
    """Remove the sentences of spans that another page keeps, or that come again on this one.

    A sentence stays where no such span covers it. What lies between two sentences goes with the
    second of them.

    Args:
        text: of the page.
        sentences: where each begins and ends.
        keys: of the spans.
        elsewhere: which spans another page keeps.
    """
    counters: Counter[str] = Counter()
    gone = [False] * len(sentences)
    seen: set[int] = set()
    for at, (key, other) in enumerate(zip(keys.tolist(), elsewhere.tolist(), strict=True)):
        if other:
            counters["span-filtered:global_duplicate"] += 1
        elif key in seen:
            counters["span-filtered:local_duplicate"] += 1
        else:
            counters["span-passed"] += 1
            seen.add(key)
            continue
        gone[at : at + SPAN_SENTENCES] = [True] * SPAN_SENTENCES
    pieces, end = [], 0
    for (start, stop), dropped in zip(sentences, gone, strict=True):
        if not dropped:
            pieces.append(text[end:stop])
        elif "\n" in text[end:start]:
            pieces.append("\n")
        end = stop
    lines = filter(None, map(str.strip, "".join(pieces).split("\n")))
    return UniqueText("\n".join(lines), counters)
