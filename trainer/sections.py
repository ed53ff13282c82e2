"""The sections of a configuration: frozen dataclasses, each field with the rules of its key.

Defaults are LLaMA-7B's. A field says its default, its unit, which values it takes, and whether
another value makes another training of a resumed run (docs/rules/trainer.md 12); the docstring of
its section says what it means. The tables of docs/trainer.md are made from both: ``python -m
trainer keys`` prints them.
"""

from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


class Key(NamedTuple):
    """The rules of one key."""

    unit: str = ""
    positive: bool = False  # a number that is more than 0; all others may be 0
    choices: tuple[str, ...] = ()  # the words that it may be; none: any
    fixed: bool = False  # a resumed run may not change it: its result would be another


def key(default: T, unit: str = "", **rules: Any) -> T:
    """Declare a field with its default and its rules, for which see `Key`."""
    made: T = field(default=default, metadata={"key": Key(unit, **rules)})
    return made


@dataclass(frozen=True, slots=True)
class RunConfig:
    """The run directory, and how a run goes on, stops and repeats itself.

    Attributes:
        dir: directory of the run: checkpoints, metrics, logs of failures.
        init: a run or checkpoint whose weights a new run begins with; empty: drawn ones.
        resume: `auto` goes on from the newest checkpoint, `never` refuses a directory that has one,
            and a name as `step-00001000` goes back to that one.
        allow_change: keys that may differ from the checkpoint's.
        max_hours: save and stop after this time; 0: no limit.
        margin_minutes: save and stop this time before a SLURM job ends.
        max_bad_steps: end with code 3 after this many steps in a row without an update.
        on_spike: `skip` makes no update in a step whose loss or gradient norm stands out.
        spike_sigmas: how far above the mean of the window a spike is.
        spike_window: length of the window before a step.
        deterministic: take kernels that repeat their own bits on a GPU, which are slower; a kernel
            that cannot is an error.
    """

    dir: str = key("runs/llama")
    init: str = key("")
    resume: str = key("auto")
    allow_change: tuple[str, ...] = key(())
    max_hours: float = key(0.0, "hours")
    margin_minutes: float = key(10.0, "minutes")
    max_bad_steps: int = key(3, positive=True)
    on_spike: str = key("warn", choices=("warn", "skip"))
    spike_sigmas: float = key(6.0, "deviations", positive=True)
    spike_window: int = key(128, "good steps", positive=True)
    deterministic: bool = key(False)


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The shape of the network (paper, Table 2).

    Attributes:
        dim: width of the residual stream.
        layers: transformer blocks.
        heads: attention heads of a block.
        vocab_size: ids of the tokenizer.
        context: length of a sequence.
        multiple_of: the feed-forward width, 8/3 of `dim`, is rounded up to a multiple of it.
        norm_eps: added to the mean square in RMSNorm; the released 65B has 1e-5.
        rope_theta: base of the rotary frequencies.
    """

    dim: int = key(4096, "channels", positive=True, fixed=True)
    layers: int = key(32, positive=True, fixed=True)
    heads: int = key(32, positive=True, fixed=True)
    vocab_size: int = key(32_000, "ids", positive=True, fixed=True)
    context: int = key(2048, "tokens", positive=True, fixed=True)
    multiple_of: int = key(256, "channels", positive=True, fixed=True)
    norm_eps: float = key(1e-6, fixed=True)
    rope_theta: float = key(10_000.0, positive=True, fixed=True)

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.dim // self.heads

    @property
    def ffn_dim(self) -> int:
        """Feed-forward width: 2/3 of 4 dim, rounded up to ``multiple_of``."""
        return -(-(2 * 4 * self.dim // 3) // self.multiple_of) * self.multiple_of

    @property
    def block_parameters(self) -> int:
        """Parameters of one transformer block."""
        return 4 * self.dim**2 + 3 * self.dim * self.ffn_dim + 2 * self.dim

    @property
    def parameters(self) -> int:
        """Parameters of the whole model; its two vocabulary tables are not tied."""
        return 2 * self.vocab_size * self.dim + self.dim + self.layers * self.block_parameters

    @property
    def flops_per_token(self) -> int:
        """Training FLOPs per token, counted as PaLM does: causality and recomputation ignored."""
        matmul = self.parameters - self.vocab_size * self.dim
        return 6 * matmul + 12 * self.layers * self.dim * self.context


@dataclass(frozen=True, slots=True)
class DataConfig:
    """Where the token shards are and how they are read.

    Attributes:
        shards: directory with one directory of token shards per source.
        mixture: a mixture file, or the name of one that the package brings, as `llama1_1t`.
        tokenizer: the `.model` whose hash the shards must carry; empty: the shards' word is taken.
        doc_mask: attention stays inside documents; the paper does not mention it.
        prefetch: how far the loader reads ahead.
        verify: hash every shard before the first step.
        on_bad_shard: `skip` counts and names sequences that cannot be read, and learns nothing from
            them.
        skip: ranges `[first, last]` that make no update, as around a spike.
    """

    shards: str = key("tokens")
    mixture: str = key("llama1")
    tokenizer: str = key("")
    doc_mask: bool = key(False, fixed=True)
    prefetch: int = key(3, "steps")
    verify: bool = key(False)
    on_bad_shard: str = key("raise", choices=("raise", "skip"))
    skip: tuple[tuple[int, ...], ...] = key((), "steps")


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How much is trained on, in which portions.

    Attributes:
        total_tokens: length of the run.
        batch_tokens: the batch over all ranks: the paper's "4M", as 2048 sequences of 2048.
        micro_batch: size of the batch that a rank runs at once.
        seed: of the initial weights; the order of the data has its own, in the mixture.
        loss_chunk: the logits of this many tokens exist at once.
        z_loss: weight of the mean squared log-partition; PaLM's is 1e-4.
    """

    total_tokens: int = key(1_000_000_000_000, "tokens", positive=True, fixed=True)
    batch_tokens: int = key(4_194_304, "tokens", positive=True, fixed=True)
    micro_batch: int = key(4, "sequences", positive=True)
    seed: int = key(0, fixed=True)
    loss_chunk: int = key(2048, "tokens", positive=True)
    z_loss: float = key(0.0, fixed=True)


@dataclass(frozen=True, slots=True)
class OptimConfig:
    """AdamW and its schedule (paper, section 2.3; eps is not given there).

    Attributes:
        lr: peak of the learning rate.
        betas: AdamW's two decay rates.
        eps: AdamW's eps.
        weight_decay: of matrices; the norms' weights never decay.
        decay_embeddings: whether the two vocabulary tables decay.
        clip: largest gradient norm; 0 never clips.
        warmup_steps: linear rise of the learning rate.
        final_lr_fraction: the rate after the last step, where half a cosine ends, as a share of
            `lr`.
    """

    lr: float = key(3e-4, positive=True, fixed=True)
    betas: tuple[float, ...] = key((0.9, 0.95), fixed=True)
    eps: float = key(1e-8, positive=True, fixed=True)
    weight_decay: float = key(0.1, fixed=True)
    decay_embeddings: bool = key(True, fixed=True)
    clip: float = key(1.0, fixed=True)
    warmup_steps: int = key(2000, "steps", fixed=True)
    final_lr_fraction: float = key(0.1, fixed=True)


@dataclass(frozen=True, slots=True)
class ParallelConfig:
    """Layout over ranks, and what the devices do at the same time.

    Attributes:
        replicate: copies of the sharded model (HSDP).
        tensor: ranks that share each matrix and each sequence; keep them in one node.
        param_dtype: type of the matrix products; stored parameters are float32 with either.
        reshard_after_forward: `false` keeps whole parameters until backward (ZeRO-2).
        sync_each_microbatch: `false` reduces gradients once per step, for 4 more bytes per
            parameter.
        recompute: `selective` keeps linear layers and attention for backward, `selective:2` every
            second linear layer, `full` nothing.
        compile: whether each block runs through `torch.compile`; `auto` does as `bench` has
            measured on this device, and says so.
        prefetch_blocks: gather the parameters of this many blocks before the host asks for them,
            beyond the one that FSDP gathers by itself; for steps that the host holds up.
        async_tensor: overlap the communication of tensor parallel ranks with their matrix products:
            needs NVLink, `compile = true` and `tensor` above 1.
        first_timeout_minutes: longest wait in a collective until the first step is done.
        timeout_minutes: longest wait in a collective after the first step.
    """

    replicate: int = key(1, "copies", positive=True)
    tensor: int = key(1, "ranks", positive=True)
    param_dtype: str = key("bfloat16", choices=("bfloat16", "float32"), fixed=True)
    reshard_after_forward: bool = key(True)
    sync_each_microbatch: bool = key(True)
    recompute: str = key("none", choices=("none", "selective", "selective:2", "full"))
    compile: str = key("auto", choices=("auto", "true", "false"))
    prefetch_blocks: int = key(0, "blocks")
    async_tensor: bool = key(False)
    first_timeout_minutes: float = key(30.0, "minutes", positive=True)
    timeout_minutes: float = key(10.0, "minutes", positive=True)


@dataclass(frozen=True, slots=True)
class AttentionConfig:
    """Attention kernel.

    Attributes:
        backend: the kernel, which then must serve; `auto` takes the first that does, in this order.
    """

    backend: str = key(
        "auto",
        choices=("auto", "flash3", "flash2", "sdpa", "varlen", "flex", "xformers", "sdpa-mask"),
    )


@dataclass(frozen=True, slots=True)
class EvalConfig:
    """Held-out loss, and tasks (docs/evaluation.md).

    Attributes:
        every: how often the held-out documents are scored; 0: at the end only.
        tasks: tasks of lm-evaluation-harness, or groups of `trainer/tasks.toml`.
        tasks_every: how often the tasks are run; 0: at the end only.
        tasks_folder: folder of more tasks, in the harness' YAML.
        tasks_limit: how much of each task is scored; 0: all.
    """

    every: int = key(1000, "steps")
    tasks: tuple[str, ...] = key(())
    tasks_every: int = key(0, "steps")
    tasks_folder: str = key("")
    tasks_limit: int = key(0, "documents")


@dataclass(frozen=True, slots=True)
class CheckpointConfig:
    """Checkpoints.

    Attributes:
        every: how often a checkpoint is saved; 0: at the end only.
        keep: how many of the newest are kept.
        keep_every: those whose step is a multiple of this are kept too; 0: none.
        asynchronous: write while training goes on; takes host memory for this rank's shards.
        pinned: an asynchronous save of a GPU copies into page-locked memory, beside the next step's
            forward and backward; it is kept for the next save.
    """

    every: int = key(1000, "steps")
    keep: int = key(3, "checkpoints", positive=True)
    keep_every: int = key(0, "steps")
    asynchronous: bool = key(False)
    pinned: bool = key(True)


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """Progress lines and ``metrics.jsonl``.

    Attributes:
        every: how often they are written and shown.
        tensorboard: mirror the metrics in `tensorboard` of the run directory.
        wandb: project at Weights & Biases that mirrors them; empty: none.
    """

    every: int = key(10, "steps", positive=True)
    tensorboard: bool = key(False)
    wandb: str = key("")


@dataclass(frozen=True, slots=True)
class ProfileConfig:
    """Traces of some steps, for the PyTorch profiler's viewers.

    Attributes:
        steps: first and last to trace; of an accelerator also the memory's history.
        ranks: which ranks are traced.
    """

    steps: tuple[int, ...] = key((), "steps")
    ranks: tuple[int, ...] = key((0,))


@dataclass(frozen=True, slots=True)
class Config:
    """Everything a run depends on."""

    run: RunConfig = field(default_factory=RunConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    parallel: ParallelConfig = field(default_factory=ParallelConfig)
    attention: AttentionConfig = field(default_factory=AttentionConfig)
    eval: EvalConfig = field(default_factory=EvalConfig)
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)
    metrics: MetricsConfig = field(default_factory=MetricsConfig)
    profile: ProfileConfig = field(default_factory=ProfileConfig)

    @property
    def steps(self) -> int:
        """Steps of the run: enough whole batches for ``train.total_tokens``."""
        return -(-self.train.total_tokens // self.train.batch_tokens)


KEYS: dict[str, Key] = {
    f"{section.name}.{item.name}": item.metadata["key"]
    for section in fields(Config)
    for item in fields(getattr(Config(), section.name))
}
CHOICES = {name: rules.choices for name, rules in KEYS.items() if rules.choices}
