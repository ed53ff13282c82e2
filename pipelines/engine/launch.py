"""Run a source: on this machine by default, or on the Beam runner that flags name."""

import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import Any, NoReturn

from pipelines.engine.costs import Took
from pipelines.engine.errors import JobNotRun, RunError
from pipelines.engine.finish import check_failed_files, file_count, finish
from pipelines.engine.ledger import Ledger
from pipelines.engine.lock import Fence, RunLock
from pipelines.engine.plan import Plan
from pipelines.engine.pool import run_locally
from pipelines.engine.progress import Progress
from pipelines.engine.runlog import RunLog
from pipelines.engine.runs import Run, failed_files
from pipelines.engine.schedule import Schedule
from pipelines.engine.settings import local_worker_paths, values_of
from pipelines.engine.source import Source, plan
from pipelines.engine.stall import StallWatch
from pipelines.engine.twins import TwinCheck
from pipelines.engine.units import Unit
from pipelines.engine.workspace import Workspace
from pipelines.storage import files as storage


@dataclass(frozen=True)
class Launch:
    """How a run is executed. Nothing here changes the bytes of its output."""

    workers: int = 1
    beam_flags: tuple[str, ...] = ()
    allow_empty: bool = False
    max_failed_files: int | None = None
    progress: bool = True
    max_stall: float = 0.0  # minutes without a finished unit after which a cluster's job is ended
    check: bool = False  # build the job and tell what it would fail of, and run nothing


def run_source(source: Source, settings: Any, path: str, launch: Launch) -> Ledger:
    """Curate a source into the run directory at ``path``; resume a run that is not complete.

    Returns:
        the conservation table of the run.

    Raises:
        RunError, StorageError: the message is one line that says what went wrong and what to do.
        JobNotRun: the job was only checked, or written to a file.
    """
    check_flags(launch)  # a wrong flag is reported before any work
    run = Run(storage.absolute(path))
    if launch.check:
        check(launch, run, local_worker_paths(settings), partial(plan, source, settings))
    took = Took(run, 0 if launch.beam_flags else launch.workers)
    source.prepare(settings)
    planned = plan(source, settings)
    config = {
        "source": source.name,
        **values_of(settings),
        **planned.facts,
        # The inputs as they were found: a run is not resumed with others.
        "input": input_facts(planned.units),
    }
    check_places(launch, run, planned.units, local_worker_paths(settings))
    twins = TwinCheck(settings, planned.facts, source.check_worker)
    return carry_out(planned, run, config, launch, twins, note=source.name, took=took)


def carry_out(
    planned: Plan,
    run: Run,
    config: Mapping[str, Any],
    launch: Launch,
    twins: TwinCheck,
    *,
    note: str,
    took: Took | None = None,
) -> Ledger:
    """Run a plan in a run directory and complete the run; resume a run that is not complete.

    Args:
        planned: the plan.
        run: the run directory.
        config: the configuration of the run.
        launch: where and how to run.
        twins: what workers elsewhere have to agree on with this process.
        note: says in the lock what works in the directory.
        took: what the command took so far, for ``timings.json``; None for work whose seconds are
            no measure of the source.

    Returns:
        the conservation table of the run.

    Raises:
        RunError, StorageError: the message is one line that says what went wrong and what to do.
        JobNotRun: the job was only written to a file.
    """
    with RunLock(run, note=note) as lock:
        if run.start(config):
            return Ledger.from_json(run.stats())
        with RunLog(run) as log:
            files = file_count(planned.units) + len(planned.unreadable)
            check_failed_files(planned.unreadable, files, launch.max_failed_files)
            execute(planned, run, launch, twins, lock.fence, log=log.say)
            lock.check()
            check_run(launch)
            ledger = finish(
                run,
                planned.units,
                planned.unreadable,
                planned.stages,
                allow_empty=launch.allow_empty,
                max_failed_files=launch.max_failed_files,
                took=took.facts(workspace_of(run, launch), planned.units) if took else None,
            )
            for why in failed_files(run.path).values():
                log.say(f"not read: {why}")
            log.say(f"{ledger.documents:,} of {ledger.records_read:,} records kept")
        return ledger


def input_facts(units: Iterable[Unit]) -> dict[str, dict[str, int | str]]:
    """Return what a run's configuration says of its inputs: bytes and version, by path.

    A run whose inputs differ in either is not resumed, so no input can be replaced between two
    attempts. Files that cannot be listed, such as those of a web server, have neither.
    """
    facts: dict[str, dict[str, int | str]] = {}
    for unit in units:
        for part in unit.parts:
            known = facts.setdefault(part.path, {"bytes": 0, "version": part.version})
            known["bytes"] = int(known["bytes"]) + part.size
    return facts


def workspace_of(run: Run, launch: Launch) -> Workspace:
    """Return where the steps of a run leave what later ones read."""
    return Workspace.within(run) if launch.beam_flags else Workspace.beside(run)


def execute(
    planned: Plan,
    run: Run,
    launch: Launch,
    twins: TwinCheck,
    fence: Fence,
    *,
    log: Callable[[str], None] = lambda _line: None,
) -> None:
    """Run the steps of a plan to their end, on this machine or as a Beam pipeline.

    Args:
        planned: the plan.
        run: the run directory.
        launch: where and how to run.
        twins: what workers elsewhere have to agree on with this process.
        fence: tells workers of a cluster whether another launcher has taken the run over.
        log: takes what the user is told while it runs: a worker that died, a job that hangs.

    Raises:
        RunError: the message is one line that says what went wrong and what to do.
    """
    workspace = workspace_of(run, launch)
    schedule = Schedule(planned.steps, workspace)
    if schedule.finished():
        return
    with Progress(schedule, shown=launch.progress) as progress, terminated_like_interrupted():

        def say(line: str) -> None:
            log(line)
            progress.say(line)

        if not launch.beam_flags:
            run_locally(schedule, launch.workers, say)
            return
        from pipelines.engine.cluster import run_on_beam  # noqa: PLC0415 - imports Beam

        with StallWatch(schedule, say, end_after=launch.max_stall) as watch:
            try:
                run_on_beam(schedule, _beam_options(launch), twins, fence)
            except KeyboardInterrupt as stop:
                if watch.ended:
                    raise RunError(watch.why()) from stop
                raise


@contextmanager
def terminated_like_interrupted() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does, so that workers end and the user sees why."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def check_flags(launch: Launch) -> None:
    """Refuse wrong Beam flags before any work; without flags Beam is not imported.

    Raises:
        RunError: a flag is unknown, or the job would fail with these flags.
    """
    if launch.beam_flags:
        from pipelines.engine.preflight import refused_options  # noqa: PLC0415 - imports Beam

        options = _beam_options(launch)
        if not launch.check:  # which prints all reasons
            _refuse(refused_options(options))
    elif launch.check:
        raise RunError("--check builds a job for a cluster: name its runner after `--`.")


def check_places(
    launch: Launch, run: Run, units: Iterable[Unit], models: Mapping[str, str]
) -> None:
    """Refuse paths that the workers of a cluster cannot see.

    Args:
        launch: how the run is executed.
        run: the run directory.
        units: the units, with their inputs.
        models: paths of this machine that workers read besides, by flag.

    Raises:
        RunError: a path is local, and the workers are elsewhere.
    """
    if launch.beam_flags:
        from pipelines.engine.preflight import refused_paths  # noqa: PLC0415 - imports Beam

        inputs = (part.path for unit in units for part in unit.parts)
        _refuse(refused_paths(_beam_options(launch), run.path, inputs, models))


def _refuse(reasons: Iterable[str]) -> None:
    """Raise RunError with the first reason, if there is one."""
    if refused := list(reasons):
        more = f" ({len(refused) - 1} more: add --check to see them all)" if refused[1:] else ""
        raise RunError(refused[0] + more)


def check(
    launch: Launch, run: Run, models: Mapping[str, str], make_plan: Callable[[], Plan]
) -> NoReturn:
    """Build a job without running it, and print what it consists of and would fail of.

    Raises:
        RunError: the job would fail.
        JobNotRun: it can be submitted.
    """
    from pipelines.engine.check import check_job  # noqa: PLC0415 - imports Beam

    check_job(_beam_options(launch), run, models, make_plan)
    raise JobNotRun("the job can be submitted: run the same command without the check")


def check_run(launch: Launch) -> None:
    """Return if the job was run.

    Raises:
        JobNotRun: it was only written to a file, which the user submits.
    """
    if launch.beam_flags:
        from pipelines.engine.cluster import executable_of  # noqa: PLC0415 - imports Beam

        if written := executable_of(_beam_options(launch)):
            raise JobNotRun(
                f"wrote the job to {written}. Submit it; when it has ended, run the same command "
                "again without --output_executable_path to complete the run."
            )


def _beam_options(launch: Launch) -> Any:
    """Return Beam's ``PipelineOptions``; only launches with its flags import Beam."""
    from pipelines.engine.cluster import options_of  # noqa: PLC0415 - imports Beam

    return options_of(launch.beam_flags, launch.workers)
