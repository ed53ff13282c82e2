"""Counts the sockets of ranks that start, save, load and evaluate: a process that forks the ranks.

    python connections.py DIRECTORY RANKS [RANKS ...]

PyTorch is imported once. This process serves the store, as torchrun's agent does; each rank joins a
group, and talks to the others as training, saving, loading and evaluation do. What each has open
after each of them goes to ``sockets.json``, with what the store has. On the way it checks that the
tree of ranks tells errors to all, and that what is saved is what PyTorch's own function saves.
"""

import functools
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.state_dict_saver import save as dcp_save

from tests.trainer.ranks import free_port
from trainer import parallel
from trainer.checkpoint import load_tensors
from trainer.saving import RanksError, Tree, save


def sockets() -> int:
    """Count the open sockets of this process."""
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum(str(link.readlink()).startswith("socket:") for link in links)


def be_rank(root: Path, rank: int, ranks: int, port: int) -> None:
    """Join the group and do what ranks do; write the counts."""
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(ranks)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os.environ["TORCHELASTIC_USE_AGENT_STORE"] = "True"
    world = parallel.start()
    for _ in range(2):
        world.sum([1.0])
        world.agree("yes")
    counts = {"start": sockets()}
    tree, tensors = Tree(), {"tensor": torch.full((4,), 7.0), "mine": {str(rank): torch.ones(1)}}
    save(tensors, root / f"save-{ranks}", tree)
    with ThreadPoolExecutor(1) as background:
        background.submit(save, tensors, root / f"async-{ranks}", tree).result()
    counts["save"] = sockets()
    loaded = {"tensor": torch.zeros(4), "mine": {str(ranks - 1 - rank): torch.zeros(1)}}
    states = tree.settle(
        lambda: load_tensors(FileSystemReader(root / f"async-{ranks}"), loaded), lambda found: found
    )
    assert states is None
    assert loaded["tensor"].tolist() == [7.0] * 4  # type: ignore[attr-defined]  # a tensor
    counts["load"] = sockets()
    asked = dist.new_group(backend="gloo")  # as that of trainer.scoring
    dist.broadcast_object_list(["a request"], src=0, group=asked)
    world.sum([1.0] * 5000)  # what ranks answer
    world.once(lambda: "a baseline")
    counts["evaluate"] = sockets()
    check_answers(tree, ranks)
    dcp_save(tensors, checkpoint_id=root / f"torch-{ranks}")  # what `compare_files` compares with
    (root / f"{ranks}-{rank}.tmp").write_text(json.dumps(counts))
    (root / f"{ranks}-{rank}.tmp").rename(root / f"{ranks}-{rank}")
    while not (root / f"{ranks}-done").exists():  # until the store has counted
        time.sleep(0.01)


def check_answers(tree: Tree, ranks: int) -> None:
    """Each rank gets its own answer, in the order of ranks; an error of one is that of all."""
    assert tree.settle(lambda: tree.rank, lambda all_: [10 * rank for rank in all_]) == (
        10 * tree.rank
    )

    def fail_from(first: int) -> None:
        if tree.rank >= first:
            raise OSError(28, "No space left on device")

    def fail(_: object) -> list[None]:
        raise ValueError("these do not fit together")

    full = "[Errno 28] No space left on device"
    last_two = f"rank {ranks - 2}: {full}; rank {ranks - 1}: {full}"
    three = f"rank 0: {full}; rank 1: {full}; rank 2: {full}; and {ranks - 3} more"
    for first, told in ((ranks - 2, last_two), (0, three)):
        with pytest.raises(RanksError) as problem:
            tree.settle(functools.partial(fail_from, first), lambda all_: all_)
        assert str(problem.value) == told
    with pytest.raises(RanksError, match=r"^rank 0: these do not fit together$"):
        tree.settle(lambda: None, fail)


def compare_files(ours: Path, theirs: Path) -> None:
    """Compare a checkpoint with PyTorch's: the same files, and metadata but for its own name."""
    made, expected = (
        {f.name: f.read_bytes() for f in folder.iterdir()} for folder in (ours, theirs)
    )
    assert made.pop(".metadata") != expected.pop(".metadata")  # each has its path
    assert made == expected
    found = [FileSystemReader(folder).read_metadata() for folder in (ours, theirs)]
    of_ours, of_theirs = ({**vars(metadata), "storage_meta": None} for metadata in found)
    assert of_ours == of_theirs


def main() -> None:
    """Fork the ranks of each group in turn."""
    root = Path(sys.argv[1])
    counts: dict[int, dict[str, list[int]]] = {}
    torch.set_num_threads(1)
    for ranks in map(int, sys.argv[2:]):
        port = free_port()
        children = []
        for rank in range(ranks):
            child = os.fork()
            if not child:
                be_rank(root, rank, ranks, port)
                os._exit(0)
            children.append(child)
        before = sockets()
        store = dist.TCPStore(
            "127.0.0.1", port, is_master=True, wait_for_workers=False, timeout=timedelta(minutes=2)
        )
        files = [root / f"{ranks}-{rank}" for rank in range(ranks)]
        while not all(file.exists() for file in files):
            for child in children:
                ended, status = os.waitpid(child, os.WNOHANG)
                if os.WIFSIGNALED(status):  # so does this process: `ranks.launch_again_once`
                    os.kill(os.getpid(), os.WTERMSIG(status))
                assert not ended
            time.sleep(0.02)
        served = sockets() - before
        (root / f"{ranks}-done").touch()
        for child in children:
            assert os.waitpid(child, 0)[1] == 0
        del store
        for kind in ("save", "async"):
            compare_files(root / f"{kind}-{ranks}", root / f"torch-{ranks}")
        found = [json.loads(file.read_text()) for file in files]
        counts[ranks] = {phase: [of[phase] for of in found] for phase in found[0]}
        counts[ranks]["store"] = [served]
    (root / "sockets.json").write_text(json.dumps(counts))


if __name__ == "__main__":
    main()
