"""``python -m mixtures``: check a mixture, see what it comes to, trace a run's sequences."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from mixtures.chart import write_chart
from mixtures.compare import difference_as_json, render_difference
from mixtures.mixture import Mixture, MixtureError, changed, load
from mixtures.order import OrderError
from mixtures.plan import Plan, corpus_order, make_plan
from mixtures.render import as_json, render

LLAMA_CONTEXT = 2048  # tokens
LLAMA_MIXTURE = Path(__file__).with_name("llama1.toml")


def plan(args: argparse.Namespace) -> None:
    """Print weight, tokens and epochs of every source, beside the paper's."""
    result = _plan(args, changed(load(args.mixture), dict(args.set)))
    print(json.dumps(as_json(result), indent=1) if args.json else render(result))
    result.check()


def diff(args: argparse.Namespace) -> None:
    """Print what changes between two mixtures, or by changed amounts of one."""
    first = load(args.old)
    if args.new is None and not args.set:
        raise MixtureError("nothing to compare: give a second mixture, or --set SOURCE=AMOUNT")
    second = changed(load(args.new) if args.new else first, dict(args.set))
    old, new = _plan(args, first), _plan(args, second)
    print(
        json.dumps(difference_as_json(old, new), indent=1)
        if args.json
        else render_difference(old, new)
    )


def chart(args: argparse.Namespace) -> None:
    """Draw tokens and epochs of every source as SVG."""
    result = _plan(args, changed(load(args.mixture), dict(args.set)))
    write_chart(result, args.out)
    print(f"wrote {args.out}")


def _plan(args: argparse.Namespace, mixture: Mixture) -> Plan:
    assumed = {name: int(size) for name, size in args.assume}
    return make_plan(
        mixture, args.tokens, context=args.context, sequences=args.sequences, assumed=assumed
    )


def amount(text: str) -> tuple[str, Fraction]:
    """Read ``SOURCE=NUMBER``, in which a number may end in k, M, B or T.

    >>> amount("books=28.5B")
    ('books', Fraction(28500000000, 1))
    """
    name, equals, number = text.partition("=")
    scale = {"k": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}.get(number[-1:], 1)
    try:
        value = Fraction(number[:-1] if scale > 1 else number) * scale
        if not equals or not name or value < 0:
            raise ValueError  # noqa: TRY301 - one message for all
    except (ValueError, ZeroDivisionError):
        raise argparse.ArgumentTypeError(
            f"expected SOURCE=NUMBER, such as books=28.5B, found {text!r}"
        ) from None
    return name, value


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
    _add_plan_options(command)
    command.add_argument("--json", action="store_true", help="print JSON, with exact fractions")

    command = commands.add_parser("diff", help=diff.__doc__, description=diff.__doc__)
    command.set_defaults(run=diff)
    command.add_argument("old", metavar="OLD.toml", type=Path)
    command.add_argument("new", metavar="NEW.toml", type=Path, nargs="?", help="default: OLD.toml")
    _add_plan_options(command)
    command.add_argument("--json", action="store_true", help="print JSON")

    command = commands.add_parser("chart", help=chart.__doc__, description=chart.__doc__)
    command.set_defaults(run=chart)
    command.add_argument("mixture", metavar="MIXTURE.toml", type=Path)
    command.add_argument("--out", metavar="FILE.svg", type=Path, required=True)
    _add_plan_options(command)

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


def _add_plan_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--tokens",
        metavar="DIR",
        type=Path,
        help="holds SOURCE/manifest.json for each source; default: the sizes of the paper",
    )
    command.add_argument(
        "--assume",
        metavar="SOURCE=TOKENS",
        type=amount,
        nargs="+",
        action="extend",
        default=[],
        help="unique tokens to plan with before they are there, such as books=28.5B",
    )
    command.add_argument(
        "--set",
        metavar="SOURCE=AMOUNT",
        type=amount,
        nargs="+",
        action="extend",
        default=[],
        help="another weight, epochs or tokens of a source (diff: of the new mixture)",
    )
    _add_run_options(command)


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
