"""GitHub: permissively licensed source files (section 2.1, "Github", 4.5 % of the mixture).

The inputs are exports of BigQuery's ``github_repos`` (``spec/sources.md`` 1). A record is a file:
a row of ``files``, or of the reference query's joined export. In the order of the spec's 1.2:

1. the licence of its repository is looked up, a join by claims, and must be permissive;
2. its path and its extension must be those of source code;
3. of all paths of one blob the smallest (repository, path) wins, and goes where the content lies;
4. there the text is normalised, loses its licence header, and is measured;
5. of equal cleaned texts the smallest (repository, path) wins.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Literal

from filters.github import headers, licenses, quality
from filters.github import paths as source_paths
from filters.github.generated import check_generated, check_generated_documentation
from filters.github.languages import language_of_file
from filters.verdict import Verdict
from pipelines.engine.documents import Document
from pipelines.engine.errors import MachineError, RunError
from pipelines.engine.passes import Write
from pipelines.engine.plan import Inputs
from pipelines.engine.settings import setting
from pipelines.engine.source import Phase, Source
from pipelines.engine.stages import Keep, Rewrite, Score, Stage
from pipelines.engine.steps import Topic, Verdicts
from pipelines.engine.units import Unit
from pipelines.github.claims import (
    KeepOnePerBlob,
    blob_claims,
    decide_blobs,
    license_claims,
    rank_of,
)
from pipelines.github.files import (
    BLOBS,
    CONTENTS,
    FACT_COLUMNS,
    FACTS,
    JOINED,
    LICENSES,
    classify,
    converter,
    records,
)
from pipelines.github.stages import RemoveHeader
from pipelines.joins.claims import Claims, RowVerdicts, deciding, digest_key, look_up
from pipelines.joins.settle import Settle
from pipelines.storage.files import find_inputs
from tokenizer.model import Tokenizer, TokenizerError

LANGUAGE_COLUMNS = ("meta.path", "text", "meta.repo_languages")


@dataclass(frozen=True)
class GithubConfig:
    """Settings of the source, as flags and as keys of a recipe."""

    input: tuple[str, ...] = setting(
        help="BigQuery exports: files, globs, or directories (Parquet, JSON lines, Avro)"
    )
    profile: Literal["default", "redpajama"] = setting(
        "default", help="redpajama: what RedPajama v1 does, for comparison"
    )
    licenses: tuple[str, ...] = setting(
        tuple(sorted(licenses.PERMISSIVE)), help="licence keys that are kept"
    )
    keep_license_files: bool = setting(False, help="keep LICENSE, COPYING and NOTICE files")
    keep_vendored: bool = setting(False, help="keep files under vendor/, node_modules/, ...")
    keep_minified: bool = setting(False, help="keep *.min.js and *.min.css")
    drop_generated: bool = setting(False, help="drop files that say they are generated")
    keep_generated_docs: bool = setting(False, help="keep pages of Doxygen, javadoc, Sphinx, ...")
    keep_copyleft_notices: bool = setting(
        False, help="keep files whose own notice puts them under the GPL or the AGPL"
    )
    max_line_length: int = setting(1000, help="longest line, in characters")
    avg_line_length: float = setting(100.0, help="characters of the file a line, at most")
    min_alnum_ratio: float = setting(0.25, help="alphanumeric share of the characters, at least")
    token_counter: str = setting(
        "",
        help="SentencePiece model for redpajama's rule on letters per token; off without one",
        place=True,
    )
    rejects: str = setting("all", help="rejects to keep: all, sample:F, ids or none")

    @property
    def redpajama(self) -> bool:
        """Whether the profile is RedPajama's."""
        return self.profile == "redpajama"


def gates(config: GithubConfig) -> list[Stage]:
    """Return the stages that need no text (1.2, steps 2 to 4)."""
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
    """Return the stages that read the text (1.2, steps 5 to 7)."""
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
    if config.redpajama:  # its rules see byte order marks and carriage returns
        before = [Rewrite("github.header", headers.strip_header_redpajama)]
        after = [Rewrite("github.normalize", partial(quality.normalize_source, keep_mark=True))]
    else:
        before, after = [Rewrite("github.normalize", quality.normalize_source)], []
    return [
        *before,
        Keep("github.binary", quality.check_binary_like),
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
        *after,
    ]


def measure(text: str) -> dict[str, float]:
    """Return the statistics of a file as they go into ``meta`` (1.7)."""
    return quality.source_statistics(text)._asdict()


def check_measured(
    text: str,
    path: str,
    *statistics: float,
    thresholds: quality.Thresholds,
    token_counter: str = "",
    measure_prose: bool = False,
) -> Verdict:
    """Judge a file by what :func:`measure` measured."""
    return quality.check_source_file(
        text,
        path,
        thresholds=thresholds,
        measure_prose=measure_prose,
        count_tokens=partial(count_tokens, token_counter) if token_counter else None,
        statistics=quality.SourceStatistics(*statistics),  # type: ignore[arg-type] # meta holds its fields
    )


def count_tokens(model: str, text: str) -> int:
    """Count the tokens of a text (RedPajama does with GPT-NeoX's tokenizer; 1.5)."""
    return len(load_counter(model).encode(text))


@lru_cache(1)
def load_counter(model: str) -> Tokenizer:
    """Load a tokenizer once per process; raises MachineError."""
    try:
        return Tokenizer(model)
    except TokenizerError as error:
        raise MachineError(f"--token-counter: {error}") from error


def text_claim(document: Document) -> dict[str, Any]:
    """Return the claim of a cleaned text on being the only one of its kind (1.6, key (b))."""
    meta = document.meta
    return {
        "claim_key": digest_key(quality.clean_key(document.text)),
        "claim_rank": rank_of(meta["repo_name"], meta["path"]),
        "claim_count": meta["copies"],
    }


def find(config: GithubConfig) -> Inputs:
    """Find the tables of the export.

    Raises:
        StorageError: an input is not there.
        RunError: the inputs do not make up a data set, or a setting is wrong.
    """
    counter = ""
    if config.token_counter:
        if not config.redpajama:
            raise RunError("--token-counter belongs to --profile redpajama: give both or neither")
        counter = load_counter(config.token_counter).sha256
    units, unreadable = classify(find_inputs(config.input))
    return Inputs(units, unreadable, {"token_counter_sha256": counter})


def holds_texts(unit: Unit) -> bool:
    """Tell a unit of contents, or of a joined export, from the tables."""
    return unit.kind in (CONTENTS, JOINED)


def holds_no_texts(unit: Unit) -> bool:
    """Tell a table from the units that hold texts."""
    return not holds_texts(unit)


def phases(config: GithubConfig, units: Sequence[Unit]) -> list[Phase]:
    """Return what is done with the tables of an export, in order."""
    licences_meet = Claims(
        "look up licences",
        LICENSES_TOPIC,
        license_claims,
        deciding(partial(look_up, facts=FACT_COLUMNS)),
    )
    blobs_meet = Claims(
        "choose files",
        BLOBS_TOPIC,
        partial(blob_claims, gates=gates(config)),
        deciding(decide_blobs),
        wants=[LICENSES_TOPIC],
    )
    texts_meet = Settle("github.duplicate_text", "duplicate_text", text_claim, of=holds_texts)
    # Files that lost are rejected by their table; those that won send for their text.
    reject_files = Write(
        "reject files",
        records,
        converter,
        partial(file_stages, config),
        wants=[LICENSES_TOPIC, BLOBS_TOPIC],
        of=holds_no_texts,
        send=True,
    )
    clean_texts = Write(
        "write texts" if config.redpajama else "clean",
        records,
        converter,
        partial(text_stages, config),
        wants=[LICENSES_TOPIC, BLOBS_TOPIC],
        of=holds_texts,
        arrive=not any(unit.kind == JOINED for unit in units),
        staged=None if config.redpajama else texts_meet.staged,
    )
    return [
        licences_meet,
        blobs_meet,
        reject_files,
        clean_texts,
        *([] if config.redpajama else [texts_meet]),
    ]


def file_stages(config: GithubConfig, unit: Unit, verdicts: Verdicts) -> Sequence[Stage]:
    """Return the stages of a unit of files, which reads no text."""
    if unit.kind in FACTS:
        return []
    return [*gates(config), KeepOnePerBlob(unit, verdicts, gates(config))]


def text_stages(config: GithubConfig, unit: Unit, verdicts: Verdicts) -> Sequence[Stage]:
    """Return the stages of a unit of texts; a joined export goes through the gates as well."""
    stages = cleaning(config)
    return stages if unit.kind == CONTENTS else [*file_stages(config, unit, verdicts), *stages]


def check_worker(config: GithubConfig, facts: Mapping[str, Any]) -> None:
    """Compare the tokenizer that counts on a worker with the one that the run was begun with.

    Raises:
        MachineError: it is missing here, or is another one.
    """
    if config.token_counter and (
        load_counter(config.token_counter).sha256 != facts["token_counter_sha256"]
    ):
        raise MachineError(
            f"--token-counter: {config.token_counter} is another model on this worker than on the "
            "launcher. Put the launcher's there, and run the same command again."
        )


LICENSES_TOPIC = Topic(LICENSES, RowVerdicts)
BLOBS_TOPIC = Topic(BLOBS, RowVerdicts)
GITHUB = Source("github", GithubConfig, find, phases, check_worker=check_worker)
