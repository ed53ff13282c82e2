"""Speed of C4's language detection beside langdetect's own, in pages and MB of UTF-8 per second.

Run with `pytest -m benchmark tests/benchmarks/test_language.py`. Pages come from the WET files of
the real inputs; without them, from Python's own manual pages. langdetect takes every twentieth
page, the extension all of them. Seconds are of the processor, so that other work on the machine
matters less.
"""

import functools
import os
import pydoc
import time
from importlib.resources import files
from pathlib import Path

import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType
from pytest_benchmark.fixture import BenchmarkFixture

from filters.c4 import language
from filters.c4.language import load_detect
from filters.c4.profiles import read_profiles

pytestmark = pytest.mark.benchmark(timer=time.process_time)

_DATA = Path(
    os.environ.get("CORPUSMILL_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data"
)
_MODULES = ("argparse", "asyncio", "collections", "decimal", "logging", "os", "socket", "typing")


@functools.cache
def _pages() -> list[str]:
    pages: list[str] = []
    for path in sorted((_DATA / "commoncrawl").glob("web-*.warc.wet.gz")):
        with path.open("rb") as file:
            records = ArchiveIterator(file, record_types=WarcRecordType.conversion)
            pages += [record.reader.read().decode("utf-8", "replace") for record in records]
    if not pages:
        for name in _MODULES:
            text = pydoc.plain(pydoc.render_doc(name))
            pages += [text[start : start + 7000] for start in range(0, len(text), 7000)]
    return pages


@pytest.mark.parametrize("way", ["extension", "langdetect"])
def test_detect(benchmark: BenchmarkFixture, way: str) -> None:
    """Answers for whole pages, of all languages."""
    if way == "extension" and not language.AVAILABLE:
        pytest.skip("the extension module was not built: no C compiler")
    pages = _pages() if way == "extension" else _pages()[::20]
    detect = load_detect(compiled=way == "extension")
    megabytes = sum(len(page.encode("utf-8", "replace")) for page in pages) / 1e6

    def run() -> None:
        for page in pages:
            detect(page)

    benchmark.pedantic(run, rounds=3, warmup_rounds=1)
    benchmark.extra_info["pages"] = len(pages)
    benchmark.extra_info["megabytes"] = round(megabytes, 1)
    if benchmark.stats:  # none with --benchmark-disable
        seconds = benchmark.stats.stats.min
        benchmark.extra_info["pages/s"] = round(len(pages) / seconds)
        benchmark.extra_info["MB/s"] = round(megabytes / seconds, 1)


def test_load(benchmark: BenchmarkFixture) -> None:
    """What every process pays before its first page: profiles, tables, the comparison."""
    folder = files("langdetect") / "profiles"
    assert len(read_profiles(folder)) == 55
    benchmark.pedantic(load_detect.__wrapped__, rounds=3, warmup_rounds=1)
