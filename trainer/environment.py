"""What a process sets before it joins the others: variables that libraries read, and limits.

A variable that the user has set stays. Launch files need none of them, so that a plain ``torchrun``
does as well.
"""

import contextlib
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

from trainer.sections import Config

FLIGHT_RECORDER = "flight_recorder"  # folder of the run: what each rank was doing at a timeout
DESCRIPTORS_PER_RANK = 3  # on rank 0, see `connect_lazily`
_SPARE_DESCRIPTORS = 512  # of shards (trainer.data), libraries and the accelerator's driver


def prepare(config: Config) -> None:
    """Set what libraries read when the group of a run is made, or at its first product."""
    recorder = Path(config.run.dir).absolute() / FLIGHT_RECORDER / "rank"
    variables = {
        # A collective of NCCL that waits too long says what each rank was doing.
        "TORCH_NCCL_DUMP_ON_TIMEOUT": "1",
        "TORCH_FR_BUFFER_SIZE": "2000",
        "TORCH_FR_DUMP_TEMP_FILE": str(recorder),
    }
    if config.run.deterministic:
        variables["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
        variables["TORCHINDUCTOR_DETERMINISTIC"] = "1"  # no choice of a kernel by its time
    for name, value in variables.items():
        os.environ.setdefault(name, value)


def connect_lazily(ranks: int) -> None:
    """Let gloo connect the ranks that talk to each other only, and allow what rank 0 needs.

    Without it each of its groups connects every rank with every other: at 2,048 ranks more
    descriptors than a process usually may have. With it a rank has some 40, but rank 0 still
    collects the plans of all others when a checkpoint is saved: in the group of the run, in that
    of asynchronous saves, and each rank is connected with the store. So its limit is raised.
    """
    os.environ.setdefault("TORCH_GLOO_LAZY_INIT", "1")
    wanted = DESCRIPTORS_PER_RANK * ranks + _SPARE_DESCRIPTORS
    limit = allow_descriptors(wanted)
    if limit < wanted and os.environ.get("RANK", "0") == "0":
        print(
            f"warning: {ranks} ranks need {wanted:,} descriptors on rank 0, which may have "
            f"{limit:,}: saving may fail; raise the hard limit (ulimit -Hn)",
            file=sys.stderr,
        )


def allow_descriptors(wanted: int) -> int:
    """Raise this process' limit of descriptors to so many, or as near as may be; give the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft == resource.RLIM_INFINITY:
        return wanted
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return max(soft, most)


@contextlib.contextmanager
def repeating(wanted: bool) -> Iterator[None]:
    """Let PyTorch take only kernels that repeat their own bits, if that is ``wanted``.

    One that has no such form raises, where it is used.
    """
    before = torch.are_deterministic_algorithms_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    if wanted:
        torch.use_deterministic_algorithms(True)
        # All that is left uninitialised here is written before it is read.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        torch.utils.deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]
