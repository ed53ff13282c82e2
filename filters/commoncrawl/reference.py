"""Recognise pages that look like the references of Wikipedia.

LLaMA (arXiv:2302.13971v1, section 2.1, "English CommonCrawl"): "we trained a linear model to
classify pages used as references in Wikipedia v.s. randomly sampled pages, and discarded pages not
classified as references". Features and threshold are not stated; ours are those of RedPajama v1
(docs/rules/web.md 8.2 and 8.3). The model is for whole pages: single paragraphs score near 0.
"""

import hashlib
import math
import re
from collections.abc import Sequence
from typing import Final

from filters.fasttext.model import LABEL_PREFIX, FastTextModel
from filters.verdict import KEEP, Verdict, drop

REFERENCE_LABEL: Final = "wiki"
RANDOM_LABEL: Final = "cc"
# fastText's words end at these characters. A word that begins like a label would be one.
_LABEL_AT_WORD_START: Final = re.compile(rf"(?<![^ \t\v\f\r\0]){LABEL_PREFIX}")
_ESCAPED_PREFIX: Final = "\\" + LABEL_PREFIX


def to_line(text: str) -> str:
    r"""Return a page as one line, for training and for scoring alike (docs/rules/web.md 8.3).

    Each line break, in Unicode's sense, becomes one space, so blank lines become several spaces. A
    word that begins like a label gets a backslash before it.

    >>> to_line("One.\n\nTwo. __label__wiki\n")
    'One.  Two. \\__label__wiki'
    """
    line = " ".join(text.splitlines()).strip()
    if LABEL_PREFIX in line:
        line = _LABEL_AT_WORD_START.sub(lambda _: _ESCAPED_PREFIX, line)
    return line


def to_example(text: str, *, reference: bool) -> str:
    """Return a page as a line of the training file, without its end.

    >>> to_example("A page.", reference=True)
    '__label__wiki A page.'
    """
    return f"{LABEL_PREFIX}{REFERENCE_LABEL if reference else RANDOM_LABEL} {to_line(text)}"


def probability(model: FastTextModel, text: str) -> float:
    """Return the probability that a page is used as a reference, 0 to 1, to 4 decimals.

    A page without a word that the model knows has the probability 0.

    Raises:
        ValueError: the model has other labels than "wiki" and one more.
    """
    if REFERENCE_LABEL not in model.labels or len(model.labels) != 2:
        raise ValueError(
            f"a classifier with the labels {', '.join(model.labels)}; train one with "
            f"{REFERENCE_LABEL!r} and {RANDOM_LABEL!r}"
        )
    best = model.top(to_line(text))
    if best is None:
        return 0.0
    label, share = best
    reference = share if label == REFERENCE_LABEL else 1.0 - share
    return round(min(max(reference, 0.0), 1.0), 4)


def check_threshold(reference: float, *, threshold: float = 0.25) -> Verdict:
    """Keep pages with at least this probability: 0.25 in RedPajama v1, 0.5 by LLaMA's words.

    >>> check_threshold(0.2499).detail
    '0.2499'
    """
    return KEEP if reference >= threshold else drop("not_a_reference", f"{reference:.4f}")


def check_pareto(reference: float, url: str, *, alpha: float = 9.0, seed: int = 0) -> Verdict:
    """Keep a page if a number drawn from a Pareto distribution is above 1 - its probability.

    This is the rule of GPT-3 (arXiv:2005.14165, appendix A): most pages with a high score are
    kept, and a few with a low one. The number is distributed like numpy's ``pareto(alpha)``, which
    starts at 0. Its quantile is a hash of the url, so each run draws the same number.

    Args:
        reference: `probability(model, text)`.
        url: url of the page.
        alpha: shape of the distribution.
        seed: each seed draws other numbers.
    """
    digest = hashlib.sha256(f"{seed}\n{url}".encode("utf-8", "surrogatepass")).digest()
    quantile = (int.from_bytes(digest[:8], "big") >> 11) / (1 << 53)  # 0 to just below 1
    drawn = math.expm1(-math.log1p(-quantile) / alpha)
    if drawn > 1.0 - reference:
        return KEEP
    return drop("not_a_reference", f"{reference:.4f}, drawn {drawn:.4f}")


def threshold_for(probabilities: Sequence[float], kept_fraction: float) -> float:
    """Return the threshold that keeps a share of a sample: its quantile.

    Of n probabilities, the round(n x share) highest are kept, and all that equal the lowest of
    those, since `check_threshold` keeps a probability equal to the threshold.

    Raises:
        ValueError: the sample is empty, or the share is not above 0 and at most 1.

    >>> threshold_for([0.1, 0.4, 0.3, 0.2], 0.5)
    0.3
    """
    if not probabilities:
        raise ValueError("no probabilities: score a sample of pages first")
    if not 0.0 < kept_fraction <= 1.0:
        raise ValueError(f"a kept fraction of {kept_fraction}: give one above 0, at most 1")
    kept = max(1, round(len(probabilities) * kept_fraction))
    return sorted(probabilities, reverse=True)[kept - 1]
