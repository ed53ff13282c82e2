"""What a process sets before it joins the others: connections of 2,048 ranks, and limits."""

import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

import pytest

from tests.trainer import ranks, tiny
from trainer.config import TrainerError
from trainer.environment import allow_descriptors, connect_lazily, prepare

REPOSITORY = Path(__file__).parent.parent.parent
RANKS = (4, 8, 16)
USUAL_LIMIT = 1024  # descriptors of a process
MOST_PER_DOUBLING = 5  # sockets more: a child in each tree of gloo's, and up to four in ours


def test_two_thousand_ranks_have_few_connections(tmp_path: Path) -> None:
    """Counted at 4, 8 and 16 ranks, after the start, a save in both ways, a load and an evaluation.

    Any rank, rank 0 too, has a few more at each doubling, as in a tree; gloo by itself connects all
    with all. What serves the store, here as with torchrun a process that is no rank, has one for
    each rank.
    """
    script = str(Path(__file__).with_name("connections.py"))

    def count() -> dict[str, dict[str, list[int]]]:
        root = Path(tempfile.mkdtemp(dir=tmp_path))
        ranks.launch(root, "connections", [script, str(root), *map(str, RANKS)], 1)
        found: dict[str, dict[str, list[int]]] = json.loads((root / "sockets.json").read_text())
        return found

    counts = ranks.launch_again_once(count)
    for phase in ("start", "save", "load", "evaluate"):
        for of_rank in (max, lambda all_: all_[0]):
            most = [of_rank(counts[str(size)][phase]) for size in RANKS]
            doubling = max(after - before for before, after in itertools.pairwise(most))
            assert doubling <= MOST_PER_DOUBLING
            assert most[-1] + 7 * doubling < 100 < USUAL_LIMIT  # at 2,048 ranks, 7 doublings later
    (first, *_, last), store = RANKS, [counts[str(size)]["store"][0] for size in RANKS]
    assert store[-1] - store[0] == last - first
    assert store[0] - first < 10


def test_the_limit_is_raised_as_far_as_it_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """To what is wanted, or to the hard limit; never down."""
    limits = [1024, 4096]
    monkeypatch.setattr(resource, "getrlimit", lambda _: tuple(limits))
    monkeypatch.setattr(resource, "setrlimit", lambda _, new: limits.__setitem__(slice(0, 2), new))
    assert allow_descriptors(2000) == 2000 == limits[0]
    assert allow_descriptors(100) == 2000 == limits[0]
    assert allow_descriptors(5000) == 4096 == limits[0]
    monkeypatch.setattr(resource, "getrlimit", lambda _: (-1, -1))
    assert allow_descriptors(5000) == -1


@pytest.mark.parametrize(
    ("limits", "by_torchrun", "problem"),
    [
        ((1024, 4096), False, ""),  # it is raised
        (
            (1024, 2048),
            False,
            "for rank 0, which is connected with each of them and may have 2,048",
        ),
        (
            (1024, 4096),
            True,
            "for torchrun, which is connected with each of them and may have 1,024",
        ),
        ((4096, 4096), True, ""),
        ((-1, -1), True, ""),
    ],
)
def test_more_ranks_than_the_store_can_serve_are_refused(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], by_torchrun: bool, problem: str
) -> None:
    """Rank 0 raises its own limit, and has inherited that of a torchrun which serves the store."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", str(by_torchrun))
    connect_lazily(8)
    if problem:
        advice = "descriptors: run ulimit -n 4608 before it"
        with pytest.raises(TrainerError, match=f"^2,048 ranks are too many {problem} {advice}$"):
            connect_lazily(2048)
    else:
        connect_lazily(2048)
    monkeypatch.setenv("RANK", "1")
    connect_lazily(2048)  # it is said once


def test_libraries_are_told_before_the_group_is_made() -> None:
    """Where the flight recorder writes, and what repeats its bits; the user's word stays."""
    with mock.patch.dict(os.environ, {"TORCH_FR_BUFFER_SIZE": "7"}, clear=True):
        prepare(tiny.small(["run.dir=runs/x"]))
        assert os.environ == {
            "TORCH_FR_BUFFER_SIZE": "7",
            "TORCH_NCCL_DUMP_ON_TIMEOUT": "1",
            "TORCH_FR_DUMP_TEMP_FILE": str(Path.cwd() / "runs/x/flight_recorder/rank"),
        }
        prepare(tiny.small(["run.deterministic=true"]))
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
        assert os.environ["TORCHINDUCTOR_DETERMINISTIC"] == "1"


def test_threads_wait_without_spinning() -> None:
    """The command says so before anything imports PyTorch, whose library reads it then."""
    story = (
        "import os, sys, trainer.__main__; print(os.environ['OMP_WAIT_POLICY'], "
        "'torch' in sys.modules)"
    )
    clean = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    for given, expected in (({}, "passive"), ({"OMP_WAIT_POLICY": "active"}, "active")):
        shown = subprocess.check_output(
            [sys.executable, "-c", story], env=clean | given, cwd=REPOSITORY, text=True
        )
        assert shown.split() == [expected, "False"]
