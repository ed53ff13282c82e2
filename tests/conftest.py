"""What tests find beside the project: real inputs (marker ``data``), a Spark (marker ``spark``)."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.spark_cluster import Installation, NoSparkError, SparkCluster

_BESIDE = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def data() -> Path:
    """Return the folder of real inputs, or skip the test and say why."""
    folder = Path(os.environ.get("CORPUSMILL_DATA") or _BESIDE)
    if not folder.is_dir():
        pytest.skip(f"no real data: set CORPUSMILL_DATA ({folder} is absent)")
    return folder


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkCluster]:
    """Return a Spark that is there while the tests last, or skip the test and say why."""
    try:
        installation = Installation.find()
    except NoSparkError as error:
        pytest.skip(f"no Spark: {error}")
    with SparkCluster(installation, tmp_path_factory.mktemp("spark")) as cluster:
        yield cluster
