"""GitHub from export to documents: what the engine costs, what a second worker brings, and memory.

Run with ``pytest -m benchmark tests/benchmarks/test_github_pipeline.py -s``: a line a figure. The
inputs are copies of the real sample; commands are timed from start to exit, imports included.
``CORPUSMILL_BENCH_COPIES`` says how many (40 copies: about 2 GB of text, minutes).
"""

import json
import os
import resource
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.benchmarks.inflate import inflate
from tests.benchmarks.joined_export import write_joined
from tests.benchmarks.measure import ROOT, Measured, measure, report

pytestmark = [pytest.mark.benchmark, pytest.mark.data]

DATA = Path(os.environ.get("CORPUSMILL_DATA") or ROOT.parent / "shared" / "data")
COPIES = int(os.environ.get("CORPUSMILL_BENCH_COPIES", "40"))
MEGABYTES = (50, 500)
JOINED_COPIES = 8  # of the joined export: 33,296 files, 358 MB of text


@pytest.fixture(scope="module")
def sample() -> Path:
    """Return the folder of the real tables."""
    folder = DATA / "github"
    if not folder.is_dir():
        pytest.skip(f"no real data: set CORPUSMILL_DATA ({folder} is absent)")
    return folder


@dataclass(frozen=True)
class Inputs:
    """An inflated export."""

    folder: Path
    megabytes: float  # of text


@pytest.fixture(scope="module")
def inputs(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inputs]:
    """Copy the sample; the copies go when the tests are through."""
    folder = tmp_path_factory.mktemp("inflated")
    yield Inputs(folder, inflate(sample, folder, COPIES) / 1e6)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def one_worker(inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> tuple[float, int]:
    """Return seconds and documents of the pipeline with one worker."""
    run = tmp_path_factory.mktemp("one") / "run"
    measured = curate(inputs.folder, run, workers=1)
    return measured.seconds, documents_of(run)


def curate(inputs: Path, run: Path, *flags: str, workers: int) -> Measured:
    """Run the pipeline's command."""
    command = ("pipelines", "github", "--input", str(inputs), "--run", str(run))
    return measure(*command, "--workers", str(workers), "--quiet", *flags)


def documents_of(run: Path) -> int:
    """Return how many documents a run kept; the run goes."""
    documents = int(json.loads((run / "manifest.json").read_bytes())["documents"])
    shutil.rmtree(run)
    return documents


def test_the_engine_over_a_plain_loop(
    inputs: Inputs, one_worker: tuple[float, int], tmp_path: Path
) -> None:
    """Per cent that one worker takes longer than the same functions called in a loop."""
    seconds, documents = one_worker
    plain = measure("tests.benchmarks.plain_github", str(inputs.folder), str(tmp_path / "run"))
    shutil.rmtree(tmp_path / "run")
    loop = json.loads(plain.output)
    report(
        f"plain loop: {loop['seconds']:.1f} s, {plain.seconds:.1f} s with imports; one worker: "
        f"{seconds:.1f} s for {inputs.megabytes:.0f} MB of text, "
        f"{100 * (seconds / plain.seconds - 1):.1f} % more "
        f"({inputs.megabytes / seconds:.1f} MB/s)"
    )
    assert documents == loop["documents"]


def test_two_workers(inputs: Inputs, one_worker: tuple[float, int], tmp_path: Path) -> None:
    """How many times as fast two workers are, start-up and all."""
    seconds, documents = one_worker
    two = curate(inputs.folder, tmp_path / "run", workers=2)
    report(
        f"two workers: {two.seconds:.1f} s, one: {seconds:.1f} s for {inputs.megabytes:.0f} MB of "
        f"text, {seconds / two.seconds:.2f} times as fast"
    )
    assert documents == documents_of(tmp_path / "run")


@pytest.mark.parametrize("profile", ["redpajama", "default"])
@pytest.mark.parametrize("form", ["json.gz", "parquet"])
def test_the_joined_export(sample: Path, tmp_path: Path, form: str, profile: str) -> None:
    """Seconds from start to exit, of CPU and by the clock, for RedPajama's own kind of input."""
    rows, text_bytes = write_joined(sample, tmp_path / "in", JOINED_COPIES, form)
    before = cpu_seconds()
    measured = curate(tmp_path / "in", tmp_path / "run", "--profile", profile, workers=1)
    cpu = cpu_seconds() - before
    report(
        f"joined export in {form}, profile {profile}: {cpu:.1f} s of CPU, {measured.seconds:.1f} s "
        f"for {rows} files, {text_bytes / 1e6:.0f} MB of text ({text_bytes / 1e6 / cpu:.0f} MB/s)"
    )
    assert documents_of(tmp_path / "run")


def cpu_seconds() -> float:
    """Return the CPU time of all processes that this one started and that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("shape", ["more files", "larger files"])
def test_memory(sample: Path, tmp_path: Path, shape: str) -> None:
    """Peak memory of launcher and workers must not follow the size of the input."""
    for wanted in MEGABYTES:
        folder = tmp_path / f"inputs-{wanted}"
        copies = max(1, round(wanted * 1e6 / inflate(sample, folder, 1)))
        megabytes = inflate(sample, folder, copies) / 1e6
        if shape == "larger files":
            join_copies(folder)
        for workers in (1, 2):
            run = tmp_path / "run"
            measured = curate(folder, run, workers=workers)
            report(
                f"{shape}, {megabytes:.0f} MB of text, {workers} workers: launcher "
                f"{measured.launcher / 1e6:.0f} MB, largest worker {measured.worker / 1e6:.0f} MB"
            )
            assert documents_of(run)
        shutil.rmtree(folder)


def join_copies(folder: Path) -> None:
    """Make one file of the copies of each file, a row group a copy."""
    for first in sorted(folder.glob("*-000.parquet")):
        copies = sorted(folder.glob(f"{first.stem.removesuffix('-000')}-*.parquet"))
        joined = first.with_name(first.name.replace("-000.parquet", ".joined"))
        with pq.ParquetWriter(joined, pq.read_schema(first), compression="zstd") as writer:
            for copy in copies:
                table: pa.Table = pq.read_table(copy)
                writer.write_table(table)
                copy.unlink()
        joined.rename(first)
