"""What a run took on this machine, from which ``python -m pipelines plan`` takes rates.

``timings.json`` holds it under ``took``, outside the manifest, since it differs from run to run.
"""

import resource
import time
from collections.abc import Sequence
from typing import Any

from pipelines.engine.runs import Run
from pipelines.engine.units import Unit
from pipelines.engine.workspace import CLAIMS, PIECES, VERDICTS, Workspace
from pipelines.storage import files as storage

STAGED = "staged"


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of those of its children that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


class Took:
    """The cost of one command, from when this object is made until :meth:`facts` is called.

    Args:
        run: the run directory; of a run that was begun before, the command does only the rest.
        workers: processes of this machine; 0 on a cluster, whose seconds are not known here.
    """

    def __init__(self, run: Run, workers: int) -> None:
        self._run = run
        self._workers = workers
        self._whole = workers > 0 and not storage.exists(run.at("config.json"))
        self._cpu, self._wall = cpu_seconds(), time.monotonic()

    def facts(self, workspace: Workspace, units: Sequence[Unit]) -> dict[str, Any]:
        """Return seconds, bytes read, and bytes that lay between the steps; call before they go.

        ``whole`` tells whether this one command did the whole run on this machine. Of other runs
        the seconds are no measure.
        """
        places = {
            CLAIMS: workspace.at(CLAIMS),
            VERDICTS: workspace.at(VERDICTS),
            PIECES: workspace.at(PIECES),
            STAGED: self._run.at(STAGED),
        }
        return {
            "whole": self._whole,
            "workers": self._workers,
            "cpu_seconds": round(cpu_seconds() - self._cpu, 3),
            "wall_seconds": round(time.monotonic() - self._wall, 3),
            "input_bytes": sum(part.size for unit in units for part in unit.parts),
            "units": len(units),
            "between_bytes": {
                name: sum(file.size for file in storage.list_tree(place))
                for name, place in places.items()
            },
        }


class Laps:
    """The seconds of the parts of a command, one after the other.

    Args:
        workers: processes of this machine that each part may use.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._cpu, self._wall = cpu_seconds(), time.monotonic()
        self._laps: dict[str, dict[str, float]] = {}

    def end(self, name: str) -> None:
        """Note that a part has ended; the next one begins."""
        cpu, wall = cpu_seconds(), time.monotonic()
        seconds = {"cpu_seconds": cpu - self._cpu, "wall_seconds": wall - self._wall}
        self._laps[name] = {kind: round(value, 3) for kind, value in seconds.items()}
        self._cpu, self._wall = cpu, wall

    def facts(self) -> dict[str, Any]:
        """Return the number of workers, and the seconds by part."""
        return {"workers": self._workers, "parts": self._laps}
