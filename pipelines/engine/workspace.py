"""The workspace holds what steps of a run leave for later steps: claims and verdicts.

::

    claims/TOPIC/UNIT.claims      what a unit claims; also the marker that it is through that pass
    verdicts/TOPIC/GROUP.verdicts what one group of claims decided, for each unit (one machine only)
    attempts/UNIT.json            how often a unit took its worker with it
    pieces/UNIT.zst               what a unit reads of an archive that does not split

The workspace is in the run directory if that is local or if a cluster works on it, and is removed
when the run is complete. One machine that writes to an object store keeps it on its own disk
instead, since it reads the files in small pieces.
"""

import hashlib
import json
import os
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from pipelines.engine.claim_files import write_claims
from pipelines.engine.runs import Run
from pipelines.storage import files as storage
from pipelines.storage.temporary import machine_folder

CLAIMS, VERDICTS, ATTEMPTS, PIECES = "claims", "verdicts", "attempts", "pieces"
CLAIMS_SUFFIX = ".claims"
_VERDICTS_SUFFIX = ".verdicts"
_COUNT = struct.Struct("<Q")


@dataclass(frozen=True)
class Workspace:
    """A run directory, and the folder of its claims and verdicts. It is small and picklable."""

    run: Run
    folder: str

    @classmethod
    def beside(cls, run: Run) -> Self:
        """Return the workspace of one machine, in the run directory or on the local disk."""
        if storage.is_local(run.path):
            return cls(run, run.path)
        digest = hashlib.sha256(run.path.encode()).hexdigest()[:16]
        root = os.environ.get("CORPUSMILL_SCRATCH") or machine_folder()
        return cls(run, str(Path(root) / f"corpusmill-{digest}"))

    @classmethod
    def within(cls, run: Run) -> Self:
        """Return the workspace of a cluster, in the run directory, which all workers can read."""
        return cls(run, run.path)

    def at(self, *parts: str) -> str:
        """Return the path of a file or folder of the workspace."""
        return storage.join(self.folder, *parts)

    def names(self, *folder: str, suffix: str) -> set[str]:
        """Return the names, without suffix, of the files in a folder."""
        return {
            name.removesuffix(suffix)
            for name in storage.list_names(self.at(*folder))
            if name.endswith(suffix) and not name.startswith(storage.TEMPORARY)
        }

    def claims_path(self, topic: str, unit: str) -> str:
        """Return the path of the claims file of a unit."""
        return self.at(CLAIMS, topic, unit + CLAIMS_SUFFIX)

    def claimed(self, topic: str) -> set[str]:
        """Return the names of the units whose claims are written."""
        return self.names(CLAIMS, topic, suffix=CLAIMS_SUFFIX)

    def write_no_claims(self, topic: str, unit: str) -> None:
        """Write an empty claims file, which marks that the unit claims nothing."""
        write_claims(self.claims_path(topic, unit), unit, "", ())

    def write_verdicts(
        self, topic: str, group: int, units: Sequence[str], verdicts: Iterable[tuple[str, bytes]]
    ) -> None:
        """Write the verdicts of one group of claims.

        Args:
            topic: name of the decision.
            group: number of the group.
            units: names of all units that may read the verdicts, in a fixed order.
            verdicts: pairs of unit name and message; a unit may get several messages.
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
        """Return the numbers of the groups whose verdicts are written."""
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
        """Return how many workers each unit has killed, for the units that killed any."""
        names = self.names(ATTEMPTS, suffix=".json")
        return {name: len(self._deaths(name)) for name in sorted(names)}

    def _deaths(self, unit: str) -> list[str]:
        try:
            return list(json.loads(storage.read_bytes(self.at(ATTEMPTS, f"{unit}.json"))))
        except storage.MissingFile:
            return []

    def blame(self, unit: str, how: str) -> list[str]:
        """Note that a unit killed its worker; return how each died that it has killed."""
        deaths = [*self._deaths(unit), how]
        storage.write_bytes(self.at(ATTEMPTS, f"{unit}.json"), json.dumps(deaths).encode())
        return deaths

    def forgive(self, unit: str) -> None:
        """Forget the deaths of a unit's workers, since it has now been finished."""
        storage.remove_file(self.at(ATTEMPTS, f"{unit}.json"))

    def why_set_aside(self, unit: str) -> str:
        """Return why a unit that has killed too many workers is set aside."""
        deaths = self._deaths(unit)
        return f"it killed its worker {len(deaths)} times ({', '.join(deaths)})"

    def clear(self) -> None:
        """Remove all that lies between the steps."""
        storage.remove([self.at(name) for name in (CLAIMS, VERDICTS, ATTEMPTS, PIECES)])
        if self.folder != self.run.path:
            storage.remove([self.folder])


def clear(run: Run) -> None:
    """Remove all that lies between the steps of a run, wherever its launchers have put it."""
    Workspace.within(run).clear()
    if not storage.is_local(run.path):
        Workspace.beside(run).clear()


Groups = Mapping[int, range]  # scope -> the numbers of its groups
