"""Rates, energy and mirrors of a run's record."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from tests.trainer import tiny
from trainer import metrics
from trainer.config import ConfigError, load
from trainer.metrics import Metrics
from trainer.parallel import World
from trainer.plan import co2_kg, energy_wh, find_hardware, plan_batch
from trainer.sections import Config


@pytest.mark.parametrize(
    ("gpu_hours", "mwh", "tonnes"),
    [(82_432, 36, 14), (135_168, 59, 23), (530_432, 233, 90), (1_022_362, 449.8, 173)],
)
def test_energy_is_that_of_the_paper(gpu_hours: int, mwh: float, tonnes: int) -> None:
    """Table 15: A100 of 400 W, PUE 1.1, 0.385 t CO2eq a MWh."""
    a100 = find_hardware("NVIDIA A100-SXM4-80GB")
    assert a100 is not None
    wh = energy_wh(gpu_hours, a100.watts)
    assert wh / 1e6 == pytest.approx(mwh, abs=0.5)
    assert co2_kg(wh) / 1e3 == pytest.approx(tonnes, abs=0.5)


@pytest.mark.parametrize(
    ("name", "peak", "watts"),
    [
        ("NVIDIA A100-SXM4-80GB", 312e12, 400),
        ("NVIDIA A100 80GB PCIe", 312e12, 300),
        ("NVIDIA H100 80GB HBM3", 989e12, 700),
        ("NVIDIA H100 PCIe", 756e12, 350),
        ("NVIDIA H100 NVL", 835e12, 400),
        ("NVIDIA H200", 989e12, 700),
        ("NVIDIA B200", 2.25e15, 1000),
    ],
)
def test_peaks_are_dense(name: str, peak: float, watts: float) -> None:
    """The vendors' sparse figures would halve every MFU; what is not known is not guessed."""
    found = find_hardware(name)
    assert found is not None
    assert (found.peak_flops, found.watts) == (peak, watts)
    assert find_hardware("NVIDIA GeForce RTX 4090") is None


class Clock:
    """A time that tests move."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        """Give the seconds that were set."""
        return self.now


def on_gpus(
    monkeypatch: pytest.MonkeyPatch, name: str, *, joules: list[int] | None = None
) -> tuple[World, Clock]:
    """Pretend to be rank 0 of eight with this accelerator, whose counter NVML reads as given."""
    clock = Clock()
    monkeypatch.setattr(metrics, "time", clock)
    monkeypatch.setattr(metrics, "_PROCESS_START", 0.0)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: name)
    monkeypatch.setattr(metrics, "_memory", lambda _: {})
    properties = type("Properties", (), {"uuid": "1-2"})
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
    nvml: Any = ModuleType("pynvml")
    if joules is not None:
        counter = iter(joules)
        nvml.nvmlInit = lambda: None
        nvml.nvmlDeviceGetHandleByUUID = {"GPU-1-2": "handle"}.__getitem__
        nvml.nvmlDeviceGetTotalEnergyConsumption = lambda _: next(counter) * 1000
    monkeypatch.setitem(sys.modules, "pynvml", nvml)

    class Eight(World):
        data_ranks = 8

        def sum(self, values: Any) -> list[float]:
            return [8.0 * value for value in values]

    mesh: Any = None  # metrics do not look at it
    return Eight(0, 8, torch.device("cuda"), mesh), clock


def row(step: int) -> dict[str, Any]:
    """Make what the loop tells of a step."""
    made = {"step": step, "tokens": 0, "loss": 1.0, "loss_ema": 1.0, "grad_norm": 1.0}
    return made | {"lr": 1e-4, "skipped": 0}


def started(root: Path, config: Config, world: World, step: int = 0) -> Metrics:
    """Open the metrics of a run that goes on after ``step``."""
    opened = Metrics(root, config, plan_batch(config, 8), world)
    opened.restart(step)
    return opened


def test_mfu_is_model_flops_over_the_dense_peak(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The paper's 65B at 380 tokens/s on each A100: 154.4 TFLOP/s, 49.5 % (section 2.4)."""
    world, clock = on_gpus(monkeypatch, "NVIDIA A100-SXM4-80GB")
    config = load("llama_65b", ["metrics.every=1", "train.micro_batch=1"])
    run = started(tmp_path, config, world)
    clock.now = 1000.0  # the first step after a start is not rated
    run.step(row(1))
    with run.timed("eval"):
        clock.now += 5000.0  # nor is what is not training
    clock.now += 4_194_304 / 8 / 380
    run.step(row(2))
    first, second = tiny.rows(tmp_path)
    assert first["mfu"] is None
    assert second["tok_s_gpu"] == pytest.approx(380)
    assert second["tflops_gpu"] == pytest.approx(154.4, abs=0.05)
    assert second["mfu"] == pytest.approx(0.495, abs=0.0005)
    assert second["apart_s"] == {"eval": 5000.0}


@pytest.mark.parametrize(
    ("name", "key"),
    [("NVIDIA GeForce RTX 4090", ""), ("NVIDIA H200", "parallel.param_dtype=float32")],
)
def test_mfu_is_null_where_no_peak_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, key: str
) -> None:
    """An unknown device, or another precision than the peak's."""
    world, clock = on_gpus(monkeypatch, name)
    config = load("llama_7b", ["metrics.every=1", *([key] if key else [])])
    run = started(tmp_path, config, world)
    for step in (1, 2):
        clock.now += 1.0
        run.step(row(step))
    assert tiny.rows(tmp_path)[1]["mfu"] is None
    assert tiny.rows(tmp_path)[1]["tflops_gpu"] > 0


def test_energy_counts_reserved_hours_over_restarts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Eight H200 for an hour and a half, of which an hour was lost work: 12 x 700 W x 1.1."""
    world, clock = on_gpus(monkeypatch, "NVIDIA H200", joules=[100, 3700, 3700, 5500, 5500])
    config = load("llama_7b", ["metrics.every=1"])
    run = started(tmp_path, config, world)
    clock.now = 3600.0
    run.step(row(1))
    first = tiny.rows(tmp_path)[0]
    assert (first["gpu_hours"], first["energy_wh"]) == (8.0, pytest.approx(8 * 700 * 1.1))
    assert first["co2_kg"] == pytest.approx(8 * 0.7 * 1.1 * 0.385)
    assert first["energy_measured_wh"] == 8.0  # 3,600 joules on each of eight
    clock.now = 0.0  # a new process, from before step 1
    run = started(tmp_path, config, world)
    assert tiny.rows(tmp_path) == []
    clock.now = 1800.0
    run.step(row(1))
    assert tiny.rows(tmp_path)[0]["gpu_hours"] == 12.0
    assert tiny.rows(tmp_path)[0]["energy_measured_wh"] == 12.0
    run.finish()
    assert (
        "energy: 12.0 GPU-hours x 700 W x 1.1 = 9.2 kWh, 3.6 kg CO2eq; 0.0 kWh measured"
        in capsys.readouterr().out
    )


def test_without_nvml_only_the_nameplate_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Measured energy is null, as is all of it for a device that is not known."""
    for name, energy in (("NVIDIA H200", 8 * 700 * 1.1), ("Unknown", None)):
        world, clock = on_gpus(monkeypatch, name)
        run = started(tmp_path / name, load("llama_7b", ["metrics.every=1"]), world)
        (tmp_path / name).mkdir()
        clock.now = 3600.0
        run.step(row(1))
        found = tiny.rows(tmp_path / name)[0]
        assert found["energy_measured_wh"] is None
        assert found["energy_wh"] == (energy and pytest.approx(energy))


def test_mirrors_get_the_numbers(
    corpus: list[str], world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TensorBoard and W&B see each row, nested numbers under names with slashes."""
    seen: list[tuple[str, float, int]] = []
    logged: list[tuple[dict[str, float], int]] = []
    opened: dict[str, Any] = {}

    class Writer:
        def __init__(self, directory: str) -> None:
            opened["tensorboard"] = directory

        def add_scalar(self, name: str, value: float, step: int) -> None:
            seen.append((name, value, step))

        def flush(self) -> None:
            """Do nothing."""

    class WandbRun:
        def log(self, numbers: dict[str, float], *, step: int) -> None:
            logged.append((numbers, step))

    def init(**options: Any) -> WandbRun:
        opened["wandb"] = options
        return WandbRun()

    tensorboard, wandb = ModuleType("torch.utils.tensorboard"), ModuleType("wandb")
    tensorboard.SummaryWriter = Writer  # type: ignore[attr-defined]  # a stand-in
    wandb.init = init  # type: ignore[attr-defined]  # a stand-in
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", tensorboard)
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    config = tiny.small([*corpus, "metrics.tensorboard=true", "metrics.wandb=llama"])
    tiny.train(config, world)
    assert opened["tensorboard"] == str(tmp_path / "run/tensorboard")
    assert opened["wandb"]["project"] == "llama"
    assert opened["wandb"]["config"]["optim"]["lr"] == 0.01
    written = [*tiny.rows(tmp_path / "run"), *tiny.rows(tmp_path / "run", "eval")]
    losses = [row["loss"] for row in written if "loss" in row]
    assert [value for name, value, _ in seen if name == "loss"] == losses
    assert ("eval/books/nll", written[-1]["eval"]["books"]["nll"], 4) in seen
    assert [step for _, step in logged] == [row["step"] for row in written]
    assert [numbers["loss"] for numbers, _ in logged if "loss" in numbers] == losses


@pytest.mark.parametrize(
    ("key", "module"),
    [("metrics.tensorboard=true", "torch.utils.tensorboard"), ("metrics.wandb=llama", "wandb")],
)
def test_a_mirror_that_is_not_installed_is_an_error(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, module: str
) -> None:
    """Asked for and missing is no warning that scrolls away."""
    monkeypatch.setitem(sys.modules, module, None)
    config = tiny.small([key])
    with pytest.raises(ConfigError, match="is not installed: install it, or leave the key out"):
        Metrics(tmp_path, config, plan_batch(config, 1), world)
