"""Measure a classifier of two classes on pages that it was not trained on.

Scores are probabilities of one class; labels say which pages belong to it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float64]
Labels = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Decisions:
    """The effect of a threshold; a share is None if there is nothing to divide by."""

    threshold: float
    precision: float | None  # share of the kept pages that belong to the class
    recall: float | None  # share of the pages of the class that are kept
    kept_fraction: float | None  # share of all pages that are kept


def area_under_curve(scores: Scores, labels: Labels) -> float | None:
    """Return the area under the ROC curve: how often a page of the class scores above another page.

    Equal scores count half. It is computed from the rank sum of Mann and Whitney, in n log n.

    Args:
        scores: shape (pages,).
        labels: shape (pages,).

    Returns:
        0 to 1, or None if one of the classes has no page.

    >>> area_under_curve(np.array([0.9, 0.5, 0.5]), np.array([True, True, False]))
    0.75
    """
    of_class = int(labels.sum())
    others = len(labels) - of_class
    if not of_class or not others:
        return None
    values, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    del values
    last = np.cumsum(counts)  # ranks from 1; equal scores share the mean of theirs
    ranks = (last - (counts - 1) / 2)[place]
    rank_sum = float(ranks[labels].sum())
    return (rank_sum - of_class * (of_class + 1) / 2) / (of_class * others)


def decide(scores: Scores, labels: Labels, threshold: float) -> Decisions:
    """Return the effect of keeping the pages with a score of at least ``threshold``.

    Args:
        scores: shape (pages,).
        labels: shape (pages,).
        threshold: the lowest score that is kept.

    >>> decide(np.array([0.9, 0.3, 0.3, 0.1]), np.array([True, True, False, False]), 0.3)
    Decisions(threshold=0.3, precision=0.6666666666666666, recall=1.0, kept_fraction=0.75)
    """
    kept = scores >= threshold
    right = int((kept & labels).sum())
    return Decisions(
        threshold,
        _share(right, int(kept.sum())),
        _share(right, int(labels.sum())),
        _share(int(kept.sum()), len(kept)),
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
