"""The loop in one process: sums, stops, bad steps, and what a run leaves behind."""

import dataclasses
import gzip
import json
import math
import re
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.trainer import tiny
from trainer import metrics, train
from trainer.config import TrainerError, load
from trainer.data import StepBatch
from trainer.loss import IGNORE
from trainer.parallel import World
from trainer.train import EXIT_BAD_STEPS, Run, run


def regroup(batch: StepBatch, micro: int) -> StepBatch:
    """Give the same sequences in microbatches of another size."""
    return StepBatch(
        step=batch.step,
        first=batch.first,
        tokens=batch.tokens.reshape(-1, micro, batch.tokens.shape[-1]),
        labels=batch.labels.reshape(-1, micro, batch.labels.shape[-1]),
        source_sequences=batch.source_sequences,
        bad_sequences=0,
        passed_over=False,
    )


def test_accumulation_is_exact(corpus: list[str], world: World) -> None:
    """With uneven masks, microbatches of 1, 2, 4 and 8 give the same loss and the same norm."""
    results = []
    for micro in (1, 2, 4, 8):
        training = Run(tiny.small([*corpus, f"train.micro_batch={micro}"]), world)
        batch = training.loader.batch(1, 0)
        labels = batch.labels.view(8, 32)
        for row in range(8):  # row 0 keeps all its labels, row 7 keeps 4
            labels[row, 32 - 4 * row :] = IGNORE
        results.append(training.gradients(regroup(batch, micro), batch.valid))
    losses, norms = zip(*results, strict=True)
    assert losses == pytest.approx([losses[0]] * 4, rel=1e-6)
    assert norms == pytest.approx([norms[0]] * 4, rel=1e-5)


def test_document_masks_change_the_loss_and_only_by_attention(
    corpus: list[str], world: World
) -> None:
    """With data.doc_mask the first document of a window sees the same, later ones see less."""
    plain, masked = (
        Run(tiny.small([*corpus, f"data.doc_mask={flag}"]), world) for flag in ("false", "true")
    )
    batch = plain.loader.batch(1, 0)
    assert (batch.tokens[..., 1:] == tiny.BOS).any()
    loss = plain.gradients(batch, batch.valid)[0]
    assert masked.gradients(batch, batch.valid)[0] != loss
    for run_ in (plain, masked):
        run_.optimizer.zero_grad()
    whole = StepBatch(**{**_fields(batch), "tokens": batch.tokens.clamp(min=3)})
    same = [run_.gradients(whole, whole.valid) for run_ in (plain, masked)]
    assert same[0] == pytest.approx(same[1], rel=1e-5)


def _fields(batch: StepBatch) -> dict[str, Any]:
    return {name: getattr(batch, name) for name in StepBatch.__slots__}


def test_a_run_leaves_its_record(corpus: list[str], world: World, tmp_path: Path) -> None:
    """Metrics of every step, the scores, the resolved configuration, and a checkpoint."""
    assert run(tiny.small([*corpus, "eval.every=2"]), world) == 0
    rows = tiny.rows(tmp_path / "run")
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    assert [row["tokens"] for row in rows] == [256, 512, 768, 1024]
    assert rows[-1]["source_tokens"] == {"books": 256, "github": 768}
    assert rows[0]["loss"] == pytest.approx(math.log(512), rel=0.01)  # it knows nothing yet
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert rows[0]["tok_s"] is None
    assert rows[1]["tok_s"] > 0
    assert rows[-1]["mfu"] is None
    scores = tiny.rows(tmp_path / "run", "eval")
    assert [row["step"] for row in scores] == [2, 4]
    books, github = (scores[-1]["eval"][name] for name in ("books", "github"))
    assert scores[-1]["eval_nll"] == pytest.approx(0.25 * books["nll"] + 0.75 * github["nll"])
    resolved = tiny.small([*corpus, "eval.every=2", "parallel.compile=false"])  # of auto, on a CPU
    assert load(str(tmp_path / "run/config.toml")) == resolved
    assert (tmp_path / "run/ckpt/latest").read_text() == "step-00000004"


def test_scores_are_those_of_every_heldout_token(
    corpus: list[str], world: World, tmp_path: Path
) -> None:
    """Each token but a shard's first is predicted once; bits are divided by the text's bytes."""
    training = Run(tiny.small(corpus), world)
    training._evaluate()
    row = tiny.rows(tmp_path / "run", "eval")[0]["eval"]["books"]
    ids = torch.from_numpy(
        np.fromfile(tmp_path / "tokens/books/heldout-00000-of-00001.bin", "<u2").astype(np.int64)
    )
    nll = 0.0
    for start in range(0, len(ids) - 1, 32):
        window = ids[start : start + 33]
        with torch.no_grad():
            nll += training.model(window[None, :-1], window[None, 1:]).nll.item()
    assert row["tokens"] == len(ids) - 1
    assert row["nll"] == pytest.approx(nll / (len(ids) - 1), rel=1e-6)
    assert row["perplexity"] == pytest.approx(math.exp(row["nll"]))
    assert row["bits_per_byte"] == pytest.approx(nll / math.log(2) / (3 * len(ids)), rel=1e-6)


class Poison:
    """Spoils the hidden states of chosen steps."""

    def __init__(self, training: Run, steps: set[int], factor: float = math.nan) -> None:
        self.training, self.steps, self.factor = training, steps, factor
        training.model.norm.register_forward_hook(self)

    def __call__(self, _module: object, _inputs: object, output: Tensor) -> Tensor:
        """Spoil the output of the final norm."""
        return output * self.factor if self.training.state.step in self.steps else output


def weights_after_steps(training: Run) -> list[str]:
    """Train; give the hash of the weights after each step."""
    hashes = []
    step = training.metrics.step

    def spy(row: dict[str, Any]) -> None:
        step(row)
        hashes.append(tiny.weights_hash(training.model))

    training.metrics.step = spy  # type: ignore[method-assign,assignment]  # a spy
    assert training.train() == 0
    return hashes


def test_a_step_without_a_finite_loss_makes_no_update(
    corpus: list[str], world: World, tmp_path: Path
) -> None:
    """Parameters and moments stay, counters and data move on, and the next step trains."""
    training = Run(tiny.small([*corpus, "checkpoint.every=2"]), world)
    Poison(training, {2})
    hashes = weights_after_steps(training)
    assert hashes[0] == hashes[1] != hashes[2]
    rows = tiny.rows(tmp_path / "run")
    assert [row["loss"] is None for row in rows] == [False, True, False, False]
    assert [row["skipped"] for row in rows] == [0, 1, 1, 1]
    assert [row["tokens"] for row in rows] == [256, 512, 768, 1024]
    bad = (tmp_path / "run/bad_batches.jsonl").read_text()
    assert json.loads(bad) == {
        "step": 2,
        "loss": "nan",
        "grad_norm": "nan",
        "update": False,
        "sequences": "8-15",
    }
    # Step 2 was to be saved and was bad, so step 3 was saved in its place.
    names = sorted(path.name for path in (tmp_path / "run/ckpt").glob("step-*"))
    assert names == ["step-00000003", "step-00000004"]


@pytest.mark.parametrize(("on_spike", "updated"), [("warn", True), ("skip", False)])
def test_a_spike_is_told_and_can_be_skipped(
    corpus: list[str],
    world: World,
    tmp_path: Path,
    on_spike: str,
    updated: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The loss of step 6 stands far above those of the four steps before it."""
    window = ["run.spike_window=4", "run.spike_sigmas=20"]
    training = Run(tiny.small([*corpus, f"run.on_spike={on_spike}", *window], steps=8), world)
    Poison(training, {1, 6}, factor=100.0)  # at step 1 there is no window yet
    hashes = weights_after_steps(training)
    assert (hashes[4] != hashes[5]) == updated
    assert hashes[5] != hashes[6]
    (line,) = (tmp_path / "run/bad_batches.jsonl").read_text().splitlines()
    assert (json.loads(line)["step"], json.loads(line)["update"]) == (6, updated)
    assert "warning: step 6: loss" in capsys.readouterr().out
    assert training.state.skipped == (not updated)
    assert len(training.state.recent_losses) == 4


def test_running_out_of_memory_is_answered_with_the_plan(
    corpus: list[str], world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the memory was to hold, the knobs, and who holds it: in any step, profiled or not."""
    dumped: list[str] = []
    noted: list[str] = []

    def gradients(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(Run, "gradients", gradients)
    with pytest.raises(TrainerError) as error:
        run(tiny.small(corpus), world)
    for part in (
        "CUDA out of memory. The plan: 0.00 GiB weights, gradients, optimizer",
        "Lower train.micro_batch, set parallel.recompute=selective",
    ):
        assert part in str(error.value)
    cuda = dataclasses.replace(world, rank=3, device=torch.device("cuda"))
    memory = torch.cuda.memory
    monkeypatch.setattr(memory, "_dump_snapshot", dumped.append)
    monkeypatch.setattr(memory, "_record_memory_history", lambda kind, **_: noted.append(kind))
    path = tmp_path / "run/profile/memory-rank3.pickle"
    assert str(path) in metrics.dump_memory(tmp_path / "run", cuda)
    assert dumped == [str(path)]
    metrics.record_memory(cuda)
    metrics.record_memory(cuda, history=True)
    assert noted == ["state", "all"]
    monkeypatch.setattr(train, "dump_memory", lambda *_: "; it is in a file")
    with pytest.raises(TrainerError, match=r"it is in a file$"):
        run(tiny.small([*corpus, f"run.dir={tmp_path / 'other'}"]), world)


def test_a_directory_that_cannot_be_made_is_told_before_the_model_is_built(
    corpus: list[str], world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line with the key, on every rank."""
    (tmp_path / "file").touch()
    monkeypatch.setattr(train, "build_model", None)
    with pytest.raises(TrainerError, match=r"run\.dir = .*: Not a directory; set run\.dir to a"):
        run(tiny.small([*corpus, f"run.dir={tmp_path / 'file/run'}"]), world)


def test_deterministic_kernels_are_asked_for_while_a_run_lasts(
    corpus: list[str], world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """run.deterministic: the switch of PyTorch is on in each step, and off after the run."""
    seen = []
    gradients = Run.gradients

    def spy(*arguments: Any) -> Any:
        seen.append(torch.are_deterministic_algorithms_enabled())
        return gradients(*arguments)

    monkeypatch.setattr(Run, "gradients", spy)
    ends = set()
    for name in ("one", "two"):
        options = ["run.deterministic=true", f"run.dir={tmp_path / name}"]
        assert run(tiny.small([*corpus, *options]), world) == 0
        ends.add(rows_of(tmp_path / name))
    assert run(tiny.small(corpus), world) == 0
    assert seen == [True] * 8 + [False] * 4
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory
    assert len(ends) == 1


def rows_of(directory: Path) -> tuple[tuple[float, float], ...]:
    """Give losses and norms of a run."""
    return tuple((row["loss"], row["grad_norm"]) for row in tiny.rows(directory))


def test_chosen_steps_are_traced(corpus: list[str], world: World, tmp_path: Path) -> None:
    """profile.steps=2,3: one trace of two updates, none of a rank that was not asked for."""
    assert run(tiny.small([*corpus, "profile.steps=2,3"]), world) == 0
    with gzip.open(tmp_path / "run/profile/trace-rank0.json.gz") as file:
        names = [event.get("name", "") for event in json.load(file)["traceEvents"]]
    assert sum(name.startswith("Optimizer.step") for name in names) == 2
    other = [*corpus, f"run.dir={tmp_path / 'other'}", "profile.steps=2,3", "profile.ranks=1"]
    assert run(tiny.small(other), world) == 0
    assert not (tmp_path / "other/profile").exists()


@pytest.mark.slow
def test_compiled_blocks_train_as_eager_ones(
    corpus: list[str], world: World, tmp_path: Path
) -> None:
    """Three steps with selective recomputation: the same losses and norms to 1e-5."""
    rows = []
    for flag in ("false", "true"):
        options = [f"parallel.compile={flag}", "parallel.recompute=selective"]
        directory = tmp_path / flag
        run(tiny.small([*corpus, *options, f"run.dir={directory}"], steps=3), world)
        rows.append([(row["loss"], row["grad_norm"]) for row in tiny.rows(directory)])
    for eager, compiled in zip(*rows, strict=True):
        assert compiled == pytest.approx(eager, rel=1e-5)


def test_too_many_bad_steps_end_the_run(
    corpus: list[str], world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three in a row, by default: exit code 3, and nothing is saved."""
    training = Run(tiny.small([*corpus, "checkpoint.every=1"], steps=8), world)
    Poison(training, {3, 4, 5})
    assert training.train() == EXIT_BAD_STEPS
    assert training.state.step == 5
    assert (tmp_path / "run/ckpt/latest").read_text() == "step-00000002"
    assert "stopped: 3 steps in a row made no update" in capsys.readouterr().out


def test_skipped_steps_move_the_schedule_and_the_data(
    corpus: list[str], world: World, tmp_path: Path
) -> None:
    """data.skip=[[2,3]] over 4 steps: two updates, of which the second is the fourth step's."""
    assert run(tiny.small([*corpus, "data.skip=[[2,3]]"]), world) == 0
    rows = tiny.rows(tmp_path / "run")
    assert [row["loss"] is None for row in rows] == [False, True, True, False]
    assert [row["tokens"] for row in rows] == [256, 256, 256, 512]
    assert rows[-1]["lr"] == 0.01 * 0.1


def test_it_learns(tmp_path: Path, world: World) -> None:
    """The debug model learns a 10 kB text by heart: loss under 0.1 within 200 steps."""
    words = re.findall(r"\w+|\s+|.", Path(textwrap.__file__).read_text()[:10_000])
    ids = {word: number for number, word in enumerate(dict.fromkeys(words), 3)}
    document = [tiny.BOS, *(ids[word] for word in words), tiny.EOS]
    tiny.write_shards(tmp_path / "tokens/github", [[document]], [[document[:200]]])
    (tmp_path / "mixture.toml").write_text(
        'tokens = 1\non_exhausted = "repeat"\n[sources]\ngithub = {weight = 1}\n'
    )
    config = load(
        "debug",
        [
            *(f"data.shards={tmp_path / 'tokens'}", f"data.mixture={tmp_path / 'mixture.toml'}"),
            *(f"run.dir={tmp_path / 'run'}", "checkpoint.every=0", "eval.every=0"),
            *("train.batch_tokens=1792", "train.micro_batch=28", "train.total_tokens=358400"),
        ],
    )
    assert run(config, world) == 0
    assert tiny.rows(tmp_path / "run")[-1]["loss"] < 0.1
