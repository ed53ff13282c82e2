"""How many requests a run on a store makes: so many per unit, and listings that do not grow.

A dump has 90,000 units, so each request per unit counts; the figures stand in docs/storage.md.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipelines.engine import pool
from tests.pipelines.engine.test_pool import LOCAL_BEAM
from tests.pipelines.storage.crawl_runs import crawl, kinds, run, upload
from tests.pipelines.storage.s3_server import BUCKET, S3Server, serving_s3

ROOT = f"s3://{BUCKET}"
FEW, MORE = 4, 8  # units
# Of the run directory, per unit, with both kinds of step of Common Crawl: two topics of claims, a
# staging and a settling. A unit keeps documents in one of four runs at most here.
ON_ONE_MACHINE = {
    "GET in": 2,  # each phase reads the input
    "PUT run/staged": 2,  # documents, sidecar
    "GET run/staged": 2,
    "PUT run/rejects": 2,  # of the stages, and of the settling
    "PUT run/units": 1,
    "GET run/units": 1,  # the sums at the end
}
ON_A_CLUSTER = ON_ONE_MACHINE | {
    "GET run/attempts": 3,  # a note that the unit is at work, in each of three steps
    "PUT run/attempts": 3,
    "DELETE": 3,
    "PUT run/claims/paragraphs": 1,
    "PUT run/claims/digest": 1,
    "GET run/claims/paragraphs": 2,  # the footer, and the file
    "GET run/claims/digest": 2,
    "HEAD run/claims/paragraphs": 1,  # whether the step is done
    "HEAD run/staged": 1,
    "HEAD run/units": 1,
}


def _counted(server: S3Server, folder: Path, files: int, runner: Sequence[str]) -> Counter[str]:
    """Run a crawl of so many units; return its requests by kind."""
    words, inputs = crawl(folder, files)
    upload(inputs, f"{ROOT}/in")
    server.requests.clear()
    assert run(words, f"{ROOT}/in/*.wet.gz", f"{ROOT}/run", runner) == 0
    return kinds(server.requests)


@pytest.mark.parametrize(
    ("runner", "per_unit"),
    [((), ON_ONE_MACHINE), (LOCAL_BEAM, ON_A_CLUSTER)],
    ids=["pool", "beam"],
)
def test_requests_grow_with_the_units_and_no_faster(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    runner: Sequence[str],
    per_unit: dict[str, int],
) -> None:
    """Each kind is so many per unit and no more; as many listings for twice the units."""
    monkeypatch.setattr(pool, "share_of_memory", lambda _processes: 0)  # real files do not fit
    found = []
    for files in (FEW, MORE):
        with serving_s3(monkeypatch) as server:
            found.append(_counted(server, tmp_path / str(files), files, runner))
    few, more = found
    lists = {kind: count for kind, count in more.items() if kind.startswith("LIST")}
    assert lists == {kind: count for kind, count in few.items() if kind.startswith("LIST")}
    grown = {
        kind: (count - few[kind]) / (MORE - FEW)
        for kind, count in more.items()
        # The lock is renewed by the clock, and few units keep a document.
        if count > few[kind] and kind not in ("PUT run/documents", "GET run", "PUT run")
    }
    assert grown == per_unit
    assert more["PUT run/documents"] <= MORE
