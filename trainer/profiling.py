"""Traces of chosen steps, by PyTorch's profiler (trainer spec, section 9)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.profiler import profile

from trainer.config import ProfileConfig
from trainer.parallel import World


class Profiler:
    """Traces the steps of ``profile.steps``, on the ranks of ``profile.ranks``.

    ``profile/trace-rank0.json.gz`` opens in a trace viewer (Perfetto); with an accelerator
    ``profile/memory-rank0.pickle`` holds what was allocated when and where, also after running out.
    """

    def __init__(self, directory: Path, config: ProfileConfig, world: World) -> None:
        self._directory, self._rank = directory / "profile", world.rank
        chosen = config.steps and world.rank in config.ranks
        self._steps = range(config.steps[0], config.steps[1] + 1) if chosen else range(0)
        self._memory = world.device.type == "cuda"
        self._profile: profile | None = None

    @contextmanager
    def step(self, number: int) -> Iterator[None]:
        """Trace a step if it is one of those; after the last write what was seen."""
        if number in self._steps and self._profile is None:
            if self._memory:
                torch.cuda.memory._record_memory_history()  # noqa: SLF001 - its documented name
            self._profile = profile(record_shapes=True)
            self._profile.start()
        try:
            yield
        except torch.OutOfMemoryError:
            self._dump_memory()
            raise
        if self._profile and number == self._steps[-1]:
            self._profile.stop()
            self._directory.mkdir(exist_ok=True)
            path = self._directory / f"trace-rank{self._rank}.json.gz"
            self._profile.export_chrome_trace(str(path))
            self._dump_memory()

    def _dump_memory(self) -> None:
        if self._profile and self._memory:
            self._directory.mkdir(exist_ok=True)
            path = self._directory / f"memory-rank{self._rank}.pickle"
            torch.cuda.memory._dump_snapshot(str(path))  # type: ignore[no-untyped-call]  # noqa: SLF001 - documented, untyped
