"""What a command is pointed at: a run's configuration, and a checkpoint of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.checkpoint import LATEST, STATE_FILE, CheckpointError, read_record
from trainer.config import Config, from_dict, load, override


@dataclass(frozen=True, slots=True)
class Saved:
    """A configuration; and of its run, if one is saved, a checkpoint and what that says."""

    config: Config
    run: Path
    checkpoint: Path | None
    record: Mapping[str, Any] | None

    def needed(self) -> Path:
        """Give the checkpoint; without one raise CheckpointError."""
        if self.checkpoint is None:
            raise CheckpointError(f"{self.run}: no checkpoint there: train first, or name another")
        return self.checkpoint


def open_saved(target: str, overrides: Iterable[str]) -> Saved:
    """Open a checkpoint's folder, a run's with its newest checkpoint, or a configuration's run.

    Nothing is changed in the run, which may be going on.

    Raises:
        ConfigError: no such configuration.
        CheckpointError: a folder without a checkpoint.
    """
    folder = Path(target)
    if not folder.is_dir():
        config = load(target, overrides)
        run = Path(config.run.dir)
        checkpoint = _newest(run)
        return Saved(config, run, checkpoint, read_record(checkpoint) if checkpoint else None)
    checkpoint = folder if (folder / STATE_FILE).exists() else _newest(folder)
    saved = Saved(Config(), folder, checkpoint, None)
    record = read_record(saved.needed())
    return Saved(override(from_dict(record["config"]), overrides), folder, checkpoint, record)


def _newest(run: Path) -> Path | None:
    """Find the checkpoint that ``latest`` names, or else the newest whole one."""
    root = run / "ckpt"
    try:
        named = root / (root / LATEST).read_text(encoding="utf-8")
    except OSError:
        named = root / "none"
    whole = [path.parent for path in sorted(root.glob(f"step-????????/{STATE_FILE}"))]
    return named if named in whole else max(whole, default=None)
