"""Instruction tuning: what is learned, exactly; that it is learned; that it is a run as others."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.trainer import tiny
from tokenizer.errors import UserError
from tokenizer.instructions import encode_example, lay_out, pack, read_examples
from tokenizer.manifest import read_manifest
from tokenizer.model import Tokenizer
from tokenizer.reading import Reader, ReadError
from trainer import instruct
from trainer.__main__ import main
from trainer.config import ConfigError, flatten
from trainer.data import Loader, open_corpus
from trainer.evaluate import evaluate
from trainer.export import load_model, open_weights
from trainer.generate import Sampling, generate
from trainer.loss import IGNORE
from trainer.parallel import World
from trainer.plan import plan_batch
from trainer.sections import Config
from trainer.train import Run

COLOURS = {"sky": "blue", "grass": "green", "snow": "white", "coal": "black", "blood": "red"}
CONTEXT = 48


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, world: World) -> Path:
    """Train a few steps on text, the run to begin with; give its directory."""
    root = tmp_path_factory.mktemp("instruct")
    overrides = tiny.write_text_corpus(root)
    small = tiny.small([*overrides, f"model.context={CONTEXT}", "train.batch_tokens=384"], steps=4)
    assert Run(small, world).train() == 0
    return root


def write_examples(path: Path, count: int = 120) -> list[dict[str, str]]:
    """Write questions, each with its answer; give them."""
    things = list(COLOURS)
    rows = [
        {"prompt": f"{n}: what is {things[n % 5]}?", "response": COLOURS[things[n % 5]]}
        for n in range(count)
    ]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    return rows


def configured(base: Path, out: Path, data: Path, world: World, *overrides: str) -> Config:
    """Prepare a tuning of a few seconds."""
    small = ["train.batch_tokens=192", "train.micro_batch=2", "optim.lr=0.01", "metrics.every=1"]
    given = [*small, "parallel.param_dtype=float32", "eval.every=0", "checkpoint.every=0"]
    config = instruct.configure(str(base / "run"), str(out), [*given, *overrides])
    windows, _ = instruct.write_shards(config, str(data), world)
    return instruct.lengthen(config, windows, 10.0, [*given, *overrides])


def test_prompts_carry_no_loss_and_responses_all_of_it(
    base: Path, tmp_path: Path, world: World
) -> None:
    """Every response with its end is a label once per epoch, and nothing else is one."""
    rows = write_examples(tmp_path / "data.jsonl")
    config = configured(base, tmp_path / "tuned", tmp_path / "data.jsonl", world)
    tokenizer = Tokenizer(config.data.tokenizer)
    plan = plan_batch(config, 1)
    corpus = open_corpus(config, plan.sequences)
    manifest = read_manifest(tmp_path / "tuned/tokens/instructions")
    windows = (manifest.splits["train"].tokens - 1) // CONTEXT
    assert manifest.splits["heldout"].documents == 6
    loader = Loader(corpus, plan, 0, config.data)
    seen: dict[str, int] = {}
    for n in range(windows):
        source, _, offset = corpus.locate(n)
        assert (source, offset % CONTEXT) == ("instructions", 0)
    step = loader.batch(1, 0)
    tokens, labels = step.tokens.view(-1, CONTEXT), step.labels.view(-1, CONTEXT)
    known = {(row["prompt"] + "\n", row["response"]) for row in rows}
    for row, wanted in zip(tokens.tolist(), labels.tolist(), strict=True):
        starts = [place for place, token in enumerate(row) if token == tiny.BOS]
        assert starts[0] == 0
        for begin, end in zip(starts, [*starts[1:], CONTEXT], strict=True):
            learned = [p for p in range(begin, end) if wanted[p] != IGNORE]
            assert learned == list(range(learned[0], learned[-1] + 1))
            response = [wanted[p] for p in learned]
            assert response[-1] == tiny.EOS
            prompt = tokenizer.decode(row[begin : learned[0] + 1])
            whole = tokenizer.decode([*row[begin : learned[0] + 1], *response])
            assert (prompt, whole[len(prompt) :]) in known
            seen[prompt] = seen.get(prompt, 0) + 1
            # What is after the response is padding, or the next example's BOS.
            assert set(row[learned[-1] + 2 : end]) <= {tiny.EOS}
    assert len(seen) >= 4
    assert step.valid == int((labels != IGNORE).sum()) < labels.numel() / 2


def test_the_loss_of_an_example_is_that_of_its_response_alone(
    base: Path, tmp_path: Path, world: World
) -> None:
    """What is packed together does not see one another.

    Each held-out example is scored by itself, from the logits of the whole model.
    """
    write_examples(tmp_path / "data.jsonl")
    config = configured(base, tmp_path / "tuned", tmp_path / "data.jsonl", world)
    run = Run(config, world)
    row, _ = evaluate(run.model, run.corpus, world, config)
    found = row["eval"]["instructions"]
    whole = load_model(open_weights(Path(config.run.init)), torch.device("cpu"), torch.float32)
    (shard,) = run.corpus.sources["instructions"].heldout
    reader = Reader()
    ids, learned = reader.read(shard, 0, shard.tokens), reader.learned(shard, 0, shard.tokens)
    starts = [int(place) for place in np.flatnonzero(ids == tiny.BOS)]
    nats, count = 0.0, 0
    for begin, end in zip(starts, [*starts[1:], len(ids)], strict=True):
        example = torch.from_numpy(ids[begin:end][:CONTEXT])
        with torch.inference_mode():
            logs = whole(example[None, :-1])[0].log_softmax(-1)
        for place in range(1, len(example)):
            if learned[begin + place]:
                nats -= float(logs[place - 1, example[place]])
                count += 1
    assert found["tokens"] == count == learned.sum()
    assert found["nll"] == pytest.approx(nats / count, rel=1e-5)


def test_it_learns_and_is_a_run_as_others(base: Path, tmp_path: Path, world: World) -> None:
    """A model that cannot answer does after a few epochs; resumed it is the same to the bit."""
    write_examples(tmp_path / "data.jsonl")
    config = configured(base, tmp_path / "tuned", tmp_path / "data.jsonl", world)
    training = Run(config, world)
    training._evaluate()
    whole = training.train()
    assert whole == 0
    before, after = tiny.rows(tmp_path / "tuned", "eval")
    assert before["eval_nll"] > 3
    assert after["eval_nll"] < 0.1
    tokenizer = Tokenizer(config.data.tokenizer)
    last = training.checkpoints.root / f"step-{training.plan.steps:08d}"
    model = load_model(open_weights(last), torch.device("cpu"), torch.float32)
    for thing, colour in COLOURS.items():
        prompt = tokenizer.encode(f"999: what is {thing}?\n", bos=True).tolist()
        answer = generate(
            model, prompt, Sampling(temperature=0), max_new_tokens=16, eos_id=tokenizer.eos_id
        )
        text = tokenizer.decode([*prompt, *answer])
        assert text.endswith(f"\n{colour}"), text
    again = configured(base, tmp_path / "stopped", tmp_path / "data.jsonl", world)
    tiny.train(again, world, stop_after=3)
    assert tiny.train(again, world) == tiny.weights_hash(training.model)


def test_the_command_tunes_and_exports(
    base: Path,
    tmp_path: Path,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One command for all of it, and again to go on; inspect and export take it as any run."""
    from trainer import parallel  # noqa: PLC0415 - beside its use

    monkeypatch.setattr(parallel, "start", lambda _: world)
    monkeypatch.setattr(parallel, "stop", lambda: None)
    write_examples(tmp_path / "data.jsonl", 40)
    out = str(tmp_path / "tuned")
    command = ["instruct", str(base / "run"), str(tmp_path / "data.jsonl"), out, "--epochs=1"]
    command += ["train.batch_tokens=192", "train.micro_batch=2", "parallel.param_dtype=float32"]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "38 examples in " in shown
    assert "left out of the file: 0 longer than the context, 0 that are there twice" in shown
    assert main(command) == 0
    assert "going on from step-" in capsys.readouterr().out
    assert main(["export", out, str(tmp_path / "hf"), "--dtype=float32"]) == 0
    assert (tmp_path / "hf/tokenizer.json").exists()
    assert main(["inspect", out, "--step=1"]) == 0
    assert "what is" in capsys.readouterr().out


def test_packing_fills_windows_and_cuts_nothing(base: Path) -> None:
    """The longest first, each into the fullest window that has room: here two thirds are saved."""
    tokenizer = Tokenizer(base / "tokenizer.model")
    made = [encode_example(tokenizer, "a" * n, "b") for n in (1, 2, 3, 9, 10, 30, 4, 5)]
    windows = pack(made, CONTEXT)
    sizes = [[len(example.document.tokens) for example in window] for window in windows]
    assert sorted(size for window in sizes for size in window) == sorted(
        len(example.document.tokens) for example in made
    )
    assert max(map(sum, sizes)) <= CONTEXT
    assert len(windows) == -(-sum(map(sum, sizes)) // CONTEXT)  # as few as there can be
    documents, learned = lay_out(windows, CONTEXT, tiny.EOS)
    assert sum(len(document.tokens) for document in documents) == CONTEXT * len(windows) + 1
    assert len(learned) == CONTEXT * len(windows) + 1
    tokens = np.concatenate([document.tokens for document in documents])
    b = tokenizer.encode("\nb")[-1]
    assert set(tokens[learned].tolist()) == {b, tiny.EOS}
    assert learned.sum() == 2 * len(made)  # "b" and the end, of each


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"prompt": "p"}', "line 3: expected"),
        ('{"prompt": "p", "response": ""}', "the response is not empty"),
        ('{"prompt": 1, "response": "r"}', "both are texts"),
        ("[1]", "line 3: expected"),
        ("{", "line 3: expected"),
        ('{"prompt": "p", "response": "\\ud800"}', "line 3: expected"),
    ],
)
def test_a_wrong_line_is_named(
    base: Path, tmp_path: Path, world: World, line: str, message: str
) -> None:
    """With its number, and what was expected."""
    good = '{"prompt": "p", "response": "r"}'
    (tmp_path / "data.jsonl").write_text(f"{good}\n\n{line}\n")
    with pytest.raises(UserError, match=message):
        configured(base, tmp_path / "tuned", tmp_path / "data.jsonl", world)


def test_what_does_not_fit_is_counted(base: Path, tmp_path: Path) -> None:
    """An example is never cut: without its end it would teach that answers have none."""
    tokenizer = Tokenizer(base / "tokenizer.model")
    rows = write_examples(tmp_path / "data.jsonl", 4)
    lines = [*rows, rows[0], {"prompt": "long " * 60, "response": "r"}]
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, lines)))
    examples, left_out = read_examples(str(tmp_path / "data.jsonl"), tokenizer, CONTEXT)
    assert len(examples) == 4
    assert left_out == "1 longer than the context, 1 that are there twice"


def test_examples_can_be_packed_again_for_another_context(
    base: Path, tmp_path: Path, world: World
) -> None:
    """Into the same folder, where the file of the first context still lies."""
    write_examples(tmp_path / "data.jsonl", 40)
    out, data = tmp_path / "tuned", tmp_path / "data.jsonl"
    for context in (96, CONTEXT, 96):
        config = configured(base, out, data, world, f"model.context={context}")
        source = open_corpus(config, 1).sources["instructions"]
        for shard in (*source.train, *source.heldout):
            assert shard.learned is not None
            assert shard.learned.name.endswith(f".learned-{context}")


def test_a_tuning_is_of_the_model_that_it_begins_with(
    base: Path, tmp_path: Path, world: World
) -> None:
    """Its shape and its tokenizer come from there; windows of another context are refused."""
    write_examples(tmp_path / "data.jsonl")
    config = configured(base, tmp_path / "tuned", tmp_path / "data.jsonl", world)
    run = flatten(instruct.open_checkpoint(str(base / "run"), ())[0])
    assert {k: v for k, v in flatten(config).items() if k.startswith("model.")} == {
        k: v for k, v in run.items() if k.startswith("model.")
    }
    other = configured(base, tmp_path / "tuned", tmp_path / "data.jsonl", world)
    wrong = instruct.override(other, ["model.context=24", f"run.dir={tmp_path / 'wrong'}"])
    with pytest.raises(ReadError, match=r"packed for another context than 24"):
        Run(wrong, world)
    wider = instruct.override(other, ["model.dim=64", f"run.dir={tmp_path / 'wider'}"])
    with pytest.raises(ValueError, match=r"its \[model\] differs"):
        Run(wider, world)
    with pytest.raises(ConfigError, match=r"give data\.tokenizer=FILE"):
        instruct.configure(str(base / "run"), str(tmp_path / "none"), ["data.tokenizer="])
