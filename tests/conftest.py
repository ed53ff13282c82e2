"""What tests find beside the project: real inputs (marker ``data``), a Spark (marker ``spark``).

Tests with the marker ``tex`` typeset papers, which takes minutes: they run with ``--typeset``.
"""

import getpass
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.spark_cluster import Installation, NoSparkError, SparkCluster

_BESIDE = Path(__file__).parents[2] / "shared" / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of this project's tests."""
    parser.addoption("--typeset", action="store_true", help="typeset papers with pdflatex")


@pytest.fixture(scope="session", autouse=True)
def _temporary_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what tests and their processes leave behind, such as those that are killed, to pytest.

    It removes the folders of all but the newest sessions. What PyTorch compiles is a cache, and
    stays where it is.
    """
    folder = tmp_path_factory.mktemp("temporary", numbered=False)
    with pytest.MonkeyPatch.context() as patch:
        if "TORCHINDUCTOR_CACHE_DIR" not in os.environ:
            cache = Path(tempfile.gettempdir()) / f"torchinductor_{getpass.getuser()}"
            patch.setenv("TORCHINDUCTOR_CACHE_DIR", str(cache))
        patch.setenv("TMPDIR", str(folder))
        patch.setattr(tempfile, "tempdir", str(folder))
        yield


@pytest.fixture(scope="session")
def tex(request: pytest.FixtureRequest) -> None:
    """Skip the test, and say why, unless TeX is wanted and installed."""
    if not request.config.getoption("--typeset"):
        pytest.skip("typesetting takes minutes: give --typeset to run it")
    for program in ("pdflatex", "pdftotext"):
        if not shutil.which(program):
            pytest.skip(f"no {program}: install Debian's texlive-latex-extra and poppler-utils")


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
