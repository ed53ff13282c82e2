"""Whether blocks are compiled: as the configuration says, or as was measured on this device.

Compiled blocks are faster on most accelerators, and hold less, since norms, rotation and SwiGLU are
fused. Whether they are on the one at hand is measured and not guessed: ``python -m trainer bench``
times both, and writes down which was faster for this device, this release of PyTorch and this shape
of a block. ``parallel.compile = "auto"`` does what is written there. Where nothing is, blocks run
eager, and the run says so. A run that goes on does what it began with.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from tokenizer.files import write_atomically
from trainer.parallel import World
from trainer.plan import EAGER_ACTIVATIONS
from trainer.sections import Config


def resolve(config: Config, world: World, saved: Mapping[str, Any] | None) -> tuple[Config, str]:
    """Decide ``auto``, the same on every rank; give the configuration with the answer, and a line.

    ``saved`` is the configuration of the checkpoint from which the run goes on.
    """
    choice, why = config.parallel.compile, ""
    if choice == "auto" and saved:
        choice = str(saved.get("parallel", {}).get("compile", "auto")).lower()
    if choice == "auto":
        choice, why = _as_measured(config, world)
    return replace(config, parallel=replace(config.parallel, compile=choice)), why


def _as_measured(config: Config, world: World) -> tuple[str, str]:
    """Decide by what `bench` has written down; give the value of the key, and a line."""
    if world.device.type == "cpu" or not compiles(config):
        return "false", ""  # compiling takes longer than a CPU's runs
    rates = world.agree(_read().get(signature(config, world)))
    name = device_name(world.device)
    if rates is None:
        return "false", (
            f"warning: parallel.compile = auto: nothing is measured for this model on {name}, so "
            f"its blocks run EAGER, with {EAGER_ACTIVATIONS} times the activations: run python -m "
            "trainer bench with this configuration once, or set parallel.compile=true"
        )
    compiled = rates["compiled"] > rates["eager"]
    return str(compiled).lower(), (
        f"blocks are {'compiled' if compiled else 'eager'}: bench measured "
        f"{rates['compiled']:,.0f} tokens/s per device compiled and {rates['eager']:,.0f} eager on "
        f"{name}"
    )


def compiles(config: Config) -> bool:
    """Tell whether blocks of this configuration compile: PyTorch 2.13 cannot, in one case."""
    return config.parallel.tensor == 1 or config.parallel.recompute != "full"


def signature(config: Config, world: World) -> str:
    """Name what a measurement holds for: the device, PyTorch, and what the blocks compute."""
    model, parallel = config.model, config.parallel
    parts = {
        "device": device_name(world.device),
        "torch": torch.__version__,
        "block": [model.dim, model.heads, model.ffn_dim, model.context],
        "documents": config.data.doc_mask,
        "param_dtype": parallel.param_dtype,
        "recompute": parallel.recompute,
        "tensor": parallel.tensor,
    }
    return json.dumps(parts, sort_keys=True)


def remember(config: Config, world: World, rates: Mapping[str, float]) -> Path:
    """Write down tokens/s per device, ``eager`` and ``compiled``; give the file."""
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {**_read(), signature(config, world): dict(rates)}
    write_atomically(path, (json.dumps(content, indent=1) + "\n").encode())
    return path


def device_name(device: torch.device) -> str:
    """Give the name by which the vendor calls a device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _path() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "corpusmill" / "trainer_bench.json"


def _read() -> dict[str, dict[str, float]]:
    """Read what was measured on this machine; a file that is damaged holds nothing."""
    try:
        content: dict[str, dict[str, float]] = json.loads(_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content
