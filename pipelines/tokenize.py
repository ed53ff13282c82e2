"""Write the documents of a source as token shards: ``[bos] ids [eos]``, shuffled globally.

This is one of the two places where data as large as text moves between workers: packed tokens of
two bytes each. A keyed hash of the document's id decides its shard and its place there
(docs/rules/tokens.md 3), so every runner and every order of work gives the same bytes.

The output directory holds ``config.json``, the shards, one sidecar per shard under ``units/`` that
commits the shard, and ``manifest.json``, which is written last and commits the whole.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from typing import Any

import pyarrow as pa

from pipelines.engine.claim_files import Block
from pipelines.engine.costs import Took
from pipelines.engine.documents import read_rows
from pipelines.engine.errors import MachineError, RunError
from pipelines.engine.launch import (
    Launch,
    check,
    check_flags,
    check_places,
    check_run,
    execute,
    workspace_of,
)
from pipelines.engine.lock import RunLock, remove_left_behind
from pipelines.engine.output import RejectPolicy, Terms
from pipelines.engine.plan import Inputs
from pipelines.engine.runs import Run, open_completed
from pipelines.engine.settings import local_worker_paths
from pipelines.engine.source import plan_of
from pipelines.engine.steps import Verdicts
from pipelines.engine.twins import TwinCheck
from pipelines.engine.units import Unit, one_per_file
from pipelines.engine.verify import check_sha256
from pipelines.engine.workspace import Workspace, clear
from pipelines.joins.exchange import Exchange, group_keys
from pipelines.readers.rows import UnreadableFile
from pipelines.storage import files as storage
from tokenizer.layout import Job, Layout, WrittenShard, statistics
from tokenizer.manifest import Manifest, parse_manifest
from tokenizer.model import Tokenizer, TokenizerError
from tokenizer.packed import pack, unpack
from tokenizer.settings import setting
from tokenizer.shards import TokenizedDocument, encode_shard, in_shard_order, tokenize_document

TOKENS_PER_CHUNK = 4_000_000  # that a worker holds in memory before it writes a chunk


@dataclass(frozen=True)
class TokenizeConfig:
    """Settings of the command, as flags."""

    runs: tuple[str, ...] = setting(help="complete run directories of one source")
    tokenizer: str = setting(help="SentencePiece model", on_workers=True)
    seed: int = setting(0, at_least=0, help="seed of the shuffle")
    add_bos: bool = setting(True, help="begin every document with <s>")
    add_eos: bool = setting(True, help="end every document with </s>")


@lru_cache(1)
def load_tokenizer(path: str) -> Tokenizer:
    """Load a model once per process."""
    return Tokenizer(path)


def tokenize_unit(
    config: TokenizeConfig, layout: Layout, unit: Unit, _verdicts: Verdicts
) -> Iterator[pa.Table]:
    """Yield the tokenized documents of a file in chunks, each document with its shard's key.

    Raises:
        RunError: the file cannot be read.
    """
    check_sha256(unit.path, unit.parts[0].version)
    tokenizer = load_tokenizer(config.tokenizer)
    held: list[TokenizedDocument] = []
    tokens = 0
    try:
        with storage.open_input(unit.path) as stream:
            for row in read_rows(stream, ["id", "text"]):
                document = tokenize_document(
                    tokenizer,
                    row["id"],
                    row["text"],
                    add_bos=config.add_bos,
                    add_eos=config.add_eos,
                )
                held.append(document)
                tokens += len(document.tokens)
                if tokens >= TOKENS_PER_CHUNK:
                    yield _packed(held, layout)
                    held, tokens = [], 0
    except UnreadableFile as error:
        raise RunError(f"{error}. Its run is no longer complete: make the run again.") from error
    yield _packed(held, layout)


def _packed(documents: Sequence[TokenizedDocument], layout: Layout) -> pa.Table:
    keys = group_keys(layout.shards_of(document.id for document in documents))
    return pack(documents).add_column(0, "key", pa.array(keys))


@dataclass(frozen=True)
class WriteShard:
    """Write a shard from the documents that all units gave to it."""

    layout: Layout
    seed: int
    dtype: str

    def __call__(self, workspace: Workspace, shard: int, blocks: Sequence[Block]) -> None:
        """Write the three files of the shard, then the sidecar that commits it."""
        run, name = workspace.run, self.layout.name_of(shard)
        documents = [
            document
            for block in blocks
            for table in block.tables
            for document in unpack(table, self.dtype)
        ]
        if not documents:  # a shard without documents is not in the manifest
            run.write_json({}, *self.layout.sidecar(shard))
            return
        try:
            files = encode_shard(in_shard_order(documents, self.seed), self.dtype)
        except ValueError as error:
            raise RunError(
                f"{name}: {error}. Does --runs name two runs of the same inputs?"
            ) from error
        for kind, content in files.content().items():
            storage.write_bytes(run.at(f"{name}.{kind}"), content)
        run.write_json(asdict(WrittenShard.of(name, files, documents)), *self.layout.sidecar(shard))


def _units(runs: Sequence[Run]) -> list[Unit]:
    """Return one unit per file of documents."""
    return one_per_file(
        # The version is the file's SHA-256, which is checked when the file is read.
        (storage.InputFile(run.at(file.path), file.bytes, file.sha256), "documents")
        for run in runs
        for file in run.documents()
    )


def tokenize(config: TokenizeConfig, out: str, launch: Launch) -> Manifest:
    """Write the token shards of a source to ``out``, or resume; skip what is complete.

    Returns:
        the manifest of the shards.

    Raises:
        RunError, ShardError, StorageError: the message says what went wrong and what to do.
        JobNotRun: the job was only checked, or written to a file.
    """
    check_flags(launch)  # a wrong flag is reported before any work
    runs = [open_completed(storage.absolute(path)) for path in sorted(config.runs)]
    sources = sorted({run.source for run in runs})
    if len(sources) > 1:
        raise RunError(f"--runs are of several sources ({', '.join(sources)}); give those of one")
    try:
        tokenizer = load_tokenizer(config.tokenizer)
    except TokenizerError as error:
        raise RunError(str(error)) from error
    units = _units(runs)
    characters = sum(run.stats()["characters"] for run in runs)
    if not units:
        raise RunError(f"{', '.join(config.runs)}: no documents to tokenize")
    job = Job(
        source=sources[0],
        runs=[storage.read_bytes(run.at("COMPLETED")).decode().strip() for run in runs],
        characters=characters,
        tokenizer=tokenizer,
        seed=config.seed,
        add_bos=config.add_bos,
        add_eos=config.add_eos,
    )
    layout, resolved = job.layout, job.resolved()
    run = Run(storage.absolute(out))
    phase = Exchange(
        "tokenize",
        "tokens",
        partial(tokenize_unit, config, layout),
        WriteShard(layout, config.seed, tokenizer.dtype.name),
        layout.sidecar,
        layout.shards,
    )
    planned = plan_of(Terms(sources[0], RejectPolicy()), Inputs(units), [phase])
    if launch.check:
        check(launch, run, local_worker_paths(config), lambda: planned)
    if storage.exists(run.at("manifest.json")):
        run.start(resolved)
        remove_left_behind(run)
        return parse_manifest(storage.read_bytes(run.at("manifest.json")).decode(), where=out)
    check_places(launch, run, units, local_worker_paths(config))
    took = Took(run, 0 if launch.beam_flags else launch.workers)
    with RunLock(run, note="tokenize") as lock:
        run.start(resolved)
        execute(planned, run, launch, TwinCheck(config, resolved, check_worker), lock.fence)
        lock.check()
        check_run(launch)
        facts = took.facts(workspace_of(run, launch), units)
        run.write_json({"took": facts, "characters": characters}, "timings.json")
        return _commit(run, job)


def check_worker(config: TokenizeConfig, facts: Mapping[str, Any]) -> None:
    """Compare the tokenizer of a worker with that of the launcher.

    Raises:
        MachineError: the tokenizer is missing on the worker, or is another one.
    """
    try:
        here = load_tokenizer(config.tokenizer).sha256
    except TokenizerError as error:
        raise MachineError(str(error)) from error
    if here != facts["tokenizer_sha256"]:
        raise MachineError(
            f"{config.tokenizer} is another tokenizer on this worker than on the launcher. Put the "
            "launcher's tokenizer at this path on all workers, and run the same command again."
        )


def _commit(run: Run, job: Job) -> Manifest:
    """Write the statistics and the manifest over the sidecars of the shards."""
    storage.sweep(run.path)  # what a worker that died had begun to write
    sidecars = run.sidecars().items()
    shards = [WrittenShard.parse(sidecar, name) for name, sidecar in sidecars if sidecar]
    manifest = job.manifest(written.shard for written in shards)
    run.write_json(statistics(shards), "stats.json")
    clear(run)  # a launcher that dies from here on leaves nothing that would stay for ever
    seal(run, manifest)
    return manifest


def seal(run: Run, manifest: Manifest) -> None:
    """Write the manifest, which completes the shards."""
    storage.write_bytes(run.at("manifest.json"), manifest.to_json().encode())
