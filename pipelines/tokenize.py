"""Write the documents of a source as token shards: ``[bos] ids [eos]``, shuffled globally.

This is one of the two places where data as large as text moves between workers: packed tokens of
two bytes each. A keyed hash of the document's id decides its shard and its place there
(docs/rules/tokens.md 3), so every runner and every order of work gives the same bytes.

The output directory holds ``config.json``, the shards, one sidecar per shard under ``units/`` that
commits the shard, and ``manifest.json``, which is written last and commits the whole.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.engine.claim_files import Block
from pipelines.engine.config import to_bytes
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
from pipelines.engine.settings import local_worker_paths, setting
from pipelines.engine.source import plan_of
from pipelines.engine.steps import Verdicts
from pipelines.engine.twins import TwinCheck
from pipelines.engine.units import Unit, one_per_file
from pipelines.engine.verify import check_sha256
from pipelines.engine.workspace import Workspace, clear
from pipelines.joins.exchange import Exchange, group_keys
from pipelines.readers.rows import UnreadableFile
from pipelines.storage import files as storage
from tokenizer.manifest import Manifest, ShardInfo, dtype_for, parse_manifest, shard_name, total
from tokenizer.model import Tokenizer, TokenizerError
from tokenizer.settings import build
from tokenizer.shards import (
    TokenizedDocument,
    encode_shard,
    heldout_fraction,
    heldout_threshold,
    in_shard_order,
    placement,
    shard_count,
    tokenize_document,
)

TOKENS_PER_CHUNK = 4_000_000  # that a worker holds in memory before it writes a chunk
# U+2581, which a tokenizer decodes to a space (docs/rules/tokens.md 1.3, T4).
UNIT_SEPARATOR = "\N{LOWER ONE EIGHTH BLOCK}"


@dataclass(frozen=True)
class TokenizeConfig:
    """Settings of the command, as flags."""

    runs: tuple[str, ...] = setting(help="complete run directories of one source")
    tokenizer: str = setting(help="SentencePiece model", on_workers=True)
    seed: int = setting(0, help="seed of the shuffle")
    add_bos: bool = setting(True, help="begin every document with <s>")
    add_eos: bool = setting(True, help="end every document with </s>")


@dataclass(frozen=True)
class Layout:
    """Which shard a document goes to, as a pure function of its id."""

    seed: int
    train_shards: int
    heldout_shards: int
    heldout_below: int  # documents whose rank, out of 2^64, is below this are held out

    @property
    def shards(self) -> int:
        """The number of shards; those of the training split come first."""
        return self.train_shards + self.heldout_shards

    def shard_of(self, document_id: str) -> int:
        """Return the number of the shard of a document."""
        place = placement(self.seed, document_id, self.train_shards)
        if place.heldout_rank >= self.heldout_below:
            return place.shard
        return self.train_shards + placement(self.seed, document_id, self.heldout_shards).shard

    def name_of(self, shard: int) -> str:
        """Return the name of a shard."""
        if shard < self.train_shards:
            return shard_name("train", shard, self.train_shards)
        return shard_name("heldout", shard - self.train_shards, self.heldout_shards)

    def written(self, shard: int) -> tuple[str, ...]:
        """Return the path of the sidecar that commits a shard."""
        return "units", f"{self.name_of(shard)}.json"


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
    return pa.table(
        {
            "key": group_keys([layout.shard_of(document.id) for document in documents]),
            "id": pa.array([document.id for document in documents], pa.string()),
            "tokens": pa.array([d.tokens.tobytes() for d in documents], pa.large_binary()),
            "text_bytes": pa.array([d.text_bytes for d in documents], pa.int64()),
            "text_sha1": pa.array([d.text_sha1 for d in documents], pa.string()),
        }
    )


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
            TokenizedDocument(
                row["id"],
                np.frombuffer(row["tokens"], self.dtype),
                row["text_bytes"],
                row["text_sha1"],
            )
            for block in blocks
            for table in block.tables
            for row in table.to_pylist()
        ]
        if not documents:  # a shard without documents is not in the manifest
            run.write_json({}, *self.layout.written(shard))
            return
        try:
            files = encode_shard(in_shard_order(documents, self.seed), self.dtype)
        except ValueError as error:
            raise RunError(
                f"{name}: {error}. Does --runs name two runs of the same inputs?"
            ) from error
        for kind, content in files.content().items():
            storage.write_bytes(run.at(f"{name}.{kind}"), content)
        run.write_json(asdict(files.info(name)), *self.layout.written(shard))


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
        RunError, StorageError: the message says what went wrong and what to do.
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
    fraction = heldout_fraction(characters)
    held_out = int(characters * fraction)
    layout = Layout(
        config.seed,
        shard_count(characters - held_out),
        shard_count(held_out),
        heldout_threshold(fraction),
    )
    resolved = {
        "source": sources[0],
        "input": sorted(storage.read_bytes(run.at("COMPLETED")).decode().strip() for run in runs),
        "tokenizer_sha256": tokenizer.sha256,
        "layout": asdict(layout),
        "add_bos": config.add_bos,
        "add_eos": config.add_eos,
    }
    run = Run(storage.absolute(out))
    phase = Exchange(
        "tokenize",
        "tokens",
        partial(tokenize_unit, config, layout),
        WriteShard(layout, config.seed, dtype_for(tokenizer.vocab_size)),
        layout.written,
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
        return _commit(run, resolved, tokenizer, config, fraction)


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


def _commit(
    run: Run,
    resolved: dict[str, Any],
    tokenizer: Tokenizer,
    config: TokenizeConfig,
    fraction: float,
) -> Manifest:
    """Write the manifest over the sidecars of the shards."""
    storage.sweep(run.path)  # what a worker that died had begun to write
    sidecars = run.sidecars().items()
    shards = [build(ShardInfo, sidecar, name) for name, sidecar in sidecars if sidecar]
    manifest = Manifest(
        source=resolved["source"],
        tokenizer_sha256=tokenizer.sha256,
        vocab_size=tokenizer.vocab_size,
        dtype=dtype_for(tokenizer.vocab_size),
        bos_id=tokenizer.bos_id,
        eos_id=tokenizer.eos_id,
        add_bos=config.add_bos,
        add_eos=config.add_eos,
        seed=config.seed,
        heldout_fraction=fraction,
        config_sha256=hashlib.sha256(to_bytes(resolved)).hexdigest(),
        input_sha256=hashlib.sha256(to_bytes(resolved["input"])).hexdigest(),
        splits={
            split: total(shard for shard in shards if shard.split == split)
            for split in ("train", "heldout")
        },
        shards=tuple(shards),
    )
    clear(run)  # a launcher that dies from here on leaves nothing that would stay for ever
    seal(run, manifest)
    return manifest


def seal(run: Run, manifest: Manifest) -> None:
    """Write the manifest, which completes the shards."""
    storage.write_bytes(run.at("manifest.json"), manifest.to_json().encode())
