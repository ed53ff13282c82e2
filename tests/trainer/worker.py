"""A rank of a launched group, for the tests that need processes of their own.

    python worker.py MODE DIRECTORY

All checks of a mode share the launch, since starting a process takes longer than they do. What
rank 0 finds out goes to ``result.json`` in the directory.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch.distributed.checkpoint.filesystem import FileSystemWriter

from tests.trainer import tiny
from trainer import checkpoint, parallel
from trainer.parallel import World
from trainer.sections import Config
from trainer.train import Run

Z_LOSS = "train.z_loss=0.01"
COMPILED = ("parallel.compile=true", "parallel.recompute=selective")
LAYOUTS = {  # that train as one rank does, by mode
    "two-ranks": {
        "dp": [],
        "bfloat16": ["parallel.param_dtype=bfloat16"],
        "one-reduction": ["parallel.sync_each_microbatch=false", "parallel.prefetch_blocks=1"],
        "replicate": ["parallel.replicate=2"],
        "tensor": ["parallel.tensor=2"],
        "tensor-bfloat16": ["parallel.tensor=2", "parallel.param_dtype=bfloat16"],
        "tensor-z": ["parallel.tensor=2", Z_LOSS],
        "tensor-documents": ["parallel.tensor=2", "data.doc_mask=true"],
    },
    "compiled": {  # by two ranks
        "compiled-tensor": ["parallel.tensor=2", *COMPILED],
        "compiled-documents": ["data.doc_mask=true", *COMPILED],
    },
    "four-ranks": {
        "replicate": ["parallel.replicate=2"],
        "tensor": ["parallel.tensor=2"],
        "replicate-tensor": ["parallel.replicate=2", "parallel.tensor=2"],
    },
}
RECOMPUTED = ("selective", "selective:2", "full")


class Rank:
    """This process, with the corpus of the test."""

    def __init__(self, root: Path, world: World) -> None:
        self.root, self.world = root, world
        self.overrides = json.loads((root / "overrides.json").read_text())

    def config(self, name: str, *overrides: str) -> Config:
        """Configure a run in a directory of this name."""
        return tiny.small([*self.overrides, f"run.dir={self.root / name}", *overrides])

    def train(self, name: str, *overrides: str, stop_after: int = 0) -> str:
        """Train it in its layout, and give the hash of the weights."""
        config = self.config(name, *overrides)
        return tiny.train(config, parallel.arrange(config.parallel), stop_after)

    def initial(self, name: str, *overrides: str) -> str:
        """Give the hash of the weights that a run begins with."""
        config = self.config(name, *overrides)
        return tiny.weights_hash(Run(config, parallel.arrange(config.parallel)).model)


def layouts(rank: Rank, mode: str) -> dict[str, Any]:
    """Train four steps in each layout."""
    made = {}
    for name, overrides in LAYOUTS[mode].items():
        made[f"initial {name}"] = rank.initial(f"initial-{name}", *overrides)
        made[name] = rank.train(name, *overrides)
    return made


def two_ranks(rank: Rank) -> dict[str, Any]:
    """Do what takes two ranks."""
    # Only one rank hears the signal; all must stop after the same step, and go on from there.
    stop_after = 2 if rank.world.rank == 1 else 0
    background = ["checkpoint.asynchronous=true", "checkpoint.every=1"]
    made = {
        **layouts(rank, "two-ranks"),
        **{mode: rank.train(mode, f"parallel.recompute={mode}") for mode in RECOMPUTED},
        "stopped": rank.train("stopped", stop_after=stop_after),
        "resumed": rank.train("stopped"),
        "asynchronous stopped": rank.train("asynchronous", *background, stop_after=stop_after),
        "asynchronous resumed": rank.train("asynchronous", *background),
        # One rank, and two, stopped after step 2: on in other layouts.
        "loaded one to replicate": rank.initial("one-stopped", "parallel.replicate=2"),
        "one to replicate": rank.train("one-stopped", "parallel.replicate=2"),
    }
    rank.train("turned", stop_after=stop_after)
    made["loaded dp"] = rank.initial("turned")
    made["loaded dp to tensor"] = rank.initial("turned", "parallel.tensor=2")
    made["dp to tensor"] = rank.train("turned", "parallel.tensor=2")
    # A rank that does not come is given up after the timeout. This breaks the group: it is last.
    parallel.limit_waiting(rank.world, 1 / 60)
    if rank.world.rank == 1:
        time.sleep(4)
    else:
        try:
            rank.world.sum([1])
        except RuntimeError as error:
            made["hung"] = str(error)
    return made


def die(*_: object, **__: object) -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def write_but_latest(path: Path, text: str) -> None:
    """Write the state of a checkpoint, but die before ``latest`` is moved."""
    if path.name.startswith(checkpoint.LATEST):
        die()
    path.write_text(text)


def train_until_killed(rank: Rank, mode: str) -> None:
    """Train, and die in the second save."""
    begin = checkpoint.Checkpoints.begin

    def deadly(*arguments: Any) -> None:
        if arguments[3].step == 2:
            if mode == "killed-naming":  # the checkpoint has its name, latest is not moved
                checkpoint._write = write_but_latest
            else:  # the data is written, .metadata is not
                FileSystemWriter.finish = die  # type: ignore[method-assign]  # on purpose
        begin(*arguments)

    checkpoint.Checkpoints.begin = deadly  # type: ignore[method-assign,assignment]  # on purpose
    background = str(mode == "killed-in-background").lower()
    rank.train(mode, "checkpoint.every=1", f"checkpoint.asynchronous={background}")


def main() -> None:
    """Run one mode."""
    mode, root = sys.argv[1], Path(sys.argv[2])
    torch.set_num_threads(1)
    rank = Rank(root, parallel.start())
    if mode.startswith("killed"):
        train_until_killed(rank, mode)
    else:
        result = two_ranks(rank) if mode == "two-ranks" else layouts(rank, mode)
        if rank.world.rank == 0:
            (root / "result.json").write_text(json.dumps(result))
    sys.stdout.flush()
    os._exit(0)  # the group may be broken, and its threads outlive it


if __name__ == "__main__":
    main()
