"""The loss in chunks equals the dense one, in value and in both gradients."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the name that every PyTorch reader knows
from torch import Tensor

from trainer.loss import IGNORE, next_token_losses
from trainer.sections import TrainConfig


def dense(hidden: Tensor, weight: Tensor, labels: Tensor, z_loss: float) -> Tensor:
    """Sum the loss from all logits at once, in float32."""
    logits = (hidden @ weight.T).float().flatten(0, 1)
    nll = F.cross_entropy(logits, labels.flatten(), ignore_index=IGNORE, reduction="sum")
    valid = labels.flatten() != IGNORE
    return nll + z_loss * logits.logsumexp(-1)[valid].square().sum()


@pytest.mark.parametrize("z_loss", [0.0, 1e-2])
@pytest.mark.parametrize("chunk_tokens", [5, 7, 64])
@pytest.mark.parametrize(
    ("dtype", "hidden_error", "weight_error"),
    [(torch.float32, 1e-6, 1e-6), (torch.bfloat16, 1e-2, 1e-2)],
)
def test_chunks_equal_the_dense_loss(
    chunk_tokens: int, z_loss: float, dtype: torch.dtype, hidden_error: float, weight_error: float
) -> None:
    """Loss and gradients, with ignored labels, with chunks that divide the tokens and do not."""
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(2, 21, 16, generator=generator).to(dtype).requires_grad_()
    weight = torch.randn(50, 16, generator=generator).to(dtype).requires_grad_()
    labels = torch.randint(50, (2, 21), generator=generator)
    labels[0, 3:9] = IGNORE
    labels[1, -1] = IGNORE

    expected = dense(hidden, weight, labels, z_loss)
    want_hidden, want_weight = torch.autograd.grad(expected / 35, (hidden, weight))
    config = TrainConfig(loss_chunk=chunk_tokens, z_loss=z_loss)
    losses = next_token_losses(hidden, weight, labels, config)
    got_hidden, got_weight = torch.autograd.grad(losses.total / 35, (hidden, weight))

    torch.testing.assert_close(losses.total, expected, rtol=1e-6, atol=0)
    torch.testing.assert_close(losses.nll, dense(hidden, weight, labels, 0.0), rtol=1e-6, atol=0)
    assert (got_hidden - want_hidden).norm() <= hidden_error * want_hidden.norm()
    assert (got_weight - want_weight).norm() <= weight_error * want_weight.norm()


def test_no_gradient_is_formed_without_need() -> None:
    """Evaluation under no_grad gives the same value and no graph."""
    hidden, weight = torch.randn(1, 4, 8), torch.randn(10, 8, requires_grad=True)
    labels = torch.tensor([[1, 2, IGNORE, 3]])
    with torch.no_grad():
        quiet = next_token_losses(hidden, weight, labels, TrainConfig())
    assert not quiet.total.requires_grad
    torch.testing.assert_close(
        quiet.nll, next_token_losses(hidden, weight, labels, TrainConfig()).nll
    )


def test_only_ignored_labels_give_zero() -> None:
    """A microbatch without a valid label adds nothing, and no NaN."""
    hidden = torch.randn(1, 3, 8, requires_grad=True)
    labels = torch.full((1, 3), IGNORE)
    losses = next_token_losses(hidden, torch.randn(10, 8), labels, TrainConfig())
    losses.total.backward()  # type: ignore[no-untyped-call]  # untyped in torch
    assert losses.total.item() == 0.0
    assert hidden.grad is not None
    assert not hidden.grad.any()
