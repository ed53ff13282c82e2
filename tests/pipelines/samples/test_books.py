"""The sample books: real in form, the same each time, and each there for its rule."""

from pathlib import Path

import pytest

from pipelines.books.config import BooksConfig
from pipelines.books.source import BOOKS
from pipelines.engine.launch import Launch, run_source
from pipelines.samples.books import FIRST_NUMBER, write_books
from tests.pipelines.engine.test_pool import rows


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the books that are always there."""
    folder = tmp_path_factory.mktemp("shelf")
    write_books(folder, megabytes=0.1)
    return folder


def test_the_same_python_gives_the_same_bytes(shelf: Path, tmp_path: Path) -> None:
    """Whatever is there already."""
    again = write_books(tmp_path, megabytes=0.1)
    assert [path.read_bytes() for path in again] == [
        path.read_bytes() for path in write_books(shelf, megabytes=0.1)
    ]


def test_each_book_meets_its_rule(shelf: Path, tmp_path: Path) -> None:
    """An edition, two parts of a collection, a second file, a leaflet, and a recording."""
    config = BooksConfig(gutenberg=(str(shelf),))
    run_source(BOOKS, config, str(tmp_path / "run"), Launch(progress=False))
    kept = {row["id"] for row in rows(tmp_path / "run", "documents")}
    reasons: dict[str, list[str]] = {}
    for row in rows(tmp_path / "run", "rejects"):
        reasons.setdefault(row["reason"], []).append(row["id"])
    volumes = len(kept) + 1  # of the edition and its original one is kept, and the collection is
    number = FIRST_NUMBER + volumes
    first, second, third = (f"gutenberg:{FIRST_NUMBER + place}" for place in range(3))
    assert len(reasons["overlap"]) == 3
    assert (
        {second, third} < set(reasons["overlap"]) <= {first, second, third, f"gutenberg:{number}"}
    )
    assert f"gutenberg:{number + 1}" in kept
    assert {reason: len(ids) for reason, ids in reasons.items()} == {
        "overlap": 3,
        "other_version": 1,
        "too_short": 1,
        "not_text": 1,
    }
    for row in rows(tmp_path / "run", "documents"):
        assert "GUTENBERG" not in row["text"].upper()
        assert row["lang"] == "en"
