"""The benchmark runs a preset with each kernel that serves, and says why others do not."""

import re

import pytest

from tests.trainer import tiny
from trainer.attention import AttentionError
from trainer.bench import bench
from trainer.parallel import World


@pytest.mark.parametrize(("documents", "served"), [("false", "sdpa"), ("true", "sdpa-mask")])
def test_kernels_stand_side_by_side(world: World, documents: str, served: str) -> None:
    """On the CPU one has figures, all others a reason; there is no MFU without a known peak."""
    config = tiny.small([f"data.doc_mask={documents}", "parallel.param_dtype=bfloat16"])
    head, columns, *lines = bench(config, world, 1, 2)
    assert "parameters on 1 x cpu" in head
    assert "1 steps of 2 x 2 sequences of 32 on each, bfloat16" in head
    assert columns.split() == ["attention", "tokens/s/device", "TFLOP/s", "MFU", "peak", "GiB"]
    rows = {line.split()[0]: line for line in lines}
    assert {"flash3", "flash2", "sdpa", "varlen", "flex", "xformers", "sdpa-mask"} == {*rows}
    assert re.fullmatch(rf"{served} +[\d,]+ +\d+\.\d{{3}} +- +\d+\.\d\d", rows.pop(served))
    assert all(" only" in line for line in rows.values())


def test_a_kernel_that_cannot_serve_is_an_error(world: World) -> None:
    """After its reason."""
    lines = bench(tiny.small(["attention.backend=flash2"]), world, 1, 1)
    with pytest.raises(AttentionError, match="no attention kernel serves on cpu"):
        list(lines)
