"""The plan of a run: its inputs, its units, and its steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipelines.engine.steps import Step
from pipelines.engine.units import Unit


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a source found at the paths that it was given."""

    units: Sequence[Unit]
    unreadable: Mapping[str, str] = field(default_factory=dict)  # path -> why it cannot be read
    # What else decides the bytes of the run, such as the hashes of models. The config holds it.
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is known of a run before it begins."""

    units: Sequence[Unit]
    unreadable: Mapping[str, str]
    steps: Sequence[Step]
    stages: Sequence[str]  # names of the source's stages, in order
    facts: Mapping[str, Any] = field(default_factory=dict)
