"""Compare two runs of a million documents: seconds, and the memory of the process.

Run with ``pytest -m benchmark tests/benchmarks/test_comparing_runs.py -s``. The documents are made
of random words, 2 kB each, in files of 20,000; a tenth of them are rejected in the second run, and
a hundredth have another text. ``CORPUSMILL_BENCH_COMPARED`` says how many there are.
"""

import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipelines.engine.card import write_card
from pipelines.engine.documents import DOCUMENT_SCHEMA, REJECT_SCHEMA, ParquetSink
from pipelines.engine.ledger import Ledger, StageTally
from pipelines.engine.manifest import Manifest, RunFile
from pipelines.engine.runs import Run
from pipelines.storage.atomic import AtomicFile
from tests.benchmarks.measure import measure, report

pytestmark = pytest.mark.benchmark

DOCUMENTS = int(os.environ.get("CORPUSMILL_BENCH_COMPARED", "1000000"))
PER_FILE = 20_000
CHARACTERS = 2000
MOST_MEGABYTES = 1000.0


def write_file(run: Run, folder: str, number: int, ids: list[int], changed: int) -> RunFile:
    """Write a file of documents or of rejects."""
    letters = np.random.default_rng(number).integers(97, 123, 4 * CHARACTERS, np.uint8)
    pool = letters.tobytes().decode()
    texts = [pool[n % CHARACTERS :][:CHARACTERS] + str(n % 100 == changed) for n in ids]
    schema = DOCUMENT_SCHEMA if folder == "documents" else REJECT_SCHEMA
    table = {
        "id": [f"toy:{n:09d}" for n in ids],
        "source": ["toy"] * len(ids),
        "text": texts,
        "meta": ["{}"] * len(ids),
        "stage": ["toy.check"] * len(ids),
        "reason": ["short"] * len(ids),
        "detail": [""] * len(ids),
    }
    columns = {
        field.name: pa.array(table.get(field.name, [None] * len(ids)), field.type)
        for field in schema
    }
    path = f"{folder}/{number:05d}.parquet"
    file = AtomicFile(run.at(path))
    sink = ParquetSink(file.stream, schema)
    sink.write_table(pa.table(columns, schema=schema))
    sink.close()
    written = file.commit()
    return RunFile(path, len(ids), written.bytes, written.sha256)


def write_run(path: Path, *, rejected: int, changed: int) -> str:
    """Write a complete run: ids whose last digit is ``rejected`` are rejects."""
    run = Run(str(path))
    path.mkdir()
    run.start({"source": "toy", "rejects": "all", "rejected": rejected})
    files = []
    ledger = Ledger()
    tally = StageTally(documents_in=DOCUMENTS)
    for number in range(-(-DOCUMENTS // PER_FILE)):
        ids = range(number * PER_FILE, min(DOCUMENTS, (number + 1) * PER_FILE))
        kept = [n for n in ids if n % 10 != rejected]
        lost = [n for n in ids if n % 10 == rejected]
        files.append(write_file(run, "documents", number, kept, changed))
        if lost:
            files.append(write_file(run, "rejects", number, lost, changed))
            tally.rejected["short"] += len(lost)
        ledger.documents += len(kept)
    ledger.records_read = DOCUMENTS
    ledger.stages["toy.check"] = tally
    run.write_json({**ledger.to_json(), "units": len(files), "failed_files": {}}, "stats.json")
    write_card(run, ledger, rejects=True)
    run.seal(Manifest(ledger.documents, 0, tuple(sorted(files))))
    return str(path)


def test_two_runs_of_a_million(tmp_path: Path) -> None:
    """No file of one run is equal to one of the other, so all texts are read."""
    old = write_run(tmp_path / "old", rejected=-1, changed=-1)
    new = write_run(tmp_path / "new", rejected=3, changed=7)
    took = measure("pipelines", "compare", old, new, "--json", "-n", "1")
    megabytes = took.launcher / 1e6
    changed = {kind["new"]: kind["documents"] for kind in json.loads(took.output)["changed"]}
    assert changed["toy.check: short"] == DOCUMENTS // 10
    report(f"compare two runs of {DOCUMENTS:,}: {took.seconds:.1f} s, {megabytes:.0f} MB resident")
    assert megabytes < MOST_MEGABYTES
