"""Log-likelihoods and generated texts of a model that is spread over ranks.

Rank 0 runs an evaluation and asks a `Scorer`; the other ranks wait in ``serve`` and do their share
of each request. So data sets are loaded once, and programs that the model wrote are run once, while
every forward pass is made by all ranks in step, as FSDP's communication needs it. Within a request,
batches are dealt round-robin to the data ranks.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, NamedTuple, cast

import torch
import torch.distributed as dist
import torch.nn.functional as F  # noqa: N812 - the name that every PyTorch reader knows
from torch import Tensor

from tokenizer.model import Tokenizer
from trainer.data import document_starts
from trainer.generate import Sampling, kept_keys, pick
from trainer.model import Llama
from trainer.parallel import World
from trainer.sections import Config

_ROUNDS = 32  # batches per data rank in one request: a message of some megabytes at most
_BATCH_ROWS = 256  # most rows of a batch, however short they are
_WAIT = timedelta(days=2)  # rank 0's, between requests: some tasks run programs for hours
_NO_ID = -1  # no token is this one, so that documents begin at rows only


class Row(NamedTuple):
    """Token ids, of which the model sees all but the last, and the last ``scored`` are scored."""

    ids: list[int]  # 2 to context + 1
    scored: int  # 1 to len(ids) - 1


class Prompt(NamedTuple):
    """Token ids to be continued."""

    ids: list[int]  # 1 to context - max_new
    max_new: int  # tokens
    until: tuple[str, ...]  # the text ends before the first of these
    sampling: Sampling


class Scorer:
    """A model that rank 0 asks and all ranks compute. Make it on all ranks, and close it there."""

    def __init__(self, model: Llama, tokenizer: Tokenizer, config: Config, world: World) -> None:
        self._model, self._tokenizer, self._config, self._world = model, tokenizer, config, world
        # A group of its own: the others' timeout is that of a training step.
        self._group = dist.new_group(backend="gloo", timeout=_WAIT)
        model.eval()

    def close(self) -> None:
        """Let the ranks that serve go on, and put the model back into training mode."""
        if self._world.rank == 0:
            self._world.agree(None, self._group)
        dist.destroy_process_group(self._group)
        self._model.train()

    def serve(self) -> None:
        """Compute what rank 0 asks for, until it closes. For all ranks but 0."""
        waiting: Any = None
        while (request := self._world.agree(waiting, self._group)) is not None:
            self._answer(*request)

    def score(self, rows: Sequence[Row]) -> list[tuple[float, bool]]:
        """Give the log-likelihood in nats of what is scored, and whether greedy search gives it."""
        return [(nats, bool(greedy)) for nats, greedy in self._ask("score", rows)]

    def generate(self, prompts: Sequence[Prompt]) -> list[str]:
        """Give the text after each prompt, cut where it ends; a token of EOS ends it too."""
        texts = []
        for prompt, answer in zip(prompts, self._ask("generate", prompts), strict=True):
            new = [int(number) - 1 for number in answer if number]
            texts.append(_cut(self._text(prompt.ids, new), prompt.until))
        return texts

    def _ask(self, kind: str, items: Sequence[Row] | Sequence[Prompt]) -> list[list[float]]:
        """Ask all ranks, the longest items first: what does not fit into memory fails at once."""
        order = sorted(range(len(items)), key=lambda number: -len(items[number].ids))
        answers: list[list[float]] = [[] for _ in items]
        while order:
            size = self._batch_size(kind, len(items[order[0]].ids))
            most = size * self._world.data_ranks * _ROUNDS
            part, order = order[:most], order[most:]
            request = (kind, [items[number] for number in part], size)
            self._world.agree(request, self._group)
            for number, answer in zip(part, self._answer(*request), strict=True):
                answers[number] = answer
        return answers

    def _batch_size(self, kind: str, longest: int) -> int:
        """Give the rows of a batch: for scoring as many tokens as a microbatch of training has."""
        micro_batch, context = self._config.train.micro_batch, self._config.model.context
        rows = micro_batch * context // longest if kind == "score" else micro_batch
        return max(1, min(_BATCH_ROWS, rows))

    def _answer(self, kind: str, items: Sequence[Any], size: int) -> list[list[float]]:
        """Compute this rank's share, then give the answers of all, as lists of equal length."""
        world = self._world
        compute: Callable[[Sequence[Any]], list[list[float]]] = self._score
        width = 2
        if kind == "generate":
            compute, width = self._generate, max(prompt.max_new for prompt in items)
        answers = torch.zeros(len(items), width, dtype=torch.float64)
        starts = range(0, len(items), size)
        with torch.compiler.set_stance("force_eager"), torch.no_grad():  # shapes change too often
            for first in range(0, len(starts), world.data_ranks):
                mine = first + world.data_rank
                # A rank that has no batch left computes one to keep the others company.
                start = starts[mine] if mine < len(starts) else 0
                found = compute(items[start : start + size])
                for row, numbers in enumerate(found if mine < len(starts) else (), start):
                    answers[row, : len(numbers)] = torch.tensor(numbers)
        total = world.sum(answers.flatten().tolist())
        return [total[row : row + width] for row in range(0, len(total), width)]

    def _score(self, rows: Sequence[Row]) -> list[list[float]]:
        longest = max(len(row.ids) for row in rows) - 1
        tokens = torch.zeros(len(rows), longest, dtype=torch.int64)
        for number, row in enumerate(rows):
            tokens[number, : len(row.ids) - 1] = torch.tensor(row.ids[:-1])
        logits, scores = self._logits(tokens), []
        for number, row in enumerate(rows):
            end = len(row.ids) - 1
            wanted = torch.tensor(row.ids[-row.scored :], device=logits.device)
            of_row = logits[number, end - row.scored : end].float()
            nats = of_row.log_softmax(-1).gather(-1, wanted[:, None]).sum()
            scores.append([float(nats), float((of_row.argmax(-1) == wanted).all())])
        return scores

    def _logits(self, tokens: Tensor) -> Tensor:
        """Give the logits (B, T, V) of ``tokens`` (B, T), each row a document."""
        padded = F.pad(tokens, (0, -tokens.shape[1] % self._world.tensor))
        starts = None
        if self._config.data.doc_mask:  # its kernels want to know where documents begin
            starts = document_starts(padded, _NO_ID).to(self._world.device)
        logits = cast("Tensor", self._model(padded.to(self._world.device), None, starts))
        return logits[:, : tokens.shape[1]]

    def _generate(self, prompts: Sequence[Prompt]) -> list[list[float]]:
        """Continue a batch token by token; give the new ids, each plus one.

        The batch begins with as many ids as the shortest prompt has. A longer one goes on with its
        own ids while the others already have new ones, so nothing is padded.
        """
        rows = [list(prompt.ids) for prompt in prompts]
        generators = [torch.Generator().manual_seed(prompt.sampling.seed) for prompt in prompts]
        open_rows = set(range(len(rows)))
        done, length = 0, min(map(len, rows))
        with self._kept_keys():
            while self._world.sum([len(open_rows)])[0]:
                logits = self._last_logits([row[:length] for row in rows], done)
                if not open_rows:
                    continue  # other ranks are not ready
                for number, (row, prompt) in enumerate(zip(rows, prompts, strict=True)):
                    if len(row) > length:
                        continue
                    row.append(pick(logits[number], prompt.sampling, generators[number]))
                    if number in open_rows and self._ends(prompt, row):
                        open_rows.remove(number)
                done, length = length, length + 1
        new = [
            row[len(p.ids) : len(p.ids) + p.max_new] for row, p in zip(rows, prompts, strict=True)
        ]
        return [[float(number + 1) for number in ids] for ids in map(self._before_eos, new)]

    def _kept_keys(self) -> contextlib.AbstractContextManager[None]:
        """Keep keys and values between tokens, where one token does not have to be split."""
        return kept_keys(self._model) if self._world.tensor == 1 else contextlib.nullcontext()

    def _last_logits(self, rows: Sequence[list[int]], done: int) -> Tensor:
        """Give the logits (B, V) after rows of one length, of which ``done`` ids are kept."""
        tokens = torch.tensor(rows)
        if self._world.tensor > 1:
            return self._logits(tokens)[:, -1]
        # A rank that only keeps the others company repeats its last token.
        start = min(done, tokens.shape[1] - 1)
        device = self._world.device
        logits = self._model(tokens[:, start:].to(device), start=start)
        return cast("Tensor", logits)[:, -1]

    def _ends(self, prompt: Prompt, row: list[int]) -> bool:
        """Tell whether a row is complete."""
        new = row[len(prompt.ids) :]
        full = len(new) >= prompt.max_new or len(row) >= self._config.model.context
        if full or new[-1] == self._tokenizer.eos_id:
            return True
        text = self._text(prompt.ids, new)
        return any(end in text for end in prompt.until)

    def _before_eos(self, ids: list[int]) -> list[int]:
        eos_id = self._tokenizer.eos_id
        return ids[: ids.index(eos_id)] if eos_id in ids else ids

    def _text(self, prompt: list[int], new: list[int]) -> str:
        """Decode what was generated; alone it would lose a space at its beginning."""
        return self._tokenizer.decode([*prompt, *new])[len(self._tokenizer.decode(prompt)) :]


@contextlib.contextmanager
def asking(
    model: Llama, tokenizer: Tokenizer, config: Config, world: World
) -> Iterator[Scorer | None]:
    """Give rank 0 a `Scorer`, and let the others serve it, until the block ends on rank 0."""
    scorer = Scorer(model, tokenizer, config, world)
    try:
        if world.rank:
            scorer.serve()
        yield scorer if world.rank == 0 else None
    finally:
        scorer.close()


def _cut(text: str, until: Sequence[str]) -> str:
    """Cut a text before the first of some ends.

    >>> _cut("4. So 5", ["So", "."])
    '4'
    """
    return text[: min([place for end in until if (place := text.find(end)) >= 0], default=None)]
