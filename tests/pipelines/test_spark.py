"""The same bytes from a real Spark: a standalone master, a worker, Beam's job server.

All of it runs on this machine, on ports that are free when the tests begin, and ends with them.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.samples.arxiv import write_arxiv_bucket
from pipelines.samples.books import write_books
from pipelines.samples.github import write_github_export
from pipelines.samples.stackexchange import write_stackexchange_dumps
from pipelines.samples.wikipedia import write_wikipedia_dumps
from tests.faults.spark_cluster import HOST, SparkCluster
from tests.pipelines.c4 import pages as c4
from tests.pipelines.commoncrawl.crawl import files as crawl_files
from tests.pipelines.commoncrawl.crawl import write_crawl, write_models

pytestmark = pytest.mark.spark

ROOT = Path(__file__).parents[2]
RUN_SECONDS = 300  # a stage a second or two, on a machine with nothing else to do


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


def _c4(folder: Path) -> list[str]:
    inputs = c4.write_crawl(folder, c4.crawl())
    return ["c4", "--badwords", c4.write_badwords(folder / "badwords"), "--wet", *inputs]


def _stackexchange(folder: Path) -> list[str]:
    inputs = map(str, write_stackexchange_dumps(folder))
    small = ["--unit-megabytes", "0.001", "--group-megabytes", "0.001"]
    return ["stackexchange", *small, "--input", *inputs]


def _arxiv(folder: Path) -> list[str]:
    write_arxiv_bucket(folder)
    return ["arxiv", "--input", str(folder)]


def _books(folder: Path) -> list[str]:
    write_books(folder, megabytes=0.1)
    return ["books", "--gutenberg", str(folder)]


@pytest.mark.parametrize(
    "command",
    [_github, _wikipedia, _commoncrawl, _c4, _stackexchange, _arxiv, _books],
)
def test_spark_writes_what_the_local_runner_writes(
    tmp_path: Path, spark: SparkCluster, command: Callable[[Path], list[str]]
) -> None:
    """Manifest, statistics and every document and reject, byte for byte."""
    words = command(tmp_path / "inputs")
    here = _curate(words, tmp_path / "here", [])
    there = _curate(words, tmp_path / "there", spark.flags)
    assert there["manifest.json"] == here["manifest.json"]
    assert there == here


def test_a_job_that_is_written_to_a_file_is_submitted_by_the_user(
    tmp_path: Path, spark: SparkCluster
) -> None:
    """As Kubernetes' operator does it: a jar, `spark-submit`, and the same command to complete."""
    words = _github(tmp_path / "inputs")
    here = _curate(words, tmp_path / "here", [])
    run, jar = tmp_path / "there", tmp_path / "job.jar"
    command = [sys.executable, "-m", "pipelines", *words, "--quiet", "--run", str(run), "--"]
    written = subprocess.run(
        [*command, *spark.flags, f"--output_executable_path={jar}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    assert written.returncode == 0, written.stderr[-3000:]
    assert written.stdout.startswith(f"wrote the job to {jar}. Submit it")
    assert not (run / "COMPLETED").exists()
    home = spark._installation.home
    master = ["--master", f"spark://{HOST}:{spark._master}"]
    main = ["--class", "org.apache.beam.runners.spark.SparkPipelineRunner"]
    subprocess.run(
        [home / "bin" / "spark-submit", *master, *main, jar],
        env=os.environ | {"SPARK_LOCAL_IP": HOST, "SPARK_HOME": str(home)},
        timeout=RUN_SECONDS,
        check=True,
    )
    assert len(list(run.glob("units/*.json"))) > 0
    assert _curate(words, run, spark.flags) == here
