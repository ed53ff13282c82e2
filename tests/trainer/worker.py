"""A rank of a launched group, for the tests that need a process of their own.

    python worker.py MODE DIRECTORY

All checks of a mode share the launch, since starting a process takes longer than they do. What
rank 0 finds out goes to ``result.json`` in the directory.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
from torch.distributed.checkpoint.filesystem import FileSystemWriter

from tests.trainer import tiny
from trainer import checkpoint, parallel
from trainer.parallel import World
from trainer.train import Run


def two_ranks(root: Path, overrides: list[str], world: World) -> dict[str, Any]:
    """Train four steps in several ways on two ranks."""

    def directory(name: str) -> str:
        return f"run.dir={root / name}"

    initial = Run(tiny.small([*overrides, directory("initial")]), world)
    straight = tiny.small([*overrides, directory("straight")])
    # Only one rank hears the signal; all must stop after the same step, and go on from there.
    stopped = tiny.small([*overrides, directory("stopped")])
    stop_after = 2 if world.rank == 1 else 0
    return {
        "initial": tiny.weights_hash(initial.model),
        "straight": tiny.train(straight, world),
        "stopped": tiny.train(stopped, world, stop_after),
        "resumed": tiny.train(stopped, world),
        "bfloat16": tiny.train(
            tiny.small([*overrides, directory("bfloat16"), "parallel.param_dtype=bfloat16"]), world
        ),
        "one reduction a step": tiny.train(
            tiny.small([*overrides, directory("once"), "parallel.sync_each_microbatch=false"]),
            world,
        ),
    }


def die(*_: object, **__: object) -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def write_but_latest(path: Path, text: str) -> None:
    """Write the state of a checkpoint, but die before ``latest`` is moved."""
    if path.name.startswith(checkpoint.LATEST):
        die()
    path.write_text(text)


def main() -> None:
    """Run one mode."""
    mode, root = sys.argv[1], Path(sys.argv[2])
    overrides = json.loads((root / "overrides.json").read_text())
    torch.set_num_threads(1)
    world = parallel.start()
    if mode == "two-ranks":
        result = two_ranks(root, overrides, world)
        if world.rank == 0:
            (root / "result.json").write_text(json.dumps(result))
    else:
        config = tiny.small(["checkpoint.every=1", *overrides, f"run.dir={root / mode}"])
        saves = checkpoint.Checkpoints.save

        def save(*arguments: Any) -> None:
            if arguments[3].step == 2:
                if mode == "killed-writing":  # the data is written, .metadata is not
                    FileSystemWriter.finish = die  # type: ignore[method-assign]  # on purpose
                else:  # the checkpoint has its name, latest does not point at it
                    checkpoint._write = write_but_latest
            saves(*arguments)

        checkpoint.Checkpoints.save = save  # type: ignore[method-assign,assignment]  # on purpose
        tiny.train(config, world)
    parallel.stop()


if __name__ == "__main__":
    main()
