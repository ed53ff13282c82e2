"""Books from shelf to documents: how the cost grows with the books, and memory.

Run with ``pytest -m benchmark tests/benchmarks/test_book_overlaps.py -s``: a line per figure. The
books are made of random words of 300 kB each, a tenth of them editions of others, and all of them
begin with one preface. ``CORPUSMILL_BENCH_BOOKS`` (10,000) says how many, and
``CORPUSMILL_BENCH_BOOK_KB`` how long they are.
"""

import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from filters.shingles import shingles, sketch
from tests.benchmarks.measure import Measured, measure, report

pytestmark = pytest.mark.benchmark

BOOKS = int(os.environ.get("CORPUSMILL_BENCH_BOOKS", "10000"))
KILOBYTES = int(os.environ.get("CORPUSMILL_BENCH_BOOK_KB", "300"))
WORDS = np.array([f"word{number}" for number in range(20_000)])
WORD_BYTES = 10
PREFACE_WORDS = 2000
MOST_GROWTH = 1.5  # of the seconds per book, from a tenth of the books to all of them
MOST_MEGABYTES = 2000.0


def made_text(number: int) -> str:
    """Return a book; every tenth is an edition of the one before."""
    chance = np.random.default_rng(number // 10 * 10 if number % 10 == 1 else number)
    words = WORDS[chance.integers(0, len(WORDS), KILOBYTES * 1000 // WORD_BYTES)]
    if number % 10 == 1:
        words[:: len(words) // 30] = "other"
    preface = WORDS[np.random.default_rng(1 << 40).integers(0, len(WORDS), PREFACE_WORDS)]
    return " ".join([*preface, *words])


def write_shelf(folder: Path, count: int) -> None:
    """Write so many books."""
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:06d}.txt").write_text(made_text(number))


def test_sketching() -> None:
    """Megabytes of text per second of one core."""
    texts = [made_text(number) for number in range(20)]
    clock = time.process_time()
    for text in texts:
        sketch(shingles(text))
    seconds = time.process_time() - clock
    report(f"text to sketch: {sum(map(len, texts)) / 1e6 / seconds:.1f} MB/s")


def test_the_cost_grows_with_the_books(tmp_path: Path) -> None:
    """Ten times the books, and the seconds per book; the memory of the largest worker."""
    seconds = {}
    for count in (BOOKS // 10, BOOKS):
        write_shelf(tmp_path / "in", count)
        command = ["pipelines", "books", "--books3", str(tmp_path / "in"), "--quiet"]
        measured: Measured = measure(*command, "--run", str(tmp_path / "run"), "--rejects", "ids")
        seconds[count] = measured.seconds / count
        report(
            f"{count:,} books of {KILOBYTES} kB, one worker: {measured.seconds:.1f} s, "
            f"worker {measured.worker / 1e6:.0f} MB, launcher {measured.launcher / 1e6:.0f} MB"
        )
        assert max(measured.worker, measured.launcher) < MOST_MEGABYTES * 1e6
        for name in ("in", "run"):
            shutil.rmtree(tmp_path / name)
    assert seconds[BOOKS] < MOST_GROWTH * seconds[BOOKS // 10]
