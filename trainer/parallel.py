"""Ranks, their mesh, and the model sharded over them with FSDP2 (trainer spec, sections 3 and 4).

One rank without ``torchrun`` takes the same path as two thousand: a process group of one and FSDP
over a mesh of one, which changes no bit of the result.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard

from trainer.attention import choose
from trainer.config import Config, ParallelConfig
from trainer.model import Llama

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class World:
    """This process among all: its rank, its device and the mesh of devices."""

    rank: int
    size: int
    device: torch.device
    mesh: DeviceMesh

    @property
    def data_rank(self) -> int:
        """Which share of each batch this rank reads."""
        return self.rank

    @property
    def data_ranks(self) -> int:
        """In how many shares a batch is read."""
        return self.size

    def sum(self, values: Sequence[float]) -> list[float]:
        """Add numbers up over the ranks, on the CPU in float64: counts below 2**53 stay exact."""
        total = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(total)
        return [float(value) for value in total]

    def agree(self, value: T) -> T:
        """Give every rank the value of rank 0."""
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]


def start() -> World:
    """Join the process group that ``torchrun`` describes, or make one of this process alone.

    The backend follows the device; a CPU backend (gloo) is always there, for numbers that live
    on the host. Call ``stop`` at the end.
    """
    if torch.accelerator.is_available():
        torch.accelerator.set_device_index(int(os.environ.get("LOCAL_RANK", "0")))
        kind = torch.accelerator.current_accelerator()
        assert kind is not None
        device = torch.device(kind.type, torch.accelerator.current_device_index())
        backend = f"cpu:gloo,{kind.type}:{dist.get_default_backend_for_device(kind)}"
    else:
        device, backend = torch.device("cpu"), "gloo"
    if "RANK" in os.environ:
        dist.init_process_group(backend)
    else:
        store = dist.HashStore()  # type: ignore[attr-defined]  # public, but not exported
        dist.init_process_group(backend, store=store, rank=0, world_size=1)
    size = dist.get_world_size()
    mesh = init_device_mesh(device.type, (size,), mesh_dim_names=("dp_shard",))
    return World(dist.get_rank(), size, device, mesh)


def stop() -> None:
    """Leave the process group.

    Gloo's threads outlive it. One that releases the last tensor of a collective needs the
    interpreter, and aborts the process if that is going down: about one exit in a hundred here.
    """
    dist.destroy_process_group()
    time.sleep(0.2)


def build_model(config: Config, world: World) -> tuple[Llama, str]:
    """Build the model sharded over ``world``, its weights not yet filled; and its attention's name.

    The order matters: on the meta device first, blocks are sharded before the root, and memory is
    taken last, for the shards only.

    Raises:
        AttentionError: no attention kernel serves this device and configuration.
    """
    name, attend = choose(config.attention.backend, world.device, documents=config.data.doc_mask)
    with torch.device("meta"):
        model = Llama(config.model, attend=attend, train=config.train)
    shard(model, world, config.parallel)
    model.to_empty(device=world.device)
    model.build_rope()  # not part of a checkpoint, and garbage until now
    return model, name


def shard(model: Llama, world: World, config: ParallelConfig) -> None:
    """Apply FSDP2 to the blocks and the root, with gradients summed, not averaged.

    The loss is divided by the tokens of the whole step before backward, so a sum over ranks is the
    gradient. Both setters are needed: without the first the gradient is too small by the number of
    ranks, which Adam hides; without the second gloo has no such reduction.
    """
    precision = MixedPrecisionPolicy(
        param_dtype=getattr(torch, config.param_dtype),
        reduce_dtype=torch.float32,
        cast_forward_inputs=False,
    )
    reshard = config.reshard_after_forward and world.size > 1
    last = len(model.layers) - 1
    for index, block in enumerate(model.layers):
        # Backward begins with the last block and the root: they are needed again at once.
        again = reshard and index < last
        fully_shard(block, mesh=world.mesh, mp_policy=precision, reshard_after_forward=again)
    fully_shard(model, mesh=world.mesh, mp_policy=precision, reshard_after_forward=False)
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)
