"""The language of a page of any language, as CLD3 names it (docs/rules/web.md 9.6)."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from filters.verdict import KEEP, Verdict, drop

MIN_BYTES = 100
MAX_BYTES = 10_000
MIN_PROBABILITY = 0.95  # 0.7 before version 3.1.0 of TensorFlow Datasets
UNKNOWN = "und"


class NoDetectorError(ImportError):
    """CLD3 is not installed, a fault of the machine; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The language of a page, ``und`` where it is not known for sure, and what follows."""

    language: str
    probability: float
    remark: str  # why the language is not known or not wanted
    verdict: Verdict


@cache
def detector() -> Any:
    """Return CLD3's model.

    Raises:
        NoDetectorError: it is not installed.
    """
    try:
        import gcld3  # noqa: PLC0415 -- an option that few need
    except ImportError as error:
        raise NoDetectorError("CLD3 is not installed: pip install cld3-py") from error
    return gcld3.NNetLanguageIdentifier(min_num_bytes=MIN_BYTES, max_num_bytes=MAX_BYTES)


def predict(
    text: str,
    model: Any,
    *,
    wanted: frozenset[str] | None = None,
    min_probability: float = MIN_PROBABILITY,
) -> Prediction:
    """Name the language of a page; a page of a language that is not wanted is dropped.

    Args:
        text: of the page.
        model: of :func:`detector`.
        wanted: languages that are kept besides ``und``; None: all.
        min_probability: of a language that is believed.
    """
    found = model.FindLanguage(text)
    if not found.is_reliable:
        return Prediction(UNKNOWN, found.probability, "no_predictions", KEEP)
    if found.probability < min_probability:
        return Prediction(UNKNOWN, found.probability, "low_confidence", KEEP)
    if wanted is not None and found.language not in wanted:
        verdict = drop("ignored_language", found.language)
        return Prediction(found.language, found.probability, "ignored_language", verdict)
    return Prediction(found.language, found.probability, "", KEEP)
