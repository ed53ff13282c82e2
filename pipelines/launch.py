"""Run a source's pipeline: on this machine by default, on any Beam runner by its flags."""

import logging
import os
import re
import shlex
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Self

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.local_job_service import SubprocessSdkWorker

from pipelines import storage
from pipelines.plan import Plan
from pipelines.progress import Progress
from pipelines.runs import Run, RunError, check_failed_files
from pipelines.settings import nearest
from pipelines.stages import Ledger

LOCAL_RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
_OUR_ERROR = re.compile(r"(?:RunError|StorageError|UnreadableFile): (.*?)(?= \[while running|\n|$)")
_GRACE_SECONDS = 5.0  # for Beam to notice by itself that a worker process died


class WorkerWatch:
    """Notice when a local worker process dies, as it does when memory runs out.

    What workers print, and what Beam has to say of them here, goes to a log, which stays only if
    one dies: their errors reach us as exceptions as well, and tracebacks of threads would hide the
    one line that says what to do.

    Beam only logs it: the run then fails with an error about a channel, or waits for ever for an
    answer. Here it ends with one line: by :attr:`died` where Beam fails by itself, else by leaving
    the process, since what waits cannot be woken; workers end when their channel closes.
    """

    def __init__(self) -> None:
        self.died = ""  # what happened, or "" while all live
        self._log = ""
        self._started = False
        self._handler: logging.Handler | None = None
        self._noticed = threading.Event()
        self._closed = threading.Event()
        self._run = SubprocessSdkWorker.run

    def __enter__(self) -> Self:
        handle, self._log = tempfile.mkstemp(prefix="corpusmill-workers-", suffix=".log")
        os.close(handle)
        quiet = f"exec >>{shlex.quote(self._log)} 2>&1; exec "

        def run(worker: Any) -> None:
            self._redirect()
            worker._worker_command_line = quiet + worker._worker_command_line  # noqa: SLF001 - Beam has no option
            try:
                self._run(worker)
            except RuntimeError as error:
                self._notice(str(error))

        SubprocessSdkWorker.run = run
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closed.set()
        SubprocessSdkWorker.run = self._run
        if self._handler:
            logging.getLogger("apache_beam").removeHandler(self._handler)
            logging.getLogger("apache_beam").propagate = True
            threading.excepthook = threading.__excepthook__
            self._handler.close()
        if not self.died:
            storage.remove([self._log])

    def _redirect(self) -> None:
        if self._started:
            return
        self._started = True
        self._handler = logging.FileHandler(self._log)
        beam_logger = logging.getLogger("apache_beam")
        beam_logger.addHandler(self._handler)
        beam_logger.propagate = False
        threading.excepthook = lambda failed: beam_logger.error(
            "in thread %s",
            failed.thread,
            exc_info=failed.exc_value,
        )

    def _notice(self, what: str) -> None:
        code = what.rsplit(" ", 1)[-1]
        self.died = (
            f"a worker process died (exit code {code}; its log: {self._log}), perhaps "
            "for want of memory. Give the same command again to resume; fewer --workers need less."
        )
        self._noticed.set()
        if not self._closed.wait(_GRACE_SECONDS):
            print(f"error: {self.died}", file=sys.stderr, flush=True)
            os._exit(1)

    def blame(self) -> str:
        """Return what happened to a worker; the news may come a moment after Beam's error."""
        if self._started:
            self._noticed.wait(1.0)
        return self.died


@dataclass(frozen=True)
class Source:
    """One of the corpus's sources: how it is configured, planned and built."""

    name: str
    settings: type[Any]
    plan: Callable[[Any], Plan]
    build: Callable[[beam.Pipeline, Plan, Any, Run], None]


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
            "--default_sdk_harness_log_level=ERROR",
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
    options = options_of(launch)
    run = Run(path)
    plan = source.plan(settings)
    config = {
        "source": source.name,
        **asdict(settings),
        # What the run reads, as found: resuming over other inputs is refused.
        "input": {storage.basename(unit.path): unit.size for unit in plan.units},
        "input_paths": sorted(unit.path for unit in plan.units),
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
            execute(source, plan, settings, run, options)
        return run.finish(
            plan,
            allow_empty=launch.allow_empty,
            max_failed_files=launch.max_failed_files,
        )


def execute(source: Source, plan: Plan, settings: Any, run: Run, options: PipelineOptions) -> None:
    """Build the pipeline and run it to its end."""
    logging.getLogger("apache_beam").setLevel(logging.ERROR)
    pipeline = beam.Pipeline(options=options)
    source.build(pipeline, plan, settings, run)
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
