"""Threads: a question and its answers in the order of their scores (docs/rules/sources.md 5.3).

"We ... sorted the answers by score (from highest to lowest)" (LLaMA, arXiv:2302.13971v1, section
2.1, "Stack Exchange").
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import unescape
from typing import Literal, NamedTuple

Profile = Literal["default", "redpajama"]


class Answer(NamedTuple):
    """What a thread needs of an answer."""

    id: int
    score: int | None  # a row without a score counts as 0
    text: str
    owner: int | str | None = None
    license: str | None = None


@dataclass(frozen=True)
class ThreadRules:
    """Which answers a thread has, their order, and how it is written."""

    profile: Profile = "default"
    min_answer_score: int | None = None  # None: no answer is dropped for its score
    max_answers: int | None = None  # None: all stay
    accepted_first: bool = False
    question: str = "Q: "
    answer: str = "A: "


def best_first(answer: Answer) -> tuple[int, int]:
    """Order answers by score as a number, highest first, and then by id."""
    return -(answer.score or 0), answer.id


def sort_answers(
    answers: Iterable[Answer], accepted: int | None = None, rules: ThreadRules = ThreadRules()
) -> list[Answer]:
    """Return the answers of a thread in their order.

    RedPajama v1 compares the scores as strings, so that "9" comes before "10".

    Args:
        answers: of one question.
        accepted: id of the answer that was accepted; it has a special place only by the rules.
        rules: of the run.

    >>> [a.score for a in sort_answers([Answer(1, 9, ""), Answer(2, -1, ""), Answer(3, 10, "")])]
    [10, 9, -1]
    """
    if rules.profile == "redpajama":
        by_id = sorted(answers, key=lambda answer: answer.id)
        return sorted(by_id, key=lambda answer: str(answer.score or 0), reverse=True)
    ordered = sorted(answers, key=best_first)
    if rules.accepted_first:
        ordered.sort(key=lambda answer: answer.id != accepted)
    return ordered


def choose_answers(
    answers: Sequence[Answer], rules: ThreadRules = ThreadRules()
) -> tuple[list[Answer], list[tuple[Answer, str]]]:
    """Return the answers that a thread keeps, and those that it drops with the reasons.

    Args:
        answers: of one question, in their order.
        rules: of the run.
    """
    kept: list[Answer] = []
    dropped: list[tuple[Answer, str]] = []
    for answer in answers:
        if rules.min_answer_score is not None and (answer.score or 0) < rules.min_answer_score:
            dropped.append((answer, "low_score"))
        elif rules.max_answers is not None and len(kept) >= rules.max_answers:
            dropped.append((answer, "beyond_max_answers"))
        else:
            kept.append(answer)
    return kept, dropped


def title_text(title: str) -> str:
    r"""Return a title as one line of text; old ones hold entities of HTML (5.5).

    >>> title_text("Q&amp;A  for\nR&D")
    'Q&A for R&D'
    """
    return " ".join(unescape(title).split())


def thread_text(
    title: str, question: str, answers: Sequence[str], rules: ThreadRules = ThreadRules()
) -> str:
    r"""Return the text of a thread (5.4).

    >>> thread_text("Why?", "It is so.", ["Because.", "No reason."])
    'Q: Why?\n\nIt is so.\n\nA: Because.\n\nA: No reason.'
    """
    if rules.profile == "redpajama":
        first = f"{rules.question}{title} {question}"
        return "\n".join([first, *(f"{rules.answer}{answer}" for answer in answers)])
    blocks = [f"{rules.question}{title}", question, *(f"{rules.answer}{a}" for a in answers)]
    return "\n\n".join(filter(None, blocks))
