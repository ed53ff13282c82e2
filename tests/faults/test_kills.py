"""``kill -9`` at random moments: the run recovers or the same command completes it, equal."""

import random
import time
from pathlib import Path

import pytest

from tests.faults.kills import LOCAL_TARGETS, RUN_SECONDS, Fault, Trials, content, progress
from tests.faults.spark_cluster import DATA, POOL, SparkCluster
from tests.faults.spark_targets import spark_targets
from tests.faults.subjects import SUBJECTS

SEED = 12


def _lines(faults: list[Fault]) -> str:
    return "\n".join(map(str, faults))


@pytest.mark.parametrize("source", SUBJECTS)
def test_a_run_survives_kills_of_its_launcher_and_its_workers(tmp_path: Path, source: str) -> None:
    """One kill of each kind on small inputs; ``python -m tests.faults`` does more."""
    trials = Trials(SUBJECTS[source](tmp_path / "in", None, small=True), tmp_path)
    trials.run_undisturbed()
    assert trials.whole["manifest.json"]
    rng = random.Random(f"{SEED} {source}")
    faults = [trials.disturb(target, rng) for target in LOCAL_TARGETS]
    assert all(fault.survived for fault in faults), _lines(faults)
    launcher, worker = faults
    assert launcher.again == 1
    assert worker.again == 0  # its work is given to another


@pytest.mark.slow
@pytest.mark.parametrize("source", SUBJECTS)
def test_a_run_survives_many_kills(tmp_path: Path, source: str) -> None:
    """On the real sample, where it is there."""
    data = DATA if DATA.is_dir() else None
    trials = Trials(SUBJECTS[source](tmp_path / "in", data, small=False), tmp_path)
    trials.run_undisturbed()
    rng = random.Random(f"{SEED} {source} many")
    faults = [trials.disturb(target, rng) for target in LOCAL_TARGETS * 3]
    assert all(fault.survived for fault in faults), _lines(faults)


@pytest.mark.spark
def test_a_run_on_spark_survives_the_kill_of_an_sdk_worker(
    tmp_path: Path, spark: SparkCluster
) -> None:
    """The bytes are those of a run on this machine alone, which nobody disturbed."""
    subject = SUBJECTS["commoncrawl"](tmp_path / "in", None, small=True)
    trials = Trials(subject, tmp_path, spark.flags)
    trials.run_undisturbed(runner=[])
    (sdk_worker,) = (target for target in spark_targets(spark) if target.name == "sdk worker")
    fault = trials.disturb(sdk_worker, random.Random(SEED))
    assert fault.survived, str(fault)


@pytest.mark.spark
@pytest.mark.slow
@pytest.mark.parametrize("source", SUBJECTS)
def test_a_run_on_spark_survives_the_kill_of_any_service(
    tmp_path: Path, spark: SparkCluster, source: str
) -> None:
    """Launcher, SDK worker, its pool, Spark's worker, job server: one kill of each."""
    trials = Trials(SUBJECTS[source](tmp_path / "in", None, small=True), tmp_path, spark.flags)
    trials.run_undisturbed()
    rng = random.Random(f"{SEED} {source} spark")
    faults = [trials.disturb(target, rng) for target in spark_targets(spark)]
    assert all(fault.survived for fault in faults), _lines(faults)


@pytest.mark.spark
@pytest.mark.slow
def test_a_job_that_hangs_is_ended_and_completed_later(tmp_path: Path, spark: SparkCluster) -> None:
    """Spark waits without end for Python workers that do not answer; ``--max-stall`` does not."""
    subject = SUBJECTS["github"](tmp_path / "in", None, small=True)
    Trials(subject, tmp_path).run_undisturbed()
    run = tmp_path / "run"
    runner = ["--max-stall", "0.5", "--", *spark.flags]
    command = subject.start(run, runner, 2)
    while command.poll() is None and "claims" not in progress(run):
        time.sleep(0.1)
    spark.freeze(POOL)
    try:
        _, told = command.communicate(timeout=RUN_SECONDS)
    finally:
        spark.kill(POOL)
        spark.start(POOL)
    assert command.returncode == 1
    assert "no unit was finished for 0.5 minutes (--max-stall)" in told.splitlines()[-1]
    assert subject.start(run, runner, 2).wait(RUN_SECONDS) == 0
    assert content(run) == content(tmp_path / "github-whole")
