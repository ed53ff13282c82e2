"""The schedule to the bit, the groups, the clipped norm."""

import itertools

import pytest
import torch

from trainer.model import Llama, initialize
from trainer.optim import build_optimizer, clip_gradients, learning_rate, set_learning_rate
from trainer.sections import ModelConfig, OptimConfig

PAPER = OptimConfig(lr=3e-4, warmup_steps=2000, final_lr_fraction=0.1)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (1, 1.5e-7),  # the first update learns: peak / warmup, not 0
        (1000, 1.5e-4),
        (2000, 3e-4),  # the peak, exactly
        (
            238_419,
            3e-4 * 0.1,
        ),  # "the final learning rate is equal to 10% of the maximal" (section 2.3)
        (238_420, 3e-4 * 0.1),
        (10**9, 3e-4 * 0.1),
    ],
)
def test_rates_are_exact(step: int, expected: float) -> None:
    """Closed form at the corners, for the 7B run."""
    assert learning_rate(step, PAPER, 238_419) == expected


def test_rate_after_warmup_follows_half_a_cosine() -> None:
    """It is 0.55 of the peak half way, falls at every step, and starts just below the peak."""
    assert learning_rate(6000, PAPER, 10_000) == pytest.approx(0.55 * 3e-4, rel=1e-15)
    rates = [learning_rate(n, PAPER, 10_000) for n in range(2000, 10_001)]
    assert all(a > b for a, b in itertools.pairwise(rates))
    assert rates[1] == pytest.approx(3e-4, rel=1e-6)


def test_no_warmup_starts_below_the_peak() -> None:
    """With no warm-up steps the cosine begins at once."""
    config = OptimConfig(lr=1.0, warmup_steps=0, final_lr_fraction=0.0)
    assert [learning_rate(n, config, 2) for n in (1, 2)] == [pytest.approx(0.5), 0.0]


def model() -> Llama:
    """Build one small block with weights."""
    built = Llama(ModelConfig(dim=16, layers=1, heads=2, vocab_size=32, context=8, multiple_of=16))
    initialize(built, 0)
    return built


@pytest.mark.parametrize(("decay_embeddings", "plain"), [(True, 3), (False, 5)])
def test_matrices_decay_and_norms_do_not(decay_embeddings: bool, plain: int) -> None:
    """Three norms never decay; the switch takes the two vocabulary tables out."""
    optimizer = build_optimizer(model(), OptimConfig(decay_embeddings=decay_embeddings))
    decayed, rest = optimizer.param_groups
    assert (decayed["weight_decay"], rest["weight_decay"]) == (0.1, 0.0)
    assert len(rest["params"]) == plain
    assert len(decayed["params"]) + len(rest["params"]) == 12
    assert decayed["betas"] == (0.9, 0.95)


def test_an_update_is_adamw() -> None:
    """The first update moves a weight by lr * sign(gradient), after decay by lr * 0.1."""
    built = model()
    optimizer = build_optimizer(built, OptimConfig())
    before = built.output.weight.detach().clone()
    for parameter in built.parameters():
        parameter.grad = torch.ones_like(parameter)
    set_learning_rate(optimizer, 1e-2)
    optimizer.step()
    expected = before * (1 - 1e-2 * 0.1) - 1e-2
    torch.testing.assert_close(built.output.weight.detach(), expected, atol=1e-7, rtol=1e-6)


def test_clipping_gives_the_norm_before_it() -> None:
    """Norm 5 becomes 1; a limit of 0 only measures."""
    weights = [torch.nn.Parameter(torch.zeros(1)), torch.nn.Parameter(torch.zeros(1))]
    for weight, gradient in zip(weights, (3.0, 4.0), strict=True):
        weight.grad = torch.tensor([gradient])
    assert clip_gradients(weights, 0.0).item() == 5.0
    assert clip_gradients(weights, 1.0).item() == 5.0
    assert clip_gradients(weights, 0.0).item() == pytest.approx(1.0, rel=1e-5)
