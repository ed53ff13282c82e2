"""``python -m mixtures``: check a mixture, see what it comes to, trace a run's sequences."""

import sys
from collections.abc import Sequence

from tokenizer.commandline import command_line, run

COMMANDS = (
    (
        "plan",
        "print weight, tokens and epochs of every source, beside the paper's",
        "llama1 --set books=0.06",
    ),
    (
        "diff",
        "print what changes between two mixtures, or by changed amounts of one",
        "llama1 --set books=0.06",
    ),
    ("chart", "draw tokens and epochs of every source as SVG", "llama1 --out llama1.svg"),
    ("validate", "check a mixture file by itself", "mine.toml"),
    ("order", "print where sequences of a run lie", "demo --tokens corpus/tokens --from 1000 -n 5"),
)


def main(argv: Sequence[str] | None = None, name: str = "python -m mixtures") -> int:
    """Run a command and return the exit code: 1, with one line on stderr, for a wrong mixture.

    Args:
        argv: the words after the program's name; None for those that it was called with.
        name: how the user calls the program.
    """
    about = "Check a mixture, see what it comes to, trace a run's sequences."
    return run(command_line(name, about, "mixtures.commands", COMMANDS), argv)


if __name__ == "__main__":
    sys.exit(main())
