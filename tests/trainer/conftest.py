"""What tests of the trainer share: a tiny corpus, and a process group of one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.trainer import tiny
from trainer import parallel
from trainer.parallel import World


@pytest.fixture
def corpus(tmp_path: Path) -> list[str]:
    """Give the overrides that lead to the corpus of ``write_corpus``."""
    return tiny.write_corpus(tmp_path)


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """Join a process group of one."""
    torch.set_num_threads(1)
    yield parallel.start()
    parallel.stop()
