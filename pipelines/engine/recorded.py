"""Read back, from the configuration of a run, the settings and the units that it was made with."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from pipelines.engine.runs import Run
from pipelines.engine.settings import from_table
from pipelines.engine.units import Unit


def settings_of_run(settings: type[Any], run: Run, **given: Any) -> Any:
    """Return the settings that a run was made with.

    Args:
        settings: the class of the settings of the run's source.
        run: a run directory, complete or not.
        given: settings that replace those of the run. Paths of models and lists are not in a
            configuration, which has their hashes instead, so they have to be given.

    Raises:
        RunError: the run has no configuration, or one of another version.
    """
    config: Mapping[str, Any] = run.read_json("config.json")["config"]
    table = {
        field.name: config[field.name]
        for field in dataclasses.fields(settings)
        if field.name in config and not field.metadata["place"]
    }
    if isinstance(config.get("input"), Mapping) and "input" in table:
        table["input"] = list(config["input"])  # the files as they were found
    table = {name: value for name, value in table.items() if value is not None}
    return dataclasses.replace(from_table(settings, table, run.at("config.json")), **given)


def units_of_run(run: Run) -> list[Unit]:
    """Return the units of a run that are committed, in the order of their names."""
    sidecars = run.read_sidecars(sorted(run.committed()))
    return sorted(
        (Unit.from_json(sidecar["unit"]) for _, sidecar in sidecars), key=lambda unit: unit.name
    )
