"""How fast the GitHub reader turns an export into rows, on one core."""

import os
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from pipelines.github.records import BlobRow, read_blobs, read_files
from tests.pipelines.readers.exports import FORMATS, export

pytestmark = pytest.mark.benchmark

# The top modules of the standard library: real source files, about 6 MB.
SOURCES = sorted(Path(os.__file__).parent.glob("*.py"))
CONTENTS = [
    {
        "id": f"{number:040x}",
        "size": path.stat().st_size,
        "content": path.read_text(encoding="utf-8"),
        "binary": False,
        "copies": 1,
    }
    for number, path in enumerate(SOURCES)
]
FILES = [
    {
        "repo_name": f"owner/repository-{number // 1000}",
        "ref": "refs/heads/main",
        "path": f"src/package/module_{number}.py",
        "mode": 33188,
        "id": f"{number:040x}",
        "symlink_target": None,
    }
    for number in range(50_000)
]


def record(benchmark: BenchmarkFixture, unit: str, amount: float) -> None:
    """Note ``amount`` and what of it the best round did in a second."""
    benchmark.extra_info[unit] = amount
    if benchmark.stats:  # none under --benchmark-disable
        benchmark.extra_info[f"{unit}/s"] = amount / benchmark.stats["min"]


@pytest.mark.parametrize("form", FORMATS)
def test_read_blobs(benchmark: BenchmarkFixture, form: str) -> None:
    """Contents with their text; to reach: 150 MB/s from Parquet."""
    stream = export(CONTENTS, form)

    def read() -> int:
        rows = read_blobs(stream, "contents")
        return sum(len(row.content or "") for row in rows if isinstance(row, BlobRow))

    record(benchmark, "MB", benchmark(read) / 1e6)


@pytest.mark.parametrize("form", FORMATS)
def test_read_blobs_without_content(benchmark: BenchmarkFixture, form: str) -> None:
    """What the first pass over the contents reads; from Parquet, no text is fetched."""
    stream = export(CONTENTS, form)
    rows = benchmark(lambda: list(read_blobs(stream, "contents", content=False)))
    record(benchmark, "rows", len(rows))


@pytest.mark.parametrize("form", FORMATS)
def test_read_files(benchmark: BenchmarkFixture, form: str) -> None:
    """`files`, the longest table."""
    stream = export(FILES, form)
    rows = benchmark(lambda: list(read_files(stream, "files")))
    record(benchmark, "rows", len(rows))
