"""The source on 500 made books: what brute force finds goes, whoever works and in any order."""

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.books.config import BooksConfig
from pipelines.books.source import BOOKS
from pipelines.engine.launch import Launch, run_source
from tests.faults.spark_cluster import SparkCluster
from tests.pipelines.engine.test_pool import LOCAL_BEAM, content, rows
from tests.pipelines.joins.made_books import brute_forced, made_books, survivors

ROOT = Path(__file__).parents[3]
COUNT = 500
UNIT_BYTES = 600_000  # so that the books lie in about 20 units
SPARK_SECONDS = 500
Losers = dict[str, tuple[str, float]]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the books."""
    folder = tmp_path_factory.mktemp("shelf")
    for name, text in made_books(COUNT).items():
        (folder / f"{name}.txt").write_text(text)
    return folder


@pytest.fixture(scope="module")
def made(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run over the books by one worker."""
    folder = tmp_path_factory.mktemp("made") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipelines.books.files.BYTES_PER_UNIT", UNIT_BYTES)
        curate(shelf, folder)
    return folder


def curate(shelf: Path, folder: Path, launch: Launch | None = None) -> None:
    """Run the source."""
    config = BooksConfig(books3=(str(shelf),))
    launch = launch or Launch(workers=1, progress=False)
    assert run_source(BOOKS, config, str(folder), launch).imbalance() == 0


def names(folder: Path, what: str) -> dict[str, str]:
    """Return the files of the kept or rejected books by their ids."""
    return {row["id"]: json.loads(row["meta"])["file"][:4] for row in rows(folder, what)}


def losers(folder: Path) -> Losers:
    """Return the winner, and the share of the shingles, by the file of each loser."""
    files = {**names(folder, "documents"), **names(folder, "rejects")}
    told = {files[row["id"]]: json.loads(row["meta"]) for row in rows(folder, "rejects")}
    return {name: (files[meta["dup_of"]], meta["overlap"]) for name, meta in told.items()}


def check(folder: Path, book_of: Callable[[str], str]) -> None:
    """Check that the books of a run are those that brute force keeps.

    Args:
        folder: the run.
        book_of: returns the name of the book that lies in a file.
    """
    sets, found = brute_forced(COUNT)
    ids = {
        book_of(file): name
        for what in ("documents", "rejects")
        for name, file in names(folder, what).items()
    }
    kept, lost = survivors(sets, found, ids.__getitem__)
    assert {book_of(file) for file in names(folder, "documents").values()} == kept
    told = {
        book_of(file): (book_of(winner), share) for file, (winner, share) in losers(folder).items()
    }
    assert told == {
        name: (winner, pytest.approx(share, abs=1e-6)) for name, (winner, share) in lost.items()
    }


def test_the_books_that_go_are_those_that_brute_force_finds(made: Path) -> None:
    """Recall and precision are 1.0; each loser names its winner and what they share."""
    check(made, str)
    assert len(losers(made)) > 100
    assert {row["reason"] for row in rows(made, "rejects")} == {"overlap", "duplicate_text"}


@pytest.mark.parametrize(
    "launch",
    [Launch(workers=3, progress=False), Launch(beam_flags=LOCAL_BEAM, progress=False)],
    ids=["three workers", "Beam"],
)
def test_the_bytes_do_not_depend_on_who_works(
    tmp_path: Path, shelf: Path, made: Path, launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a pool of processes, and on Beam's local runner."""
    monkeypatch.setattr("pipelines.books.files.BYTES_PER_UNIT", UNIT_BYTES)
    curate(shelf, tmp_path / "run", launch)
    assert content(tmp_path / "run") == content(made)


def test_books_in_another_order_are_decided_as_brute_force_decides(tmp_path: Path) -> None:
    """Under other names, which decide between equally long books, and all in one unit."""
    texts = list(made_books(COUNT).values())
    order = random.Random(2).sample(range(COUNT), COUNT)
    (tmp_path / "shelf").mkdir()
    for place, number in enumerate(order):
        (tmp_path / "shelf" / f"{place:04d}.txt").write_text(texts[number])
    curate(tmp_path / "shelf", tmp_path / "run")
    check(tmp_path / "run", lambda file: f"{order[int(file)]:04d}")


@pytest.mark.spark
def test_spark_keeps_the_same_books(
    tmp_path: Path, shelf: Path, made: Path, spark: SparkCluster
) -> None:
    """With the units of the source as they are, which hold all books in a few."""
    command = [sys.executable, "-m", "pipelines", "books", "--books3", str(shelf), "--quiet"]
    done = subprocess.run(
        [*command, "--run", str(tmp_path / "run"), "--", *spark.flags],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SPARK_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert names(tmp_path / "run", "documents") == names(made, "documents")
    assert losers(tmp_path / "run") == losers(made)
