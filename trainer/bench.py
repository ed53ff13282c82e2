"""How fast a configuration trains on the devices at hand, with each attention kernel."""

import gc
import resource
import time
from collections.abc import Iterator

import torch
from torch import nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor

from trainer import optim
from trainer.attention import AttentionError
from trainer.config import CHOICES, Config, override
from trainer.data import model_inputs
from trainer.parallel import World, build_model
from trainer.plan import find_hardware

_BOS, _DOCUMENT_TOKENS = 1, 512  # of the documents that are made up


def bench(config: Config, world: World, steps: int, microbatches: int) -> Iterator[str]:
    """Train on random tokens with each kernel that serves; give lines to read.

    Rates are those of whole steps: microbatches and an update. Memory is the peak of the device,
    on the CPU that of this process so far. Raises AttentionError if none serves.
    """
    device, dtype = world.device, getattr(torch, config.parallel.param_dtype)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    hardware = find_hardware(name) if dtype == torch.bfloat16 else None
    yield (
        f"{config.model.parameters:,} parameters on {world.size} x {name}, torch "
        f"{torch.__version__}; {steps} steps of {microbatches} x {config.train.micro_batch} "
        f"sequences of {config.model.context} on each, {config.parallel.param_dtype}"
    )
    yield f"{'attention':10} {'tokens/s/device':>16} {'TFLOP/s':>9} {'MFU':>7} {'peak GiB':>9}"
    served, given = False, config.attention.backend
    for kernel in CHOICES["attention.backend"][1:] if given == "auto" else [given]:
        with_kernel = override(config, [f"attention.backend={kernel}"])
        try:
            rate, peak_gib = _measure(with_kernel, world, steps, microbatches)
        except (AttentionError, NotImplementedError, torch.OutOfMemoryError) as error:
            reason = str(error).splitlines()[0]
            yield f"{kernel:10} {reason.partition(f': {kernel} ')[2] or reason}"
            continue
        flops = rate * config.model.flops_per_token
        mfu = f"{flops / hardware.peak_flops:.1%}" if hardware else "-"
        yield f"{kernel:10} {rate:16,.0f} {flops / 1e12:9.3f} {mfu:>7} {peak_gib:9.2f}"
        served = True
    if not served:
        raise AttentionError(f"no attention kernel serves on {name}: the lines above say why")


def _measure(config: Config, world: World, steps: int, microbatches: int) -> tuple[float, float]:
    """Give tokens a second and device, and the peak of memory in GiB."""
    device, cuda = world.device, world.device.type == "cuda"
    gc.collect()  # the model of the kernel before
    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    model, _ = build_model(config, world)
    assert isinstance(model, FSDPModule)
    _fill(model)
    optimizer = optim.build_optimizer(model, config.optim)
    generator = torch.Generator().manual_seed(world.data_rank)
    shape = (config.train.micro_batch, config.model.context)
    tokens = torch.randint(_BOS + 1, config.model.vocab_size, shape, generator=generator)
    tokens[:, ::_DOCUMENT_TOKENS] = _BOS
    inputs = model_inputs(tokens, tokens, _BOS if config.data.doc_mask else None, device)
    begin = 0.0
    for step in range(steps + 1):
        if step == 1:  # the one before compiled, and asked for memory
            _wait(world)
            begin = time.perf_counter()
        for index in range(microbatches):
            model.set_is_last_backward(index == microbatches - 1)
            (model(*inputs).total / tokens.numel()).backward()
        optim.clip_gradients(model.parameters(), config.optim.clip)
        optimizer.step()
        optimizer.zero_grad()
    _wait(world)
    seconds = time.perf_counter() - begin
    trained = steps * microbatches * tokens.numel() * world.data_ranks
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB
    if cuda:
        peak = torch.cuda.max_memory_allocated(device)
    return trained / seconds / world.size, peak / (1 << 30)


@torch.no_grad()
def _fill(model: nn.Module) -> None:
    """Draw weights fast: not a training's, but no constants, with which devices draw less power."""
    for parameter in model.parameters():
        local = parameter.to_local() if isinstance(parameter, DTensor) else parameter
        local.normal_(std=0.02) if parameter.ndim > 1 else local.fill_(1.0)


def _wait(world: World) -> None:
    """Wait for the device, and for all ranks."""
    if world.device.type == "cuda":
        torch.cuda.synchronize(world.device)
    world.agree(None)
