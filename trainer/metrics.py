"""What a run tells: metrics.jsonl, the record of truth, and a line to read (trainer spec, 9)."""

import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch

from trainer.config import Config
from trainer.parallel import World
from trainer.plan import BatchPlan

# FLOP/s of dense bfloat16 by device name; the vendors' doubled figures are for sparse matrices.
PEAKS = (
    (r"\bA100\b", 312e12),
    (r"\bH100 PCIe\b", 756e12),
    (r"\bH100 NVL\b", 835e12),
    (r"\bH[12]00\b", 989e12),
    (r"\bB200\b", 2.25e15),
)


def peak_flops(device_name: str) -> float | None:
    """Give the dense bfloat16 peak of an accelerator; None if it is not known, never a guess.

    >>> peak_flops("NVIDIA H100 80GB HBM3") == 989e12, peak_flops("cpu")
    (True, None)
    """
    return next((peak for pattern, peak in PEAKS if re.search(pattern, device_name)), None)


class Metrics:
    """Times a run, and on rank 0 writes and shows what it did.

    Rates leave out what is timed apart (evaluation, checkpoints) and the first step after a start.
    """

    def __init__(self, directory: Path, config: Config, plan: BatchPlan, world: World) -> None:
        self._path = directory / "metrics.jsonl" if world.rank == 0 else None
        self._config, self._plan, self._world = config, plan, world
        cuda = world.device.type == "cuda" and config.parallel.param_dtype == "bfloat16"
        self._peak = peak_flops(torch.cuda.get_device_name(world.device)) if cuda else None
        self._begin(-1)

    def _begin(self, steps: int) -> None:
        self._steps, self._since = steps, time.monotonic()
        self._seconds: dict[str, float] = {}

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Time something: ``data`` is part of training, all else is apart from it."""
        start = time.monotonic()
        yield
        self._seconds[name] = self._seconds.get(name, 0.0) + time.monotonic() - start

    def restart(self, step: int) -> None:
        """Drop the lines after ``step``, from which the run goes on, and a line cut short."""
        if self._path is None or not self._path.exists():
            return
        lines = self._path.read_text(encoding="utf-8").splitlines(keepends=True)
        whole = [line for line in lines if line.endswith("\n")]
        temporary = self._path.with_suffix(".tmp")
        kept = [line for line in whole if json.loads(line)["step"] <= step]
        temporary.write_text("".join(kept), encoding="utf-8")
        temporary.replace(self._path)

    def step(self, row: Mapping[str, Any]) -> None:
        """Count a step; complete, write and show its row if it is the first, due, or the last.

        Args:
            row: step, tokens, loss, grad_norm, lr and so on; rates and memory are added.
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
        full = {
            **row,
            "tok_s": tok_s,
            "tok_s_gpu": tok_s and tok_s / world.size,
            "tflops_gpu": flops and flops / 1e12,
            "mfu": flops / self._peak if flops and self._peak else None,
            "step_s": step_s,
            "data_wait_s": wait / steps if steps > 0 else None,
            "eta_s": step_s and step_s * (last - row["step"]),
            "apart_s": self._seconds,
            **_memory(world.device),
        }
        self.write(full)
        self.say(_line(full, last))
        self._begin(0)

    def write(self, row: Mapping[str, Any]) -> None:
        """Append one object to the record."""
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")

    def say(self, text: str) -> None:
        """Print for the reader, once for all ranks."""
        if self._world.rank == 0:
            print(text, flush=True)


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
