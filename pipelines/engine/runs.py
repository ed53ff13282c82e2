"""The run directory: one per run of a source, on any filesystem (docs/architecture.md).

::

    LOCK             who works here, while somebody does (``lock.py``)
    config.json      what the run was asked to do, versions, hashes of models
    documents/       one Parquet file per unit
    rejects/         one Parquet file per unit
    units/           one sidecar per unit, written last: its presence commits the unit
    staged/          documents that wait for a later decision; gone when the run is complete
    claims/, verdicts/, attempts/   what lies between steps (``workspace.py``); gone likewise
    stats.json       the conservation table, and what stages counted besides
    manifest.json    documents, bytes and SHA-256 of every file
    timings.json     seconds a stage; differs from run to run
    COMPLETED        SHA-256 of manifest.json, written last of all
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pipelines.engine.config import tell_differences, to_bytes, versions
from pipelines.engine.errors import RunError
from pipelines.engine.manifest import (
    FORMAT_VERSION,
    Manifest,
    RunFile,
    differences,
    listing,
    told,
    write_manifest,
)
from pipelines.readers.rows import UnreadableFile
from pipelines.storage import files as storage

LOCK = "LOCK"


@dataclass(frozen=True)
class Run:
    """A run directory. Small and picklable: workers get it as it is.

    A relative path is made absolute, since workers have other current folders.
    """

    path: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", storage.absolute(self.path))

    def at(self, *parts: str) -> str:
        """Return the path of a file in the run directory."""
        return storage.join(self.path, *parts)

    def __reduce__(self) -> tuple[type["Run"], tuple[str]]:
        """Travel to workers as the path alone, without what was read of the run."""
        return Run, (self.path,)

    def read_json(self, *parts: str) -> Any:
        """Read a JSON file of the run directory.

        Raises:
            RunError: it is not there, or is not what was written.
        """
        path = self.at(*parts)
        try:
            return json.loads(storage.read_bytes(path))
        except (UnreadableFile, ValueError) as error:
            raise RunError(f"cannot read a file of the run directory: {path}: {error}") from error

    def write_json(self, value: Any, *parts: str) -> None:
        """Write a JSON file of the run directory, whole or not at all."""
        storage.write_bytes(self.at(*parts), to_bytes(value))

    @property
    def completed(self) -> bool:
        """Whether everything is written."""
        return storage.exists(self.at("COMPLETED"))

    def start(self, config: Mapping[str, Any]) -> bool:
        """Make the run directory, or take up the one that is there.

        Call it inside ``with RunLock(run)``: it removes what an interrupted attempt left behind.

        Returns:
            whether the run is complete already.

        Raises:
            RunError: the directory holds something else, or a run of another configuration.
        """
        document = {"format": FORMAT_VERSION, "config": dict(config), "versions": versions()}
        content = to_bytes(document)
        path = self.at("config.json")
        if not storage.exists(path):
            if storage.holds_other_than(self.path, LOCK, "config.json"):
                raise RunError(
                    f"{self.path} is not empty and not a run directory (it has no config.json). "
                    "Name a new directory with --run."
                )
            storage.make_directory(self.path)
            storage.create(path, content)  # another launcher may be faster: compared below
        if different := tell_differences(self.read_json("config.json"), json.loads(content)):
            raise RunError(
                f"{self.path} holds a run of another configuration ({different}). Give the same "
                "options to resume it, or name a new directory with --run."
            )
        completed = self.completed
        if not completed:
            storage.sweep(self.path)
        return completed

    def names(self, *folder: str, suffix: str = ".json") -> set[str]:
        """Return the names of the units that have a file in a folder, by one listing."""
        return {
            name.removesuffix(suffix)
            for name in storage.list_names(self.at(*folder))
            if name.endswith(suffix) and not name.startswith(storage.TEMPORARY)
        }

    def committed(self) -> set[str]:
        """Return the units whose sidecar is there."""
        return self.names("units")

    def read_sidecars(self, names: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield (unit name, sidecar) as they come: in parallel from a store, in no order.

        Raises:
            RunError: a sidecar is not there, or is not what was written.
        """
        paths = {self.at("units", f"{name}.json"): name for name in names}
        try:
            for path, content in storage.read_many(paths):
                yield paths[path], json.loads(content)
        except (UnreadableFile, ValueError) as error:
            raise RunError(f"cannot read a sidecar of {self.path}: {error}") from error

    def sidecars(self) -> dict[str, dict[str, Any]]:
        """Return the sidecar of every committed unit, by name, sorted: for runs of few units."""
        return dict(sorted(self.read_sidecars(sorted(self.committed()))))

    def seal(self, manifest: Manifest) -> None:
        """Write the manifest, and ``COMPLETED``, which vouches for it."""
        with storage.writing(self.at("manifest.json")) as stream:
            digest = write_manifest(stream, manifest)
        storage.write_bytes(self.at("COMPLETED"), f"{digest}\n".encode())

    def stats(self) -> dict[str, Any]:
        """Return the conservation table."""
        return dict(self.read_json("stats.json"))

    @cached_property
    def manifest(self) -> Manifest:
        """What the complete run is made of.

        Raises:
            RunError: it is not the manifest that ``COMPLETED`` vouches for.
        """
        try:
            content = storage.read_bytes(self.at("manifest.json"))
            vouched = storage.read_bytes(self.at("COMPLETED")).decode("ascii", "replace").strip()
            if hashlib.sha256(content).hexdigest() != vouched:
                raise RunError(
                    f"{self.path}: manifest.json is not the one that COMPLETED vouches for. "
                    "Take the run from where it was made, or make it anew."
                )
            return Manifest.from_json(content)
        except (UnreadableFile, ValueError) as error:
            raise RunError(f"cannot read the manifest of {self.path}: {error}") from error

    def documents(self) -> list[RunFile]:
        """Return the files of a complete run's documents, by its manifest: the way to read a run.

        Raises:
            RunError: a file is gone, has another size, or is none of the run's; it is named.
        """
        return self._files("documents")

    def rejects(self) -> list[RunFile]:
        """Return the files of a complete run's rejects, as :meth:`documents` does."""
        return self._files("rejects")

    def _files(self, folder: str) -> list[RunFile]:
        files = [file for file in self.manifest.files if file.path.startswith(f"{folder}/")]
        if problems := differences(files, listing(self.path, [folder])):
            raise RunError(
                f"{self.path} does not hold what its manifest says: {told(problems)}. Take the run "
                "from where it was made, or make it anew."
            )
        return files

    @cached_property
    def source(self) -> str:
        """Name of the source that the run curates."""
        return str(self.read_json("config.json")["config"]["source"])


def open_completed(path: str) -> Run:
    """Return a complete run for reading, its manifest checked, and its files by their sizes.

    Raises:
        RunError: there is no run, it is not complete, or it is damaged; the message says what to
            do.
    """
    run = Run(path)
    if run.completed:
        run.documents()
        return run
    if not storage.exists(run.at("config.json")):
        raise RunError(f"{path} is not a run directory: it has no config.json.")
    command = run.read_json("config.json")["config"]
    raise RunError(
        f"{path} is not complete. Finish it first: run the command that began it again "
        f"(`python -m pipelines {command['source']} --input ... --run {path}`); it resumes."
    )
