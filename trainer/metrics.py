"""What a run tells: metrics.jsonl, the record of truth, and a line to read.

TensorBoard and Weights & Biases mirror the record where they are asked for, and PyTorch's profiler
traces chosen steps (docs/rules/trainer.md 9).
"""

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import torch
from torch.profiler import profile

from tokenizer.files import write_atomically
from trainer.compiling import device_name
from trainer.config import ConfigError
from trainer.parallel import World
from trainer.plan import PUE, BatchPlan, co2_kg, energy_wh, find_hardware
from trainer.sections import Config, ProfileConfig

PROFILE = "profile"  # folder of a run
_PROCESS_START = time.monotonic()  # nearly: of the import of this module


class Metrics:
    """Times a run, and on rank 0 writes and shows what it did.

    Rates leave out what is timed apart (evaluation, checkpoints) and the first step after a start.
    """

    def __init__(self, directory: Path, config: Config, plan: BatchPlan, world: World) -> None:
        self._path = directory / "metrics.jsonl" if world.rank == 0 else None
        self._config, self._plan, self._world = config, plan, world
        self._hardware = find_hardware(device_name(world.device))
        self._meter = _energy_meter(world)
        self._before = dict.fromkeys(("gpu_hours", "energy_measured_wh"), 0.0)  # of earlier starts
        self._mirrors = _open_mirrors(directory, config) if world.rank == 0 else []
        self._begin(-1)

    def _begin(self, steps: int) -> None:
        self._steps, self._since = steps, time.monotonic()
        self._seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Time something: ``data`` is part of training, all else is apart from it."""
        start = time.monotonic()
        yield
        self._seconds[name] = self._seconds.get(name, 0.0) + time.monotonic() - start

    def restart(self, step: int) -> bool:
        """Drop the lines after ``step``, from which the run goes on, and a line cut short.

        Tells, on rank 0, whether the held-out documents were scored after that step.
        """
        if self._path is None or not self._path.exists():
            return False
        lines = self._path.read_text(encoding="utf-8").splitlines(keepends=True)
        whole = {line: json.loads(line) for line in lines if line.endswith("\n")}
        for name in self._before:  # also what was spent on steps that are done again
            self._before[name] = max([row.get(name) or 0.0 for row in whole.values()], default=0.0)
        kept = [line for line, row in whole.items() if row["step"] <= step]
        write_atomically(self._path, "".join(kept).encode())
        return any(row["step"] == step and "eval" in row for row in whole.values())

    def step(self, row: Mapping[str, Any]) -> None:
        """Count a step; add rates and memory to its row, write and show it, if it is due.

        It is after every ``metrics.every`` steps, the first after a start, and the last.
        """
        self._steps += 1
        last = self._plan.steps
        if row["step"] % self._config.metrics.every and row["step"] != last and self._steps:
            return
        world, steps, wait = self._world, self._steps, self._seconds.pop("data", 0.0)
        seconds = time.monotonic() - self._since - sum(self._seconds.values())
        step_s = seconds / steps if steps > 0 else None
        tok_s = self._plan.batch_sequences * self._plan.context / step_s if step_s else None
        flops = tok_s * self._config.model.flops_per_token / world.size if tok_s else None
        bfloat16 = self._config.parallel.param_dtype == "bfloat16"
        peak = self._hardware.peak_flops if self._hardware and bfloat16 else None
        full = {
            **row,
            "tok_s": tok_s,
            "tok_s_gpu": tok_s and tok_s / world.size,
            "tflops_gpu": flops and flops / 1e12,
            "mfu": flops / peak if flops and peak else None,
            "step_s": step_s,
            "data_wait_s": wait / steps if steps > 0 else None,
            "eta_s": step_s and step_s * (last - row["step"]),
            "apart_s": self._seconds,
            **_memory(world.device),
            **self._energy(),
        }
        self.write(full)
        self._world.say(_line(full, last))
        self._begin(0)

    def write(self, row: Mapping[str, Any]) -> None:
        """Append one object to the record."""
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        for mirror in self._mirrors:
            mirror(dict(_scalars(row)), row["step"])

    def finish(self) -> None:
        """Report the energy of the run so far, where the accelerator is known."""
        spent = self._energy()
        if self._hardware is not None:
            measured = spent["energy_measured_wh"]
            self._world.say(
                f"energy: {spent['gpu_hours']:,.1f} GPU-hours x {self._hardware.watts:.0f} W x "
                f"{PUE} = {spent['energy_wh'] / 1000:,.1f} kWh, {spent['co2_kg']:,.1f} kg CO2eq"
                + (f"; {measured / 1000:,.1f} kWh measured at the GPUs" if measured else "")
            )

    def _energy(self) -> dict[str, Any]:
        """Give what the run used since its first start, devices idle or not; all ranks call it."""
        hours = measured = energy = None
        if self._world.device.type == "cuda":
            seconds = (time.monotonic() - _PROCESS_START) * self._world.size
            hours = self._before["gpu_hours"] + seconds / 3600
            energy = energy_wh(hours, self._hardware.watts) if self._hardware else None
        if self._meter is not None:
            joules = self._world.sum([self._meter()])[0] * self._world.tensor
            measured = self._before["energy_measured_wh"] + joules / 3600
        return {
            "gpu_hours": hours,
            "energy_wh": energy,
            "co2_kg": co2_kg(energy) if energy is not None else None,
            "energy_measured_wh": measured,
        }


class Profiler:
    """Traces the steps of ``profile.steps``, on the ranks of ``profile.ranks``.

    ``profile/trace-rank0.json.gz`` opens in a trace viewer (Perfetto); with an accelerator
    ``profile/memory-rank0.pickle`` holds what was allocated when and where.
    """

    def __init__(self, directory: Path, config: ProfileConfig, world: World) -> None:
        self._directory, self._world = directory, world
        chosen = config.steps and world.rank in config.ranks
        self._steps = range(config.steps[0], config.steps[1] + 1) if chosen else range(0)
        self._profile: profile | None = None

    @contextlib.contextmanager
    def step(self, number: int) -> Iterator[None]:
        """Trace a step if it is one of those; after the last write what was seen."""
        if number in self._steps and self._profile is None:
            record_memory(self._world, history=True)
            self._profile = profile(record_shapes=True)
            self._profile.start()
        yield
        if self._profile and number == self._steps[-1]:
            self._profile.stop()
            (self._directory / PROFILE).mkdir(exist_ok=True)
            path = self._directory / PROFILE / f"trace-rank{self._world.rank}.json.gz"
            self._profile.export_chrome_trace(str(path))
            dump_memory(self._directory, self._world)
            record_memory(self._world)  # a history of all steps would grow for ever


def record_memory(world: World, *, history: bool = False) -> None:
    """Let the allocator note where each block that is held was asked for, or all that it does.

    Each note is a Python stack, 2 microseconds by PyTorch's account: little beside a step.
    """
    if world.device.type == "cuda":
        kind: Literal["all", "state"] = "all" if history else "state"
        torch.cuda.memory._record_memory_history(kind, context=kind, stacks="python")  # noqa: SLF001 - its documented name


def dump_memory(directory: Path, world: World) -> str:
    """Write what this rank's accelerator holds, and who asked for it; say where, or nothing."""
    if world.device.type != "cuda":
        return ""
    path = directory / PROFILE / f"memory-rank{world.rank}.pickle"
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.cuda.memory._dump_snapshot(str(path))  # type: ignore[no-untyped-call]  # noqa: SLF001 - documented, untyped
    return f"; what the memory held is in {path}, for pytorch.org/memory_viz"


def _energy_meter(world: World) -> Callable[[], float] | None:
    """Count the joules that this device draws from now on; None if NVML does not on every rank."""
    meter: Callable[[], float] | None = None
    if world.device.type == "cuda":
        with contextlib.suppress(Exception):  # absent, or any of NVML's errors: then no meter
            import pynvml  # noqa: PLC0415 - optional

            pynvml.nvmlInit()
            uuid = f"GPU-{torch.cuda.get_device_properties(world.device).uuid}"
            handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
            first = pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)  # millijoules

            def meter() -> float:
                return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) - first) / 1000

        if world.sum([meter is not None])[0] != world.data_ranks:
            return None
    return meter


Mirror = Callable[[dict[str, float], int], object]  # takes numbers by name, and the step


def _open_mirrors(directory: Path, config: Config) -> list[Mirror]:
    """Open what mirrors the metrics."""
    mirrors: list[Mirror] = []
    try:
        if config.metrics.tensorboard:
            from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - optional

            writer = SummaryWriter(str(directory / "tensorboard"))

            def write(numbers: dict[str, float], step: int) -> None:
                for name, number in numbers.items():
                    writer.add_scalar(name, number, step)
                writer.flush()

            mirrors.append(write)
        if config.metrics.wandb:
            import wandb  # noqa: PLC0415 - optional

            run = wandb.init(
                project=config.metrics.wandb,
                name=directory.name,
                id=hashlib.sha256(str(directory.absolute()).encode()).hexdigest()[:16],
                resume="allow",
                dir=str(directory),
                config=asdict(config),
            )
            mirrors.append(lambda numbers, step: run.log(numbers, step=step))
    except ImportError as error:
        missing = f"metrics: {error.name} is not installed: install it, or leave the key out"
        raise ConfigError(missing) from error
    return mirrors


def _scalars(row: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """List the numbers of a row; those of nested tables under names with slashes."""
    for name, value in row.items():
        if isinstance(value, Mapping):
            yield from _scalars(value, f"{prefix}{name}/")
        elif isinstance(value, int | float):
            yield f"{prefix}{name}", value


def _memory(device: torch.device) -> dict[str, int | None]:
    """Give the allocator's peaks in bytes since the last call; null without an accelerator."""
    names = {
        "mem_alloc_peak": "allocated_bytes.all.peak",
        "mem_reserved_peak": "reserved_bytes.all.peak",
        "alloc_retries": "num_alloc_retries",
    }
    if device.type != "cuda":
        return dict.fromkeys(names)
    numbers = torch.cuda.memory_stats(device)
    torch.cuda.reset_peak_memory_stats(device)
    return {name: numbers[key] for name, key in names.items()}


def _line(row: Mapping[str, Any], steps: int) -> str:
    """Write a row for the reader."""
    parts = [f"step {row['step']:,}/{steps:,}", "no update"]
    if row["loss"] is not None:
        parts[1:] = [f"loss {row['loss']:.4f}", f"norm {row['grad_norm']:.2f}"]
    parts.append(f"lr {row['lr']:.2e}")
    if row["tok_s"]:
        parts.append(f"{row['tok_s']:,.0f} tok/s")
        parts.append(f"left {timedelta(seconds=round(row['eta_s']))}")
    if row["mfu"]:
        parts.append(f"mfu {row['mfu']:.1%}")
    if row["skipped"]:
        parts.append(f"skipped {row['skipped']}")
    return "  ".join(parts)
