"""The network is LLaMA: shapes, causality, rotation, norms and initial weights."""

import pytest
import torch
from torch import nn

from trainer.config import load
from trainer.model import Llama, RMSNorm, initialize, rotate
from trainer.parallel import World, build_model
from trainer.sections import ModelConfig

TINY = ModelConfig(dim=32, layers=2, heads=4, vocab_size=64, context=16, multiple_of=16)


def tiny(seed: int = 0) -> Llama:
    """Build a small model with its weights drawn."""
    model = Llama(TINY)
    initialize(model, seed)
    return model


@pytest.mark.parametrize("name", ["llama_7b", "llama_13b", "llama_33b", "llama_65b"])
def test_parameters_are_counted_on_the_meta_device(name: str) -> None:
    """The module holds what Table 2's arithmetic says, and nothing is tied."""
    config = load(name).model
    with torch.device("meta"):
        model = Llama(config)
    assert sum(p.numel() for p in model.parameters()) == config.parameters
    assert model.layers[0].feed_forward.w1.weight.shape == (config.ffn_dim, config.dim)  # type: ignore[union-attr]  # modules in a list have no static type
    assert set(dict(model.named_buffers())) == {"rope_cos", "rope_sin"}
    assert not [name for name in model.state_dict() if "rope" in name]


def test_later_tokens_do_not_reach_earlier_logits() -> None:
    """Changing token t leaves the logits before t equal to the bit."""
    model = tiny()
    tokens = torch.randint(64, (2, 16), generator=torch.Generator().manual_seed(1))
    changed = tokens.clone()
    changed[:, 9] = (changed[:, 9] + 1) % 64
    with torch.no_grad():
        before, after = model(tokens), model(changed)
    assert torch.equal(before[:, :9], after[:, :9])
    assert not torch.equal(before[:, 9:], after[:, 9:])


def test_rotation_equals_complex_multiplication() -> None:
    """Half-rotated pairs (i, i + D/2) are the real and imaginary part of one complex number."""
    model = tiny()
    x = torch.randn(2, 16, 4, 8, generator=torch.Generator().manual_seed(2))
    rates = torch.tensor([10_000.0 ** (-2 * i / 8) for i in range(4)])
    turn = torch.polar(torch.ones(16, 4), torch.outer(torch.arange(16.0), rates))
    expected = torch.complex(x[..., :4], x[..., 4:]) * turn[:, None]
    turned = rotate(x, model.rope_cos, model.rope_sin)
    torch.testing.assert_close(turned, torch.cat((expected.real, expected.imag), -1))


def test_norm_is_cast_before_the_weight() -> None:
    """In bfloat16 the two orders differ; LLaMA rounds the normalised value first."""
    norm = RMSNorm(256, 1e-6).to(torch.bfloat16)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        norm.weight.copy_(torch.rand(256, generator=generator) + 0.5)
    x = torch.randn(8, 256, generator=generator).to(torch.bfloat16)
    exact = x.float() / (x.float().pow(2).mean(-1, keepdim=True) + 1e-6).sqrt()
    expected = exact.to(torch.bfloat16) * norm.weight
    torch.testing.assert_close(norm(x), expected, atol=0, rtol=2**-7)
    assert norm(x).dtype == torch.bfloat16


def test_compile_and_recomputation_change_no_name(world: World) -> None:
    """Seeds, groups and checkpoints go by names, so no wrapper may stand in them."""
    options = ["parallel.compile=true", "parallel.recompute=selective"]
    model, _ = build_model(load("debug", options), world)
    assert set(dict(model.named_parameters())) == set(
        dict(Llama(load("debug").model).named_parameters())
    )


def test_labels_give_the_loss_of_the_logits() -> None:
    """Forward with labels sums what cross-entropy over the logits sums."""
    model = tiny()
    tokens = torch.randint(64, (2, 17), generator=torch.Generator().manual_seed(4))
    inputs, labels = tokens[:, :-1], tokens[:, 1:].clone()
    labels[0, :5] = -100
    expected = nn.functional.cross_entropy(
        model(inputs).flatten(0, 1), labels.flatten(), reduction="sum"
    )
    losses = model(inputs, labels)
    torch.testing.assert_close(losses.nll, expected)
    torch.testing.assert_close(losses.total, expected)
