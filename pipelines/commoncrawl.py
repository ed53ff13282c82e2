"""English Common Crawl (section 2.1, "English CommonCrawl", 67 % of the mixture; ``spec/web.md``).

One run is one dump, or several. In the order of CCNet and of the paper:

1. pages of WET files with at least 300 characters;
2. paragraphs that occur in two documents of a scope are dropped, every copy of them;
3. fastText names the language; English is kept;
4. an n-gram model trained on Wikipedia gives the perplexity; pages like Wikipedia are kept;
5. pages of equal digest, in this run or an earlier one, are kept once;
6. a classifier keeps pages that look like the references of Wikipedia.

The profile ``cc_net`` ends after 4 and keeps all languages and buckets, as cc_net's output does.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import apache_beam as beam

from filters import cutoffs, langid, paragraphs, wikireference
from filters.verdict import KEEP, Verdict, drop
from pipelines.claims import bucket_count, digest_key
from pipelines.crawl_inputs import CrawlFile, find_crawl_files, group_of, shard_of
from pipelines.documents import Document
from pipelines.models import (
    LanguageModels,
    file_sha256,
    load_cutoffs,
    load_fasttext,
    load_language_model,
)
from pipelines.output import Output, RejectPolicy
from pipelines.paragraphs import (
    TOPIC,
    DuplicateParagraphs,
    Duplicates,
    KeepPolicy,
    UnitKeys,
)
from pipelines.passes import Committed, Recipe, RunUnits, Units
from pipelines.plan import Pass, Plan
from pipelines.readers.rows import BadRow
from pipelines.readers.wet import WetPage, read_wet
from pipelines.runs import Run, RunError
from pipelines.settings import setting
from pipelines.settle import Meeting, Settle
from pipelines.stages import Keep, Ledger, Score, Stage
from pipelines.units import Unit

DIGEST_STAGE = "commoncrawl.digest"
REFERENCE_STAGE = "commoncrawl.reference"
# Bytes of claims a byte of compressed input: for the number of buckets. Measured on the sample.
CLAIM_BYTES_PER_BYTE = 0.7
DIGEST_BYTES_PER_BYTE = 0.05


@dataclass(frozen=True)
class CommonCrawlConfig:
    """Settings of the source, as flags and as keys of a recipe."""

    input: tuple[str, ...] = setting((), help="WET or WARC files: paths, globs, or addresses")
    listing: tuple[str, ...] = setting((), help="wet.paths.gz of a dump, instead of --input")
    prefix: str = setting(
        "https://data.commoncrawl.org/", help="what the paths of a listing begin with"
    )
    profile: Literal["default", "cc_net"] = setting(
        "default", help="cc_net: what cc_net gives, all languages and buckets, for comparison"
    )
    dump: str = setting("", help="name of the dump, e.g. 2019-09, where the paths do not say it")
    langid: str = setting("", help="fastText model of language identification: lid.176.bin")
    models: str = setting("", help="folder of {lang}.sp.model, {lang}.arpa.bin and cutoffs.csv")
    wikiref: str = setting("", help="fastText model of Wikipedia's references; off without one")
    min_chars: int = setting(300, help="characters of a page, at least, before anything else")
    min_chars_after_dedup: int = setting(0, help="characters left by deduplication, at least")
    scope: Literal["shard", "dump_group", "dump", "corpus"] = setting(
        "dump_group", help="where paragraphs must be unique: 1/1600, 1/32 of a dump, or more"
    )
    shards: int = setting(1600, help="shards of a dump; 50 of them are a group")
    keep: Literal["none", "first"] = setting("none", help="which copy of a paragraph stays")
    within_document: bool = setting(True, help="drop repeats of a line within a page")
    strip_accents: bool = setting(False, help="paragraphs that differ in accents are equal")
    languages: tuple[str, ...] = setting(("en",), help="languages that are kept; all: every one")
    min_language_score: float = setting(0.5, help="score of the language, 0 to 1, at least")
    langid_chars: int = setting(0, help="look at so many characters only; 0: the whole page")
    per_line: bool = setting(False, help="perplexity line by line; needs cutoffs made that way")
    cutoffs: str = setting("", help="table of cutoffs, or: published (default: of --models)")
    buckets: tuple[str, ...] = setting(
        ("head", "middle"), help="buckets that are kept: head, middle, tail, all"
    )
    after: tuple[str, ...] = setting(
        (), help="earlier runs (other dumps), whose pages win over equal ones of this run"
    )
    exact_duplicates: bool = setting(True, help="keep one of the pages with equal digest")
    wikiref_decision: Literal["threshold", "pareto"] = setting(
        "threshold", help="pareto: keep at random by score, as GPT-3 did"
    )
    wikiref_threshold: float = setting(0.25, help="score of a reference, 0 to 1, at least")
    line_based: bool = setting(False, help="split WET files by lines, as cc_net's reader does")
    extractor: Literal["resiliparse", "trafilatura"] = setting(
        "resiliparse", help="what makes text of HTML, for WARC inputs"
    )
    rejects: str = setting("all", help="rejects to keep: all, sample:F, ids or none")

    @property
    def cc_net(self) -> bool:
        """Whether the profile is cc_net's."""
        return self.profile == "cc_net"

    @property
    def every_language(self) -> bool:
        """Whether pages of all languages are kept."""
        return self.cc_net or self.languages == ("all",)

    @property
    def every_bucket(self) -> bool:
        """Whether pages of all buckets are kept."""
        return self.cc_net

    @property
    def settles(self) -> bool:
        """Whether pages meet once more by their digests."""
        return self.exact_duplicates and not self.cc_net

    @property
    def language_models(self) -> LanguageModels:
        """Where the language models lie."""
        return LanguageModels(self.models, self.cutoffs)


def read_pages(config: CommonCrawlConfig, unit: Unit) -> Iterator[WetPage | BadRow]:
    """Yield the pages of a file."""
    if unit.kind == "warc":
        return read_warc(unit.path, extractor=config.extractor)
    return read_wet(unit.path, line_based=config.line_based)


def read_documents(
    config: CommonCrawlConfig, unit: Unit, _verdicts: dict[str, Any], _ledger: Ledger
) -> Iterator[Document | BadRow]:
    """Yield the pages of a file as documents (2.3)."""
    stem = unit.extra["stem"]
    for page in read_pages(config, unit):
        if isinstance(page, BadRow):
            yield page
            continue
        meta: dict[str, Any] = {
            "title": page.title,
            "digest": page.digest,
            "content_length_bytes": page.content_length,
            "source_domain": page.source_domain,
            "cc_segment": unit.extra["segment"],
            "dump": unit.extra["dump"],
        }
        if page.languages:
            meta["cc_languages"] = page.languages
        if page.extractor:
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


def unit_keys(config: CommonCrawlConfig, unit: Unit) -> UnitKeys:
    """Return the keys of the paragraphs of all pages that are long enough (4.4, first pass)."""
    keys = UnitKeys(config.keep)
    for page in read_pages(config, unit):
        if not isinstance(page, BadRow) and paragraphs.check_length(page.text, config.min_chars).keep:
            found = paragraphs.paragraph_keys(page.text, strip_accents=config.strip_accents)
            keys.add(page.row, found)
    return keys


class RemoveDuplicates:
    """The stage that drops the paragraphs which the claims found twice (4.4 to 4.6)."""

    name = "commoncrawl.paragraphs"

    def __init__(self, config: CommonCrawlConfig, duplicates: Duplicates) -> None:
        self.config = config
        self.duplicates = duplicates
        self.notes: Counter[str] = Counter({"paragraph keys dropped": len(duplicates)})

    def __call__(self, document: Document) -> Verdict:
        """Rewrite the text; drop the page if nothing is left."""
        text, meta = document.text, document.meta
        keys = paragraphs.paragraph_keys(text, strip_accents=self.config.strip_accents)
        left = paragraphs.remove_paragraphs(
            text,
            keys,
            self.duplicates.among(keys, document.row),
            within_document=self.config.within_document,
        )
        meta["original_nlines"] = len(keys)
        meta["original_length"] = (
            meta["content_length_bytes"] if self.config.cc_net else len(text)
        )
        self.notes["paragraphs read"] += len(keys)
        self.notes["paragraphs kept"] += len(left.line_ids)
        if not left.text:
            return drop("all_paragraphs_duplicate")
        document.text = left.text
        meta["line_ids"] = left.line_ids
        meta["nlines"] = len(left.line_ids)
        meta["length"] = len(left.text)
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
            load_fasttext(self.model),
            document.text,
            newline=self.newline,
            max_characters=self.max_characters,
        )
        return KEEP


def measure_perplexity(
    text: str, language: str, *, models: LanguageModels, per_line: bool
) -> float | None:
    """Return the perplexity of a page, None if there is no model for its language (6.3)."""
    binary = models.binary(language)
    if not binary:
        return None
    model = load_language_model(models.pieces(language), binary)
    return model.perplexity(text, per_line=per_line)


def name_bucket(perplexity: float | None, language: str, *, table: str) -> str:
    """Return the bucket of a page (7)."""
    return cutoffs.bucket(perplexity, language, load_cutoffs(table))


def check_bucket(bucket: str, *, kept: frozenset[str]) -> Verdict:
    """Keep the buckets asked for; LLaMA does not say which, RedPajama keeps head and middle (7)."""
    return KEEP if bucket in kept else drop(f"bucket_{bucket}")


def score_reference(text: str, *, model: str) -> float:
    """Return the probability that a page is one that Wikipedia would cite (8.3)."""
    return wikireference.probability(load_fasttext(model), text)


def check_reference(
    score: float, url: str | None, *, decision: str, threshold: float
) -> Verdict:
    """Decide by the score as it is stored, rounded to 4 decimals (8.3)."""
    score = round(score, 4)  # the column is a float of 32 bits
    if decision == "pareto":
        return wikireference.check_pareto(score, url or "")
    return wikireference.check_threshold(score, threshold)


def page_stages(
    config: CommonCrawlConfig, _unit: Unit, verdicts: dict[str, Any]
) -> Sequence[Stage]:
    """Return the stages of a page, cheap ones first, in the order of CCNet (3)."""
    models = config.language_models
    stages: list[Stage] = [
        Keep("commoncrawl.length", partial(paragraphs.check_length, min_chars=config.min_chars)),
        RemoveDuplicates(config, verdicts.get(TOPIC) or Duplicates(())),
    ]
    if config.min_chars_after_dedup:
        check = partial(paragraphs.check_length, min_chars=config.min_chars_after_dedup)
        stages.append(Keep("commoncrawl.length_after_dedup", check))
    check_language = partial(
        langid.check_language,
        languages=None if config.every_language else frozenset(config.languages),
        min_score=config.min_language_score,
    )
    measure = partial(measure_perplexity, models=models, per_line=config.per_line)
    stages += [
        IdentifyLanguage(
            config.langid, "delete" if config.cc_net else "space", config.langid_chars or None
        ),
        Keep("commoncrawl.language", check_language, ("lang", "lang_score")),
        Score("commoncrawl.perplexity", measure, "perplexity", ("text", "lang")),
        Score(
            "commoncrawl.bucket_name",
            partial(name_bucket, table=models.table),
            "meta.bucket",
            ("perplexity", "lang"),
        ),
    ]
    if not config.every_bucket:
        check = partial(check_bucket, kept=frozenset(config.buckets))
        stages.append(Keep("commoncrawl.bucket", check, ("meta.bucket",)))
    if config.wikiref:
        score = partial(score_reference, model=config.wikiref)
        stages.append(Score("commoncrawl.reference_score", score, "wikiref_score"))
        if not config.settles:
            stages.append(reference_stage(config))
    return stages


def reference_stage(config: CommonCrawlConfig) -> Keep:
    """Return the decision by the classifier's score, which needs no text."""
    check = partial(
        check_reference, decision=config.wikiref_decision, threshold=config.wikiref_threshold
    )
    return Keep(REFERENCE_STAGE, check, ("wikiref_score", "url"))


def check_config(config: CommonCrawlConfig) -> None:
    """Refuse what cannot be meant, before any work.

    Raises:
        RunError: a setting is wrong or a model is missing; the message says what to do.
    """
    RejectPolicy.parse(config.rejects)
    if not config.langid:
        raise RunError("--langid is missing: give fastText's lid.176.bin (or lid.176.ftz)")
    if not config.models:
        raise RunError(
            "--models is missing: give the folder of the language models; "
            "`python -m pipelines lm` makes one from a Wikipedia run"
        )
    models = config.language_models
    if not config.every_language:
        for language in config.languages:
            if not models.binary(language):
                raise RunError(
                    f"--models {config.models}: no {language}.sp.model with {language}.arpa.bin. "
                    f"Make them with `python -m pipelines lm --lang {language} --out "
                    f"{config.models}`, or leave {language} out of --languages."
                )
    if unknown := set(config.buckets) - set(cutoffs.BUCKETS):
        raise RunError(
            f"--buckets {unknown.pop()}: give some of {', '.join(cutoffs.BUCKETS)}"
        )
    if config.scope in ("dump", "corpus") and config.keep == "none":
        logging.getLogger(__name__).warning(
            "--scope %s with --keep none drops every paragraph that occurs twice anywhere; cc_net "
            "looks at 1/32 of a dump. Did you mean --keep first?",
            config.scope,
        )


def model_facts(config: CommonCrawlConfig) -> dict[str, Any]:
    """Return the hashes of the models, and check that the cutoffs were made with them (7, 14).

    Raises:
        RunError: the cutoffs belong to other models.
    """
    models = config.language_models
    languages = models.languages() if config.every_language else list(config.languages)
    table = load_cutoffs(models.table)
    hashes = {}
    for language in languages:
        files = {
            "sentencepiece": file_sha256(models.pieces(language)),
            "kenlm": file_sha256(models.binary(language)),
        }
        hashes[language] = files
        cutoffs.check_fingerprint(table, language, files, per_line=config.per_line)
    return {
        "model_hashes": {
            "langid": file_sha256(config.langid),
            "language_models": hashes,
            "cutoffs": table.sha256,
            **({"wikiref": file_sha256(config.wikiref)} if config.wikiref else {}),
        }
    }


def scope_names(config: CommonCrawlConfig, files: Sequence[CrawlFile]) -> list[tuple[str, ...]]:
    """Return for each file the scope in which its paragraphs must be unique (4.4)."""
    names: list[tuple[str, ...]] = []
    for file in files:
        shard = shard_of(file.index, file.files, config.shards)
        group = group_of(file.index, file.files, config.shards)
        names.append(
            {
                "shard": (file.dump, f"shard {shard}"),
                "dump_group": (file.dump, f"group {group}"),
                "dump": (file.dump,),
                "corpus": (),
            }[config.scope]
        )
    return names


def plan(config: CommonCrawlConfig) -> Plan:
    """Find the inputs and say what is to be done with them.

    Raises:
        StorageError: an input is not there.
        RunError: a setting is wrong, or a model is missing or does not fit.
    """
    check_config(config)
    files = find_crawl_files(config.input, config.listing, config.prefix, dump=config.dump)
    scopes = scope_names(config, files)
    numbers = {scope: number for number, scope in enumerate(sorted(set(scopes)))}
    units = [
        replace(
            unit,
            extra={
                "stem": file.stem,
                "segment": file.segment,
                "dump": file.dump,
                "index": file.index,
                "scope": numbers[scope],
            },
        )
        for unit, file, scope in zip(
            name_units([(InputFile(file.path, file.size), file.kind) for file in files]),
            files,
            scopes,
            strict=True,
        )
    ]
    stages = [stage.name for stage in page_stages(config, units[0], {})]
    stages.append("commoncrawl.text")
    passes = [Pass("hash paragraphs", "passes/paragraphs", units)]
    if config.settles:
        passes.append(Pass("clean", "staged", units))
        stages.append(DIGEST_STAGE)
        if config.wikiref:
            stages.append(REFERENCE_STAGE)
    passes.append(Pass("write", "units", units))
    return Plan(units, {}, passes, stages, model_facts(config) | earlier_runs(config))


def rank_of(position: int, *parts: str) -> bytes:
    """Return the rank of a page among those of equal digest: earlier runs, then dump and place."""
    return "\0".join([f"{position:04d}", *parts]).encode()


def staged_claim(document: Document, *, position: int) -> dict[str, Any]:
    """Return the claim of a page on being the only one of its digest (RedPajama; 8.2 item 7)."""
    meta = document.meta
    digest = meta["digest"]
    return {
        "claim_key": digest_key("digest", digest) if digest else digest_key("text", document.text),
        "claim_rank": rank_of(
            position, meta["dump"], document.id
        ),
        "claim_count": 1,
    }


def earlier_runs(config: CommonCrawlConfig) -> dict[str, Any]:
    """Return the manifests' digests of the runs that come before, for the run's configuration."""
    return {
        "after_completed": {
            path: storage.read_bytes(open_completed(path).at("COMPLETED")).decode().strip()
            for path in config.after
        }
    }


def earlier_files(config: CommonCrawlConfig) -> list[tuple[str, str]]:
    """Return the document files of earlier runs, each with the position of its run."""
    return [
        (run.at(file["path"]), f"{position:04d}")
        for position, path in enumerate(config.after)
        for run in [open_completed(path)]
        for file in run.read_json("manifest.json")["files"]
        if file["path"].startswith("documents/")
    ]


def earlier_digests(path: str, position: str) -> pa.Table:
    """Return the claims of the documents in a file of an earlier run."""
    keys, ranks = [], []
    with storage.open_input(path) as stream:
        for row in read_rows(stream, ["id", "meta"]):
            if digest := json.loads(row["meta"])["digest"]:
                keys.append(digest_key("digest", digest))
                ranks.append(rank_of(int(position), row["id"]))
    return pa.table(
        {
            "key": pa.array(keys, pa.binary(KEY_BYTES)),
            "rank": pa.array(ranks, pa.binary()),
            "count": pa.array([1] * len(keys), pa.int64()),
        }
    )


def document_id(rank: bytes) -> str:
    """Return the id at the end of a rank."""
    return rank.rpartition(b"\0")[2].decode()


def scope_of(unit: Unit) -> tuple[int, str]:
    """Return the scope of a unit, and its order there: dump, then place in the listing."""
    return unit.extra["scope"], f"{unit.extra['dump']}/{unit.extra['index']:08d}"


def units_of_open_scopes(run: Run, units: Sequence[Unit], folders: Sequence[str]) -> list[Unit]:
    """Return the units of all scopes in which one is not committed (DESIGN 3).

    A paragraph is judged by all units of its scope, so they are all read again; a scope that is
    done is left alone.
    """
    present = set().union(*(run.names(folder) for folder in folders))
    missing = {unit.extra["scope"] for unit in units if unit.name not in present}
    return [unit for unit in units if unit.extra["scope"] in missing]


def commoncrawl(root: beam.Pipeline, plan: Plan, config: CommonCrawlConfig, run: Run) -> None:
    """Curate the units; each commits its documents and rejects in the run directory."""
    written = Output(run, RejectPolicy.parse(config.rejects))
    curated = written
    if config.settles:
        claim = partial(staged_claim, position=len(config.after))
        curated = replace(written, staged=claim)
    waiting = units_of_open_scopes(run, plan.units, {*curated.sidecars, "units"})
    waiting_names = {unit.name for unit in waiting}
    done = [unit for unit in plan.units if unit.name not in waiting_names]
    cleaned = []
    if waiting:
        sizes = Counter[int]()
        for unit in waiting:
            sizes[unit.extra["scope"]] += unit.size
        buckets = bucket_count(int(CLAIM_BYTES_PER_BYTE * max(sizes.values())))
        units = root | "units" >> Units(waiting)
        # First meeting: the paragraphs of a scope. Text is not shuffled, it is read again.
        duplicates = units | "paragraphs" >> DuplicateParagraphs(
            run, "paragraphs", partial(unit_keys, config), scope_of, config.keep, buckets
        )
        pages = Recipe(
            "commoncrawl",
            partial(read_documents, config),
            partial(page_stages, config),
            verdicts=Duplicates,
        )
        cleaned.append((units, duplicates) | "clean pages" >> RunUnits(pages, curated))
    if done:  # an interrupted run had come so far
        cleaned.append(root | "cleaned" >> Committed(done))
    if config.settles:
        # Second meeting: digests of whole pages, those of earlier runs first.
        size = sum(unit.size for unit in plan.units)
        meeting = Meeting(
            written,
            DIGEST_STAGE,
            "duplicate_digest",
            bucket_count(int(DIGEST_BYTES_PER_BYTE * size)),
            after=earlier_files(config),
            earlier=earlier_digests,
            then=[reference_stage(config)] if config.wikiref else [],
            name_of=document_id,
        )
        _ = cleaned | "all units" >> beam.Flatten() | "settle" >> Settle(meeting)
