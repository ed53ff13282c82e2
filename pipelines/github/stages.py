"""The stages of a source file, in the order of docs/rules/sources.md 1.2."""

from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from filters.github import headers, licenses, quality
from filters.github import paths as source_paths
from filters.github.generated import check_generated, check_generated_documentation
from filters.github.headers import split_header
from filters.github.languages import language_of_file
from filters.github.notice_licenses import check_notice_license, notice_license, other_license
from filters.verdict import KEEP, Verdict
from pipelines.engine.documents import Document
from pipelines.engine.errors import MachineError
from pipelines.engine.stages import Keep, Rewrite, Score, Stage
from pipelines.github.config import GithubConfig

if TYPE_CHECKING:
    from tokenizer.model import Tokenizer

LANGUAGE_COLUMNS = ("meta.path", "text", "meta.repo_languages")


def gates(config: GithubConfig) -> list[Stage]:
    """Return the stages that need no text (docs/rules/sources.md 1.2, steps 2 to 4)."""
    rules = (
        source_paths.REDPAJAMA_PATH_RULES
        if config.redpajama
        else source_paths.PathRules(
            license_files=not config.keep_license_files,
            vendored=not config.keep_vendored,
            minified=not config.keep_minified,
        )
    )
    check_license = partial(
        licenses.check_license, allowed=frozenset(config.licenses), profile=config.profile
    )
    return [
        Keep("github.license", check_license, ("meta.license",)),
        Keep(
            "github.path",
            partial(source_paths.check_path, rules=rules),
            ("meta.path", "meta.mode"),
        ),
        Keep(
            "github.extension",
            partial(source_paths.check_extension, profile=config.profile),
            ("meta.path",),
        ),
    ]


def cleaning(config: GithubConfig) -> list[Stage]:
    """Return the stages that read the text (docs/rules/sources.md 1.2, steps 5 to 7)."""
    thresholds = quality.Thresholds(
        max_line=config.max_line_length,
        mean_line=config.avg_line_length,
        min_alnum=config.min_alnum_ratio,
        min_alpha_per_token=quality.REDPAJAMA_THRESHOLDS.min_alpha_per_token
        if config.token_counter
        else None,
    )
    text_and_path = ("text", "meta.path")
    generated: list[Stage] = []
    if not (config.redpajama or config.keep_generated_docs):
        check = check_generated_documentation
        generated.append(Keep("github.generated_documentation", check, text_and_path))
    if config.drop_generated:
        check = partial(check_generated, documentation=not config.keep_generated_docs)
        generated.append(Keep("github.generated", check, text_and_path))
    # RedPajama reads and writes texts as they are: byte order marks, carriage returns and all.
    start: list[Stage] = [
        Rewrite("github.normalize", quality.normalize_source),
        Keep("github.binary", quality.check_binary_like),
    ]
    if config.redpajama:
        start = [
            Rewrite("github.normalize", quality.replace_surrogates),
            Rewrite("github.header", headers.strip_header_redpajama),
        ]
    return [
        *start,
        Score("github.language", language_of_file, "meta.language", LANGUAGE_COLUMNS),
        *generated,
        *([] if config.redpajama else [RemoveHeader(not config.keep_copyleft_notices)]),
        Score("github.measure", measure, into="meta"),
        Keep(
            "github.quality",
            partial(
                check_measured,
                thresholds=thresholds,
                token_counter=config.token_counter,
                measure_prose=config.redpajama,
            ),
            ("text", "meta.path", *(f"meta.{name}" for name in quality.SourceStatistics._fields)),
        ),
    ]


def measure(text: str) -> dict[str, float]:
    """Return the statistics of a file as they go into ``meta`` (docs/rules/sources.md 1.7)."""
    return quality.source_statistics(text)._asdict()


def check_measured(
    text: str,
    path: str,
    *statistics: float,
    thresholds: quality.Thresholds,
    token_counter: str = "",
    measure_prose: bool = False,
) -> Verdict:
    """Return the verdict on a file, from the statistics of :func:`measure`."""
    return quality.check_source_file(
        text,
        path,
        thresholds=thresholds,
        measure_prose=measure_prose,
        count_tokens=partial(count_tokens, token_counter) if token_counter else None,
        statistics=quality.SourceStatistics(*statistics),  # type: ignore[arg-type] # meta holds its fields
    )


def count_tokens(model: str, text: str) -> int:
    """Count the tokens of a text, as RedPajama does (docs/rules/sources.md 1.5)."""
    return len(load_counter(model).encode(text))


@lru_cache(1)
def load_counter(model: str) -> "Tokenizer":
    """Load a tokenizer once per process; raise MachineError if it cannot be loaded."""
    from tokenizer.model import Tokenizer, TokenizerError  # noqa: PLC0415 - few runs count tokens

    try:
        return Tokenizer(model)
    except TokenizerError as error:
        raise MachineError(f"--token-counter: {error}") from error


@dataclass(frozen=True)
class RemoveHeader:
    """Remove the licence header, and check the licence that it states.

    If that licence is not the one of the repository, it is written to ``meta.notice_license``.
    """

    drop_copyleft: bool = True
    name: str = "github.header"

    def __call__(self, document: Document) -> Verdict:
        """Drop a file whose own notice puts it under strong copyleft."""
        meta = document.meta
        header = split_header(document.text, meta.get("path") or "")
        if not header.notice:
            return KEEP
        document.text = header.text
        stated = notice_license(header.notice)
        if other := other_license(stated, meta.get("license")):
            meta["notice_license"] = other
        return check_notice_license(stated, meta.get("license")) if self.drop_copyleft else KEEP
