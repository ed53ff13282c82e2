"""Tokens a second and device, MFU and memory of the trainer, with each attention kernel.

Run with ``pytest -m benchmark tests/benchmarks/test_trainer.py -s``: the 7B's width on an
accelerator, the demo's model on a CPU. Random tokens, so no data is needed.
"""

import pytest
import torch

from trainer import parallel
from trainer.bench import bench
from trainer.config import load

pytestmark = pytest.mark.benchmark


def test_training_steps() -> None:
    """Print the table; each kernel that serves has a rate in it."""
    config = load("demo")
    if torch.cuda.is_available():
        config = load("llama_7b", ["model.layers=8", "parallel.compile=true"])
    world = parallel.start()
    try:
        lines = list(bench(config, world, 5, 4))
    finally:
        parallel.stop()
    print("", *lines, sep="\n")
    assert any(len(line.split()) == 5 for line in lines[2:])
