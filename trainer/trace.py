"""Which documents a step read: its sequences traced back to shards, ids and text.

The order of the data is a function of the step (`trainer.data`), so a spike of the loss leads to
what was read, on any machine that has the shards (docs/rules/trainer.md 6).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tokenizer.model import Tokenizer
from tokenizer.reading import Reader
from tokenizer.shards import Span, documents_between
from trainer.data import DataError, open_corpus, resume_corpus
from trainer.plan import plan_batch
from trainer.sections import Config


@dataclass(frozen=True, slots=True)
class Traced:
    """One sequence of a step."""

    sequence: int  # the run's number of it
    source: str
    shard: Path
    begin: int  # its first token there; the last label is token begin + context
    documents: tuple[Span, ...]
    ids: NDArray[np.int64]  # context + 1 tokens


def trace(config: Config, step: int, record: Mapping[str, Any] | None) -> Iterator[Traced]:
    """Give the sequences of step ``step`` (1 is the first), in the order of the batch.

    The step may be done or yet to come. ``train_state.json`` of a checkpoint knows the run's order;
    without, it is that of a run that begins with ``config``. Raises UserError if there is no such
    step, its order is no longer known, or the shards cannot be read or are not those of the run.
    """
    plan = plan_batch(config, 1)
    if not 1 <= step <= plan.steps:
        raise DataError(f"step {step}: the run has steps 1 to {plan.steps:,}")
    first = (step - 1) * plan.batch_sequences
    if record is None:
        corpus = open_corpus(config, plan.sequences)
    else:
        state, order = record["state"], record["order"]
        corpus = resume_corpus(config, order["sequences"], order, state["sequences"])
        first += state["sequences"] - state["step"] * plan.batch_sequences
    if first < corpus.first:
        raise DataError(
            f"step {step} was read before the run's data changed: name an older checkpoint"
        )
    reader = Reader()
    for number in range(first, first + plan.batch_sequences):
        source, shard, begin = corpus.locate(number)
        ids = reader.read(shard, begin, plan.context + 1)
        docs = shard.path.with_suffix(".docs.parquet")
        documents = documents_between(docs, begin, begin + len(ids))
        yield Traced(number, source, shard.path, begin, tuple(documents), ids)
    reader.close()


def describe(traced: Traced, tokenizer: Tokenizer | None, characters: int) -> str:
    """Put a sequence in lines: where it lies, its documents, and their texts, cut to characters."""
    end = traced.begin + len(traced.ids)
    where = f"{traced.source}  {traced.shard.stem}  tokens {traced.begin:,} to {end - 1:,}"
    lines = [f"sequence {traced.sequence:,}  {where}"]
    for span in traced.documents:
        begin, stop = max(span.begin, traced.begin), min(span.end, end)
        ids = traced.ids[begin - traced.begin : stop - traced.begin]
        text = tokenizer.decode(ids) if tokenizer else " ".join(map(str, ids))
        cut = text if len(text) <= characters else f"{text[:characters]}..."
        lines.append(f"  {span.id}  its tokens {begin - span.begin:,} to {stop - 1 - span.begin:,}")
        lines += [f"    | {line}" for line in cut.splitlines()]
    return "\n".join(lines)
