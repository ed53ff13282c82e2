"""AdamW, its learning rate and the gradient norm (paper, 2.3; docs/rules/trainer.md 2)."""

import math
from collections.abc import Iterable

import torch
from torch import nn
from torch.distributed.tensor import DTensor

from trainer.sections import OptimConfig

_EMBEDDINGS = ("tok_embeddings.weight", "output.weight")


def build_optimizer(model: nn.Module, config: OptimConfig) -> torch.optim.AdamW:
    """Make AdamW with two groups: matrices decay, vectors (the norms' weights) do not.

    Call it after sharding. The learning rate is set for each step by ``set_learning_rate``.
    """
    decayed: list[nn.Parameter] = []
    plain: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        exempt = name in _EMBEDDINGS and not config.decay_embeddings
        (plain if parameter.ndim < 2 or exempt else decayed).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    beta1, beta2 = config.betas
    return torch.optim.AdamW(groups, lr=0.0, betas=(beta1, beta2), eps=config.eps, fused=True)


def learning_rate(step: int, config: OptimConfig, steps: int) -> float:
    """Give the rate of update ``step`` (1 to ``steps``): linear warm-up, then half a cosine.

    The last warm-up step has exactly the peak, the last step and all after it exactly
    ``final_lr_fraction`` of it.

    >>> learning_rate(1, OptimConfig(lr=3e-4, warmup_steps=2000), 10_000)
    1.5e-07
    """
    warmup, floor = config.warmup_steps, config.final_lr_fraction
    if step <= warmup:
        return config.lr * step / warmup
    if step >= steps:
        return config.lr * floor
    cosine = math.cos(math.pi * (step - warmup) / (steps - warmup))
    return config.lr * (floor + (1 - floor) * (1 + cosine) / 2)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the rate of the update to come; a float, so that no state of it is to be saved."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def clip_gradients(parameters: Iterable[nn.Parameter], limit: float) -> torch.Tensor:
    """Scale gradients down to norm ``limit`` (0: never); give the global norm before, a scalar."""
    norm = nn.utils.clip_grad_norm_(parameters, limit or math.inf)
    return norm.full_tensor() if isinstance(norm, DTensor) else norm
