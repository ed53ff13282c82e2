"""Complete a run: sum the sidecars of its units, check them, and write the manifest."""

import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from typing import Any

from pipelines.engine.card import write_card
from pipelines.engine.errors import RunError
from pipelines.engine.ledger import Ledger
from pipelines.engine.manifest import Manifest, RunFile, differences, listing, told
from pipelines.engine.runs import Run, unit_of
from pipelines.engine.units import Unit
from pipelines.engine.workspace import clear
from pipelines.storage import files as storage

MAX_FAILED_SHARE = 0.001  # share of the input files that may fail; one file always may


def file_count(units: Iterable[Unit]) -> int:
    """Return how many input files the units read."""
    return len({part.path for unit in units for part in unit.parts})


def check_failed_files(failed: Mapping[str, str], files: int, budget: int | None) -> None:
    """Refuse a run of which too many input files cannot be read.

    Args:
        failed: the files that failed, and why.
        files: how many input files there are.
        budget: how many may fail; by default 0.1 % of them, and at least 1.

    Raises:
        RunError: more files failed than may.
    """
    allowed = max(1, int(files * MAX_FAILED_SHARE)) if budget is None else budget
    if failed and len(failed) == files:
        raise RunError(
            f"no input can be read: {'; '.join(list(failed.values())[:3]).removesuffix('.')}"
            f"{f'; and {files - 3} more' if files > 3 else ''}. Check what --input names, and use "
            "a new --run."
        )
    if len(failed) > allowed:
        raise RunError(
            f"{len(failed)} of {files} inputs cannot be read, and {allowed} may fail: "
            + "; ".join(list(failed.values())[:3]).removesuffix(".")
            + ". Repair them, or leave them out and name a new --run, or raise --max-failed-files."
        )


def finish(
    run: Run,
    planned: Sequence[Unit],
    unreadable: Mapping[str, str],
    stages: Sequence[str],
    *,
    allow_empty: bool = False,
    max_failed_files: int | None = None,
    took: Mapping[str, Any] | None = None,
) -> Ledger:
    """Sum the sidecars into stats and manifest, check them, and complete the run.

    Args:
        run: the run directory.
        planned: the units of the run.
        unreadable: inputs that cannot be opened, and why.
        stages: names of the source's stages, in order.
        allow_empty: accept a stage that keeps nothing.
        max_failed_files: input files that may fail; by default 0.1 %, and at least 1.
        took: what the run took (``costs.py``), for ``timings.json``.

    Raises:
        RunError: units are missing, records or files are lost, too many files failed, or a
            stage kept nothing.
    """
    units = {unit.name for unit in planned}
    committed = run.committed()
    if missing := sorted(units - committed):
        raise RunError(
            f"{run.path}: {len(missing)} of {len(units)} units are not committed "
            f"(first: {missing[0]}). Run the same command again to resume."
        )
    if foreign := sorted(committed - units):
        raise RunError(
            f"{run.path}: units/{foreign[0]}.json belongs to no unit of this run"
            f"{f', nor do {len(foreign) - 1} more' if foreign[1:] else ''}. "
            "Remove it and run the same command again."
        )
    storage.sweep(run.path)
    total, failed, files = _sum(run, sorted(units), stages)
    failed = dict(unreadable) | failed
    inputs = file_count(planned) + len(unreadable)
    check_failed_files(failed, inputs, max_failed_files)
    _check(run, total, allow_empty=allow_empty)
    _check_files(run, files, units)
    stats = {**total.to_json(), "units": len(units), "failed_files": failed}
    timings = {
        "seconds": {
            stage["stage"]: stage["seconds"] for stage in total.to_json(seconds=True)["stages"]
        },
        "took": dict(took or {}),
        "python": platform.python_version(),
        "machine": platform.platform(),
        "apache_beam": metadata.version("apache-beam"),
    }
    run.write_json(stats, "stats.json")
    run.write_json(timings, "timings.json")
    # A launcher that dies from here on leaves nothing that a complete run would keep for ever.
    clear(run)
    storage.remove([run.at("staged")])
    write_card(run, total, rejects=any(file.path.startswith("rejects/") for file in files))
    run.seal(Manifest(total.documents, total.characters, tuple(files)))
    return total


def _sum(
    run: Run, units: Sequence[str], stages: Sequence[str]
) -> tuple[Ledger, dict[str, str], list[RunFile]]:
    """Return the sum of the sidecars, the failed inputs with reasons, and the files, sorted."""
    total = Ledger(stages)
    failed: dict[str, str] = {}
    files: list[RunFile] = []
    for name, sidecar in run.read_sidecars(units):
        try:
            total.add(Ledger.from_json(sidecar["ledger"]))
            files += map(RunFile.from_json, sidecar["files"])
            failed |= sidecar.get("failed", {})
        except (KeyError, TypeError, AttributeError) as error:
            raise RunError(
                f"{run.at('units', f'{name}.json')} is not a sidecar of this version "
                f"({error!r}). Remove it and run the same command again."
            ) from error
    # Sidecars arrive from a store in any order, and the sum must not depend on it.
    order = {stage: place for place, stage in enumerate(stages)}
    in_order = sorted(total.stages, key=lambda stage: (order.get(stage, len(order)), stage))
    total.stages = {stage: total.stages[stage] for stage in in_order}
    return total, dict(sorted(failed.items())), sorted(files)


def _check_files(run: Run, files: Iterable[RunFile], units: set[str]) -> None:
    """Compare a listing of the run's files with its sidecars.

    A file that bears the name of a unit but is not in the unit's sidecar was left by an attempt
    that never committed, and is removed. Every other difference is an error.

    Raises:
        RunError: files are missing, foreign, or of another size.
    """
    present = listing(run.path)
    known = {file.path for file in files}
    left = [path for path in present.keys() - known if unit_of(path) in units]
    storage.remove(run.at(path) for path in left)
    for path in left:
        del present[path]
    if problems := differences(files, present):
        raise RunError(
            f"{run.path} does not hold what its sidecars say: {told(problems)}. Remove the files "
            "that are foreign, and units/NAME.json of those that are missing or damaged. Then run "
            "the same command again, which makes these units again."
        )


def _check(run: Run, total: Ledger, *, allow_empty: bool) -> None:
    if total.sent != total.received or total.imbalance():
        raise RunError(
            f"{run.path}: records are not accounted for (read {total.records_read}, documents "
            f"{total.documents}, rejected {total.rejected}, bad {total.bad_records.total()}, "
            f"sent {total.sent}, received {total.received}, joined {total.joined}). Did the "
            "inputs change during the run? Give a new --run; if it happens again it is a defect, "
            "please report it."
        )
    for name, tally in total.stages.items():
        if tally.documents_in and not tally.documents_out and not allow_empty:
            reasons = ", ".join(f"{reason} {n}" for reason, n in tally.rejected.most_common(3))
            raise RunError(
                f"stage {name} kept none of {tally.documents_in} documents ({reasons}). Look "
                f"at them with `python -m pipelines inspect {run.path} --stage {name}`; then "
                "change the inputs or the options, or accept it with --allow-empty."
            )
