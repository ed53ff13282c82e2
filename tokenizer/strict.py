"""JSON into dataclasses, accepting nothing but what the dataclass declares."""

import dataclasses
import difflib
import json
import typing
from collections.abc import Iterable, Mapping
from typing import Any


def build(cls: Any, value: Any, where: str) -> Any:
    """Make ``cls`` from parsed JSON.

    ``cls`` is a dataclass, ``Mapping[str, T]``, ``tuple[T, ...]``, or ``str``, ``int``, ``float``
    or ``bool``; the fields of a dataclass are of these types again.

    Args:
        cls: what to make.
        value: what `json.loads` returned.
        where: names the place in errors.

    Raises:
        ValueError: an unknown, a missing or a mistyped key, and where it is.
    """
    origin, arguments = typing.get_origin(cls), typing.get_args(cls)
    if origin is tuple:
        items = _expect(list, value, where)
        return tuple(build(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(items))
    if origin is Mapping:
        members = _expect(dict, value, where).items()
        return {key: build(arguments[1], item, f"{where}: {key}") for key, item in members}
    if dataclasses.is_dataclass(cls):
        return _build_dataclass(cls, _expect(dict, value, where), where)
    if cls is float and type(value) is int:
        return float(value)
    return _expect(cls, value, where)


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for a mistyped name, to end a message with; empty if nothing is near.

    >>> nearest("vocab_sise", ["vocab_size", "seed"])
    ". Did you mean 'vocab_size'?"
    """
    near = difflib.get_close_matches(name, list(known), n=1)
    return f". Did you mean {near[0]!r}?" if near else ""


def _build_dataclass(cls: Any, members: dict[str, Any], where: str) -> Any:
    hints = typing.get_type_hints(cls)
    for key in members:
        if key not in hints:
            raise ValueError(f"{where}: unknown key {key!r}{nearest(key, hints)}")
    for key in hints:
        if key not in members:
            raise ValueError(f"{where}: key {key!r} is missing")
    return cls(**{key: build(hint, members[key], f"{where}: {key}") for key, hint in hints.items()})


def _expect(cls: Any, value: Any, where: str) -> Any:
    """Return ``value`` if it is of exactly this class: true is no number here."""
    if type(value) is not cls:
        shown = json.dumps(value, ensure_ascii=False)[:80]
        raise ValueError(f"{where}: expected {cls.__name__}, found {shown}")
    return value
