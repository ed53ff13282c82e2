"""``--check``: build the job of a command for its runner, tell what it consists of, run nothing.

The whole job is built: its inputs are listed, its graph and its options are made, and for Dataflow
the very request that would start it. What would fail on the workers (``preflight``) is printed as
one line per cause. No account is needed beyond what lists the inputs.
"""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import DebugOptions, PipelineOptions
from apache_beam.transforms.environments import python_sdk_dependencies

from pipelines.engine.errors import RunError
from pipelines.engine.graph import build
from pipelines.engine.plan import Plan
from pipelines.engine.preflight import (
    gcp_is_installed,
    graph_of,
    is_dataflow,
    refused_graph,
    refused_options,
    refused_paths,
)
from pipelines.engine.runs import Run
from pipelines.engine.schedule import Schedule
from pipelines.engine.steps import UnitStep
from pipelines.engine.worker import Worker
from pipelines.engine.workspace import Workspace
from pipelines.readers.rows import UnreadableFile
from pipelines.setup.cache import SetupError
from pipelines.storage.files import StorageError
from pipelines.storage.temporary import removed_after

_PLANNING_ERRORS = (RunError, StorageError, SetupError, UnreadableFile, OSError)


def check_job(
    options: PipelineOptions, run: Run, models: Mapping[str, str], make_plan: Callable[[], Plan]
) -> None:
    """Build a job without running it; print what it consists of, and what it would fail of.

    Args:
        options: options of Beam.
        run: the run directory.
        models: paths of this machine that workers read besides the inputs, by flag.
        make_plan: lists the inputs and returns the plan.

    Raises:
        RunError: the job would fail; the lines that were printed say why.
    """
    refused = list(refused_options(options))
    planned: Plan | None = None
    try:
        planned = make_plan()
        schedule = Schedule(planned.steps, Workspace.within(run))
        inputs = [part.path for unit in planned.units for part in unit.parts]
        refused += refused_paths(options, run.path, inputs, models)
        with removed_after("corpusmill-check-"):
            lines, of_graph = _tell_job(options, schedule, buildable=not refused)
        for line in lines:
            print(line)
        refused += of_graph
    except _PLANNING_ERRORS as error:
        if planned is None:
            refused += refused_paths(options, run.path, (), models)
        refused.append(f"the graph could not be built: {' '.join(str(error).split())}")
    for line in refused:
        print(f"refused: {line}")
    if refused:
        count = f"{len(refused)} reason{'s' if refused[1:] else ''}"
        raise RunError(f"the job would fail, for the {count} above. Nothing was submitted.")


def _tell_job(
    options: PipelineOptions, schedule: Schedule, *, buildable: bool
) -> tuple[list[str], list[str]]:
    """Return lines that describe a job, and lines that say what is wrong with its graph."""
    if schedule.finished():
        return ["every step is finished: the command only has to complete the run"], []
    pipeline = beam.Pipeline(runner="DirectRunner")  # builds the graph, whatever the flags
    _build(schedule, pipeline)
    graph = graph_of(pipeline)
    refused = list(refused_graph(graph, dataflow=is_dataflow(options)))
    lines = [
        *_tell_options(options),
        *_tell_steps(schedule),
        f"graph: {len(graph.components.transforms)} transforms, {graph.ByteSize():,} bytes",
    ]
    if not is_dataflow(options):
        return lines + _tell_staged(options), refused
    if not buildable or refused:
        lines.append("request: not built, since the job is refused")
    else:
        lines += _tell_request(options, schedule)
    return lines, refused


def _check_nothing(_run: Run) -> None:
    """Take any worker: the job is not run."""


def _build(schedule: Schedule, pipeline: beam.Pipeline) -> None:
    build(pipeline, schedule, Worker(schedule.workspace, _check_nothing))


def _tell_options(options: PipelineOptions) -> Iterator[str]:
    for name, value in sorted(options.get_all_options(drop_default=True).items()):
        yield f"option: --{name}={value}"


def _tell_steps(schedule: Schedule) -> Iterator[str]:
    for step in schedule.steps:
        if isinstance(step, UnitStep):
            waiting = len(schedule.waiting(step))
            yield f"step: {step.title}, {waiting:,} of {len(step.units):,} units to run"
        else:
            scopes = len(schedule.open_scopes(step.topic.name))
            yield f"step: {step.title}, {scopes:,} scopes to decide"


def _tell_staged(options: PipelineOptions) -> list[str]:
    """Return a line for each file that a portable runner sends to its workers."""
    with tempfile.TemporaryDirectory() as folder:
        python_sdk_dependencies(options, folder)
        return [
            f"staged: {path.name}, {path.stat().st_size:,} bytes"
            for path in sorted(Path(folder).iterdir())
        ]


def _tell_request(options: PipelineOptions, schedule: Schedule) -> list[str]:
    """Return lines about the request to Dataflow; write it where --dataflow_job_file says."""
    if not gcp_is_installed():
        return ["request: not built, since the extra gcp is not installed"]
    from pipelines.engine.dataflow import job_request  # noqa: PLC0415 - needs the extra gcp

    target = options.view_as(DebugOptions).dataflow_job_file
    request = job_request(options, partial(_build, schedule))
    content = json.dumps(request.job, sort_keys=True, indent=1)
    if target:
        Path(target).write_text(f"{content}\n", "utf-8")
    staged = [f"staged: {path}, {size:,} bytes" for path, size in sorted(request.staged.items())]
    where = f", written to {target}" if target else "; --dataflow_job_file=FILE after `--` keeps it"
    return [*staged, f"request: {len(content):,} bytes{where}"]
