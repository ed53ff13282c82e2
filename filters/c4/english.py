"""The decision on a page's language (docs/rules/web.md 9.6)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from filters.verdict import KEEP, Verdict, drop

MIN_PROBABILITY = 0.99

Detect = Callable[[str], Sequence[tuple[str, float]] | None]  # None: the text has no features


@dataclass(frozen=True, slots=True)
class Prediction:
    """The most likely language of a page, and what follows from it."""

    language: str | None
    probability: float | None
    verdict: Verdict


def predict_english(
    text: str, detect: Detect, *, min_probability: float = MIN_PROBABILITY
) -> Prediction:
    """Keep a page whose most likely language is English, and likely enough.

    >>> predict_english("Bonjour.", lambda text: [("fr", 0.999)]).verdict.reason
    'ignored_language'
    """
    predictions = detect(text)
    if predictions is None:  # langdetect raises an exception
        return Prediction(None, None, drop("langdetect_exception", "no features in text"))
    if not predictions:
        return Prediction(None, None, drop("no_predictions"))
    language, probability = predictions[0]
    verdict = KEEP
    if probability < min_probability:
        verdict = drop("low_confidence", f"{language} {probability:.6f}")
    elif language != "en":
        verdict = drop("ignored_language", language)
    return Prediction(language, probability, verdict)
