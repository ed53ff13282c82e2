"""What a run will be, before it begins: steps, microbatches, memory, epochs, time and energy.

The batch divides exactly or not at all (docs/rules/trainer.md 3). Nothing here needs torch.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from mixtures import mixture as mixture_files
from mixtures.plan import make_plan
from mixtures.render import render
from tokenizer.settings import read_toml
from trainer.config import ConfigError, near
from trainer.sections import Config, ParallelConfig

_GIB = 1 << 30
PUE = 1.1  # energy of the data centre for each unit of the accelerators' (paper, section 6)
CO2_KG_PER_KWH = 0.385  # of the grid: the average of the US (paper, section 6)
EAGER_ACTIVATIONS = 1.4  # of what compiled blocks hold (docs/rules/trainer.md 4)
USABLE = 0.9  # of a device's memory: the rest goes to the driver, NCCL and fragments
_KNOBS = (
    "lower train.micro_batch, set parallel.recompute=selective or full, or shard over more ranks "
    "(parallel.replicate=1, parallel.reshard_after_forward=true)"
)


class Hardware(NamedTuple):
    """A line of ``hardware.toml``."""

    name: str
    peak_flops: float  # per second, dense bfloat16
    watts: float  # nameplate
    gib: float  # of memory


_DEVICES = read_toml(Path(__file__).with_name("hardware.toml"))["devices"]
HARDWARE = [Hardware(**line) for line in _DEVICES]


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """A step's share for each data rank."""

    data_ranks: int
    micro_batch: int  # sequences
    accumulation: int  # microbatches per rank and step
    batch_sequences: int  # sequences of a step, over all ranks
    steps: int
    context: int  # tokens

    @property
    def sequences(self) -> int:
        """Sequences of the whole run."""
        return self.steps * self.batch_sequences


def plan_batch(config: Config, data_ranks: int) -> BatchPlan:
    """Cut the run into steps, microbatches and sequences for ``data_ranks`` ranks.

    Raises ConfigError if a division leaves a rest, with the nearest values that leave none.
    """
    context, train = config.model.context, config.train
    unit = context * data_ranks * train.micro_batch  # tokens of one microbatch over all ranks
    if train.batch_tokens % unit:
        below = train.batch_tokens // unit * unit
        legal = " or ".join(f"{tokens:_}" for tokens in (below, below + unit) if tokens)
        sequences, rest = divmod(train.batch_tokens, context * data_ranks)
        micro = [n for n in range(1, sequences + 1) if not rest and sequences % n == 0]
        either = f", or train.micro_batch = {near(micro, train.micro_batch)}" if micro else ""
        raise ConfigError(
            f"train.batch_tokens = {train.batch_tokens:_} is no multiple of {unit:_} (model.context"
            f" {context} x {data_ranks} data ranks x train.micro_batch {train.micro_batch}); "
            f"nearest: train.batch_tokens = {legal}{either}"
        )
    sequences, accumulation = train.batch_tokens // context, train.batch_tokens // unit
    return BatchPlan(data_ranks, train.micro_batch, accumulation, sequences, config.steps, context)


def shards(parallel: ParallelConfig, ranks: int) -> int:
    """Give the number of ranks over which FSDP shards one copy; ConfigError if there is a rest."""
    copies = f"parallel.replicate {parallel.replicate} x parallel.tensor {parallel.tensor}"
    count, rest = divmod(ranks, parallel.replicate * parallel.tensor)
    if rest or not count:
        raise ConfigError(f"{ranks} ranks are no multiple of {copies}")
    return count


def memory_plan(config: Config, ranks: int) -> dict[str, float]:
    """Estimate the bytes on one rank, by what they hold (docs/rules/trainer.md 4).

    Weight, gradient and Adam's two moments are float32 and sharded; the blocks in flight and the
    root are whole, but for tensor parallel ranks. Activations per token and layer are 16 dim + 6
    ffn bytes in bfloat16 without recomputation; what is recomputed exists for one layer at a time.
    Eager blocks hold 1.4 times that, as their norms are not fused; those of ``parallel.compile =
    "auto"``, which nobody knows before the device does, are counted as eager.
    """
    model, train, parallel = config.model, config.train, config.parallel
    width = 2 if parallel.param_dtype == "bfloat16" else 4
    parts = shards(parallel, ranks)
    tokens = train.micro_batch * model.context
    root = model.parameters - model.layers * model.block_parameters
    whole = parts == 1 or not parallel.reshard_after_forward
    flying = model.parameters if whole else root + 2 * model.block_parameters
    fused = 1.0 if parallel.compile == "true" else EAGER_ACTIVATIONS
    everything = fused * (16 * model.dim + 6 * model.ffn_dim)  # of one layer
    kept = {
        "none": 0.0,
        "full": 2.0 * model.dim,
        "selective": 10.0 * model.dim + 4 * model.ffn_dim,
        # Every second of a block's seven products: about half of what selective keeps of them.
        "selective:2": 6.0 * model.dim + 2 * model.ffn_dim,
    }[parallel.recompute]
    layers = kept * model.layers + everything if kept else everything * model.layers
    activations = layers * tokens * width / 2
    chunk = min(config.train.loss_chunk, tokens)
    return {
        "weights, gradients, optimizer": 16 * model.parameters / parts / parallel.tensor,
        "parameters in flight": width * flying / parallel.tensor,
        "activations of a microbatch": activations / parallel.tensor,
        "loss": model.vocab_size / parallel.tensor * (4 * model.dim + chunk * (4 + 4 + width)),
    }


def memory_verdict(config: Config, ranks: int, hardware: Hardware) -> str:
    """Say whether the plan fits, with a tenth to spare for what the allocator cannot use.

    Where it does not, or compiled blocks would change the answer, say what to do.
    """
    needed, most = _total(config, ranks), USABLE * hardware.gib
    if needed <= most:
        return "it fits"
    compiled = replace(config, parallel=replace(config.parallel, compile="true"))
    if config.parallel.compile != "true" and (less := _total(compiled, ranks)) <= most:
        return f"it fits with parallel.compile=true only, which makes it {less:.2f} GiB"
    tight = "it is TIGHT, and may run out" if needed <= hardware.gib else "it does NOT FIT"
    return f"{tight}: {_KNOBS}"


def _total(config: Config, ranks: int) -> float:
    """Give the GiB of the plan."""
    return sum(memory_plan(config, ranks).values()) / _GIB


def memory_advice(config: Config, ranks: int) -> str:
    """Say what the memory was to hold, and what makes it less, to a run that ran out of it."""
    sizes = (f"{size / _GIB:.2f} GiB {what}" for what, size in memory_plan(config, ranks).items())
    return f"The plan: {', '.join(sizes)}. {_KNOBS[0].upper()}{_KNOBS[1:]}"


def describe(config: Config, ranks: int, device: str, mfu: float) -> str:
    """Say what a run would be on devices that reach ``mfu`` of their peak; or UserError."""
    hardware = find_hardware(device)
    if hardware is None or not 0 < mfu <= 1:
        names = ", ".join(known.name for known in HARDWARE)
        raise ConfigError(f"--device {device} --mfu {mfu}: must be one of {names}, and in (0, 1]")
    memory, model = memory_plan(config, ranks), config.model
    plan = plan_batch(config, ranks // config.parallel.tensor)
    shards = Path(config.data.shards)
    sources = make_plan(
        mixture_files.load(config.data.mixture),
        shards if shards.is_dir() else None,
        context=plan.context,
        sequences=plan.sequences,
    )
    flops = model.flops_per_token * plan.sequences * plan.context
    hours = flops / (hardware.peak_flops * mfu) / 3600  # of one device
    energy = energy_wh(hours, hardware.watts)
    text = f"""\
model   {model.parameters:,} parameters, {model.flops_per_token:,} FLOPs a token
        dim {model.dim}, {model.layers} layers, {model.heads} heads, ffn {model.ffn_dim}, \
vocabulary {model.vocab_size:,}, context {model.context:,}
batch   {config.train.batch_tokens:,} tokens: {plan.batch_sequences:,} sequences on {ranks} \
ranks, {plan.accumulation} x {plan.micro_batch} on each
run     {plan.steps:,} steps, {plan.sequences * plan.context:,} tokens
time    {hours / ranks / 24:,.1f} days on {ranks:,} x {device} at {mfu:.0%} of their peak, \
{hours:,.0f} GPU-hours
energy  {energy / 1e6:,.2f} MWh at {hardware.watts:.0f} W x {PUE}, {co2_kg(energy) / 1e3:,.2f} t \
CO2eq
memory  {sum(memory.values()) / _GIB:.2f} of {hardware.gib:.0f} GiB on each rank, \
estimated: {memory_verdict(config, ranks, hardware)}"""
    sizes = (f"        {size / _GIB:8.2f} GiB  {what}" for what, size in memory.items())
    problems = (f"problem: {problem}" for problem in sources.problems)
    return "\n".join([text, *sizes, "", render(sources), *problems])


def find_hardware(name: str) -> Hardware | None:
    """Find an accelerator by its device name; None if it is not known, never a guess.

    >>> find_hardware("NVIDIA H100 80GB HBM3").watts, find_hardware("cpu")
    (700.0, None)
    """
    words = {*name.upper().replace("-", " ").split()}
    return next((h for h in HARDWARE if words >= {*h.name.upper().split()}), None)


def energy_wh(gpu_hours: float, watts: float) -> float:
    """Give the Wh of so many reserved hours, the data centre's share included.

    >>> round(energy_wh(82_432, 400) / 1e6)
    36
    """
    return gpu_hours * watts * PUE


def co2_kg(wh: float) -> float:
    """Give the kg of CO2 equivalent that so many Wh emit."""
    return wh / 1000 * CO2_KG_PER_KWH
