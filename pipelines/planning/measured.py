"""Rates from finished runs, so that a user can plan with his own machine.

A run directory says in ``timings.json`` what the command took that made it; the directory of a
recipe (``build --out``) holds many of them, and what each part took.
"""

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from pipelines.engine.errors import RunError
from pipelines.engine.runs import Run
from pipelines.planning.tables import Rate, Rates, rates_of, read
from pipelines.storage import files as storage

HERE = "here"  # the key of a machine whose runs were given
TOKENS = "tokens"
_MOVED = ("claims", "verdicts")


def measured(known: Rates, paths: Sequence[str]) -> Rates:
    """Return known rates with those of some files and run directories in their place.

    What a run does not tell (fixed seconds, requests, what is slower at scale) is taken from the
    known rate of its step.

    Raises:
        RunError: a path is neither; or a run was resumed, made on a cluster, or is too small.
    """
    rates, machines = dict(known.of), dict(known.machines)
    for path in paths:
        if path.endswith(".toml"):
            given = rates_of(*read(path))
            rates |= given.of
            machines |= given.machines
            continue
        runs = list(runs_below(path))
        if not runs:
            raise RunError(
                f"{path}: neither a .toml file of rates nor a directory of finished runs that "
                "this version made"
            )
        for run in runs:
            rate = rate_of(run, known.of)
            rates[rate.step] = rate
            machines[HERE] = platform.platform()
    return Rates(rates, machines)


def runs_below(path: str) -> Iterator[Run]:
    """Yield the run directory at a path, or those of a recipe that was built there."""
    whole = Run(path)
    if storage.exists(whole.at("config.json")):
        yield whole
        return
    folders = {
        file.path.rpartition("/")[0]
        for file in storage.list_tree(whole.path)
        if file.path.endswith("/timings.json")
    }
    for folder in sorted(folders):
        run = Run(folder)
        if storage.exists(run.at("config.json")):
            yield run


def rate_of(run: Run, known: Mapping[str, Rate]) -> Rate:
    """Return what a finished run says of the speed of its step.

    Raises:
        RunError: it was resumed, was made on a cluster or by an earlier version, or is too small.
    """
    timings = run.read_json("timings.json")
    took = timings.get("took", {})
    if not took.get("whole"):
        raise RunError(
            f"{run.path}: its timings are not those of one command on one machine (it was resumed, "
            "or made on a cluster, or by an earlier version): make it again in a new directory"
        )
    shards = storage.exists(run.at("manifest.json")) and not run.completed
    step = TOKENS if shards else step_of(run)
    between = took["between_bytes"]
    facts: dict[str, Any] = {
        "step": step,
        "machine": HERE,
        "date": "",
        "command": f"python -m pipelines {'tokenize' if shards else step}: {run.path}",
        "input_bytes": took["input_bytes"],
        "cpu_seconds": took["cpu_seconds"],
        "shuffled_bytes": sum(between[name] for name in _MOVED),
        "scratch_bytes": sum(between.values()),
        **(_of_shards(run, timings) if shards else _of_documents(run)),
    }
    base = known.get(step)
    rate = Rate(**{**asdict(base), **facts}) if base else Rate(**facts)
    if rate.fixed_seconds > rate.cpu_seconds / 2:  # of another machine, and most of a small run
        rate = replace(rate, fixed_seconds=rate.cpu_seconds / 2)
    rate.check(run.path)
    return rate


def step_of(run: Run) -> str:
    """Return the step that a run of a source is: its name, or ``c4.wet``."""
    config = run.read_json("config.json")["config"]
    return f"{run.source}.wet" if config.get("wet") else run.source


def _of_documents(run: Run) -> dict[str, int]:
    kept = (file for file in run.manifest.files if file.path.startswith("documents/"))
    written = sum(file.bytes for file in kept)
    return {"text_bytes": int(run.stats()["characters"]), "written_bytes": written}


def _of_shards(run: Run, timings: Mapping[str, Any]) -> dict[str, int]:
    written = sum(
        file.size
        for file in storage.list_directory(run.path)
        if file.path.endswith((".bin", ".idx", ".parquet"))
    )
    # The text is what is encoded; its files, which are read, are compressed.
    text = int(timings["characters"])
    return {"text_bytes": text, "written_bytes": written, "input_bytes": text}


def parts_of(path: str) -> dict[str, float]:
    """Return the CPU seconds of each part of a recipe that was built by one command.

    Raises:
        RunError: there is no such directory, or it took several commands.
    """
    where = storage.join(path, "timings.json")
    if not storage.exists(where):
        raise RunError(
            f"{where} is not there: build the recipe by one command, in a new --out, on one machine"
        )
    parts = Run(path).read_json("timings.json")["parts"]
    return {name: float(part["cpu_seconds"]) for name, part in parts.items()}
