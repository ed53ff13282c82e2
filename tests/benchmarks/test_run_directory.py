"""What the end of a large run costs: 90,000 sidecars, as a dump of Common Crawl leaves them.

The folder of a whole dump is made first (documents and rejects are files of one byte), then a
process of its own finishes the run, opens it, and prints its seconds and its peak of memory.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.benchmark

UNITS = 90_000
MOST_SECONDS = 25.0
MOST_MEGABYTES = 300.0
STAGES = ("short", "duplicate", "language", "perplexity", "digests", "reference", "text")

FINISH = """
import resource, sys, time
from pipelines.engine.finish import finish
from pipelines.engine.runs import Run, open_completed
from pipelines.engine.units import Part, Unit

run, count = Run(sys.argv[1]), int(sys.argv[2])
units = [Unit(f"{n:05d}-CC-MAIN-{n}", "wet", (Part(f"/in/{n}", 1),)) for n in range(count)]
clock = time.perf_counter()
finish(run, units, {}, sys.argv[3].split(","), allow_empty=True)
finished = time.perf_counter() - clock
megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
clock = time.perf_counter()
files = len(open_completed(run.path).documents())
print(finished, megabytes, time.perf_counter() - clock, files)
"""


def make_run(folder: Path) -> None:
    """Write the sidecars, and the files that they name."""
    for name in ("units", "documents", "rejects"):
        (folder / name).mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"config": {"source": "commoncrawl"}}))
    stages = [
        {
            "stage": f"commoncrawl.{name}",
            "documents_in": 40_000,
            "documents_out": 30_000,
            "characters_in": 200_000_000,
            "characters_out": 150_000_000,
            "rejected": {"too_short": 5_000, "not_english": 5_000},
            "seconds": 12.345678,
        }
        for name in STAGES
    ]
    records = 30_000 + 10_000 * len(STAGES)
    ledger = {
        "records_read": records,
        "documents": 30_000,
        "characters": 150_000_000,
        "sent": 0,
        "received": 0,
        "bad_records": 0,
        "bad_records_by_reason": {},
        "notes": {f"note {n}": n for n in range(10)},
        "tables": {"host": [[f"host-{n}.example.org", n] for n in range(100)]},
        "stages": stages,
    }
    for number in range(UNITS):
        name = f"{number:05d}-CC-MAIN-{number}"
        files = [
            {"path": f"{part}/{name}.parquet", "documents": 30_000, "bytes": 1, "sha256": "0" * 64}
            for part in ("documents", "rejects")
        ]
        unit = {"name": name, "path": f"/in/{number}", "kind": "wet", "size": 1, "extra": {}}
        sidecar = {"unit": unit, "ledger": ledger, "files": files}
        (folder / "units" / f"{name}.json").write_text(json.dumps(sidecar, indent=1))
        for file in files:
            (folder / str(file["path"])).write_bytes(b"x")


def test_finish_a_run_of_90000_units(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Bounded memory: sums, names and hashes, never the sidecars."""
    make_run(tmp_path / "run")
    stages = ",".join(f"commoncrawl.{name}" for name in STAGES)
    words = [sys.executable, "-c", FINISH, str(tmp_path / "run"), str(UNITS), stages]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    seconds, megabytes, opening, files = map(float, done.stdout.split())
    with capsys.disabled():
        print(
            f"\n{UNITS:,} units: finish {seconds:.1f} s, peak {megabytes:.0f} MB; "
            f"open {opening:.1f} s"
        )
    assert files == UNITS
    assert megabytes < MOST_MEGABYTES
    assert seconds < MOST_SECONDS
