"""Ranks, their mesh, and the model spread over them (docs/rules/trainer.md 3 and 4).

Up to three dimensions: copies of the model (``parallel.replicate``), each sharded with FSDP2, and
inside of that tensor and sequence parallel ranks (``parallel.tensor``), which share each matrix and
each sequence. One rank without ``torchrun`` takes the same path as two thousand: a process group of
one and FSDP over a mesh of one, which changes no bit of the result.
"""

import importlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch.distributed import _symmetric_memory as symmetric_memory
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.distributed_c10d import _set_pg_timeout
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import Replicate, Shard
from torch.distributed.tensor import parallel as tp
from torch.utils.checkpoint import CheckpointPolicy, create_selective_checkpoint_contexts

from tokenizer.errors import UserError
from tokenizer.settings import read_toml
from trainer import environment
from trainer.attention import Choice, choose
from trainer.config import ConfigError, TrainerError
from trainer.model import Block, Llama
from trainer.plan import shards
from trainer.sections import Config, ParallelConfig

T = TypeVar("T")
c10d: Any = dist  # for public names that its typed list lacks

_OF_PYTORCH = ("aten", "_c10d_functional", "torch_attn")
_KEPT = read_toml(Path(__file__).with_name("selective.toml"))


@dataclass(frozen=True, slots=True)
class World:
    """This process among all: its rank, its device and the mesh of devices."""

    rank: int
    size: int
    device: torch.device
    mesh: DeviceMesh  # dp_replicate, dp_shard, tp; of those with one rank only dp_shard is there
    tensor: int = 1  # ranks that share each sequence

    @property
    def data_rank(self) -> int:
        """Which share of each batch this rank reads."""
        return self.rank // self.tensor

    @property
    def data_ranks(self) -> int:
        """In how many shares a batch is read."""
        return self.size // self.tensor

    def sum(self, values: Sequence[float]) -> list[float]:
        """Add numbers up over the data ranks, on the CPU in float64: counts stay exact.

        Ranks that share their sequences count them once, by the mean of what each has.
        """
        total = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(total)
        return [float(value) for value in total / self.tensor]

    def agree(self, value: T, group: dist.ProcessGroup | None = None) -> T:
        """Give every rank the value of rank 0; all ranks are in the ``group``."""
        box = [value]
        dist.broadcast_object_list(box, src=0, group=group)
        return box[0]

    def say(self, text: str) -> None:
        """Print for the reader, once for all ranks."""
        if self.rank == 0:
            print(text, flush=True)

    def once(self, compute: Callable[[], T]) -> T:
        """Compute something on rank 0; every rank gets the result, or raises its UserError.

        A file that rank 0 cannot read or write is a TrainerError.
        """
        result: T | None = None
        problem: UserError | None = None
        if self.rank == 0:
            try:
                result = compute()
            except UserError as error:
                problem = error
            except OSError as error:
                problem = TrainerError(str(error))
        result, problem = self.agree((result, problem))
        if problem:
            raise problem
        return cast("T", result)


def start(config: ParallelConfig | None = None) -> World:
    """Join the process group that ``torchrun`` describes, or make one of this process alone.

    The backend follows the device; gloo is always there, for numbers that live on the host.
    """
    config, backend = config or ParallelConfig(), "gloo"
    environment.connect_lazily(int(os.environ.get("WORLD_SIZE", "1")))
    if kind := torch.accelerator.current_accelerator(check_available=True):
        torch.accelerator.set_device_index(int(os.environ.get("LOCAL_RANK", "0")))
        backend = f"cpu:gloo,{kind.type}:{dist.get_default_backend_for_device(kind)}"
    timeout = timedelta(minutes=config.first_timeout_minutes)
    if "RANK" in os.environ:
        # torchrun keeps its store when it restarts the ranks. Without a prefix of their own they
        # would find the addresses of those before them there, and wait for them.
        store, rank, size = next(c10d.rendezvous("env://", timeout=timeout))
        store = c10d.PrefixStore(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"), store)
    else:
        store, rank, size = c10d.HashStore(), 0, 1
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=timeout)
    return arrange(config)


def arrange(config: ParallelConfig) -> World:
    """Lay the ranks out in a mesh, tensor parallel ones side by side; ConfigError if none fits."""
    size, device = dist.get_world_size(), torch.device("cpu")
    if kind := torch.accelerator.current_accelerator(check_available=True):
        device = torch.device(kind.type, torch.accelerator.current_device_index())
    sharded = shards(config, size)
    shape = {"dp_replicate": config.replicate, "dp_shard": sharded, "tp": config.tensor}
    shape = {name: n for name, n in shape.items() if n > 1 or name == "dp_shard"}
    mesh = init_device_mesh(device.type, tuple(shape.values()), mesh_dim_names=tuple(shape))
    return World(dist.get_rank(), size, device, mesh, config.tensor)


def limit_waiting(world: World, minutes: float) -> None:
    """Let collectives fail after so long: a hung rank then ends the run instead of stalling it."""
    for group in (dist.group.WORLD, *world.mesh.get_all_groups()):
        _set_pg_timeout(timedelta(minutes=minutes), group)  # private, and the only way there is


def stop() -> None:
    """Leave the process group.

    Gloo's threads outlive it. One that releases the last tensor of a collective needs the
    interpreter, and aborts the process if that is going down: about one exit in a hundred here.
    """
    dist.destroy_process_group()
    time.sleep(0.2)


def build_model(config: Config, world: World) -> tuple[Llama, Choice]:
    """Build the model spread over ``world``, its weights not yet filled; and choose its attention.

    The order matters: on the meta device first; matrices are split before blocks are compiled, and
    blocks are sharded before the root; memory is taken last, for the shards only. Raises
    AttentionError if no kernel serves, ConfigError if the devices cannot do what a key asks for.
    """
    parallel, dtype = config.parallel, getattr(torch, config.parallel.param_dtype)
    chosen = choose(
        config.attention.backend,
        world.device,
        documents=config.data.doc_mask,
        dtype=dtype,
        deterministic=config.run.deterministic,
    )
    with torch.device("meta"):
        model = Llama(config.model, attend=chosen.attend, train=config.train)
    if world.tensor > 1:
        split(model, world.mesh["tp"])
        if parallel.async_tensor:
            overlap(world)
    recompute, problem = recomputation(parallel.recompute, chosen.name)
    if problem:
        world.say(f"warning: {problem}")
    for block in model.layers:
        assert isinstance(block, Block)
        block.recompute = recompute
        if parallel.compile == "true":
            block.compile(fullgraph=chosen.traceable)
    shard(model, world, parallel)
    model.to_empty(device=world.device)
    model.build_rope()  # not part of a checkpoint, and garbage until now
    return model, chosen


def split(model: Llama, mesh: DeviceMesh) -> None:
    """Split matrices over the tensor parallel ranks, and between them each sequence.

    Attention and feed-forward see whole sequences and some of the heads and channels; norms and
    the residual stream see all channels of a part of the sequence.
    """
    sequence, whole = Shard(1), Replicate()
    columns, rows = tp.ColwiseParallel(), tp.RowwiseParallel(output_layouts=sequence)
    plan: dict[str, Any] = {
        "tok_embeddings": tp.RowwiseParallel(input_layouts=whole, output_layouts=sequence),
        "norm": tp.SequenceParallel(),
        "output": tp.ColwiseParallel(input_layouts=sequence, output_layouts=whole),
        "layers.*.*_norm": tp.SequenceParallel(),
        "layers.*.attention": tp.PrepareModuleInput(
            input_layouts=(sequence, None, None, None),
            desired_input_layouts=(whole, None, None, None),
        ),
        "layers.*.attention.w[qkv]": columns,
        "layers.*.attention.wo": rows,
        "layers.*.feed_forward": tp.PrepareModuleInput(
            input_layouts=sequence, desired_input_layouts=whole
        ),
        "layers.*.feed_forward.w[13]": columns,
        "layers.*.feed_forward.w2": rows,
    }
    tp.parallelize_module(model, mesh, plan)
    # The embedding's result is still under way. A compiled block that is given it so gives back no
    # gradient (PyTorch 2.13); a copy waits for it.
    model.tok_embeddings.register_forward_hook(lambda _, __, output: output.clone())


def overlap(world: World) -> None:
    """Let compiled blocks cut products and their communication in pieces that run side by side.

    Raises ConfigError where PyTorch has no such memory: it is shared by devices over NVLink.
    """
    if world.device.type != "cuda":
        raise ConfigError(
            f"parallel.async_tensor = true: needs NVIDIA devices with NVLink, and this is a "
            f"{world.device.type}: set it to false"
        )
    inductor: Any = importlib.import_module("torch._inductor.config")  # takes a third of a second
    inductor._micro_pipeline_tp = True  # noqa: SLF001 - its only switch
    symmetric_memory.enable_symm_mem_for_group(world.mesh["tp"].get_group().group_name)


def recomputation(mode: str, kernel: str) -> tuple[dict[str, Any] | None, str]:
    """Give the options of ``checkpoint`` for `ParallelConfig.recompute`, which every block takes.

    ``selective:2`` keeps every second matrix product only. The second answer is a warning, or
    nothing: the attention ``kernel`` may have no operator that could be kept.
    """
    if mode == "none":
        return None, ""
    if mode == "full":
        return {}, ""
    matmuls, attention = _operators(_KEPT["products"]), _operators(_KEPT["attention"][kernel])
    kept = attention | _operators(_KEPT["communication"])
    every = 2 if mode == "selective:2" else 1

    def contexts() -> Any:
        seen = {True: 0, False: 0}  # matrix products, in the recomputation and in the forward

        def policy(context: Any, operator: Any, *_: Any, **__: Any) -> CheckpointPolicy:
            if operator in matmuls:
                seen[context.is_recompute] += 1
            keep = operator in kept or (
                operator in matmuls and seen[context.is_recompute] % every == 0
            )
            return CheckpointPolicy.MUST_SAVE if keep else CheckpointPolicy.PREFER_RECOMPUTE

        return create_selective_checkpoint_contexts(policy)  # type: ignore[no-untyped-call]  # untyped in torch

    problem = (
        f"parallel.recompute = {mode}: attention by {kernel} has none of the operators "
        f"{_KEPT['attention'][kernel]} that would be kept, so backward computes it again; take "
        "another attention.backend"
    )
    return {"context_fn": contexts}, "" if attention else problem


def _operators(names: list[str]) -> set[Any]:
    """Find operators by name. Those of PyTorch must exist, those of other libraries may not.

    Raises ConfigError for a name of PyTorch's that its release does not know.
    """
    found = set()
    for name in names:
        namespace, _, operator = name.partition(".")
        packet = getattr(getattr(torch.ops, namespace), operator, None)
        if packet is None and namespace in _OF_PYTORCH:
            raise ConfigError(
                f"selective.toml: PyTorch {torch.__version__} has no operator {name}, so "
                "parallel.recompute=selective would keep less than it says: take none or full"
            )
        found |= {getattr(packet, overload) for overload in packet.overloads()} if packet else set()
    return found


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
    replicas = "dp_replicate" in (world.mesh.mesh_dim_names or ())
    mesh = world.mesh["dp_replicate", "dp_shard"] if replicas else world.mesh["dp_shard"]
    reshard = config.reshard_after_forward and world.mesh["dp_shard"].size() > 1
    for block in model.layers:
        # Backward begins with the last block and the root: they are needed again at once.
        again = reshard and block is not model.layers[-1]
        fully_shard(block, mesh=mesh, mp_policy=precision, reshard_after_forward=again)
    fully_shard(model, mesh=mesh, mp_policy=precision, reshard_after_forward=False)
    for unit in _units(model):
        unit.set_gradient_divide_factor(1.0)
        unit.set_force_sum_reduction_for_comms(True)
    if ahead := config.prefetch_blocks:
        _, *blocks = _units(model)
        for index, unit in enumerate(blocks):
            unit.set_modules_to_forward_prefetch(blocks[index + 1 :][:ahead])
            unit.set_modules_to_backward_prefetch(blocks[:index][::-1][:ahead])


def give_back(model: Llama) -> None:
    """Keep the shards only, after a forward without a backward, which leaves some units whole."""
    for unit in _units(model):
        unit.reshard()


def _units(model: Llama) -> list[FSDPModule]:
    """List what FSDP gathers at once: the root, then the blocks in their order."""
    return [module for module in model.modules() if isinstance(module, FSDPModule)]
