"""What a process sets before it joins the others: connections of 2,048 ranks, and limits."""

import itertools
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

from tests.trainer import tiny
from trainer.environment import DESCRIPTORS_PER_RANK, allow_descriptors, connect_lazily, prepare

REPOSITORY = Path(__file__).parent.parent.parent
RANKS = (4, 8, 16)
USUAL_LIMIT = 1024  # descriptors of a process


def test_two_thousand_ranks_have_few_connections(tmp_path: Path) -> None:
    """Counted at 4, 8 and 16 ranks, each of which adds up, agrees and saves in both ways.

    A rank has a few more at each doubling, as in a tree; gloo by itself connects all with all. Rank
    0, which collects the plans of checkpoints, has three for each rank: what its limit is raised
    to.
    """
    script = Path(__file__).with_name("connections.py")
    variables = {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"}
    subprocess.run(
        [sys.executable, script, tmp_path, *map(str, RANKS)],
        env=os.environ | variables,
        check=True,
        timeout=200,
    )
    counts = json.loads((tmp_path / "sockets.json").read_text())
    first = [counts[str(ranks)][0] for ranks in RANKS]
    most = [max(counts[str(ranks)][1:]) for ranks in RANKS]
    doubling = max(after - before for before, after in itertools.pairwise(most))
    assert most[-1] + 7 * doubling < 100 < USUAL_LIMIT  # at 2,048 ranks, 7 doublings later
    per_rank = (first[-1] - first[0]) / (RANKS[-1] - RANKS[0])
    assert per_rank == DESCRIPTORS_PER_RANK


def test_the_limit_is_raised_as_far_as_it_may_be(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """To what is wanted, or to the hard limit, which rank 0 then says; never down."""
    limits = [1024, 4096]
    monkeypatch.setattr(resource, "getrlimit", lambda _: tuple(limits))
    monkeypatch.setattr(resource, "setrlimit", lambda _, new: limits.__setitem__(slice(0, 2), new))
    assert allow_descriptors(2000) == 2000 == limits[0]
    assert allow_descriptors(100) == 2000 == limits[0]
    connect_lazily(8)
    assert not capsys.readouterr().err
    connect_lazily(2048)
    assert limits == [4096, 4096]
    assert "2048 ranks need 6,656 descriptors on rank 0, which may have 4,096" in (
        capsys.readouterr().err
    )
    monkeypatch.setattr(resource, "getrlimit", lambda _: (-1, -1))
    assert allow_descriptors(5000) == 5000


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
