"""Sampling from a trained model, keys and values kept between tokens (docs/rules/trainer.md 11)."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every PyTorch reader knows
from torch import Tensor

from tokenizer.model import Tokenizer
from trainer.attention import attend
from trainer.config import TrainerError
from trainer.export import Weights, load_model
from trainer.model import Attention, Llama

_UNFINISHED = "\ufffd"  # what the bytes of half a character decode to


class GenerateError(TrainerError):
    """A prompt or settings with which nothing can be generated."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is drawn: the same seed draws the same tokens on every device."""

    temperature: float = 0.8  # 0 takes the likeliest
    top_k: int = 0  # of so many likeliest; 0: of all
    top_p: float = 0.95  # of the fewest that have so much probability together
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.temperature >= 0 and self.top_k >= 0 and 0 < self.top_p <= 1):
            raise GenerateError(f"{self}: temperature and top_k are 0 or more, top_p in (0, 1]")


def complete(
    weights: Weights, prompt: str, sampling: Sampling, max_new_tokens: int, dtype: str
) -> Iterator[str]:
    """Give a prompt and the text after it, as it comes; GenerateError if there is no tokenizer."""
    if weights.tokenizer is None:
        raise GenerateError(f"{weights.path}: no tokenizer there: give data.tokenizer=FILE")
    tokenizer = Tokenizer(weights.tokenizer)
    device = torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    model = load_model(weights, device, getattr(torch, dtype))
    ids = tokenizer.encode(prompt, bos=True).tolist()
    eos_id = tokenizer.eos_id
    tokens = generate(model, ids, sampling, max_new_tokens=max_new_tokens, eos_id=eos_id)
    yield prompt
    yield from text_of(tokenizer, ids, tokens)


def generate(
    model: Llama, prompt: Sequence[int], sampling: Sampling, *, max_new_tokens: int, eos_id: int
) -> Iterator[int]:
    """Give the tokens after ``prompt`` as they are drawn, until EOS, the limit or a full context.

    The model is whole, on one device, as `trainer.export.load_model` gives it; EOS is not given.
    Raises GenerateError if the prompt is empty, or as long as the context.
    """
    context = model.config.context
    if not 0 < len(prompt) < context:
        raise GenerateError(f"a prompt of {len(prompt)} tokens: it must have 1 to {context - 1}")
    generator = torch.Generator().manual_seed(sampling.seed)
    device = model.tok_embeddings.weight.device
    ids = list(prompt)
    with kept_keys(model):
        done = 0
        while len(ids) - len(prompt) < max_new_tokens and len(ids) < context:
            with torch.inference_mode():
                logits = model(torch.tensor([ids[done:]], device=device), start=done)
            done = len(ids)
            token = pick(logits[0, -1], sampling, generator)
            if token == eos_id:
                return
            ids.append(token)
            yield token


def pick(logits: Tensor, sampling: Sampling, generator: torch.Generator) -> int:
    """Draw a token from its logits (V,): temperature first, then top k, then top p."""
    logits = logits.float().cpu()
    if not sampling.temperature:
        return int(logits.argmax())
    ranked, ids = torch.sort(logits / sampling.temperature, descending=True, stable=True)
    ranked = ranked[: sampling.top_k or None]
    probabilities = ranked.softmax(-1)
    before = probabilities.cumsum(-1) - probabilities  # of the likelier ones
    probabilities[before >= sampling.top_p] = 0.0
    return int(ids[torch.multinomial(probabilities, 1, generator=generator)])


def text_of(tokenizer: Tokenizer, prompt: Sequence[int], tokens: Iterable[int]) -> Iterator[str]:
    """Decode tokens as they come into the text after ``prompt``'s.

    A character whose bytes are tokens of their own is held back until it is whole.
    """
    ids = list(prompt)
    shown = text = tokenizer.decode(ids)
    for token in tokens:
        ids.append(token)
        text = tokenizer.decode(ids)
        whole = text.rstrip(_UNFINISHED)
        if len(whole) > len(shown):
            yield whole[len(shown) :]
            shown = whole
    yield text[len(shown) :]


class _KeptKeys:
    """Attention of new tokens over the kept ones and themselves; a layer has its own."""

    def __init__(self) -> None:
        self._kept: tuple[Tensor, Tensor] | None = None

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, cu_seqlens: Tensor | None = None) -> Tensor:
        assert cu_seqlens is None, "a text is one document"
        if self._kept is None:
            self._kept = k, v
            return attend(q, k, v)
        assert q.shape[1] == 1, "a query alone sees all that is kept, so no mask is needed"
        k, v = self._kept = torch.cat((self._kept[0], k), 1), torch.cat((self._kept[1], v), 1)
        q, k, v = (x.transpose(1, 2) for x in (q, k, v))
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2)


@contextmanager
def kept_keys(model: Llama) -> Iterator[None]:
    """Let each layer keep its keys and values, for the time of one text."""
    layers = [module for module in model.modules() if isinstance(module, Attention)]
    before = [layer.attend for layer in layers]
    for layer in layers:
        layer.attend = _KeptKeys()
    try:
        yield
    finally:
        for layer, function in zip(layers, before, strict=True):
            layer.attend = function
