"""Forward and backward over the microbatches of a step: what training does and `bench` measures."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributed.fsdp import FSDPModule

from trainer.data import model_inputs
from trainer.model import Llama
from trainer.parallel import World
from trainer.sections import ParallelConfig


def accumulate(
    model: Llama,
    microbatches: Sequence[tuple[Tensor, Tensor]],
    labels: float,
    config: ParallelConfig,
    world: World,
    *,
    mask_bos: int | None,
) -> Tensor:
    """Sum gradients over microbatches and ranks; give this rank's sum of the loss, a scalar.

    Dividing by ``labels``, the labels of the step over all ranks, and summing over ranks is exact
    for every mask, micro batch and number of ranks (docs/rules/trainer.md 3).

    Args:
        model: sharded; its gradients are added to.
        microbatches: tokens and labels, (B, T) int64 each, on the host or the device.
        labels: how many labels the step learns from, over all ranks.
        config: when gradients are reduced and whether parameters are sharded again.
        world: the ranks.
        mask_bos: the id that begins a document, if attention stays inside documents.
    """
    assert isinstance(model, FSDPModule)
    nll = torch.zeros((), device=world.device)
    whole = world.mesh["dp_shard"].size() == 1 or not config.reshard_after_forward
    for index, (tokens, targets) in enumerate(microbatches):
        last = index == len(microbatches) - 1
        model.set_is_last_backward(last)
        model.set_requires_gradient_sync(last or config.sync_each_microbatch)
        model.set_requires_all_reduce(last)  # over the copies of the model, once per step
        if whole:
            model.set_reshard_after_backward(last)  # whole parameters serve the next too
        losses = model(*model_inputs(tokens, targets, mask_bos, world.device))
        (losses.total / labels).backward()
        nll += losses.nll
    return nll
