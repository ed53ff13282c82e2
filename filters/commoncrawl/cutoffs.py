"""Perplexity buckets: whether a page is in its language's head, middle or tail, as in CCNet.

A cutoff is the perplexity below which a percentile of a language's pages lies (docs/rules/web.md
7). It holds for one pair of model and normalisation, so a table carries the SHA-256 of its models,
and other models are refused.

A table is a CSV file with one row per percentile and one column per language. A JSON file of the
same name beside it holds the SHA-256 of the models::

    percentile,en,de        {"normalization": "ccnet-1", "unit": "document",
    30,340,370               "models": {"en": {"sentencepiece_sha256": "...", "ngrams_sha256": ...
    60,520,590
"""

import csv
import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from filters.commoncrawl.perplexity import NORMALIZATION, LanguageModel

Bucket = Literal["head", "middle", "tail", "all"]
Unit = Literal["document", "line"]

# CCNet's published table, measured on its pages of the dump 2019-09: all of its 48 languages,
# the percentiles 30 and 60.
PUBLISHED_PATH: Final = Path(__file__).parent / "data" / "cutoffs.csv"
HEAD_PERCENTILE: Final = 30
MIDDLE_PERCENTILE: Final = 60
# Hashes of the published models are not known here; these properties are (docs/rules/web.md 6.1).
_PUBLISHED_ORDER: Final = 5
_PUBLISHED_PIECES: Final = (65_536, 40_000)


class CutoffError(ValueError):
    """A table cannot be used, or not with this model; the message says what to do."""


@dataclass(frozen=True, slots=True)
class ModelFingerprint:
    """The SHA-256 of the two model files behind a perplexity, in lower-case hexadecimal."""

    sentencepiece_sha256: str
    ngrams_sha256: str


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """A table of cutoffs, and what it was measured with.

    Attributes:
        by_language: perplexity by percentile, by language.
        models: by language; None for the published models, whose hashes are not known.
        normalization: the `filters.commoncrawl.perplexity.NORMALIZATION` that was used.
        unit: the unit of text that was scored as one sentence.
        name: for error messages.
    """

    by_language: Mapping[str, Mapping[int, float]]
    models: Mapping[str, ModelFingerprint] | None
    normalization: str = NORMALIZATION
    unit: Unit = "document"
    name: str = "cutoffs"


def bucket(
    perplexity: float | None,
    language: str,
    cutoffs: Cutoffs,
    *,
    head: int = HEAD_PERCENTILE,
    middle: int = MIDDLE_PERCENTILE,
) -> Bucket:
    """Return the bucket of a page; a perplexity equal to a cutoff is in the worse bucket.

    Args:
        perplexity: None when the page has none.
        language: a column of the table; "all" for others.
        cutoffs: the table.
        head: percentile below which a page is in the head.
        middle: percentile below which it is in the middle; the rest is in the tail.

    Raises:
        CutoffError: the table has no row for a percentile.

    >>> bucket(340.0, "en", read_cutoffs(PUBLISHED_PATH))
    'middle'
    """
    column = cutoffs.by_language.get(language)
    if perplexity is None or column is None:
        return "all"
    for percentile in (head, middle):
        if percentile not in column:
            raise CutoffError(
                f"{cutoffs.name}: no row {percentile}; rows: {', '.join(map(str, sorted(column)))}"
            )
    if perplexity < column[head]:
        return "head"
    return "middle" if perplexity < column[middle] else "tail"


def cutoffs_of(
    perplexities: Sequence[float], percentiles: Iterable[int] = range(101)
) -> dict[int, float]:
    """Return the cutoffs of a sample of one language's pages, by percentile, to 1 decimal.

    CCNet's table has the percentiles 0 to 100. Between two pages the value is interpolated. A
    sample should have 100,000 pages or more (docs/rules/web.md 7).

    Raises:
        CutoffError: an empty sample.

    >>> cutoffs_of([100.0, 200.0, 300.0], [30, 60])
    {30: 160.0, 60: 220.0}
    """
    if not len(perplexities):
        raise CutoffError("no perplexities: score a sample of pages first")
    wanted = list(percentiles)
    values = np.percentile(np.asarray(perplexities, np.float64), wanted).tolist()
    return {percentile: round(value, 1) for percentile, value in zip(wanted, values, strict=True)}


def fingerprint_of(sentencepiece_path: str | Path, ngrams_path: str | Path) -> ModelFingerprint:
    """Return the fingerprint of two model files, which takes seconds for several GB."""
    return ModelFingerprint(_sha256(Path(sentencepiece_path)), _sha256(Path(ngrams_path)))


def check_model(
    cutoffs: Cutoffs,
    language: str,
    model: LanguageModel,
    fingerprint: ModelFingerprint,
    *,
    unit: Unit = "document",
) -> None:
    """Refuse a table that was computed with another model or normalisation.

    Args:
        cutoffs: the table.
        language: whose pages the model scores; a language without a column passes, its bucket
            is "all".
        model: the model that will score.
        fingerprint: `fingerprint_of` its files.
        unit: "line" when perplexities are taken per line.

    Raises:
        CutoffError: they do not fit.
    """
    advice = "compute cutoffs from pages that your model scored, or use the model of this table"
    if cutoffs.normalization != NORMALIZATION:
        raise CutoffError(
            f"{cutoffs.name}: made with the normalisation {cutoffs.normalization!r}, this is "
            f"{NORMALIZATION!r}: {advice}"
        )
    if cutoffs.unit != unit:
        raise CutoffError(
            f"{cutoffs.name}: made by scoring each {cutoffs.unit}, not each {unit}: {advice}"
        )
    if language not in cutoffs.by_language:
        return
    if cutoffs.models is None:
        if model.order != _PUBLISHED_ORDER or model.pieces not in _PUBLISHED_PIECES:
            raise CutoffError(
                f"{cutoffs.name}: made with CCNet's published model for {language!r} (order 5, "
                f"65,536 or 40,000 pieces), this one has order {model.order} and "
                f"{model.pieces:,} pieces: {advice}"
            )
    elif cutoffs.models.get(language) != fingerprint:
        raise CutoffError(f"{cutoffs.name}: made with another model for {language!r}: {advice}")


def read_cutoffs(path: str | Path) -> Cutoffs:
    """Read a table and the fingerprints beside it.

    Raises:
        CutoffError: a file is missing or malformed.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        beside: dict[str, Any] = json.loads(_beside(path).read_text("utf-8"))
    except OSError as error:
        raise CutoffError(
            f"{error.filename}: cannot be read ({error.strerror}); a table of cutoffs is a CSV "
            "file with a JSON file of the same name beside it"
        ) from None
    except ValueError as error:
        raise CutoffError(f"{_beside(path)}: no JSON ({error}); write the table again") from None
    try:
        models = beside["models"]
        return Cutoffs(
            by_language=_columns(rows),
            models=None
            if models is None
            else {language: ModelFingerprint(**entry) for language, entry in models.items()},
            normalization=beside["normalization"],
            unit=beside["unit"],
            name=str(path),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise CutoffError(
            f"{_beside(path)}: not what write_cutoffs writes ({error!r}); write the table again"
        ) from None
    except ValueError as error:
        raise CutoffError(f"{path}: {error}") from None


def write_cutoffs(path: str | Path, cutoffs: Cutoffs) -> None:
    """Write a table, rows and columns sorted, and the fingerprints beside it.

    Raises:
        CutoffError: the columns have different percentiles, or a column has no fingerprint.
    """
    path = Path(path)
    languages = sorted(cutoffs.by_language)
    percentiles = {tuple(sorted(cutoffs.by_language[language])) for language in languages}
    if len(percentiles) != 1:
        raise CutoffError(f"{path}: give each language the same percentiles, and one language")
    models = cutoffs.models
    if models is not None and (missing := sorted(set(languages) - models.keys())):
        raise CutoffError(f"{path}: no fingerprint of the model for {missing[0]!r}")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["percentile", *languages])
        for percentile in percentiles.pop():
            row = (cutoffs.by_language[language][percentile] for language in languages)
            writer.writerow([percentile, *row])
    beside = {
        "normalization": cutoffs.normalization,
        "unit": cutoffs.unit,
        "models": None
        if models is None
        else {language: asdict(models[language]) for language in languages},
    }
    _beside(path).write_text(json.dumps(beside, indent=2) + "\n", "utf-8")


def _columns(rows: list[list[str]]) -> dict[str, dict[int, float]]:
    """Parse the rows of a table.

    Raises:
        ValueError: says what is wrong with which row.
    """
    if len(rows) < 2 or len(rows[0]) < 2:
        raise ValueError("no cutoffs: give one row per percentile and one column per language")
    languages = rows[0][1:]
    columns: dict[str, dict[int, float]] = {language: {} for language in languages}
    if len(columns) != len(languages):
        raise ValueError("a language has two columns; remove one")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(rows[0]):
            raise ValueError(f"line {number} has {len(row)} cells, the first has {len(rows[0])}")
        try:
            percentile = int(row[0])
            values = [float(cell) for cell in row[1:]]
        except ValueError:
            raise ValueError(f"line {number} has a cell that is not a number") from None
        if not all(map(math.isfinite, values)) or not 0 <= percentile <= 100:
            raise ValueError(f"line {number}: percentiles are 0 to 100, perplexities finite")
        for language, value in zip(languages, values, strict=True):
            columns[language][percentile] = value
    return columns


def _beside(path: Path) -> Path:
    return path.with_suffix(".json")


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CutoffError(
            f"{path}: cannot be read ({error.strerror}); give the path of a model"
        ) from None
