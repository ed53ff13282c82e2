"""Loss on held-out documents, source by source (trainer spec, section 8).

Held-out shards are the documents that a hash kept out of training when they were tokenized. Sums
run in float64 over all ranks, so the result does not depend on their number beyond rounding.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from trainer.data import Corpus, Reader, Shard, document_starts
from trainer.loss import IGNORE
from trainer.model import Llama
from trainer.parallel import World


@dataclass(frozen=True, slots=True)
class Score:
    """How well a source's held-out text is predicted."""

    nll: float  # nats a token
    perplexity: float
    bits_per_byte: float  # of UTF-8 before tokenization: comparable between tokenizers
    tokens: int  # predicted


def evaluate(
    model: Llama, corpus: Corpus, world: World, micro_batch: int, *, doc_mask: bool
) -> dict[str, Score]:
    """Score the held-out split of every source; all ranks call it and all get the result.

    Args:
        model: sharded; it is left in training mode.
        corpus: where the held-out shards are.
        world: windows are dealt to the data ranks in turn.
        micro_batch: sequences a rank runs at once.
        doc_mask: keep attention inside documents, as in training.

    Raises:
        DataError: a shard cannot be read.
    """
    reader, scores, context = Reader(corpus.dtype), {}, model.config.context
    model.eval()
    for name, source in corpus.sources.items():
        nll, tokens = torch.zeros((), dtype=torch.float64, device=world.device), 0
        for windows in _batches(source.heldout, context, micro_batch, world):
            ids = np.full((micro_batch, context + 1), IGNORE)
            for row, (shard, offset, count) in enumerate(windows):
                ids[row, :count] = reader.read(shard, offset, count)
            inputs, labels = torch.from_numpy(ids[:, :-1].clip(min=0)), torch.from_numpy(ids[:, 1:])
            starts = document_starts(inputs, corpus.bos_id).to(world.device) if doc_mask else None
            with torch.no_grad():
                nll += model(inputs.to(world.device), labels.to(world.device), starts).nll
            tokens += int((labels != IGNORE).sum())
        total, predicted = world.sum([nll.item(), tokens])
        mean = total / predicted
        scores[name] = Score(
            nll=mean,
            perplexity=math.exp(min(mean, 700.0)),  # what is beyond would not fit a float
            bits_per_byte=total / (math.log(2) * source.heldout_text_bytes),
            tokens=int(predicted),
        )
    reader.close()
    model.train()
    return scores


def weighted_nll(scores: Mapping[str, Score], weights: Mapping[str, float]) -> float:
    """Average over sources by their share of the training tokens."""
    return sum(weights[name] * score.nll for name, score in scores.items())


def _batches(
    shards: tuple[Shard, ...], context: int, micro_batch: int, world: World
) -> Iterator[list[tuple[Shard, int, int]]]:
    """Deal windows (shard, first token, ids to read) to this rank.

    Every rank gets as many batches: FSDP's communication waits for all. Some may be short or empty.
    """
    windows = [
        (shard, offset, min(context + 1, shard.tokens - offset))
        for shard in shards
        for offset in range(0, shard.tokens - 1, context)
    ]
    mine = windows[world.data_rank :: world.data_ranks]
    most = -(-len(windows) // world.data_ranks)  # of any rank
    for start in range(0, most, micro_batch):
        yield mine[start : start + micro_batch]
