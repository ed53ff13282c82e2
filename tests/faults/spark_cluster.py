"""A standalone Spark on this machine: a master, a worker, Beam's worker pool and its job server.

All of it listens on ports of this machine that are free when it starts. Each service runs in a
process group of its own, can be killed as a machine that fails would be, and can be started again
on the same port.
"""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("CORPUSMILL_DATA") or ROOT.parent / "shared" / "data")
HOST = "127.0.0.1"
START_SECONDS = 60
STOP_SECONDS = 10
# What Spark on Java 17 reaches into.
OPENED = (
    "java.lang",
    "java.lang.invoke",
    "java.nio",
    "java.util",
    "java.util.concurrent",
    "sun.nio.ch",
)
MASTER, WORKER, POOL, JOBS = "master", "worker", "pool", "jobs"  # in the order in which they start


class NoSparkError(Exception):
    """Something that Spark needs is not on this machine; the message says what."""


class ServiceError(Exception):
    """A service did not start; the message ends with what it logged."""


@dataclass(frozen=True)
class Installation:
    """What a Spark is started from."""

    java: str  # the program
    home: Path  # the folder of pyspark, which carries Spark itself
    jar: Path  # Beam's job server for Spark 3

    @classmethod
    def find(cls) -> Self:
        """Return what is installed here.

        Raises:
            NoSparkError: something is missing.
        """
        java, spark = shutil.which("java"), importlib.util.find_spec("pyspark")
        jar = max((DATA.parent / "jars").glob("beam-spark-3-job-server-*.jar"), default=None)
        if not java:
            raise NoSparkError("java is not on the PATH")
        if not spark or not spark.origin:
            raise NoSparkError("pyspark is not installed (pip install 'corpusmill[spark]')")
        if not jar:
            raise NoSparkError("no jars/beam-spark-3-job-server-*.jar beside CORPUSMILL_DATA")
        return cls(java, Path(spark.origin).parent, jar)


@dataclass(frozen=True)
class Service:
    """A program that serves others.

    ``ready`` is the port that it listens on, or the words in its log, when it can be used.
    """

    name: str
    command: tuple[str, ...]
    ready: int | str


class SparkCluster:
    """The services of a Spark, while a block lasts.

    Args:
        installation: what they are started from.
        folder: where they run, and where their logs go.
    """

    def __init__(self, installation: Installation, folder: Path) -> None:
        self._installation = installation
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._master, self._pool, self._jobs = _ports(3)
        self._services = {service.name: service for service in self._plan()}

    def _plan(self) -> list[Service]:
        java, home, jar = (
            self._installation.java,
            self._installation.home,
            self._installation.jar,
        )
        spark = f"{home}/bin/spark-class"  # sets what its workers start executors with
        opened = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED]
        server = [java, "-cp", f"{jar}{os.pathsep}{home}/jars/*", *opened]
        deploy, url = "org.apache.spark.deploy", f"spark://{HOST}:{self._master}"
        master = f"--host {HOST} --port {self._master} --webui-port 0"
        worker = f"--host {HOST} --webui-port 0 --cores 2 --memory 2G --work-dir work {url}"
        jobs = (
            f"--job-host {HOST} --job-port {self._jobs} --artifact-port 0 --expansion-port 0 "
            f"--spark-master-url {url} --artifacts-dir artifacts"
        )
        pool = (sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main")
        driver = "org.apache.beam.runners.spark.SparkJobServerDriver"
        return [
            Service(MASTER, (spark, f"{deploy}.master.Master", *master.split()), self._master),
            Service(
                WORKER,
                (spark, f"{deploy}.worker.Worker", *worker.split()),
                "Successfully registered with master",
            ),
            Service(POOL, (*pool, f"--service_port={self._pool}"), self._pool),
            Service(JOBS, (*server, driver, *jobs.split()), self._jobs),
        ]

    @property
    def flags(self) -> list[str]:
        """The flags that run a pipeline here."""
        return [
            "--runner=PortableRunner",
            f"--job_endpoint={HOST}:{self._jobs}",
            "--environment_type=EXTERNAL",
            f"--environment_config=localhost:{self._pool}",
            "--environment_cache_millis=60000",
            f"--files_to_stage={self._installation.jar}",
        ]

    def __enter__(self) -> Self:
        try:
            for name in self._services:
                self.start(name)
        except BaseException:
            self._stop_all()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_all()

    def pid(self, name: str) -> int:
        """Return the process id of a service."""
        return self._processes[name].pid

    def start(self, name: str) -> None:
        """Start a service, and return when it can be used.

        Raises:
            ServiceError: it does not start.
        """
        service = self._services[name]
        temporary = self._folder / "temporary"  # of Python and of Java, which knows no TMPDIR
        temporary.mkdir(exist_ok=True)
        environment = os.environ | {
            "TMPDIR": str(temporary),
            "JAVA_TOOL_OPTIONS": f"-Djava.io.tmpdir={temporary}",
            "SPARK_LOCAL_DIRS": str(temporary),
            "SPARK_LOCAL_IP": HOST,
            "SPARK_HOME": str(self._installation.home),
            # Beam's worker pool starts `python`, which must be this one and find the packages.
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        }
        log = self._folder / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                service.command,
                cwd=self._folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._processes[name] = process
        end = time.monotonic() + START_SECONDS
        while not _is_ready(service, log):
            if process.poll() is not None or time.monotonic() > end:
                raise ServiceError(f"{name} did not start:\n{log.read_text('utf-8')[-3000:]}")
            time.sleep(0.2)

    def kill(self, name: str) -> None:
        """End a service and all that it started, at once, as a machine that fails does."""
        process = self._processes[name]
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOP_SECONDS)

    def freeze(self, name: str) -> None:
        """Let a service and all that it started neither work nor end."""
        os.killpg(self._processes[name].pid, signal.SIGSTOP)

    def _stop_all(self) -> None:
        for process in reversed(self._processes.values()):
            for number in (signal.SIGTERM, signal.SIGKILL):
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(STOP_SECONDS)


def _is_ready(service: Service, log: Path) -> bool:
    if isinstance(service.ready, str):
        return service.ready in log.read_text("utf-8")
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, service.ready)) == 0


def _ports(count: int) -> list[int]:
    ports: set[int] = set()
    while len(ports) < count:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            ports.add(int(probe.getsockname()[1]))
    return list(ports)
