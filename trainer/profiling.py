"""Traces of chosen steps, by PyTorch's profiler (trainer spec, section 9)."""

from pathlib import Path
from typing import Self

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
        self._steps = config.steps if world.rank in config.ranks else ()
        self._memory = world.device.type == "cuda"
        self._profile: profile | None = None

    def begin(self, step: int) -> None:
        """Start before the first step."""
        if self._steps and self._profile is None and self._steps[0] <= step <= self._steps[1]:
            if self._memory:
                torch.cuda.memory._record_memory_history()  # noqa: SLF001 - its documented name
            self._profile = profile(record_shapes=True)
            self._profile.start()

    def end(self, step: int) -> None:
        """Write the traces after the last step."""
        if self._profile and step >= self._steps[1]:
            self._profile.stop()
            self._directory.mkdir(exist_ok=True)
            path = self._directory / f"trace-rank{self._rank}.json.gz"
            self._profile.export_chrome_trace(str(path))
            self._dump_memory()
            self._profile, self._steps = None, ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Write what the memory held when an error ended the run: it may have run out."""
        if kind:
            self._dump_memory()

    def _dump_memory(self) -> None:
        if self._profile and self._memory:
            self._directory.mkdir(exist_ok=True)
            path = self._directory / f"memory-rank{self._rank}.pickle"
            torch.cuda.memory._dump_snapshot(str(path))  # type: ignore[no-untyped-call]  # noqa: SLF001 - documented, untyped
