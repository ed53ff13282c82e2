"""The run directory: one per run of a source, on any filesystem (DESIGN 3).

::

    config.json      what the run was asked to do, versions, hashes of models
    documents/       one Parquet file a unit
    rejects/         one Parquet file a unit
    units/           one sidecar a unit, written last: its presence commits the unit
    passes/PASS/     one marker a unit and pass, for progress on any runner
    staged/          documents that wait for a later meeting; gone when the run is complete
    stats.json       the conservation table, and what stages counted besides
    manifest.json    documents, bytes and SHA-256 of every file
    timings.json     seconds a stage; differs from run to run
    COMPLETED        written last of all
"""

import hashlib
import json
import platform
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from typing import Any

from pipelines.engine.errors import RunError
from pipelines.engine.ledger import Ledger
from pipelines.engine.units import Unit
from pipelines.storage import files as storage

FORMAT_VERSION = 1
MAX_FAILED_SHARE = 0.001  # of the input files, at least one file (DESIGN 3, "Bad input")


def to_bytes(value: Any) -> bytes:
    """Return JSON as it is written in a run directory: sorted, indented, ending in a line feed."""
    return (json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode()


def versions() -> dict[str, str]:
    """Return the versions that can change the bytes of a run."""
    try:
        corpusmill = metadata.version("corpusmill")
    except metadata.PackageNotFoundError:
        corpusmill = "source tree"
    return {
        "corpusmill": corpusmill,
        "pyarrow": metadata.version("pyarrow"),
        "unicode": unicodedata.unidata_version,
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
    """A run directory. Small and picklable: workers get it as it is."""

    path: str

    def at(self, *parts: str) -> str:
        """Return the path of a file in the run directory."""
        return storage.join(self.path, *parts)

    def read_json(self, *parts: str) -> Any:
        """Read a JSON file of the run directory."""
        return json.loads(storage.read_bytes(self.at(*parts)))

    def write_json(self, value: Any, *parts: str) -> None:
        """Write a JSON file of the run directory, whole or not at all."""
        storage.write_bytes(self.at(*parts), to_bytes(value))

    @property
    def completed(self) -> bool:
        """Whether everything is written."""
        return storage.exists(self.at("COMPLETED"))

    def start(self, config: Mapping[str, Any]) -> bool:
        """Make the run directory, or take up the one that is there.

        Returns:
            whether the run is complete already.

        Raises:
            RunError: the directory holds something else, or a run of another configuration.
        """
        document = {"format": FORMAT_VERSION, "config": dict(config), "versions": versions()}
        document = json.loads(to_bytes(document))
        if storage.exists(self.at("config.json")):
            if told := tell_differences(self.read_json("config.json"), document):
                raise RunError(
                    f"{self.path} holds a run of another configuration ({told}). Give the same "
                    "options to resume it, or name a new directory with --run."
                )
        else:
            if storage.list_directory(self.path):
                raise RunError(
                    f"{self.path} is not empty and not a run directory (it has no config.json). "
                    "Name a new directory with --run."
                )
            self.write_json(document, "config.json")
        if not self.completed:
            self._sweep()
        return self.completed

    def _sweep(self) -> None:
        """Remove what an interrupted attempt left half-written."""
        folders = ("", "documents", "rejects", "units", "staged")
        storage.remove(
            file.path
            for folder in folders
            for file in storage.list_directory(self.at(folder) if folder else self.path)
            if storage.basename(file.path).startswith(storage.TEMPORARY)
        )

    def names(self, *folder: str, suffix: str = ".json") -> set[str]:
        """Return the names of the units that have a file in a folder."""
        files = (storage.basename(file.path) for file in storage.list_directory(self.at(*folder)))
        return {
            name.removesuffix(suffix)
            for name in files
            if name.endswith(suffix) and not name.startswith(storage.TEMPORARY)
        }

    def mark(self, pass_name: str, unit: str, facts: Mapping[str, Any]) -> None:
        """Leave a marker: this unit is through this pass."""
        path = self.at("passes", pass_name, f"{unit}.json")
        # A marker only informs; a disk that is flushed for each costs seconds a thousand units.
        storage.write_bytes(path, to_bytes(dict(facts)), durable=False)

    def committed(self) -> set[str]:
        """Return the units whose sidecar is there."""
        return self.names("units")

    def sidecars(self) -> dict[str, dict[str, Any]]:
        """Return the sidecar of every committed unit, by unit name, sorted."""
        return {name: self.read_json("units", f"{name}.json") for name in sorted(self.committed())}

    def finish(
        self,
        units: Sequence[Unit],
        unreadable: Mapping[str, str],
        stages: Sequence[str],
        *,
        allow_empty: bool = False,
        max_failed_files: int | None = None,
    ) -> Ledger:
        """Sum the sidecars into stats and manifest, check them, and complete the run.

        Args:
            units: of the run.
            unreadable: inputs that could not be opened, and why.
            stages: names of the source's stages, in order.
            allow_empty: accept a stage that keeps nothing.
            max_failed_files: input files that may be unreadable; by default 0.1 %, at least 1.

        Raises:
            RunError: units are missing, records are lost, too many files failed, or a stage kept
                nothing.
        """
        sidecars = self.sidecars()
        if missing := sorted({unit.name for unit in units} - sidecars.keys()):
            raise RunError(
                f"{self.path}: {len(missing)} of {len(units)} units are not committed "
                f"(first: {missing[0]}). Give the same command again to resume."
            )
        total = Ledger(stages)
        for sidecar in sidecars.values():
            total.add(Ledger.from_json(sidecar["ledger"]))
        failed = dict(unreadable)
        for sidecar in sidecars.values():
            failed |= sidecar.get("failed", {})
        check_failed_files(failed, file_count(units) + len(unreadable), max_failed_files)
        self._check(total, allow_empty=allow_empty)
        files = [file for sidecar in sidecars.values() for file in sidecar["files"]]
        files.sort(key=lambda file: str(file["path"]))
        manifest = {
            "format": FORMAT_VERSION,
            "documents": total.documents,
            "characters": total.characters,
            "files": files,
        }
        stats = {
            **total.to_json(),
            "units": len(units),
            "failed_files": failed,
        }
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
        self.write_json(manifest, "manifest.json")
        storage.remove([self.at("staged")])
        digest = hashlib.sha256(to_bytes(manifest)).hexdigest()
        storage.write_bytes(self.at("COMPLETED"), f"{digest}\n".encode())
        return total

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
    def source(self) -> str:
        """Name of the source that the run curates."""
        return str(self.read_json("config.json")["config"]["source"])


def open_completed(path: str) -> Run:
    """Return a complete run for reading.

    Raises:
        RunError: there is no run, or it is not complete; the message says how to complete it.
    """
    run = Run(path)
    if run.completed:
        return run
    if not storage.exists(run.at("config.json")):
        raise RunError(f"{path} is not a run directory: it has no config.json.")
    command = run.read_json("config.json")["config"]
    raise RunError(
        f"{path} is not complete. Finish it first: give the command that began it again "
        f"(`python -m pipelines {command['source']} --input ... --run {path}`); it resumes."
    )
