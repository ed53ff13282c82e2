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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from filters.shingles import shingles, sketch
from filters.word_hashes import Hashes
from pipelines.engine.claim_files import Block
from pipelines.engine.runs import Run
from pipelines.joins.pairs import nominate
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


def test_datasketch_beside() -> None:
    """Its MinHash of the same shingles, hashed beforehand, and its index beside our nominations."""
    datasketch = pytest.importorskip("datasketch", reason="datasketch is in the extra dev")
    texts = [made_text(number, KILOBYTES) for number in range(20)]
    hashes = [shingles(text) for text in texts]
    megabytes = sum(map(len, texts)) / 1e6

    def minhash(values: Hashes) -> Any:
        made = datasketch.MinHash(num_perm=128, hashfunc=int)
        made.update_batch((values >> np.uint64(32)).tolist())
        return made

    seconds = _seconds_of(lambda: list(map(minhash, hashes)))
    report(f"shingles to MinHash, datasketch: {megabytes / seconds:.1f} MB/s")
    seconds = _seconds_of(lambda: list(map(sketch, hashes)))
    report(f"shingles to sketch: {megabytes / seconds:.1f} MB/s")
    chance = np.random.default_rng(3)
    values = chance.integers(0, 1 << 32, (2000, 128), np.uint64)
    made = [datasketch.MinHash(num_perm=128, hashvalues=row, scheme="legacy") for row in values]

    def index() -> None:
        known = datasketch.MinHashLSH(num_perm=128, params=(16, 8))
        for number, value in enumerate(made):
            known.insert(number, value)
        for value in made:
            known.query(value)

    report(f"2,000 documents through datasketch's index: {_seconds_of(index):.2f} s")
    rows = np.arange(2000, dtype=np.int32)
    sample = 900
    keys = chance.integers(0, 1 << 64, 2000 * (sample + 16), np.uint64)
    claims = pa.table(
        {
            "key": keys,
            "row": np.tile(rows, sample + 16),
            "size": np.full(len(keys), 60_000, np.int32),
            "sample": np.full(len(keys), sample, np.int32),
            "band": np.repeat(np.arange(sample + 16) >= sample, 2000),
        }
    )
    seconds = _seconds_of(lambda: list(nominate([Block("u", "", [claims])])))
    report(f"2,000 documents nominated, samples of {sample} hashes each: {seconds:.2f} s")


def _seconds_of(work: Callable[[], object]) -> float:
    clock = time.process_time()
    work()
    return time.process_time() - clock


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
            f"worker {measured.worker_own / 1e6:.0f} MB, with pages of mapped files "
            f"{measured.worker / 1e6:.0f} MB, launcher {measured.launcher / 1e6:.0f} MB"
        )
        assert max(measured.worker_own, measured.launcher) < MOST_MEGABYTES * 1e6
        _check_what_was_dropped(tmp_path / "run", count)
        for name in ("in", "run"):
            shutil.rmtree(tmp_path / name)
    growth = costs[BOOKS] / costs[BOOKS // 10]
    report(f"cost of ten times the books: {growth:.1f} times")
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
