"""What a run is going to do: its units, its passes, and the stages of its source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipelines.engine.units import Unit


@dataclass(frozen=True, slots=True)
class Pass:
    """One reading of units; a file ``folder/UNIT.json`` in the run directory marks each as done."""

    name: str  # as progress shows it
    folder: str
    units: Sequence[Unit]

    @property
    def size(self) -> int:
        """Bytes of input of all units."""
        return sum(unit.size for unit in self.units)


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is known before a run begins."""

    units: Sequence[Unit]
    unreadable: Mapping[str, str]  # inputs that cannot be opened, and why
    passes: Sequence[Pass]
    stages: Sequence[str]  # of the source, in order
    # What else decides the bytes of the run, such as the hashes of models: kept in its config.
    facts: Mapping[str, Any] = field(default_factory=dict)
