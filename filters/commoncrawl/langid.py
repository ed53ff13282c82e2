"""Identify the language of a page by fastText, as in CCNet.

LLaMA (arXiv:2302.13971v1, section 2.1, "English CommonCrawl"): CCNet "performs language
identification with a fastText linear classifier to remove non-English pages". The rules are in
docs/rules/web.md 5. The model is lid.176; its input is the page without duplicate paragraphs.
"""

from collections.abc import Collection
from typing import Final, Literal, NamedTuple

from filters.fasttext.model import FastTextModel
from filters.verdict import KEEP, Verdict, drop

Newline = Literal["space", "delete"]
_REPLACEMENTS: Final[dict[Newline, str]] = {"space": " ", "delete": ""}


class Language(NamedTuple):
    """The language of a page and its score."""

    code: str  # as in the model, "en"; empty for a page without text
    score: float  # probability, 0 to 1, rounded to 2 decimals


def identify(
    model: FastTextModel,
    text: str,
    *,
    newline: Newline = "space",
    max_characters: int | None = None,
) -> Language:
    r"""Return the language of a page and its score.

    Args:
        model: such as lid.176.
        text: the page.
        newline: whether each "\n" becomes a space, or is deleted as in CCNet, which joins the last
            word of a line and the first of the next.
        max_characters: how many characters are looked at; None for the whole page, as in CCNet.

    Raises:
        ValueError: ``newline`` is neither "space" nor "delete".
    """
    if newline not in _REPLACEMENTS:
        raise ValueError(f"newline is {newline!r}; it may be 'space' or 'delete'")
    line = text[:max_characters].replace("\n", _REPLACEMENTS[newline])
    if not line or line.isspace():
        return Language("", 0.0)
    best = model.top(line)
    if best is None:
        return Language("", 0.0)
    code, probability = best
    return Language(code, round(min(probability, 1.0), 2))


def check_language(
    language: Language,
    *,
    keep: Collection[str] | None = ("en",),
    remove: Collection[str] = (),
    min_score: float = 0.5,
) -> Verdict:
    """Keep the pages of some languages.

    Args:
        language: `identify(model, text)`; its rounded score is tested, so that 0.496 passes.
        keep: codes of the languages to keep; None for all.
        remove: codes of languages to drop.
        min_score: the lowest score that is kept.

    >>> check_language(Language("en", 0.5)).keep
    True
    >>> check_language(Language("de", 0.9)).reason
    'language'
    """
    if not language.code:
        return drop("empty")
    detail = f"{language.code} {language.score:.2f}"
    if language.score < min_score:
        return drop("language_score", detail)
    if (keep is not None and language.code not in keep) or language.code in remove:
        return drop("language", detail)
    return KEEP
