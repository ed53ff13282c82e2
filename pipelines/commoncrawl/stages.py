"""A page of Common Crawl: how it is read, and the stages it goes through (``spec/web.md`` 2-8)."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from filters.commoncrawl import cutoffs, langid, paragraphs
from filters.commoncrawl import reference as wikireference
from filters.commoncrawl.langid import Language
from filters.verdict import KEEP, Verdict, drop
from pipelines.engine.documents import Document
from pipelines.engine.stages import Ledger
from pipelines.engine.units import Unit
from pipelines.joins.lines import Duplicates, KeepPolicy, UnitKeys
from pipelines.models.load import LanguageModels, classifier, cutoff_table, language_model
from pipelines.readers.rows import BadRow
from pipelines.readers.warc import read_warc
from pipelines.readers.wet import WetPage, read_wet
from pipelines.storage.listing import open_web_input

WARC = "warc"  # kinds of unit
WET = "wet"


def kind_of(path: str) -> str:
    """Tell WET files from WARC files by their name."""
    return WARC if ".warc" in path and ".wet" not in path else WET


@dataclass(frozen=True)
class PageReader:
    """How the files of a crawl are read."""

    extractor: str = "resiliparse"  # makes text of HTML
    line_based: bool = False  # split WET files by lines, as cc_net does

    def __call__(self, unit: Unit, notes: Counter[str] | None = None) -> Iterator[WetPage | BadRow]:
        """Yield the pages of a file; what was repaired is counted in ``notes``."""
        with open_web_input(unit.path) as stream:
            if unit.kind == WARC:
                yield from read_warc(stream, unit.path, extractor=self.extractor, notes=notes)
                return
            yield from read_wet(stream, unit.path, line_based=self.line_based, notes=notes)


def read_documents(
    read: PageReader, unit: Unit, _verdicts: dict[str, Any], ledger: Ledger
) -> Iterator[Document | BadRow]:
    """Yield the pages of a file as documents (2.3)."""
    stem = unit.extra["stem"]
    for page in read(unit, ledger.notes):
        if isinstance(page, BadRow):
            yield page
            continue
        meta: dict[str, Any] = {
            "title": page.title,
            "digest": page.digest,
            "content_length_bytes": page.content_length,
            "source_domain": urlsplit(page.url).netloc,
            "cc_segment": unit.extra["segment"],
            "dump": unit.extra["dump"],
        }
        if page.languages:
            meta["cc_languages"] = page.languages
        if page.extractor != "wet":
            meta["extractor"] = page.extractor
        yield Document(
            f"commoncrawl:{stem}:{page.row}",
            "commoncrawl",
            page.text,
            url=page.url,
            created=page.date,
            meta=meta,
            row=page.row,
        )


def unit_keys(
    read: PageReader, keep: KeepPolicy, min_chars: int, unit: Unit, *, strip_accents: bool
) -> UnitKeys:
    """Return the keys of the paragraphs of all pages that are long enough (4.4, first pass)."""
    keys = UnitKeys(keep)
    for page in read(unit):
        if not isinstance(page, BadRow) and len(page.text) >= min_chars:
            keys.add(page.row, paragraphs.paragraph_keys(page.text, strip_accents=strip_accents))
    return keys


class RemoveDuplicates:
    """The stage that drops the paragraphs which the claims found twice (4.4 to 4.6)."""

    name = "commoncrawl.paragraphs"

    def __init__(
        self,
        duplicates: Duplicates,
        *,
        strip_accents: bool,
        within_document: bool,
        length_in_bytes: bool,
    ) -> None:
        self.duplicates = duplicates
        self.strip_accents = strip_accents
        self.within_document = within_document
        self.length_in_bytes = length_in_bytes
        self.notes: Counter[str] = Counter({"paragraph keys dropped": len(duplicates)})

    def __call__(self, document: Document) -> Verdict:
        """Rewrite the text; drop the page if nothing is left."""
        text, meta = document.text, document.meta
        keys = paragraphs.paragraph_keys(text, strip_accents=self.strip_accents)
        left = paragraphs.remove_paragraphs(
            text,
            keys,
            self.duplicates.among(keys, document.row),
            within_document=self.within_document,
        )
        meta["original_nlines"] = len(keys)
        # cc_net keeps the record's Content-Length here, in bytes and with the title (4.6).
        bytes_ = meta["content_length_bytes"]
        meta["original_length"] = bytes_ if self.length_in_bytes else len(text)
        self.notes["paragraphs read"] += len(keys)
        if left is None:
            return drop("all_paragraphs_duplicate")
        self.notes["paragraphs kept"] += left.nlines
        document.text = left.text
        meta["line_ids"] = left.line_ids
        meta["nlines"] = left.nlines
        meta["length"] = left.length
        return KEEP


@dataclass(frozen=True)
class IdentifyLanguage:
    """The stage that names the language of a page (5)."""

    model: str
    newline: langid.Newline
    max_characters: int | None
    name: str = "commoncrawl.langid"

    def __call__(self, document: Document) -> Verdict:
        """Write the language and its score."""
        document.lang, document.lang_score = langid.identify(
            classifier(self.model),
            document.text,
            newline=self.newline,
            max_characters=self.max_characters,
        )
        return KEEP


def check_language(
    code: str, score: float, *, keep: frozenset[str] | None, min_score: float
) -> Verdict:
    """Keep the languages asked for, by the rounded score (5)."""
    return langid.check_language(Language(code, score), keep=keep, min_score=min_score)


def measure_perplexity(
    text: str, language: str, *, models: LanguageModels, per_line: bool
) -> float | None:
    """Return the perplexity of a page, None if there is no model for its language (6.3)."""
    ngrams = models.ngrams(language)
    if not ngrams:
        return None
    model = language_model(models.pieces(language), ngrams)
    return model.perplexity(text, per_line=per_line)


class NameBucket:
    """The stage that names the bucket of a page's perplexity, and counts the buckets (7)."""

    name = "commoncrawl.bucket_name"

    def __init__(self, table: str) -> None:
        self.table = table
        self.notes: Counter[str] = Counter()

    def __call__(self, document: Document) -> Verdict:
        """Write the bucket."""
        table = cutoff_table(self.table)
        bucket = cutoffs.bucket(document.perplexity, document.lang or "", table)
        document.meta["bucket"] = bucket
        self.notes[f"bucket {bucket}"] += 1
        return KEEP


def check_bucket(bucket: str, perplexity: float | None, *, kept: frozenset[str]) -> Verdict:
    """Keep the buckets asked for; LLaMA does not say which, RedPajama keeps head and middle (7)."""
    return KEEP if bucket in kept else drop(f"bucket_{bucket}", f"perplexity {perplexity}")


def score_reference(text: str, *, model: str) -> float:
    """Return the probability that a page is one that Wikipedia would cite (8.3)."""
    return wikireference.probability(classifier(model), text)


def check_reference(score: float, url: str | None, *, decision: str, threshold: float) -> Verdict:
    """Decide by the score as it is stored, rounded to 4 decimals (8.3)."""
    score = round(score, 4)  # the column is a float of 32 bits
    if decision == "pareto":
        return wikireference.check_pareto(score, url or "")
    return wikireference.check_threshold(score, threshold=threshold)
