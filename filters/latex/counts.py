"""What the expansion of a paper counts, and the limits that it keeps."""

from collections import Counter
from dataclasses import dataclass, field


class LimitReached(Exception):  # noqa: N818 - it is a limit and no error
    """A guard of rule 4 fired; the message names it."""


@dataclass(slots=True)
class Counts:
    """What was done, for ``meta`` and the notes of a run."""

    definitions: int = 0
    expansions: int = 0
    inputs: int = 0
    missing_inputs: int = 0
    guards: Counter[str] = field(default_factory=Counter)
    left: Counter[tuple[str, str]] = field(default_factory=Counter)  # (name, why) -> calls
