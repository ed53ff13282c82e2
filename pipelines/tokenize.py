"""Documents to token shards: ``[bos] ids [eos]``, shuffled over all of a source.

One of the two places where text-sized data is shuffled (DESIGN 3): tokens, two bytes each, packed
and compressed. A keyed hash of the document id says in which shard a document lies and where
(``spec/tokens.md`` 3), so the shards are the same bytes whatever the runner and the order of work.

The directory that is written holds ``config.json``, the shards, a sidecar a shard under ``units/``
that commits it, and last ``manifest.json``, which commits the whole.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

from pipelines.engine.documents import read_rows
from pipelines.engine.launch import Launch, execute, options_of
from pipelines.engine.passes import Units
from pipelines.engine.plan import Pass, Plan
from pipelines.engine.progress import Progress
from pipelines.engine.runs import Run, RunError, open_completed, to_bytes
from pipelines.engine.settings import setting
from pipelines.engine.units import UNIT_TOPIC, Unit, name_units
from pipelines.joins.claims import pack, read_messages, unpack
from pipelines.storage import files as storage
from tokenizer.manifest import Manifest, ShardInfo, dtype_for, parse_manifest, shard_name, total
from tokenizer.model import Tokenizer, TokenizerError
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
from tokenizer.strict import build

TOKENS_PER_MESSAGE = 4_000_000  # what a worker holds back before it sends a packed message
UNIT_SEPARATOR = "\N{LOWER ONE EIGHTH BLOCK}"  # U+2581 decodes to a space (spec/tokens.md 1.3, T4)


@dataclass(frozen=True)
class TokenizeConfig:
    """Settings of the pass, as flags."""

    runs: tuple[str, ...] = setting(help="complete run directories of one source")
    tokenizer: str = setting(help="SentencePiece model")
    seed: int = setting(0, help="of the shuffle")
    add_bos: bool = setting(True, help="begin every document with <s>")
    add_eos: bool = setting(True, help="end every document with </s>")


@dataclass(frozen=True)
class Layout:
    """Where documents go: a pure function of the id."""

    seed: int
    train_shards: int
    heldout_shards: int
    heldout_below: int  # of 2^64

    def shard_of(self, document_id: str) -> str:
        """Return the name of the shard of a document."""
        place = placement(self.seed, document_id, self.train_shards)
        if place.heldout_rank >= self.heldout_below:
            return shard_name("train", place.shard, self.train_shards)
        place = placement(self.seed, document_id, self.heldout_shards)
        return shard_name("heldout", place.shard, self.heldout_shards)


@lru_cache(1)
def load_tokenizer(path: str) -> Tokenizer:
    """Load a model once a process."""
    return Tokenizer(path)


@beam.typehints.with_input_types(tuple[str, Iterable[bytes]])
@beam.typehints.with_output_types(tuple[str, bytes])
class TokenizeUnit(beam.DoFn):
    """Tokenize a file of documents; yield packed documents by shard."""

    def __init__(self, run: Run, config: TokenizeConfig, layout: Layout) -> None:
        self.run = run
        self.config = config
        self.layout = layout

    def process(self, element: tuple[str, Iterable[bytes]]) -> Iterator[tuple[str, bytes]]:
        """Yield (shard name, packed documents)."""
        unit = Unit.unpack(read_messages(element[1])[UNIT_TOPIC][0])
        tokenizer = load_tokenizer(self.config.tokenizer)
        held: dict[str, list[TokenizedDocument]] = {}
        tokens = documents = with_separator = 0
        with storage.open_input(unit.path) as stream:
            for row in read_rows(stream, ["id", "text"]):
                document = tokenize_document(
                    tokenizer,
                    row["id"],
                    row["text"],
                    add_bos=self.config.add_bos,
                    add_eos=self.config.add_eos,
                )
                held.setdefault(self.layout.shard_of(document.id), []).append(document)
                documents += 1
                with_separator += UNIT_SEPARATOR in row["text"]
                tokens += len(document.tokens)
                if tokens >= TOKENS_PER_MESSAGE:
                    yield from _packed(held)
                    held, tokens = {}, 0
        yield from _packed(held)
        facts = {"bytes": unit.size, "documents": documents, "with_u2581": with_separator}
        self.run.mark("tokenize", unit.name, facts)


def _packed(held: dict[str, list[TokenizedDocument]]) -> Iterator[tuple[str, bytes]]:
    for name, documents in held.items():
        table = pa.table(
            {
                "id": [document.id for document in documents],
                "tokens": pa.array([d.tokens.tobytes() for d in documents], pa.large_binary()),
                "text_bytes": [document.text_bytes for document in documents],
                "text_sha1": [document.text_sha1 for document in documents],
            }
        )
        yield name, pack(table)


@beam.typehints.with_input_types(tuple[str, Iterable[bytes]])
@beam.typehints.with_output_types(tuple[str, int])
class WriteShard(beam.DoFn):
    """Write one shard: its three files, then the sidecar that commits it."""

    def __init__(self, run: Run, seed: int, dtype: str) -> None:
        self.run = run
        self.seed = seed
        self.dtype = dtype

    def process(self, element: tuple[str, Iterable[bytes]]) -> Iterator[tuple[str, int]]:
        """Yield (shard name, tokens); a shard that is committed is left alone."""
        name, packed = element
        if storage.exists(self.run.at("units", f"{name}.json")):
            return
        table = unpack(packed)
        documents = [
            TokenizedDocument(id_, np.frombuffer(raw, self.dtype), text_bytes, sha1)
            for id_, raw, text_bytes, sha1 in zip(
                *(column.to_pylist() for column in table.columns), strict=True
            )
        ]
        try:
            files = encode_shard(in_shard_order(documents, self.seed), self.dtype)
        except ValueError as error:
            raise RunError(
                f"{name}: {error}. Are two runs of the same inputs named in --runs?"
            ) from error
        for kind, content in files.content().items():
            storage.write_bytes(self.run.at(f"{name}.{kind}"), content)
        self.run.write_json(asdict(files.info(name)), "units", f"{name}.json")
        yield name, files.tokens


def _plan(runs: list[Run]) -> tuple[Plan, int]:
    """Return the files of documents as units, and the characters in them."""
    files: list[tuple[storage.InputFile, str]] = []
    characters = 0
    for run in runs:
        characters += run.stats()["characters"]
        files += [(file, "documents") for file in storage.list_directory(run.at("documents"))]
    units = name_units(files)
    return Plan(units, {}, [Pass("tokenize", "passes/tokenize", units)], []), characters


def tokenize(config: TokenizeConfig, out: str, launch: Launch) -> Manifest:
    """Make the token shards of a source at ``out``, or go on; a complete directory is left alone.

    Raises:
        RunError, StorageError: what went wrong and what to do.
    """
    options_of(launch)  # a wrong flag is told before any work
    runs = [open_completed(path) for path in sorted(config.runs)]
    sources = sorted({run.source for run in runs})
    if len(sources) > 1:
        raise RunError(f"--runs are of several sources ({', '.join(sources)}); give those of one")
    try:
        tokenizer = load_tokenizer(config.tokenizer)
    except TokenizerError as error:
        raise RunError(str(error)) from error
    plan, characters = _plan(runs)
    if not plan.units:
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
    run = Run(out)
    run.start(resolved)
    if storage.exists(run.at("manifest.json")):
        return parse_manifest(storage.read_bytes(run.at("manifest.json")).decode(), where=out)
    with Progress(run, plan, shown=launch.progress):

        def construct(root: beam.Pipeline, plan: Plan, config: Any, run: Run) -> None:
            dtype = dtype_for(tokenizer.vocab_size)
            _ = (
                root
                | "files" >> Units(plan.units)
                | "spread" >> beam.GroupByKey()
                | "tokenize" >> beam.ParDo(TokenizeUnit(run, config, layout))
                | "by shard" >> beam.GroupByKey()
                | "write shard" >> beam.ParDo(WriteShard(run, config.seed, dtype))
            )

        execute(construct, plan, config, run, launch)
    return _commit(run, resolved, tokenizer, config, fraction)


def _commit(
    run: Run,
    resolved: dict[str, Any],
    tokenizer: Tokenizer,
    config: TokenizeConfig,
    fraction: float,
) -> Manifest:
    """Write the manifest over the sidecars of the shards."""
    shards = [build(ShardInfo, sidecar, name) for name, sidecar in run.sidecars().items()]
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
    storage.write_bytes(run.at("manifest.json"), manifest.to_json().encode())
    return manifest
