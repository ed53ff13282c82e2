"""Decide one full bucket in a process of its own, and print what memory that takes.

Run as a program: ``python -m tests.benchmarks.decide_bucket make|decide NAME FOLDER``. The claims
are written in one process and decided in another, as it is in a run.
"""

import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil
import pyarrow as pa

from pipelines.engine.claim_files import BUCKET_BYTES, Block, ClaimsFile, write_claims
from pipelines.engine.documents import KEY_BYTES
from pipelines.github.claims import decide_blobs
from pipelines.joins.claims import deciding
from pipelines.joins.decisions import first_wins, look_up
from pipelines.joins.keys import drop_all, keep_first, keep_smallest_rank

UNITS = 100
_POLL_SECONDS = 0.004
_WORD = pa.dictionary(pa.int32(), pa.string())
Keys = npt.NDArray[np.uint64]


def unit_name(number: int) -> str:
    """Return the name of a unit, as long as those of a dump are."""
    return f"{number:05d}-CC-MAIN-20190215183319-20190215205319-{number:05d}"


def sorted_keys(count: int, number: int) -> Keys:
    """Return the keys of a unit, a third of which all units share."""
    shared = np.random.default_rng(0).integers(0, 1 << 64, count // 3, np.uint64)
    own = np.random.default_rng(number).integers(0, 1 << 64, count - len(shared), np.uint64)
    return np.sort(np.concatenate([shared, own]))


def lines(keep: str, keys: Keys, number: int) -> pa.Table:
    """Return claims on lines, as ``UnitKeys`` makes them."""
    random = np.random.default_rng(number)
    columns: dict[str, Any] = {"key": keys, "many": random.random(len(keys)) < 0.05}
    if keep != "none":
        columns["row"] = random.integers(0, 40_000, len(keys)).astype(np.uint32)
    if keep == "rank":
        ranks = random.integers(0, 1 << 64, (2, len(keys)), np.uint64)
        columns |= {"rank_high": ranks[0], "rank_low": ranks[1]}
    return pa.table(columns)


def _digests(keys: Keys) -> pa.Array:
    raw = np.repeat(keys.astype(">u8"), 2).tobytes()
    return pa.Array.from_buffers(pa.binary(KEY_BYTES), len(keys), [None, pa.py_buffer(raw)])


def pages(keys: Keys, number: int) -> pa.Table:
    """Return claims on the digests of pages."""
    ranks = [f"0000\0CC-MAIN-2019-09\0{unit_name(number)}/{n}".encode() for n in range(len(keys))]
    return pa.table(
        {
            "key": _digests(keys),
            "rank": pa.array(ranks, pa.binary()),
            "count": np.ones(len(keys), np.int64),
            "row": np.arange(len(keys)),
        }
    )


def repositories(keys: Keys, number: int) -> pa.Table:
    """Return claims on licences: the first unit states them, the others ask."""
    stated = ["apache-2.0", '{"Python": 12345, "C": 77}'] if number == 0 else [None, None]
    return pa.table(
        {
            "key": _digests(keys),
            "row": np.arange(len(keys)),
            "asks": np.full(len(keys), number > 0),
            "license": pa.array(stated[:1] * len(keys), pa.string()),
            "languages": pa.array(stated[1:] * len(keys), pa.string()),
        }
    )


def blobs(keys: Keys, number: int) -> pa.Table:
    """Return claims of GitHub's files on blobs; a quarter of the units are contents."""
    count = len(keys)
    if number % 4 == 0:
        columns = {name: pa.nulls(count, kind) for name, kind in _FILE_COLUMNS.items()}
        columns["state"] = pa.array(np.arange(count) % 2, pa.int8())
    else:
        owner = [f"owner-{n // 50}/name-{number}" for n in range(count)]
        ranks = [f"{name}\0src/module/file_{n}.py".encode() for n, name in enumerate(owner)]
        columns = {
            "rank": pa.array(ranks, pa.binary()),
            "count": pa.array(np.ones(count, np.int64)),
            "state": pa.nulls(count, pa.int8()),
            "ref": pa.array(["refs/heads/master"] * count).cast(_WORD),
            "mode": pa.array(np.full(count, 33188)),
            "license": pa.array(["mit"] * count).cast(_WORD),
            "languages": pa.array([f'[["C", {n // 50}]]' for n in range(count)]).cast(_WORD),
        }
    return pa.table({"key": _digests(keys), **columns, "row": np.arange(count)})


_FILE_COLUMNS = {
    "rank": pa.binary(),
    "count": pa.int64(),
    "state": pa.int8(),
    "ref": _WORD,
    "mode": pa.int64(),
    "license": _WORD,
    "languages": _WORD,
}
Claim = Callable[[Keys, int], pa.Table]
CLAIMS: dict[str, Claim] = {
    "drop_all": partial(lines, "none"),
    "keep_first": partial(lines, "first"),
    "keep_smallest_rank": partial(lines, "rank"),
    "first_wins": pages,
    "look_up": repositories,
    "decide_blobs": blobs,
}
DECISIONS: dict[str, Callable[[Sequence[Block]], Any]] = {
    "drop_all": drop_all,
    "keep_first": keep_first,
    "keep_smallest_rank": keep_smallest_rank,
    "first_wins": deciding(first_wins),
    "look_up": deciding(partial(look_up, facts=("license", "languages"))),
    "decide_blobs": deciding(decide_blobs),
}


def make(name: str, folder: Path) -> None:
    """Write the claims of some units that together fill one bucket."""
    claim = CLAIMS[name]
    bytes_per_claim = claim(sorted_keys(10_000, 1), 1).nbytes / 10_000
    count = int(BUCKET_BYTES / UNITS / bytes_per_claim)
    for number in range(UNITS):
        table = claim(sorted_keys(count, number), number)
        write_claims(str(folder / f"{number:05d}"), unit_name(number), f"{number:05d}", [table])


def decide(name: str, folder: Path) -> dict[str, float]:
    """Decide them; return bytes claimed and told, seconds, and memory before and at its peak."""
    process = psutil.Process()
    files = [ClaimsFile.open(str(path)) for path in sorted(folder.iterdir())]
    before = peak = process.memory_info().rss
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(_POLL_SECONDS):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.perf_counter()
    blocks = [block for file in files if (block := file.block(0, 1))]
    told = sum(len(verdict) for _, verdict in DECISIONS[name](blocks))
    seconds = time.perf_counter() - began
    done.set()
    watcher.join()
    claimed = sum(file.bytes for file in files)
    rows = sum(file.rows for file in files)
    return {
        "claimed": claimed,
        "rows": rows,
        "told": told,
        "seconds": seconds,
        "before": before,
        "peak": peak,
    }


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2], Path(sys.argv[3]))
    else:
        print(json.dumps(decide(sys.argv[2], Path(sys.argv[3]))))
