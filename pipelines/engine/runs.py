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
import platform
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from typing import Any

from pipelines.engine.errors import RunError
from pipelines.engine.ledger import Ledger
from pipelines.engine.manifest import (
    FORMAT_VERSION,
    Manifest,
    RunFile,
    differences,
    listing,
    told,
    write_manifest,
)
from pipelines.engine.units import Unit
from pipelines.readers.rows import UnreadableFile
from pipelines.storage import files as storage

LOCK = "LOCK"
MAX_FAILED_SHARE = 0.001  # of the input files, at least one file (DESIGN 3, "Bad input")


def to_bytes(value: Any) -> bytes:
    """Return JSON as it is written in a run directory: sorted, indented, ending in a line feed.

    Bytes of a file's name that are not UTF-8 are escaped as JSON has it, and come back the same.
    """
    text = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False)
    return f"{text}\n".encode("utf-8", "backslashreplace")


# Of these the bytes of documents depend: how they are read, scored, compressed and written.
_PACKAGES = (
    "fasttext-wheel",
    "fastwarc",
    "kenlm",
    "mwparserfromhell",
    "numpy",
    "pyarrow",
    "resiliparse",
    "sentencepiece",
)


def versions() -> dict[str, str]:
    """Return the versions that can change the bytes of a run."""
    try:
        corpusmill = metadata.version("corpusmill")
    except metadata.PackageNotFoundError:
        corpusmill = "source tree"
    python = ".".join(platform.python_version_tuple()[:2])
    packages = {name: metadata.version(name) for name in _PACKAGES}
    return {
        "corpusmill": corpusmill,
        "python": python,
        "unicode": unicodedata.unidata_version,
        **packages,
    }


def _differences(old: Any, new: Any, path: str = "") -> Iterable[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from _differences(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif old != new:
        yield f"{path}: {_short(old)} there, {_short(new)} here"


def tell_differences(old: Any, new: Any) -> str:
    """Return the first differences of two JSON values in a line; empty if there is none."""
    found = list(_differences(old, new))
    more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
    return "; ".join(found[:5]) + more


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."


def file_count(units: Iterable[Unit]) -> int:
    """Return how many files the units read, of which some may fail."""
    return len({part.path for unit in units for part in unit.parts})


def check_failed_files(failed: Mapping[str, str], files: int, budget: int | None) -> None:
    """Bear a few unreadable inputs, and no more (DESIGN 3, "Bad input").

    Raises:
        RunError: more than ``budget`` of ``files`` failed; by default 0.1 %, at least 1.
    """
    allowed = max(1, int(files * MAX_FAILED_SHARE)) if budget is None else budget
    if len(failed) > allowed:
        raise RunError(
            f"{len(failed)} of {files} inputs cannot be read, {allowed} may fail: "
            + "; ".join(list(failed.values())[:3])
            + ". Repair them or leave them out and name a new --run, or raise --max-failed-files."
        )


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

    def finish(
        self,
        planned: Sequence[Unit],
        unreadable: Mapping[str, str],
        stages: Sequence[str],
        *,
        allow_empty: bool = False,
        max_failed_files: int | None = None,
    ) -> Ledger:
        """Sum the sidecars into stats and manifest, check them, and complete the run.

        Args:
            planned: the units of the run.
            unreadable: inputs that could not be opened, and why.
            stages: names of the source's stages, in order.
            allow_empty: accept a stage that keeps nothing.
            max_failed_files: input files that may be unreadable; by default 0.1 %, at least 1.

        Raises:
            RunError: units are missing, records or files are lost, too many files failed, or a
                stage kept nothing.
        """
        units = {unit.name for unit in planned}
        committed = self.committed()
        if missing := sorted(units - committed):
            raise RunError(
                f"{self.path}: {len(missing)} of {len(units)} units are not committed "
                f"(first: {missing[0]}). Run the same command again to resume."
            )
        if foreign := sorted(committed - units):
            raise RunError(
                f"{self.path}: units/{foreign[0]}.json is of no unit of this run"
                f"{f', and {len(foreign) - 1} more are not' if foreign[1:] else ''}. "
                "Remove it and run the same command again."
            )
        storage.sweep(self.path)
        total, failed, files = self._sum(sorted(units), stages)
        failed = dict(unreadable) | failed
        inputs = file_count(planned) + len(unreadable)
        check_failed_files(failed, inputs, max_failed_files)
        self._check(total, allow_empty=allow_empty)
        self._check_files(files, units)
        stats = {**total.to_json(), "units": len(units), "failed_files": failed}
        timings = {
            "seconds": {
                stage["stage"]: stage["seconds"] for stage in total.to_json(seconds=True)["stages"]
            },
            "python": platform.python_version(),
            "machine": platform.platform(),
            "apache_beam": metadata.version("apache-beam"),
        }
        self.write_json(stats, "stats.json")
        self.write_json(timings, "timings.json")
        storage.remove([self.at("staged")])
        self.seal(Manifest(total.documents, total.characters, tuple(files)))
        return total

    def seal(self, manifest: Manifest) -> None:
        """Write the manifest, and ``COMPLETED``, which vouches for it."""
        with storage.writing(self.at("manifest.json")) as stream:
            digest = write_manifest(stream, manifest)
        storage.write_bytes(self.at("COMPLETED"), f"{digest}\n".encode())

    def _sum(
        self, units: Sequence[str], stages: Sequence[str]
    ) -> tuple[Ledger, dict[str, str], list[RunFile]]:
        """Return the sum of the sidecars, the failed inputs with reasons, and the files, sorted."""
        total = Ledger(stages)
        failed: dict[str, str] = {}
        files: list[RunFile] = []
        for name, sidecar in self.read_sidecars(units):
            try:
                total.add(Ledger.from_json(sidecar["ledger"]))
                files += map(RunFile.from_json, sidecar["files"])
                failed |= sidecar.get("failed", {})
            except (KeyError, TypeError, AttributeError) as error:
                raise RunError(
                    f"{self.at('units', f'{name}.json')} is not a sidecar of this version "
                    f"({error!r}). Remove it and run the same command again."
                ) from error
        # Sidecars of a store come in no order; what they sum up to must not show it.
        order = {stage: place for place, stage in enumerate(stages)}
        in_order = sorted(total.stages, key=lambda stage: (order.get(stage, len(order)), stage))
        total.stages = {stage: total.stages[stage] for stage in in_order}
        return total, dict(sorted(failed.items())), sorted(files)

    def _check_files(self, files: Iterable[RunFile], units: set[str]) -> None:
        """Hold a listing of the run's files against its sidecars.

        A file that is named after a unit whose sidecar does not have it is what an attempt left
        that never committed: it is removed. All other differences are told.
        """
        present = listing(self.path)
        known = {file.path for file in files}
        left = [
            path
            for path in present.keys() - known
            if path.rpartition("/")[2].removesuffix(".parquet") in units
        ]
        storage.remove(self.at(path) for path in left)
        for path in left:
            del present[path]
        if problems := differences(files, present):
            raise RunError(
                f"{self.path} does not hold what its sidecars say: {told(problems)}. Remove what "
                "is foreign, and units/NAME.json of what is gone or damaged; then run the same "
                "command again, which makes these units anew."
            )

    def _check(self, total: Ledger, *, allow_empty: bool) -> None:
        if total.sent != total.received or total.imbalance():
            raise RunError(
                f"{self.path}: records are not accounted for (read {total.records_read}, documents "
                f"{total.documents}, rejected {total.rejected}, bad {total.bad_records.total()}, "
                f"sent {total.sent}, received {total.received}). Did the inputs change during the "
                "run? Give a new --run; if it happens again it is a defect, please report it."
            )
        for name, tally in total.stages.items():
            if tally.documents_in and not tally.documents_out and not allow_empty:
                reasons = ", ".join(f"{reason} {n}" for reason, n in tally.rejected.most_common(3))
                raise RunError(
                    f"stage {name} kept none of {tally.documents_in} documents ({reasons}). Look "
                    f"at them with `python -m pipelines inspect {self.path} --stage {name}`; then "
                    "change the inputs or the options, or accept it with --allow-empty."
                )

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
