"""Loss on held-out documents, source by source (docs/rules/trainer.md 8).

Beside it stands what a model would lose that knows how frequent each token is, and nothing else: a
loss below this has learned from context. Held-out shards are the documents that a hash kept out of
training when they were tokenized. Sums run in float64 over all ranks, so the result does not
depend on their number beyond rounding.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tokenizer.reading import Reader, Shard
from trainer.checkpoint import load_weights
from trainer.data import Corpus, Source, blank, model_inputs, open_corpus, read_window
from trainer.loss import IGNORE
from trainer.model import Llama
from trainer.parallel import World, build_model
from trainer.plan import plan_batch
from trainer.sections import Config

UNIGRAM_TOKENS = 8_000_000  # of a source, to count: shards are shuffled, so the first will do
_CHUNK_TOKENS = 1_000_000


def evaluate(
    model: Llama,
    corpus: Corpus,
    world: World,
    config: Config,
    unigram: Mapping[str, float] | None = None,
) -> tuple[dict[str, Any], str]:
    """Score the held-out split of every source; all ranks call it and all get the result.

    It is a row of metrics.jsonl and a line to read. By source and weighted: nats per token, beside
    them `unigram_nll`; bits per byte of UTF-8, which compare between tokenizers. ``unigram`` is
    what `unigram_nll` gave for this corpus, which never changes; without, it is computed. The model
    is left in training mode. Raises ReadError if a shard cannot be read.
    """
    unigram = unigram or unigram_nll(corpus, world)
    scores: dict[str, dict[str, float]] = {}
    for name, source in corpus.sources.items():
        total, predicted = heldout_nll(model, source, corpus.mask_bos, world, config)
        mean = total / predicted
        scores[name] = {
            "nll": mean,
            "perplexity": math.exp(min(mean, 700.0)),  # what is beyond would not fit a float
            "bits_per_byte": total / (math.log(2) * source.heldout_text_bytes),
            "tokens": predicted,
            "unigram_nll": unigram[name],
        }
    loss, entropy = (
        sum(corpus.weights[name] * score[key] for name, score in scores.items())
        for key in ("nll", "unigram_nll")
    )
    parts = [
        f"{name} {score['nll']:.4f} ({unigram[name]:.4f}), {score['bits_per_byte']:.3f} bits/byte"
        for name, score in scores.items()
    ]
    text = "  ".join([f"{loss:.4f} nats a token ({entropy:.4f} by frequency alone)", *parts])
    return {"eval_nll": loss, "unigram_nll": entropy, "eval": scores}, text


def heldout_nll(
    model: Llama, source: Source, mask_bos: int | None, world: World, config: Config
) -> tuple[float, int]:
    """Score a held-out split: its nats over all ranks, and its predicted tokens.

    Attention stays inside documents that begin with ``mask_bos``, if it is given. The model is left
    in training mode.
    """
    reader = Reader()
    context, micro_batch = config.model.context, config.train.micro_batch
    nll, tokens = torch.zeros((), dtype=torch.float64, device=world.device), 0
    model.eval()
    for windows in _batches(source.heldout, context, micro_batch, world):
        batch = blank(micro_batch, context)
        for row, (shard, offset) in enumerate(windows):
            batch[:, row] = read_window(reader, shard, offset, context)
        inputs, labels = torch.from_numpy(batch)
        with torch.no_grad():
            nll += model(*model_inputs(inputs, labels, mask_bos, world.device)).nll
        tokens += int((labels != IGNORE).sum())
    reader.close()
    model.train()
    total, predicted = world.sum([nll.item(), tokens])
    return total, int(predicted)


def unigram_nll(corpus: Corpus, world: World) -> dict[str, float]:
    """Give the nats per held-out token that token frequencies alone cost, by source.

    Frequencies are the mixture's: those of each source's train tokens, by its weight. Each token is
    counted once more than it occurs, so that none is impossible. Scored are the tokens that
    ``evaluate`` scores, all but a shard's first. Rank 0 reads them and tells the others. Raises
    ReadError on all ranks if a shard cannot be read.
    """
    return world.once(lambda: _unigram_nll(corpus))


def _unigram_nll(corpus: Corpus) -> dict[str, float]:
    """Do what ``unigram_nll`` does, on one rank."""
    reader, vocab_size = Reader(), corpus.vocab_size
    frequencies, counted = np.zeros(vocab_size), 0
    for name, source in corpus.sources.items():
        counts = _count(reader, source.train, vocab_size, UNIGRAM_TOKENS)
        frequencies += corpus.weights[name] * counts / counts.sum()
        counted += int(counts.sum())
    nats = -np.log((frequencies * counted + 1) / (counted + vocab_size))
    scored = {
        name: _count(reader, source.heldout, vocab_size, skip=1)
        for name, source in corpus.sources.items()
    }
    reader.close()
    return {name: float(counts @ nats / counts.sum()) for name, counts in scored.items()}


def evaluate_checkpoint(config: Config, path: Path, world: World) -> str:
    """Score a checkpoint; give the line to read. Raises as opening data and loading weights do."""
    corpus = open_corpus(config, plan_batch(config, 1).sequences)
    model, _ = build_model(config, world)
    load_weights(path, model)
    return evaluate(model, corpus, world, config)[1]


def evaluate_tasks(config: Config, path: Path, world: World) -> str:
    """Run tasks on a checkpoint; give a table. Raises ConfigError if a task cannot be loaded."""
    from trainer.harness import Evaluation  # noqa: PLC0415 - the harness is optional

    evaluation = Evaluation(config, world)
    model, _ = build_model(config, world)
    load_weights(path, model)
    return f"\n{evaluation.run(model)[1]}"


def _count(
    reader: Reader, shards: tuple[Shard, ...], vocab_size: int, most: int = 1 << 62, skip: int = 0
) -> NDArray[np.int64]:
    """Count each id in the shards, from token ``skip`` of each on, about ``most`` in all."""
    counts = np.zeros(vocab_size, np.int64)
    for shard in shards:
        for start in range(skip, shard.tokens, _CHUNK_TOKENS):
            if counts.sum() < most:
                part = (shard, start, min(_CHUNK_TOKENS, shard.tokens - start))
                ids = reader.read(*part)[reader.learned(*part)]
                counts += np.bincount(ids, minlength=vocab_size)
    return counts


def _batches(
    shards: tuple[Shard, ...], context: int, micro_batch: int, world: World
) -> Iterator[list[tuple[Shard, int]]]:
    """Deal windows (shard, first token) to this rank, in as many batches on each."""
    windows = [(shard, at) for shard in shards for at in range(0, shard.tokens - 1, context)]
    mine = windows[world.data_rank :: world.data_ranks]
    most = -(-len(windows) // world.data_ranks)  # of any rank: FSDP's communication waits for all
    for start in range(0, most, micro_batch):
        yield mine[start : start + micro_batch]
