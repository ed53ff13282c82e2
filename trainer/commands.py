"""The commands of ``python -m trainer``; torch, which takes seconds, is imported where needed."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from tokenizer.model import Tokenizer
from trainer.config import TrainerError, load, override, to_toml
from trainer.plan import describe
from trainer.sections import Config

if TYPE_CHECKING:
    from trainer.export import Weights
    from trainer.parallel import World

# ruff: noqa: PLC0415 - see above

Target = Annotated[
    str, Parameter(help="a checkpoint, a run directory, or a configuration whose run.dir is meant")
]
ConfigName = Annotated[
    str, Parameter(help="a TOML file, or the name of a preset, such as debug or llama_7b")
]
Overrides = Annotated[str, Parameter(help="section.key=value, also as --section.key=value")]
Tasks = Annotated[
    str,
    Parameter(
        help="names of lm-evaluation-harness, or groups of the paper's tables, with commas: "
        "common_sense, closed_book, reading, mathematics, code, mmlu, toxicity, crows_pairs, "
        "winogender, truthfulqa"
    ),
]
Flag = Annotated[bool, Parameter(negative="")]
NotNegative = Annotated[int, Parameter(validator=Number(gte=0))]
AtLeastOne = Annotated[int, Parameter(validator=Number(gte=1))]
Share = Annotated[float, Parameter(validator=Number(gt=0, lte=1))]


def train(
    config: ConfigName,
    /,
    *overrides: Overrides,
    print_config: Flag = False,
    dry_run: Flag = False,
    ranks: NotNegative = 0,
    device: str = "H100",
    mfu: Share = 0.45,
) -> int:
    """Train a model, or go on with its run.

    Args:
        print_config: print the whole configuration and stop
        dry_run: print what the run would be, and stop
        ranks: of a dry run: devices (0: those of torchrun)
        device: of a dry run: the device
        mfu: of a dry run: the share of the peak that is reached
    """
    made = load(config, overrides)
    if print_config or dry_run:
        count = ranks or int(os.environ.get("WORLD_SIZE", "1"))
        shown = to_toml(made) if print_config else describe(made, count, device, mfu)
        if os.environ.get("RANK", "0") == "0":
            print(shown)
        return 0
    from trainer.train import run

    with _ranks(made) as world:
        return run(made, world)


def inspect(
    target: Target, /, *overrides: Overrides, step: NotNegative = 1, chars: NotNegative = 200
) -> None:
    """Show which documents a step read: shard, ids, and the beginning of each text.

    Args:
        step: 1 is the first
        chars: characters of each text
    """
    from trainer import trace
    from trainer.checkpoint import open_run, read_record

    config, path = open_run(target, overrides)
    tokenizer = Tokenizer(config.data.tokenizer) if config.data.tokenizer else None
    for traced in trace.trace(config, step, read_record(path) if path else None):
        print(trace.describe(traced, tokenizer, chars))
    if tokenizer is None:
        print("ids stand for the text: give data.tokenizer=FILE to read it", file=sys.stderr)


def evaluate(target: Target, /, *overrides: Overrides, tasks: Tasks = "") -> None:
    """Score a checkpoint on the held-out documents, or on tasks.

    The keys eval.tasks_folder and eval.tasks_limit hold here too.
    """
    from trainer.checkpoint import open_checkpoint
    from trainer.evaluate import evaluate_checkpoint, evaluate_tasks

    named = [f"eval.tasks={tasks}"] if tasks else []
    config, path = open_checkpoint(target, [*overrides, *named])
    with _ranks(config) as world:
        score = evaluate_tasks if tasks else evaluate_checkpoint
        text = score(config, path, world)
        world.say(f"{path}: {text}")


def instruct(
    target: Target,
    data: str,
    out: str,
    /,
    *overrides: Overrides,
    epochs: Annotated[float, Parameter(validator=Number(gt=0))] = 3.0,
) -> int:
    """Tune a trained model on instructions; only responses are learned.

    The new run, with the preset instruct, begins with the weights of TARGET. The same command goes
    on with it.

    Args:
        data: JSON lines of "prompt" and "response"
        out: folder of the new run
        epochs: how often the examples are read
    """
    from trainer import instruct as tuning
    from trainer.train import run

    config = tuning.configure(target, out, overrides)
    with _ranks(config) as world:
        windows, text = tuning.write_shards(config, data, world)
        world.say(text)
        return run(tuning.lengthen(config, windows, epochs, overrides), world)


def export(
    target: Target,
    out: str,
    /,
    *overrides: Overrides,
    layout: Literal["hf", "meta"] = "hf",
    dtype: Literal["stored", "float32", "bfloat16", "float16"] = "stored",
    parts: AtLeastOne = 1,
) -> None:
    """Write a checkpoint, or an exported folder, in a folder that other programs read.

    From Meta's layout, which does not say the context, give model.context=TOKENS unless it is 2048.

    Args:
        out: folder to write
        layout: for transformers, or as Meta published its models
        dtype: of the weights
        parts: files that meta's layout is split into
    """
    from trainer.export import write

    weights = _weights(target, overrides)
    write(weights, Path(out), layout, dtype, parts)
    print(f"{out}: {weights.model.parameters:,} parameters of {weights.path}")
    if weights.tokenizer is None:
        print("warning: without a tokenizer: give data.tokenizer=FILE", file=sys.stderr)


def generate(
    target: Target,
    /,
    *overrides: Overrides,
    prompt: str = "",
    tokens: AtLeastOne = 256,
    temperature: Annotated[float, Parameter(validator=Number(gte=0))] = 0.8,
    top_k: NotNegative = 0,
    top_p: Share = 0.95,
    seed: int = 0,
    dtype: Literal["float32", "bfloat16", "float16"] = "float32",
) -> None:
    """Write on after a prompt, with a checkpoint or an exported folder.

    Args:
        prompt: text to go on with
        tokens: to write at most
        temperature: 0 takes the likeliest token
        top_k: draw from so many likeliest tokens; 0: all
        top_p: and from the fewest that have this probability
        seed: of the draws
        dtype: to compute in
    """
    from trainer.generate import Sampling, complete

    sampling = Sampling(temperature, top_k, top_p, seed)
    for text in complete(_weights(target, overrides), prompt, sampling, tokens, dtype):
        print(text, end="", flush=True)
    print()


def ablate(spec: str, /, *overrides: Overrides) -> None:
    """Train the same small model on several data sets, and compare them on texts and tasks.

    Runs that are done are not repeated.

    Args:
        spec: TOML file of arms and texts (docs/evaluation.md)
    """
    from trainer import ablate as ablation

    read = ablation.read_spec(spec, overrides)
    with _ranks(ablation.configure(read)) as world:
        if table := ablation.ablate(read, world):
            world.say(table)


def bench(
    config: ConfigName,
    /,
    *overrides: Overrides,
    steps: AtLeastOne = 5,
    microbatches: AtLeastOne = 4,
) -> None:
    """Measure tokens/s, MFU and memory on random tokens, with each attention kernel.

    Args:
        steps: that are timed, after one to warm up
        microbatches: of each step
    """
    from trainer.bench import bench as measure

    made = load(config, overrides)
    with _ranks(made) as world:
        for line in measure(made, world, steps, microbatches):
            world.say(line)


def keys(*, page: str = "") -> None:
    """Print every key of a configuration: its default, its unit, and what it means.

    Args:
        page: write them into this page of Markdown, between its two comments
    """
    from trainer.reference import tables, write_tables

    if page:
        write_tables(Path(page))
    else:
        print(tables())


@contextmanager
def _ranks(config: Config) -> "Iterator[World]":
    """Join the ranks' group that ``torchrun`` describes, or one of this process."""
    from trainer import environment, parallel

    environment.prepare(config)
    world = parallel.start(config.parallel)
    try:
        yield world
    finally:
        parallel.stop()


def _weights(target: str, overrides: Sequence[str]) -> "Weights":
    """Open an exported folder, or the checkpoint that the target means."""
    from trainer.checkpoint import open_checkpoint
    from trainer.export import open_weights

    folder = Path(target)
    if any((folder / name).exists() for name in ("config.json", "params.json")):
        given = override(Config(), overrides)
        keys = {text.partition("=")[0] for text in overrides}
        if strange := sorted(keys - {"data.tokenizer", "model.context"}):
            raise TrainerError(
                f"{strange[0]}: an exported folder takes data.tokenizer and model.context only"
            )
        context = given.model.context if "model.context" in keys else 0
        return open_weights(folder, given.data.tokenizer, context)
    config, path = open_checkpoint(target, overrides)
    return open_weights(path, config.data.tokenizer)
