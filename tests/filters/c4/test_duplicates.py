"""Lines and spans that other pages keep (docs/rules/web.md 9.5)."""

import numpy as np

from filters.c4.duplicates import line_keys, remove_lines, remove_spans, simplify, span_keys
from filters.c4.sentences import english


def test_a_line_is_compared_stripped_and_in_lower_case() -> None:
    """Nothing else is changed: digits and punctuation count."""
    keys = line_keys("A line.\n  a LINE. \nA line!\nA  line.").tolist()
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_the_first_of_equal_lines_of_a_page_stays() -> None:
    """What another page keeps goes wherever it stands."""
    text = "One.\nTwo.\none.\nThree.\nTwo. "
    keys = line_keys(text)
    elsewhere = np.isin(keys, line_keys("three."))
    left = remove_lines(text, keys, elsewhere)
    assert left.text == "One.\nTwo."
    assert left.counters == {
        "line-filtered:global_duplicate": 1,
        "line-filtered:local_duplicate": 2,
        "line-passed": 2,
    }


def test_all_sentences_of_a_span_that_another_page_keeps_go() -> None:
    """A sentence in two spans goes with either."""
    text = "It is one. It is two. It is three.\nIt is four. It is five."
    spans = english().spans(text)
    keys = span_keys(text, spans)
    assert len(keys) == 3
    left = remove_spans(text, spans, keys, np.array([False, True, False]))
    assert left.text == "It is one.\nIt is five."
    assert left.counters == {"span-filtered:global_duplicate": 1, "span-passed": 2}
    assert remove_spans(text, spans, keys, np.zeros(3, bool)).text == text


def test_a_span_that_comes_again_on_a_page_goes() -> None:
    """The first of them stays."""
    text = "It is one. It is two. It is three.\nIt is ONE. It is two! It is three."
    spans = english().spans(text)
    keys = span_keys(text, spans)
    assert remove_spans(text, spans, keys, np.zeros(len(keys), bool)).text.startswith(
        "It is one. It is two. It is three."
    )
    assert len(keys) == 4
    assert keys[0] == keys[3]


def test_spans_are_compared_without_numbers_accents_and_punctuation() -> None:
    """As datatrove simplifies sentences."""
    assert simplify("Caf\u00e9,  1999!") == simplify("cafe 7")
