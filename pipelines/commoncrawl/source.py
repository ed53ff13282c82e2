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

import logging
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import apache_beam as beam

from filters.commoncrawl.cutoffs import Bucket, check_model, fingerprint_of
from filters.commoncrawl.paragraphs import check_length, plain_controls
from pipelines.commoncrawl.digests import (
    document_id,
    earlier_digests,
    earlier_files,
    earlier_runs,
    staged_claim,
)
from pipelines.commoncrawl.stages import (
    WET,
    IdentifyLanguage,
    NameBucket,
    PageReader,
    RemoveDuplicates,
    check_bucket,
    check_language,
    check_reference,
    kind_of,
    measure_perplexity,
    read_documents,
    score_reference,
    unit_keys,
)
from pipelines.engine.output import Output, RejectPolicy
from pipelines.engine.passes import Committed, Recipe, RunUnits, Units
from pipelines.engine.plan import Pass, Plan
from pipelines.engine.runs import Run, RunError
from pipelines.engine.settings import setting
from pipelines.engine.stages import Keep, Ledger, Rewrite, Score, Stage
from pipelines.engine.units import Unit, name_units
from pipelines.joins.claims import bucket_count
from pipelines.joins.lines import TOPIC, DuplicateParagraphs, Duplicates, EmitKeys
from pipelines.joins.settle import Meeting, Settle
from pipelines.models.cards import ModelFiles
from pipelines.models.lm_cutoffs import FAIR_SAMPLE, CutoffSample, make_cutoffs
from pipelines.models.load import (
    LanguageModels,
    classifier,
    cutoff_table,
    language_model,
)
from pipelines.readers.warc import ExtractorError, load_extractor
from pipelines.setup.langid import find_langid
from pipelines.storage.files import InputFile, basename
from pipelines.storage.listing import (
    LISTING,
    PREFIX,
    SHARDS,
    WebInput,
    crawl_path,
    dump_of,
    find_web_inputs,
    group_of,
    shard_of,
)
from tokenizer.files import sha256_of

DIGEST_STAGE = "commoncrawl.digest"
REFERENCE_STAGE = "commoncrawl.reference"
# Bytes of claims a byte of compressed input: for the number of buckets. Measured on the sample.
CLAIM_BYTES_PER_BYTE = 0.7
DIGEST_BYTES_PER_BYTE = 0.05
CUTOFF_FILES = 8  # on which missing cutoffs are measured: some 100,000 English pages of a dump
TYPICAL_BYTES = 100_000_000  # of a WET file, where its size is not known before it is opened (2.1)


@dataclass(frozen=True)
class CommonCrawlConfig:
    """Settings of the source, as flags and as keys of a recipe."""

    input: tuple[str, ...] = setting(
        help="WET (or WARC) files: paths, globs, addresses; or one listing, wet.paths.gz"
    )
    prefix: str = setting(PREFIX, help="what comes before the paths of a listing")
    profile: Literal["default", "cc_net"] = setting(
        "default", help="cc_net: what cc_net gives, all languages and buckets, for comparison"
    )
    dump: str = setting("", help="name of the dump, e.g. 2019-09, where the paths do not say it")
    langid: str = setting(
        "", help="fastText model of languages, lid.176.bin (default: set-up's small lid.176.ftz)"
    )
    models: str = setting("", help="folder of {lang}.sp.model, {lang}.arpa.bin and cutoffs.csv")
    wikiref: str = setting("", help="fastText model of Wikipedia's references; off without one")
    min_chars: int = setting(300, help="characters of a page, at least, before anything else")
    min_chars_after_dedup: int = setting(0, help="characters left by deduplication, at least")
    scope: Literal["shard", "dump_group", "dump", "corpus"] = setting(
        "dump_group", help="where paragraphs must be unique: 1/1600, 1/32 of a dump, or more"
    )
    shards: int = setting(SHARDS, help="shards of a dump; 50 of them are a group")
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
    def langid_path(self) -> str:
        """Where the model of language identification lies; raises SetupError."""
        return self.langid or str(find_langid())

    @property
    def reader(self) -> PageReader:
        """How the files are read."""
        return PageReader(self.extractor, self.line_based)

    @property
    def language_models(self) -> LanguageModels:
        """Where the language models lie."""
        return LanguageModels(self.models, self.cutoffs)


def page_stages(
    config: CommonCrawlConfig, _unit: Unit, verdicts: dict[str, Any]
) -> Sequence[Stage]:
    """Return the stages of a page, cheap ones first, in the order of CCNet (3)."""
    models = config.language_models
    stages: list[Stage] = [
        Keep("commoncrawl.length", partial(check_length, min_characters=config.min_chars)),
        RemoveDuplicates(
            verdicts.get(TOPIC) or Duplicates(()),
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
    measure = partial(measure_perplexity, models=models, per_line=config.per_line)
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
    if not config.models:
        raise RunError(
            "--models is missing: give the folder of the language models; "
            "`python -m pipelines lm` makes one from a Wikipedia run"
        )
    models = config.language_models
    if not config.every_language:
        for language in config.languages:
            if not models.ngrams(language):
                raise RunError(
                    f"--models {config.models}: no {language}.sp.model with {language}.arpa.bin. "
                    f"Make them with `python -m pipelines lm --lang {language} --out "
                    f"{config.models}`, or leave {language} out of --languages."
                )
    if unknown := sorted(set(config.buckets) - set(get_args(Bucket))):
        raise RunError(f"--buckets {unknown[0]}: give some of {', '.join(get_args(Bucket))}")
    try:
        load_extractor(config.extractor)
    except ExtractorError as error:
        raise RunError(f"--extractor: {error}") from error
    if config.scope in ("dump", "corpus") and config.keep == "none":
        logging.getLogger(__name__).warning(
            "--scope %s with --keep none drops every paragraph that occurs twice anywhere; cc_net "
            "looks at 1/32 of a dump. Did you mean --keep first?",
            config.scope,
        )


def make_cutoffs_if_missing(config: CommonCrawlConfig, paths: Sequence[str]) -> None:
    """Measure the cutoffs of the models on files of this run, where the models have none (7).

    Raises:
        RunError: there are no pages to measure them on.
    """
    models = config.language_models
    if config.cutoffs or Path(models.table).is_file():
        return
    wet = [path for path in paths if kind_of(path) == WET]
    if not wet:
        raise RunError(
            f"{models.table}: no cutoffs, which tell what perplexity is good, and no WET files to "
            "measure them on. Give --cutoffs published for cc_net's models, or make a table with "
            f"`python -m pipelines lm --out {config.models} --cutoffs-from WET ...`."
        )
    say = logging.getLogger(__name__).warning
    sample = CutoffSample(
        # Of the whole range of a dump, in the order of its listing.
        inputs=tuple(wet[:: -(-len(wet) // CUTOFF_FILES)]),
        documents=FAIR_SAMPLE,
        langid=config.langid,
        min_language_score=config.min_language_score,
        per_line=config.per_line,
    )
    say("%s: not there; measuring cutoffs on files of this run", models.table)
    for language in models.languages() if config.every_language else config.languages:
        make_cutoffs(ModelFiles(Path(config.models), language), sample, say)


def model_facts(config: CommonCrawlConfig) -> dict[str, Any]:
    """Return the hashes of the models, and check that the cutoffs were made with them (7, 14).

    Raises:
        RunError: the cutoffs belong to other models.
    """
    models = config.language_models
    languages = models.languages() if config.every_language else list(config.languages)
    unit: Literal["line", "document"] = "line" if config.per_line else "document"
    fingerprints = {}
    try:
        table = cutoff_table(models.table)
        for language in languages:
            paths = models.pieces(language), models.ngrams(language)
            fingerprints[language] = fingerprint_of(*paths)
            model = language_model(*paths)
            check_model(table, language, model, fingerprints[language], unit=unit)
        classifier(config.langid_path)
        if config.wikiref:
            classifier(config.wikiref)
    except ValueError as error:  # CutoffError is one
        raise RunError(str(error)) from error
    return {
        "model_hashes": {
            "langid": sha256_of(Path(config.langid_path)),
            "language_models": {name: asdict(value) for name, value in fingerprints.items()},
            "cutoffs": {
                name: {str(percentile): value for percentile, value in column.items()}
                for name, column in table.by_language.items()
                if name in fingerprints
            },
            **({"wikiref": sha256_of(Path(config.wikiref))} if config.wikiref else {}),
        }
    }


def places(config: CommonCrawlConfig) -> list[tuple[str, WebInput]]:
    """Return the inputs, each with its dump and its place in that dump's listing (2.1).

    Raises:
        StorageError: an input is not there.
        RunError: two inputs have one name: their pages would have the same ids.
    """
    found = find_web_inputs(config.input, prefix=config.prefix)
    dumps = [config.dump or dump_of(file.path) for file in found]
    sizes, seen = Counter(dumps), Counter[str]()
    placed, stems = [], dict[str, str]()
    for file, dump in zip(found, dumps, strict=True):
        if other := stems.get(stem_of(file.path)):
            raise RunError(
                f"{file.path} and {other} have one name, from which pages get their ids: rename "
                "one, or leave it out"
            )
        stems[stem_of(file.path)] = file.path
        if any(map(LISTING.search, config.input)):
            placed.append((dump, file))
        else:
            placed.append((dump, replace(file, index=seen[dump], files=sizes[dump])))
        seen[dump] += 1
    return placed


def stem_of(path: str) -> str:
    """Return the name of a file without its endings.

    >>> stem_of("crawl-data/CC-MAIN-20190215183319-20190215205319-00000.warc.wet.gz")
    'CC-MAIN-20190215183319-20190215205319-00000'
    """
    return basename(path).split(".")[0]


def scope_name(config: CommonCrawlConfig, dump: str, file: WebInput) -> tuple[str, int]:
    """Return the scope in which the paragraphs of a file must be unique (4.4)."""
    if config.scope == "corpus":
        return "", 0
    if config.scope == "dump":
        return dump, 0
    part = shard_of if config.scope == "shard" else group_of
    return dump, part(file.index, file.files, config.shards)


def plan(config: CommonCrawlConfig) -> Plan:
    """Find the inputs and say what is to be done with them.

    Raises:
        StorageError: an input is not there.
        RunError: a setting is wrong, or a model is missing or does not fit.
    """
    check_config(config)
    files = places(config)
    make_cutoffs_if_missing(config, [file.path for _, file in files])
    scopes = [scope_name(config, dump, file) for dump, file in files]
    numbers = {scope: number for number, scope in enumerate(sorted(set(scopes)))}
    named = name_units(
        [(InputFile(file.path, max(file.size, 0)), kind_of(file.path)) for _, file in files]
    )
    units = [
        replace(
            unit,
            extra={
                "stem": stem_of(file.path),
                "segment": crawl_path(file.path),
                "dump": dump,
                "index": file.index,
                "scope": numbers[scope],
            },
        )
        for unit, (dump, file), scope in zip(named, files, scopes, strict=True)
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
    return Plan(units, {}, passes, stages, model_facts(config) | earlier_runs(config.after))


def scope_of(unit: Unit) -> tuple[int, str]:
    """Return the scope of a unit, and its order there: dump, then place in the listing."""
    return unit.extra["scope"], f"{unit.extra['dump']}/{unit.extra['index']:08d}"


def units_of_open_scopes(run: Run, units: Sequence[Unit], folders: Collection[str]) -> list[Unit]:
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
            sizes[unit.extra["scope"]] += unit.size or TYPICAL_BYTES
        buckets = bucket_count(int(CLAIM_BYTES_PER_BYTE * max(sizes.values())))
        units = root | "units" >> Units(waiting)
        keys = partial(
            unit_keys,
            config.reader,
            config.keep,
            config.min_chars,
            strip_accents=config.strip_accents,
        )
        # First meeting: the paragraphs of a scope. Text is not shuffled, it is read again.
        emit = EmitKeys(run, keys, scope_of, buckets)
        duplicates = units | "paragraphs" >> DuplicateParagraphs(emit, config.keep)
        pages = Recipe(
            "commoncrawl",
            partial(read_documents, config.reader),
            partial(page_stages, config),
            verdicts=Duplicates,
        )
        cleaned.append((units, duplicates) | "clean pages" >> RunUnits(pages, curated))
    if done:  # an interrupted run had come so far
        cleaned.append(root | "cleaned" >> Committed(done))
    if config.settles:
        # Second meeting: digests of whole pages, those of earlier runs first.
        size = sum(unit.size or TYPICAL_BYTES for unit in plan.units)
        meeting = Meeting(
            written,
            DIGEST_STAGE,
            "duplicate_digest",
            bucket_count(int(DIGEST_BYTES_PER_BYTE * size)),
            after=earlier_files(config.after),
            earlier=earlier_digests,
            then=[reference_stage(config)] if config.wikiref else [],
            describe=document_id,
        )
        _ = cleaned | "all units" >> beam.Flatten() | "settle" >> Settle(meeting)


# What a real dump gives (12), in percent: outside of it a setting or a model is likely wrong.
EXPECTED = {
    "characters left by deduplication": (20, 60),
    "pages in the languages kept": (35, 50),
    "pages in bucket head": (20, 40),
    "pages in bucket middle": (20, 40),
    "pages in bucket tail": (30, 50),
    "pages kept by the classifier": (5, 60),
}


def review(ledger: Ledger) -> list[str]:
    """Say what of a run is far from what a real dump of English pages gives."""
    shares: dict[str, tuple[float, float]] = {}
    if tally := ledger.stages.get(RemoveDuplicates.name):
        shares["characters left by deduplication"] = tally.characters_out, tally.characters_in
    if tally := ledger.stages.get("commoncrawl.language"):
        shares["pages in the languages kept"] = tally.documents_out, tally.documents_in
    named = sum(ledger.notes[f"bucket {name}"] for name in ("head", "middle", "tail"))
    for name in ("head", "middle", "tail"):
        shares[f"pages in bucket {name}"] = ledger.notes[f"bucket {name}"], named
    if tally := ledger.stages.get(REFERENCE_STAGE):
        shares["pages kept by the classifier"] = tally.documents_out, tally.documents_in
    remarks = []
    for what, (part, whole) in shares.items():
        low, high = EXPECTED[what]
        if whole and not low <= 100 * part / whole <= high:
            remarks.append(
                f"{what}: {100 * part / whole:.0f} %, {low} to {high} % is usual for a whole dump"
            )
    return remarks
