"""Run a source's pipeline: on this machine by default, on any Beam runner by its flags."""

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.engine.plan import Plan
from pipelines.engine.progress import Progress
from pipelines.engine.runs import Run, RunError, check_failed_files
from pipelines.engine.stages import Ledger
from pipelines.engine.units import Unit
from pipelines.engine.workers import WorkerWatch
from pipelines.storage import files as storage
from tokenizer.strict import nearest

LOCAL_RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
_OUR_ERROR = re.compile(r"(?:RunError|StorageError|UnreadableFile): (.*?)(?= \[while running|\n|$)")
Build = Callable[[beam.Pipeline, Plan, Any, Run], None]


def no_remarks(_ledger: Ledger) -> list[str]:
    """Find nothing unusual."""
    return []


@dataclass(frozen=True)
class Source:
    """One of the corpus's sources: how it is configured, planned and built."""

    name: str
    settings: type[Any]
    plan: Callable[[Any], Plan]
    build: Build
    review: Callable[[Ledger], list[str]] = no_remarks  # what of a run is unusual


@dataclass(frozen=True)
class Launch:
    """How a run is executed; nothing here changes its bytes."""

    workers: int = 1
    beam_flags: tuple[str, ...] = ()
    allow_empty: bool = False
    max_failed_files: int | None = None
    progress: bool = True


def options_of(launch: Launch) -> PipelineOptions:
    """Return Beam's options.

    Raises:
        RunError: a flag is unknown to Beam. (With a portable runner it may be the job server's.)
    """
    flags = list(launch.beam_flags)
    runner = [flag for flag in flags if flag.startswith("--runner")]
    if not runner:
        mode = "in_memory" if launch.workers == 1 else "multi_processing"
        flags += [
            f"--runner={LOCAL_RUNNER}",
            f"--direct_num_workers={launch.workers}",
            f"--direct_running_mode={mode}",
        ]
    options = PipelineOptions(flags)
    known = options.get_all_options()
    unknown = sorted(options.get_all_options(retain_unknown_options=True).keys() - known.keys())
    if unknown and not any("Portable" in flag for flag in runner):
        raise RunError(f"unknown Beam flag --{unknown[0]}{nearest(unknown[0], known)}")
    return options


def run_source(source: Source, settings: Any, path: str, launch: Launch) -> Ledger:
    """Curate a source into the run directory at ``path``, or resume; a complete run is left alone.

    Raises:
        RunError, StorageError: what went wrong and what to do, in one line.
    """
    options_of(launch)  # a wrong flag is told before any work
    run = Run(path)
    plan = source.plan(settings)
    config = {
        "source": source.name,
        **asdict(settings),
        **plan.facts,
        # What the run reads, as found: resuming over other inputs is refused.
        "input": input_sizes(plan.units),
    }
    if run.start(config):
        return Ledger.from_json(run.stats())
    files = len(plan.units) + len(plan.unreadable)
    check_failed_files(plan.unreadable, files, launch.max_failed_files)
    run.write_json(
        [
            {"pass": p.name, "folder": p.folder, "units": len(p.units), "bytes": p.size}
            for p in plan.passes
        ],
        "passes",
        "plan.json",
    )
    with Progress(run, plan, shown=launch.progress):
        if run.lacks(plan.units, "units"):
            execute(source.build, plan, settings, run, launch)
        return run.finish(
            plan,
            allow_empty=launch.allow_empty,
            max_failed_files=launch.max_failed_files,
        )


def input_sizes(units: Iterable[Unit]) -> dict[str, int]:
    """Return the inputs and their bytes, in the units that read them."""
    sizes: Counter[str] = Counter()
    for unit in units:
        sizes[unit.path] += unit.size
    return dict(sizes)


def execute(build: Build, plan: Plan, settings: Any, run: Run, launch: Launch) -> None:
    """Build the pipeline and run it to its end."""
    logging.getLogger("apache_beam").setLevel(logging.ERROR)
    pipeline = beam.Pipeline(options=options_of(launch))
    build(pipeline, plan, settings, run)
    with WorkerWatch() as watch:
        try:
            result = pipeline.run()
            state = result.wait_until_finish()
        except (RunError, storage.StorageError):
            raise
        except Exception as error:
            # Workers send their errors as text: ours says what to do, Beam's is a traceback.
            if ours := _OUR_ERROR.search(str(error)):
                raise RunError(ours.group(1)) from error
            if died := watch.blame():
                raise RunError(died) from error
            raise
    if state not in (None, "DONE"):
        raise RunError(
            f"the runner ended as {state}. Its log says why; give the command again to resume."
        )
