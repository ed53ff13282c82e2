"""Pages that look like Wikipedia's references (docs/rules/web.md 8)."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.commoncrawl.reference import (
    check_pareto,
    check_threshold,
    probability,
    threshold_for,
    to_example,
    to_line,
)
from filters.fasttext.model import load_fasttext
from tests.filters.tiny_models import train_languages


class Answer:
    """A model with one answer."""

    def __init__(self, *best: str | float, labels: tuple[str, ...] = ("cc", "wiki")) -> None:
        self.best = best or None
        self.labels = labels

    def top(self, _: str) -> tuple[str | float, ...] | None:
        """Answer."""
        return self.best


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        (" \n One.\nTwo.\n ", "One. Two."),
        ("a\n\n\nb", "a   b"),
        ("a\r\nb\rc\x0bd\x0ce\x1cf\x85g\u2028h\u2029i", "a b c d e f g h i"),
        ("a  b\tc", "a  b\tc"),
        ("__label__wiki", "\\__label__wiki"),
        ("a\n__label__wiki b\t__label__", "a \\__label__wiki b\t\\__label__"),
        ("a__label__wiki", "a__label__wiki"),
        ("a\x00__label__b\u00a0__label__c", "a\x00\\__label__b\u00a0__label__c"),
        ("__label____label__", "\\__label____label__"),
    ],
)
def test_to_line(text: str, expected: str) -> None:
    """Each line break is a space, and no word can be taken for a label."""
    assert to_line(text) == expected


def test_to_example() -> None:
    """The label, and the line that is scored as well."""
    assert to_example("a\nb", reference=True) == "__label__wiki a b"
    assert to_example("a\nb", reference=False) == "__label__cc a b"


@given(st.text(st.sampled_from("_label \n\t\0\\é")) | st.text())
def test_a_line_is_a_line(text: str) -> None:
    """One, and its words are no labels."""
    line = to_line(text)
    assert len(line.splitlines()) <= 1
    for space in "\t\v\f\r\0":
        line = line.replace(space, " ")
    assert not any(word.startswith("__label__") for word in line.split(" "))


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (Answer("wiki", 0.98765), 0.9877),
        (Answer("cc", 0.9876), 0.0124),
        (Answer("wiki", 1.00001), 1.0),
        (Answer("cc", 1.00001), 0.0),
        (Answer(), 0.0),
    ],
)
def test_probability(model: Answer, expected: float) -> None:
    """Of the reference label, whichever is on top, to 4 decimals."""
    assert probability(model, "x") == expected


@pytest.mark.parametrize("labels", [("en", "de"), ("wiki",), ("wiki", "cc", "books")])
def test_another_classifier_is_refused(labels: tuple[str, ...]) -> None:
    """Its probabilities would mean something else."""
    with pytest.raises(ValueError, match="train one with 'wiki' and 'cc'"):
        probability(Answer("wiki", 0.9, labels=labels), "x")


def test_a_trained_classifier(tmp_path: Path) -> None:
    """Tells what it was trained on, also across lines."""
    pages = {"wiki": "The study\nwas published in a journal.", "cc": "Buy now!\nCheap and free."}
    path = train_languages(tmp_path, [(label, to_line(page)) for label, page in pages.items()])
    model = load_fasttext(path)
    assert probability(model, pages["wiki"]) > 0.9
    assert probability(model, pages["cc"]) < 0.1


@pytest.mark.parametrize(
    ("reference", "options", "reason"),
    [
        (0.25, {}, ""),
        (0.2499, {}, "not_a_reference"),
        (0.4999, {"threshold": 0.5}, "not_a_reference"),
        (0.5, {"threshold": 0.5}, ""),
    ],
)
def test_check_threshold(reference: float, options: dict[str, float], reason: str) -> None:
    """The threshold itself is kept."""
    assert check_threshold(reference, **options).reason == reason


def test_pareto_keeps_a_share_that_follows_from_the_score() -> None:
    """P(sample > x) = (1 + x) ** -9: all with score 1, 4 % with 0.57, 0.2 % with 0."""
    urls = [f"https://example.org/{number}" for number in range(20_000)]
    kept = {p: sum(check_pareto(p, url).keep for url in urls) / len(urls) for p in (0.0, 0.57, 0.9)}
    assert kept[0.0] == pytest.approx(2.0**-9, abs=0.001)
    assert kept[0.57] == pytest.approx(1.43**-9, abs=0.005)
    assert kept[0.9] == pytest.approx(1.1**-9, abs=0.01)


def test_pareto_draws_by_url_and_seed() -> None:
    """The same page has the same lot; another seed draws another."""
    details = {check_pareto(0.0, "a", seed=seed).detail for seed in (0, 0, 1)}
    assert len(details) == 2
    assert check_pareto(0.0, "a").detail != check_pareto(0.0, "b").detail
    assert check_pareto(0.5, "\ud800").detail == check_pareto(0.5, "\ud800").detail


@pytest.mark.parametrize(
    ("sample", "fraction", "threshold"),
    [
        ([0.1, 0.4, 0.3, 0.2], 0.5, 0.3),
        ([0.1, 0.4, 0.3, 0.2], 1.0, 0.1),
        ([0.1, 0.4, 0.3, 0.2], 0.01, 0.4),
        ([0.7, 0.7, 0.7, 0.2], 0.25, 0.7),
    ],
)
def test_threshold_for(sample: list[float], fraction: float, threshold: float) -> None:
    """The lowest of the share that is kept."""
    assert threshold_for(sample, fraction) == threshold


@given(st.lists(st.floats(0, 1), min_size=1, unique=True), st.floats(0.01, 1))
def test_the_threshold_keeps_the_share(sample: list[float], fraction: float) -> None:
    """Rounded to whole pages, at least one."""
    threshold = threshold_for(sample, fraction)
    kept = [check_threshold(value, threshold=threshold).keep for value in sample]
    assert sum(kept) == max(1, round(len(sample) * fraction))


@pytest.mark.parametrize(
    ("sample", "fraction", "message"),
    [([], 0.5, "score a sample"), ([0.5], 0.0, "above 0"), ([0.5], 1.1, "at most 1")],
)
def test_no_threshold(sample: list[float], fraction: float, message: str) -> None:
    """What cannot be kept is said."""
    with pytest.raises(ValueError, match=message):
        threshold_for(sample, fraction)
