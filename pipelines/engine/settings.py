"""The settings of a source: a frozen dataclass that is read strictly from flags or a recipe.

A field made by :func:`tokenizer.settings.setting` is a flag (``max_line_length`` is
``--max-line-length``) and a key of the source's table in a recipe.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from pipelines.engine.errors import RunError
from tokenizer.settings import from_table as read_table
from tokenizer.settings import setting

__all__ = ["from_table", "setting", "values_of"]


def values_of(settings: Any) -> dict[str, Any]:
    """Return the settings in a run's configuration as JSON values: all but the paths."""
    return {
        field.name: getattr(settings, field.name)
        for field in dataclasses.fields(settings)
        if not field.metadata["place"]
    }


def from_table(settings: Any, table: Mapping[str, Any], where: str) -> Any:
    """Return the settings that a table of a recipe gives.

    Raises:
        RunError: a key is unknown or missing, or a value has another type or is out of range.
    """
    try:
        return read_table(settings, table, where)
    except ValueError as error:
        raise RunError(str(error)) from error
