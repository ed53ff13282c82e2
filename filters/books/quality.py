"""Which books are kept (docs/rules/sources.md 3.4)."""

from collections.abc import Collection
from typing import Final

from filters.verdict import KEEP, Verdict, drop
from filters.word_hashes import alnum_count

REPLACEMENT: Final = "\ufffd"


def check_length(text: str, *, min_words: int = 1000) -> Verdict:
    """Drop texts of too few words: covers, notices, single poems."""
    words = len(text.split(maxsplit=min_words))  # no more words need to be told apart
    if words < min_words:
        return drop("too_short", f"{words} words")
    return KEEP


def check_letters(text: str, *, min_alnum_ratio: float = 0.5) -> Verdict:
    """Drop indexes and tables of numbers: too few of the characters are alphanumeric."""
    ratio = alnum_count(text) / len(text) if text else 0.0
    if ratio < min_alnum_ratio:
        return drop("too_few_alnum", f"{ratio:.3f} of the characters")
    return KEEP


def check_damage(text: str, *, max_damaged_ratio: float = 0.005) -> Verdict:
    """Drop texts of which too many characters were lost (U+FFFD)."""
    ratio = text.count(REPLACEMENT) / len(text) if text else 0.0
    if ratio > max_damaged_ratio:
        return drop("damaged_text", f"{ratio:.4f} of the characters are U+FFFD")
    return KEEP


def check_catalogue(
    rights: str | None,
    kind: str | None,
    lang: str | None,
    *,
    languages: Collection[str] = (),
    keep_copyrighted: bool = False,
) -> Verdict:
    """Drop what the catalogue says is no text, is under copyright, or is in another language.

    Args:
        rights: as the catalogue or the header states them; None where neither does.
        kind: the type of the catalogue: Text, Sound, Image, Dataset, ...; None where unknown.
        lang: language code, None where unknown.
        languages: that are kept; all of them where there are none.
        keep_copyrighted: keep books that are under copyright in the USA.
    """
    if kind and kind.lower() != "text":
        return drop("not_text", kind)
    if rights and not keep_copyrighted and not rights.lower().startswith("public domain"):
        return drop("copyrighted", rights[:200])
    if languages and lang not in languages:
        return drop("language", lang or "unknown")
    return KEEP
