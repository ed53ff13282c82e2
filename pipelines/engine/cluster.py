"""Run what is left of a run as a Beam pipeline, on the runner that the user's flags name."""

import logging
import re
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    PipelineOptions,
    PortableOptions,
    SetupOptions,
)
from apache_beam.runners.runner import PipelineState

from pipelines.engine.errors import RunError
from pipelines.engine.graph import build
from pipelines.engine.lock import Fence
from pipelines.engine.preflight import graph_of, is_dataflow, refused_graph
from pipelines.engine.schedule import Schedule
from pipelines.engine.twins import TwinCheck
from pipelines.engine.worker import Worker
from pipelines.storage.files import StorageError
from pipelines.storage.temporary import machine_folder, removed_after
from tokenizer.settings import nearest

_OUR_ERROR = re.compile(
    r"(?:RunError|MachineError|StorageError|UnreadableFile): (.*?)(?= \[while running|\n|$)"
)
# A line of a Java stack trace, which says where and not what: "at a.b.C.d(E.java:5)", "... 3 more".
_JAVA_FRAME = re.compile(
    r"\s*(?:at )?[\w.$/<>@-]+\([^()]*\)\s*|\s*\.\.\. \d+ (?:more|common frames.*)"
)
_READING_THREAD = "wait_until_finish_read"  # of Beam's portable runner: reads a job's messages
_READING_SECONDS = 2.0  # in which it sees that the job server is gone
JOB_SERVER_SECONDS = 20.0  # in which a job server that starts now can be reached
_JOB_SERVER_PAUSE_SECONDS = 0.5
_BUSY = "Only one SparkContext should be running"  # Spark's job server runs one job at a time
# Beam's runners; a class of one's own is named with its module.
RUNNERS = (
    *("DataflowRunner", "SparkRunner", "FlinkRunner", "PortableRunner", "DirectRunner"),
    *("PrismRunner", "BundleBasedDirectRunner", "SwitchingDirectRunner", "FnApiRunner"),
)
_TOLD_CHARS = 240  # of what a runner has to say
# Set for every runner, unless the user's flags say otherwise.
_DEFAULTS = {
    # A process runs one unit at a time: a unit may take a gigabyte, and Python has one lock.
    "--number_of_worker_harness_threads": "1",
    # Python processes per machine; 0 lets the runner start one per core.
    "--sdk_worker_parallelism": "0",
}


def options_of(beam_flags: Sequence[str], workers: int) -> PipelineOptions:
    """Return Beam's options.

    Args:
        beam_flags: the words after ``--`` on the command line.
        workers: Python processes per machine; 1 leaves the number to the runner.

    Raises:
        RunError: no runner is named, or Beam does not know a flag. With a portable runner unknown
            flags pass, since they may be meant for the job server.
    """
    flags = list(beam_flags)
    runner = _value_of(flags, "--runner")
    if not runner:
        raise RunError(
            "Beam's flags follow `--`, and --runner=... is not among them. Name the runner, or "
            "leave the flags out to run on this machine."
        )
    known_names = {name.lower() for name in RUNNERS}
    if "." not in runner and f"{runner.lower().removesuffix('runner')}runner" not in known_names:
        hint = nearest(runner, RUNNERS) or f": it is one of {', '.join(RUNNERS)}"
        raise RunError(f"--runner={runner}: Beam has no such runner{hint}")
    given = {flag.split("=", 1)[0] for flag in flags}
    for flag, value in _DEFAULTS.items():
        if flag not in given:
            many = workers > 1 and flag == "--sdk_worker_parallelism"
            flags.append(f"{flag}={workers if many else value}")
    if "--save_main_session" not in given:  # a job's functions are in modules, not in __main__
        flags.append("--no_save_main_session")
    options = PipelineOptions(flags)
    setup = options.view_as(SetupOptions)
    if setup.requirements_file and not setup.requirements_cache:  # Beam's own place, which stays
        setup.requirements_cache = str(Path(machine_folder()) / "beam-requirements-cache")
    known = options.get_all_options()
    unknown = sorted(options.get_all_options(retain_unknown_options=True).keys() - known.keys())
    if unknown and "Portable" not in runner:
        raise RunError(f"unknown Beam flag --{unknown[0]}{nearest(unknown[0], known)}")
    return options


def executable_of(options: PipelineOptions) -> str:
    """Return the file that a job is written to instead of being run, or ""."""
    return options.view_as(PortableOptions).output_executable_path or ""


def _value_of(flags: Sequence[str], name: str) -> str:
    """Return the value of ``--flag=value`` or ``--flag value``, or "" if the flag is not there."""
    for at, flag in enumerate(flags):
        if flag.startswith(f"{name}="):
            return flag.split("=", 1)[1]
        if flag == name and at + 1 < len(flags):
            return flags[at + 1]
    return ""


def check_job_server(endpoint: str) -> None:
    """Refuse an address at which no job server answers: Beam would wait for it without a word.

    Args:
        endpoint: ``HOST:PORT``; nothing is checked if it is empty or ``embed``.

    Raises:
        RunError: nothing listens there.
    """
    host, _, port = endpoint.rpartition(":")
    if not host:
        return
    end = time.monotonic() + JOB_SERVER_SECONDS
    while True:
        try:
            with socket.create_connection((host.strip("[]"), int(port)), JOB_SERVER_SECONDS):
                return
        except (OSError, ValueError) as error:
            if isinstance(error, ValueError) or time.monotonic() > end:
                raise RunError(
                    f"no job server answers at --job_endpoint={endpoint} ({error}). Start it, or "
                    "give the address at which it listens, HOST:PORT."
                ) from error
        time.sleep(_JOB_SERVER_PAUSE_SECONDS)


def run_on_beam(
    schedule: Schedule, options: PipelineOptions, twins: TwinCheck, fence: Fence
) -> None:
    """Build the pipeline of what is left to do, and run it to its end.

    Beam's own messages go to a log file, which the error names if the run fails. Otherwise they
    would bury the one line that tells the user what to do. Beam's temporary files are removed.

    Raises:
        RunError: what went wrong and what to do, in one line.
    """
    check_job_server(options.view_as(PortableOptions).job_endpoint or "")
    with _kept_if_told() as log, removed_after("corpusmill-beam-"):
        handler = logging.StreamHandler(log)
        logger = logging.getLogger("apache_beam")
        logger.addHandler(handler)
        logger.propagate = False
        result: Any = None
        try:
            if executable_of(options):
                fence = Fence("")  # the user submits the job when this launcher is gone
            pipeline = beam.Pipeline(options=options)
            build(pipeline, schedule, Worker(schedule.workspace, twins, fence))
            check_graph(pipeline)
            with _threads_that_log(logger):
                result = pipeline.run()
                state = result.wait_until_finish()
        except KeyboardInterrupt:
            _cancel(result)
            raise
        except (RunError, StorageError):
            raise
        except Exception as error:
            # Workers send errors as text: find our line, which says what to do, in the traceback.
            if ours := _OUR_ERROR.search(str(error)):
                raise RunError(ours.group(1)) from error
            logger.exception("the pipeline failed")
            if _BUSY in str(error):
                raise RunError(
                    "the job server still runs another job, perhaps that of a command which was "
                    "killed. Run the same command again when that job has ended, or restart the "
                    "job server."
                ) from error
            raise RunError(
                f"the runner failed ({what_failed(error)}; its log: {log.name}). Run the same "
                "command again to resume."
            ) from error
        finally:
            logger.removeHandler(handler)
            logger.propagate = True
        if state not in (None, PipelineState.DONE):
            raise RunError(
                f"the runner ended as {state} (its log: {log.name}). Run the same command again to "
                "resume."
            )


@contextmanager
def _kept_if_told() -> Iterator[IO[str]]:
    """Open a file for Beam's messages, which stays only if the block's error names it."""
    told = False
    with tempfile.NamedTemporaryFile(
        "w", prefix="corpusmill-beam-", suffix=".log", delete=False
    ) as log:
        try:
            yield log
        except RunError as error:
            told = log.name in str(error)
            raise
        finally:
            if not told:
                Path(log.name).unlink(missing_ok=True)


def check_graph(pipeline: beam.Pipeline) -> None:
    """Refuse a graph that its runner would not take.

    Raises:
        RunError: the message says what is wrong with it.
    """
    graph = graph_of(pipeline)
    if refused := next(refused_graph(graph, dataflow=is_dataflow(pipeline.options)), ""):
        raise RunError(refused)


@contextmanager
def _threads_that_log(logger: logging.Logger) -> Iterator[None]:
    """Let errors in Beam's threads go to its log, while a block lasts, and not to the user.

    The thread that reads a job's messages ends with one where the job server dies.
    """
    before = threading.excepthook

    def log(told: threading.ExceptHookArgs) -> None:
        logger.error("in the thread %s: %s: %s", told.thread, told.exc_type, told.exc_value)

    threading.excepthook = log
    try:
        yield
    finally:
        for thread in threading.enumerate():
            if thread.name == _READING_THREAD:
                thread.join(_READING_SECONDS)
        threading.excepthook = before


def what_failed(error: BaseException) -> str:
    """Return the line of a runner's error that says what went wrong: the last that is no frame.

    >>> what_failed(RuntimeError("job-1 FAILED: no memory" + chr(10) + "at a.B.c(B.java:5)"))
    'job-1 FAILED: no memory'
    """
    details = getattr(error, "details", None)
    if callable(details):  # of gRPC: its text has many lines
        return f"the job server's connection: {details()}"[:_TOLD_CHARS]
    lines = [line for line in str(error).splitlines() if line.strip()]
    said = [line.strip() for line in lines if not _JAVA_FRAME.fullmatch(line)]
    return (said[-1] if said else type(error).__name__)[:_TOLD_CHARS]


def _cancel(result: Any) -> None:
    """Cancel a job that would run on without its launcher; tell the user if that fails."""
    if result is None:
        return
    try:
        result.cancel()
    except Exception as error:  # noqa: BLE001 - runners raise anything, and the user must know
        job = getattr(result, "job_id", None) or getattr(result, "_job_id", "")
        print(
            f"the job {job} could not be cancelled ({error}) and is still running. Cancel it with "
            "the runner's own tool before you run the same command again."
        )
