"""Instruction tuning (paper, section 4): responses to prompts are learned, the prompts are not.

Examples become token shards (`tokenizer.instructions`) that say which of their tokens are learned,
and attention stays inside an example (``data.doc_mask``). So the loop, the order, the checkpoints,
resume, evaluation and export are those of any other run.
"""

import math
from collections.abc import Sequence
from pathlib import Path

from mixtures.mixture import of_one_source
from tokenizer.instructions import write_instructions
from tokenizer.model import Tokenizer
from trainer.checkpoint import open_checkpoint
from trainer.config import ConfigError, flatten, load, override
from trainer.parallel import World
from trainer.sections import Config

SOURCE = "instructions"
_WARMUP = 0.03  # of the steps


def configure(target: str, out: str, overrides: Sequence[str]) -> Config:
    """Give the configuration of a tuning, but for its length, which depends on the examples.

    It is the preset ``instruct`` with the model and the tokenizer of the run that ``target`` means,
    whose weights it begins with. ``overrides`` rule over all of it.
    """
    base, path = open_checkpoint(target, ())
    model = [f"{key}={value}" for key, value in flatten(base).items() if key.startswith("model.")]
    folders = [f"run.dir={out}", f"data.shards={out}/tokens", f"data.mixture={out}/mixture.toml"]
    given = [*model, *folders, f"run.init={path}", f"data.tokenizer={base.data.tokenizer}"]
    config = load("instruct", [*given, *overrides])
    if not config.data.tokenizer:
        raise ConfigError("examples are texts: give data.tokenizer=FILE, the run's tokenizer")
    return config


def lengthen(config: Config, windows: int, epochs: float, overrides: Sequence[str]) -> Config:
    """Make a run as long as so many epochs of the windows are; ``overrides`` rule here too."""
    context, batch = config.model.context, config.train.batch_tokens
    tokens = max(1, math.ceil(epochs * windows * context))
    warmup = round(_WARMUP * math.ceil(tokens / batch))
    given = [f"train.total_tokens={tokens}", f"optim.warmup_steps={warmup}"]
    return override(config, [*given, *overrides])


def write_shards(config: Config, data: str, world: World) -> tuple[int, str]:
    """Write examples as shards, on rank 0; give the windows of an epoch, and a line to read.

    Raises UserError on all ranks for examples that cannot be taken.
    """
    shards, tokenizer = Path(config.data.shards), Tokenizer(config.data.tokenizer)

    def write() -> tuple[int, str]:
        said = write_instructions(data, shards / SOURCE, tokenizer, config.model.context)
        Path(config.data.mixture).write_text(of_one_source(SOURCE), encoding="utf-8")
        return said

    return world.once(write)
