"""The settings of a source: a frozen dataclass that is read strictly from flags or a recipe.

A field made by :func:`tokenizer.settings.setting` is a flag (``max_line_length`` is
``--max-line-length``) and a key of the source's table in a recipe.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.engine.errors import RunError
from pipelines.storage.files import is_local
from tokenizer.settings import flag_of
from tokenizer.settings import from_table as read_table


def values_of(settings: Any) -> dict[str, Any]:
    """Return the settings in a run's configuration as JSON values: all but the paths."""
    return {
        field.name: getattr(settings, field.name)
        for field in dataclasses.fields(settings)
        if not field.metadata["place"]
    }


def local_worker_paths(settings: Any) -> dict[str, str]:
    """Return the paths of this machine that workers open besides the inputs, the first per flag.

    A word that stands for a path, such as ``published``, names no file here and is left out.
    """
    found: dict[str, str] = {}
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name) if field.metadata["on_workers"] else ()
        paths = [value] if isinstance(value, str) else value
        if here := [path for path in paths if path and is_local(path) and _exists(path)]:
            found[flag_of(field.name)] = here[0]
    return found


def _exists(path: str) -> bool:
    """Return whether a local path exists, up to a part that is filled in later ({commit})."""
    return Path(path.partition("{")[0]).exists()


def from_table(settings: Any, table: Mapping[str, Any], where: str) -> Any:
    """Return the settings that a table of a recipe gives.

    Raises:
        RunError: a key is unknown or missing, or a value has another type or is out of range.
    """
    try:
        return read_table(settings, table, where)
    except ValueError as error:
        raise RunError(str(error)) from error
