"""Figures of a classifier, against what they are defined as."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.models.evaluation import Decisions, area_under_curve, decide


def _arrays(pages: list[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([score for score, _ in pages], float), np.array([of for _, of in pages], bool)


@pytest.mark.parametrize(
    ("of_class", "others", "area"),
    [
        ([0.9, 0.8], [0.1, 0.2], 1.0),
        ([0.1, 0.2], [0.9, 0.8], 0.0),
        ([0.5, 0.5], [0.5, 0.5, 0.5], 0.5),
        ([0.9, 0.4], [0.5, 0.1], 0.75),
        ([0.5], [], None),
        ([], [0.5], None),
    ],
)
def test_area_under_the_curve(
    of_class: list[float], others: list[float], area: float | None
) -> None:
    """How often a page of the class is above another; nothing to compare is no number."""
    pages = [(score, True) for score in of_class] + [(score, False) for score in others]
    assert area_under_curve(*_arrays(pages)) == area


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]), st.booleans()), max_size=40))
def test_the_area_is_that_of_all_pairs(pages: list[tuple[float, bool]]) -> None:
    """Equal scores count half."""
    of_class = [score for score, of in pages if of]
    others = [score for score, of in pages if not of]
    wins = [(a > b) + (a == b) / 2 for a in of_class for b in others]
    expected = pytest.approx(sum(wins) / len(wins)) if wins else None
    assert area_under_curve(*_arrays(pages)) == expected


def test_a_threshold_keeps_the_scores_that_equal_it() -> None:
    """As the rule of the pipeline does."""
    pages = [(0.25, True), (0.2499, True), (0.25, False), (0.9, True), (0.0, False)]
    assert decide(*_arrays(pages), 0.25) == Decisions(0.25, 2 / 3, 2 / 3, 3 / 5)


def test_nothing_kept_has_no_precision() -> None:
    """And no page has no share."""
    assert decide(*_arrays([(0.1, False)]), 0.25) == Decisions(0.25, None, None, 0.0)
    assert decide(*_arrays([]), 0.25) == Decisions(0.25, None, None, None)
