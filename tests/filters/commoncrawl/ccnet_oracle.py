"""CCNet once more: slow, plain, and written from docs/rules/web.md 2-7 without the filters.

Characters one by one, dictionaries of lines, one language model call a page. `run` takes pages to
buckets; what the filters and the pipeline give must be equal to it, page by page.
"""

import hashlib
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Code points and their replacements, by line of the table in 4.3.
_TABLE_ROWS: list[tuple[list[int], str]] = [
    ([0xFF0C, 0x3001], ","),
    ([0x3002], "."),
    ([0x201E, 0x201D, 0x201C, 0xAB, 0xBB, 0xFF11, 0x300D, 0x300C, 0x300A, 0x300B], '"'),
    ([0xB4, 0x2019], "'"),
    ([0x2236, 0xFF1A], ":"),
    ([0xFF1F], "?"),
    ([0xFF01], "!"),
    ([0xFF08], "("),
    ([0xFF09], ")"),
    ([0xFF1B], ";"),
    ([0x2013], "-"),
    ([0x2014], " - "),
    ([0xFF0E], ". "),
    ([0xFF5E], "~"),
    ([0x2026], "..."),
    ([0x2501, 0x25BA], "-"),
    ([0x3008], "<"),
    ([0x3009], ">"),
    ([0x3010], "["),
    ([0x3011], "]"),
    ([0xFF05], "%"),
]
TABLE = {chr(code): new for codes, new in _TABLE_ROWS for code in codes}


@dataclass
class Result:
    """What becomes of one page; a field stays None where the page did not get so far."""

    dropped: str | None = None  # "too_short", "duplicates", "empty", "language_score", "language"
    text: str | None = None
    line_ids: list[int] | None = None
    nlines: int | None = None
    length: int | None = None
    original_nlines: int | None = None
    original_length: int | None = None
    language: str | None = None
    language_score: float | None = None
    perplexity: float | None = None
    bucket: str | None = None


def is_digit(character: str) -> bool:
    """Whether it is a decimal digit of any script."""
    return unicodedata.category(character) == "Nd"


def is_control(character: str) -> bool:
    """Whether it is one of U+0000 to U+001F and U+007F to U+009F."""
    return ord(character) <= 0x1F or 0x7F <= ord(character) <= 0x9F


def without_accents(text: str) -> str:
    """Decompose, and delete combining marks."""
    decomposed = unicodedata.normalize("NFD", text)
    return "".join(c for c in decomposed if unicodedata.category(c) != "Mn")


def normalized_line(line: str, *, strip_accents: bool = False) -> str:
    """Return a line as it is hashed (docs/rules/web.md 4.2)."""
    line = line.strip()
    if not line:
        return ""
    line = line.lower()
    if strip_accents:
        line = without_accents(line)
    result = ""
    for character in line:
        if is_digit(character):
            result += "0"
        elif character not in TABLE and not is_control(character):
            result += character
    return result


def normalized_page(text: str, *, strip_accents: bool = False) -> str:
    """Return a page whose lines are as they are hashed."""
    lines = text.split("\n")
    return "\n".join(normalized_line(line, strip_accents=strip_accents) for line in lines)


def key(line: str, *, strip_accents: bool = False) -> int:
    """Return the key of a line (docs/rules/web.md 4.4)."""
    line = normalized_line(line, strip_accents=strip_accents)
    digest = hashlib.sha1(line.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()
    return sum(digest[i] * 256**i for i in range(8))


def normalized_for_lm(text: str) -> str:
    """Return a page as the language model sees it (docs/rules/web.md 6.2)."""
    text = text.strip()
    if not text:
        return ""
    parts = []
    for character in without_accents(text.lower()):
        if is_digit(character):
            parts.append("0")
        elif not is_control(character):
            parts.append(TABLE.get(character, character))
    return "".join(parts)


def without_surrogates(text: str) -> str:
    """Replace lone surrogates, which no model can take."""
    return "".join("\ufffd" if unicodedata.category(c) == "Cs" else c for c in text)


def identified(langid_model: Any, text: str, newline: str = " ") -> tuple[str, float]:
    """Return language and rounded score (5), by a model of the fasttext package."""
    line = without_surrogates(text.replace("\n", newline))
    [(probability, label)] = langid_model.f.predict(line + "\n", 1, 0.0, "strict")
    return label.replace("__label__", ""), round(probability, 2)


def scored(model: tuple[Any, Any], text: str) -> float | None:
    """Return the perplexity by SentencePiece and KenLM (docs/rules/web.md 6.3)."""
    processor, ngrams = model
    line = normalized_for_lm(text)
    if not line:
        return None
    pieces = processor.encode_as_pieces(without_surrogates(line))
    log10_probability = ngrams.score(" ".join(pieces), bos=True, eos=True)
    return float(round(10 ** (-log10_probability / (len(pieces) + 1)), 1))


def bucket_of(perplexity: float | None, cutoffs: tuple[float, float] | None) -> str:
    """Return the bucket (7), by the cutoffs at the percentiles 30 and 60."""
    if perplexity is None or cutoffs is None:
        return "all"
    if perplexity < cutoffs[0]:
        return "head"
    if perplexity < cutoffs[1]:
        return "middle"
    return "tail"


def duplicated_keys(pages: Sequence[str], *, strip_accents: bool = False) -> set[int]:
    """Return the keys of lines that two pages have; repeats inside one page do not count."""
    pages_of: dict[int, set[int]] = {}
    for number, page in enumerate(pages):
        for line in page.split("\n"):
            pages_of.setdefault(key(line, strip_accents=strip_accents), set()).add(number)
    return {line_key for line_key, numbers in pages_of.items() if len(numbers) > 1}


def deduplicate(
    page: str,
    duplicates: Collection[int],
    *,
    strip_accents: bool = False,
    within_document: bool = True,
) -> Result:
    """Remove duplicate lines, then repeats inside the page (docs/rules/web.md 4.4 to 4.6)."""
    lines = page.split("\n")
    kept: list[int] = []
    seen: set[int] = set()
    for number, line in enumerate(lines):
        line_key = key(line, strip_accents=strip_accents)
        if line_key in duplicates or (within_document and line_key in seen):
            continue
        seen.add(line_key)
        kept.append(number)
    text = "\n".join(lines[number] for number in kept)
    if not text:
        return Result(dropped="duplicates")
    return Result(
        text=text,
        line_ids=kept,
        nlines=len(kept),
        length=len(text),
        original_nlines=len(lines),
        original_length=len(page),
    )


def run(
    documents_by_group: Sequence[Sequence[str]],
    langid_model: Any,
    language_models: Mapping[str, tuple[Any, Any]],
    cutoffs: Mapping[str, tuple[float, float]],
    *,
    min_characters: int = 300,
    min_language_score: float = 0.5,
    keep_languages: Collection[str] | None = ("en",),
    newline: str = " ",
    strip_accents: bool = False,
    within_document: bool = True,
) -> list[Result]:
    """Take pages through CCNet, from the WET record's text to the bucket.

    Args:
        documents_by_group: the pages of each group: those that are compared for duplicates. A page
            is its text without the title, each line stripped (docs/rules/web.md 2.3).
        langid_model: of the fasttext package.
        language_models: a SentencePiece processor and a KenLM model, by language.
        cutoffs: perplexities at the percentiles 30 and 60, by language.
        min_characters: of a page, before anything else.
        min_language_score: of the rounded score.
        keep_languages: None for all.
        newline: what replaces a line end for language identification.
        strip_accents: for the keys of lines.
        within_document: whether repeats inside a page go.

    Returns:
        One result for each page, group after group.
    """
    results: list[Result] = []
    for group in documents_by_group:
        long_enough = [page for page in group if len(page) >= min_characters]
        duplicates = duplicated_keys(long_enough, strip_accents=strip_accents)
        for page in group:
            if len(page) < min_characters:
                results.append(Result(dropped="too_short"))
                continue
            result = deduplicate(
                page, duplicates, strip_accents=strip_accents, within_document=within_document
            )
            results.append(result)
            if result.text is None:
                continue
            if not result.text.strip():
                result.dropped = "empty"
                continue
            language, score = identified(langid_model, result.text, newline)
            result.language, result.language_score = language, score
            if score < min_language_score:
                result.dropped = "language_score"
                continue
            if keep_languages is not None and language not in keep_languages:
                result.dropped = "language"
                continue
            if language in language_models:
                result.perplexity = scored(language_models[language], result.text)
            result.bucket = bucket_of(result.perplexity, cutoffs.get(language))
    return results
