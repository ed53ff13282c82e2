"""Initial weights: the same bits for every layout and release, and the distribution they claim."""

import hashlib
from statistics import NormalDist

import numpy as np
import pytest
import torch

from trainer import initial
from trainer.config import load
from trainer.initial import draw, key_of
from trainer.model import INIT_STD, Llama, initialize
from trainer.sections import ModelConfig

TINY = ModelConfig(dim=32, layers=2, heads=4, vocab_size=64, context=16, multiple_of=16)


def drawn(rows: range, columns: range, *, name: str = "w", width: int = 100) -> np.ndarray:
    """Draw a part of a tensor with deviation 1."""
    parts = [values for _, values in draw(key_of(0, name), width, rows, columns, 1.0)]
    return np.concatenate(parts)


def tiny(seed: int = 0) -> Llama:
    """Build a small model with its weights drawn."""
    model = Llama(TINY)
    initialize(model, seed)
    return model


def test_golden_values() -> None:
    """A seed gives these bits on every machine; another value here makes another training."""
    weights = tiny().state_dict()
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode() + weights[name].numpy().tobytes())
    assert digest.hexdigest() == "2c9dcb7db7103248677d80a32cb270a3e5f5be5dc538e9e769af126488852af8"
    first = weights["layers.0.attention.wq.weight"][0, :3].tolist()
    assert first == [0.0007110067526809871, 0.0031373901292681694, -0.020955678075551987]


def test_a_part_is_that_part_of_the_whole() -> None:
    """Rows and columns of any rank, also where a row does not fill a count of the generator."""
    whole = drawn(range(9), range(100))
    assert whole.shape == (9, 100)
    assert np.array_equal(drawn(range(3, 7), range(40, 60)), whole[3:7, 40:60])
    assert not list(draw(key_of(0, "w"), 100, range(4, 4), range(100), 1.0))


def test_rows_do_not_depend_on_how_many_are_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chunk of one row, and one of all."""
    whole = drawn(range(9), range(100))
    monkeypatch.setattr(initial, "_CHUNK_WEIGHTS", 1)
    assert np.array_equal(drawn(range(9), range(100)), whole)


def test_values_are_normal_between_the_cuts() -> None:
    """Four million values: the shares of 60 intervals, the deviation, and no value outside."""
    values = drawn(range(512), range(8192), width=8192).ravel()
    assert np.abs(values).max() < initial.CUT
    assert values.std() == pytest.approx(0.98658, abs=1e-3)  # of the normal distribution so cut
    edges = np.linspace(-3, 3, 61)
    normal = NormalDist()
    shares = np.diff([normal.cdf(edge) for edge in edges])
    expected = shares / shares.sum() * values.size
    observed = np.histogram(values, edges)[0]
    assert ((observed - expected) ** 2 / expected).sum() < 120  # chi squared of 59, p = 5e-6


def test_tensors_and_seeds_do_not_share_their_values() -> None:
    """Each name and each seed has a stream of its own; rows differ."""
    first = drawn(range(2), range(100))
    assert not np.array_equal(first, drawn(range(2), range(100), name="v"))
    assert not np.array_equal(first[0], first[1])
    assert key_of(1, "w") != key_of(0, "w")


def test_weights_follow_from_seed_and_name() -> None:
    """Another seed gives other weights; residual outputs are narrower; norms are one."""
    first, again, other = tiny(), tiny(), tiny(seed=1)
    for (name, a), b, c in zip(
        first.named_parameters(), again.parameters(), other.parameters(), strict=True
    ):
        assert torch.equal(a, b), name
        assert (a.ndim == 1) == torch.equal(a, c), name
    assert torch.equal(first.norm.weight, torch.ones(32))
    assert first.output.weight.abs().max() <= 3 * INIT_STD
    wide, narrow = (first.get_parameter(f"layers.0.attention.{w}.weight") for w in ("wq", "wo"))
    ratio, std = narrow.std() / wide.std(), first.output.weight.std()
    assert ratio.item() == pytest.approx(0.5, rel=0.1)  # 1 / sqrt(2 * 2 layers)
    assert std.item() == pytest.approx(0.0197, rel=0.05)  # 0.02, cut off at three deviations


def test_a_rank_draws_its_own_rows_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The 65B over 64 ranks: a rank takes random words for its 1.02 G weights and no others.

    At the 5 to 7 ns per weight that this takes on one core that is 7 seconds per rank; tensor
    parallel ranks draw wo, w2 and the embedding whole rows, so 8 of them 3 times as many.
    """
    words = 0

    class Counting:
        def __init__(self, key: int, counter: int) -> None:
            del key, counter

        def random_raw(self, count: int) -> np.ndarray:
            nonlocal words
            words += 2 * count  # of 32 bits
            return np.zeros(count, np.uint64)

    monkeypatch.setattr(np.random, "Philox", Counting)
    model, ranks = load("llama_65b").model, 64 * 64  # a 64th of the rows of one rank, for time
    shapes = {"wq": (model.dim, model.dim), "w1": (model.ffn_dim, model.dim)}
    for height, width in shapes.values():
        rows = range(height // ranks)
        for _ in draw(0, width, rows, range(width), 1.0):
            pass
    assert words == sum(height // ranks * width for height, width in shapes.values())
