"""The settings of Common Crawl, and the checks on them before any work."""

import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from filters.commoncrawl.cutoffs import Bucket, check_model, fingerprint_of
from pipelines.commoncrawl.records import PageReader
from pipelines.engine.errors import RunError
from pipelines.models.load import LanguageModels, classifier, cutoff_table, language_model
from pipelines.setup.langid import find_langid
from pipelines.storage.listing import PREFIX, SHARDS
from tokenizer.files import sha256_of
from tokenizer.settings import setting


@dataclass(frozen=True)
class CommonCrawlConfig:
    """Settings of the source, as flags and as keys of a recipe."""

    input: tuple[str, ...] = setting(
        help="WET (or WARC) files: paths, globs, addresses; or one listing, wet.paths.gz"
    )
    prefix: str = setting(PREFIX, help="address that the paths of a listing follow")
    profile: Literal["default", "cc_net"] = setting(
        "default", help="cc_net: the output of cc_net, with all languages and buckets"
    )
    dump: str = setting("", help="name of the dump, e.g. 2019-09, if the paths do not name it")
    langid: str = setting(
        "",
        help="fastText model that identifies languages (default: lid.176.ftz of set-up)",
        place=True,
        on_workers=True,
    )
    models: str = setting(
        "",
        help="folder of {lang}.sp.model, {lang}.arpa.bin and cutoffs.csv",
        place=True,
        on_workers=True,
    )
    wikiref: str = setting(
        "",
        help="fastText model of Wikipedia's references (default: none)",
        place=True,
        on_workers=True,
    )
    min_chars: int = setting(
        300, at_least=0, help="characters of a page, at least, before any other step"
    )
    min_chars_after_dedup: int = setting(
        0, at_least=0, help="characters that deduplication leaves, at least"
    )
    scope: Literal["shard", "dump_group", "dump", "corpus"] = setting(
        "dump_group", help="scope of paragraphs: 1/1600 or 1/32 of a dump, a dump, or all"
    )
    shards: int = setting(SHARDS, at_least=1, help="shards per dump; 50 shards are a group")
    keep: Literal["none", "first"] = setting("none", help="which copy of a paragraph is kept")
    within_document: bool = setting(True, help="drop repeats of a line within a page")
    strip_accents: bool = setting(False, help="ignore accents when paragraphs are compared")
    languages: tuple[str, ...] = setting(("en",), help="languages to keep; all: every language")
    min_language_score: float = setting(
        0.5, at_least=0, at_most=1, help="lowest score of the language, 0 to 1"
    )
    langid_chars: int = setting(
        0, at_least=0, help="characters that are looked at; 0: the whole page"
    )
    per_line: bool = setting(False, help="score lines, not pages; needs cutoffs made with it")
    cutoffs: str = setting(
        "",
        help="table of cutoffs, or published (default: the one in --models)",
        place=True,
        on_workers=True,
    )
    buckets: tuple[str, ...] = setting(
        ("head", "middle"),
        help="buckets to keep: head, middle, tail, and all for pages of languages without a "
        "model; all alone: every page",
    )
    after: tuple[str, ...] = setting(
        (),
        help="earlier runs (other dumps), whose pages win over equal pages of this run",
        place=True,
        on_workers=True,
    )
    exact_duplicates: bool = setting(True, help="keep one of the pages with equal digests")
    wikiref_decision: Literal["threshold", "pareto"] = setting(
        "threshold", help="pareto: keep at random by score, as GPT-3 did"
    )
    wikiref_threshold: float = setting(
        0.25, at_least=0, at_most=1, help="lowest score of a page like a reference, 0 to 1"
    )
    line_based: bool = setting(False, help="split WET files by lines, as cc_net's reader does")
    extractor: Literal["resiliparse", "trafilatura"] = setting(
        "resiliparse", help="library that extracts text from HTML, for WARC inputs"
    )
    rejects: str = setting("all", help="rejects to keep: all, sample:F, ids or none")

    @property
    def cc_net(self) -> bool:
        """Whether the profile is ``cc_net``."""
        return self.profile == "cc_net"

    @property
    def every_language(self) -> bool:
        """Whether pages of all languages are kept."""
        return self.cc_net or self.languages == ("all",)

    @property
    def every_bucket(self) -> bool:
        """Whether pages of all buckets are kept."""
        return self.cc_net or self.buckets == ("all",)

    @property
    def settles(self) -> bool:
        """Whether pages are staged, and decided on by their digests."""
        return self.exact_duplicates and not self.cc_net

    @property
    def langid_path(self) -> str:
        """The path of the language identification model; raises SetupError if there is none."""
        return self.langid or str(find_langid())

    @property
    def reader(self) -> PageReader:
        """How the files are read."""
        return PageReader(self.extractor, self.line_based)

    @property
    def language_models(self) -> LanguageModels:
        """The folder of the language models and the table of cutoffs."""
        return LanguageModels(self.models, self.cutoffs)


def check_config(config: CommonCrawlConfig) -> None:
    """Check the settings before any work.

    Raises:
        RunError: a setting is wrong or a model is missing; the message says what to do.
    """
    if not config.models:
        raise RunError(
            "--models is missing: name the folder of the language models. "
            "`python -m pipelines lm` makes one from a Wikipedia run."
        )
    for flag, path, maker in (
        ("--langid", config.langid, "fastText publishes lid.176.bin"),
        ("--wikiref", config.wikiref, "`python -m pipelines wikiref` makes one"),
    ):
        if path and not Path(path).is_file():
            raise RunError(f"{flag} {path}: no such file. Give the path of a model; {maker}.")
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
    if config.extractor != "resiliparse":  # which Corpusmill itself requires
        _check_extractor(config.extractor)
    if config.scope in ("dump", "corpus") and config.keep == "none":
        logging.getLogger(__name__).warning(
            "--scope %s with --keep none drops every paragraph that occurs twice anywhere; cc_net "
            "looks at 1/32 of a dump. Did you mean --keep first?",
            config.scope,
        )


def _check_extractor(name: str) -> None:
    """Raise RunError if an extractor is not installed."""
    # Imported here, since most runs read WET files and need no library for HTML.
    from pipelines.readers.warc import (  # noqa: PLC0415 - as said above
        ExtractorError,
        load_extractor,
    )

    try:
        load_extractor(name)
    except ExtractorError as error:
        raise RunError(f"--extractor: {error}") from error


def model_facts(config: CommonCrawlConfig) -> dict[str, Any]:
    """Return the hashes of the models, and check that the cutoffs were made with them.

    The rules are docs/rules/web.md 7 and docs/rules/web.md 14.

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
    except ValueError as error:  # such as a CutoffError
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
