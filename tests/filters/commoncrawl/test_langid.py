"""Language of pages (docs/rules/web.md 5)."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.commoncrawl.langid import Language, check_language, identify
from filters.fasttext.model import FastTextModel, load_fasttext

_REPOSITORY = Path(__file__).resolve().parents[3]
_DATA = Path(os.environ.get("CORPUSMILL_DATA") or _REPOSITORY.parent / "shared" / "data")
_LID176 = _DATA / "langid" / "lid.176.ftz"


class Answer:
    """A model with one answer, which remembers what it was asked."""

    def __init__(self, code: str = "en", probability: float = 0.75) -> None:
        self.best = (code, probability)
        self.asked = ""

    def top(self, line: str) -> tuple[str, float]:
        """Answer."""
        self.asked = line
        return self.best


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ({}, "One LINE  two"),
        ({"newline": "space"}, "One LINE  two"),
        ({"newline": "delete"}, "One LINEtwo"),
        ({"max_characters": 3}, "One"),
        ({"max_characters": 9}, "One LINE "),
        ({"max_characters": 99}, "One LINE  two"),
    ],
)
def test_the_page_becomes_one_line(options: dict[str, object], asked: str) -> None:
    """Case stays; line ends become spaces, or go as in CCNet."""
    model = Answer()
    identify(model, "One LINE\n\ntwo", **options)
    assert model.asked == asked


@pytest.mark.parametrize(
    ("probability", "score"), [(0.494, 0.49), (0.496, 0.5), (0.999, 1.0), (1.00001, 1.0)]
)
def test_scores_have_two_decimals(probability: float, score: float) -> None:
    """And are at most 1."""
    assert identify(Answer("de", probability), "x") == Language("de", score)


@pytest.mark.parametrize("text", ["", "\n", " \t\n\u3000"])
def test_a_page_without_text_has_no_language(text: str) -> None:
    """The model is not asked, and the page is dropped."""
    language = identify(Answer(), text)
    assert language == Language("", 0.0)
    assert check_language(language, keep=None).reason == "empty"


def test_the_newline_mode_is_one_of_two() -> None:
    """Said before a page is judged."""
    with pytest.raises(ValueError, match="'tab'; it may be 'space' or 'delete'"):
        identify(Answer(), "x", newline="tab")


@pytest.mark.parametrize(
    ("language", "options", "reason"),
    [
        (Language("en", 0.5), {}, ""),
        (Language("en", 0.49), {}, "language_score"),
        (Language("de", 1.0), {}, "language"),
        (Language("de", 0.49), {}, "language_score"),
        (Language("de", 1.0), {"keep": ("en", "de")}, ""),
        (Language("de", 1.0), {"keep": None}, ""),
        (Language("de", 1.0), {"keep": None, "remove": ("de",)}, "language"),
        (Language("en", 0.64), {"min_score": 0.65}, "language_score"),
    ],
)
def test_check_language(language: Language, options: dict[str, object], reason: str) -> None:
    """English by default, from a score of 0.5 on."""
    assert check_language(language, **options).reason == reason


def test_a_drop_says_which_language() -> None:
    """The reader of the rejects sees what the model said."""
    assert check_language(Language("de", 0.9)).detail == "de 0.90"


@pytest.fixture(scope="module")
def lid176() -> FastTextModel:
    """The compressed model of 176 languages."""
    if not _LID176.is_file():
        pytest.skip("lid.176.ftz is not among the real inputs")
    return load_fasttext(_LID176)


@pytest.mark.data
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("The weather was good yesterday,\nand we went to the beach with the children.", "en"),
        ("Das Wetter war gestern gut,\nund wir gingen mit den Kindern an den Strand.", "de"),
        ("Hier il faisait beau,\net nous sommes allés à la plage avec les enfants.", "fr"),
    ],
)
def test_lid176(lid176: FastTextModel, text: str, code: str) -> None:
    """Running text, whatever becomes of its line ends."""
    for newline in ("space", "delete"):
        assert check_language(identify(lid176, text, newline=newline), keep=[code]).keep


@pytest.mark.data
@settings(deadline=None)  # a busy machine is no failure
@given(text=st.text())
def test_never_raises(lid176: FastTextModel, text: str) -> None:
    """Whatever the page holds, there is a verdict."""
    verdict = check_language(identify(lid176, text))
    assert verdict.keep or verdict.reason
