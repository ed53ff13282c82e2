"""How fast a configuration trains on the devices at hand, with each attention kernel."""

import gc
import resource
import time
from collections.abc import Iterator

import torch
from torch import nn
from torch.distributed.tensor import DTensor

from trainer import compiling, optim
from trainer.accumulate import accumulate
from trainer.attention import AttentionError
from trainer.config import override
from trainer.parallel import World, build_model
from trainer.plan import find_hardware
from trainer.sections import CHOICES, Config

_BOS, _DOCUMENT_TOKENS = 1, 512  # of the documents that are made up


def bench(config: Config, world: World, steps: int, microbatches: int) -> Iterator[str]:
    """Train on random tokens with each kernel that serves; give lines to read.

    On an accelerator each kernel runs eager and compiled, unless ``parallel.compile`` says which;
    what was faster is written down for ``parallel.compile = "auto"``. Rates are those of whole
    steps: microbatches and an update, by the loop that trains. Memory is the peak of the device, on
    the CPU that of this process so far. Raises AttentionError if none serves.
    """
    device, dtype = world.device, getattr(torch, config.parallel.param_dtype)
    name = compiling.device_name(device)
    hardware = find_hardware(name) if dtype == torch.bfloat16 else None
    yield (
        f"{config.model.parameters:,} parameters on {world.size} x {name}, torch "
        f"{torch.__version__}; {steps} steps of {microbatches} x {config.train.micro_batch} "
        f"sequences of {config.model.context} on each, {config.parallel.param_dtype}"
    )
    yield (
        f"{'attention':10} {'blocks':8} {'tokens/s/device':>16} {'TFLOP/s':>9} {'MFU':>7} "
        f"{'peak GiB':>9}"
    )
    given, modes = config.attention.backend, _modes(config, world)
    best = dict.fromkeys(modes, 0.0)  # tokens/s per device of the fastest kernel
    fastest = (0.0, "", "")
    for kernel in CHOICES["attention.backend"][1:] if given == "auto" else [given]:
        for blocks, mode in modes.items():
            chosen = override(config, [f"attention.backend={kernel}", f"parallel.compile={mode}"])
            try:
                rate, peak_gib = _measure(chosen, world, steps, microbatches)
            except AttentionError as error:
                yield f"{kernel:10} {_reason(error, kernel)}"
                break
            except RuntimeError as error:  # out of memory, not implemented, or not compiled
                yield f"{kernel:10} {blocks:8} {_reason(error, kernel)}"
                continue
            flops = rate * config.model.flops_per_token
            mfu = f"{flops / hardware.peak_flops:.1%}" if hardware else "-"
            yield (
                f"{kernel:10} {blocks:8} {rate:16,.0f} {flops / 1e12:9.3f} {mfu:>7} {peak_gib:9.2f}"
            )
            best[blocks] = max(best[blocks], rate)
            fastest = max(fastest, (rate, kernel, blocks))
    _, kernel, blocks = fastest
    if not kernel:
        raise AttentionError(f"no attention kernel serves on {name}: the lines above say why")
    yield f"fastest: attention.backend={kernel}, {blocks} blocks"
    if len(best) > 1 and world.rank == 0:
        path = compiling.remember(config, world, best)
        yield f"parallel.compile = auto will take {blocks} blocks here: written to {path}"


def _modes(config: Config, world: World) -> dict[str, str]:
    """Give what is measured: how the blocks run, and the value of parallel.compile for it."""
    modes = {"eager": "false", "compiled": "true"}
    wanted = {config.parallel.compile}
    if wanted == {"auto"}:
        # Compiling takes a CPU longer than it ever saves there.
        both = world.device.type != "cpu" and compiling.compiles(config)
        wanted = {"false", "true"} if both else {"false"}
    return {blocks: mode for blocks, mode in modes.items() if mode in wanted}


def _reason(error: Exception, kernel: str) -> str:
    """Put an error in one line."""
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return reason.partition(f": {kernel} ")[2] or reason


def _measure(config: Config, world: World, steps: int, microbatches: int) -> tuple[float, float]:
    """Give tokens per second and device, and the peak of memory in GiB."""
    device, cuda = world.device, world.device.type == "cuda"
    gc.collect()  # the model of the kernel before
    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    model, _ = build_model(config, world)
    _fill(model)
    optimizer = optim.build_optimizer(model, config.optim)
    generator = torch.Generator().manual_seed(world.data_rank)
    shape = (config.train.micro_batch, config.model.context)
    tokens = torch.randint(_BOS + 1, config.model.vocab_size, shape, generator=generator)
    tokens[:, ::_DOCUMENT_TOKENS] = _BOS
    batch = [(tokens, tokens)] * microbatches
    labels = microbatches * tokens.numel() * world.data_ranks
    mask_bos = _BOS if config.data.doc_mask else None
    begin = 0.0
    for step in range(steps + 1):
        if step == 1:  # the one before compiled, and asked for memory
            _wait(world)
            begin = time.perf_counter()
        accumulate(model, batch, labels, config.parallel, world, mask_bos=mask_bos)
        optim.clip_gradients(model.parameters(), config.optim.clip)
        optimizer.step()
        optimizer.zero_grad()
    _wait(world)
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB
    if cuda:
        peak = torch.cuda.max_memory_allocated(device)
    return steps * labels / seconds / world.size, peak / (1 << 30)


@torch.no_grad()
def _fill(model: nn.Module) -> None:
    """Draw weights fast. Constants would let a device draw less power, and run faster."""
    for parameter in model.parameters():
        local = parameter.to_local() if isinstance(parameter, DTensor) else parameter
        local.normal_(std=0.02) if parameter.ndim > 1 else local.fill_(1.0)


def _wait(world: World) -> None:
    """Wait for the device, and for all ranks."""
    if world.device.type == "cuda":
        torch.cuda.synchronize(world.device)
    world.agree(None)
