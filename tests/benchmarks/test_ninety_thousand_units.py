"""What a dump of 100,000 WET files costs beside the work on the files themselves.

Run with ``pytest -m benchmark tests/benchmarks/test_ninety_thousand_units.py -s``: a line a figure.
The dump is a listing of made names and a store in memory that counts requests
(``simulated_dump``); the claims are of the sizes that real units have.
"""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from pipelines.engine.graph import batch_size
from tests.benchmarks.decide_bucket import DECISIONS
from tests.benchmarks.measure import measure, report
from tests.benchmarks.simulated_dump import write_listing
from tests.pipelines.commoncrawl.crawl import write_models
from tests.pipelines.engine.test_cut_claims import cut, cut_whole, digests, paragraphs

pytestmark = pytest.mark.benchmark

MOST_GRAPH_MEGABYTES = 10  # of a Dataflow job
MOST_PLAN_MEGABYTES = 500
MOST_WORKER_BYTES = 1_000_000_000
MOST_TIMES_OF_BUCKET = 4


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a listing and tiny models."""
    folder = tmp_path_factory.mktemp("dump")
    (folder / "models").mkdir()
    write_models(folder / "models")
    write_listing(folder)
    return folder


def simulate(what: str, dump: Path) -> dict[str, dict[str, Any]]:
    """Do a part of a run in a process of its own; report and return the figures."""
    figures = dict(json.loads(measure("tests.benchmarks.simulated_dump", what, str(dump)).output))
    for name, figure in figures.items():
        more = {k: v for k, v in figure.items() if k not in ("seconds", "megabytes")}
        seconds, megabytes = figure["seconds"], figure["megabytes"]
        report(f"{what}: {name}: {seconds:.1f} s, peak so far {megabytes:.0f} MB, {more}")
    return figures


def test_plan_and_graph(dump: Path) -> None:
    """A graph that a runner takes, made in the memory of a laptop."""
    figures = simulate("plan", dump)
    assert figures["encode"]["graph_megabytes"] < MOST_GRAPH_MEGABYTES
    assert figures["encode"]["megabytes"] < MOST_PLAN_MEGABYTES


def test_end(dump: Path) -> None:
    """A request for each sidecar, and a page of a listing for each thousand names."""
    figures = simulate("finish", dump)
    units = figures["plan"]["units"]
    assert figures["one look at a step"]["requests"] == {"list": units // 1000}
    requests = figures["finish"]["requests"]
    assert requests["get"] == units
    assert sum(requests.values()) - units < units / 100


@pytest.mark.parametrize(
    ("topic", "units", "claims"), [("paragraphs", 2_812, 500_000), ("digests", 90_000, 10_800)]
)
def test_messages_of_a_unit(tmp_path: Path, topic: str, units: int, claims: int) -> None:
    """At most ten times the bytes that are claimed, and a message for a thousand keys."""
    batch = batch_size(units)
    claims_of = {"paragraphs": paragraphs, "digests": digests}[topic]
    tables = [claims_of(number, claims) for number in range(batch)]
    claimed = units * tables[0].nbytes
    began = time.perf_counter()
    messages = cut(tmp_path, tables, claimed)
    seconds = time.perf_counter() - began
    sent = sum(len(message) for _, message in messages)
    useful = len(cut_whole(tmp_path, 0))
    buckets = len({group for group, _ in messages})
    report(
        f"{topic}: {claims:,} claims of {tables[0].nbytes / claims:.0f} bytes per unit, {buckets} "
        f"buckets, batches of {batch} units: {len(messages) / batch:.1f} messages per unit of "
        f"{sent / len(messages) / 1e3:.0f} kB, {sent / batch / 1e6:.2f} MB per unit "
        f"({useful / 1e6:.2f} MB in one message), {seconds / batch:.2f} s per unit to write and cut"
    )
    assert sent / batch <= 10 * useful
    assert len(messages) / batch <= claims / 1000


@pytest.mark.parametrize("name", list(DECISIONS))
def test_memory_of_a_decision(tmp_path: Path, name: str) -> None:
    """Four times the bucket at most, and a worker under 1 GB."""
    measure("tests.benchmarks.decide_bucket", "make", name, str(tmp_path))
    output = measure("tests.benchmarks.decide_bucket", "decide", name, str(tmp_path)).output
    figures = json.loads(output)
    times = (figures["peak"] - figures["before"]) / figures["claimed"]
    report(
        f"{name}: a bucket of {figures['claimed'] / 1e6:.0f} MB, {figures['rows']:,} claims: "
        f"{figures['before'] / 1e6:.0f} MB before, {figures['peak'] / 1e6:.0f} MB at the peak, "
        f"{times:.1f} times the bucket more; {1e6 * figures['seconds'] / figures['rows']:.2f} µs "
        f"per claim, {figures['told'] / 1e6:.0f} MB of verdicts"
    )
    assert times <= MOST_TIMES_OF_BUCKET
    assert figures["peak"] < MOST_WORKER_BYTES
