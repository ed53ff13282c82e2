"""The bytes of a run depend on no runner and on no number of workers."""

from pathlib import Path

import pytest

from tests.faults.equality import SPARK, compare
from tests.faults.spark_cluster import SparkCluster
from tests.faults.subjects import SUBJECTS


@pytest.mark.parametrize("source", SUBJECTS)
def test_any_number_of_workers_gives_the_same_bytes(tmp_path: Path, source: str) -> None:
    """One, two and four processes: manifest, statistics, and every document and reject."""
    found = compare(SUBJECTS[source](tmp_path / "in", None, small=True), tmp_path)
    assert len(found.runs["1"]) > 3
    assert found.differences == []


# Sources run in tests/pipelines/test_spark.py as well, on inputs in which each rule occurs.
@pytest.mark.spark
@pytest.mark.parametrize(
    "source",
    [
        pytest.param(source, marks=() if source == "tokenize" else pytest.mark.slow)
        for source in SUBJECTS
    ],
)
def test_spark_gives_the_bytes_of_this_machine(
    tmp_path: Path, spark: SparkCluster, source: str
) -> None:
    """A standalone master, a worker and Beam's job server, which end with the tests."""
    found = compare(SUBJECTS[source](tmp_path / "in", None, small=True), tmp_path, spark)
    assert SPARK in found.runs
    assert found.differences == []
