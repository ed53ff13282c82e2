"""Settings and manifests: dataclasses that accept nothing but what they declare.

Flags, TOML tables and JSON files of every package are read into dataclasses by the functions here,
so that a wrong key, type or number is told in the same way everywhere: in one line that names the
place, and the nearest name where one is near. ``cattrs`` and ``msgspec`` were tried: both refuse
unknown keys, but neither names the nearest key or checks ranges that the fields declare.
"""

import dataclasses
import difflib
import json
import tomllib
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizer.errors import UserError


class SettingsError(UserError, ValueError):
    """Settings that are not what was declared; the message names the place."""


def setting(
    default: Any = dataclasses.MISSING,
    *,
    help: str,  # noqa: A002 - the word of command lines
    at_least: float | None = None,
    at_most: float | None = None,
    choices: Sequence[str] | None = None,
    place: bool = False,
    on_workers: bool = False,
) -> Any:
    """Declare a field of a dataclass of settings; one without a default must be given.

    Args:
        default: default value of the field.
        help: one line for ``--help``, with the unit.
        at_least: the smallest number that is accepted.
        at_most: the largest number that is accepted.
        choices: the words that are accepted, where a `Literal` cannot list them.
        place: whether the field is only a path, of which a run's configuration holds the content
            (such as the hash of a model). A run can be resumed after such a path has changed.
        on_workers: whether the field names files that workers open, besides the inputs.
    """
    limits = {"at_least": at_least, "at_most": at_most, "choices": choices}
    more = {"help": help, "place": place, "on_workers": on_workers}
    return dataclasses.field(default=default, metadata={**more, **limits})


def flag_of(name: str, *, underscores: bool = False) -> str:
    """Return the flag of a field; those of SentencePiece keep their underscores.

    >>> flag_of("max_line_length")
    '--max-line-length'
    """
    return "--" + (name if underscores else name.replace("_", "-"))


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        SettingsError: the file cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:  # of TOML, or of UTF-8
        raise SettingsError(f"{path}: not TOML: {error}") from error


def build(cls: Any, value: Any, where: str) -> Any:
    """Make ``cls`` from parsed JSON or TOML.

    Args:
        cls: what to make: a dataclass whose fields are of the types below, or ``Mapping[str, T]``,
            ``tuple[T, ...]``, ``Literal``, ``T | None``, ``str``, ``int``, ``float`` or ``bool``.
        value: what `json.loads` or `tomllib.loads` returned.
        where: the place of ``value``, for messages.

    Raises:
        SettingsError: a key is unknown or missing, or a value has another type or is out of range.
    """
    origin, arguments = typing.get_origin(cls), typing.get_args(cls)
    if origin is tuple:
        items = _expect(list, value, where)
        return tuple(build(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(items))
    if origin is Mapping:
        members = _expect(dict, value, where).items()
        return {key: build(arguments[1], item, f"{where}: {key}") for key, item in members}
    if origin is typing.Literal:
        return _one_of(arguments, value, where)
    if origin in (typing.Union, types.UnionType):
        some = next(part for part in arguments if part is not type(None))
        return None if value is None else build(some, value, where)
    if dataclasses.is_dataclass(cls):
        return _build_dataclass(cls, _expect(dict, value, where), where)
    return _expect(cls, float(value) if cls is float and type(value) is int else value, where)


def from_table(cls: Any, table: Mapping[str, Any], where: str) -> Any:
    """Make settings from a table that a person wrote, in which one word may stand for a list.

    Raises:
        SettingsError: as `build`.
    """
    hints = typing.get_type_hints(cls)
    lists = {name for name, hint in hints.items() if typing.get_origin(hint) is tuple}
    full = {
        key: [value] if key in lists and not isinstance(value, list) else value
        for key, value in table.items()
    }
    return build(cls, full, where)


def out_of_range(settings: Any, name_of: Callable[[str], str]) -> Iterator[str]:
    """Say which numbers and words of a dataclass its fields do not accept.

    Args:
        settings: an instance of a dataclass whose fields were declared by `setting`.
        name_of: gives a field the name that the user knows, such as its flag.

    Yields:
        one line per value.
    """
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        name, limits = name_of(field.name), field.metadata
        if choices := limits.get("choices"):
            for word in value if isinstance(value, tuple) else (value,):
                if word not in choices:
                    hint = nearest(word, choices) or f": it is one of {', '.join(choices)}"
                    yield f"{name} {word}: not known{hint}"
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        least, most = limits.get("at_least"), limits.get("at_most")
        if not (least is None or value >= least) or not (most is None or value <= most):
            wanted = f"from {least}" if least is not None else ""
            wanted += f"{' to' if wanted else 'up to'} {most}" if most is not None else " on"
            yield f"{name} {value}: give a number {wanted}"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint for a mistyped name, to end a message with; empty if nothing is near.

    A name that begins with what was typed is the nearest.

    >>> nearest("vocab_sise", ["vocab_size", "seed"])
    ". Did you mean 'vocab_size'?"
    >>> nearest("vocab", ["vocab_size", "seed"])
    ". Did you mean 'vocab_size'?"
    """
    names = sorted(known)
    near = [other for other in names if other.casefold() == name.casefold()]
    near = near or [other for other in names if len(name) > 2 and other.startswith(name)]
    near = near or difflib.get_close_matches(name, names, n=1)
    return f". Did you mean {near[0]!r}?" if near else ""


def _one_of(choices: Sequence[Any], value: Any, where: str) -> Any:
    if value not in choices:
        raise SettingsError(f"{where}: {value!r} is none of {', '.join(map(repr, choices))}")
    return value


def _build_dataclass(cls: Any, members: dict[str, Any], where: str) -> Any:
    hints = typing.get_type_hints(cls)
    for key in members:
        if key not in hints:
            raise SettingsError(f"{where}: unknown key {key!r}{nearest(key, hints)}")
    for field in dataclasses.fields(cls):
        missing = field.default is dataclasses.MISSING
        missing = missing and field.default_factory is dataclasses.MISSING
        if missing and field.name not in members:
            meaning = f" ({field.metadata['help']})" if "help" in field.metadata else ""
            raise SettingsError(f"{where}: key {field.name!r} is missing{meaning}")
    made = cls(**{key: build(hints[key], item, f"{where}: {key}") for key, item in members.items()})
    for problem in out_of_range(made, lambda name: f"{where}: {name} ="):
        raise SettingsError(problem)
    return made


def _expect(cls: Any, value: Any, where: str) -> Any:
    """Return ``value`` if it is of exactly this class: true is no number here."""
    if type(value) is not cls:
        shown = json.dumps(value, ensure_ascii=False, default=str)[:80]
        raise SettingsError(f"{where}: expected {cls.__name__}, found {shown}")
    return value
