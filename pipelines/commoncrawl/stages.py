"""The stages of a page of Common Crawl, in the order of CCNet (docs/rules/web.md 3 to 8)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from filters.commoncrawl import cutoffs, langid, paragraphs
from filters.commoncrawl import reference as wikireference
from filters.commoncrawl.langid import Language
from filters.commoncrawl.paragraphs import check_length, plain_controls
from filters.verdict import KEEP, Verdict, drop
from pipelines.commoncrawl.config import CommonCrawlConfig
from pipelines.commoncrawl.records import kept_keys
from pipelines.engine.documents import Document
from pipelines.engine.stages import Keep, Rewrite, Score, Stage
from pipelines.engine.steps import Topic, Verdicts
from pipelines.engine.units import Unit
from pipelines.joins.keys import DuplicateKeys, Keys
from pipelines.models.load import LanguageModels, classifier, cutoff_table, language_model

REFERENCE_STAGE = "commoncrawl.reference"


def page_stages(
    config: CommonCrawlConfig,
    paragraphs_topic: Topic,
    scored: frozenset[str],
    unit: Unit,
    verdicts: Verdicts,
) -> Sequence[Stage]:
    """Return the stages of a page, cheap ones first, in the order of CCNet (3).

    Args:
        config: the settings.
        paragraphs_topic: of the verdicts on paragraphs.
        scored: languages that have a model, as the run was planned.
        unit: whose pages are judged.
        verdicts: what was decided for the unit.
    """
    models = config.language_models
    stages: list[Stage] = [
        Keep("commoncrawl.length", partial(check_length, min_characters=config.min_chars)),
        RemoveDuplicates(
            verdicts.get(paragraphs_topic.name) or DuplicateKeys(),
            kept_keys(unit),
            strip_accents=config.strip_accents,
            within_document=config.within_document,
            length_in_bytes=config.cc_net,
        ),
    ]
    if config.min_chars_after_dedup:
        check = partial(check_length, min_characters=config.min_chars_after_dedup)
        stages.append(Keep("commoncrawl.length_after_dedup", check))
    check = partial(
        check_language,
        keep=None if config.every_language else frozenset(config.languages),
        min_score=config.min_language_score,
    )
    measure = partial(measure_perplexity, models=models, scored=scored, per_line=config.per_line)
    stages += [
        IdentifyLanguage(
            config.langid_path, "delete" if config.cc_net else "space", config.langid_chars or None
        ),
        Keep("commoncrawl.language", check, ("lang", "lang_score")),
        Score("commoncrawl.perplexity", measure, "perplexity", ("text", "lang")),
        NameBucket(models.table),
    ]
    if not config.every_bucket:
        check = partial(check_bucket, kept=frozenset(config.buckets))
        stages.append(Keep("commoncrawl.bucket", check, ("meta.bucket", "perplexity")))
    if config.wikiref:
        score = partial(score_reference, model=config.wikiref)
        stages.append(Score("commoncrawl.reference_score", score, "wikiref_score"))
        if not config.settles:
            stages.append(reference_stage(config))
    stages.append(Rewrite("commoncrawl.controls", plain_controls))
    return stages


def reference_stage(config: CommonCrawlConfig) -> Keep:
    """Return the stage that decides by the classifier's score, which needs no text."""
    check = partial(
        check_reference, decision=config.wikiref_decision, threshold=config.wikiref_threshold
    )
    return Keep(REFERENCE_STAGE, check, ("wikiref_score", "url"))


class RemoveDuplicates:
    """Drop the paragraphs that the claims found twice (docs/rules/web.md 4.4 to 4.6)."""

    name = "commoncrawl.paragraphs"
    across = "paragraphs that another page of the scope has"

    def __init__(
        self,
        duplicates: DuplicateKeys,
        known: Mapping[int, Keys],
        *,
        strip_accents: bool,
        within_document: bool,
        length_in_bytes: bool,
    ) -> None:
        self.duplicates = duplicates
        self.known = known  # keys of pages that an earlier phase has computed, by row
        self.strip_accents = strip_accents
        self.within_document = within_document
        self.length_in_bytes = length_in_bytes
        self.notes: Counter[str] = Counter({"paragraph keys dropped": len(duplicates)})

    def keys(self, document: Document) -> Keys:
        """Return the keys of the paragraphs of a page, one per line."""
        if (keys := self.known.get(document.row)) is not None:
            return keys
        return paragraphs.paragraph_keys(document.text, strip_accents=self.strip_accents)

    def __call__(self, document: Document) -> Verdict:
        """Remove duplicate paragraphs from the text; drop the page if nothing is left."""
        text, meta = document.text, document.meta
        keys = self.keys(document)
        left = paragraphs.remove_paragraphs(
            text,
            keys,
            self.duplicates.among(keys, document.row),
            within_document=self.within_document,
        )
        meta["original_nlines"] = len(keys)
        # cc_net writes the Content-Length of the record here: bytes, title included
        # (docs/rules/web.md 4.6).
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
    """Identify the language of a page (docs/rules/web.md 5)."""

    model: str
    newline: langid.Newline
    max_characters: int | None
    name: str = "commoncrawl.langid"

    def load(self) -> None:
        """Load the model."""
        classifier(self.model)

    def __call__(self, document: Document) -> Verdict:
        """Write the language and its score to the document."""
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
    """Keep the languages asked for, by the rounded score (docs/rules/web.md 5)."""
    return langid.check_language(Language(code, score), keep=keep, min_score=min_score)


def measure_perplexity(
    text: str, language: str, *, models: LanguageModels, scored: frozenset[str], per_line: bool
) -> float | None:
    """Return the perplexity of a page, None without a model for its language.

    The rule is docs/rules/web.md 6.3.

    Raises:
        MachineError: there was one when the run was planned, and this machine lacks it.
    """
    if language not in scored:
        return None
    model = language_model(*models.needed(language))
    return model.perplexity(text, per_line=per_line)


class NameBucket:
    """Name the perplexity bucket of a page, and count the buckets (docs/rules/web.md 7)."""

    name = "commoncrawl.bucket_name"

    def __init__(self, table: str) -> None:
        self.table = table
        self.notes: Counter[str] = Counter()

    @property
    def limits(self) -> dict[str, str]:
        """The cutoffs of each language, for people."""
        return {
            f"{name} of {language}": f"perplexity below {column[percentile]}"
            for language, column in self.cutoffs.by_language.items()
            for name, percentile in (
                ("head", cutoffs.HEAD_PERCENTILE),
                ("middle", cutoffs.MIDDLE_PERCENTILE),
            )
            if percentile in column
        }

    @property
    def cutoffs(self) -> cutoffs.Cutoffs:
        """The cutoffs, which are read once per process."""
        return cutoff_table(self.table)

    def __call__(self, document: Document) -> Verdict:
        """Write the bucket to the document."""
        bucket = cutoffs.bucket(document.perplexity, document.lang or "", self.cutoffs)
        document.meta["bucket"] = bucket
        self.notes[f"bucket {bucket}"] += 1
        return KEEP


def check_bucket(bucket: str, perplexity: float | None, *, kept: frozenset[str]) -> Verdict:
    """Keep the buckets asked for (docs/rules/web.md 7).

    LLaMA does not say which buckets it kept; RedPajama keeps head and middle.
    """
    return KEEP if bucket in kept else drop(f"bucket_{bucket}", f"perplexity {perplexity}")


def score_reference(text: str, *, model: str) -> float:
    """Return the probability that Wikipedia would cite a page (docs/rules/web.md 8.3)."""
    return wikireference.probability(classifier(model), text)


def check_reference(score: float, url: str | None, *, decision: str, threshold: float) -> Verdict:
    """Decide by the stored score, rounded to 4 decimals (docs/rules/web.md 8.3)."""
    score = round(score, 4)  # the column is a float of 32 bits
    if decision == "pareto":
        return wikireference.check_pareto(score, url or "")
    return wikireference.check_threshold(score, threshold=threshold)
