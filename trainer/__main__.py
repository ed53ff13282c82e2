"""Train a LLaMA on token shards.

    python -m trainer CONFIG.toml [section.key=value ...]
    torchrun --nproc-per-node 8 -m trainer CONFIG.toml [section.key=value ...]

CONFIG.toml may be the name of a configuration that the package brings, as debug or llama_7b.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from trainer.config import Config, TrainerError, load, to_toml
from trainer.plan import describe


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, then show or run; give the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m trainer",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", help="a TOML file, or the name of one of the package's")
    parser.add_argument("overrides", nargs="*", metavar="section.key=value")
    for flag, what in (
        ("--print-config", "show the resolved configuration and exit"),
        ("--dry-run", "show sizes, memory, steps and epochs, and exit"),
    ):
        parser.add_argument(flag, action="store_true", help=what)
    parser.add_argument("--ranks", type=int, help="how many --dry-run is to plan for")
    options, more = parser.parse_known_intermixed_args(arguments)
    for text in more:  # --optim.lr=1e-3 is as good as optim.lr=1e-3
        if not text.startswith("--") or "." not in text.partition("=")[0]:
            parser.error(f"unrecognized argument: {text}")
    rank = int(os.environ.get("RANK", "0"))
    try:
        config = load(options.config, [*options.overrides, *more])
        if options.print_config or options.dry_run:
            ranks = options.ranks or int(os.environ.get("WORLD_SIZE", "1"))
            if rank == 0:
                print(to_toml(config) if options.print_config else describe(config, ranks))
            return 0
        return _train(config)
    except TrainerError as error:
        print(f"error{f' on rank {rank}' if rank else ''}: {error}", file=sys.stderr)
        return 1


def _train(config: Config) -> int:
    """Start the ranks' group and train; torch is imported only now, as it takes seconds."""
    from trainer import parallel  # noqa: PLC0415 - see above
    from trainer.train import run  # noqa: PLC0415

    world = parallel.start(config.parallel)
    try:
        return run(config, world)
    finally:
        parallel.stop()


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # without finalizing, for the reason that `trainer.parallel.stop` gives
