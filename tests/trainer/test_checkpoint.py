"""Checkpoints: resuming equals not stopping, and nothing half-written is ever loaded."""

import json
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributed.checkpoint._state_dict_stager import StateDictStager
from torch.distributed.checkpoint.filesystem import FileSystemWriter
from torch.distributed.checkpoint.staging import DefaultStager, StagingOptions

from tests.trainer import tiny
from trainer import checkpoint
from trainer.checkpoint import CheckpointError, Checkpoints, read_record
from trainer.config import TrainerError
from trainer.parallel import World
from trainer.sections import CheckpointConfig
from trainer.train import Run


def names(root: Path) -> list[str]:
    """List what lies in a run's checkpoint directory."""
    return sorted(path.name for path in (root / "run/ckpt").iterdir())


def test_resuming_equals_not_stopping(corpus: list[str], world: World, tmp_path: Path) -> None:
    """Two steps, a stop, two steps: weights, metrics and counters of four steps in a row."""
    straight = tiny.train(tiny.small([*corpus, f"run.dir={tmp_path / 'straight'}"]), world)
    assert tiny.train(tiny.small(corpus), world, stop_after=2) != straight
    assert names(tmp_path) == ["latest", "step-00000002"]
    assert tiny.train(tiny.small(corpus), world) == straight
    kept = ("step", "tokens", "loss", "loss_ema", "grad_norm", "lr", "source_tokens")
    rows = [
        [{key: row[key] for key in kept} for row in tiny.rows(tmp_path / name)]
        for name in ("straight", "run")
    ]
    assert rows[0] == rows[1]


def test_a_finished_run_does_nothing_more(
    corpus: list[str], world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Starting it again says so, trains nothing and writes no checkpoint."""
    done = tiny.train(tiny.small(corpus), world)
    capsys.readouterr()
    assert tiny.train(tiny.small(corpus), world) == done
    output = capsys.readouterr().out
    assert "all 4 steps are done" in output
    assert "step 4/4" not in output


def test_going_back_to_a_named_checkpoint(corpus: list[str], world: World, tmp_path: Path) -> None:
    """Later ones are put aside, later lines dropped, and the run goes on to the same end."""
    config = tiny.small([*corpus, "checkpoint.every=1"])
    end = tiny.train(config, world)
    back = tiny.small([*corpus, "checkpoint.every=0", "run.resume=step-00000003"])
    assert tiny.train(back, world) == end
    assert names(tmp_path) == [
        *("latest", "step-00000002", "step-00000003"),
        *("step-00000004", "step-00000004.abandoned"),
    ]
    assert [row["step"] for row in tiny.rows(tmp_path / "run")] == [1, 2, 3, 4]
    with pytest.raises(CheckpointError, match=r"went back before, .* go on with run\.resume=auto"):
        Run(back, world)
    with pytest.raises(CheckpointError, match=r"step-00000009 is no whole checkpoint; there are"):
        Run(tiny.small([*corpus, "run.resume=step-00000009"]), world)
    with pytest.raises(CheckpointError, match=r"has checkpoints: give run\.dir another"):
        Run(tiny.small([*corpus, "run.resume=never"]), world)


def test_old_checkpoints_go(corpus: list[str], world: World, tmp_path: Path) -> None:
    """The last two stay, and every third."""
    keep = ["checkpoint.every=1", "checkpoint.keep=2", "checkpoint.keep_every=3"]
    tiny.train(tiny.small([*corpus, *keep], steps=8), world)
    assert names(tmp_path) == ["latest", *(f"step-{step:08d}" for step in (3, 6, 7, 8))]


def test_only_whole_checkpoints_are_found(
    tmp_path: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without .metadata, without the state or with .tmp it is none; and latest may be wrong."""
    checkpoints = Checkpoints(tmp_path, world, CheckpointConfig())
    assert checkpoints.find("auto") is None
    for name, files in {
        "step-00000001": (".metadata", "train_state.json"),
        "step-00000002": (".metadata", "train_state.json"),
        "step-00000003": (".metadata",),
        "step-00000004": ("train_state.json",),
        "step-00000005.tmp": (".metadata", "train_state.json"),
    }.items():
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / file).write_text("{}")
    assert checkpoints.find("auto") == tmp_path / "step-00000002"
    assert "names no whole checkpoint: going on from step-00000002" in capsys.readouterr().out
    assert not (tmp_path / "step-00000005.tmp").exists()  # cleared away, as nobody will finish it
    (tmp_path / "latest").write_text("step-00000001")
    assert checkpoints.find("auto") == tmp_path / "step-00000001"
    (tmp_path / "latest").write_text("step-00000004")
    assert checkpoints.find("auto") == tmp_path / "step-00000002"


def test_another_training_is_refused_by_name(
    corpus: list[str], world: World, tmp_path: Path
) -> None:
    """What changes the maths is listed with both values, and with how to allow it."""
    tiny.train(tiny.small(corpus), world, stop_after=2)
    other = ["optim.lr=0.02", "train.seed=1"]
    with pytest.raises(CheckpointError) as error:
        Run(tiny.small([*corpus, *other]), world)
    message = str(error.value)
    assert "(train.seed: 0 -> 1; optim.lr: 0.01 -> 0.02)" in message
    assert message.endswith("run.allow_change=train.seed,optim.lr")
    Run(tiny.small([*corpus, *other, "run.allow_change=train.seed,optim.lr"]), world)
    (tmp_path / "mixture.toml").write_text(
        (tmp_path / "mixture.toml").read_text().replace("seed = 5", "seed = 6")
    )
    with pytest.raises(TrainerError, match=r"data\.mixture lead to"):
        Run(tiny.small(corpus), world)
    micro = ["train.micro_batch=8", "data.prefetch=1", "run.allow_change=data.mixture"]
    assert Run(tiny.small([*corpus, *micro]), world).corpus.first == 16


def test_the_configuration_rules_over_saved_groups(corpus: list[str], world: World) -> None:
    """An allowed change of weight decay takes effect, though AdamW saved the old one."""
    tiny.train(tiny.small(corpus), world, stop_after=2)
    change = ["optim.weight_decay=0.3", "run.allow_change=optim.weight_decay"]
    run = Run(tiny.small([*corpus, *change]), world)
    assert [group["weight_decay"] for group in run.optimizer.param_groups] == [0.3, 0.0]
    moments = run.optimizer.state[run.model.norm.weight]
    assert moments["step"].item() == 2
    assert moments["exp_avg"].abs().sum() > 0


def test_a_longer_run_goes_on_when_it_may(corpus: list[str], world: World, tmp_path: Path) -> None:
    """train.total_tokens may grow with leave; in the last block a new order begins."""
    tiny.train(tiny.small(corpus), world, stop_after=2)
    longer = tiny.small([*corpus, "run.allow_change=train.total_tokens"], steps=6)
    tiny.train(longer, world)
    record = read_record(tmp_path / "run/ckpt/step-00000006")
    assert record["state"]["sequences"] == 48
    assert (record["order"]["first"], record["order"]["sequences"]) == (16, 48)
    assert record["order"]["start"] == {"books": 8, "github": 24}  # all of the first order's block


def test_a_weight_that_is_not_finite_is_refused(corpus: list[str], world: World) -> None:
    """Such a checkpoint cannot have been written by this loop; it is named, not trained on."""
    run = Run(tiny.small(corpus), world)
    assert run.train() == 0
    with torch.no_grad():
        run.model.norm.weight[0] = torch.nan
    run.state.step += 1
    run._save(must=True)
    with pytest.raises(CheckpointError, match=r"norm\.weight holds a number that is not finite"):
        Run(tiny.small(corpus), world)


def test_a_full_disk_costs_a_checkpoint_not_the_run(
    corpus: list[str],
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One failed save is reported and cleared away; two in a row end the run."""
    calls = []
    write = checkpoint._write

    def failing(path: Path, text: str) -> None:
        calls.append(path)
        if len(calls) in broken:
            raise OSError(28, "No space left on device")
        write(path, text)

    monkeypatch.setattr(checkpoint, "_write", failing)
    broken = {1}
    config = tiny.small([*corpus, "checkpoint.every=1"])
    tiny.train(config, world)
    assert "warning: cannot save" in capsys.readouterr().out
    assert names(tmp_path) == ["latest", *(f"step-{step:08d}" for step in (2, 3, 4))]
    shutil.rmtree(tmp_path / "run")
    calls.clear()
    broken = {1, 2}
    with pytest.raises(CheckpointError, match=r"cannot save .*step-00000002: .*No space left"):
        tiny.train(config, world)
    assert names(tmp_path) == []


def test_an_asynchronous_save_holds_the_step_it_was_begun_at(
    corpus: list[str], world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written only when the next step is done, step 2 still resumes to the same end."""
    go = threading.Event()
    write = FileSystemWriter.write_data

    def late(*arguments: Any) -> Any:
        assert go.wait(30)
        return write(*arguments)

    monkeypatch.setattr(FileSystemWriter, "write_data", late)
    background = [*corpus, "checkpoint.asynchronous=true"]
    run = Run(tiny.small([*background, "checkpoint.every=2"]), world)
    step = run.metrics.step

    def spy(row: dict[str, Any]) -> None:
        step(row)
        if row["step"] == 3:
            assert names(tmp_path) == ["step-00000002.tmp"]
            go.set()

    run.metrics.step = spy  # type: ignore[method-assign,assignment]  # a spy
    assert run.train() == 0
    assert names(tmp_path) == ["latest", "step-00000002", "step-00000004"]
    end = tiny.weights_hash(run.model)
    assert tiny.train(tiny.small([*background, "run.resume=step-00000002"]), world) == end


def test_a_save_that_fails_in_the_background_is_tried_again(
    corpus: list[str],
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is reported once its writer is done, cleared away, and the next step saves."""
    calls = []
    write = FileSystemWriter.write_data

    def failing(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 1:
            raise OSError(28, "No space left on device")
        return write(*arguments)

    monkeypatch.setattr(FileSystemWriter, "write_data", failing)
    options = ["checkpoint.asynchronous=true", "checkpoint.every=1"]
    tiny.train(tiny.small([*corpus, *options]), world)
    output = capsys.readouterr().out
    assert output.count("warning: cannot save") == 1
    assert "step-00000001: rank 0: [Errno 28] No space left on device" in output
    assert names(tmp_path) == ["latest", *(f"step-{step:08d}" for step in (2, 3, 4))]


def test_a_checkpoint_says_what_it_is(corpus: list[str], world: World, tmp_path: Path) -> None:
    """train_state.json: counters, configuration, data and versions."""
    tiny.train(tiny.small(corpus), world)
    content: dict[str, Any] = json.loads(
        (tmp_path / "run/ckpt/step-00000004/train_state.json").read_text()
    )
    assert sorted(content) == ["config", "order", "ranks", "revision", "state", "torch"]
    state = content["state"]
    assert (state["step"], state["sequences"], state["tokens"]) == (4, 32, 1024)
    assert state["source_sequences"] == {"books": 8, "github": 24}
    assert content["config"]["optim"]["lr"] == 0.01
    assert content["order"]["fingerprint"]["data.tokenizer"] == "a" * 64


@pytest.mark.parametrize("background", ["false", "true"])
def test_a_save_before_the_first_update_changes_nothing(
    corpus: list[str], world: World, tmp_path: Path, background: str
) -> None:
    """Steps 1 and 2 are passed over and saved; the end is that of a run which did not save.

    DCP would make the moments that are not there by a step of the optimizer, which counts.
    """
    skip = [*corpus, "data.skip=[[1, 2]]"]
    straight = tiny.train(tiny.small([*skip, f"run.dir={tmp_path / 'straight'}"], steps=6), world)
    saving = [*skip, "checkpoint.every=1", f"checkpoint.asynchronous={background}"]
    assert tiny.train(tiny.small([*saving, "checkpoint.keep=9"], steps=6), world) == straight
    for step in (2, 3):
        again = tmp_path / f"again-{step}"
        shutil.copytree(tmp_path / "run", again)
        back = [*skip, f"run.dir={again}", f"run.resume=step-0000000{step}"]
        resumed = Run(tiny.small(back, steps=6), world)
        assert bool(resumed.optimizer.state) == (step == 3)
        assert resumed.train() == 0
        assert tiny.weights_hash(resumed.model) == straight


def cut(checkpoint_path: Path) -> None:
    """Cut the data file of a checkpoint, as a full or failing disk may."""
    (path,) = checkpoint_path.glob("*.distcp")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_a_cut_checkpoint_is_passed_over_for_the_one_before(
    corpus: list[str], world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run says so, goes on from step 3 to the same end, and writes step 4 again."""
    config = tiny.small([*corpus, "checkpoint.every=1"])
    end = tiny.train(config, world)
    cut(tmp_path / "run/ckpt/step-00000004")
    capsys.readouterr()
    assert tiny.train(config, world) == end
    said = capsys.readouterr().out
    assert "step-00000004: cannot be loaded" in said
    assert "going on from the one before, step-00000003" in said
    assert Run(config, world).state.step == 4
    assert [row["step"] for row in tiny.rows(tmp_path / "run")] == [1, 2, 3, 4]


def test_a_cut_checkpoint_that_is_asked_for_or_alone_is_an_error(
    corpus: list[str], world: World, tmp_path: Path
) -> None:
    """A run never begins anew in silence, and a name means that checkpoint: what can be done."""
    tiny.train(tiny.small([*corpus, "checkpoint.every=2"]), world)
    cut(tmp_path / "run/ckpt/step-00000002")
    with pytest.raises(CheckpointError, match=r"cannot be loaded.*take run\.resume=step-00000004$"):
        Run(tiny.small([*corpus, "run.resume=step-00000002"]), world)
    assert names(tmp_path) == ["latest", "step-00000002", "step-00000004"]  # none is put aside
    shutil.rmtree(tmp_path / "run/ckpt/step-00000004")
    with pytest.raises(CheckpointError, match=r"cannot be loaded.*take another run\.dir$"):
        Run(tiny.small(corpus), world)


def test_a_step_is_saved_before_it_is_scored(
    corpus: list[str], world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An evaluation that fails costs no steps, and is made when the run goes on; once."""
    config = tiny.small([*corpus, "checkpoint.every=2", "eval.every=2"])
    run = Run(config, world)

    def failing() -> None:
        raise RuntimeError("a broken evaluation")

    monkeypatch.setattr(run, "_evaluate", failing)
    with pytest.raises(RuntimeError, match="a broken evaluation"):
        run.train()
    assert names(tmp_path) == ["latest", "step-00000002"]
    assert Run(config, world).train() == 0
    assert [row["step"] for row in tiny.rows(tmp_path / "run", "eval")] == [2, 4]
    assert Run(config, world).train() == 0
    assert [row["step"] for row in tiny.rows(tmp_path / "run", "eval")] == [2, 4]


def test_an_update_waits_until_weights_are_copied(
    corpus: list[str], world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy to the host runs in a thread, beside the next step: that step changes none of it.

    On a GPU it goes into page-locked memory by a stream; here a slow thread stands for both.
    """
    straight = tiny.train(tiny.small([*corpus, f"run.dir={tmp_path / 'straight'}"]), world)
    stage = StateDictStager.stage

    def slow(*arguments: Any, **options: Any) -> Any:
        time.sleep(0.3)
        return stage(*arguments, **options)

    monkeypatch.setattr(StateDictStager, "stage", slow)
    options = StagingOptions(
        use_pinned_memory=False, use_shared_memory=False, use_non_blocking_copy=False
    )
    monkeypatch.setattr(checkpoint, "_stager", lambda *_: DefaultStager(options))
    background = [*corpus, "checkpoint.asynchronous=true", "checkpoint.every=2"]
    run = Run(tiny.small(background), world)
    waited = []
    wait = run.checkpoints.wait_until_staged

    def spy() -> None:
        waited.append(run.checkpoints._staged)
        wait()

    monkeypatch.setattr(run.checkpoints, "wait_until_staged", spy)
    assert run.train() == 0
    assert [staged is not None for staged in waited] == [False, False, True, False]
    assert tiny.weights_hash(run.model) == straight
    assert tiny.train(tiny.small([*background, "run.resume=step-00000002"]), world) == straight
