"""One way to read command lines, for the commands of every package.

A command is a function with annotations, which `cyclopts` reads: its keywords are flags, a
dataclass of settings gives a flag per field. Flags are spelled out and may be given as ``--name
value`` or ``--name=value``. Every mistake is one line on stderr that says what to do, and exit
code 1. A command's module is imported when the command is known, so that help is quick.
"""

import dataclasses
import gc
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import cyclopts
from cyclopts import (
    CycloptsError,
    MissingArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
    ValidationError,
)

from tokenizer.errors import UserError
from tokenizer.settings import flag_of, nearest, out_of_range

# Python looks for cycles that are garbage each time that 700 objects more were made than freed.
# Imports make a hundred times as many, and hardly any garbage: looking is a tenth of a start.
GARBAGE_THRESHOLD = 20_000
_NOTHING = (None, False, "", ())  # defaults that help does not show
# Words that the user types after a flag that takes a list belong to it: --input a b.
_CONVENTIONS: dict[str, Any] = {
    "consume_multiple": True,
    "negative_iterable": (),
    "negative_none": (),
    "show_env_var": False,
    "allow_repeating": True,  # the last one counts, so that scripts may append a flag
    "show_default": lambda value: value if value not in _NOTHING else None,
}


Command = tuple[str, str, str]  # name, and help and example as `add` takes them


def command_line(
    name: str,
    help: str,  # noqa: A002 - the word of command lines
    module: str = "",
    commands: Iterable[Command] = (),
    *,
    underscores: bool = False,
) -> cyclopts.App:
    """Return an application.

    Args:
        name: how the application is called, as in ``python -m tokenizer``.
        help: what it is for.
        module: the module that holds the functions of ``commands``.
        commands: the commands that the application has; `add` adds others.
        underscores: whether flags are written ``--vocab_size``, as SentencePiece's are.
    """
    spelling: dict[str, Any] = {"name_transform": str} if underscores else {}
    app = cyclopts.App(
        name=name,
        help=help,
        version=version,
        default_parameter=cyclopts.Parameter(**_CONVENTIONS, **spelling),
        help_format="plaintext",
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    app.register_install_completion_command(name="--install-completion")
    for command, text, example in commands:
        add(app, f"{module}:{command}", text, example)
    return app


def version() -> str:
    """Return what ``--version`` prints."""
    from importlib import metadata  # noqa: PLC0415 - it imports the e-mail of the standard library

    return f"corpusmill {metadata.version('corpusmill')}"


def add(app: cyclopts.App, place: str, help: str, example: str) -> None:  # noqa: A002 - as above
    """Add a command, which is imported when it is called.

    Args:
        app: the application.
        place: module and function, as in ``package.module:function``; the function's name is the
            command's.
        help: what the command does, as a sentence without capital and full stop.
        example: arguments with which the command can be called.
    """
    name = place.rpartition(":")[2]
    app.command(
        place,
        name=name,
        help=f"{help[0].upper()}{help[1:]}.",
        help_epilogue=f"Example: {app.name[0]} {name} {example}",
        default_parameter=app.default_parameter,
    )


def flags_of(settings: type, *, underscores: bool = False) -> Any:
    """Return the annotation of a keyword that is a dataclass of settings: a flag per field."""

    def check(_kind: Any, value: Any) -> None:
        for problem in out_of_range(value, lambda name: flag_of(name, underscores=underscores)):
            raise ValueError(problem)

    return Annotated[settings, cyclopts.Parameter(name="*", validator=check)]


def take_settings(command: Callable[..., Any], settings: type[Any]) -> None:
    """Let the keyword ``settings`` of a command, whose class is known only now, be flags."""
    command.__annotations__["settings"] = flags_of(settings)
    required = [f for f in dataclasses.fields(settings) if f.default is dataclasses.MISSING]
    if not required:  # cyclopts wants a default where no flag has to be given
        command.__kwdefaults__ = {**(command.__kwdefaults__ or {}), "settings": settings()}


def run(
    app: cyclopts.App,
    argv: Sequence[str] | None,
    *,
    hints: Mapping[str, str] | None = None,
    where: str = "",
) -> int:
    """Run the command that ``argv`` names, and return the exit code.

    Args:
        app: the application.
        argv: the words after the program's name; None for those that it was called with.
        hints: what to say after an unknown flag of these names.
        where: names the process in errors, where there are several.
    """
    gc.set_threshold(GARBAGE_THRESHOLD)
    words = [expanded(word) for word in (sys.argv[1:] if argv is None else argv)]
    if not words:
        words = ["--help"]
    try:
        code = app(words, exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except CycloptsError as error:
        print(f"error{where}: {explained(error, hints or {})}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except UserError as error:
        print(f"error{where}: {error}", file=sys.stderr)
        return 1
    return code if isinstance(code, int) else 0


def expanded(word: str) -> str:
    """Return a word with its user's folder in place of ``~``, as shells do where it is not quoted.

    >>> expanded("--run=~/runs") == f"--run={Path.home()}/runs"
    True
    """
    flag, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
    return flag + equals + (str(Path(value).expanduser()) if re.match(r"~(/|$)", value) else value)


def explained(error: CycloptsError, hints: Mapping[str, str]) -> str:
    """Return what is wrong with a command line, and what to do, in one line."""
    said = ""
    if isinstance(error, UnknownOptionError):
        names = [name for argument in error.argument_collection for name in argument.names]
        said = _unknown_flag(error.token.keyword or error.token.value, names, hints)
    elif isinstance(error, UnknownCommandError) and error.unused_tokens and error.app is not None:
        known = [name for name in error.app if not name.startswith("-")]
        hint = nearest(error.unused_tokens[0], known) or f": it is one of {', '.join(known)}"
        said = f"unknown command {error.unused_tokens[0]!r}{hint}"
    elif isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        said = f"unexpected word {error.unused_tokens[0]!r}. --help shows what is expected"
    elif isinstance(error, ValidationError) and error.exception_message.startswith("--"):
        said = error.exception_message  # of `flags_of`, which names the flag itself
    elif isinstance(error, MissingArgumentError) and error.argument is not None:
        said = _missing(error, error.argument, hints)
    return said or " ".join(str(error).split())


def _unknown_flag(word: str, known: Iterable[str], hints: Mapping[str, str]) -> str:
    flag = word.split("=", 1)[0]
    hint = hints.get(flag) or nearest(flag, {name for name in known if name.startswith("--")})
    return f"unknown flag {flag}{hint or '. --help lists the flags'}"


def _missing(
    error: MissingArgumentError, argument: cyclopts.Argument, hints: Mapping[str, str]
) -> str:
    """Say which flag or value is missing, or that it was there, but misspelled."""
    if error.keyword:
        return f"{error.keyword} needs a value"
    if unknown := [word for word in error.unused_tokens or () if word.startswith("--")]:
        known = error.app.assemble_argument_collection() if error.app is not None else [argument]
        return _unknown_flag(unknown[0], (name for other in known for name in other.names), hints)
    return f"{argument.name} is missing ({argument.parameter.help or 'see --help'})"
