"""Train a LLaMA on token shards, and use it.

    python -m trainer CONFIG [section.key=value ...]
    torchrun --nproc-per-node 8 -m trainer CONFIG [section.key=value ...]
    python -m trainer inspect TARGET --step N     which documents a step read
    python -m trainer evaluate TARGET             held-out loss of a checkpoint, or tasks
    python -m trainer instruct TARGET DATA OUT    tune it on prompts with responses
    python -m trainer ablate SPEC                 small models on several mixtures, compared
    python -m trainer export TARGET OUT           for transformers, or in Meta's layout
    python -m trainer generate TARGET --prompt T  text after a prompt
    python -m trainer bench CONFIG                speed on this device, kernel by kernel
    python -m trainer keys                        every key with its default, unit and meaning

CONFIG is a TOML file, or the name of one that the package brings, as debug or llama_7b. TARGET is a
checkpoint, a run directory, or a CONFIG, whose run.dir is meant. Each command has --help.
"""

import argparse
import inspect as python_inspect
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from tokenizer.model import Tokenizer, TokenizerError
from trainer.config import Config, TrainerError, load, override, to_toml
from trainer.plan import describe

if TYPE_CHECKING:
    from trainer.export import Weights
    from trainer.parallel import World

# ruff: noqa: PLC0415 - torch takes seconds to import, so only what uses it does

# Threads of OpenMP that wait for one another spin, which takes the processor from the very thread
# that they wait for if anything else runs beside. The library reads this when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def train(
    config: str,
    overrides: Sequence[str],
    *,
    print_config: bool = False,
    dry_run: bool = False,
    ranks: int = 0,
    device: str = "H100",
    mfu: float = 0.45,
) -> int:
    """Train; --print-config and --dry-run only show what would be.

    A dry run is for so many --ranks of a --device that reach --mfu of their peak.
    """
    made = load(config, overrides)
    if print_config or dry_run:
        count = ranks or int(os.environ.get("WORLD_SIZE", "1"))
        shown = to_toml(made) if print_config else describe(made, count, device, mfu)
        if _rank() == 0:
            print(shown)
        return 0
    from trainer.train import run

    with _ranks(made) as world:
        return run(made, world)


def inspect(target: str, overrides: Sequence[str], *, step: int = 1, chars: int = 200) -> None:
    """Show which documents a step (1 is the first) read: shard, ids, so many chars of each text."""
    from trainer import trace
    from trainer.checkpoint import open_run, read_record

    config, path = open_run(target, overrides)
    tokenizer = Tokenizer(config.data.tokenizer) if config.data.tokenizer else None
    for traced in trace.trace(config, step, read_record(path) if path else None):
        print(trace.describe(traced, tokenizer, chars))
    if tokenizer is None:
        print("ids stand for the text: give data.tokenizer=FILE to read it", file=sys.stderr)


def evaluate(target: str, overrides: Sequence[str], *, tasks: str = "") -> None:
    """Score a checkpoint on the held-out documents, or on tasks of lm-evaluation-harness.

    --tasks are names of the harness or groups of the paper's tables, with commas: common_sense,
    closed_book, reading, mathematics, code, mmlu, toxicity, crows_pairs, winogender, truthfulqa.
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
    target: str, data: str, out: str, overrides: Sequence[str], *, epochs: float = 3.0
) -> int:
    """Tune a trained model on instructions: DATA, JSON lines of "prompt" and "response".

    A new run in the folder OUT, with the preset instruct, begins with the weights of TARGET; only
    responses are learned. The same command goes on with it; --epochs are of the examples.
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
    target: str,
    out: str,
    overrides: Sequence[str],
    *,
    layout: Literal["hf", "meta"] = "hf",
    dtype: Literal["stored", "float32", "bfloat16", "float16"] = "stored",
    parts: int = 1,
) -> None:
    """Write a checkpoint, or an exported folder, in a folder OUT that others read.

    --layout hf is for transformers; meta may be in several --parts. From Meta's layout, which does
    not say the context, give model.context=TOKENS unless it is 2048.
    """
    from trainer.export import write

    weights = _weights(target, overrides)
    write(weights, Path(out), layout, dtype, parts)
    print(f"{out}: {weights.model.parameters:,} parameters of {weights.path}")
    if weights.tokenizer is None:
        print("warning: without a tokenizer: give data.tokenizer=FILE", file=sys.stderr)


def generate(
    target: str,
    overrides: Sequence[str],
    *,
    prompt: str = "",
    tokens: int = 256,
    temperature: float = 0.8,
    top_k: int = 0,
    top_p: float = 0.95,
    seed: int = 0,
    dtype: Literal["float32", "bfloat16", "float16"] = "float32",
) -> None:
    """Write on after a prompt, with a checkpoint or an exported folder.

    The next of at most so many --tokens is drawn from the --top-k likeliest (0: all), and of
    these from the fewest that have probability --top-p; --temperature 0 takes the likeliest.
    """
    from trainer.generate import Sampling, complete

    sampling = Sampling(temperature, top_k, top_p, seed)
    for text in complete(_weights(target, overrides), prompt, sampling, tokens, dtype):
        print(text, end="", flush=True)
    print()


def ablate(spec: str, overrides: Sequence[str]) -> int:
    """Train the same small model on the arms of SPEC, and compare them on texts and tasks.

    SPEC is a TOML file (docs/evaluation.md). Runs that are done are not repeated.
    """
    from trainer import ablate as ablation

    read = ablation.read_spec(spec, overrides)
    with _ranks(ablation.configure(read)) as world:
        table = ablation.ablate(read, world)
        if world.rank == 0 and table:
            print(table)
    return 0


def bench(config: str, overrides: Sequence[str], *, steps: int = 5, microbatches: int = 4) -> None:
    """Measure tokens/s, MFU and memory on random tokens, with each attention kernel.

    So many --steps are timed, after one to warm up, each of --microbatches and an update.
    """
    from trainer.bench import bench as measure

    made = load(config, overrides)
    with _ranks(made) as world:
        for line in measure(made, world, steps, microbatches):
            if world.rank == 0:
                print(line, flush=True)


def keys(*, page: str = "") -> None:
    """Print every key of a configuration: its default, its unit, and what it means.

    --page FILE writes them into that page in Markdown instead, between its two comments.
    """
    from trainer.reference import tables, write_tables

    if page:
        write_tables(Path(page))
    else:
        print(tables())


def _rank() -> int:
    return int(os.environ.get("RANK", "0"))


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


_COMMANDS = (inspect, evaluate, instruct, ablate, export, generate, bench, keys)
COMMANDS: dict[str, Callable[..., int | None]] = {
    command.__name__: command for command in _COMMANDS
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, then do what it says; give the exit code.

    A command's parameters are its arguments: those by keyword are options, of their default's type.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    command: Callable[..., int | None] = (
        COMMANDS[given.pop(0)] if {*given[:1]} & {*COMMANDS} else train
    )
    parser = argparse.ArgumentParser(
        prog=f"python -m trainer{'' if command is train else f' {command.__name__}'}",
        description=__doc__ if command is train else python_inspect.getdoc(command),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name, parameter in python_inspect.signature(command).parameters.items():
        flag, default = f"--{name.replace('_', '-')}", parameter.default
        if name == "overrides":
            parser.add_argument(name, nargs="*", metavar="section.key=value")
        elif parameter.kind is not parameter.KEYWORD_ONLY:
            parser.add_argument(name)
        elif default is False:
            parser.add_argument(flag, action="store_true")
        else:
            shown, choices = f"default: {default!r}", get_args(parameter.annotation) or None
            parser.add_argument(
                flag, type=type(default), default=default, choices=choices, help=shown
            )
    options, more = parser.parse_known_intermixed_args(given)
    for text in more:  # --optim.lr=1e-3 is as good as optim.lr=1e-3
        if not text.startswith("--") or "." not in text.partition("=")[0]:
            parser.error(f"unrecognized argument: {text}")
    if "overrides" in options:
        options.overrides += more
    try:
        return command(**vars(options)) or 0
    except (TrainerError, TokenizerError) as error:
        print(f"error{f' on rank {_rank()}' if _rank() else ''}: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader, as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # without finalizing, for the reason that `trainer.parallel.stop` gives
