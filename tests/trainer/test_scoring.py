"""Scores and texts of a model on several ranks are those of the model in one piece."""

import json
from pathlib import Path

import pytest
import torch

from tests.trainer import ranks, tiny
from tests.trainer.score_worker import CHECKPOINT, GREEDY, LAYOUTS, answers, prompts, rows
from tokenizer.model import Tokenizer
from trainer.checkpoint import load_weights
from trainer.export import load_model, open_weights
from trainer.generate import generate
from trainer.parallel import World, build_model
from trainer.scoring import Prompt, asking
from trainer.train import Run

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, world: World) -> Path:
    """Train a few steps on text; give the directory."""
    root = tmp_path_factory.mktemp("scored")
    overrides = tiny.write_text_corpus(root)
    (root / "overrides.json").write_text(json.dumps(overrides))
    assert Run(tiny.small(overrides, steps=8), world).train() == 0
    return root


def overrides(root: Path) -> list[str]:
    """Give what leads to the corpus."""
    read: list[str] = json.loads((root / "overrides.json").read_text())
    return read


def test_scores_are_those_of_the_whole_model(trained: Path, world: World) -> None:
    """Row by row, without padding, from all logits: the sum, and whether each is the likeliest."""
    model = load_model(open_weights(trained / CHECKPOINT), CPU, torch.float32)
    found = answers(tiny.small(overrides(trained)), world, trained / CHECKPOINT)["scores"]
    assert len(found) == len(rows()) > 80
    greedy_seen = set()
    for row, (nats, greedy) in zip(rows(), found, strict=True):
        with torch.inference_mode():
            logits = model(torch.tensor([row.ids[:-1]]))[0, -row.scored :]
        wanted = torch.tensor(row.ids[-row.scored :])
        expected = logits.log_softmax(-1).gather(-1, wanted[:, None]).sum()
        assert nats == pytest.approx(float(expected), abs=1e-4)
        assert greedy == bool((logits.argmax(-1) == wanted).all())
        greedy_seen.add(greedy)
    assert False in greedy_seen


def test_what_greedy_search_gives_is_marked(trained: Path, world: World) -> None:
    """The likeliest next id of a row is its own greedy continuation, and no other is."""
    config = tiny.small(overrides(trained))
    model, _ = build_model(config, world)
    load_weights(trained / CHECKPOINT, model)
    whole = load_model(open_weights(trained / CHECKPOINT), CPU, torch.float32)
    likeliest = next(iter(generate(whole, [1, 9], GREEDY, max_new_tokens=1, eos_id=-1)))
    asked = [rows()[0]._replace(ids=[1, 9, token], scored=1) for token in (likeliest, 5)]
    with asking(model, Tokenizer(config.data.tokenizer), config, world) as scorer:
        assert scorer is not None
        assert [greedy for _, greedy in scorer.score(asked)] == [True, False]


def test_a_batch_of_prompts_goes_on_as_each_alone(trained: Path, world: World) -> None:
    """Prompts of five lengths in one batch, one of them up to the end of the context."""
    config = tiny.small([*overrides(trained), "train.micro_batch=8"])
    whole = load_model(open_weights(trained / CHECKPOINT), CPU, torch.float32)
    tokenizer = Tokenizer(config.data.tokenizer)
    expected = []
    for prompt in prompts():
        ids = list(
            generate(
                whole,
                prompt.ids,
                prompt.sampling,
                max_new_tokens=prompt.max_new,
                eos_id=tokenizer.eos_id,
            )
        )
        text = tokenizer.decode([*prompt.ids, *ids])
        expected.append(text[len(tokenizer.decode(prompt.ids)) :])
    found = answers(config, world, trained / CHECKPOINT)["texts"]
    assert found == expected
    assert all(found)


def test_a_text_ends_before_its_end_marks(trained: Path, world: World) -> None:
    """A mark that occurs cuts the text, and what comes first cuts it."""
    config = tiny.small(overrides(trained))
    model, _ = build_model(config, world)
    load_weights(trained / CHECKPOINT, model)
    with asking(model, Tokenizer(config.data.tokenizer), config, world) as scorer:
        assert scorer is not None
        prompt = Prompt([1, 40, 50], 12, (), GREEDY)
        (text,) = scorer.generate([prompt])
        assert len(text) > 4
        marks = (text[4:], text[2:4])
        (cut,) = scorer.generate([prompt._replace(until=marks)])
    assert cut == text[: min(text.index(mark) for mark in marks)]


def test_layouts_of_two_ranks_give_the_same(trained: Path, world: World) -> None:
    """Ranks share the work in step: scores to rounding, texts to the letter."""
    command = [str(Path(__file__).with_name("score_worker.py")), str(trained)]
    ranks.launch_again_once(lambda: ranks.launch(trained, "score", command, 2))
    result = json.loads((trained / "result.json").read_text())
    assert set(result) == set(LAYOUTS)
    one = answers(tiny.small(overrides(trained)), world, trained / CHECKPOINT)
    for name, found in result.items():
        assert found["texts"] == one["texts"], name
        assert [greedy for _, greedy in found["scores"]] == [g for _, g in one["scores"]], name
        for left, right in zip(found["scores"], one["scores"], strict=True):
            assert left[0] == pytest.approx(right[0], abs=1e-4), name


@pytest.mark.slow
def test_compiled_blocks_score_the_same(trained: Path, world: World) -> None:
    """In the middle of a training with compiled blocks, whose shapes stay as they were."""
    config = tiny.small([*overrides(trained), "parallel.compile=true", f"run.dir={trained / 'c'}"])
    run = Run(config, world)
    batch = run.loader.batch(1, 0)
    loss, _ = run.gradients(batch, batch.valid)
    run.optimizer.zero_grad()
    load_weights(trained / CHECKPOINT, run.model)
    with asking(run.model, Tokenizer(config.data.tokenizer), config, world) as scorer:
        assert scorer is not None
        found = {"scores": scorer.score(rows()), "texts": scorer.generate(prompts())}
    assert loss > 5
    one = answers(tiny.small(overrides(trained)), world, trained / CHECKPOINT)
    assert found["texts"] == one["texts"]
    for left, right in zip(found["scores"], one["scores"], strict=True):
        assert left[0] == pytest.approx(right[0], abs=1e-4)
