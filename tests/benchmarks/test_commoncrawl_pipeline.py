"""Common Crawl from WET to bucketed English: pages per second, claims, and memory.

Run with ``pytest -m benchmark tests/benchmarks/test_commoncrawl_pipeline.py -s``: a line a figure.
The models are small ones that the benchmark trains; langid is lid.176.ftz.
"""

import gzip
import json
import os
import shutil
import string
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipelines.engine.output import RejectPolicy, Terms
from pipelines.engine.passes import Context
from pipelines.engine.pool import run_locally
from pipelines.engine.runs import Run
from pipelines.engine.schedule import Schedule
from pipelines.engine.steps import Topic, UnitStep, Verdicts
from pipelines.engine.units import Part, Unit
from pipelines.engine.workspace import Workspace
from pipelines.joins.claims import Claims
from pipelines.joins.keys import DuplicateKeys, UnitKeys, drop_all
from tests.benchmarks.measure import ROOT, Measured, measure, report
from tests.pipelines.models.real_models import train_models

pytestmark = [pytest.mark.benchmark, pytest.mark.data]

DATA = Path(os.environ.get("CORPUSMILL_DATA") or ROOT.parent / "shared" / "data")
COPIES = int(os.environ.get("CORPUSMILL_BENCH_COPIES", "10"))
KEYS_PER_UNIT = 1_000_000
ONE_PAGE = (
    b"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: http://example.com/\r\n"
    b"WARC-Date: 2019-02-15T18:33:19Z\r\nContent-Length: 12\r\n\r\nTitle\nwords\n\r\n\r\n"
)


@pytest.fixture(scope="module")
def sample() -> list[Path]:
    """Return the WET files of the real sample."""
    files = sorted((DATA / "commoncrawl").glob("web-*.warc.wet.gz"))
    if not files:
        pytest.skip("no real data: set CORPUSMILL_DATA")
    return files


@pytest.fixture(scope="module")
def models(sample: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a language model on the sample's own pages: its size is what matters here."""
    langid = DATA / "langid" / "lid.176.ftz"
    return train_models(tmp_path_factory.mktemp("models"), sample, langid)


def inflate(source: Path, target: Path, copies: int) -> int:
    """Write a WET file with ``copies`` copies of every page; return the bytes of text.

    Each copy ends its lines with a word of its own, so that lines are as repetitive in a copy as
    they are in the sample, and no more.
    """
    data = gzip.decompress(source.read_bytes())
    records = data.split(b"WARC/1.0\r\n")[1:]
    text_bytes = 0
    with gzip.open(target, "wb", compresslevel=1) as sink:
        for number in range(copies):
            word = (" copy" + string.ascii_lowercase[number % 26] * (number // 26 + 1)).encode()
            for record in records:
                head, _, body = record.partition(b"\r\n\r\n")
                lines = [line + word if line else line for line in body.rstrip().split(b"\n")]
                body = b"\n".join(lines) + b"\n"
                fields = [
                    field
                    for field in head.split(b"\r\n")
                    if not field.startswith(b"Content-Length")
                ]
                fields.append(b"Content-Length: %d" % len(body))
                sink.write(
                    b"WARC/1.0\r\n" + b"\r\n".join(fields) + b"\r\n\r\n" + body + b"\r\n\r\n"
                )
                text_bytes += len(body)
    return text_bytes


def curate(files: list[Path], run: Path, models: Path, *options: str) -> Measured:
    """Run the pipeline's command; each file is a scope of its own."""
    inputs = list(map(str, files))
    langid = str(DATA / "langid" / "lid.176.ftz")
    command = ["pipelines", "commoncrawl", "--run", str(run), "--langid", langid, "--quiet"]
    return measure(*command, "--models", str(models), *options, "--input", *inputs)


def test_wet_to_bucketed_english(sample: list[Path], models: Path, tmp_path: Path) -> None:
    """Pages a second, beside cc_net's way with the same models and the same pages kept."""
    langid = str(DATA / "langid" / "lid.176.ftz")
    out = str(tmp_path / "out.gz")
    peer = measure("tests.benchmarks.plain_ccnet", langid, str(models), out, *map(str, sample))
    plain = json.loads(peer.output)
    options = ("--no-exact-duplicates", "--rejects=none")
    run = tmp_path / "run"
    ours = curate(sample, run, models, *options)
    one_page = tmp_path / "one.warc.wet.gz"
    one_page.write_bytes(gzip.compress(ONE_PAGE))
    start = curate([one_page], tmp_path / "start", models, *options, "--allow-empty")
    stats = json.loads((run / "stats.json").read_bytes())
    timings = json.loads((run / "timings.json").read_bytes())["seconds"]
    pages = stats["records_read"]
    loaded = ours.seconds - start.seconds
    report(
        f"cc_net's way: {pages / plain['seconds']:.0f} pages/s with models loaded, "
        f"{pages / peer.seconds:.0f} from start to exit; ours: {pages / loaded:.0f} and "
        f"{pages / ours.seconds:.0f}: {plain['seconds'] / loaded:.2f} and "
        f"{peer.seconds / ours.seconds:.2f} times"
    )
    report(
        f"from the command to the end of one page: {start.seconds:.2f} s, of which none depends "
        "on the input"
    )
    print("seconds a stage:", json.dumps(timings))
    assert stats["documents"] == plain["kept"]
    assert pages == plain["pages"]


def test_wet_to_all_languages(sample: list[Path], models: Path, tmp_path: Path) -> None:
    """Pages a second with the profile cc_net, which keeps all languages and buckets."""
    options = ("--profile", "cc_net", "--rejects=none")
    measured = curate(sample, tmp_path / "run", models, *options)
    stats = json.loads((tmp_path / "run" / "stats.json").read_bytes())
    report(
        f"profile cc_net: {stats['records_read'] / measured.seconds:.0f} pages/s from start to "
        f"exit, {stats['documents']:,} of {stats['records_read']:,} pages kept"
    )
    assert stats["documents"] > stats["records_read"] / 2


def random_keys(keys: int, number: int) -> UnitKeys:
    """Return keys of a unit, a third of which all units share."""
    found = UnitKeys()
    shared = np.random.default_rng(0).integers(0, 1 << 63, keys // 3, np.uint64)
    own = np.random.default_rng(number).integers(0, 1 << 63, keys - len(shared), np.uint64)
    every = np.concatenate([shared, own])
    for row, part in enumerate(np.array_split(every, 1000)):
        found.add(row, part)
    return found


def random_claims(keys: int, unit: Unit, _verdicts: Verdicts) -> Iterator[pa.Table]:
    """Yield the claims of a unit."""
    yield random_keys(keys, int(unit.name)).claims()


def read_nothing(_workspace: Workspace, unit: Unit, verdicts: Verdicts) -> None:
    """Look at the verdicts of a unit."""
    assert len(verdicts["lines"]) > 0, unit.name


def refuse(_workspace: Workspace, unit: Unit, why: str) -> None:
    """Refuse to go on."""
    raise AssertionError(f"{unit.name}: {why}")


@pytest.mark.parametrize("units", [4, 16])
def test_claims_on_one_machine(tmp_path: Path, units: int) -> None:
    """Microseconds per paragraph, from the keys of a unit to the verdicts addressed to it."""
    named = [Unit(f"{number:05d}", "wet", (Part("", number),)) for number in range(units)]
    began = time.perf_counter()
    for unit in named:
        random_keys(KEYS_PER_UNIT, int(unit.name)).claims()
    alone = time.perf_counter() - began
    topic = Topic("lines", DuplicateKeys)
    meet = Claims("claim", topic, partial(random_claims, KEYS_PER_UNIT), drop_all)
    steps = meet.steps(Context(Terms("x", RejectPolicy()), named))
    steps.append(UnitStep("look", "units", ".json", named, read_nothing, refuse, [topic]))
    schedule = Schedule(steps, Workspace.beside(Run(str(tmp_path))))
    began = time.perf_counter()
    run_locally(schedule, 1, print)
    seconds = time.perf_counter() - began
    paragraphs = units * KEYS_PER_UNIT
    report(
        f"{paragraphs:,} paragraphs: {1e6 * seconds / paragraphs:.2f} µs each in all, "
        f"{1e6 * alone / paragraphs:.2f} µs of it to make and sort the keys of each unit"
    )


@pytest.fixture(scope="module")
def large(sample: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    """Make each file of the sample ``COPIES`` times as large."""
    folder = tmp_path_factory.mktemp("large")
    files = [folder / path.name for path in sample]
    for source, target in zip(sample, files, strict=True):
        inflate(source, target, COPIES)
    yield files
    shutil.rmtree(folder)


@pytest.mark.parametrize("workers", [1, 2])
def test_memory(
    sample: list[Path], large: list[Path], models: Path, tmp_path: Path, workers: int
) -> None:
    """Peak memory of launcher and workers, for the sample and ten times the sample."""
    for name, files in (("sample", sample), (f"{COPIES} times the sample", large)):
        run = tmp_path / "run"
        options = ("--scope", "dump", "--workers", str(workers), "--rejects=none")
        measured = curate(files, run, models, *options)
        stats = json.loads((run / "stats.json").read_bytes())
        report(
            f"{name}, {workers} workers: launcher {measured.launcher / 1e6:.0f} MB, largest worker "
            f"{measured.worker / 1e6:.0f} MB, {stats['records_read']:,} pages in "
            f"{measured.seconds:.1f} s"
        )
        shutil.rmtree(run)
