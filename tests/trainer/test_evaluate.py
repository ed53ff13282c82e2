"""Held-out loss beside what token frequencies alone would lose."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest

from tests.trainer import tiny
from trainer import evaluate
from trainer.data import Corpus, open_corpus
from trainer.evaluate import unigram_nll
from trainer.parallel import World
from trainer.sections import Config
from trainer.train import Run


def opened(root: Path, weights: dict[str, float]) -> tuple[Config, Corpus]:
    """Open the sources in ``root/tokens`` as a mixture with these weights."""
    sources = "\n".join(f"{name} = {{weight = {weight}}}" for name, weight in weights.items())
    (root / "mixture.toml").write_text(
        f'tokens = 1\non_exhausted = "repeat"\nseed = 5\n[sources]\n{sources}\n'
    )
    config = tiny.small(
        [
            *(f"data.shards={root / 'tokens'}", f"data.mixture={root / 'mixture.toml'}"),
            *(f"run.dir={root / 'run'}", "model.context=4"),
        ],
        steps=80,
    )
    return config, open_corpus(config, 8)


def test_frequencies_of_the_mixture_score_each_source(tmp_path: Path, world: World) -> None:
    """By hand: 12 train tokens of a vocabulary of 512, add one, two sources at 3 to 1."""
    books, github = [1, 3, 3, 3, 3, 2], [1, 4, 4, 3, 4, 2]
    tiny.write_shards(tmp_path / "tokens/books", [[books]], [[[1, 3, 2]]])
    tiny.write_shards(tmp_path / "tokens/github", [[github]], [[[1, 4, 5]], [[1, 4, 4, 2]]])
    _, corpus = opened(tmp_path, {"books": 0.75, "github": 0.25})

    def nats(in_books: int, in_github: int) -> float:
        share = 0.75 * in_books / 6 + 0.25 * in_github / 6
        return -math.log((share * 12 + 1) / (12 + 512))

    end, three, four, unseen = nats(1, 1), nats(4, 1), nats(0, 3), nats(0, 0)
    assert unigram_nll(corpus, world) == {
        "books": pytest.approx((three + end) / 2),
        "github": pytest.approx((four + unseen + four + four + end) / 5),
    }


def test_frequencies_are_counted_once_and_by_one_rank(
    corpus: list[str], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two evaluations of a run read the train tokens once; a rank other than 0 reads none."""
    counted = []
    count = evaluate._count

    def spy(*arguments: Any, **options: Any) -> Any:
        counted.append(arguments)
        return count(*arguments, **options)

    monkeypatch.setattr(evaluate, "_count", spy)
    training = Run(tiny.small([*corpus, "eval.every=2"]), world)
    assert training.train() == 0
    assert len(counted) == 4  # train and held-out shards of two sources
    second = dataclasses.replace(world, rank=1)
    monkeypatch.setattr(World, "agree", lambda _, __: ({"books": 1.0}, None))
    assert unigram_nll(training.corpus, second) == {"books": 1.0}
    assert len(counted) == 4


def test_context_teaches_more_than_frequencies(
    tmp_path: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """The demo's claim: loss starts above the unigram entropy of the tokens and ends below.

    Ids walk by one to three: three nearly even choices in context, 29 without.
    """
    made = tiny.documents(120, seed=1, vocab=32)
    tiny.write_shards(tmp_path / "tokens/github", [made[10:]], [made[:10]])
    config, _ = opened(tmp_path, {"github": 1.0})
    config = tiny.small(
        [
            *(f"data.shards={tmp_path / 'tokens'}", f"data.mixture={tmp_path / 'mixture.toml'}"),
            *(f"run.dir={tmp_path / 'run'}", "metrics.every=100"),
        ],
        steps=40,
    )
    training = Run(config, world)
    training._evaluate()
    assert training.train() == 0
    first, last = tiny.rows(tmp_path / "run", "eval")
    assert last["unigram_nll"] == pytest.approx(math.log(29), abs=0.2)
    assert last["eval"]["github"]["unigram_nll"] == last["unigram_nll"]
    assert first["eval_nll"] > first["unigram_nll"] == last["unigram_nll"] > last["eval_nll"]
    shown = f"{last['eval_nll']:.4f} nats a token ({last['unigram_nll']:.4f} by frequency alone)"
    assert f"held out at step 40: {shown}" in capsys.readouterr().out
