"""The commands of ``python -m trainer``; torch, which takes seconds, is imported where needed."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from tokenizer.errors import UserError
from tokenizer.model import Tokenizer
from trainer.config import TrainerError, load, override, to_toml
from trainer.plan import describe
from trainer.sections import Config

if TYPE_CHECKING:
    from trainer.export import Weights
    from trainer.parallel import World

# ruff: noqa: PLC0415 - see above

ConfigName = Annotated[
    str, Parameter(help="a TOML file, or the name of a preset, such as debug or llama_7b")
]
Target = Annotated[
    str, Parameter(help="a checkpoint, a run directory, or a configuration whose run.dir is meant")
]


def _refuse_flag(_kind: object, word: str) -> None:
    """Refuse a flag that no command has, which would pass for an override, as UserError."""
    name = word.partition("=")[0]
    if name.startswith("--") and "." not in name:
        raise UserError(f"unknown flag {name}. --help lists the flags")


Overrides = Annotated[
    str,
    Parameter(
        help="section.key=value, also as --section.key=value",
        allow_leading_hyphen=True,
        validator=_refuse_flag,
    ),
]
_SHARE = Number(gt=0, lte=1)


def train(
    config: ConfigName,
    /,
    *overrides: Overrides,
    print_config: Annotated[
        bool, Parameter(help="print the whole configuration and stop", negative="")
    ] = False,
    dry_run: Annotated[
        bool, Parameter(help="print what the run would be, and stop", negative="")
    ] = False,
    ranks: Annotated[
        int, Parameter(help="of a dry run: devices (0: those of torchrun)", validator=Number(gte=0))
    ] = 0,
    device: Annotated[str, Parameter(help="of a dry run: the device")] = "H100",
    mfu: Annotated[
        float,
        Parameter(help="of a dry run: the share of the peak that is reached", validator=_SHARE),
    ] = 0.45,
) -> int:
    """Train a model, or go on with its run."""
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
    target: Target,
    /,
    *overrides: Overrides,
    step: Annotated[int, Parameter(help="1 is the first", validator=Number(gte=0))] = 1,
    chars: Annotated[int, Parameter(help="characters of each text", validator=Number(gte=0))] = 200,
) -> None:
    """Show which documents a step read: shard, ids, and the beginning of each text."""
    from trainer import trace
    from trainer.checkpoint import open_run, read_record

    config, path = open_run(target, overrides)
    tokenizer = Tokenizer(config.data.tokenizer) if config.data.tokenizer else None
    for traced in trace.trace(config, step, read_record(path) if path else None):
        print(trace.describe(traced, tokenizer, chars))
    if tokenizer is None:
        print("ids stand for the text: give data.tokenizer=FILE to read it", file=sys.stderr)


def evaluate(
    target: Target,
    /,
    *overrides: Overrides,
    tasks: Annotated[
        str,
        Parameter(
            help="names of lm-evaluation-harness, or groups of the paper's tables, with commas: "
            "common_sense, closed_book, reading, mathematics, code, mmlu, toxicity, crows_pairs, "
            "winogender, truthfulqa"
        ),
    ] = "",
) -> None:
    """Score a checkpoint on the held-out documents, or on tasks.

    The keys eval.tasks_folder and eval.tasks_limit hold here too.
    """
    from trainer.checkpoint import open_checkpoint
    from trainer.evaluate import evaluate_checkpoint, evaluate_tasks

    named = [f"eval.tasks={tasks}"] if tasks else []
    config, path = open_checkpoint(target, [*overrides, *named])
    with _ranks(config) as world:
        text = (
            f"\n{evaluate_tasks(config, path, world)}"
            if tasks
            else evaluate_checkpoint(config, path, world)
        )
        if world.rank == 0:
            print(f"{path}: {text}")


def instruct(
    target: Target,
    data: Annotated[str, Parameter(help='JSON lines of "prompt" and "response"')],
    out: Annotated[str, Parameter(help="folder of the new run")],
    /,
    *overrides: Overrides,
    epochs: Annotated[
        float, Parameter(help="how often the examples are read", validator=Number(gt=0))
    ] = 3.0,
) -> int:
    """Tune a trained model on instructions; only responses are learned.

    The new run, with the preset instruct, begins with the weights of TARGET. The same command goes
    on with it.
    """
    from trainer import instruct as tuning
    from trainer.train import run

    config = tuning.configure(target, out, overrides)
    with _ranks(config) as world:
        windows, text = tuning.write_shards(config, data, world)
        if world.rank == 0:
            print(text)
        return run(tuning.lengthen(config, windows, epochs, overrides), world)


def export(
    target: Target,
    out: Annotated[str, Parameter(help="folder to write")],
    /,
    *overrides: Overrides,
    layout: Annotated[
        Literal["hf", "meta"], Parameter(help="for transformers, or as Meta published its models")
    ] = "hf",
    dtype: Annotated[
        Literal["stored", "float32", "bfloat16", "float16"], Parameter(help="of the weights")
    ] = "stored",
    parts: Annotated[
        int, Parameter(help="files that meta's layout is split into", validator=Number(gte=1))
    ] = 1,
) -> None:
    """Write a checkpoint, or an exported folder, in a folder that other programs read.

    From Meta's layout, which does not say the context, give model.context=TOKENS unless it is 2048.
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
    prompt: Annotated[str, Parameter(help="text to go on with")] = "",
    tokens: Annotated[int, Parameter(help="to write at most", validator=Number(gte=1))] = 256,
    temperature: Annotated[
        float, Parameter(help="0 takes the likeliest token", validator=Number(gte=0))
    ] = 0.8,
    top_k: Annotated[
        int, Parameter(help="draw from so many likeliest tokens; 0: all", validator=Number(gte=0))
    ] = 0,
    top_p: Annotated[
        float, Parameter(help="and from the fewest that have this probability", validator=_SHARE)
    ] = 0.95,
    seed: Annotated[int, Parameter(help="of the draws")] = 0,
    dtype: Annotated[
        Literal["float32", "bfloat16", "float16"], Parameter(help="to compute in")
    ] = "float32",
) -> None:
    """Write on after a prompt, with a checkpoint or an exported folder."""
    from trainer.generate import Sampling, complete

    sampling = Sampling(temperature, top_k, top_p, seed)
    for text in complete(_weights(target, overrides), prompt, sampling, tokens, dtype):
        print(text, end="", flush=True)
    print()


def ablate(
    spec: Annotated[str, Parameter(help="TOML file of arms and texts (docs/evaluation.md)")],
    /,
    *overrides: Overrides,
) -> int:
    """Train the same small model on several data sets, and compare them on texts and tasks.

    Runs that are done are not repeated.
    """
    from trainer import ablate as ablation

    read = ablation.read_spec(spec, overrides)
    with _ranks(ablation.configure(read)) as world:
        table = ablation.ablate(read, world)
        if world.rank == 0 and table:
            print(table)
    return 0


def bench(
    config: ConfigName,
    /,
    *overrides: Overrides,
    steps: Annotated[
        int, Parameter(help="that are timed, after one to warm up", validator=Number(gte=1))
    ] = 5,
    microbatches: Annotated[int, Parameter(help="of each step", validator=Number(gte=1))] = 4,
) -> None:
    """Measure tokens/s, MFU and memory on random tokens, with each attention kernel."""
    from trainer.bench import bench as measure

    made = load(config, overrides)
    with _ranks(made) as world:
        for line in measure(made, world, steps, microbatches):
            if world.rank == 0:
                print(line, flush=True)


def keys(
    *,
    page: Annotated[
        str, Parameter(help="write them into this page of Markdown, between its two comments")
    ] = "",
) -> None:
    """Print every key of a configuration: its default, its unit, and what it means."""
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
        keys = {text.removeprefix("--").partition("=")[0] for text in overrides}
        if strange := sorted(keys - {"data.tokenizer", "model.context"}):
            raise TrainerError(
                f"{strange[0]}: an exported folder takes data.tokenizer and model.context only"
            )
        context = given.model.context if "model.context" in keys else 0
        return open_weights(folder, given.data.tokenizer, context)
    config, path = open_checkpoint(target, overrides)
    return open_weights(path, config.data.tokenizer)
