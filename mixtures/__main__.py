"""``python -m mixtures``: check a mixture, see what it comes to, trace a run's sequences."""

import sys
from collections.abc import Sequence

from cyclopts import App

from tokenizer.commandline import add, command_line, run

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


def make_app(name: str) -> App:
    """Return the application under the name that the user calls it by."""
    app = command_line(name, "Check a mixture, see what it comes to, trace a run's sequences.")
    for command, help_text, example in COMMANDS:
        add(app, f"mixtures.commands:{command}", help_text, example)
    return app


def main(argv: Sequence[str] | None = None, name: str = "python -m mixtures") -> int:
    """Run a command; a wrong mixture is one line on stderr and exit code 1."""
    return run(make_app(name), argv)


if __name__ == "__main__":
    sys.exit(main())
