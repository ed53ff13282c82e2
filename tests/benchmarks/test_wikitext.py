"""Speed of wikitext to text, in MB of UTF-8 a second and core.

Run with `pytest -m benchmark tests/benchmarks/test_wikitext.py`. The pages are those of the sample
dumps, where they are beside the project; each language's own templates are rendered.
"""

import time
from collections import Counter
from collections.abc import Callable

import mwparserfromhell
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from filters.wikipedia.sites import load_site
from filters.wikipedia.text import to_text
from tests.filters.wikipedia.wikitext_pages import DUMPS, SamplePage, sample_pages

pytestmark = pytest.mark.benchmark

_needs_dumps = pytest.mark.skipif(not DUMPS, reason="no sample dumps: set CORPUSMILL_DATA")
_PEER_STEP = 4  # the peer reads every fourth page: it takes minutes for all


@pytest.fixture(scope="module")
def pages() -> list[SamplePage]:
    """All pages of the sample dumps."""
    return [page for dump in DUMPS for page in sample_pages(dump)]


def _megabytes(pages: list[SamplePage]) -> float:
    return sum(len(page.wikitext.encode()) for page in pages) / 1e6


def _strip_code(page: SamplePage) -> object:
    return mwparserfromhell.parse(page.wikitext).strip_code()


def _run(
    benchmark: BenchmarkFixture, render: Callable[[SamplePage], object], pages: list[SamplePage]
) -> None:
    benchmark.pedantic(lambda: [render(page) for page in pages], rounds=3, warmup_rounds=1)
    megabytes = _megabytes(pages)
    benchmark.extra_info["megabytes"] = round(megabytes, 3)
    if benchmark.stats:  # none with --benchmark-disable
        speed = megabytes / benchmark.stats.stats.min
        benchmark.extra_info["MB/s"] = round(speed, 2)
        print(f"{speed:.2f} MB/s over {megabytes:.1f} MB")


@_needs_dumps
def test_to_text(benchmark: BenchmarkFixture, pages: list[SamplePage]) -> None:
    """The whole way of a page, templates included."""
    sites = {page.lang: load_site(page.lang) for page in pages}
    paths: Counter[str] = Counter()

    def render(page: SamplePage) -> None:
        paths[to_text(page.wikitext, sites[page.lang], title=page.title).path] += 1

    _run(benchmark, render, pages)
    benchmark.extra_info["paths"] = dict(paths)


@_needs_dumps
@pytest.mark.parametrize("render", [_strip_code])
def test_peer(
    benchmark: BenchmarkFixture, pages: list[SamplePage], render: Callable[[SamplePage], object]
) -> None:
    """Beside ours on the same pages: mwparserfromhell with `strip_code`."""
    _run(benchmark, render, pages[::_PEER_STEP])


@_needs_dumps
def test_to_text_on_the_pages_of_the_peer(
    benchmark: BenchmarkFixture, pages: list[SamplePage]
) -> None:
    """Ours on the pages that the peer is measured on."""
    sites = {page.lang: load_site(page.lang) for page in pages}
    _run(
        benchmark,
        lambda page: to_text(page.wikitext, sites[page.lang], title=page.title),
        pages[::_PEER_STEP],
    )


@pytest.mark.parametrize(
    "mark",
    [
        "{{",
        "[[",
        "\n{|",
        "<ref>",
        "'''",
        "<!--",
        "{{{",
        "[http://",
        "{{a|",
        "[[a|",
        "''a'",
        "(",
        "-{",
    ],
)
def test_time_grows_with_length(benchmark: BenchmarkFixture, mark: str) -> None:
    """Marks without an end: 4 MB take about four times as long as 1 MB."""
    site = load_site("en")
    seconds = {}
    for megabytes in (1, 4):
        page = mark * (megabytes * 1_000_000 // len(mark))
        start = time.perf_counter()
        to_text(page, site)
        seconds[megabytes] = time.perf_counter() - start
    benchmark.pedantic(lambda: to_text(mark * 1000, site), rounds=1)
    benchmark.extra_info["seconds"] = {k: round(v, 2) for k, v in seconds.items()}
    print(f"{mark!r}: 1 MB {seconds[1]:.2f} s, 4 MB {seconds[4]:.2f} s")
