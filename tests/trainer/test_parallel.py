"""Two ranks equal one, and a kill at the worst moment costs nothing but steps.

Processes are started once for all tests of this module.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.trainer import tiny
from trainer.parallel import World
from trainer.train import Run

REPOSITORY = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Launched:
    """What the worker processes left behind."""

    root: Path
    overrides: list[str]
    result: dict[str, Any]  # of the two ranks
    exit_codes: dict[str, int]  # of the killed processes, by mode

    def run_dir(self, name: str) -> str:
        """Give the override that leads to a run of the workers."""
        return f"run.dir={self.root / name}"


def start(root: Path, mode: str, rank: int = 0, ranks: int = 1, port: int = 0) -> Any:
    """Start one worker; its output goes to a file in ``root``."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    if ranks > 1:
        environment |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(ranks)}
        environment |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    command = [sys.executable, str(Path(__file__).parent / "worker.py"), mode, str(root)]
    with (root / f"{mode}-{rank}.log").open("w") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Launched:
    """Run the workers: two ranks of a group, then one process for each way to be killed."""
    root = tmp_path_factory.mktemp("launched")
    overrides = tiny.write_corpus(root)
    (root / "overrides.json").write_text(json.dumps(overrides))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ranks = [start(root, "two-ranks", rank, 2, port) for rank in range(2)]
    codes = [process.wait(timeout=120) for process in ranks]
    assert codes == [0, 0], (root / "two-ranks-0.log").read_text()[-3000:]
    killed = {mode: start(root, mode) for mode in ("killed-writing", "killed-naming")}
    return Launched(
        root,
        overrides,
        json.loads((root / "result.json").read_text()),
        {mode: process.wait(timeout=120) for mode, process in killed.items()},
    )


def test_two_ranks_begin_with_the_same_weights(launched: Launched, world: World) -> None:
    """The hash of the gathered initial weights is that of one rank."""
    config = tiny.small([*launched.overrides, launched.run_dir("one-initial")])
    assert tiny.weights_hash(Run(config, world).model) == launched.result["initial"]


@pytest.mark.parametrize(
    ("name", "dtype", "errors"),
    [("straight", "float32", (1e-6, 1e-5)), ("bfloat16", "bfloat16", (2e-4, 5e-3))],
)
def test_two_ranks_train_as_one(
    launched: Launched, world: World, name: str, dtype: str, errors: tuple[float, float]
) -> None:
    """Losses, norms, counters and held-out scores of four steps: sums, not averages, over ranks."""
    overrides = [*launched.overrides, f"parallel.param_dtype={dtype}"]
    loss_error, norm_error = errors
    directory = launched.root / f"one-{name}"
    tiny.train(tiny.small([*overrides, f"run.dir={directory}"]), world)
    for one, two in zip(tiny.rows(directory), tiny.rows(launched.root / name), strict=True):
        assert two["loss"] == pytest.approx(one["loss"], rel=loss_error)
        assert two["grad_norm"] == pytest.approx(one["grad_norm"], rel=norm_error)
        for key in ("step", "tokens", "source_tokens", "lr"):
            assert one[key] == two[key]
    (one,), (two,) = tiny.rows(directory, "eval"), tiny.rows(launched.root / name, "eval")
    assert two["eval_nll"] == pytest.approx(one["eval_nll"], rel=loss_error)
    assert two["eval"]["books"]["tokens"] == one["eval"]["books"]["tokens"]


def test_a_signal_to_one_rank_stops_both_and_they_go_on(launched: Launched) -> None:
    """Rank 1 alone heard SIGTERM after step 2: one checkpoint of that step, and the same end."""
    log = (launched.root / "two-ranks-0.log").read_text()
    assert "stopped as asked after step 2; all is saved" in log
    assert "going on from step-00000002" in log
    assert launched.result["stopped"] != launched.result["straight"]
    assert launched.result["resumed"] == launched.result["straight"]


def test_one_reduction_a_step_gives_the_same(launched: Launched) -> None:
    """Gradients kept whole until the last microbatch sum to the same losses and norms."""
    once, each = (tiny.rows(launched.root / name) for name in ("once", "straight"))
    for row, other in zip(once, each, strict=True):
        assert row["loss"] == pytest.approx(other["loss"], rel=1e-6)
        assert row["grad_norm"] == pytest.approx(other["grad_norm"], rel=1e-5)


def test_a_checkpoint_of_two_ranks_loads_on_one(launched: Launched, world: World) -> None:
    """The weights are the same to the bit, whatever the layout."""
    config = tiny.small([*launched.overrides, launched.run_dir("straight")])
    run = Run(config, world)
    assert run.state.step == 4
    assert tiny.weights_hash(run.model) == launched.result["straight"]


@pytest.mark.parametrize(
    ("mode", "unfinished"),
    [("killed-writing", "step-00000002.tmp"), ("killed-naming", "step-00000002")],
)
def test_a_kill_during_a_save_loses_nothing(
    launched: Launched,
    world: World,
    tmp_path: Path,
    mode: str,
    unfinished: str,
) -> None:
    """Killed before .metadata is written, or before latest is moved: the run goes on to its end."""
    assert launched.exit_codes[mode] == -9
    shutil.copytree(launched.root / mode, tmp_path / "run")
    left = sorted(path.name for path in (tmp_path / "run/ckpt").glob("step-*"))
    assert left == ["step-00000001", unfinished]
    assert (tmp_path / "run/ckpt/latest").read_text() == "step-00000001"
    overrides = [*launched.overrides, "checkpoint.every=1"]
    straight = tiny.train(tiny.small([*overrides, f"run.dir={tmp_path / 'straight'}"]), world)
    assert tiny.train(tiny.small([*overrides, f"run.dir={tmp_path / 'run'}"]), world) == straight
    assert not list((tmp_path / "run/ckpt").glob("*.tmp"))
