"""GitHub: permissively licensed source files (section 2.1, "Github", 4.5 % of the mixture).

The inputs are exports of BigQuery's ``github_repos`` (``spec/sources.md`` 1). A record is a file:
a row of ``files``, or of the reference query's joined export. In the order of the spec's 1.2:

1. the licence of its repository is looked up, a join by claims, and must be permissive;
2. its path and its extension must be those of source code;
3. of all paths of one blob the smallest (repository, path) wins, and goes where the content lies;
4. there the text is normalised, loses its licence header, and is measured;
5. of equal cleaned texts the smallest (repository, path) wins.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Literal

import apache_beam as beam

from filters.github import headers, licenses
from filters.github import paths as source_paths
from filters.github import quality as code
from filters.verdict import Verdict
from pipelines.engine.documents import Document
from pipelines.engine.output import Output, RejectPolicy
from pipelines.engine.passes import Claims, Committed, Recipe, RunUnits, Units
from pipelines.engine.plan import Pass, Plan
from pipelines.engine.runs import Run, RunError
from pipelines.engine.settings import setting
from pipelines.engine.stages import Keep, Rewrite, Score, Stage
from pipelines.engine.units import Unit
from pipelines.github.claims import STAGE as BLOB_STAGE
from pipelines.github.claims import (
    BlobStanding,
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
    read_unit,
)
from pipelines.joins.claims import Decide, Verdicts, bucket_count, digest_key, look_up
from pipelines.joins.settle import Meeting, Settle
from pipelines.storage.files import find_inputs
from tokenizer.model import Tokenizer, TokenizerError

# Claims a byte of input, for the number of buckets: a claim holds about its row of `files`, which
# compresses well; beside a text it is small. More buckets than need be cost a message a unit each.
CLAIM_BYTES_PER_TABLE_BYTE = 4.0
CLAIM_BYTES_PER_TEXT_BYTE = 0.1
TEXT_STAGE = "github.duplicate_text"


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
    max_line_length: int = setting(1000, help="longest line, in characters")
    avg_line_length: float = setting(100.0, help="characters of the file a line, at most")
    min_alnum_ratio: float = setting(0.25, help="alphanumeric share of the characters, at least")
    token_counter: str = setting(
        "", help="SentencePiece model for redpajama's rule on letters a token; off without one"
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
    thresholds = code.Thresholds(
        max_line=config.max_line_length,
        mean_line=config.avg_line_length,
        min_alnum=config.min_alnum_ratio,
        min_alpha_per_token=code.REDPAJAMA_THRESHOLDS.min_alpha_per_token
        if config.token_counter
        else None,
    )
    strip = (
        Rewrite("github.header", headers.strip_header_redpajama)
        if config.redpajama
        else Rewrite("github.header", headers.strip_license_header, ("text", "meta.path"))
    )
    return [
        Rewrite("github.normalize", code.normalize_source),
        Keep("github.binary", code.check_binary_like),
        *([Keep("github.generated", headers.check_generated)] if config.drop_generated else []),
        strip,
        Score("github.measure", measure, into="meta"),
        Keep(
            "github.quality",
            partial(check_measured, thresholds=thresholds, token_counter=config.token_counter),
            ("text", "meta.path", *(f"meta.{name}" for name in code.SourceStatistics._fields)),
        ),
    ]


def measure(text: str) -> dict[str, float]:
    """Return the statistics of a file as they go into ``meta`` (1.7)."""
    return code.source_statistics(text)._asdict()


def check_measured(
    text: str,
    path: str,
    *statistics: float,
    thresholds: code.Thresholds,
    token_counter: str = "",
) -> Verdict:
    """Judge a file by what :func:`measure` measured."""
    return code.check_source_file(
        text,
        path,
        thresholds=thresholds,
        count_tokens=partial(count_tokens, token_counter) if token_counter else None,
        statistics=code.SourceStatistics(*statistics),  # type: ignore[arg-type] # meta holds its fields
    )


def count_tokens(model: str, text: str) -> int:
    """Count the tokens of a text (RedPajama does with GPT-NeoX's tokenizer; 1.5)."""
    return len(load_counter(model).encode(text))


@lru_cache(1)
def load_counter(model: str) -> Tokenizer:
    """Load a tokenizer once a process."""
    return Tokenizer(model)


def text_claim(document: Document) -> dict[str, Any]:
    """Return the claim of a cleaned text on being the only one of its kind (1.6, key (b))."""
    meta = document.meta
    return {
        "claim_key": digest_key(code.clean_key(document.text)),
        "claim_rank": rank_of(meta["repo_name"], meta["path"]),
        "claim_count": meta["copies"],
    }


def plan(config: GithubConfig) -> Plan:
    """Find the inputs and say what is to be done with them.

    Raises:
        StorageError: an input is not there.
        RunError: the inputs do not make up a data set, or a setting is wrong.
    """
    RejectPolicy.parse(config.rejects)
    if config.token_counter:
        if not config.redpajama:
            raise RunError("--token-counter belongs to --profile redpajama: give both or neither")
        try:
            load_counter(config.token_counter)
        except TokenizerError as error:
            raise RunError(f"--token-counter: {error}") from error
    units, unreadable = classify(find_inputs(config.input))
    texts = [unit for unit in units if unit.kind in (CONTENTS, JOINED)]
    passes = [Pass("look up licences", "passes/licenses", units)]
    passes.append(Pass("choose files", "passes/blobs", units))
    stages = [*gates(config), *cleaning(config)]
    names = [stage.name for stage in stages]
    names[len(gates(config)) : len(gates(config))] = [BLOB_STAGE]
    names.append("github.text")
    if not config.redpajama:
        passes.append(Pass("clean", "staged", texts))
        names.append(TEXT_STAGE)
    passes.append(Pass("write", "units", units))
    return Plan(units, unreadable, passes, names)


def github(root: beam.Pipeline, plan: Plan, config: GithubConfig, run: Run) -> None:
    """Curate the units; each commits its documents and rejects in the run directory."""
    rejects = RejectPolicy.parse(config.rejects)
    written = Output(run, rejects)
    curated = written if config.redpajama else Output(run, rejects, staged=text_claim)
    texts = [unit for unit in plan.units if unit.kind in (CONTENTS, JOINED)]
    names = [unit for unit in plan.units if unit.kind not in (CONTENTS, JOINED)]
    claim_bytes = CLAIM_BYTES_PER_TABLE_BYTE * sum(unit.size for unit in names)
    claim_bytes += CLAIM_BYTES_PER_TEXT_BYTE * sum(unit.size for unit in texts)
    buckets = bucket_count(int(claim_bytes))

    if run.lacks(names, "units") or run.lacks(texts, *curated.sidecars, "units"):
        units = root | "units" >> Units(plan.units)
        # First meeting: repositories and what is known of them.
        facts = (
            (units,)
            | "ask for licences" >> Claims(run, "licenses", license_claims, buckets)
            | "join licences" >> Decide(partial(look_up, facts=FACT_COLUMNS), LICENSES)
        )
        # Second meeting: blobs and the files that name them.
        choices = (
            (units, facts)
            | "claim blobs"
            >> Claims(run, "blobs", partial(blob_claims, gates=gates(config)), buckets)
            | "join blobs" >> Decide(decide_blobs, BLOBS)
        )
        # Files that lost are rejected by their table; those that won send for their text.
        files = Recipe("github", read_unit, partial(file_stages, config), send=True)
        _ = (root | "tables" >> Units(names), facts, choices) | "reject files" >> RunUnits(
            files, written
        )
        joined = any(unit.kind == JOINED for unit in texts)
        contents = Recipe("github", read_unit, partial(text_stages, config), arrive=not joined)
        cleaned = (root | "texts" >> Units(texts), facts, choices) | "clean texts" >> RunUnits(
            contents, curated
        )
    else:  # an interrupted run had come so far
        cleaned = root | "cleaned" >> Committed(texts)
    if not config.redpajama:
        # Third meeting: cleaned texts that are equal.
        meeting = Meeting(written, TEXT_STAGE, "duplicate_text", buckets)
        _ = cleaned | "settle" >> Settle(meeting)


def file_stages(config: GithubConfig, unit: Unit, verdicts: dict[str, Verdicts]) -> Sequence[Stage]:
    """Return the stages of a unit of files, which reads no text."""
    if unit.kind in FACTS:
        return []
    return [*gates(config), BlobStanding(unit, verdicts, gates(config))]


def text_stages(config: GithubConfig, unit: Unit, verdicts: dict[str, Verdicts]) -> Sequence[Stage]:
    """Return the stages of a unit of texts; a joined export goes through the gates as well."""
    stages = cleaning(config)
    return stages if unit.kind == CONTENTS else [*file_stages(config, unit, verdicts), *stages]
