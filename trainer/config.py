"""Configurations read from TOML files and dotted overrides, and checked.

A file says what differs from the defaults of ``trainer.sections``; ``optim.lr=3e-4`` on the command
line says what differs from the file. Unknown keys and wrong types are errors that name the nearest
key (docs/rules/trainer.md 12).
"""

import json
import math
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tokenizer.errors import UserError
from tokenizer.settings import build, nearest, read_toml
from trainer.sections import CHOICES, KEYS, Config, ModelConfig, ParallelConfig

CONFIGS = Path(__file__).parent / "configs"


class TrainerError(UserError, ValueError):
    """What a user can put right; commands print the message without a traceback."""


class ConfigError(TrainerError):
    """A configuration that cannot run; the message says which key, and what would."""


def load(path: str, overrides: Iterable[str] = ()) -> Config:
    """Read a configuration file and apply ``section.key=value`` overrides to it.

    ``path`` may be the name of one that the package brings, as ``llama_7b``. Values of overrides
    are written as in TOML, strings and lists without quotes and brackets. Raises UserError for an
    unreadable file, an unknown key, a wrong type, or values that cannot run.
    """
    presets = {config.stem: config for config in sorted(CONFIGS.glob("*.toml"))}
    file = Path(path) if Path(path).exists() else presets.get(path)
    if file is None:
        hint = nearest(path, presets) or f": those of the package are {', '.join(presets)}"
        raise ConfigError(f"{path}: no such file, folder or preset{hint}")
    return override(from_dict(read_toml(file), where=path), overrides)


def override(config: Config, overrides: Iterable[str]) -> Config:
    """Apply ``section.key=value`` overrides, and check what comes out; for the rest see `load`."""
    values, known = asdict(config), flatten(config)
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals and key in known:
            raise ConfigError(f"{text}: give it a value, as in {key}={known[key]}")
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
    plain = json.loads(json.dumps(values, default=str))  # tuples as the lists that files have
    parallel = plain.get("parallel")
    if isinstance(parallel, dict) and isinstance(parallel.get("compile"), bool):
        parallel["compile"] = str(parallel["compile"]).lower()  # a word among others, as "auto"
    config: Config = build(Config, plain, where)
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
        if value != before[key] and KEYS[key].fixed
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


def _out_of_range(config: Config) -> Iterator[str]:
    """Find numbers and words that are wrong by themselves."""
    for key, value in flatten(config).items():
        if value not in CHOICES.get(key, [value]):
            yield f"{key} = {value}: must be {' or '.join(CHOICES[key])}"
        if type(value) not in (int, float):
            continue
        positive = KEYS[key].positive
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
    if parallel.tensor > 1 and parallel.compile == "true" and parallel.recompute == "full":
        yield "parallel.recompute = full does not compile with parallel.tensor > 1: take selective"
    if parallel.async_tensor and not (parallel.tensor > 1 and parallel.compile == "true"):
        yield (
            "parallel.async_tensor = true overlaps the communication of parallel.tensor > 1 in "
            "compiled blocks: set both, parallel.tensor=2 or more and parallel.compile=true"
        )
