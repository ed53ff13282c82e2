"""Checkpoints that are whole or absent, and resume to the bit (docs/rules/trainer.md 7).

A checkpoint is a directory of DCP shards, each rank's own, with ``train_state.json``. It is written
under a temporary name; rank 0 renames it when every rank is done, then moves ``latest``. A process
killed at any moment leaves the checkpoint before it in place. An asynchronous one is copied to the
host, and written by a thread while training goes on; the ranks commit it at one and the same step.
"""

import json
import os
import shutil
import warnings
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.distributed.checkpoint import filesystem, staging, state_dict, state_dict_loader
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer

from trainer.config import TrainerError, from_dict, override
from trainer.config import load as load_config
from trainer.kept import with_kept
from trainer.model import Llama
from trainer.parallel import World
from trainer.saving import RanksError, Tree, save
from trainer.sections import CheckpointConfig, Config

STATE_FILE = "train_state.json"
LATEST = "latest"
_NONE = "no checkpoint there: train first, or name another"


class CheckpointError(TrainerError):
    """A checkpoint that cannot be written, or from which this run cannot go on."""


class UnreadableError(CheckpointError):
    """A checkpoint that looks whole and whose data cannot be read."""


@dataclass(slots=True)
class TrainState:
    """What a run has done; with weights and moments all that it needs to go on."""

    step: int = 0  # steps done, whether they made an update or not
    sequences: int = 0  # read or passed over: the loader's state
    tokens: int = 0  # labels trained on
    skipped: int = 0  # steps without an update
    bad_in_a_row: int = 0  # steps without an update since the last that made one
    loss_ema: float | None = None
    recent_losses: list[float] = field(default_factory=list)  # of the last good steps
    recent_norms: list[float] = field(default_factory=list)  # of the same steps
    source_sequences: dict[str, int] = field(default_factory=dict)  # trained on, by source

    @property
    def updates(self) -> int:
        """Updates made: before the first the optimizer has no moments."""
        return self.step - self.skipped


class Checkpoints:
    """The checkpoints of one run directory, ``step-00001000`` and so on."""

    def __init__(self, root: Path, world: World, config: CheckpointConfig) -> None:
        self.root, self._world, self._config = root, world, config
        self.step = 0  # of the newest checkpoint, whole or still being written
        self._begun: tuple[Path, str, Future[Any] | None] | None = None  # name, record, writer
        self._tree, self._stager = Tree(), _stager(config, world.device)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._staged: Future[Any] | None = None  # done when training may change the weights

    @property
    def written(self) -> bool:
        """Whether this rank's part of an asynchronous save is on the disk, or has failed."""
        return self._begun is not None and (self._begun[2] is None or self._begun[2].done())

    def find(self, resume: str) -> Path | None:
        """Find the checkpoint to resume from; rank 0 looks and all ranks get its answer.

        ``auto`` takes what ``latest`` names, or the newest whole one if that is gone; ``never``
        refuses to start over one; a name takes that one. Raises CheckpointError if there is none of
        that name.
        """
        return self._world.once(lambda: self._find(resume))

    def load(self, path: Path, model: Llama, optimizer: Optimizer) -> TrainState:
        """Load weights and moments into a sharded model, on any number of ranks.

        Raises UnreadableError on all ranks if the files cannot be read or do not fit the model,
        CheckpointError if a weight is not finite.
        """

        def read() -> TrainState:
            state = TrainState(**read_record(path)["state"])
            _load(path, model, optimizer if state.updates else None)
            return state

        try:
            state = self._tree.settle(read, lambda states: states)
        except RanksError as error:
            raise UnreadableError(str(error)) from error
        for name, parameter in model.named_parameters():
            local = parameter.to_local() if isinstance(parameter, DTensor) else parameter
            if not torch.isfinite(local).all():
                raise CheckpointError(f"{path}: {name} holds a number that is not finite")
        self.step = state.step
        return state

    def abandon_after(self, path: Path) -> None:
        """Put aside the checkpoints after one that the run goes back to.

        Raises CheckpointError on all ranks if one of that step was put aside before: the same
        command, given again to go on, would go back again.
        """
        aside = {p: p.with_suffix(".abandoned") for p in _whole(self.root) if p > path}
        if taken := self._world.agree([target for target in aside.values() if target.exists()]):
            raise CheckpointError(
                f"run.resume={path.name} went back before, and {taken[0]} is from then: go on with "
                "run.resume=auto, or delete it to go back again"
            )
        if self._world.rank == 0:
            for later, target in aside.items():
                later.rename(target)
                self._world.say(f"{later} is put aside as {target.name}")

    def before(self, path: Path, resume: str, error: UnreadableError) -> Path:
        """Find the checkpoint to fall back to from one that cannot be read, and say so.

        Raises the error again, with what can be done, if ``path`` was asked for by its name, or is
        the oldest: a run never begins anew in silence.
        """
        others = self._world.agree([other for other in _whole(self.root) if other != path])
        earlier = [other for other in others if other < path]
        if resume == "auto" and earlier:
            self._world.say(f"warning: {error}; going on from the one before, {earlier[-1].name}")
            return earlier[-1]
        ways = [f"run.resume={other.name}" for other in others] or ["another run.dir"]
        raise UnreadableError(f"{error}; take {' or '.join(ways)}") from error

    def begin(
        self, model: Llama, optimizer: Optimizer, state: TrainState, record: Mapping[str, Any]
    ) -> None:
        """Write a checkpoint of all ranks, or start to: ``finish`` makes it one that counts.

        ``train_state.json`` gets the record (configuration, data, versions) and the state. If one
        rank could not write, CheckpointError is raised on all, and nothing is left of it.
        """
        final = self.root / f"step-{state.step:08d}"
        content = json.dumps({**record, "state": asdict(state)}, indent=1)
        # Asked for moments that are not there, DCP makes them by a step of the optimizer, which
        # counts: training would go on differently from one that did not save.
        tensors: dict[str, Any] = {"model": state_dict.get_model_state_dict(model)}
        if state.updates:
            tensors["model"], tensors["optimizer"] = state_dict.get_state_dict(model, optimizer)
        path = final.with_suffix(".tmp")
        writer = None
        if self._config.asynchronous:
            if self._world.device.type != "cpu":
                torch.accelerator.synchronize()  # its stream does not wait for the update
            staged = self._stager.stage(tensors)
            self._staged = staged if isinstance(staged, Future) else None
            writer = self._writer.submit(save, staged, path, self._tree)
        else:
            with self._whole_or_absent(final):
                save(tensors, path, self._tree)
        self._begun, self.step = (final, content, writer), state.step

    def wait_until_staged(self) -> None:
        """Wait until training may change weights and moments: an asynchronous save copies them.

        What went wrong in copying is told by ``finish``.
        """
        if self._staged is not None:
            wait([self._staged])
            self._staged = None

    def finish(self) -> bool:
        """Commit the checkpoint that was begun, and delete those that are not kept.

        It waits for the writer. Tells whether there was one; raises as ``begin`` does.
        """
        if self._begun is None:
            return False
        final, content, writer = self._begun
        self._begun, self.step = None, -1

        def commit(ready: list[None]) -> list[None]:
            _write(final.with_suffix(".tmp") / STATE_FILE, content)
            self._commit(final)
            return ready

        with self._whole_or_absent(final):
            if writer:
                writer.result()
            self._tree.settle(lambda: None, commit)
        self.step = _step(final)
        return True

    @contextmanager
    def _whole_or_absent(self, final: Path) -> Iterator[None]:
        """Do a part of a save, in which all ranks fail if one does; then nothing is left of it."""
        try:
            yield
        except RanksError as error:
            if self._world.rank == 0:
                self._clean()
            raise CheckpointError(f"cannot save {final}: {error}") from error

    def _commit(self, final: Path) -> None:
        """Give a complete directory its name, point ``latest`` at it, prune."""
        temporary = final.with_suffix(".tmp")
        _sync(temporary)
        if final.exists():  # from before a restart that did not begin with it
            _delete(final)
        temporary.rename(final)
        _sync(self.root)
        _write(self.root / f"{LATEST}.tmp", final.name)
        (self.root / f"{LATEST}.tmp").replace(self.root / LATEST)
        _sync(self.root)
        every = self._config.keep_every
        for path in [path for path in _whole(self.root) if path <= final][: -self._config.keep]:
            if not every or _step(path) % every:
                _delete(path)

    def _find(self, resume: str) -> Path | None:
        """Do what ``find`` does, on rank 0."""
        self._clean()
        whole, path = _whole(self.root), self.root / resume
        if resume == "never" and whole:
            raise CheckpointError(
                f"{self.root} has checkpoints: give run.dir another directory, or resume"
            )
        if resume not in ("auto", "never"):
            if path not in whole:
                names = ", ".join(p.name for p in whole) or "none"
                raise CheckpointError(f"{path} is no whole checkpoint; there are: {names}")
            return path
        return _newest(self.root)

    def _clean(self) -> None:
        """Remove what was begun and not finished."""
        for path in self.root.glob("step-*.tmp"):
            shutil.rmtree(path, ignore_errors=True)


def read_record(path: Path) -> dict[str, Any]:
    """Read ``train_state.json`` of a checkpoint; raise CheckpointError if that cannot be."""
    try:
        record: dict[str, Any] = json.loads((path / STATE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path / STATE_FILE}: {error}") from error
    return record


def load_tensors(reader: filesystem.FileSystemReader, state: dict[str, Any]) -> None:
    """Fill tensors in place from a checkpoint; raise CheckpointError if it does not fit them.

    Each rank reads what it needs: nothing about it has to be agreed on.
    """
    try:
        with warnings.catch_warnings():  # it warns of what no_dist asks for
            warnings.filterwarnings("ignore", "torch.distributed is disabled", UserWarning)
            state_dict_loader.load(state, storage_reader=reader, no_dist=True)
    except CheckpointException as error:  # its own text brings tracebacks
        reasons = "; ".join(str(cause) for cause, _ in error.failures.values())
        raise CheckpointError(f"{reader.path}: cannot be loaded: {reasons}") from error


def load_weights(path: Path, model: Llama) -> None:
    """Load the weights alone into a sharded model; raise CheckpointError if they do not fit it."""
    weights = state_dict.get_model_state_dict(model)
    load_tensors(filesystem.FileSystemReader(path), {"model": weights})
    state_dict.set_model_state_dict(model, weights)


def _load(path: Path, model: Llama, optimizer: Optimizer | None) -> None:
    """Load weights, and moments if there were any, into a sharded model and its optimizer."""
    if optimizer is None:
        load_weights(path, model)
        return
    settings = [{**group} for group in optimizer.param_groups]
    weights, moments = state_dict.get_state_dict(model, optimizer)
    load_tensors(filesystem.FileSystemReader(path), {"model": weights, "optimizer": moments})
    state_dict.set_state_dict(model, optimizer, model_state_dict=weights, optim_state_dict=moments)
    for group, setting in zip(optimizer.param_groups, settings, strict=True):
        group.update(setting)  # the configuration rules over what was saved


def _stager(config: CheckpointConfig, device: torch.device) -> staging.AsyncStager:
    """Make what copies to the host for an asynchronous save.

    On a GPU ``checkpoint.pinned`` copies into page-locked memory, by a thread and a stream of its
    own. The memory is as large as this rank's shards, and kept for the next save. The other copy is
    one that training waits for, and whose memory is given back.
    """
    if config.asynchronous and config.pinned and device.type == "cuda":
        return staging.DefaultStager(staging.StagingOptions(use_shared_memory=False))
    return staging.BlockingAsyncStager()


def open_run(target: str, overrides: Iterable[str]) -> tuple[Config, Path | None]:
    """Find the configuration and the checkpoint that a command is pointed at, if one is there.

    The target is a checkpoint's folder, a run's with its newest checkpoint, or a configuration,
    whose run is meant. Nothing is changed in the run, which may be going on. Raises ConfigError if
    there is no such configuration, CheckpointError for a folder without a checkpoint.
    """
    folder = Path(target)
    if not folder.is_dir():
        config = load_config(target, overrides)
        run = Path(config.run.dir)
        return with_kept(config, run), _newest(run / "ckpt")
    path = folder if (folder / STATE_FILE).exists() else _newest(folder / "ckpt")
    if path is None:
        raise CheckpointError(f"{target}: {_NONE}")
    config = override(from_dict(read_record(path)["config"]), overrides)
    return with_kept(config, path.parents[1]), path


def open_checkpoint(target: str, overrides: Iterable[str]) -> tuple[Config, Path]:
    """Do what ``open_run`` does, for a command that needs a checkpoint."""
    config, path = open_run(target, overrides)
    if path is None:
        raise CheckpointError(f"{config.run.dir}: {_NONE}")
    return config, path


def _whole(root: Path) -> list[Path]:
    """List the complete checkpoints, oldest first."""
    named = (path for path in sorted(root.glob("step-*")) if not path.suffix)
    return [path for path in named if all((path / n).exists() for n in (".metadata", STATE_FILE))]


def _newest(root: Path) -> Path | None:
    """Find the checkpoint that ``latest`` names, or else the newest whole one."""
    whole, latest = _whole(root), root / LATEST
    if not whole:
        return None
    named = root / latest.read_text(encoding="utf-8") if latest.exists() else None
    if named in whole:
        return named
    print(f"{latest} names no whole checkpoint: going on from {whole[-1].name}")
    return whole[-1]


def _step(path: Path) -> int:
    return int(path.name.removeprefix("step-"))


def _write(path: Path, text: str) -> None:
    """Write a file and wait until it is on the disk."""
    path.write_text(text, encoding="utf-8")
    _sync(path)


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a directory, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _delete(path: Path) -> None:
    """Delete a checkpoint; its name goes first, so that no half of it looks whole."""
    going = path.with_name(f"{path.name}.deleted.tmp")
    path.rename(going)
    shutil.rmtree(going)
