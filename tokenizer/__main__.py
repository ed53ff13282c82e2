"""``python -m tokenizer``: train, encode, decode and inspect tokenizers, make and verify shards."""

import sys
from collections.abc import Sequence

from tokenizer.commandline import command_line, run

COMMANDS = (
    (
        "train",
        "train a tokenizer with LLaMA's settings",
        "--input runs/github runs/wikipedia --model_prefix llama --vocab_size 32000",
    ),
    ("encode", "turn text into pieces or ids, line by line", "--model llama.model --input a.txt"),
    ("decode", "turn pieces or ids into text, line by line", "--model llama.model --input ids.txt"),
    ("inspect", "show a model's settings beside LLaMA's", "--model llama.model"),
    (
        "shard",
        "write the documents of runs as token shards, on this machine",
        "--input runs/github --model llama.model --output tokens/github",
    ),
    ("export", "write token shards for other training programs", "tokens/github mds --to mds"),
    (
        "hugging_face",
        "write a model as Hugging Face's tokenizer.json",
        "--model llama.model --output tokenizer",
    ),
    ("verify", "check directories of token shards", "tokens/github --model llama.model"),
)


def main(argv: Sequence[str] | None = None, name: str = "python -m tokenizer") -> int:
    """Run a command and return the exit code: 1, with one line on stderr, for every error.

    Args:
        argv: the words after the program's name; None for those that it was called with.
        name: how the user calls the program.
    """
    about = "Train and use tokenizers, make and verify token shards."
    app = command_line(name, about, "tokenizer.commands", COMMANDS, underscores=True)
    try:
        return run(app, argv)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{error.strerror or error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
