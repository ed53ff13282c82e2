"""Check that a worker of a cluster is the launcher's twin: that its versions and models are equal.

The bytes of a run depend on the versions of the packages that write them, so a worker with another
pyarrow or another SentencePiece must not work on it. Each worker process once compares its versions
with those in the run's ``config.json``, and then lets the source check the rest, such as the hashes
of its models.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.engine.config import tell_differences, versions
from pipelines.engine.errors import MachineError
from pipelines.engine.runs import Run


@dataclass(frozen=True)
class TwinCheck:
    """Raises MachineError if this process has other versions or models than the launcher."""

    settings: Any
    facts: Mapping[str, Any]
    check_worker: Callable[[Any, Mapping[str, Any]], None]

    def __call__(self, run: Run) -> None:
        """Compare this process with the run's configuration."""
        there = run.read_json("config.json")["versions"]
        if told := tell_differences(there, versions()):
            raise MachineError(
                f"this worker has other versions than the launcher ({told}). Give all workers the "
                "launcher's image or environment, and run the same command again."
            )
        self.check_worker(self.settings, self.facts)
