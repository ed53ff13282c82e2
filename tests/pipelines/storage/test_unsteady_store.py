"""Runs whose inputs and run directory lie on a store that fails at random: nothing is lost.

The failures follow from a seed: 503 and 500, answers that break off after some bytes, and
connections that end without an answer, also after what was asked for was done.
"""

import json
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from pipelines.engine.verify import verify
from pipelines.storage import files as storage
from pipelines.storage import stores
from tests.pipelines.storage import gcs_server, s3_server
from tests.pipelines.storage.crawl_runs import crawl, run, upload, wikipedia
from tests.pipelines.storage.gcs_server import GcsServer
from tests.pipelines.storage.s3_server import S3Server

Server = S3Server | GcsServer
Serving = Callable[[pytest.MonkeyPatch], AbstractContextManager[Server]]
STORES: dict[str, tuple[str, Serving]] = {
    "s3": (f"s3://{s3_server.BUCKET}", s3_server.serving_s3),
    "gs": (f"gs://{gcs_server.BUCKET}", gcs_server.serving_gcs),
}
SOURCES: dict[str, Callable[[Path], tuple[list[str], list[Path]]]] = {
    "wikipedia": wikipedia,
    "commoncrawl": lambda folder: crawl(folder, 6),
}
SEED = 18
SHARE = 0.15  # of the requests that fail
SMALL = ("manifest.json", "stats.json", "COMPLETED")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the pauses between tries short, in workers too, which are forked."""
    monkeypatch.setattr(
        "botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.01
    )
    monkeypatch.setattr(stores, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(stores, "LONGEST_PAUSE_SECONDS", 0.05)


@pytest.fixture(params=sorted(STORES))
def store(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, quick: None
) -> Iterator[tuple[str, Server]]:
    """Serve an empty bucket of each kind of store; give its address and its server."""
    assert quick is None
    address, serving = STORES[request.param]
    with serving(monkeypatch) as server:
        if request.param == "gs":
            monkeypatch.setattr("google.cloud.storage.retry.DEFAULT_RETRY._initial", 0.01)
            monkeypatch.setattr("google.cloud.storage.retry.DEFAULT_RETRY._maximum", 0.05)
        yield address, server


def failing(seed: str, count: int, share: float = SHARE) -> list[str]:
    """Return what becomes of so many requests: "" for most, a failure for some."""
    chance = random.Random(seed)
    kinds = ["503", "503", "500", "cut 0", "cut"]
    found = (chance.choice(kinds) if chance.random() < share else "" for _ in range(count))
    return [f"cut {chance.randrange(1, 400)}" if kind == "cut" else kind for kind in found]


@pytest.mark.parametrize("source", SOURCES)
def test_a_store_that_fails_at_random_gets_the_bytes_of_a_local_run(
    store: tuple[str, Server], tmp_path: Path, source: str
) -> None:
    """Inputs and run directory by address; every file is there, whole, and COMPLETED comes last."""
    root, server = store
    words, inputs = SOURCES[source](tmp_path)
    assert run(words, str(inputs[0].parent / f"*{inputs[0].suffix}"), str(tmp_path / "run")) == 0
    upload(inputs, f"{root}/in")
    server.requests.clear()
    server.failures[:] = planned = failing(f"{SEED} {source}", 20_000)
    there = f"{root}/run"
    assert run(words, f"{root}/in/*{inputs[0].suffix}", there) == 0
    made = len(server.requests)
    assert len(server.failures) == len(planned) - made  # so that the figure below is of this run
    assert sum(map(bool, planned[:made])) > made * SHARE / 2
    server.failures.clear()
    for name in SMALL:
        assert storage.read_bytes(f"{there}/{name}") == (tmp_path / "run" / name).read_bytes()
    assert verify(there) == []
    _check_order(server.requests[:made])


def _check_order(requests: list[str]) -> None:
    """See that nothing of a run was written after COMPLETED, which was written after all else."""
    writes = [request for request in requests if request.startswith(("PUT", "POST"))]
    beside = ("LOCK", "log.txt")  # no output of the run
    names = [r for r in writes if "run" in r and not any(name in r for name in beside)]
    done = [number for number, request in enumerate(names) if "COMPLETED" in request]
    if done:  # a store that names an upload in its body does not show it here
        later = [name for name in names[done[0] :] if "COMPLETED" not in name]
        assert [name for name in later if "delete" not in name] == []


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9], ids=["early", "midway", "late"])
def test_a_store_that_goes_away_leaves_no_completed_run(
    store: tuple[str, Server],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    share: float,
) -> None:
    """The command ends in a line; given again when the store is back, it completes the run."""
    root, server = store
    words, inputs = SOURCES["commoncrawl"](tmp_path)
    assert run(words, str(inputs[0].parent / "*.gz"), str(tmp_path / "run")) == 0
    upload(inputs, f"{root}/in")
    server.requests.clear()
    assert run(words, f"{root}/in/*.gz", f"{root}/whole") == 0
    count = len(server.requests)
    there = f"{root}/run"
    server.failures[:] = [""] * int(count * share) + ["503"] * 20_000
    assert run(words, f"{root}/in/*.gz", there) == 1
    server.failures.clear()
    assert not storage.exists(f"{there}/COMPLETED")
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    lock = json.loads(storage.read_bytes(f"{there}/LOCK"))  # it could not be removed either
    gone = lock | {"pid": 2**22 + 1}  # the launcher has ended, unlike this process
    storage.write_bytes(f"{there}/LOCK", json.dumps(gone).encode())
    assert run(words, f"{root}/in/*.gz", there) == 0
    for name in SMALL:
        assert storage.read_bytes(f"{there}/{name}") == (tmp_path / "run" / name).read_bytes()
    assert verify(there) == []
