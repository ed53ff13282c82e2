"""What a run directory keeps, so that it can be moved: its mixture and its tokenizer.

A configuration names both by paths that another folder or machine may not have.
"""

import shutil
from dataclasses import replace
from pathlib import Path

from mixtures import mixture as mixture_files
from tokenizer.files import sha256_of
from trainer.sections import Config

MIXTURE = "mixture.toml"
TOKENIZER = "tokenizer.model"


def keep(config: Config, tokenizer_sha256: object) -> None:
    """Copy the mixture and the tokenizer into the run directory; call it on one rank.

    The tokenizer is the one that the configuration names, or a model of that hash beside the
    shards, where ``python -m pipelines build`` puts it. Without one the run keeps none.
    """
    run = Path(config.run.dir)
    _copy(mixture_files.find(config.data.mixture), run / MIXTURE)
    if config.data.tokenizer:
        _copy(Path(config.data.tokenizer), run / TOKENIZER)
        return
    shards = Path(config.data.shards)
    for folder in (shards, shards.parent, shards.parent / "tokenizer"):
        for model in sorted(folder.glob("*.model")):
            if sha256_of(model) == tokenizer_sha256:
                _copy(model, run / TOKENIZER)
                return


def with_kept(config: Config, run: Path) -> Config:
    """Return the configuration with what the run keeps in place of what is not there."""
    data = config.data
    if (run / TOKENIZER).exists() and not (data.tokenizer and Path(data.tokenizer).exists()):
        data = replace(data, tokenizer=str(run / TOKENIZER))
    if (run / MIXTURE).exists() and not mixture_files.find(data.mixture).exists():
        data = replace(data, mixture=str(run / MIXTURE))
    return replace(config, data=data)


def _copy(source: Path, target: Path) -> None:
    if source.exists() and not (target.exists() and source.samefile(target)):
        shutil.copyfile(source, target)
