"""The training loop: from a configuration to a trained model, through every stop in between.

A step reads its batch, agrees with all ranks on what it holds and whether to stop, sums gradients
over microbatches and ranks, and updates unless the loss or the norm is not finite. All that
decides anything is a value that every rank has (docs/rules/trainer.md 3, 7 and 10).
"""

import contextlib
import dataclasses
import gc
import json
import math
import statistics
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from trainer import checkpoint, compiling, data, optim
from trainer.accumulate import accumulate
from trainer.config import TrainerError, changed_maths, to_toml
from trainer.environment import FLIGHT_RECORDER, repeating
from trainer.evaluate import evaluate, unigram_nll
from trainer.kept import keep
from trainer.metrics import Metrics, Profiler, dump_memory, record_memory
from trainer.model import Llama, initialize
from trainer.parallel import World, build_model, give_back, limit_waiting
from trainer.plan import BatchPlan, memory_advice, plan_batch
from trainer.sections import Config
from trainer.stop import Stop, listening

EXIT_BAD_STEPS = 3
BAD_BATCHES = "bad_batches.jsonl"
COMPLETED = "COMPLETED"
LOSS_EMA_DECAY = 0.98
MAX_FAILED_SAVES = 2
_COLLECT_GARBAGE_STEPS = 1000


def run(config: Config, world: World) -> int:
    """Train as ``config`` says, from the beginning or from the run's checkpoint.

    Gives the exit code: 0, or 3 after too many steps in a row that made no update. Raises
    TrainerError for what the user can put right.
    """
    with training(config, world) as heard:
        return Run(config, world).train(heard)


@contextlib.contextmanager
def training(config: Config, world: World) -> Iterator[list[int]]:
    """Set this process up for a `Run`, and put it back after; give the signals that come in.

    Raises TrainerError, with the memory plan, if an accelerator runs out of memory.
    """
    with listening() as heard, repeating(config.run.deterministic):
        gc.disable()  # ranks that collect at different times wait for one another
        record_memory(world)
        try:
            yield heard
        except torch.OutOfMemoryError as error:
            where = dump_memory(Path(config.run.dir), world)
            raise TrainerError(f"{error} {memory_advice(config, world.size)}{where}") from error
        finally:
            gc.enable()


class Run:
    """A run with all that it holds: opened or resumed, then trained step by step."""

    def __init__(self, config: Config, world: World) -> None:
        self.world = world
        self.plan = plan_batch(config, world.data_ranks)
        self.directory = Path(config.run.dir)
        world.once(lambda: _make_directory(self.directory, world.device))
        self.checkpoints = checkpoint.Checkpoints(self.directory / "ckpt", world, config.checkpoint)
        found = self.checkpoints.find(config.run.resume)
        saved = checkpoint.read_record(found)["config"] if found else None
        self.config, compiled = compiling.resolve(config, world, saved)
        self.corpus = _open_data(config, self.plan, found)
        if config.data.verify:
            data.verify(self.corpus, world.rank, world.size)
        self.model, attention = build_model(self.config, world)
        self.optimizer = optim.build_optimizer(self.model, config.optim)
        self.state, found = self._begin(found)
        self.loader = data.Loader(self.corpus, self.plan, world.data_rank, config.data)
        self._unigram: dict[str, float] | None = None
        self.tasks = None
        self.task_scores: dict[str, Any] | None = None  # of the newest evaluation here
        if config.eval.tasks:  # loaded now, so that a wrong name is told before the first step
            from trainer.harness import Evaluation  # noqa: PLC0415 - the harness is optional

            self.tasks = Evaluation(config, world)
        self._save_due, self._failed_saves = False, 0
        self.profiler = Profiler(self.directory, config.profile, world)
        if world.rank == 0:
            (self.directory / "config.toml").write_text(to_toml(self.config), encoding="utf-8")
            keep(config, self.corpus.fingerprint["data.tokenizer"])
        self.metrics = Metrics(self.directory, config, self.plan, world)
        self._scored = world.agree(self.metrics.restart(self.state.step))
        world.say(
            f"{config.model.parameters:,} parameters on {world.size} x {world.device.type}, "
            f"{self.plan.steps:,} steps of {config.train.batch_tokens:,} "
            f"tokens, {self.plan.accumulation} x {self.plan.micro_batch} sequences per rank; "
            + (f"going on from {found.name}" if found else "from the beginning")
        )
        why = f" ({attention.passed_over})" if attention.passed_over else ""
        self.world.say(f"attention by {attention.name}{why}")
        if compiled:
            world.say(compiled)

    def _begin(self, found: Path | None) -> tuple[checkpoint.TrainState, Path | None]:
        """Fill the model and the optimizer: from a checkpoint, or with the weights of a new run.

        Gives the state, and the checkpoint that it came from: an older one than ``found`` where
        that cannot be read.
        """
        while found:
            try:
                state = self.checkpoints.load(found, self.model, self.optimizer)
            except checkpoint.UnreadableError as error:
                found = self.checkpoints.before(found, self.config.run.resume, error)
                self.corpus = _open_data(self.config, self.plan, found)
                continue
            if self.config.run.resume == found.name:
                self.checkpoints.abandon_after(found)
            return state, found
        _fill(self.model, self.config)
        return checkpoint.TrainState(), None

    def train(self, heard: Sequence[int] = ()) -> int:
        """Train to the end, or until asked to stop; give the exit code (see ``run``)."""
        config, state, last = self.config, self.state, self.plan.steps
        stop = Stop(self.directory, config.run, heard)
        finished = self.directory / COMPLETED
        finished.unlink(missing_ok=True)  # a longer run may go on from a finished one
        code, ending = 0, f"all {last:,} steps are done"
        patient = True  # the first step may compile
        if state.step and not self._scored and _due(state.step, config.eval.every, last):
            self._evaluate()  # it was saved, and ended before its evaluation did
        with contextlib.closing(self.loader.steps(state.step, state.sequences)) as batches:
            while state.step < last:
                with self.metrics.timed("data"):
                    batch = next(batches)
                counts = batch.valid, batch.bad_sequences, *batch.source_sequences
                stopping, written, valid, bad, *sources = self.world.sum(
                    [stop.asked, self.checkpoints.written, *counts]
                )
                if written == self.world.data_ranks:
                    self._finish_save()
                if stopping and not state.bad_in_a_row:
                    # This batch is not trained on: the run reads it again when it goes on.
                    self._save(must=True)
                    stop.obeyed()
                    ending = f"stopped as asked after step {state.step:,}; all is saved"
                    break
                with self.profiler.step(batch.step):
                    row = self._step(batch, int(valid), sources)
                self.metrics.step({**row, "bad_sequences": int(bad)})
                if patient and not batch.passed_over:
                    limit_waiting(self.world, config.parallel.timeout_minutes)
                    patient = False
                if state.bad_in_a_row >= config.run.max_bad_steps:
                    self._finish_save()
                    code, read = EXIT_BAD_STEPS, self.directory / BAD_BATCHES
                    many = f"{state.bad_in_a_row} steps in a row"
                    ending = f"stopped: {many} made no update; what they read is in {read}"
                    break
                self._do_what_is_due(state.step)
            else:
                if self.world.rank == 0:
                    finished.touch()  # what restarts a job that was stopped asks for it
        self.metrics.finish()
        self.world.say(ending)
        return code

    def _do_what_is_due(self, step: int) -> None:
        """Save, evaluate, and collect garbage after a step, where it is time to.

        It saves first, so that an evaluation which fails costs no steps.
        """
        config, last = self.config, self.plan.steps
        self._save_due |= _due(step, config.checkpoint.every, last)
        # A bad step is not saved, unless it is the last: the weights are those before it.
        if self._save_due and (not self.state.bad_in_a_row or step == last):
            self._save(must=step == last)
        if _due(step, config.eval.every, last):
            self._evaluate()
        if self.tasks and _due(step, config.eval.tasks_every, last):
            with self.metrics.timed("eval"):
                self.task_scores, text = self.tasks.run(self.model)
            self._tell(f"tasks at step {step:,}:\n{text}", self.task_scores)
        if step % _COLLECT_GARBAGE_STEPS == 0:
            gc.collect()

    def gradients(self, batch: data.StepBatch, valid: int) -> tuple[float, float]:
        """Run forward and backward over a step; give its mean loss and its norm before clipping.

        ``valid`` is the number of the step's labels over all ranks.
        """
        microbatches = list(zip(batch.tokens, batch.labels, strict=True))
        nll = accumulate(
            self.model,
            microbatches,
            valid,
            self.config.parallel,
            self.world,
            mask_bos=self.corpus.mask_bos,
        )
        norm = optim.clip_gradients(self.model.parameters(), self.config.optim.clip)
        dist.all_reduce(nll)
        nll /= self.world.tensor  # ranks that share a sequence have the same, each in whole
        loss, norm_before = torch.stack((nll / valid, norm)).tolist()  # the step's one host sync
        return loss, norm_before

    def _step(self, batch: data.StepBatch, valid: int, sources: list[float]) -> dict[str, Any]:
        """Train on one batch, or pass over it; give its row of metrics."""
        state = self.state
        loss: float | None = None
        norm: float | None = None
        state.step, state.sequences = batch.step, batch.first + self.plan.batch_sequences
        rate = optim.learning_rate(batch.step, self.config.optim, self.plan.steps)
        if batch.passed_over:
            state.skipped += 1
        else:
            loss, norm = self.gradients(batch, valid)
            state.tokens += valid
            for name, count in zip(self.corpus.sources, sources, strict=True):
                state.source_sequences[name] = state.source_sequences.get(name, 0) + int(count)
            if self._is_good(batch, loss, norm):
                optim.set_learning_rate(self.optimizer, rate)
                self.checkpoints.wait_until_staged()
                self.optimizer.step()
                state.bad_in_a_row = 0
                ema = loss if state.loss_ema is None else state.loss_ema
                state.loss_ema = LOSS_EMA_DECAY * ema + (1 - LOSS_EMA_DECAY) * loss
                for recent, value in ((state.recent_losses, loss), (state.recent_norms, norm)):
                    recent[:] = [*recent, value][-self.config.run.spike_window :]
            else:
                state.skipped += 1
                state.bad_in_a_row += 1
                loss = norm = None
            self.optimizer.zero_grad()
        return {
            "step": state.step,
            "tokens": state.tokens,
            "loss": loss,
            "loss_ema": state.loss_ema,
            "grad_norm": norm,
            "lr": rate,
            "skipped": state.skipped,
            "source_tokens": {s: n * self.plan.context for s, n in state.source_sequences.items()},
        }

    def _is_good(self, batch: data.StepBatch, loss: float, norm: float) -> bool:
        """Tell whether a step shall make its update; write down what a bad or odd one read.

        All ranks have the same loss and norm, and so the same answer.
        """
        run, state = self.config.run, self.state
        finite = math.isfinite(loss) and math.isfinite(norm)
        recent = ((state.recent_losses, loss), (state.recent_norms, norm))
        spike = finite and any(
            len(values) >= run.spike_window and is_spike(values, value, run.spike_sigmas)
            for values, value in recent
        )
        good = finite and not (spike and run.on_spike == "skip")
        if spike or not finite:
            row = {"step": batch.step, "loss": str(loss), "grad_norm": str(norm), "update": good}
            row["sequences"] = f"{batch.first}-{batch.first + self.plan.batch_sequences - 1}"
            if self.world.rank == 0:
                with (self.directory / BAD_BATCHES).open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
            what = f"loss {loss:.4f}, norm {norm:.2f}: {'a spike' if spike else 'not finite'}"
            self.world.say(f"warning: step {batch.step:,}: {what}")
        return good

    def _evaluate(self) -> None:
        """Score the held-out documents, write the scores and show them."""
        with self.metrics.timed("eval"):
            if self._unigram is None:
                self._unigram = unigram_nll(self.corpus, self.world)
            row, text = evaluate(self.model, self.corpus, self.world, self.config, self._unigram)
        self._tell(f"held out at step {self.state.step:,}: {text}", row)

    def _tell(self, text: str, scores: Mapping[str, Any]) -> None:
        """Show and write what an evaluation found, and give its memory back."""
        give_back(self.model)
        self.metrics.write({"step": self.state.step, **scores})
        self.world.say(text)

    def _save(self, *, must: bool) -> None:
        """Write a checkpoint, or begin an asynchronous one that need not be there at once."""
        self._finish_save()
        if self.state.step == self.checkpoints.step:
            return
        record = {
            "config": dataclasses.asdict(self.config),
            "order": data.order_record(self.corpus, self.state.sequences),
            "ranks": self.world.size,
            "torch": torch.__version__,
            "revision": _revision(),
        }
        with self._forgiving(must=must):
            self.checkpoints.begin(self.model, self.optimizer, self.state, record)
            self._save_due = False
        if must or not self.config.checkpoint.asynchronous:
            self._finish_save(must=must)

    def _finish_save(self, *, must: bool = False) -> None:
        """Complete the checkpoint that was begun, if any."""
        with self._forgiving(must=must):
            if self.checkpoints.finish():
                self._failed_saves = 0

    @contextlib.contextmanager
    def _forgiving(self, *, must: bool) -> Iterator[None]:
        """Save; if that fails once, and it need not be, training goes on and tries again."""
        try:
            with self.metrics.timed("checkpoint"):
                yield
        except checkpoint.CheckpointError as error:
            self._failed_saves += 1
            self._save_due = True
            if must or self._failed_saves >= MAX_FAILED_SAVES:
                raise
            self.world.say(f"warning: {error}; training goes on")


def _make_directory(directory: Path, device: torch.device) -> None:
    """Make the run's directory before anything that takes long; TrainerError if it cannot be."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if device.type == "cuda":
            (directory / FLIGHT_RECORDER).mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass  # it can be written to
    except OSError as error:
        raise TrainerError(
            f"run.dir = {directory}: cannot be written to: {error.strerror}; set run.dir to a "
            "directory of yours"
        ) from error


def _fill(model: Llama, config: Config) -> None:
    """Fill the weights of a new run: with those of ``run.init``, or drawn ones."""
    if not config.run.init:
        return initialize(model, config.train.seed)
    before, path = checkpoint.open_checkpoint(config.run.init, ())
    if before.model != config.model:
        raise checkpoint.CheckpointError(f"run.init = {path}: its [model] differs: take it over")
    return checkpoint.load_weights(path, model)


def _open_data(config: Config, plan: BatchPlan, found: Path | None) -> data.Corpus:
    """Open the corpus; for a run that goes on, refuse what would make another training of it."""
    if found is None:
        return data.open_corpus(config, plan.sequences)
    record, allowed = checkpoint.read_record(found), config.run.allow_change
    changed = changed_maths(record["config"], config)
    if refused := {key: change for key, change in changed.items() if key not in allowed}:
        raise checkpoint.CheckpointError(
            f"{found} was trained with another configuration ("
            f"{'; '.join(f'{key}: {change}' for key, change in refused.items())}): take another "
            f"run.dir, or allow it with run.allow_change={','.join([*allowed, *refused])}"
        )
    done, left = record["state"]["sequences"], plan.steps - record["state"]["step"]
    sequences = done + left * plan.batch_sequences if left > 0 else record["order"]["sequences"]
    return data.resume_corpus(config, sequences, record["order"], done)


def is_spike(recent: Sequence[float], value: float, sigmas: float) -> bool:
    """Tell whether a value stands out above the values before it.

    >>> is_spike([1.0, 3.0, 1.0, 3.0], 5.1, 3.0), is_spike([1.0, 3.0, 1.0, 3.0], 4.9, 3.0)
    (True, False)
    """
    return value > statistics.fmean(recent) + sigmas * statistics.pstdev(recent)


def _due(step: int, every: int, last: int) -> bool:
    """Tell whether what happens every so many steps, and at the end, happens now."""
    return step == last or (every > 0 and step % every == 0)


def _revision() -> str:
    """Give the commit of the code where it lies in its repository."""
    root = Path(__file__).resolve().parent.parent
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        if (root / ".git").exists():
            return subprocess.check_output(command, text=True).strip()
    return "unknown"
