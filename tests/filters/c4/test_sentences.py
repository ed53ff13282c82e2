"""Whether a text holds so many sentences, without asking the tokenizer where that is clear."""

from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from filters.c4.sentences import Punkt, english
from tests.filters.c4 import oracle

WORDS = (
    *(
        "He",
        "said",
        "Dr",
        "U.S",
        "Inc",
        "no",
        "p",
        "a",
        "J",
        "etc",
        "3",
        "1.5",
        "Jan",
        "the",
        "i.e",
    ),
    *("\u00e9t\u00e9", "co", "Mr", "Yahoo", "vs", "Ms", "(so", "--", "hello", "World", "th", "W"),
)
MARKS = (
    ". ",
    "? ",
    "! ",
    '" ',
    '." ',
    ".) ",
    "... ",
    "!!! ",
    " ",
    " ",
    ", ",
    ".",
    "\n",
    ".\n",
    "?\n",
)
TEXTS = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(MARKS)), min_size=1, max_size=12)


@settings(max_examples=400, deadline=None)
@given(TEXTS)
@example([("hello", '." '), ("he", ".")])
def test_the_answer_is_the_tokenizers(pieces: Sequence[tuple[str, str]]) -> None:
    """Of the whole text, and line by line."""
    text = "".join(word + mark for word, mark in pieces).strip()
    lines = [line for line in text.split("\n") if line.strip()]
    whole, alone = oracle.sentences(text), sum(map(oracle.sentences, lines))
    for least in range(7):
        assert english().has(text, least) == (whole >= least)
        assert english().lines_have(lines, least) == (alone >= least)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("It was Dr. Smith. He left.", 2),
        ("It is three sentences...but it's one.", 1),
        ('He said "stop"\nShe said "no".', 1),  # a quotation mark alone ends no sentence
        ("Wow!!!", 2),  # as NLTK has it
    ],
)
def test_sentences_are_nltks(text: str, count: int) -> None:
    """The model is Punkt's for English, the algorithm NLTK's."""
    assert english().count(text) == count


def test_the_tokenizer_is_not_asked_where_the_answer_is_clear() -> None:
    """Not for pages of three lines, nor where three sentences cannot be."""

    class Unasked:
        def span_tokenize(self, text: str) -> list[tuple[int, int]]:
            raise AssertionError(text)

    punkt = Punkt(Unasked(), {"dr"})
    assert punkt.lines_have(["a.", "b.", "c."], 3)
    assert not punkt.lines_have(["One line. Two."], 3)
    assert punkt.has("They went home. Then they slept. The end of it.", 3)
    assert not punkt.has("They went home. Then they slept.", 3)
