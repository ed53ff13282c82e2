"""The decision on the language of a page (docs/rules/web.md 9.6)."""

import pytest

from filters.c4 import cld3
from filters.c4.english import predict_english
from filters.c4.language import detect

ENGLISH = "This is a page of the village, and it tells what happened there in the spring."


@pytest.mark.parametrize(
    ("predictions", "reason"),
    [
        ([("en", 0.99)], ""),
        ([("en", 0.9899), ("de", 0.0101)], "low_confidence"),
        ([("de", 0.9899)], "low_confidence"),
        ([("de", 0.995)], "ignored_language"),
        ([], "no_predictions"),
    ],
)
def test_the_first_prediction_decides(predictions: list[tuple[str, float]], reason: str) -> None:
    """It is English with a probability of 0.99 at least."""
    assert predict_english("text", lambda _: predictions).verdict.reason == reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (ENGLISH, ""),
        ("12345 67890", "langdetect_exception"),
        ("", "langdetect_exception"),
        ("Das ist eine Seite, und der Hund ist in der Stadt gewesen.", "ignored_language"),
    ],
)
def test_langdetect_is_asked(text: str, reason: str) -> None:
    """Twice the same, since the seed is set for each text."""
    assert predict_english(text, detect).verdict.reason == reason
    assert predict_english(text, detect) == predict_english(text, detect)


def test_cld3_names_all_languages() -> None:
    """What it does not know for sure is ``und`` and stays."""
    pytest.importorskip("gcld3", reason="CLD3 is not installed: pip install cld3-py")
    model = cld3.detector()
    assert cld3.predict(ENGLISH * 2, model).language == "en"
    short = cld3.predict("short", model)
    assert (short.language, short.verdict.keep) == ("und", True)
    other = cld3.predict(ENGLISH * 2, model, wanted=frozenset({"de"}))
    assert other.verdict.reason == "ignored_language"
