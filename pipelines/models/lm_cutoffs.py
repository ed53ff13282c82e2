"""Measure the cutoffs of a language model: percentiles of the perplexity of a sample of pages.

The rule is docs/rules/web.md 7. The sample is drawn by a hash of the url, so it does not depend on
the order of the inputs. A page is scored only if it belongs to the sample of the pages so far, and
only numbers are held in memory, not pages.
"""

import heapq
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from filters.commoncrawl.cutoffs import (
    HEAD_PERCENTILE,
    MIDDLE_PERCENTILE,
    CutoffError,
    Cutoffs,
    ModelFingerprint,
    Unit,
    cutoffs_of,
    fingerprint_of,
    read_cutoffs,
    write_cutoffs,
)
from filters.commoncrawl.perplexity import NORMALIZATION, LanguageModel, load_language_model
from pipelines.engine.errors import RunError
from pipelines.models.cards import ModelFiles, is_made, write_card
from pipelines.models.crawl_pages import CrawlPage, find_crawl_pages, rank_of

FAIR_SAMPLE = 100_000  # pages that cutoffs should be measured on, at least


@dataclass(frozen=True)
class CutoffSample:
    """The pages that cutoffs are measured on."""

    inputs: tuple[str, ...]
    documents: int
    langid: str
    min_language_score: float
    seed: int = 0
    per_line: bool = False  # score each line as a sentence, and not the whole page

    @property
    def unit(self) -> Unit:
        """The unit of text that is scored as one sentence."""
        return "line" if self.per_line else "document"


def has_cutoffs(files: ModelFiles) -> bool:
    """Return whether the table of cutoffs has a column for the language."""
    try:
        return files.lang in read_cutoffs(files.cutoffs).by_language
    except CutoffError:
        return False


def make_cutoffs(files: ModelFiles, sample: CutoffSample, say: Callable[[str], None]) -> None:
    """Write the language's column of ``cutoffs.csv`` and its card, unless they exist.

    Raises:
        RunError, StorageError, SetupError: the message says what went wrong and what to do.
    """
    pages = find_crawl_pages(
        sample.inputs,
        lang=files.lang,
        langid=sample.langid,
        min_score=sample.min_language_score,
        all_buckets=True,
    )
    fingerprint = fingerprint_of(files.pieces, files.ngrams)
    config = {
        **pages.identity(),
        "documents": sample.documents,
        "seed": sample.seed,
        "unit": sample.unit,
        "normalization": NORMALIZATION,
        "sentencepiece_sha256": fingerprint.sentencepiece_sha256,
        "ngrams_sha256": fingerprint.ngrams_sha256,
    }
    if is_made(files.cutoffs_card, config) and has_cutoffs(files):
        say(f"{files.lang}: the cutoffs are there already: {files.cutoffs}")
        return
    say(f"{files.lang}: perplexity of {sample.documents:,} pages at most")
    model = load_language_model(files.pieces, files.ngrams)
    found = sample_perplexities(pages, model, sample)
    if not found:
        raise RunError(
            f"no page in the language '{files.lang}' in {', '.join(sample.inputs)}. Does --lang "
            "name their language?"
        )
    if len(found) < FAIR_SAMPLE:
        say(
            f"warning: the cutoffs are of {len(found):,} pages; a fair sample has {FAIR_SAMPLE:,}. "
            + (
                "Name more --cutoffs-from."
                if len(found) < sample.documents
                else "Raise --cutoff-documents."
            )
        )
    column = cutoffs_of(found)
    _write_column(files, column, fingerprint, sample.unit)
    write_card(files.cutoffs_card, {"config": config, "documents": len(found)})
    say(
        f"{files.lang}: of {len(found):,} pages, {HEAD_PERCENTILE} % are below "
        f"{column[HEAD_PERCENTILE]}, {MIDDLE_PERCENTILE} % below {column[MIDDLE_PERCENTILE]}: "
        f"{files.cutoffs}"
    )


def sample_perplexities(
    pages: Iterable[CrawlPage], model: LanguageModel, sample: CutoffSample
) -> list[float]:
    """Return the perplexities of the sampled pages, which are those with the lowest ranks."""
    held: list[tuple[int, float]] = []  # a heap: (-rank, -perplexity)
    for page in pages:
        rank = -rank_of(page.url, sample.seed, "cutoffs")
        if len(held) < sample.documents or rank >= held[0][0]:
            perplexity = model.perplexity(page.text, per_line=sample.per_line)
            if perplexity is not None:
                entry = (rank, -perplexity)
                if len(held) < sample.documents:
                    heapq.heappush(held, entry)
                else:
                    heapq.heappushpop(held, entry)
    return sorted(-perplexity for _, perplexity in held)


def _write_column(
    files: ModelFiles, column: dict[int, float], fingerprint: ModelFingerprint, unit: Unit
) -> None:
    """Add or replace one language's column in the table of the folder.

    Raises:
        RunError: the table is of other models, or of another unit of text.
    """
    columns, models = {}, {}
    if files.cutoffs.exists():
        try:
            present = read_cutoffs(files.cutoffs)
        except CutoffError as error:
            raise RunError(f"{error}. Remove {files.cutoffs} to make a new table.") from error
        if present.models is None or present.normalization != NORMALIZATION:
            raise RunError(
                f"{files.cutoffs} was made with other models (published ones, or another "
                "normalisation). Move it and its .json away, or name another --out."
            )
        if present.unit != unit:
            raise RunError(
                f"{files.cutoffs} was made by scoring each {present.unit}, not each {unit}. Move "
                "it and its .json away, or name another --out."
            )
        columns, models = dict(present.by_language), dict(present.models)
    columns[files.lang], models[files.lang] = column, fingerprint
    with tempfile.TemporaryDirectory(dir=files.folder, prefix=".tmp-cutoffs-") as folder:
        table = Path(folder) / files.cutoffs.name
        write_cutoffs(table, Cutoffs(columns, models, unit=unit))
        # The numbers come first: if the old hashes remain, a new model is refused, which is safe.
        for name in (table.name, table.with_suffix(".json").name):
            shutil.move(Path(folder) / name, files.folder / name)
