"""All layouts train as one rank does, and a kill at the worst moment costs nothing but steps.

Processes are started once for all tests of this module.
"""

import dataclasses
import importlib
import json
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import torch
from torch.distributed.fsdp import FSDPModule
from torch.utils._python_dispatch import TorchDispatchMode

from tests.trainer import ranks, tiny
from tests.trainer.worker import LAYOUTS, RECOMPUTED
from trainer import parallel
from trainer.config import ConfigError, TrainerError
from trainer.parallel import World, arrange
from trainer.plan import shards
from trainer.sections import CHOICES, ParallelConfig
from trainer.train import Run

WORKER = str(Path(__file__).with_name("worker.py"))
KILLED = ("killed-writing", "killed-naming", "killed-in-background")


@dataclass(frozen=True)
class Launched:
    """What the worker processes left behind."""

    root: Path
    overrides: list[str]
    result: Mapping[str, str]  # of the group of ranks
    exit_codes: Mapping[str, int]  # of the killed processes, by mode

    def config(self, name: str, *overrides: str) -> Any:
        """Configure a run of one rank over the same corpus."""
        return tiny.small([*self.overrides, f"run.dir={self.root / name}", *overrides])


def launch(root: Path, mode: str, count: int) -> dict[str, str]:
    """Run a group of workers to its end, and give what it found."""
    ranks.launch(root, mode, [WORKER, mode, str(root)], count)
    result: dict[str, str] = json.loads((root / "result.json").read_text())
    return result


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory, world: World) -> Launched:
    """Run two ranks of a group, and beside it one process for each way to be killed."""
    return ranks.launch_again_once(lambda: launch_all(tmp_path_factory.mktemp("launched"), world))


def launch_all(root: Path, world: World) -> Launched:
    """Run all processes in a directory."""
    overrides = tiny.write_corpus(root)
    (root / "overrides.json").write_text(json.dumps(overrides))
    made = Launched(root, overrides, {}, {})
    one_stopped = tiny.train(made.config("one-stopped"), world, stop_after=2)
    killed = {mode: ranks.start(root, mode, [WORKER, mode, str(root)]) for mode in KILLED}
    result = {**launch(root, "two-ranks", 2), "one stopped": one_stopped}
    codes = {mode: process.wait(timeout=120) for mode, process in killed.items()}
    return Launched(root, overrides, result, codes)


def compare(launched: Launched, world: World, name: str, overrides: list[str], root: Path) -> None:
    """Train a layout's run on one rank, and compare what the two wrote."""
    layout = ("replicate", "tensor", "compile", "recompute")
    same = [text for text in overrides if not any(word in text for word in layout)]
    # In bfloat16 one rank's norms are themselves up to 0.9 % from those of float32.
    loss_error, norm_error = (2e-4, 1e-2) if "bfloat16" in name else (1e-6, 1e-5)
    tiny.train(launched.config(f"one-{name}", *same), world)
    rows = (tiny.rows(path) for path in (launched.root / f"one-{name}", root / name))
    for one, more in zip(*rows, strict=True):
        assert more["loss"] == pytest.approx(one["loss"], rel=loss_error)
        assert more["grad_norm"] == pytest.approx(one["grad_norm"], rel=norm_error)
        for key in ("step", "tokens", "source_tokens", "lr"):
            assert one[key] == more[key]
    (one,), (more,) = (
        tiny.rows(path, "eval") for path in (launched.root / f"one-{name}", root / name)
    )
    assert more["eval_nll"] == pytest.approx(one["eval_nll"], rel=loss_error)
    for source in ("books", "github"):
        one_score, more_score = one["eval"][source], more["eval"][source]
        assert more_score["tokens"] == one_score["tokens"]
        assert more_score["bits_per_byte"] == pytest.approx(
            one_score["bits_per_byte"], rel=loss_error
        )


@pytest.mark.parametrize("name", LAYOUTS["two-ranks"])
def test_two_ranks_train_as_one(launched: Launched, world: World, name: str) -> None:
    """Losses, norms, counters and held-out scores of four steps: sums, not averages, over ranks."""
    compare(launched, world, name, LAYOUTS["two-ranks"][name], launched.root)


@pytest.mark.parametrize("name", LAYOUTS["two-ranks"])
def test_every_layout_begins_with_the_same_weights(
    launched: Launched, world: World, name: str
) -> None:
    """The hash of the gathered initial weights is that of one rank."""
    run = Run(launched.config("initial-one", *LAYOUTS["two-ranks"][name][1:]), world)
    assert tiny.weights_hash(run.model) == launched.result[f"initial {name}"]


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "count"), [("four-ranks", 4), ("compiled", 2)])
def test_more_layouts_train_as_one(
    launched: Launched, world: World, tmp_path: Path, mode: str, count: int
) -> None:
    """HSDP, TP and both on four ranks; compiled blocks with TP, and with documents, on two."""
    (tmp_path / "overrides.json").write_text(json.dumps(launched.overrides))
    result = launch(tmp_path, mode, count)
    for name, overrides in LAYOUTS[mode].items():
        compare(launched, world, name, overrides, tmp_path)
        assert result[f"initial {name}"] == launched.result["initial dp"]


@pytest.mark.parametrize("mode", RECOMPUTED)
def test_recomputation_changes_no_bit(launched: Launched, mode: str) -> None:
    """After four steps on two ranks the weights are those of a run that keeps everything."""
    assert launched.result[mode] == launched.result["dp"]


class Operators(TorchDispatchMode):
    """Counts the operators of a block's forward and backward."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count one."""
        self.counts[func.overloadpacket.__name__] += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    ("mode", "counts"),
    [
        ("none", (21, 1, 1)),
        ("selective", (21, 1, 2)),
        ("selective:2", (24, 1, 2)),
        ("full", (27, 2, 2)),
    ],
)
def test_recomputation_repeats_what_it_says(
    corpus: list[str], world: World, mode: str, counts: tuple[int, int, int]
) -> None:
    """Selective repeats no matrix product of the 7 of a block, selective:2 every other one.

    The last one is never repeated, as backward does not need its result.
    """
    run = Run(tiny.small([*corpus, "model.layers=1", f"parallel.recompute={mode}"]), world)
    block, cos, sin = run.model.layers[0], run.model.rope_cos, run.model.rope_sin
    x = torch.zeros(1, 32, 32, requires_grad=True)
    with Operators() as operators:
        block(x, cos, sin, None).sum().backward()
    names = ("mm", "_scaled_dot_product_flash_attention_for_cpu", "silu")
    assert tuple(operators.counts[name] for name in names) == counts


def test_an_error_of_rank_0_is_one_of_all_ranks(world: World, tmp_path: Path) -> None:
    """Of a file, and one that says what to do; on other ranks they come by the same message."""
    missing = tmp_path / "missing"
    with pytest.raises(TrainerError, match=f"No such file or directory: '{missing}'"):
        world.once(missing.read_text)

    def refuse() -> None:
        raise ConfigError("set it to 1")

    with pytest.raises(ConfigError, match="set it to 1"):
        world.once(refuse)


def test_an_operator_that_does_not_exist_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch's must exist; of a library's names one must, or attention is computed again."""
    kernel = {"flash3": ["flash_attn_3._flash_attn_forward", "flash_attn_3.fwd"]}
    kept = {"products": ["aten.mm"], "communication": [], "attention": kernel}
    monkeypatch.setattr(parallel, "_KEPT", kept)
    options, problem = parallel.recomputation("selective", "flash3")
    assert options is not None
    assert "attention by flash3 has none of the operators" in problem
    assert "backward computes it again; take another attention.backend" in problem
    library = torch.library.Library("flash_attn_3", "DEF")
    library.define("fwd(Tensor q) -> Tensor")  # the name of its earlier releases
    assert parallel.recomputation("selective", "flash3")[1] == ""
    kept["products"] = ["aten.mn"]
    with pytest.raises(ConfigError, match=r"has no operator aten\.mn, so parallel\.recompute"):
        parallel.recomputation("selective", "flash3")


def test_every_kernel_says_what_is_kept() -> None:
    """A kernel without a line in selective.toml would be an error in a run."""
    kernels = CHOICES["attention.backend"][1:]
    assert sorted(parallel._KEPT["attention"]) == sorted(kernels)
    assert parallel.recomputation("selective", "sdpa")[1] == ""


def test_parameters_are_gathered_ahead(
    corpus: list[str], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each block names the next two, in backward the two before; by default FSDP is left alone."""
    asked: list[tuple[str, list[FSDPModule]]] = []
    for direction in ("forward", "backward"):
        name = f"set_modules_to_{direction}_prefetch"
        monkeypatch.setattr(
            FSDPModule, name, lambda _, units, *, way=direction: asked.append((way, units))
        )
    shape = [*corpus, "model.layers=4"]
    Run(tiny.small(shape), world)
    assert not asked
    run = Run(tiny.small([*shape, "parallel.prefetch_blocks=2"]), world)
    numbers = {id(block): index for index, block in enumerate(run.model.layers)}
    named = [(way, [numbers[id(unit)] for unit in units]) for way, units in asked]
    assert [units for way, units in named if way == "forward"] == [[1, 2], [2, 3], [3], []]
    assert [units for way, units in named if way == "backward"] == [[], [0], [1, 0], [2, 1]]


def test_communication_of_tensor_parallel_ranks_is_overlapped_on_nvlink_only(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On another device it is an error; on a GPU the compiler and the group are told."""
    with pytest.raises(ConfigError, match=r"async_tensor = true: needs NVIDIA devices with NVLink"):
        parallel.overlap(world)
    told: list[str] = []
    monkeypatch.setattr(parallel.symmetric_memory, "enable_symm_mem_for_group", told.append)
    inductor = importlib.import_module("torch._inductor.config")
    monkeypatch.setattr(inductor, "_micro_pipeline_tp", False)
    group = SimpleNamespace(group_name="the ranks of a node")
    mesh: Any = {"tp": SimpleNamespace(get_group=lambda: group)}
    parallel.overlap(dataclasses.replace(world, device=torch.device("cuda"), mesh=mesh))
    assert told == ["the ranks of a node"]
    assert inductor._micro_pipeline_tp


def test_a_rank_that_dies_leaves_its_stack_and_twice_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stack is in the report and in a log that is kept; the second death is an error."""
    dying = ["-c", "import os, signal; os.kill(os.getpid(), signal.SIGABRT)"]
    monkeypatch.setattr(ranks, "REPOSITORY", tmp_path)
    with (
        pytest.warns(UserWarning, match="a rank died, and all is launched again"),
        pytest.raises(ranks.RankDiedError, match="Fatal Python error: Aborted"),
    ):
        ranks.launch_again_once(lambda: ranks.launch(tmp_path, "dies", dying, 1))
    (log,) = tmp_path.glob("build/rank-logs/*/dies-0.log")
    assert "Fatal Python error: Aborted" in log.read_text()


def test_a_signal_to_one_rank_stops_both_and_they_go_on(launched: Launched) -> None:
    """Rank 1 alone heard SIGTERM after step 2: one checkpoint of that step, and the same end."""
    log = (launched.root / "two-ranks-0.log").read_text()
    assert log.count("stopped as asked after step 2; all is saved") == 3
    assert "going on from step-00000002" in log
    assert launched.result["stopped"] != launched.result["dp"]
    assert launched.result["resumed"] == launched.result["dp"]


def test_asynchronous_checkpoints_hold_the_same(launched: Launched) -> None:
    """Saved at each step while training goes on, stopped after two, resumed to the same end."""
    assert launched.result["asynchronous stopped"] == launched.result["stopped"]
    assert launched.result["asynchronous resumed"] == launched.result["dp"]
    names = sorted(path.name for path in (launched.root / "asynchronous/ckpt").iterdir())
    assert names == ["latest", *(f"step-{step:08d}" for step in (2, 3, 4))]


def test_a_checkpoint_of_two_ranks_loads_on_one(launched: Launched, world: World) -> None:
    """The weights are the same to the bit, whatever the layout."""
    run = Run(launched.config("dp"), world)
    assert run.state.step == 4
    assert tiny.weights_hash(run.model) == launched.result["dp"]


@pytest.mark.parametrize(
    ("saved", "layout", "name"),
    [("one stopped", "one to replicate", "one-stopped"), ("stopped", "dp to tensor", "turned")],
)
def test_a_run_goes_on_in_another_layout(
    launched: Launched, saved: str, layout: str, name: str
) -> None:
    """The loaded weights are those saved, to the bit; the losses that follow those of no stop."""
    assert launched.result[f"loaded {layout}"] == launched.result[saved]
    straight, turned = (tiny.rows(launched.root / run) for run in ("dp", name))
    assert [row["step"] for row in turned] == [1, 2, 3, 4]
    for one, other in zip(straight, turned, strict=True):
        assert other["loss"] == pytest.approx(one["loss"], rel=1e-6)
        assert other["source_tokens"] == one["source_tokens"]


def test_a_rank_that_does_not_come_ends_the_wait(launched: Launched) -> None:
    """With the timeout set to a second, a sum without the other rank is an error."""
    assert "imed out" in launched.result["hung"]


@pytest.mark.parametrize(
    ("mode", "unfinished"),
    [
        ("killed-writing", "step-00000002.tmp"),
        ("killed-naming", "step-00000002"),
        ("killed-in-background", "step-00000002.tmp"),
    ],
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


def test_ranks_that_do_not_divide_are_refused(world: World) -> None:
    """One rank is not two copies of three; the message names both numbers."""
    assert world.size == 1
    assert shards(ParallelConfig(replicate=2, tensor=4), 64) == 8
    with pytest.raises(ConfigError, match=r"1 ranks are no multiple of parallel\.replicate 2 x"):
        arrange(ParallelConfig(replicate=2, tensor=3))


def test_torchrun_restarts_what_dies_and_passes_sigterm_on(tmp_path: Path) -> None:
    """One of two ranks is killed: both go on from the last checkpoint; then a signal stops both."""
    overrides = ["checkpoint.every=2", "metrics.every=1", "train.total_tokens=8192000"]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += ["--max-restarts=1", "-m", "trainer", "debug", *tiny.write_corpus(tmp_path)]
    with (tmp_path / "torchrun.log").open("w") as log:
        agent = subprocess.Popen(
            [*command, *overrides], env=ranks.environment(), stdout=log, stderr=log
        )

    def wait_for(text: str, path: Path) -> None:
        while not (path.exists() and text in path.read_text()):
            assert agent.poll() is None, f"it ended; its log is in {ranks.keep_logs(tmp_path)}"
            time.sleep(0.05)

    wait_for("step-", tmp_path / "run/ckpt/latest")
    psutil.Process(agent.pid).children()[1].kill()
    wait_for("going on from step-", tmp_path / "torchrun.log")
    agent.send_signal(signal.SIGTERM)
    agent.wait(timeout=60)
    done = tiny.rows(tmp_path / "run")[-1]["step"]
    assert done < 2000
    assert (tmp_path / "run/ckpt/latest").read_text() == f"step-{done:08d}"
    assert "all is saved" in (tmp_path / "torchrun.log").read_text()
