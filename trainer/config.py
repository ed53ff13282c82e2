"""The trainer's configuration: frozen dataclasses, filled from TOML and dotted overrides.

A file says what differs from the defaults, which are LLaMA-7B's; ``optim.lr=3e-4`` on the command
line says what differs from the file. Unknown keys and wrong types are errors that name the nearest
key (trainer spec, section 12).
"""

import json
import math
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tokenizer.errors import UserError
from tokenizer.settings import build, nearest

CONFIGS = Path(__file__).parent / "configs"
_RULES = tomllib.loads(Path(__file__).with_name("rules.toml").read_text("utf-8"))
CHOICES: dict[str, list[str]] = _RULES["choices"]


class TrainerError(UserError, ValueError):
    """What a user can put right; commands print the message without a traceback."""


class ConfigError(TrainerError):
    """A configuration that cannot run; the message says which key, and what would."""


@dataclass(frozen=True, slots=True)
class RunConfig:
    """The run directory, and how a run goes on (section 7)."""

    dir: str = "runs/llama"
    resume: str = "auto"  # "auto", "never", or a checkpoint's name, as step-00001000
    allow_change: tuple[str, ...] = ()  # keys that may differ from the checkpoint's
    max_hours: float = 0.0  # save and stop after so long; 0: no limit
    margin_minutes: float = 10.0  # save and stop so long before a SLURM job ends
    max_bad_steps: int = 3  # abort after so many in a row that make no update
    on_spike: str = "warn"  # or "skip", as a step without a finite loss is skipped
    spike_sigmas: float = 6.0  # above the mean of the window, of the loss or of the gradient norm
    spike_window: int = 128  # good steps


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The shape of the network (paper, Table 2)."""

    dim: int = 4096
    layers: int = 32
    heads: int = 32
    vocab_size: int = 32_000
    context: int = 2048  # tokens
    multiple_of: int = 256  # the feed-forward width is rounded up to it
    norm_eps: float = 1e-6  # 1e-5 in the released 65B
    rope_theta: float = 10_000.0

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
        """Training FLOPs a token, counted as PaLM does: causality and recomputation ignored."""
        matmul = self.parameters - self.vocab_size * self.dim
        return 6 * matmul + 12 * self.layers * self.dim * self.context


@dataclass(frozen=True, slots=True)
class DataConfig:
    """Where the token shards are and how they are read (section 6)."""

    shards: str = "tokens"  # a directory with one directory of token shards per source
    mixture: str = "mixtures/llama1.toml"
    tokenizer: str = ""  # the .model whose hash the shards must carry; "" takes the shards' word
    doc_mask: bool = False  # attention stays inside documents; the paper does not mention it
    prefetch: int = 3  # steps read ahead
    verify: bool = False  # hash every shard before the first step
    on_bad_shard: str = "raise"  # or "skip": what cannot be read teaches nothing
    skip: tuple[tuple[int, ...], ...] = ()  # steps [first, last] that make no update


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How much is trained on, in which portions (sections 1 and 3)."""

    total_tokens: int = 1_000_000_000_000
    batch_tokens: int = 4_194_304  # the paper's "4M", as 2048 sequences of 2048 tokens
    micro_batch: int = 4  # sequences a rank runs at once
    seed: int = 0  # of the initial weights; the order of the data has its own, in the mixture
    loss_chunk: int = 2048  # tokens whose logits are held at once
    z_loss: float = 0.0  # weight of the mean squared log-partition; PaLM's is 1e-4


@dataclass(frozen=True, slots=True)
class OptimConfig:
    """AdamW and its schedule (paper, section 2.3; eps is not given there)."""

    lr: float = 3e-4  # peak
    betas: tuple[float, ...] = (0.9, 0.95)
    eps: float = 1e-8
    weight_decay: float = 0.1
    decay_embeddings: bool = True
    clip: float = 1.0  # largest gradient norm; 0 never clips
    warmup_steps: int = 2000
    final_lr_fraction: float = 0.1


@dataclass(frozen=True, slots=True)
class ParallelConfig:
    """Layout over ranks (section 4)."""

    replicate: int = 1  # copies of the sharded model (HSDP); the ranks of one copy share it
    tensor: int = 1  # ranks that share each matrix and each sequence; keep them in one node
    param_dtype: str = "bfloat16"  # or "float32"; stored parameters are float32 in both
    reshard_after_forward: bool = True  # False keeps whole parameters until backward (ZeRO-2)
    sync_each_microbatch: bool = True  # False: one reduction a step, 4 more bytes a parameter
    recompute: str = "none"  # "selective" saves linear layers and attention only; "full" nothing
    compile: bool = False  # each block by torch.compile
    first_timeout_minutes: float = 30.0  # of a collective, until the first step is done,
    timeout_minutes: float = 10.0  # and after it


@dataclass(frozen=True, slots=True)
class AttentionConfig:
    """Attention kernel (section 5)."""

    backend: str = "auto"  # or one of CHOICES, which then must serve


@dataclass(frozen=True, slots=True)
class EvalConfig:
    """Held-out loss (section 8)."""

    every: int = 1000  # steps; 0 evaluates at the end only


@dataclass(frozen=True, slots=True)
class CheckpointConfig:
    """Checkpoints (section 7)."""

    every: int = 1000  # steps; 0 saves at the end only
    keep: int = 3  # the newest so many are kept,
    keep_every: int = 0  # and every step that is a multiple of this; 0: none
    asynchronous: bool = False  # write while training goes on; takes host memory for the shards


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """Progress lines and metrics.jsonl (section 9)."""

    every: int = 10  # steps
    tensorboard: bool = False  # mirror them in run.dir/tensorboard
    wandb: str = ""  # project at Weights & Biases that mirrors them; "": none


@dataclass(frozen=True, slots=True)
class ProfileConfig:
    """Traces of some steps, for the PyTorch profiler's viewers (section 9)."""

    steps: tuple[int, ...] = ()  # first and last; of an accelerator also the memory's history
    ranks: tuple[int, ...] = (0,)


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


def load(path: str, overrides: Iterable[str] = ()) -> Config:
    """Read a configuration file and apply ``section.key=value`` overrides to it.

    ``path`` may be the name of one that the package brings, as ``llama_7b``. Values of overrides
    are written as in TOML, strings and lists without quotes and brackets. Raises ConfigError for
    an unreadable file, an unknown key, a wrong type, or values that cannot run.
    """
    file = Path(path)
    if not file.exists() and (CONFIGS / f"{path}.toml").exists():
        file = CONFIGS / f"{path}.toml"
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        known = ", ".join(sorted(config.stem for config in CONFIGS.glob("*.toml")))
        raise ConfigError(f"{path}: {error} (the package has: {known})") from error
    return override(from_dict(values, where=path), overrides)


def override(config: Config, overrides: Iterable[str]) -> Config:
    """Apply ``section.key=value`` overrides, and check what comes out; for the rest see `load`."""
    values, known = asdict(config), flatten(config)
    for text in overrides:
        key, equals, value = text.removeprefix("--").partition("=")
        if not equals or key not in known:
            same = [k for k in known if k.endswith(f".{key}")]
            hint = f". Did you mean '{same[0]}'?" if same else nearest(key, known)
            raise ConfigError(f"{text}: no section.key=value that is known{hint}")
        section, _, name = key.partition(".")
        values[section][name] = _parse(value, known[key])
    config = from_dict(values, where="overrides")
    for problem in _problems(config):
        raise ConfigError(problem)
    return config


def from_dict(values: Mapping[str, Any], where: str = "configuration") -> Config:
    """Build a configuration from nested values, as TOML and ``asdict`` give them.

    >>> from_dict({"optim": {"lr": 1}}).optim.lr
    1.0
    """
    full: dict[str, Any] = asdict(Config())
    for section, content in values.items():
        known = section in full and isinstance(content, Mapping)
        full[section] = {**full[section], **content} if known else content
    plain = json.loads(json.dumps(full, default=str))  # tuples as the lists that files have
    try:
        config: Config = build(Config, plain, where)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return config


def flatten(config: Config) -> dict[str, Any]:
    """Give the values of a configuration under their dotted keys.

    >>> flatten(Config())["model.dim"]
    4096
    """
    return {f"{s}.{key}": v for s, values in asdict(config).items() for key, v in values.items()}


def to_toml(config: Config) -> str:
    """Write a configuration as the TOML file that gives it."""
    lines = []
    for section, values in asdict(config).items():
        lines += [f"[{section}]", *(f"{k} = {json.dumps(v)}" for k, v in values.items()), ""]
    return "\n".join(lines)


def changed_maths(saved: Mapping[str, Any], config: Config) -> dict[str, str]:
    """Find what makes another training of a resumed run: by key, "old -> new".

    Keys that ``saved``, the configuration in the checkpoint, lacks had the default.
    """
    before = flatten(from_dict(saved, where="the checkpoint's configuration"))
    return {
        key: f"{before[key]} -> {value}"
        for key, value in flatten(config).items()
        if value != before[key] and _among(key, _RULES["maths"])
    }


def _parse(text: str, before: object) -> Any:
    """Read an override's value, which replaces one of the same type."""
    if isinstance(before, str):
        return text
    bare = isinstance(before, tuple) and not text.startswith("[")
    try:
        return tomllib.loads(f"x = [{text}]" if bare else f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        return text.split(",") if bare else text


def near(legal: Iterable[int], wanted: int) -> str:
    """Name the two legal numbers that are nearest to the one that was wanted.

    >>> near([1, 2, 4, 8], 6)
    '4 or 8'
    """
    two = sorted(sorted(legal, key=lambda number: abs(number - wanted))[:2])
    return " or ".join(map(str, two))


def _among(key: str, keys: list[str]) -> bool:
    """Tell whether a dotted key, or its section, is among ``keys``."""
    return key in keys or key.partition(".")[0] in keys


def _out_of_range(config: Config) -> Iterator[str]:
    """Find numbers and words that are wrong by themselves."""
    for key, value in flatten(config).items():
        if value not in CHOICES.get(key, [value]):
            yield f"{key} = {value}: must be {' or '.join(CHOICES[key])}"
        if type(value) not in (int, float):
            continue
        positive = _among(key, _RULES["positive"])
        if not math.isfinite(value) or value < 0 or (positive and value == 0):
            least = "more than 0" if positive else "not negative"
            yield f"{key} = {value}: must be {least}, and finite"


def _problems(config: Config) -> Iterator[str]:
    """Find values that no run can have, whatever its ranks."""
    yield from _out_of_range(config)
    yield from _parallel_problems(config.model, config.parallel)
    optim, model, data, run = config.optim, config.model, config.data, config.run
    heads = [h for h in range(1, model.dim + 1) if model.dim % h == 0 and model.dim // h % 2 == 0]
    if model.heads not in heads:
        yield (
            f"model.dim = {model.dim} does not split into {model.heads} heads of an even width; "
            f"nearest: model.heads = {near(heads, model.heads)}"
        )
    if len(optim.betas) != 2 or not all(0 <= beta < 1 for beta in optim.betas):
        yield f"optim.betas = {list(optim.betas)}: must be two numbers in [0, 1)"
    steps = [("data.skip", pair) for pair in data.skip]
    steps += [("profile.steps", config.profile.steps)] if config.profile.steps else []
    for key, pair in steps:
        if len(pair) != 2 or not 1 <= pair[0] <= pair[1]:
            yield f"{key} = {pair}: steps are [first, last], counted from 1"
    if optim.warmup_steps >= config.steps:
        warmup = f"optim.warmup_steps = {optim.warmup_steps}"
        yield f"{warmup} leaves nothing of the {config.steps} steps of the run: warm up for fewer"
    if "://" in data.shards:
        yield (
            f"data.shards = {data.shards}: the trainer reads mounted file systems, no URLs; copy "
            "the shards, or mount the bucket"
        )
    if run.resume not in ("auto", "never") and not run.resume.startswith("step-"):
        yield f"run.resume = {run.resume}: must be auto, never, or a checkpoint as step-00001000"
    for key in set(run.allow_change) - set(flatten(config)):
        yield f"run.allow_change = {key}: no such key{nearest(key, flatten(config))}"


def _parallel_problems(model: ModelConfig, parallel: ParallelConfig) -> Iterator[str]:
    """Find layouts that the model cannot have."""
    common = math.gcd(model.heads, model.context, model.ffn_dim, model.vocab_size)
    if common % parallel.tensor:
        legal = [str(n) for n in range(1, common + 1) if common % n == 0]
        yield (
            f"parallel.tensor = {parallel.tensor} does not divide the model's heads, context, ffn "
            f"and vocabulary; it may be {' or '.join(legal)}"
        )
    if parallel.tensor > 1 and parallel.compile and parallel.recompute == "full":
        yield "parallel.recompute = full does not compile with parallel.tensor > 1: take selective"
