"""The trainer's configuration: frozen dataclasses, filled from TOML and dotted overrides.

A file says what differs from the defaults, which are LLaMA-7B's; ``optim.lr=3e-4`` on the command
line says what differs from the file. Unknown keys and wrong types are errors that name the nearest
key (trainer spec, section 12).
"""

import dataclasses
import difflib
import json
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

CONFIGS = Path(__file__).parent / "configs"


class ConfigError(ValueError):
    """A configuration that cannot run; the message says which key and what would."""


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
        """Parameters of the whole model; the two vocabulary tables are not tied."""
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
    on_bad_shard: Literal["raise", "skip"] = "raise"
    skip: tuple[tuple[int, int], ...] = ()  # steps [first, last] that make no update


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How much is trained on, in which portions (section 3)."""

    total_tokens: int = 1_000_000_000_000
    batch_tokens: int = 4_194_304  # the paper's "4M", as 2048 sequences of 2048 tokens
    micro_batch: int = 4  # sequences a rank runs at once
    seed: int = 0  # of the initial weights; the order of the data has its own, in the mixture
    max_bad_steps: int = 3  # abort after so many steps in a row without a finite loss and norm


@dataclass(frozen=True, slots=True)
class OptimConfig:
    """AdamW and its schedule (paper, section 2.3; eps is not given there)."""

    lr: float = 3e-4  # peak
    betas: tuple[float, float] = (0.9, 0.95)
    eps: float = 1e-8
    weight_decay: float = 0.1
    decay_embeddings: bool = True
    clip: float = 1.0  # largest gradient norm; 0 never clips
    warmup_steps: int = 2000
    final_lr_fraction: float = 0.1


@dataclass(frozen=True, slots=True)
class ParallelConfig:
    """Layout over ranks (section 4)."""

    param_dtype: Literal["bfloat16", "float32"] = "bfloat16"  # stored parameters stay float32
    reshard_after_forward: bool = True  # False keeps whole parameters until backward (ZeRO-2)
    sync_each_microbatch: bool = True  # False: one reduction a step, 4 more bytes a parameter


@dataclass(frozen=True, slots=True)
class LossConfig:
    """Next-token loss (section 1)."""

    chunk_tokens: int = 2048  # logits held at once
    z_loss: float = 0.0  # weight of the mean squared log-partition; PaLM's is 1e-4


@dataclass(frozen=True, slots=True)
class AttentionConfig:
    """Attention kernel (section 5)."""

    backend: str = "auto"


@dataclass(frozen=True, slots=True)
class EvalConfig:
    """Held-out loss (section 8)."""

    every: int = 1000  # steps; 0 evaluates at the end only
    micro_batch: int = 0  # sequences; 0 takes train.micro_batch


@dataclass(frozen=True, slots=True)
class CheckpointConfig:
    """Checkpoints (section 7)."""

    every: int = 1000  # steps; 0 saves at the end only
    keep: int = 3  # the newest so many are kept,
    keep_every: int = 0  # and every step that is a multiple of this; 0: none


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """Progress lines and metrics.jsonl (section 9)."""

    every: int = 10  # steps


@dataclass(frozen=True, slots=True)
class RunConfig:
    """The run directory and how a run goes on (section 7)."""

    dir: str = "runs/llama"
    resume: str = "auto"  # "auto", "never", or a checkpoint's name, as step-00001000
    allow_change: tuple[str, ...] = ()  # keys that may differ from the checkpoint's


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
    loss: LossConfig = field(default_factory=LossConfig)
    eval: EvalConfig = field(default_factory=EvalConfig)
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)
    metrics: MetricsConfig = field(default_factory=MetricsConfig)


# Keys that move no number of the training beyond rounding; a resumed run may change these. Paths
# are among them since what they lead to is compared by its hash.
MAY_CHANGE = (
    *("run", "attention", "eval", "checkpoint", "metrics", "loss.chunk_tokens"),
    *("parallel.reshard_after_forward", "parallel.sync_each_microbatch"),
    *("train.micro_batch", "train.max_bad_steps"),
    *("data.shards", "data.mixture", "data.tokenizer", "data.prefetch", "data.verify"),
    *("data.on_bad_shard", "data.skip"),
)


MAY_BE_ZERO = (
    *("train.seed", "optim.weight_decay", "optim.clip", "optim.warmup_steps"),
    *("optim.final_lr_fraction", "loss.z_loss", "eval.every", "eval.micro_batch"),
    *("checkpoint.every", "checkpoint.keep_every"),
)


def load(path: str, overrides: Iterable[str] = ()) -> Config:
    """Read a configuration file and apply ``key=value`` overrides to it.

    Args:
        path: a TOML file, or the name of one that the package brings, as ``llama_7b``.
        overrides: ``section.key=value``; the value is written as in TOML, strings without quotes.

    Raises:
        ConfigError: unreadable file, unknown key, wrong type, or values that cannot run.
    """
    file = Path(path)
    if not file.exists() and (CONFIGS / f"{path}.toml").exists():
        file = CONFIGS / f"{path}.toml"
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        known = ", ".join(sorted(config.stem for config in CONFIGS.glob("*.toml")))
        raise ConfigError(
            f"cannot read the configuration {path}: {error} (the package has: {known})"
        ) from error
    config = from_dict(values)
    for override in overrides:
        config = _apply(config, override.removeprefix("--"))
    _validate(config)
    return config


def from_dict(values: Mapping[str, Any]) -> Config:
    """Build a configuration from nested values, as TOML or JSON hold them.

    >>> from_dict({"optim": {"lr": 1}}).optim.lr
    1.0
    """
    hints = get_type_hints(Config)
    sections = {}
    for section, content in values.items():
        if section not in hints:
            raise _unknown(section, [*hints, *flatten(Config())])
        if not isinstance(content, Mapping):
            raise ConfigError(f"{section} is a section: write [{section}] and its keys below")
        kind = hints[section]
        fields = get_type_hints(kind)
        for key in content:
            if key not in fields:
                raise _unknown(f"{section}.{key}", flatten(Config()))
        full = {key: f"{section}.{key}" for key in content}
        sections[section] = kind(
            **{key: _convert(value, fields[key], full[key]) for key, value in content.items()}
        )
    return Config(**sections)


def to_dict(config: Config) -> dict[str, dict[str, Any]]:
    """Give the nested values of a configuration; ``from_dict`` takes them back."""
    return dataclasses.asdict(config)


def flatten(config: Config) -> dict[str, Any]:
    """Give the values of a configuration under their dotted keys.

    >>> flatten(Config())["model.dim"]
    4096
    """
    return {f"{s}.{key}": v for s, values in to_dict(config).items() for key, v in values.items()}


def to_toml(config: Config) -> str:
    """Write a configuration as the TOML file that gives it."""
    lines = []
    for section, values in to_dict(config).items():
        lines += [f"[{section}]", *(f"{key} = {_toml(v)}" for key, v in values.items()), ""]
    return "\n".join(lines)


def changed_maths(saved: Mapping[str, Any], config: Config) -> list[str]:
    """List the keys, with both values, whose change makes another training of a resumed run.

    Args:
        saved: nested values of the configuration in the checkpoint; keys it lacks had the default.
        config: the configuration to go on with.
    """
    before, now = flatten(from_dict(saved)), flatten(config)
    return [
        f"{key}: {_toml(before[key])} -> {_toml(value)}"
        for key, value in now.items()
        if value != before[key] and not {key, key.partition(".")[0]} & set(MAY_CHANGE)
    ]


def total_steps(config: Config) -> int:
    """Steps of the run: enough whole batches for ``train.total_tokens``."""
    return -(-config.train.total_tokens // config.train.batch_tokens)


def _validate(config: Config) -> None:
    """Refuse values that no run can have, whatever its ranks."""
    _check_numbers(config)
    _check_heads(config.model)
    steps = total_steps(config)
    if config.optim.warmup_steps >= steps:
        raise ConfigError(
            f"optim.warmup_steps = {config.optim.warmup_steps} leaves nothing of the {steps} steps "
            "that train.total_tokens / train.batch_tokens gives: warm up for fewer"
        )
    resume = config.run.resume
    if resume not in ("auto", "never") and not resume.startswith("step-"):
        raise ConfigError(f"run.resume = {resume}: auto, never, or a checkpoint as step-00001000")
    for key in config.run.allow_change:
        if key not in flatten(config):
            raise _unknown(key, flatten(config))


def _check_numbers(config: Config) -> None:
    """Refuse numbers out of their range."""
    for key, value in flatten(config).items():
        if type(value) not in (int, float):
            continue
        if value < 0 or (value == 0 and key not in MAY_BE_ZERO):
            least = "at least 0" if key in MAY_BE_ZERO else "more than 0"
            raise ConfigError(f"{key} = {value} must be {least}")
    if not all(0 <= beta < 1 for beta in config.optim.betas):
        raise ConfigError(f"optim.betas = {list(config.optim.betas)} must lie in [0, 1)")
    for first, last in config.data.skip:
        if not 1 <= first <= last:
            raise ConfigError(f"data.skip has [{first}, {last}]; steps are counted from 1")


def _check_heads(model: ModelConfig) -> None:
    """Refuse a width that does not split into heads of an even width, which rotation needs."""
    legal = [h for h in range(1, model.dim + 1) if model.dim % h == 0 and model.dim // h % 2 == 0]
    if model.heads not in legal:
        near = sorted(sorted(legal, key=lambda heads: abs(heads - model.heads))[:2])
        raise ConfigError(
            f"model.dim = {model.dim} does not split into {model.heads} heads of an even width; "
            f"nearest: model.heads = {' or '.join(map(str, near))}"
        )


def _apply(config: Config, override: str) -> Config:
    """Set one ``section.key=value``."""
    key, equals, text = override.partition("=")
    if not equals:
        raise ConfigError(f"{override!r} is no override: write section.key=value")
    section, _, name = key.partition(".")
    if key not in flatten(config):
        raise _unknown(key, flatten(config))
    values = to_dict(config)
    hint = get_type_hints(type(getattr(config, section)))[name]
    values[section][name] = _convert(_parse(text, hint), hint, key)
    return from_dict(values)


def _parse(text: str, hint: Any) -> Any:
    """Read the text of an override as TOML; where a string is wanted, quotes may be left out."""
    try:
        value = tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        value = text
    strings = hint is str or get_origin(hint) is Literal
    if strings and not isinstance(value, str):
        return text
    if get_origin(hint) is tuple and not isinstance(value, list):
        return [_parse(part, get_args(hint)[0]) for part in text.split(",") if part]
    return value


def _convert(value: Any, hint: Any, key: str) -> Any:
    """Check a value against its annotation; lists become tuples and whole numbers floats."""
    args = get_args(hint)
    if get_origin(hint) is Literal:
        if value not in args:
            raise ConfigError(f"{key} = {value!r} must be one of: {', '.join(map(str, args))}")
        return value
    if get_origin(hint) is tuple and isinstance(value, list | tuple):
        kinds = [args[0]] * len(value) if args[-1] is Ellipsis else list(args)
        if len(kinds) != len(value):
            raise ConfigError(f"{key} has {len(value)} values, must have {len(kinds)}")
        return tuple(
            _convert(v, kind, f"{key}[{i}]")
            for i, (v, kind) in enumerate(zip(value, kinds, strict=True))
        )
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not (get_origin(hint) or hint):
        wanted = "a list" if get_origin(hint) is tuple else hint.__name__
        raise ConfigError(f"{key} = {value!r} is {type(value).__name__}, must be {wanted}")
    if hint is float and not math.isfinite(value):
        raise ConfigError(f"{key} = {value} must be finite")
    return value


def _unknown(key: str, known: Iterable[str]) -> ConfigError:
    """Name the nearest known key: by spelling, or the one with the same last word."""
    known = list(known)
    last = key.rpartition(".")[2]
    near = [k for k in known if k.rpartition(".")[2] == last]
    near = near or difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return ConfigError(f"unknown key {key}" + (f". Did you mean {near[0]}?" if near else ""))


def _toml(value: Any) -> str:
    """Write one value as TOML."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)
