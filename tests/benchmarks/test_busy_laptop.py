"""The trainer of the demonstration beside other programs: it loses no more than what they take.

Trainer and loops share two cores. Two threads and two loops should leave half of the speed, less
what threads lose that wait for one another. While waiting threads spun it was a twentieth.
"""

import os
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.benchmarks.measure import measure, report

pytestmark = pytest.mark.benchmark

CORES = 2
REPEATS = 3
STEPS = 40  # of 1,024 tokens
LEAST_SHARE = 0.35  # of the speed alone


def _tokens_per_second() -> float:
    """Return the speed of training steps of the demonstration's model."""
    said = measure("trainer", "bench", "demo", "--steps", str(STEPS), "--microbatches", "1").output
    (speed,) = re.findall(r"^sdpa +eager +([\d,]+) ", said, re.MULTILINE)
    return float(speed.replace(",", ""))


@contextmanager
def _busy_loops(count: int) -> Iterator[None]:
    """Keep as many cores busy while a block lasts."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def test_beside_two_busy_loops() -> None:
    """Alone and beside them in turn, so that what else runs here weighs on both."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(cores)[:CORES])  # children inherit it
    alone, beside = [], []
    try:
        for _ in range(REPEATS):
            alone.append(_tokens_per_second())
            with _busy_loops(CORES):
                beside.append(_tokens_per_second())
    finally:
        os.sched_setaffinity(0, cores)
    share = statistics.median(beside) / statistics.median(alone)
    report(
        "tokens/s of the demo's trainer on two cores: "
        f"{statistics.median(alone):,.0f} alone, {statistics.median(beside):,.0f} beside two busy "
        f"loops, {share:.0%}; in turn "
        + ", ".join(f"{a:,.0f}/{b:,.0f}" for a, b in zip(alone, beside, strict=True))
    )
    assert share > LEAST_SHARE
