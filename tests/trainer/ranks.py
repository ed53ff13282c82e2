"""Starts groups of ranks, keeps what they said, and starts them once more where one is killed."""

import os
import shutil
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

REPOSITORY = Path(__file__).parent.parent.parent
LAUNCH_SECONDS = 600  # compiling takes two ranks a minute on two quiet cores

T = TypeVar("T")


class RankDiedError(Exception):
    """A rank was killed by a signal that nobody sent."""


def environment() -> dict[str, str]:
    """Give what ranks start with; one that dies of a signal writes its stack to its log."""
    variables = {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"}
    return os.environ | variables


def free_port() -> int:
    """Find a port of this machine that nothing listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def start(
    root: Path, name: str, command: Sequence[str], rank: int = 0, ranks: int = 1, port: int = 0
) -> subprocess.Popen[bytes]:
    """Start a rank: Python with a command. Its output goes to a file of this name in ``root``."""
    env = environment()
    if ranks > 1:
        env |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(ranks)}
        env |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    with (root / f"{name}-{rank}.log").open("w") as log:
        return subprocess.Popen([sys.executable, *command], env=env, stdout=log, stderr=log)


def launch(root: Path, name: str, command: Sequence[str], ranks: int) -> None:
    """Run a group of ranks to its end. Raises RankDiedError if a signal killed one."""
    port = free_port()
    processes = [start(root, name, command, rank, ranks, port) for rank in range(ranks)]
    try:
        codes = [process.wait(timeout=LAUNCH_SECONDS) for process in processes]
    except subprocess.TimeoutExpired as error:
        for process in processes:
            process.kill()
        raise AssertionError(f"ranks hang; their logs are in {keep_logs(root)}") from error
    if any(codes):
        logs = "\n".join((root / f"{name}-{rank}.log").read_text()[-4000:] for rank in range(ranks))
        said = f"exit codes {codes}; the logs are in {keep_logs(root)}:\n{logs}"
        raise (RankDiedError if min(codes) < 0 else AssertionError)(said)


def keep_logs(root: Path) -> Path:
    """Copy the logs of ranks to where they outlive the test: build/rank-logs."""
    kept = REPOSITORY / "build/rank-logs" / f"{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}"
    kept.mkdir(parents=True, exist_ok=True)
    for log in root.glob("*.log"):
        shutil.copyfile(log, kept / log.name)
    return kept


def launch_again_once(start_all: Callable[[], T]) -> T:
    """Start processes once more if a rank dies of a signal, and report it; a second death fails.

    Once in about twenty launches a rank was seen to die of a damaged heap ("malloc(): unaligned
    tcache chunk detected") in the middle of a collective of torch 2.13 on gloo. Twenty-five
    launches under checking allocators did not provoke it. The report holds the stack of each
    thread, and the logs are kept.
    """
    try:
        return start_all()
    except RankDiedError as error:
        warnings.warn(f"a rank died, and all is launched again: {error}", stacklevel=1)
        return start_all()
