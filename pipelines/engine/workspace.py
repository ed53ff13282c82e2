"""Where the steps of a run leave what later steps need: claims and verdicts.

::

    claims/TOPIC/UNIT.claims      what a unit claims; also the marker that it is through that pass
    verdicts/TOPIC/GROUP.verdicts what one group of claims decided, for each unit (one machine only)
    attempts/UNIT.json            how often a unit took its worker with it

They lie in the run directory where that is local or a cluster works on it, and go when the run is
complete. One machine that writes to an object store keeps them on its own disk instead, since it
reads them in small pieces.
"""

import hashlib
import json
import os
import struct
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from pipelines.engine.claim_files import write_claims
from pipelines.engine.runs import Run
from pipelines.storage import files as storage

CLAIMS, VERDICTS, ATTEMPTS = "claims", "verdicts", "attempts"
CLAIMS_SUFFIX = ".claims"
_VERDICTS_SUFFIX = ".verdicts"
_COUNT = struct.Struct("<Q")


@dataclass(frozen=True)
class Workspace:
    """A run directory, and the folder of what lies between its steps. Small and picklable."""

    run: Run
    folder: str

    @classmethod
    def beside(cls, run: Run) -> Self:
        """Return the workspace of one machine: in the run directory, or on the local disk."""
        if storage.is_local(run.path):
            return cls(run, run.path)
        digest = hashlib.sha256(run.path.encode()).hexdigest()[:16]
        root = os.environ.get("CORPUSMILL_SCRATCH") or tempfile.gettempdir()
        return cls(run, str(Path(root) / f"corpusmill-{digest}"))

    @classmethod
    def within(cls, run: Run) -> Self:
        """Return the workspace of a cluster: in the run directory, where all workers see it."""
        return cls(run, run.path)

    def at(self, *parts: str) -> str:
        """Return the path of a file or folder of the workspace."""
        return storage.join(self.folder, *parts)

    def names(self, *folder: str, suffix: str) -> set[str]:
        """Return the names, without suffix, of the files that a folder holds."""
        return {
            name.removesuffix(suffix)
            for name in storage.list_names(self.at(*folder))
            if name.endswith(suffix) and not name.startswith(storage.TEMPORARY)
        }

    def claims_path(self, topic: str, unit: str) -> str:
        """Return the path of the claims of a unit."""
        return self.at(CLAIMS, topic, unit + CLAIMS_SUFFIX)

    def claimed(self, topic: str) -> set[str]:
        """Return the names of the units whose claims are there."""
        return self.names(CLAIMS, topic, suffix=CLAIMS_SUFFIX)

    def write_no_claims(self, topic: str, unit: str) -> None:
        """Leave the marker of a unit that claims nothing."""
        write_claims(self.claims_path(topic, unit), unit, "", ())

    def write_verdicts(
        self, topic: str, group: int, units: Sequence[str], verdicts: Iterable[tuple[str, bytes]]
    ) -> None:
        """Write the verdicts of one group of claims.

        Args:
            topic: of the decision.
            group: its number.
            units: names of all units that may ask for them, in a fixed order.
            verdicts: (unit, message); several messages to one unit follow each other.
        """
        found: dict[str, list[bytes]] = {}
        for unit, message in verdicts:
            found.setdefault(unit, []).append(_COUNT.pack(len(message)) + message)
        bodies = [b"".join(found.get(unit, ())) for unit in units]
        offsets = np.cumsum([0, *map(len, bodies)]).astype("<u8")
        with storage.writing(self._verdicts_path(topic, group), durable=False) as stream:
            stream.write(_COUNT.pack(len(units)) + offsets.tobytes())
            stream.writelines(bodies)

    def decided(self, topic: str) -> set[int]:
        """Return the numbers of the groups whose verdicts are there."""
        return {int(name) for name in self.names(VERDICTS, topic, suffix=_VERDICTS_SUFFIX)}

    def verdicts_of(self, topic: str, groups: Iterable[int], number: int) -> list[bytes]:
        """Return the messages of some groups to one unit, by its number among the units."""
        messages: list[bytes] = []
        for group in groups:
            with open(self._verdicts_path(topic, group), "rb") as stream:  # noqa: PTH123 - a string
                (units,) = _COUNT.unpack(stream.read(_COUNT.size))
                stream.seek(_COUNT.size * (1 + number))
                start, end = struct.unpack("<QQ", stream.read(2 * _COUNT.size))
                stream.seek(_COUNT.size * (2 + units) + start)
                body = stream.read(end - start)
            at = 0
            while at < len(body):
                (size,) = _COUNT.unpack_from(body, at)
                at += _COUNT.size
                messages.append(body[at : at + size])
                at += size
        return messages

    def _verdicts_path(self, topic: str, group: int) -> str:
        return self.at(VERDICTS, topic, f"{group:08d}{_VERDICTS_SUFFIX}")

    def attempts(self) -> dict[str, int]:
        """Return how often each unit took its worker with it, for those that did."""
        names = self.names(ATTEMPTS, suffix=".json")
        return {name: len(self._deaths(name)) for name in sorted(names)}

    def _deaths(self, unit: str) -> list[str]:
        path = self.at(ATTEMPTS, f"{unit}.json")
        return list(json.loads(storage.read_bytes(path))) if storage.exists(path) else []

    def blame(self, unit: str, how: str) -> int:
        """Note that a unit took its worker with it; return how often it has."""
        deaths = [*self._deaths(unit), how]
        storage.write_bytes(self.at(ATTEMPTS, f"{unit}.json"), json.dumps(deaths).encode())
        return len(deaths)

    def forgive(self, unit: str) -> None:
        """Forget the deaths of a unit that came to its end."""
        storage.remove([self.at(ATTEMPTS, f"{unit}.json")])

    def why_set_aside(self, unit: str) -> str:
        """Return what is said of a unit that has killed its worker too often."""
        deaths = self._deaths(unit)
        return f"it killed its worker {len(deaths)} times ({', '.join(deaths)})"

    def clear(self) -> None:
        """Remove all that lies between the steps."""
        storage.remove([self.at(name) for name in (CLAIMS, VERDICTS, ATTEMPTS)])
        if self.folder != self.run.path:
            storage.remove([self.folder])


Groups = Mapping[int, range]  # scope -> the numbers of its groups
