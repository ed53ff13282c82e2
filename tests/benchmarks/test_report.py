"""What the report of a large run costs: a million documents of Common Crawl, kept and rejected.

The run is made: 25 units of 40,000 pages, which are the same file under 25 names. So a report that
read every text would decompress all of them, and no faster for it.
"""

import resource
from pathlib import Path

import pytest

from tests.benchmarks.measure import measure, report
from tests.pipelines.report.made_run import pages, write_run

pytestmark = pytest.mark.benchmark

DOCUMENTS, UNITS = 1_000_000, 25
MOST_SECONDS = 30.0  # of CPU
MOST_BYTES = 1_000_000_000  # resident
MOST_PAGE_BYTES = 5_000_000


def test_report_of_a_million_documents(tmp_path: Path) -> None:
    """At most 30 s of CPU, 1 GB of memory, and a page of 5 MB."""
    kept, rejected = pages(DOCUMENTS // UNITS)
    for row in (*kept, *rejected):  # as long as pages are
        row["text"] *= 4
    run = write_run(tmp_path / "run", kept, rejected, copies=UNITS)
    out = tmp_path / "report.html"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = measure("pipelines", "report", run.path, "-o", str(out))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    size = out.stat().st_size
    report(f"report of a million documents, CPU: {seconds:.1f} s")
    report(f"report of a million documents, memory: {found.launcher / 1e6:.0f} MB")
    report(f"report of a million documents, size of the page: {size / 1e6:.2f} MB")
    assert seconds < MOST_SECONDS
    assert found.launcher < MOST_BYTES
    assert size < MOST_PAGE_BYTES


def test_report_of_all_sources(tmp_path: Path, data: Path) -> None:
    """The page of a recipe of real inputs, with all sources, is under 5 MB."""
    out, page = tmp_path / "demo", tmp_path / "report.html"
    measure("pipelines", "build", "demo", "--data", str(data), "--out", str(out), "--quiet")
    found = measure(
        "pipelines", "report", str(out), "--tokens", str(out / "tokens"), "-o", str(page)
    )
    size = page.stat().st_size
    report(f"report of all sources, wall time: {found.seconds:.1f} s")
    report(f"report of all sources, size of the page: {size / 1e6:.2f} MB")
    assert size < MOST_PAGE_BYTES
