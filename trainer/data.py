"""Token shards as training batches (docs/rules/trainer.md 6).

Which windows of which shards a step reads is a function of the mixture, the shards and the number
of the step's first sequence (``mixtures.order``). Nothing else is remembered: resuming is one
integer, and a run may change its ranks or its micro batch between restarts and sees the same data.
"""

import sys
from collections import deque
from collections.abc import Generator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mixtures import mixture as mixture_files
from mixtures.order import BLOCK_SEQUENCES, Order
from mixtures.plan import corpus_order
from tokenizer.files import sha256_of
from tokenizer.manifest import Manifest, read_manifest
from tokenizer.reading import Reader, ReadError, Shard, open_split
from trainer.config import TrainerError
from trainer.loss import IGNORE
from trainer.plan import BatchPlan
from trainer.sections import Config, DataConfig


class DataError(TrainerError):
    """Shards that are not there, not what their manifest says, or not for this model."""


@dataclass(frozen=True, slots=True)
class Source:
    """The shards of one source, in file-name order."""

    train: tuple[Shard, ...]
    heldout: tuple[Shard, ...]
    heldout_text_bytes: int  # UTF-8, before tokenization


@dataclass(frozen=True, slots=True)
class Corpus:
    """The token shards of a mixture, checked against their manifests, and their training order."""

    sources: Mapping[str, Source]
    order: Order
    first: int  # the run's number of the order's sequence 0: more than 0 after a change of data
    vocab_size: int  # ids are less
    mask_bos: int | None  # begins a document to which attention is kept; None: to windows
    fingerprint: Mapping[str, str | int]  # what a resumed run must find, by configuration key

    @property
    def weights(self) -> dict[str, float]:
        """Share of the training tokens by source; they sum to 1."""
        total = sum(source.weight for source in self.order.sources)
        return {source.name: float(source.weight / total) for source in self.order.sources}

    def locate(self, sequence: int) -> tuple[str, Shard, int]:
        """Find a sequence of the run: source, shard, and its first token there."""
        place = self.order.locate(sequence - self.first)
        return place.source, self.sources[place.source].train[place.shard], place.token_offset


def open_corpus(
    config: Config, sequences: int, *, first: int = 0, start: Mapping[str, int] | None = None
) -> Corpus:
    """Open the shards of the configured mixture and check all that can be without reading them.

    The run has so many sequences, of which ``first`` were read before this order begins, and of
    each source ``start``. Raises UserError for shards that are missing, unfinished, cut, or of
    another tokenizer, a source without held-out documents, a mixture that the shards cannot fill.
    """
    directory, context = Path(config.data.shards), config.model.context
    ordered = corpus_order(
        mixture_files.load(config.data.mixture),
        directory,
        context=context,
        sequences=sequences - first,
        start=start,
    )
    manifests = {name: read_manifest(directory / name) for name in ordered.shards}
    manifest = next(iter(manifests.values()))  # in what is checked now the sources do not differ
    _check_tokenizer(manifest, config)
    return Corpus(
        sources={name: open_source(directory / name, m, context) for name, m in manifests.items()},
        order=ordered.order,
        first=first,
        vocab_size=manifest.vocab_size,
        mask_bos=manifest.bos_id if config.data.doc_mask else None,
        fingerprint={
            "data.shards": ordered.shards_sha256,
            "data.mixture": f"{ordered.mixture_sha256}, seed {ordered.order.seed}",
            "data.tokenizer": manifest.tokenizer_sha256,
            "model.context": context,
        },
    )


def order_record(corpus: Corpus, done: int) -> dict[str, Any]:
    """Give what a checkpoint keeps of the order, after ``done`` sequences of the run."""
    order, begun = corpus.order, done - corpus.first
    start = {source.name: source.start for source in order.sources}
    read = order.counts(order.block_end(begun - 1) if begun else 0)
    return {
        "fingerprint": corpus.fingerprint,
        "first": corpus.first,
        "sequences": corpus.first + order.sequences,
        "start": start,
        "next_start": {name: start[name] + count for name, count in read.items()},
    }


def resume_corpus(config: Config, sequences: int, record: Mapping[str, Any], done: int) -> Corpus:
    """Open the corpus of a run that goes on: in the order that it had, or a new one.

    A run may become longer in its order, unless it is in the last block, which alone depends
    on the length. A new order begins there, and where ``run.allow_change`` lets data, mixture or
    context differ: each source goes on where the last block that was begun ends. ``record`` is
    what ``order_record`` gave after ``done`` sequences; data that changed without leave is a
    DataError.
    """
    corpus = open_corpus(config, sequences, first=record["first"], start=record["start"])
    found, before = corpus.fingerprint, record["fingerprint"]
    changed = sorted(key for key in found if found[key] != before[key])
    if refused := set(changed) - set(config.run.allow_change):
        keys = ",".join(sorted({*config.run.allow_change, *refused}))
        raise DataError(
            f"what {' and '.join(sorted(refused))} lead to is not what the checkpoint was trained "
            f"on; run.allow_change={keys} goes on with it, in a new order"
        )
    shorter = min(sequences, record["sequences"]) - record["first"]
    last_block = (max(1, shorter // BLOCK_SEQUENCES) - 1) * BLOCK_SEQUENCES
    same = sequences == record["sequences"] or done - record["first"] <= last_block
    if same and not changed:
        return corpus
    return open_corpus(config, sequences, first=done, start=record["next_start"])


def verify(corpus: Corpus, rank: int, ranks: int) -> None:
    """Hash this rank's part of all shards; raise DataError if one is not what was written."""
    shards = [shard for s in corpus.sources.values() for shard in (*s.train, *s.heldout)]
    for shard in shards[rank::ranks]:
        if sha256_of(shard.path) != shard.sha256:
            raise DataError(f"{shard.path}: not the SHA-256 of its manifest; write it again")


@dataclass(frozen=True, slots=True)
class StepBatch:
    """What one data rank reads for one step."""

    step: int
    first: int  # the run's number of the step's first sequence, over all ranks
    tokens: Tensor  # (accumulation, micro batch, context) int64, on the host
    labels: Tensor  # the same shape; the next tokens, or IGNORE
    source_sequences: tuple[int, ...]  # in the order of the corpus' sources
    bad_sequences: int  # unreadable ones, which teach nothing
    passed_over: bool  # a step of data.skip: nothing was read

    @property
    def valid(self) -> int:
        """Labels that are learned from."""
        return int((self.labels != IGNORE).sum())


class Loader:
    """Reads batches ahead in a thread. It has no state: each step is computed from its number."""

    def __init__(self, corpus: Corpus, plan: BatchPlan, data_rank: int, config: DataConfig) -> None:
        self._corpus, self._plan, self._rank, self._config = corpus, plan, data_rank, config
        self._reader = Reader()
        self._warned: set[Path] = set()

    def steps(self, step: int, sequences: int) -> Generator[StepBatch]:
        """Give the batches after ``step`` steps and ``sequences`` sequences, to the run's end.

        Close the generator to end its thread. What was read ahead is then forgotten: the state of
        a run counts what it has trained on.
        """
        waiting: deque[Future[StepBatch]] = deque()
        pool = ThreadPoolExecutor(1, thread_name_prefix="loader")
        try:
            for number in range(step + 1, self._plan.steps + 1):
                first = sequences + (number - step - 1) * self._plan.batch_sequences
                waiting.append(pool.submit(self.batch, number, first))
                if len(waiting) > self._config.prefetch:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
            self._reader.close()

    def sequences(self, first: int) -> list[int]:
        """Number what this rank reads of the step whose first sequence is ``first``, in order.

        The set of sequences of a step does not depend on the number of ranks.
        """
        micro, ranks = self._plan.micro_batch, self._plan.data_ranks
        starts = [(a * ranks + self._rank) * micro for a in range(self._plan.accumulation)]
        return [first + start + m for start in starts for m in range(micro)]

    def batch(self, step: int, first: int) -> StepBatch:
        """Read this rank's share of the step whose first sequence is ``first``."""
        plan = self._plan
        passed_over = any(low <= step <= high for low, high in self._config.skip)
        sequences = [] if passed_over else self.sequences(first)
        windows, bad = blank(len(sequences), plan.context), 0
        counts = dict.fromkeys(self._corpus.sources, 0)
        for row, sequence in enumerate(sequences):
            source, shard, offset = self._corpus.locate(sequence)
            counts[source] += 1
            try:
                windows[:, row] = read_window(self._reader, shard, offset, plan.context)
            except ReadError as error:
                if self._config.on_bad_shard == "raise":
                    raise
                bad += 1
                if shard.path not in self._warned:
                    print(f"warning: {error}; its sequences teach nothing", file=sys.stderr)
                    self._warned.add(shard.path)
        tokens, labels = (
            _host_tensor(part).view(-1, plan.micro_batch, plan.context) for part in windows
        )
        return StepBatch(
            step=step,
            first=first,
            tokens=tokens,
            labels=labels,
            source_sequences=tuple(counts.values()),
            bad_sequences=bad,
            passed_over=passed_over,
        )


def blank(*shape: int) -> NDArray[np.int64]:
    """Make the tokens and the labels, (2, *shape), of windows that teach nothing."""
    return np.stack((np.zeros(shape, np.int64), np.full(shape, IGNORE)))


def read_window(reader: Reader, shard: Shard, offset: int, context: int) -> NDArray[np.int64]:
    """Read the tokens of a window and their labels, the next tokens: (2, context).

    Nothing is learned from what the shard marks so, nor where it has no next token. Raises
    ReadError if the shard cannot be read.
    """
    tokens, labels = window = blank(context)
    count = min(context, shard.tokens - offset - 1)
    ids, learned = reader.read(shard, offset, count + 1), reader.learned(shard, offset + 1, count)
    tokens[: count + 1] = ids[:context]
    labels[:count] = np.where(learned, ids[1:], IGNORE)
    return window


def model_inputs(
    tokens: Tensor, labels: Tensor, mask_bos: int | None, device: torch.device
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Move a microbatch to the device, with its document starts if attention is kept to them."""
    starts = None
    if mask_bos is not None:
        starts = document_starts(tokens, mask_bos).to(device, non_blocking=True)
    return tokens.to(device, non_blocking=True), labels.to(device, non_blocking=True), starts


def document_starts(tokens: Tensor, bos_id: int) -> Tensor:
    """Find the documents in a microbatch: the ``cu_seqlens`` of `trainer.attention.Attend`.

    A document of ``tokens`` (B, T), int64 on the host, begins at each BOS and at each row. The
    result is (N,) int32: starts among the B * T tokens in a row, then B * T to the end. N is a
    power of two, 64 or more: compiled code sees few shapes, kernels few documents of no tokens.
    """
    starts = tokens == bos_id
    starts[:, 0] = True
    places = starts.flatten().nonzero().squeeze(-1)
    size = 1 << max(6, len(places).bit_length())
    bounds = torch.full((size,), tokens.numel(), dtype=torch.int32)
    bounds[: len(places)] = places
    return bounds


def _host_tensor(values: NDArray[np.int64]) -> Tensor:
    tensor = torch.from_numpy(values)
    return tensor.pin_memory() if torch.accelerator.is_available() else tensor


def _check_tokenizer(manifest: Manifest, config: Config) -> None:
    """Refuse shards whose ids mean something else to this model."""
    shards, model, tokenizer = config.data.shards, config.model, config.data.tokenizer
    if manifest.vocab_size != model.vocab_size:
        raise DataError(
            f"{shards}: written for {manifest.vocab_size:,} ids, model.vocab_size is "
            f"{model.vocab_size:,}: set model.vocab_size={manifest.vocab_size}"
        )
    if config.data.doc_mask and not manifest.add_bos:
        raise DataError(f"{shards}: written without BOS, by which data.doc_mask tells documents")
    if tokenizer and sha256_of(Path(tokenizer)) != manifest.tokenizer_sha256:
        raise DataError(
            f"{shards}: written with the tokenizer {manifest.tokenizer_sha256[:12]}.., while "
            f"{tokenizer} is another or not there: write the shards again, or name their tokenizer"
        )


def open_source(directory: Path, manifest: Manifest, context: int) -> Source:
    """Open the shards of a source; UserError if one is not its manifest's, or none is held out."""
    train, heldout = (open_split(directory, manifest, s, context) for s in ("train", "heldout"))
    totals = manifest.splits["heldout"]
    if totals.tokens <= len(heldout):
        raise DataError(f"{directory}: no held-out documents: tokenize it with a larger fraction")
    return Source(train, heldout, totals.text_bytes)
