"""How fast WET files become pages, on one core, beside what inflating alone takes."""

import io
import os
import zlib
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from pipelines.readers.wet import WetPage, read_wet
from tests.pipelines.readers.archives import conversion, packed

pytestmark = pytest.mark.benchmark

PAGE_BYTES = 6_400  # the mean page of the sample files
TEXT = b"".join(path.read_bytes() for path in sorted(Path(os.__file__).parent.glob("*.py")))
PAGES = [TEXT[start : start + PAGE_BYTES] for start in range(0, len(TEXT), PAGE_BYTES)]
WET = packed(*(conversion(page, number) for number, page in enumerate(PAGES)))


def record(benchmark: BenchmarkFixture, megabytes: float) -> None:
    """Note the text, and how much of it the best round did in a second."""
    benchmark.extra_info["MB"] = megabytes
    if benchmark.stats:  # none under --benchmark-disable
        benchmark.extra_info["MB/s"] = megabytes / benchmark.stats["min"]


def test_inflate(benchmark: BenchmarkFixture) -> None:
    """The floor: every member inflated by the standard library, and nothing else."""

    def inflate() -> int:
        size, place = 0, 0
        while place < len(WET):
            inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
            while not inflater.eof:
                fed = WET[place : place + 4096]
                size += len(inflater.decompress(fed))
                place += len(fed) - len(inflater.unused_data)
        return size

    record(benchmark, benchmark(inflate) / 1e6)


def test_read_wet(benchmark: BenchmarkFixture) -> None:
    """Inflated, cut into records, decoded, and split into title and text."""

    def read() -> int:
        return sum(isinstance(page, WetPage) for page in read_wet(io.BytesIO(WET), "x"))

    assert benchmark(read) == len(PAGES)
    record(benchmark, len(TEXT) / 1e6)
