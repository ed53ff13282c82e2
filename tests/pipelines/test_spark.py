"""The same bytes from a real Spark: a standalone master, a worker, Beam's job server.

All of it runs on this machine, on ports that are free when the tests begin, and ends with them.
"""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from pipelines.samples.github import write_github_export
from pipelines.samples.wikipedia import write_wikipedia_dumps
from tests.pipelines.commoncrawl.crawl import files as crawl_files
from tests.pipelines.commoncrawl.crawl import write_crawl, write_models

pytestmark = pytest.mark.spark

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("CORPUSMILL_DATA") or ROOT.parent / "shared" / "data")
HOST = "127.0.0.1"
START_SECONDS = 60
RUN_SECONDS = 300  # a stage a second or two, on a machine with nothing else to do
# What Spark on Java 17 reaches into.
OPENED = (
    "java.lang",
    "java.lang.invoke",
    "java.nio",
    "java.util",
    "java.util.concurrent",
    "sun.nio.ch",
)


def _job_server_jar() -> Path | None:
    """Return Beam's job server for Spark 3, which lies beside the data."""
    return max((DATA.parent / "jars").glob("beam-spark-3-job-server-*.jar"), default=None)


def _spark_home() -> Path | None:
    """Return the folder of pyspark, which carries Spark itself."""
    found = importlib.util.find_spec("pyspark")
    return Path(found.origin).parent if found and found.origin else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _ports(count: int) -> list[int]:
    ports: set[int] = set()
    while len(ports) < count:
        ports.add(_free_port())
    return list(ports)


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


@contextmanager
def _service(
    command: list[str], log: Path, *, ready: int | str
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command in a process group of its own while the context lasts.

    Args:
        command: what to start.
        log: where its output goes, in the folder where it runs.
        ready: the port that it listens on, or the words in its log, when it can be used.
    """
    environment = os.environ | {
        "SPARK_LOCAL_IP": HOST,
        "SPARK_HOME": str(_spark_home()),
        # Beam's worker pool starts `python`, which must be this one, and must find the packages.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=log.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        end = time.monotonic() + START_SECONDS
        while not (_accepts(ready) if isinstance(ready, int) else ready in log.read_text("utf-8")):
            if process.poll() is not None or time.monotonic() > end:
                pytest.fail(f"{command[0]} did not start:\n{log.read_text('utf-8')[-3000:]}")
            time.sleep(0.2)
        yield process
    finally:
        for number, seconds in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds)


@pytest.fixture(scope="session")
def flags(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Runner flags for a Spark that is there while the tests last."""
    java, home, jar = shutil.which("java"), _spark_home(), _job_server_jar()
    if not java:
        pytest.skip("no Spark: java is not on the PATH")
    if not home:
        pytest.skip("no Spark: pyspark is not installed (pip install 'corpusmill[spark]')")
    if not jar:
        pytest.skip("no Spark: no jars/beam-spark-3-job-server-*.jar beside CORPUSMILL_DATA")
    folder = tmp_path_factory.mktemp("spark")
    master, pool, jobs = _ports(3)
    opened = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED]
    spark = [f"{home}/bin/spark-class"]  # sets what its workers start executors with
    server = [java, "-cp", f"{jar}{os.pathsep}{home}/jars/*", *opened]
    deploy = "org.apache.spark.deploy"
    url = f"spark://{HOST}:{master}"
    arguments = {
        "master": f"--host {HOST} --port {master} --webui-port 0",
        "worker": f"--host {HOST} --webui-port 0 --cores 2 --memory 2G --work-dir work {url}",
        "pool": f"--service_port={pool}",
        "jobs": f"--job-host {HOST} --job-port {jobs} --artifact-port 0 --expansion-port 0 "
        f"--spark-master-url {url} --artifacts-dir artifacts",
    }
    services: list[tuple[str, list[str], int | str]] = [
        ("master", [*spark, f"{deploy}.master.Master"], master),
        ("worker", [*spark, f"{deploy}.worker.Worker"], "Successfully registered with master"),
        ("pool", [sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main"], pool),
        ("jobs", [*server, "org.apache.beam.runners.spark.SparkJobServerDriver"], jobs),
    ]
    with ExitStack() as running:
        for name, program, ready in services:
            command = [*program, *arguments[name].split()]
            running.enter_context(_service(command, folder / f"{name}.log", ready=ready))
        yield [
            "--runner=PortableRunner",
            f"--job_endpoint={HOST}:{jobs}",
            "--environment_type=EXTERNAL",
            f"--environment_config=localhost:{pool}",
            "--environment_cache_millis=60000",
            f"--files_to_stage={jar}",
        ]


def _curate(command: list[str], run: Path, runner: list[str]) -> dict[str, bytes]:
    """Curate in a process of its own; return every file whose bytes must not change."""
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", *command, "--quiet", "--run", str(run), "--", *runner],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    names = ["manifest.json", "stats.json", "COMPLETED"]
    parquet = [*run.glob("documents/*"), *run.glob("rejects/*")]
    return {
        path.relative_to(run).as_posix(): path.read_bytes()
        for path in [*(run / name for name in names), *parquet]
    }


def _github(folder: Path) -> list[str]:
    write_github_export(folder, megabytes=0.3)
    return ["github", "--input", str(folder)]


def _wikipedia(folder: Path) -> list[str]:
    write_wikipedia_dumps(folder, megabytes=0.1)
    return ["wikipedia", "--input", f"{folder}/*.xml.bz2"]


def _commoncrawl(folder: Path) -> list[str]:
    models = folder / "models"
    models.mkdir(parents=True)
    write_models(models)
    inputs = write_crawl(folder, crawl_files())
    named = ["--langid", f"{models}/lid.bin", "--wikiref", f"{models}/wikiref.bin"]
    return ["commoncrawl", "--models", str(models), *named, "--scope", "dump", "--input", *inputs]


@pytest.mark.parametrize("command", [_github, _wikipedia, _commoncrawl])
def test_spark_writes_what_the_local_runner_writes(
    tmp_path: Path, flags: list[str], command: Callable[[Path], list[str]]
) -> None:
    """Manifest, statistics and every document and reject, byte for byte."""
    words = command(tmp_path / "inputs")
    here = _curate(words, tmp_path / "here", [])
    there = _curate(words, tmp_path / "there", flags)
    assert there["manifest.json"] == here["manifest.json"]
    assert there == here
