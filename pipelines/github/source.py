"""GitHub: permissively licensed source files (section 2.1, "Github", 4.5 % of the mixture).

The inputs are exports of BigQuery's ``github_repos``. A record is a file: a row of ``files``, or of
the reference query's joined export. The steps are in the order of docs/rules/sources.md 1.2:

1. The licence of the file's repository is looked up by claims, and must be permissive.
2. Path and extension of the file must be those of source code.
3. Of all files with the same blob, the one with the smallest (repository, path) wins. It becomes a
   document in the unit that holds the content of the blob.
4. There the text is normalised and measured, and its licence header is removed.
5. Of equal cleaned texts, the one with the smallest (repository, path) wins.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from filters.github import quality
from pipelines.engine.documents import Document
from pipelines.engine.errors import MachineError, RunError
from pipelines.engine.passes import Write
from pipelines.engine.plan import Inputs
from pipelines.engine.source import Phase, Source
from pipelines.engine.stages import Stage, check_text
from pipelines.engine.steps import Topic, Verdicts
from pipelines.engine.units import Unit
from pipelines.github.claims import (
    KeepOnePerBlob,
    blob_claims,
    decide_blobs,
    license_claims,
    rank_of,
)
from pipelines.github.config import GithubConfig
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
from pipelines.github.stages import cleaning, gates, load_counter
from pipelines.joins.claims import Claims, RowVerdicts, deciding, digest_key
from pipelines.joins.decisions import look_up
from pipelines.joins.settle import Settle
from pipelines.storage.files import find_inputs


def text_claim(document: Document) -> dict[str, Any]:
    """Return the claim of a document on its cleaned text (docs/rules/sources.md 1.6, key b)."""
    meta = document.meta
    return {
        "claim_key": digest_key(quality.clean_key(document.text)),
        "claim_rank": rank_of(meta["repo_name"], meta["path"]),
        "claim_count": meta["copies"],
    }


def find(config: GithubConfig) -> Inputs:
    """Find the tables of the export.

    Raises:
        StorageError: an input does not exist.
        RunError: a table is missing among the inputs, or a setting is wrong.
    """
    counter = ""
    if config.token_counter:
        if not config.redpajama:
            raise RunError("--token-counter belongs to --profile redpajama: give both or neither")
        counter = load_counter(config.token_counter).sha256
    units, unreadable = classify(find_inputs(config.input))
    return Inputs(units, unreadable, {"token_counter_sha256": counter})


def holds_texts(unit: Unit) -> bool:
    """Return whether a unit holds texts: whether it is of contents or of a joined export."""
    return unit.kind in (CONTENTS, JOINED)


def holds_no_texts(unit: Unit) -> bool:
    """Return whether a unit holds a table without texts."""
    return not holds_texts(unit)


def phases(config: GithubConfig, units: Sequence[Unit]) -> list[Phase]:
    """Return what is done with the tables of an export, in order.

    Licences are looked up only where a table of them, or of languages, is among the inputs: the
    rows of a joined export have their own.
    """
    facts = [LICENSES_TOPIC] if any(unit.kind in FACTS for unit in units) else []
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
        wants=facts,
    )
    texts_meet = Settle("github.duplicate_text", "duplicate_text", text_claim, of=holds_texts)
    # Rejects of ``files`` are written here; the chosen files become documents in the next phase.
    reject_files = Write(
        "reject files",
        records,
        converter,
        partial(file_stages, config),
        wants=[*facts, BLOBS_TOPIC],
        of=holds_no_texts,
        send=True,
    )
    clean_texts = Write(
        "write texts" if config.redpajama else "clean",
        records,
        converter,
        partial(text_stages, config),
        wants=[*facts, BLOBS_TOPIC],
        of=holds_texts,
        arrive=not any(unit.kind == JOINED for unit in units),
        staged=None if config.redpajama else texts_meet.staged,
        contract=partial(check_text, carriage_returns=config.redpajama),
    )
    return [
        *([licences_meet] if facts else []),
        blobs_meet,
        reject_files,
        clean_texts,
        *([] if config.redpajama else [texts_meet]),
    ]


def file_stages(config: GithubConfig, unit: Unit, verdicts: Verdicts) -> Sequence[Stage]:
    """Return the stages of a unit of files, which reads no text."""
    if unit.kind in FACTS:
        return []
    return [*gates(config), KeepOnePerBlob(verdicts)]


def text_stages(config: GithubConfig, unit: Unit, verdicts: Verdicts) -> Sequence[Stage]:
    """Return the stages of a unit of texts; those of a joined export begin with the gates."""
    stages = cleaning(config)
    return stages if unit.kind == CONTENTS else [*file_stages(config, unit, verdicts), *stages]


def check_worker(config: GithubConfig, facts: Mapping[str, Any]) -> None:
    """Compare the tokenizer that counts tokens on a worker with that of the launcher.

    Raises:
        MachineError: the tokenizer is missing on the worker, or is another one.
    """
    if config.token_counter and (
        load_counter(config.token_counter).sha256 != facts["token_counter_sha256"]
    ):
        raise MachineError(
            f"--token-counter: {config.token_counter} is another model on this worker than on the "
            "launcher. Put the launcher's model at this path, and run the same command again."
        )


LICENSES_TOPIC = Topic(LICENSES, RowVerdicts)
BLOBS_TOPIC = Topic(BLOBS, RowVerdicts)
GITHUB = Source("github", GithubConfig, find, phases, check_worker=check_worker)
