"""The bundled table of cutoffs is CCNet's, to the last language.

CCNet's table stays in the folder of shared inputs and is read when the tests run.
"""

import csv
import os
from functools import partial
from pathlib import Path

import pytest

from filters.commoncrawl.cutoffs import PUBLISHED_PATH, bucket, read_cutoffs

pytestmark = pytest.mark.data

_REPOSITORY = Path(__file__).resolve().parents[3]
_DATA = Path(os.environ.get("CORPUSMILL_DATA") or _REPOSITORY.parent / "shared" / "data")
_TABLE = _DATA.parent / "spec" / "ccnet_cutoffs.csv"


def _rows() -> list[dict[str, str]]:
    if not _TABLE.is_file():
        return []
    with _TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.skipif(not _TABLE.is_file(), reason=f"no table of cutoffs: {_TABLE} is absent")
def test_the_table_has_no_other_languages() -> None:
    """The languages of the table, and no more."""
    assert {row["language"] for row in _rows()} == read_cutoffs(PUBLISHED_PATH).by_language.keys()


@pytest.mark.parametrize("row", _rows(), ids=lambda row: row["language"])
def test_the_published_cutoffs(row: dict[str, str]) -> None:
    """Each language has CCNet's percentiles; a page at a cutoff is in the worse bucket."""
    cutoffs = read_cutoffs(PUBLISHED_PATH)
    name = partial(bucket, language=row["language"], cutoffs=cutoffs)
    head, middle = float(row["p30"]), float(row["p60"])
    assert [name(head - 0.1), name(head), name(middle)] == ["head", "middle", "tail"]
