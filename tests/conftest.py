"""The real inputs, for tests that carry the marker ``data``."""

import os
from pathlib import Path

import pytest

_BESIDE = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def data() -> Path:
    """Return the folder of real inputs, or skip the test and say why."""
    folder = Path(os.environ.get("CORPUSMILL_DATA") or _BESIDE)
    if not folder.is_dir():
        pytest.skip(f"no real data: set CORPUSMILL_DATA ({folder} is absent)")
    return folder
