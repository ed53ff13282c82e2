"""The loss of next-token prediction: in chunks of tokens, and over ranks that share the vocabulary.

Logits over 32,000 entries cost more memory than anything else in a small model: 0.65 GB for a
sequence of 2,048 tokens. So they exist for one chunk of tokens at a time, and the gradient of the
chunk is formed while they do (docs/rules/trainer.md 1).
"""

from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor

from trainer.sections import TrainConfig

IGNORE = -100  # a label that is not learned from


class Losses(NamedTuple):
    """Sums over the valid labels, float32 scalars; dividing them is the caller's business."""

    total: Tensor  # nll + z_loss * (log-partition)^2; the one that carries a gradient
    nll: Tensor  # negative log-likelihood in nats


def next_token_losses(
    hidden: Tensor,
    weight: Tensor,
    labels: Tensor,
    config: TrainConfig,
    group: dist.ProcessGroup | None = None,
) -> Losses:
    """Sum the negative log-likelihood of ``labels`` under a linear head, chunk by chunk.

    The gradient is formed in the forward pass, and the backward pass only scales it. Under tensor
    parallelism each rank has the logits of its part of the vocabulary, and three numbers per token
    are exchanged. Read ``weight`` inside the forward of the module that owns it: elsewhere FSDP
    gives its shard.

    Args:
        hidden: (B, T, D), the output of the final norm.
        weight: (V, D), the head; with ``group`` this rank's equal part of its rows.
        labels: (B, T), int64; ``IGNORE`` where nothing is to be predicted.
        config: ``loss_chunk`` and ``z_loss``.
        group: the ranks that share the head, in the order of its rows. The losses are of the whole
            vocabulary; the gradient of ``hidden`` is this rank's part, to be summed over them.
    """
    flat, learns = (hidden.flatten(0, -2), weight, labels.flatten()), torch.is_grad_enabled()
    total, nll = _ChunkedLoss.apply(*flat, config, group, learns)  # type: ignore[no-untyped-call]  # untyped in torch
    return Losses(total, nll)


class _ChunkedLoss(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0917 - autograd functions take positions only
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        labels: Tensor,
        config: TrainConfig,
        group: dist.ProcessGroup | None,
        with_gradient: bool,
    ) -> tuple[Tensor, Tensor]:
        nll = hidden.new_zeros((), dtype=torch.float32)
        squares = torch.zeros_like(nll)
        d_hidden = torch.empty_like(hidden) if with_gradient else None
        d_weight = torch.zeros_like(weight, dtype=torch.float32) if with_gradient else None
        first = group.rank() * len(weight) if group else 0  # of this rank's part of the vocabulary
        for start in range(0, len(hidden), config.loss_chunk):
            part = slice(start, start + config.loss_chunk)
            valid = labels[part] != IGNORE
            target = labels[part, None] - first
            here = (target >= 0) & (target < len(weight))
            target = target.clamp(0, len(weight) - 1)
            logits = (hidden[part] @ weight.T).float()
            log_partition = _log_partition(logits, group)
            picked = logits.gather(-1, target).where(here, 0.0).squeeze(-1)
            if group:
                dist.all_reduce(picked, group=group)
            nll += torch.where(valid, log_partition - picked, 0.0).sum()
            squares += torch.where(valid, log_partition.square(), 0.0).sum()
            if d_hidden is not None and d_weight is not None:
                gradient = logits.sub_(log_partition[:, None]).exp_()
                if config.z_loss:
                    gradient *= 1 + 2 * config.z_loss * log_partition[:, None]
                gradient.scatter_add_(-1, target, -here.float())
                gradient = gradient.masked_fill_(~valid[:, None], 0.0).to(hidden.dtype)
                d_hidden[part] = gradient @ weight
                d_weight += gradient.T @ hidden[part]
        if d_hidden is not None:
            ctx.save_for_backward(d_hidden, d_weight)
            ctx.weight_dtype = weight.dtype
        ctx.mark_non_differentiable(nll)
        return nll + config.z_loss * squares, nll

    @staticmethod
    def backward(
        ctx: Any, d_total: Tensor, _d_nll: Tensor
    ) -> tuple[Tensor, Tensor, None, None, None, None]:
        d_hidden, d_weight = ctx.saved_tensors
        # The scale is 1 / tokens of a step: in bfloat16 its rounding would bias every gradient.
        scaled = (d_hidden.float() * d_total).to(d_hidden.dtype)
        return scaled, (d_weight * d_total).to(ctx.weight_dtype), None, None, None, None


def _log_partition(logits: Tensor, group: dist.ProcessGroup | None) -> Tensor:
    """Give the log of the summed exponentials of (N, V) logits, V split over the ``group``."""
    if group is None:
        return logits.logsumexp(-1)
    top = logits.amax(-1)
    dist.all_reduce(top, dist.ReduceOp.MAX, group)
    total = (logits - top[:, None]).exp_().sum(-1)
    dist.all_reduce(total, group=group)
    return top + total.log_()
