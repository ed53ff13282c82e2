"""``python -m mixtures``: check a mixture, see what it comes to, trace a run's sequences."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from mixtures.mixture import MixtureError, load
from mixtures.order import OrderError
from mixtures.plan import corpus_order, make_plan
from mixtures.render import as_json, render

LLAMA_CONTEXT = 2048  # tokens
LLAMA_MIXTURE = Path(__file__).with_name("llama1.toml")


def plan(args: argparse.Namespace) -> None:
    """Print weight, tokens and epochs of every source, beside the paper's."""
    result = make_plan(
        load(args.mixture), args.tokens, context=args.context, sequences=args.sequences
    )
    print(json.dumps(as_json(result), indent=1) if args.json else render(result))
    result.check()


def validate(args: argparse.Namespace) -> None:
    """Check a mixture file by itself."""
    mixture = load(args.mixture)
    sources = ", ".join(source.name for source in mixture.sources)
    budget = "" if mixture.tokens is None else f"; {mixture.tokens:,} tokens"
    print(f"{mixture.name} is valid: {mixture.kind} of {sources}{budget}")


def order(args: argparse.Namespace) -> None:
    """Print where sequences of a run lie."""
    corpus = corpus_order(
        load(args.mixture), args.tokens, context=args.context, sequences=args.sequences
    )
    if args.count < 1:
        raise OrderError(f"-n {args.count}: must be at least 1")
    corpus.order.locate(args.first)  # if that is an error, it comes before the heading
    source_width = max(map(len, ("source", *corpus.shards)))
    shard_width = max(len(name) for names in corpus.shards.values() for name in names)
    row = f"{{:>11}}  {{:{source_width}}}  {{:{shard_width}}}  {{:>8}}  {{:>12}}  {{:>5}}"
    print(row.format("sequence", "source", "shard", "window", "token_offset", "epoch"))
    for sequence in range(args.first, min(args.first + args.count, corpus.order.sequences)):
        at = corpus.order.locate(sequence)
        shard = corpus.shards[at.source][at.shard]
        print(row.format(sequence, at.source, shard, at.window, at.token_offset, at.epoch))


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; ``run`` of what is returned is the command's function."""
    parser = argparse.ArgumentParser(
        prog="python -m mixtures",
        description="Check a mixture, see what it comes to, trace a run's sequences.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("plan", help=plan.__doc__, description=plan.__doc__)
    command.set_defaults(run=plan)
    command.add_argument(
        "mixture",
        metavar="MIXTURE.toml",
        nargs="?",
        type=Path,
        default=LLAMA_MIXTURE,
        help="default: the paper's",
    )
    command.add_argument(
        "--tokens",
        metavar="DIR",
        type=Path,
        help="holds SOURCE/manifest.json for each source; default: the sizes of the paper",
    )
    _add_run_options(command)
    command.add_argument("--json", action="store_true", help="print JSON, with exact fractions")

    command = commands.add_parser("validate", help=validate.__doc__, description=validate.__doc__)
    command.set_defaults(run=validate)
    command.add_argument("mixture", metavar="MIXTURE.toml", type=Path)

    command = commands.add_parser("order", help=order.__doc__, description=order.__doc__)
    command.set_defaults(run=order)
    command.add_argument("mixture", metavar="MIXTURE.toml", type=Path)
    command.add_argument(
        "--tokens",
        metavar="DIR",
        type=Path,
        required=True,
        help="holds SOURCE/manifest.json for each source",
    )
    _add_run_options(command)
    command.add_argument(
        "--from", dest="first", metavar="K", type=int, default=0, help="first sequence (default 0)"
    )
    command.add_argument(
        "-n", dest="count", metavar="COUNT", type=int, default=10, help="lines (default 10)"
    )
    return parser.parse_args(argv)


def _add_run_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--context",
        metavar="L",
        type=int,
        default=LLAMA_CONTEXT,
        help=f"tokens in a sequence (default {LLAMA_CONTEXT})",
    )
    command.add_argument(
        "--sequences",
        metavar="N",
        type=int,
        help="length of the run (default: the mixture's budget)",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; a wrong mixture is one line on stderr and exit code 1."""
    args = parse(argv)
    try:
        args.run(args)
        sys.stdout.flush()
    except (MixtureError, OrderError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
