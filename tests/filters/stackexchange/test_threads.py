"""The order of answers and the text of threads (docs/rules/sources.md 5.3, 5.4)."""

from filters.stackexchange.threads import (
    Answer,
    ThreadRules,
    choose_answers,
    sort_answers,
    thread_text,
    title_text,
)

SCORES = [Answer(1, 9, "nine"), Answer(2, -1, "minus"), Answer(3, 100, "hundred")]
SCORES += [Answer(5, 10, "ten"), Answer(4, 10, "ten, earlier"), Answer(6, None, "none")]
REDPAJAMA = ThreadRules("redpajama")


def ids(answers: list[Answer]) -> list[int]:
    """Return the ids of answers."""
    return [answer.id for answer in answers]


def test_answers_sort_by_score_as_numbers() -> None:
    """Highest first: 10 before 9, negative scores last; ties by id (section 2.1)."""
    assert ids(sort_answers(SCORES)) == [3, 4, 5, 1, 6, 2]
    assert ids(sort_answers(SCORES[::-1])) == [3, 4, 5, 1, 6, 2]


def test_redpajama_sorts_scores_as_strings() -> None:
    """Its bug: "9" comes before "100" and "10"."""
    assert ids(sort_answers(SCORES, rules=REDPAJAMA)) == [1, 3, 4, 5, 6, 2]


def test_the_accepted_answer_has_no_special_place_but_by_the_switch() -> None:
    """And the others stay in their order."""
    assert ids(sort_answers(SCORES, 2)) == [3, 4, 5, 1, 6, 2]
    first = ThreadRules(accepted_first=True)
    assert ids(sort_answers(SCORES, 2, first)) == [2, 3, 4, 5, 1, 6]
    assert ids(sort_answers(SCORES, None, first)) == [3, 4, 5, 1, 6, 2]


def test_answers_are_dropped_only_by_the_switches() -> None:
    """A lowest score, a largest number: in that order."""
    ordered = sort_answers(SCORES)
    assert choose_answers(ordered) == (ordered, [])
    kept, dropped = choose_answers(ordered, ThreadRules(min_answer_score=0, max_answers=2))
    assert ids(kept) == [3, 4]
    assert [(a.id, reason) for a, reason in dropped] == [
        (5, "beyond_max_answers"),
        (1, "beyond_max_answers"),
        (6, "beyond_max_answers"),
        (2, "low_score"),
    ]


def test_one_blank_line_between_blocks() -> None:
    """No line feed at the end, and none where a body is empty."""
    assert thread_text("t", "b", ["x", "y\n\nz"]) == "Q: t\n\nb\n\nA: x\n\nA: y\n\nz"
    assert thread_text("t", "", []) == "Q: t"
    assert thread_text("t", "", ["x"]) == "Q: t\n\nA: x"
    marked = ThreadRules(question="### ", answer="> ")
    assert thread_text("t", "b", ["x"], marked) == "### t\n\nb\n\n> x"


def test_redpajama_joins_title_and_body() -> None:
    """With the line feeds that the HTML happens to end in."""
    assert thread_text("t", "b\n", ["x\n", "y"], REDPAJAMA) == "Q: t b\n\nA: x\n\nA: y"


def test_titles_are_one_line_without_entities() -> None:
    """Old ones hold entities, which the XML parser has left."""
    assert title_text(" a &amp; b\n c &lt;d&gt; ") == "a & b c <d>"
    assert title_text("&amp;lt;") == "&lt;"
