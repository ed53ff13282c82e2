"""The sections of a configuration: frozen dataclasses, each field with the rules of its key.

Defaults are LLaMA-7B's. A field says its default, what it means, its unit, which values it takes,
and whether another value makes another training of a resumed run (docs/rules/trainer.md 12). The
tables of docs/trainer.md are made from here: ``python -m trainer keys`` prints them.
"""

from dataclasses import dataclass, field, fields
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Key(NamedTuple):
    """The rules of one key."""

    says: str  # what it means, in words for docs/trainer.md
    unit: str = ""
    positive: bool = False  # a number that is more than 0; all others may be 0
    choices: tuple[str, ...] = ()  # the words that it may be; none: any
    maths: bool = False  # a resumed run may not change it: its result would be another


def key(
    default: T,
    says: str,
    unit: str = "",
    *,
    positive: bool = False,
    choices: tuple[str, ...] = (),
    maths: bool = False,
) -> T:
    """Declare a field with its default and its rules, for which see `Key`."""
    rules = Key(says, unit, positive, choices, maths)
    made: T = field(default=default, metadata={"key": rules})
    return made


@dataclass(frozen=True, slots=True)
class RunConfig:
    """The run directory, and how a run goes on, stops and repeats itself."""

    dir: str = key("runs/llama", "directory of the run: checkpoints, metrics, logs of failures")
    init: str = key(
        "", "a run or checkpoint whose weights a new run begins with; empty: drawn ones"
    )
    resume: str = key(
        "auto",
        "`auto` goes on from the newest checkpoint, `never` refuses a directory that has one, "
        "and a name as `step-00001000` goes back to that one",
    )
    allow_change: tuple[str, ...] = key((), "keys that may differ from the checkpoint's")
    max_hours: float = key(0.0, "save and stop after this time; 0: no limit", "hours")
    margin_minutes: float = key(10.0, "save and stop this time before a SLURM job ends", "minutes")
    max_bad_steps: int = key(
        3, "end with code 3 after this many steps in a row without an update", positive=True
    )
    on_spike: str = key(
        "warn",
        "`skip` makes no update in a step whose loss or gradient norm stands out",
        choices=("warn", "skip"),
    )
    spike_sigmas: float = key(
        6.0, "how far above the mean of the window a spike is", "deviations", positive=True
    )
    spike_window: int = key(128, "length of the window before a step", "good steps", positive=True)
    deterministic: bool = key(
        False,
        "take kernels that repeat their own bits on a GPU, which are slower; a kernel that "
        "cannot is an error",
    )


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The shape of the network (paper, Table 2)."""

    dim: int = key(4096, "width of the residual stream", "channels", positive=True, maths=True)
    layers: int = key(32, "transformer blocks", positive=True, maths=True)
    heads: int = key(32, "attention heads of a block", positive=True, maths=True)
    vocab_size: int = key(32_000, "ids of the tokenizer", "ids", positive=True, maths=True)
    context: int = key(2048, "length of a sequence", "tokens", positive=True, maths=True)
    multiple_of: int = key(
        256,
        "the feed-forward width, 8/3 of `dim`, is rounded up to a multiple of it",
        "channels",
        positive=True,
        maths=True,
    )
    norm_eps: float = key(
        1e-6, "added to the mean square in RMSNorm; the released 65B has 1e-5", maths=True
    )
    rope_theta: float = key(10_000.0, "base of the rotary frequencies", positive=True, maths=True)

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
    """Where the token shards are and how they are read."""

    shards: str = key("tokens", "directory with one directory of token shards per source")
    mixture: str = key(
        "llama1", "a mixture file, or the name of one that the package brings, as `llama1_1t`"
    )
    tokenizer: str = key(
        "", "the `.model` whose hash the shards must carry; empty: the shards' word is taken"
    )
    doc_mask: bool = key(
        False, "attention stays inside documents; the paper does not mention it", maths=True
    )
    prefetch: int = key(3, "how far the loader reads ahead", "steps")
    verify: bool = key(False, "hash every shard before the first step")
    on_bad_shard: str = key(
        "raise",
        "`skip` counts and names sequences that cannot be read, and learns nothing from them",
        choices=("raise", "skip"),
    )
    skip: tuple[tuple[int, ...], ...] = key(
        (), "ranges `[first, last]` that make no update, as around a spike", "steps"
    )


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How much is trained on, in which portions."""

    total_tokens: int = key(
        1_000_000_000_000, "length of the run", "tokens", positive=True, maths=True
    )
    batch_tokens: int = key(
        4_194_304,
        'the batch over all ranks: the paper\'s "4M", as 2048 sequences of 2048',
        "tokens",
        positive=True,
        maths=True,
    )
    micro_batch: int = key(
        4, "size of the batch that a rank runs at once", "sequences", positive=True
    )
    seed: int = key(
        0, "of the initial weights; the order of the data has its own, in the mixture", maths=True
    )
    loss_chunk: int = key(
        2048, "the logits of this many tokens exist at once", "tokens", positive=True
    )
    z_loss: float = key(0.0, "weight of the mean squared log-partition; PaLM's is 1e-4", maths=True)


@dataclass(frozen=True, slots=True)
class OptimConfig:
    """AdamW and its schedule (paper, section 2.3; eps is not given there)."""

    lr: float = key(3e-4, "peak of the learning rate", positive=True, maths=True)
    betas: tuple[float, ...] = key((0.9, 0.95), "AdamW's two decay rates", maths=True)
    eps: float = key(1e-8, "AdamW's eps", positive=True, maths=True)
    weight_decay: float = key(0.1, "of matrices; the norms' weights never decay", maths=True)
    decay_embeddings: bool = key(True, "whether the two vocabulary tables decay", maths=True)
    clip: float = key(1.0, "largest gradient norm; 0 never clips", maths=True)
    warmup_steps: int = key(2000, "linear rise of the learning rate", "steps", maths=True)
    final_lr_fraction: float = key(
        0.1,
        "the rate after the last step, where half a cosine ends, as a share of `lr`",
        maths=True,
    )


@dataclass(frozen=True, slots=True)
class ParallelConfig:
    """Layout over ranks, and what the devices do at the same time."""

    replicate: int = key(1, "copies of the sharded model (HSDP)", "copies", positive=True)
    tensor: int = key(
        1,
        "ranks that share each matrix and each sequence; keep them in one node",
        "ranks",
        positive=True,
    )
    param_dtype: str = key(
        "bfloat16",
        "type of the matrix products; stored parameters are float32 with either",
        choices=("bfloat16", "float32"),
        maths=True,
    )
    reshard_after_forward: bool = key(
        True, "`false` keeps whole parameters until backward (ZeRO-2)"
    )
    sync_each_microbatch: bool = key(
        True, "`false` reduces gradients once per step, for 4 more bytes per parameter"
    )
    recompute: str = key(
        "none",
        "`selective` keeps linear layers and attention for backward, `selective:2` every second "
        "linear layer, `full` nothing",
        choices=("none", "selective", "selective:2", "full"),
    )
    compile: str = key(
        "auto",
        "whether each block runs through `torch.compile`; `auto` does as `bench` has measured "
        "on this device, and says so",
        choices=("auto", "true", "false"),
    )
    prefetch_blocks: int = key(
        0,
        "gather the parameters of this many blocks before the host asks for them, beyond the one "
        "that FSDP gathers by itself; for steps that the host holds up",
        "blocks",
    )
    async_tensor: bool = key(
        False,
        "overlap the communication of tensor parallel ranks with their matrix products: needs "
        "NVLink, `compile = true` and `tensor` above 1",
    )
    first_timeout_minutes: float = key(
        30.0, "longest wait in a collective until the first step is done", "minutes", positive=True
    )
    timeout_minutes: float = key(
        10.0, "longest wait in a collective after the first step", "minutes", positive=True
    )


@dataclass(frozen=True, slots=True)
class AttentionConfig:
    """Attention kernel."""

    backend: str = key(
        "auto",
        "the kernel, which then must serve; `auto` takes the first that does, in this order",
        choices=("auto", "flash3", "flash2", "sdpa", "varlen", "flex", "xformers", "sdpa-mask"),
    )


@dataclass(frozen=True, slots=True)
class EvalConfig:
    """Held-out loss, and tasks (docs/evaluation.md)."""

    every: int = key(
        1000, "how often the held-out documents are scored; 0: at the end only", "steps"
    )
    tasks: tuple[str, ...] = key(
        (), "tasks of lm-evaluation-harness, or groups of `trainer/tasks.toml`"
    )
    tasks_every: int = key(0, "how often the tasks are run; 0: at the end only", "steps")
    tasks_folder: str = key("", "folder of more tasks, in the harness' YAML")
    tasks_limit: int = key(0, "how much of each task is scored; 0: all", "documents")


@dataclass(frozen=True, slots=True)
class CheckpointConfig:
    """Checkpoints."""

    every: int = key(1000, "how often a checkpoint is saved; 0: at the end only", "steps")
    keep: int = key(3, "how many of the newest are kept", "checkpoints", positive=True)
    keep_every: int = key(
        0, "those whose step is a multiple of this are kept too; 0: none", "steps"
    )
    asynchronous: bool = key(
        False, "write while training goes on; takes host memory for this rank's shards"
    )
    pinned: bool = key(
        True,
        "an asynchronous save of a GPU copies into page-locked memory, beside the next step's "
        "forward and backward; it is kept for the next save",
    )


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """Progress lines and ``metrics.jsonl``."""

    every: int = key(10, "how often they are written and shown", "steps", positive=True)
    tensorboard: bool = key(False, "mirror the metrics in `tensorboard` of the run directory")
    wandb: str = key("", "project at Weights & Biases that mirrors them; empty: none")


@dataclass(frozen=True, slots=True)
class ProfileConfig:
    """Traces of some steps, for the PyTorch profiler's viewers."""

    steps: tuple[int, ...] = key(
        (), "first and last to trace; of an accelerator also the memory's history", "steps"
    )
    ranks: tuple[int, ...] = key((0,), "which ranks are traced")


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
