"""The run directory, of which each run of a source has one (docs/architecture.md, docs/storage.md).

::

    LOCK             names the launcher that works here, while it does (``lock.py``)
    config.json      settings, inputs, versions, hashes of models
    documents/       one Parquet file per unit
    rejects/         one Parquet file per unit, and a second one of what a later decision rejects
    units/           one sidecar per unit, written last: its presence commits the unit
    staged/          documents that wait for a later decision; gone when the run is complete
    claims/, verdicts/, attempts/, pieces/
                     what lies between steps (``workspace.py``); gone likewise
    stats.json       the conservation table, and what stages counted besides
    manifest.json    documents, bytes and SHA-256 of every file
    README.md        dataset card (``card.py``)
    timings.json     seconds per stage; differs from run to run
    log.txt          what every launch had to say (``runlog.py``)
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

SETTLED = ".settled.parquet"  # ends the names of files of rejects by a later decision


def unit_of(path: str) -> str:
    """Return the name of the unit that wrote a file of documents or rejects.

    >>> unit_of("rejects/00003-a.parquet"), unit_of("rejects/00003-a.settled.parquet")
    ('00003-a', '00003-a')
    """
    return storage.basename(path).removesuffix(SETTLED).removesuffix(".parquet")


LOCK = "LOCK"


@dataclass(frozen=True)
class Run:
    """A run directory. It is small and picklable, so it can be sent to workers.

    A relative path is made absolute, since workers have other current folders.
    """

    path: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", storage.absolute(self.path))

    def at(self, *parts: str) -> str:
        """Return the path of a file in the run directory."""
        return storage.join(self.path, *parts)

    def __reduce__(self) -> tuple[type["Run"], tuple[str]]:
        """Pickle the path alone, without what was read of the run."""
        return Run, (self.path,)

    def read_json(self, *parts: str) -> Any:
        """Read a JSON file of the run directory.

        Raises:
            RunError: the file is missing or damaged.
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
        """Whether the run is complete."""
        return storage.exists(self.at("COMPLETED"))

    def start(self, config: Mapping[str, Any]) -> bool:
        """Create the run directory, or resume the run that it holds.

        Call this inside ``with RunLock(run)``: it removes what an interrupted attempt left behind.

        Returns:
            whether the run is complete already.

        Raises:
            RunError: the directory holds something else, or a run with another configuration.
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
            storage.create(path, content)  # another launcher may be faster, so it is compared below
        if different := tell_differences(self.read_json("config.json"), json.loads(content)):
            raise RunError(
                f"{self.path} holds a run with another configuration ({different}). Give the same "
                "options to resume it, or name a new directory with --run."
            )
        completed = self.completed
        if not completed:
            storage.sweep(self.path)
        return completed

    def names(self, *folder: str, suffix: str = ".json") -> set[str]:
        """List a folder, and return the names of the units that have a file in it."""
        return {
            name.removesuffix(suffix)
            for name in storage.list_names(self.at(*folder))
            if name.endswith(suffix) and not name.startswith(storage.TEMPORARY)
        }

    def committed(self) -> set[str]:
        """Return the names of the committed units, which are those with a sidecar."""
        return self.names("units")

    def read_sidecars(self, names: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield (unit name, sidecar) in any order: a store is read in parallel.

        Raises:
            RunError: a sidecar is missing or damaged.
        """
        paths = {self.at("units", f"{name}.json"): name for name in names}
        try:
            for path, content in storage.read_many(paths):
                yield paths[path], json.loads(content)
        except (UnreadableFile, ValueError) as error:
            raise RunError(f"cannot read a sidecar of {self.path}: {error}") from error

    def sidecars(self) -> dict[str, dict[str, Any]]:
        """Return all sidecars by name, sorted; for runs with few units, since all are held."""
        return dict(sorted(self.read_sidecars(sorted(self.committed()))))

    def seal(self, manifest: Manifest) -> None:
        """Write the manifest, and then ``COMPLETED`` with its SHA-256."""
        with storage.writing(self.at("manifest.json")) as stream:
            digest = write_manifest(stream, manifest)
        storage.write_bytes(self.at("COMPLETED"), f"{digest}\n".encode())

    def stats(self) -> dict[str, Any]:
        """Return the conservation table."""
        return dict(self.read_json("stats.json"))

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest of a complete run, checked against ``COMPLETED``.

        Raises:
            RunError: the SHA-256 of ``manifest.json`` is not the one in ``COMPLETED``.
        """
        try:
            content = storage.read_bytes(self.at("manifest.json"))
            vouched = storage.read_bytes(self.at("COMPLETED")).decode("ascii", "replace").strip()
            if hashlib.sha256(content).hexdigest() != vouched:
                raise RunError(
                    f"{self.path}: the SHA-256 of manifest.json is not the one in COMPLETED. Copy "
                    "the run from where it was made again, or make it again."
                )
            return Manifest.from_json(content)
        except (UnreadableFile, ValueError) as error:
            raise RunError(f"cannot read the manifest of {self.path}: {error}") from error

    def documents(self) -> list[RunFile]:
        """Return the document files that the manifest of a complete run lists.

        Read the documents of a run through these, and not through a listing of the folder.

        Raises:
            RunError: a file is missing, has another size, or is not one of the run; it is named.
        """
        return self._files("documents")

    def rejects(self) -> list[RunFile]:
        """Return the files of rejects, as :meth:`documents` returns those of documents."""
        return self._files("rejects")

    def _files(self, folder: str) -> list[RunFile]:
        files = [file for file in self.manifest.files if file.path.startswith(f"{folder}/")]
        if problems := differences(files, listing(self.path, [folder])):
            raise RunError(
                f"{self.path} does not hold what its manifest says: {told(problems)}. Take the run "
                "from where it was made, or make it again."
            )
        return files

    @cached_property
    def source(self) -> str:
        """Name of the source that the run curates."""
        return str(self.read_json("config.json")["config"]["source"])


def open_begun(path: str) -> Run:
    """Return a run for reading that need not be complete.

    Raises:
        RunError: there is no run.
    """
    run = Run(path)
    if not storage.exists(run.at("config.json")):
        raise RunError(
            f"{path} is not a run directory: it has no config.json. Give the directory that was "
            "named as --run."
        )
    return run


def open_completed(path: str) -> Run:
    """Return a complete run for reading, once its manifest and the sizes of its files are checked.

    Raises:
        RunError: there is no run, it is not complete, or it is damaged; the message says what to
            do.
    """
    run = Run(path)
    if run.completed:
        run.documents()
        return run
    command = open_begun(path).read_json("config.json")["config"]
    raise RunError(
        f"{path} is not complete. Finish it first: run the command that began it again "
        f"(`python -m pipelines {command['source']} --input ... --run {path}`); it resumes."
    )


def failed_files(path: str) -> dict[str, str]:
    """Return the input files that a complete run could not read, and why."""
    found: dict[str, str] = Run(storage.absolute(path)).stats()["failed_files"]
    return found
