"""Books from files to documents: megabytes per second, the growth of the cost, and the memory.

Run with ``pytest -m benchmark tests/benchmarks/test_book_overlaps.py -s``, which prints a line per
figure. ``CORPUSMILL_BENCH_BOOKS`` (10,000) is the number of books, and ``CORPUSMILL_BENCH_BOOK_KB``
(300) the length of one. Costs are seconds of processor time of all processes, which other programs
on the machine change little.
"""

import os
import resource
import shutil
import time
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from filters.shingles import shingles, sketch
from pipelines.engine.runs import Run
from tests.benchmarks.measure import Measured, measure, report
from tests.benchmarks.shelves_of_books import DUPLICATES_PER_SHELF, SHELF, made_text, write_shelves

pytestmark = pytest.mark.benchmark

BOOKS = int(os.environ.get("CORPUSMILL_BENCH_BOOKS", "10000"))
KILOBYTES = int(os.environ.get("CORPUSMILL_BENCH_BOOK_KB", "300"))
LEAST_MEGABYTES_PER_SECOND = 20.0
MOST_GROWTH = 12.0  # of the cost, from a tenth of the books to all of them
MOST_MEGABYTES = 2000.0


def test_sketching() -> None:
    """Megabytes of text per second of one core."""
    texts = [made_text(number, KILOBYTES) for number in range(20)]
    sketch(shingles(texts[0]))
    clock = time.process_time()
    for text in texts:
        sketch(shingles(text))
    speed = sum(map(len, texts)) / 1e6 / (time.process_time() - clock)
    report(f"text to sketch: {speed:.1f} MB/s")
    assert speed > LEAST_MEGABYTES_PER_SECOND


def test_the_cost_grows_with_the_books(tmp_path: Path) -> None:
    """Ten times the books: the growth of the cost, and the memory of the largest worker."""
    costs = {}
    for count in (BOOKS // 10, BOOKS):
        size = write_shelves(tmp_path / "in", count, KILOBYTES)
        before = _seconds_of_children()
        command = ["pipelines", "books", "--books3", str(tmp_path / "in"), "--quiet"]
        rest = ["--workers", "1", "--rejects", "ids", "--run", str(tmp_path / "run")]
        measured: Measured = measure(*command, *rest)
        costs[count] = _seconds_of_children() - before
        report(
            f"{count:,} books, {size / 1e6:,.0f} MB, one worker: {costs[count]:.1f} s of processor "
            f"time ({size / 1e6 / costs[count]:.1f} MB/s), {measured.seconds:.1f} s; "
            f"worker {measured.worker / 1e6:.0f} MB, launcher {measured.launcher / 1e6:.0f} MB"
        )
        assert max(measured.worker, measured.launcher) < MOST_MEGABYTES * 1e6
        _check_what_was_dropped(tmp_path / "run", count)
        for name in ("in", "run"):
            shutil.rmtree(tmp_path / name)
    growth = costs[BOOKS] / costs[BOOKS // 10]
    report(f"ten times the books cost {growth:.1f} times as much")
    assert growth < MOST_GROWTH


def _seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _check_what_was_dropped(run: Path, count: int) -> None:
    """Check that the planted duplicates went, and nothing else."""
    reasons = Counter[str]()
    for path in run.glob("rejects/*.parquet"):
        reasons.update(pq.read_table(path, columns=["reason"])["reason"].to_pylist())
    shelves = count // SHELF
    assert reasons == {"duplicate_text": shelves, "overlap": (DUPLICATES_PER_SHELF - 1) * shelves}
    assert Run(str(run)).stats()["documents"] == count - DUPLICATES_PER_SHELF * shelves
