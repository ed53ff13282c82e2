"""Train a LLaMA on token shards.

    python -m trainer CONFIG.toml [section.key=value ...]
    torchrun --nproc-per-node 8 -m trainer CONFIG.toml [section.key=value ...]

CONFIG.toml may be the name of a configuration that the package brings, as debug or llama_7b.
Other commands, each with --help:

    python -m trainer inspect TARGET --step N     which documents a step read
    python -m trainer evaluate TARGET             held-out loss of a checkpoint
    python -m trainer export TARGET OUT           for transformers, or in Meta's layout
    python -m trainer generate TARGET             text after a prompt
    python -m trainer bench CONFIG.toml           speed on this device, kernel by kernel

TARGET is a checkpoint, a run directory, or a configuration, whose run.dir is meant.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenizer.model import TokenizerError
from trainer.config import Config, TrainerError, load, override, to_toml
from trainer.plan import describe

if TYPE_CHECKING:
    from trainer.export import Weights
    from trainer.parallel import World

# torch is imported by the commands that use it, as it takes seconds.
# ruff: noqa: PLC0415


def train(options: argparse.Namespace) -> int:
    """Train, or show what a run would be."""
    config = load(options.target, options.overrides)
    if options.print_config or options.dry_run:
        ranks = options.ranks or int(os.environ.get("WORLD_SIZE", "1"))
        if int(os.environ.get("RANK", "0")) == 0:
            plan = describe(config, ranks, options.device, options.mfu)
            print(to_toml(config) if options.print_config else plan)
        return 0
    from trainer.train import run

    return _with_ranks(config, lambda world: run(config, world))


def inspect(options: argparse.Namespace) -> int:
    """Show which documents a step read: shard, ids, text."""
    from tokenizer.model import Tokenizer
    from trainer.saved import open_saved
    from trainer.trace import describe as show
    from trainer.trace import trace

    found = open_saved(options.target, options.overrides)
    model = found.config.data.tokenizer
    tokenizer = Tokenizer(model) if model else None
    for traced in trace(found.config, options.step, found.record):
        print(show(traced, tokenizer, options.chars))
    if tokenizer is None:
        print("ids stand for the text: give data.tokenizer=FILE to read it", file=sys.stderr)
    return 0


def evaluate(options: argparse.Namespace) -> int:
    """Score a checkpoint on the held-out documents."""
    from trainer import evaluate as module
    from trainer.data import open_corpus
    from trainer.parallel import build_model
    from trainer.plan import plan_batch
    from trainer.saved import open_saved

    found = open_saved(options.target, options.overrides)
    config, checkpoint = found.config, found.needed()

    def score(world: "World") -> int:
        corpus = open_corpus(config, plan_batch(config, 1).sequences)
        model, _ = build_model(config, world)
        module.load_weights(checkpoint, model)
        micro_batch = config.eval.micro_batch or config.train.micro_batch
        scores = module.evaluate(model, corpus, world, micro_batch, doc_mask=config.data.doc_mask)
        if world.rank == 0:
            text = module.report(scores, corpus, config.model.vocab_size)[1]
            print(f"{checkpoint}: {text}")
        return 0

    return _with_ranks(config, score)


def export(options: argparse.Namespace) -> int:
    """Write a checkpoint, or another exported folder, in a layout that others read."""
    from trainer.export import write_hugging_face, write_meta

    weights = _weights(options)
    if options.layout == "hf":
        write_hugging_face(weights, Path(options.out), options.dtype)
    else:
        write_meta(weights, Path(options.out), options.dtype, parts=options.parts)
    print(f"{options.out}: {weights.model.parameters:,} parameters of {weights.path}")
    if weights.tokenizer is None:
        print("warning: without a tokenizer: give data.tokenizer=FILE", file=sys.stderr)
    return 0


def generate(options: argparse.Namespace) -> int:
    """Write on after a prompt."""
    import torch

    from tokenizer.model import Tokenizer
    from trainer import generate as module
    from trainer.export import DTYPES, ExportError, load_model

    weights = _weights(options)
    if weights.tokenizer is None:
        raise ExportError(f"{weights.path}: no tokenizer: give data.tokenizer=FILE")
    tokenizer = Tokenizer(weights.tokenizer)
    sampling = module.Sampling(options.temperature, options.top_k, options.top_p, options.seed)
    device = torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    model = load_model(weights, device, DTYPES.get(options.dtype, torch.float32))
    prompt = tokenizer.encode(options.prompt, bos=True).tolist()
    tokens = module.generate(
        *(model, prompt, sampling), max_new_tokens=options.tokens, eos_id=tokenizer.eos_id
    )
    print(options.prompt, end="", flush=True)
    for text in module.text_of(tokenizer, prompt, tokens):
        print(text, end="", flush=True)
    print()
    return 0


def bench(options: argparse.Namespace) -> int:
    """Measure tokens/s, MFU and memory on random tokens, with each attention kernel."""
    from trainer.bench import bench as measure

    config = load(options.target, options.overrides)

    def run(world: "World") -> int:
        for line in measure(config, world, options.steps, options.microbatches):
            if world.rank == 0:
                print(line, flush=True)
        return 0

    return _with_ranks(config, run)


def _with_ranks(config: Config, work: "Callable[[World], int]") -> int:
    """Do work in the ranks' group that ``torchrun`` describes, or in one of this process."""
    from trainer import parallel

    world = parallel.start(config.parallel)
    try:
        return work(world)
    finally:
        parallel.stop()


def _weights(options: argparse.Namespace) -> "Weights":
    """Open an exported folder, or the checkpoint that the target means."""
    from trainer.export import open_weights
    from trainer.saved import open_saved

    folder = Path(options.target)
    if any((folder / name).exists() for name in ("config.json", "params.json")):
        return open_weights(folder, override(Config(), options.overrides).data.tokenizer)
    found = open_saved(options.target, options.overrides)
    return open_weights(found.needed(), found.config.data.tokenizer)


# Command: its function, and its options with their defaults and help.
COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], int], dict[str, tuple[Any, str]]]] = {
    "train": (
        train,
        {
            "--print-config": (False, "show the resolved configuration and exit"),
            "--dry-run": (False, "show sizes, memory, steps, epochs, days and energy, and exit"),
            "--ranks": (0, "how many --dry-run is to plan for (default: as started)"),
            "--device": ("H100", "that --dry-run is to plan for"),
            "--mfu": (0.45, "share of its peak that --dry-run assumes"),
        },
    ),
    "inspect": (
        inspect,
        {"--step": (1, "counted from 1"), "--chars": (200, "of each document's text to show")},
    ),
    "evaluate": (evaluate, {}),
    "export": (
        export,
        {
            "--layout": ("hf", "hf for transformers, or meta"),
            "--dtype": ("", "float32, bfloat16 or float16 (default: as stored)"),
            "--parts": (1, "files of Meta's layout"),
        },
    ),
    "generate": (
        generate,
        {
            "--prompt": ("", "text to go on from"),
            "--tokens": (256, "at most so many new ones"),
            "--temperature": (0.8, "0 takes the likeliest token"),
            "--top-k": (0, "draw from so many likeliest; 0: from all"),
            "--top-p": (0.95, "draw from the fewest that have this probability"),
            "--seed": (0, "of the draw"),
            "--dtype": ("", "float32, bfloat16 or float16 (default: float32)"),
        },
    ),
    "bench": (
        bench,
        {"--steps": (5, "to time, after one"), "--microbatches": (4, "between updates")},
    ),
}
CHOICES = {"--layout": ("hf", "meta"), "--dtype": ("", "float32", "bfloat16", "float16")}


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, then do what it says; give the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    command = given.pop(0) if given and given[0] in COMMANDS else "train"
    function, flags = COMMANDS[command]
    parser = argparse.ArgumentParser(
        prog="python -m trainer" + (f" {command}" if command != "train" else ""),
        description=__doc__ if command == "train" else function.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = "a TOML file, or the name of one of the package's"
    what += "" if command in {"train", "bench"} else ", a run directory, or a checkpoint"
    parser.add_argument("target", help=what)
    if command == "export":
        parser.add_argument("out", help="folder to make")
    parser.add_argument("overrides", nargs="*", metavar="section.key=value")
    for flag, (default, text) in flags.items():
        if default is False:
            parser.add_argument(flag, action="store_true", help=text)
        else:
            text += "" if "(default" in text else f" (default: {default})"  # noqa: PLW2901
            kind, choices = type(default), CHOICES.get(flag)
            parser.add_argument(flag, type=kind, default=default, choices=choices, help=text)
    options, more = parser.parse_known_intermixed_args(given)
    for text in more:  # --optim.lr=1e-3 is as good as optim.lr=1e-3
        if not text.startswith("--") or "." not in text.partition("=")[0]:
            parser.error(f"unrecognized argument: {text}")
    options.overrides += more
    try:
        return function(options)
    except (TrainerError, TokenizerError) as error:
        rank = int(os.environ.get("RANK", "0"))
        print(f"error{f' on rank {rank}' if rank else ''}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # without finalizing, for the reason that `trainer.parallel.stop` gives
