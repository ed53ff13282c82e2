"""What a process sets before it joins the others: variables that libraries read, and limits.

A variable that the user has set stays. Launch files need none of them, so that a plain ``torchrun``
does as well.
"""

import contextlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import torch

from trainer.config import TrainerError
from trainer.sections import Config

FLIGHT_RECORDER = "flight_recorder"  # folder of the run: what each rank was doing at a timeout
_STORE_DESCRIPTORS = 64  # of what serves the store, beside one for each rank
_SPARE_DESCRIPTORS = 512  # of shards (tokenizer.reading), libraries and the accelerator's driver


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
    """Let gloo connect ranks when they first talk, and see to it that the store can serve them all.

    Otherwise each of gloo's groups connects every rank with every other: at 2,048 ranks more
    descriptors than a process usually may have. So a rank has some 30 sockets. One process is still
    connected with all ranks: that which serves the store by which they find each other. This is
    rank 0, whose limit is raised, or ``torchrun``, whose limit its ranks inherit. Raises
    TrainerError on rank 0 if there are more ranks than the limit allows.
    """
    os.environ.setdefault("TORCH_GLOO_LAZY_INIT", "1")
    inherited = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    enough = 2 * ranks + _SPARE_DESCRIPTORS  # gloo needs one of each rank, NCCL may want another
    limit, server = allow_descriptors(enough), "rank 0"
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        limit, server = inherited, "torchrun"
    too_few = 0 < limit < ranks + _STORE_DESCRIPTORS  # resource.RLIM_INFINITY is -1
    if ranks > 1 and too_few and os.environ.get("RANK", "0") == "0":
        raise TrainerError(
            f"{ranks:,} ranks are too many for {server}, which is connected with each of them and "
            f"may have {limit:,} descriptors: run ulimit -n {enough} before it"
        )


def allow_descriptors(wanted: int) -> int:
    """Raise this process' limit of descriptors to so many, or as near as may be; give the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        return most
    return soft


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
