"""The settings of a source: a frozen dataclass that is read strictly from flags or a recipe.

A field made by :func:`setting` is a flag (``max_line_length`` is ``--max-line-length``) and a key
of the source's table in a recipe. Unknown keys and values of another type are errors; the message
names the nearest key.
"""

import argparse
import dataclasses
import types
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pipelines.engine.errors import RunError
from tokenizer.strict import nearest

Settings = TypeVar("Settings")


def setting(
    default: Any = dataclasses.MISSING,
    *,
    help: str,  # noqa: A002 - argparse's word
    place: bool = False,
) -> Any:
    """Declare a field of a settings class; one without a default must be given.

    Args:
        default: default value of the field.
        help: one line for ``--help``.
        place: whether the field is only a path, of which the run's configuration holds the content
            (such as the hash of a model). A run can be resumed after such a path has changed.
    """
    return dataclasses.field(default=default, metadata={"help": help, "place": place})


def values_of(settings: Any) -> dict[str, Any]:
    """Return the settings in a run's configuration as JSON values: all but the paths."""
    return {
        field.name: getattr(settings, field.name)
        for field in dataclasses.fields(settings)
        if not field.metadata["place"]
    }


def add_flags(parser: argparse.ArgumentParser, settings: type[Any]) -> None:
    """Add a flag for every field of a settings class."""
    hints = get_type_hints(settings)
    for field in dataclasses.fields(settings):
        kind = hints[field.name]
        flag = "--" + field.name.replace("_", "-")
        required = field.default is dataclasses.MISSING
        options: dict[str, Any] = {
            "help": field.metadata["help"].replace("%", "%%"),  # argparse expands it
            "required": required,
        }
        if not required:
            options["default"] = field.default
            shown = field.default
            shown = " ".join(shown) if isinstance(shown, tuple) else shown
            if shown not in (None, False, ""):
                options["help"] += f" (default: {shown})".replace("%", "%%")
        if kind is bool:
            options |= {"action": argparse.BooleanOptionalAction}
        elif get_origin(kind) is Literal:
            options |= {"choices": get_args(kind)}
        elif get_origin(kind) is tuple:
            options |= {"nargs": "+", "type": get_args(kind)[0]}
        else:
            options |= {"type": _plain(kind)}
        parser.add_argument(flag, **options)


def _plain(kind: Any) -> Any:
    if get_origin(kind) in (Union, types.UnionType):
        return next(part for part in get_args(kind) if part is not type(None))
    return kind


def from_flags(settings: type[Settings], arguments: argparse.Namespace) -> Settings:
    """Return the settings that the parsed flags give."""
    names = [field.name for field in dataclasses.fields(settings)]  # type: ignore[arg-type] # a dataclass
    values = {name: getattr(arguments, name) for name in names}
    return settings(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def from_table(settings: type[Settings], table: Mapping[str, Any], where: str) -> Settings:
    """Return the settings that a table of a recipe gives.

    Raises:
        RunError: a key is unknown or missing, or a value has another type.
    """
    hints = get_type_hints(settings)
    fields = {field.name: field for field in dataclasses.fields(settings)}  # type: ignore[arg-type] # a dataclass
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in fields:
            raise RunError(f"{where}: unknown key '{key}'{nearest(key, fields)}")
        values[key] = _typed(value, hints[key], f"{where}.{key}")
    for name, field in fields.items():
        if name not in values and field.default is dataclasses.MISSING:
            raise RunError(f"{where}: '{name}' is missing ({field.metadata['help']})")
    return settings(**values)


def _typed(value: Any, kind: Any, where: str) -> Any:
    origin = get_origin(kind)
    if origin is Literal:
        if value in get_args(kind):
            return value
        raise RunError(f"{where}: {value!r} is none of {', '.join(map(repr, get_args(kind)))}")
    if origin is tuple:
        part = get_args(kind)[0]
        items = value if isinstance(value, list) else [value]
        return tuple(_typed(item, part, where) for item in items)
    plain = _plain(kind)
    if plain is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, plain) and not (plain is not bool and isinstance(value, bool)):
        return value
    raise RunError(f"{where}: {value!r} is not of type {plain.__name__}")
