"""What became of the documents: token shards beside the paper's Table 1, and the training."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from mixtures.order import windows
from mixtures.paper import TABLE_1
from pipelines.engine.errors import RunError
from pipelines.storage import files as storage
from tokenizer.manifest import MANIFEST_NAME, Manifest, parse_manifest


@dataclass(frozen=True, slots=True)
class Training:
    """What a training run wrote about itself."""

    losses: list[tuple[int, float]] = field(default_factory=list)  # (step, nats per token)
    held_out: Mapping[str, Any] | None = None  # the last evaluation
    read: Mapping[str, int] = field(default_factory=dict)  # tokens read, by source
    context: int = 0  # tokens in a sequence; 0 where config.toml does not say it


@dataclass(frozen=True, slots=True)
class MixtureRow:
    """A source in the mixture, beside the same row of the paper's Table 1."""

    name: str
    tokens: int  # in the train shards
    share: float  # of the tokens of all train shards
    paper_share: float | None
    paper_epochs: float | None
    paper_tokens: int | None  # unique tokens that follow from the two
    epochs_at_paper_shares: float | None  # of a run that reads as many tokens as there are
    read: int | None = None  # tokens that the training read
    read_share: float | None = None
    epochs: float | None = None  # tokens read, of the tokens that can be read
    reads: str = ""  # how many windows were read how often


def read_shards(tokens: str) -> dict[str, Manifest]:
    """Return the manifests of the token shards under a directory, by source.

    Raises:
        RunError: there are none.
        ManifestError: one of them is damaged.
    """
    found = {}
    for path in storage.list_tree(tokens):
        if storage.basename(path.path) == MANIFEST_NAME:
            manifest = parse_manifest(storage.read_bytes(path.path).decode(), where=path.path)
            found[manifest.source] = manifest
    if not found:
        raise RunError(
            f"--tokens {tokens}: no token shards are there. Write them with "
            "`python -m pipelines tokenize`, or leave out --tokens."
        )
    return dict(sorted(found.items()))


def read_training(trained: str) -> Training:
    """Return what the directory of a training run says.

    Raises:
        RunError: there are no metrics.
    """
    path = storage.join(trained, "metrics.jsonl")
    if not storage.exists(path):
        raise RunError(
            f"--trained {trained}: no metrics.jsonl is there. Name the run.dir of the trainer."
        )
    try:
        lines = storage.read_bytes(path).decode().splitlines()
        metrics = [json.loads(line) for line in lines if line]
    except ValueError as error:
        raise RunError(f"{path}: a line is not JSON ({error}). Copy the file again.") from error
    read: dict[str, int] = next(
        (m["source_tokens"] for m in reversed(metrics) if "source_tokens" in m), {}
    )
    return Training(
        losses=[(m["step"], m["loss"]) for m in metrics if m.get("loss") is not None],
        held_out=next((m for m in reversed(metrics) if "eval_nll" in m), None),
        read=read,
        context=_context(storage.join(trained, "config.toml")),
    )


def _context(path: str) -> int:
    if not storage.exists(path):
        return 0
    try:
        config = tomllib.loads(storage.read_bytes(path).decode())
    except ValueError as error:
        raise RunError(f"{path}: {error}. Copy the file again.") from error
    return int(config.get("model", {}).get("context", 0))


def mixture_rows(shards: Mapping[str, Manifest], training: Training) -> list[MixtureRow]:
    """Return the sources in the order of Table 1, and then those that it does not have."""
    others = sorted(shards.keys() - TABLE_1.keys())
    order = [*(name for name in TABLE_1 if name in shards), *others]
    total = sum(shards[name].splits["train"].tokens for name in order)
    all_read = sum(training.read.values())
    rows = []
    for name in order:
        tokens = shards[name].splits["train"].tokens
        paper = TABLE_1.get(name)
        read = training.read.get(name)
        epochs, reads = _epochs(shards[name], read, training.context)
        rows.append(
            MixtureRow(
                name=name,
                tokens=tokens,
                share=tokens / total if total else 0.0,
                paper_share=float(paper.share) if paper else None,
                paper_epochs=float(paper.epochs) if paper else None,
                paper_tokens=paper.unique_tokens if paper else None,
                epochs_at_paper_shares=(
                    float(paper.share * total / tokens) if paper and tokens else None
                ),
                read=read,
                read_share=read / all_read if read is not None and all_read else None,
                epochs=epochs,
                reads=reads,
            )
        )
    return rows


def _epochs(manifest: Manifest, read: int | None, context: int) -> tuple[float | None, str]:
    """Return how often the source's windows were read on average, and how many how often.

    The order of a run reads every window once before any is read again (docs/rules/tokens.md 4.3),
    so the counts follow from the tokens read.
    """
    if read is None or not context:
        return None, ""
    shards = [shard for shard in manifest.shards if shard.split == "train"]
    count = sum(windows(shard.tokens, context) for shard in shards)
    if not count:
        return None, ""
    sequences = read // context
    times, more = divmod(sequences, count)
    parts = [(count - more, times), (more, times + 1)]
    told = [f"{n:,} windows {_times(t)}" for n, t in parts if n]
    return float(Fraction(read, count * context)), ", ".join(told)


def _times(count: int) -> str:
    return ("never", "once", "twice")[count] if count < 3 else f"{count} times"


def verdict_on_loss(training: Training) -> list[str]:
    """Return what the losses say, one sentence each, as a terminal shows it."""
    told = []
    if losses := training.losses:
        (first_step, first), (last_step, last) = losses[0], losses[-1]
        told.append(
            f"loss: {first:.3f} at step {first_step}, {last:.3f} at step {last_step}"
            + ("" if last < first else " (it did not fall)")
        )
    if found := training.held_out:
        loss, unigram = found["eval_nll"], found["unigram_nll"]
        told.append(
            f"held-out loss: {loss:.3f} at step {found['step']}; token frequencies alone: "
            f"{unigram:.3f}" + ("" if loss < unigram else " (nothing was learned from context)")
        )
    return told
