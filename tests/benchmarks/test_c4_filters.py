"""Speed of the filters of C4, in pages and MB of UTF-8 per second and core.

Run with `pytest -m benchmark tests/benchmarks/test_c4_filters.py`. Pages come from the WET files of
the real inputs, 300 characters or more. "plain" is the oracle of the tests: the rules one after the
other. Seconds are of the processor, so that other work on the machine matters less.
"""

import functools
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from filters.c4.badwords import BadWords, read_list
from filters.c4.duplicates import line_keys, remove_lines
from filters.c4.language import detect
from filters.c4.lines import clean_page
from filters.c4.sentences import english
from tests.filters.c4 import oracle

pytestmark = pytest.mark.benchmark(timer=time.process_time)

_REPOSITORY = Path(__file__).resolve().parents[2]
_DATA = Path(os.environ.get("CORPUSMILL_DATA") or _REPOSITORY.parent / "shared" / "data")
_MIN_CHARS = 300


@functools.cache
def _pages() -> list[str]:
    files = sorted((_DATA / "commoncrawl").glob("web-*.warc.wet.gz"))
    if not files:
        pytest.skip("no real inputs: set CORPUSMILL_DATA")
    pages = [page.text for path in files for page in oracle.read_pages(path)]
    return [page for page in pages if len(page) >= _MIN_CHARS]


@functools.cache
def _clean_pages() -> list[str]:
    return [text for page in _pages() if (text := clean_page(page, english().lines_have).text)]


def _run(
    benchmark: BenchmarkFixture, function: Callable[[str], object], pages: Sequence[str]
) -> None:
    def run() -> None:
        for page in pages:
            function(page)

    benchmark.pedantic(run, rounds=3, warmup_rounds=1)
    megabytes = sum(len(page.encode()) for page in pages) / 1e6
    benchmark.extra_info["megabytes"] = round(megabytes, 1)
    benchmark.extra_info["pages"] = len(pages)
    if benchmark.stats:  # none with --benchmark-disable
        seconds = benchmark.stats.stats.min
        benchmark.extra_info["MB/s"] = round(megabytes / seconds, 1)
        benchmark.extra_info["pages/s"] = round(len(pages) / seconds)


def test_line_rules(benchmark: BenchmarkFixture) -> None:
    """The rules of 9.3, sentences included."""
    _run(benchmark, lambda page: clean_page(page, english().lines_have), _pages())


def test_line_rules_plain(benchmark: BenchmarkFixture) -> None:
    """The oracle, on one page in ten."""
    counters: Counter[str] = Counter()
    pages = _pages()[::10]
    _run(benchmark, lambda text: oracle.clean(oracle.Page("", "", "", text), counters), pages)


def _all_rules(page: str) -> None:
    text = clean_page(page, english().lines_have).text
    if text:
        keys = line_keys(text)
        english().has(remove_lines(text, keys, np.zeros(len(keys), bool)).text, 3)


def test_all_page_rules(benchmark: BenchmarkFixture) -> None:
    """Line rules, keys of lines, removal of duplicates, sentences of what is left."""
    _run(benchmark, _all_rules, _pages())


def test_bad_words(benchmark: BenchmarkFixture) -> None:
    """The English list, on pages that the line rules have left."""
    words = read_list((_DATA / "badwords" / "en").read_text("utf-8"), "en")
    _run(benchmark, BadWords(words).find, _clean_pages())


def test_language(benchmark: BenchmarkFixture) -> None:
    """What names the language, on one clean page in thirty."""
    _run(benchmark, detect, [page for page in _clean_pages()[::30] if page.strip()])
