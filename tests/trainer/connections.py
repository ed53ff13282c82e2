"""Counts the sockets of ranks that train and save: a process that forks so many of them.

    python connections.py DIRECTORY RANKS [RANKS ...]

PyTorch is imported once; each rank then joins a group, adds numbers up, takes rank 0's word and
saves a tensor in both ways, as training does. What each has open goes to ``sockets.json``.
"""

import json
import os
import socket
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed.checkpoint.state_dict_saver import async_save, save

from trainer import parallel


def sockets() -> int:
    """Count the open sockets of this process."""
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum(str(link.readlink()).startswith("socket:") for link in links)


def be_rank(root: Path, rank: int, ranks: int, port: int) -> None:
    """Join the group and do what ranks do; write the count."""
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(ranks)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    world = parallel.start()
    background = dist.new_group(backend="gloo")
    for _ in range(2):
        world.sum([1.0])
        world.agree("yes")
    tensors = {"tensor": torch.zeros(4)}
    save(tensors, checkpoint_id=root / f"save-{ranks}")
    future = async_save(tensors, checkpoint_id=root / f"async-{ranks}", process_group=background)
    future.result()  # type: ignore[union-attr]  # a future, without a stager of our own
    (root / f"{ranks}-{rank}").write_text(str(sockets()))
    world.sum([1.0])  # all have counted


def main() -> None:
    """Fork the ranks of each group in turn."""
    root = Path(sys.argv[1])
    counts: dict[int, list[int]] = {}
    torch.set_num_threads(1)
    for ranks in map(int, sys.argv[2:]):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        children = []
        for rank in range(ranks):
            child = os.fork()
            if not child:
                be_rank(root, rank, ranks, port)
                os._exit(0)
            children.append(child)
        for child in children:
            assert os.waitpid(child, 0)[1] == 0
        counts[ranks] = [int((root / f"{ranks}-{rank}").read_text()) for rank in range(ranks)]
    (root / "sockets.json").write_text(json.dumps(counts))


if __name__ == "__main__":
    main()
