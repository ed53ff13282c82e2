"""LLaMA: embedding, blocks of attention and SwiGLU under RMSNorm, untied head (paper, section 2.2).

Parameters carry Meta's names (``layers.0.attention.wq.weight``); the rows of wq and wk are in
half-rotated order, as in Hugging Face's checkpoints, so that no complex number is needed. Build on
the meta device, shard, ``to_empty``, then initialize or load (docs/rules/trainer.md 1 and 4).
"""

import math
from typing import Any, cast

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every PyTorch reader knows
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, Partial, Replicate
from torch.utils.checkpoint import checkpoint

from trainer.attention import Attend, attend
from trainer.initial import fill_normal
from trainer.loss import next_token_losses
from trainer.sections import ModelConfig, TrainConfig

INIT_STD = 0.02


class RMSNorm(nn.Module):
    """Root mean square norm: statistics in float32, cast back before the weight."""

    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(dim))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last dimension of ``x`` (..., dim)."""
        y = x.float()
        y = y * torch.rsqrt(y.square().mean(-1, keepdim=True) + self.eps)
        return y.to(x.dtype) * self.weight


class Attention(nn.Module):
    """Causal self-attention with rotary positions, no biases."""

    def __init__(self, config: ModelConfig, attend: Attend) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        self.attend = attend
        self.wq = nn.Linear(config.dim, config.dim, bias=False)
        self.wk = nn.Linear(config.dim, config.dim, bias=False)
        self.wv = nn.Linear(config.dim, config.dim, bias=False)
        self.wo = nn.Linear(config.dim, config.dim, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, cu_seqlens: Tensor | None) -> Tensor:
        """Attend over ``x`` (B, T, dim); ``cos``, ``sin`` (T, D/2), ``cu_seqlens`` as `Attend`."""
        # The head count follows from the local width: tensor parallel ranks hold some heads each.
        q, k, v = (w(x).unflatten(-1, (-1, self.head_dim)) for w in (self.wq, self.wk, self.wv))
        mixed = self.attend(rotate(q, cos, sin), rotate(k, cos, sin), v, cu_seqlens)
        return cast("Tensor", self.wo(mixed.flatten(-2)))


class FeedForward(nn.Module):
    """SwiGLU: w2(silu(w1 x) * w3 x)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.w1 = nn.Linear(config.dim, config.ffn_dim, bias=False)
        self.w2 = nn.Linear(config.ffn_dim, config.dim, bias=False)
        self.w3 = nn.Linear(config.dim, config.ffn_dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x`` (B, T, dim) to the same shape."""
        return cast("Tensor", self.w2(F.silu(self.w1(x)) * self.w3(x)))


class Block(nn.Module):
    """One layer: x += attention(norm(x)), x += feed_forward(norm(x))."""

    def __init__(self, config: ModelConfig, attend: Attend) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.dim, config.norm_eps)
        self.attention = Attention(config, attend)
        self.ffn_norm = RMSNorm(config.dim, config.norm_eps)
        self.feed_forward = FeedForward(config)
        self.recompute: dict[str, Any] | None = None  # of `checkpoint`, set by `trainer.parallel`

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, cu_seqlens: Tensor | None) -> Tensor:
        """Map ``x`` (B, T, dim) to the same shape."""
        if self.recompute is None or not torch.is_grad_enabled():
            return self.compute(x, cos, sin, cu_seqlens)
        # Here and not around the block, so that no wrapper changes the names of parameters.
        output: Tensor = checkpoint(
            self.compute,
            *(x, cos, sin, cu_seqlens),
            use_reentrant=False,
            preserve_rng_state=False,  # there is no dropout
            **self.recompute,
        )
        return output

    def compute(self, x: Tensor, cos: Tensor, sin: Tensor, cu_seqlens: Tensor | None) -> Tensor:
        """Do what ``forward`` does, and keep what backward needs."""
        x = x + self.attention(self.attention_norm(x), cos, sin, cu_seqlens)
        return cast("Tensor", x + self.feed_forward(self.ffn_norm(x)))


class Llama(nn.Module):
    """The model; its forward gives the loss when it gets labels, logits when not."""

    rope_cos: Tensor  # (context, head_dim / 2), float32, not part of a checkpoint
    rope_sin: Tensor

    def __init__(
        self, config: ModelConfig, *, attend: Attend = attend, train: TrainConfig | None = None
    ) -> None:
        super().__init__()
        self.config = config
        self.loss = train or TrainConfig()
        self.tok_embeddings = nn.Embedding(config.vocab_size, config.dim)
        self.layers = nn.ModuleList(Block(config, attend) for _ in range(config.layers))
        self.norm = RMSNorm(config.dim, config.norm_eps)
        self.output = nn.Linear(config.dim, config.vocab_size, bias=False)
        self.build_rope()

    def build_rope(self) -> None:
        """Compute the rotary tables; again after ``to_empty``, which leaves garbage in them."""
        device = self.tok_embeddings.weight.device
        pairs = torch.arange(0, self.config.head_dim, 2, dtype=torch.float32, device=device)
        frequencies = self.config.rope_theta ** (-pairs / self.config.head_dim)
        places = torch.arange(self.config.context, dtype=torch.float32, device=device)
        for name, table in (("rope_cos", torch.cos), ("rope_sin", torch.sin)):
            self.register_buffer(name, table(torch.outer(places, frequencies)), persistent=False)

    def forward(
        self,
        tokens: Tensor,
        labels: Tensor | None = None,
        cu_seqlens: Tensor | None = None,
        start: int = 0,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Give logits (B, T, V), or with labels the sums of their loss (`Losses`).

        ``tokens`` and ``labels``, the next tokens or ``IGNORE``, are (B, T) int64; the first has
        place ``start`` of the context. ``cu_seqlens`` as in `Attend` keeps it inside documents.
        """
        x = self.tok_embeddings(tokens)
        places = slice(start, start + tokens.shape[1])
        cos, sin = self.rope_cos[places], self.rope_sin[places]
        for layer in self.layers:
            x = layer(x, cos, sin, cu_seqlens)
        x = self.norm(x)
        if labels is None:
            return cast("Tensor", self.output(x))
        weight: Tensor = self.output.weight
        group = None
        if isinstance(weight, DTensor):  # tensor parallel: this rank has some rows of it
            x = x.redistribute(placements=[Replicate()]).to_local(grad_placements=[Partial()])
            group, weight = weight.device_mesh.get_group(), weight.to_local()
        return next_token_losses(x, weight, labels, self.loss, group)


@torch.no_grad()
def initialize(model: Llama, seed: int) -> None:
    """Fill the weights with GPT-2's initial values, as the paper does not give its own.

    Matrices are normal with deviation 0.02, cut off at three deviations; what writes to the
    residual stream (wo, w2) is narrower by sqrt(2 layers). Norms are 1. Nothing may wrap a module,
    which would change the names, by which the values are drawn.
    """
    for name, parameter in model.named_parameters():
        residual = name.endswith(("attention.wo.weight", "feed_forward.w2.weight"))
        if parameter.ndim == 1:
            parameter.fill_(1.0)
        else:
            narrower = math.sqrt(2 * model.config.layers) if residual else 1.0
            fill_normal(parameter, seed, name, INIT_STD / narrower)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate channel pairs (i, i + D/2) of ``x`` (B, T, H, D) by ``cos``, ``sin`` (T, D/2)."""
    first, second = x.float().chunk(2, dim=-1)
    cos, sin = cos[:, None], sin[:, None]
    turned = torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)
    return turned.to(x.dtype)
