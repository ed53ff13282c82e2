"""Command-line flags as SentencePiece's programs have them (docs/rules/tokens.md 1.5).

``--name=value`` or ``--name value``; a flag that is true or false may stand alone. Flags are
spelled out: an unknown or shortened one is an error that names the nearest.
"""

import argparse
import csv
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from tokenizer.settings import nearest


class CommandError(Exception):
    """What the user must change, in one line."""


class Parser(argparse.ArgumentParser):
    """An argument parser that raises `CommandError` instead of printing its usage."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        """Raise CommandError with ``message``."""
        raise CommandError(f"{message} (see {self.prog} --help)")


def parse(
    parser: argparse.ArgumentParser,
    commands: Mapping[str, argparse.ArgumentParser],
    argv: Sequence[str],
) -> argparse.Namespace:
    """Parse ``argv``: a command and its flags.

    Raises:
        CommandError: the command or a flag is unknown, or a flag has a wrong value or is missing.
    """
    if argv and argv[0] in commands:
        # Before argparse misses a required flag that is there, but misspelled.
        known = [*commands[argv[0]]._option_string_actions]  # noqa: SLF001 - no public list
        for argument in argv[1:]:
            name = argument.split("=")[0]
            if name.startswith("--") and name not in known:
                raise CommandError(f"unknown flag {name}{nearest(name, known)}")
    elif argv and not argv[0].startswith("-"):
        hint = nearest(argv[0], commands) or f": it is one of {', '.join(commands)}"
        raise CommandError(f"unknown command {argv[0]!r}{hint}")
    args, unknown = parser.parse_known_args(argv)
    if unknown:
        raise CommandError(f"unexpected argument {unknown[0]!r}")
    return args


def add_settings(parser: argparse.ArgumentParser, settings: type) -> None:
    """Add a flag for each field of a dataclass of settings, with its default and help."""
    for field in dataclasses.fields(settings):
        options: dict[str, Any] = {"type": type(field.default), "metavar": "N"}
        if isinstance(field.default, bool):
            options = {"type": boolean, "nargs": "?", "const": True, "metavar": "true|false"}
        elif isinstance(field.default, tuple):
            options = {"type": words, "metavar": "A,B"}
        elif isinstance(field.default, str):
            options["metavar"] = "TEXT"
        shown = show(field.default).replace("%", "%%")
        parser.add_argument(
            f"--{field.name}",
            default=field.default,
            help=f"{field.metadata['help']} (default: {shown})",
            **options,
        )


def settings_of(args: argparse.Namespace, settings: type) -> Any:
    """Make the dataclass that `add_settings` was given from the parsed flags."""
    return settings(
        **{field.name: getattr(args, field.name) for field in dataclasses.fields(settings)}
    )


def boolean(text: str) -> bool:
    """The value of a flag that is true or false.

    >>> boolean("true"), boolean("0")
    (True, False)
    """
    try:
        return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
    except KeyError:
        raise argparse.ArgumentTypeError(f"expected true or false, found {text!r}") from None


def words(text: str) -> tuple[str, ...]:
    """A comma-separated list, in which quotes keep a comma.

    >>> words('<a>,"<b,c>"')
    ('<a>', '<b,c>')
    """
    return tuple(next(csv.reader([text]))) if text else ()


def inputs(text: str) -> list[str]:
    """File names, comma-separated unless the whole is the name of a file."""
    return [text] if Path(text).exists() else [name for name in text.split(",") if name]


def weights(text: str) -> dict[str, float]:
    """Weights by source.

    >>> weights("c4=0.15,github=0.045")
    {'c4': 0.15, 'github': 0.045}
    """
    parsed: dict[str, float] = {}
    for item in text.split(","):
        name, equals, number = item.partition("=")
        try:
            if not equals or name in parsed:
                raise ValueError  # noqa: TRY301 - one message for all
            parsed[name] = float(number)
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"expected source=weight, each source once, found {item!r}"
            ) from None
    return parsed


def show(value: object) -> str:
    """A setting as it is written on the command line.

    >>> show(True), show(()), show(0.99995), show(b"ab")
    ('true', '(none)', '0.99995', '2 bytes')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(value) or "(none)"
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    text = str(value)
    return text if text and text == text.strip() else repr(text)
