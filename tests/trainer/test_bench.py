"""The benchmark runs a preset with each kernel that serves, and says why others do not."""

import dataclasses
import re
from pathlib import Path

import pytest
import torch
from torch.distributed.fsdp import FSDPModule

from tests.trainer import tiny
from trainer import compiling
from trainer.attention import AttentionError
from trainer.bench import bench
from trainer.parallel import World
from trainer.sections import Config


@pytest.mark.parametrize(("documents", "served"), [("false", "sdpa"), ("true", "sdpa-mask")])
def test_kernels_stand_side_by_side(world: World, documents: str, served: str) -> None:
    """On the CPU one has figures, all others a reason; there is no MFU without a known peak."""
    config = tiny.small([f"data.doc_mask={documents}", "parallel.param_dtype=bfloat16"])
    head, columns, *lines, verdict = bench(config, world, 1, 2)
    assert "parameters on 1 x cpu" in head
    assert "1 steps of 2 x 2 sequences of 32 on each, bfloat16" in head
    names = ["attention", "blocks", "tokens/s/device", "TFLOP/s", "MFU", "peak", "GiB"]
    assert columns.split() == names
    assert verdict == f"fastest: attention.backend={served}, eager blocks"
    rows = {line.split()[0]: line for line in lines}
    assert {"flash3", "flash2", "sdpa", "varlen", "flex", "xformers", "sdpa-mask"} == {*rows}
    assert re.fullmatch(rf"{served} +eager +[\d,]+ +\d+\.\d{{3}} +- +\d+\.\d\d", rows.pop(served))
    assert all(" only" in line for line in rows.values())


@pytest.mark.parametrize("sync", ["true", "false"])
def test_what_is_measured_is_what_trains(
    world: World, monkeypatch: pytest.MonkeyPatch, sync: str
) -> None:
    """The benchmark runs the loop of training: the same flags of FSDP, microbatch by microbatch."""
    calls: list[tuple[str, bool]] = []
    for name in (
        "set_is_last_backward",
        "set_requires_gradient_sync",
        "set_requires_all_reduce",
        "set_reshard_after_backward",
    ):
        monkeypatch.setattr(
            FSDPModule, name, lambda _, flag, *, called=name, **__: calls.append((called, flag))
        )
    config = tiny.small([f"parallel.sync_each_microbatch={sync}", "attention.backend=sdpa"])
    list(bench(config, world, 0, 2))
    each = sync == "true"
    assert calls == [
        ("set_is_last_backward", False),
        ("set_requires_gradient_sync", each),
        ("set_requires_all_reduce", False),
        ("set_reshard_after_backward", False),
        ("set_is_last_backward", True),
        ("set_requires_gradient_sync", True),
        ("set_requires_all_reduce", True),
        ("set_reshard_after_backward", True),
    ]


def test_an_accelerator_is_measured_both_ways_and_remembers(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Eager and compiled, kernel by kernel; parallel.compile=auto then does what was faster."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA H200")
    device = dataclasses.replace(world, device=torch.device("cuda"))
    config = tiny.small(["parallel.param_dtype=bfloat16"])
    resolved, line = compiling.resolve(config, device, None)
    assert resolved.parallel.compile == "false"
    assert "warning: parallel.compile = auto: nothing is measured" in line
    assert "run EAGER" in line

    def measure(config: Config, *_: object) -> tuple[float, float]:
        if config.attention.backend not in ("flash3", "sdpa"):
            raise AttentionError(f"attention.backend: {config.attention.backend} is not there")
        if config.parallel.compile == "true" and config.attention.backend == "sdpa":
            raise RuntimeError("it does not compile\nat all")
        return {"flash3": 10_000.0, "sdpa": 9_000.0}[config.attention.backend] + 500.0 * (
            config.parallel.compile == "true"
        ), 70.0

    monkeypatch.setattr("trainer.bench._measure", measure)
    _, _, *lines = bench(config, device, 1, 1)
    shown = [" ".join(line.split()[:3]) for line in lines]
    assert shown[:2] == ["flash3 eager 10,000", "flash3 compiled 10,500"]
    assert "sdpa compiled it does not compile" in [" ".join(line.split()) for line in lines]
    assert lines[-2] == "fastest: attention.backend=flash3, compiled blocks"
    assert str(tmp_path / "corpusmill/trainer_bench.json") in lines[-1]
    resolved, line = compiling.resolve(config, device, None)
    assert resolved.parallel.compile == "true"
    assert "10,500 tokens/s per device compiled and 10,000 eager on NVIDIA H200" in line
    # A run that goes on does what it began with; what the user says comes first.
    saved = {"parallel": {"compile": "false"}}
    assert compiling.resolve(config, device, saved)[0].parallel.compile == "false"
    told = tiny.small(["parallel.compile=true"])
    assert compiling.resolve(told, device, saved) == (told, "")
    # Another shape of the blocks is another measurement, and a damaged file is none.
    other = tiny.small(["parallel.param_dtype=bfloat16", "model.heads=2"])
    assert "nothing is measured" in compiling.resolve(other, device, None)[1]
    (tmp_path / "corpusmill/trainer_bench.json").write_text("{")
    assert "nothing is measured" in compiling.resolve(config, device, None)[1]
    assert compiling.resolve(config, world, None)[0].parallel.compile == "false"  # a CPU
    full = tiny.small(["parallel.tensor=2", "parallel.recompute=full"])
    assert compiling.resolve(full, device, None)[0].parallel.compile == "false"  # cannot


def test_a_kernel_that_cannot_serve_is_an_error(world: World) -> None:
    """After its reason."""
    lines = bench(tiny.small(["attention.backend=flash2"]), world, 1, 1)
    with pytest.raises(AttentionError, match="no attention kernel serves on cpu"):
        list(lines)
