"""Causal attention: one function, and the choice of the kernel behind it (trainer spec, section 5).

Kernels are tried in the order of ``_KERNELS``; each says why it cannot serve, so that a run on an
accelerator fails with the reasons instead of falling back to a slow path in silence. A mask of
T x T is built on the CPU only, where it is the reference that other kernels are tested against.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every PyTorch reader knows
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from trainer.config import TrainerError


class AttentionError(TrainerError):
    """No attention kernel fits; the message says why each does not."""


class Attend(Protocol):
    """Causal attention of a kernel.

    ``q, k, v`` are (B, T, H, D), and so is the result; the scale is 1/sqrt(D). ``cu_seqlens``
    (int32) holds where each document begins among the B * T tokens in a row, then B * T, repeated
    to a fixed length; attention then stays inside documents.
    """

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, cu_seqlens: Tensor | None = None) -> Tensor:
        """Attend over all heads."""
        ...


@dataclass(frozen=True, slots=True)
class _Kernel:
    name: str
    why_not: Callable[[torch.device, bool], str]  # (device, documents) -> "" if it can serve
    attend: Attend


def choose(backend: str, device: torch.device, *, documents: bool) -> tuple[str, Attend]:
    """Find the kernel for a run: its name, for the log, and the function.

    Args:
        backend: ``auto``, or the name of the only one to use.
        device: where the tensors will be.
        documents: whether ``cu_seqlens`` will be given.

    Raises:
        AttentionError: no kernel, or not the one that was asked for, can serve.
    """
    reasons = []
    for kernel in _KERNELS:
        reason = kernel.why_not(device, documents)
        if backend not in ("auto", kernel.name):
            reason = f"attention.backend is {backend}"
        if not reason:
            return kernel.name, kernel.attend
        reasons.append(f"{kernel.name}: {reason}")
    wanted = "attention inside documents" if documents else "attention"
    raise AttentionError(f"no kernel for {wanted} on {device.type} ({'; '.join(reasons)})")


def attend(q: Tensor, k: Tensor, v: Tensor, cu_seqlens: Tensor | None = None) -> Tensor:
    """Attend with the first kernel that serves; see `Attend` for shapes."""
    return choose("auto", q.device, documents=cu_seqlens is not None)[1](q, k, v, cu_seqlens)


def document_mask(cu_seqlens: Tensor, batch: int, length: int) -> Tensor:
    """Build the (B, 1, T, T) mask, true where a query may see a key, from document starts."""
    places = torch.arange(batch * length, device=cu_seqlens.device, dtype=cu_seqlens.dtype)
    document = torch.searchsorted(cu_seqlens, places, right=True).view(batch, 1, length)
    same = document.unsqueeze(-1) == document.unsqueeze(-2)
    return same & torch.ones(length, length, dtype=torch.bool, device=same.device).tril()


def _sdpa(q: Tensor, k: Tensor, v: Tensor, cu_seqlens: Tensor | None = None) -> Tensor:
    """Attend with PyTorch's fused kernels; without MATH in the list, an unfit shape raises."""
    assert cu_seqlens is None, "choose() gives this kernel no documents"
    fused = [SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION]
    q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
    with sdpa_kernel(fused):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2)


def _masked_sdpa(q: Tensor, k: Tensor, v: Tensor, cu_seqlens: Tensor | None = None) -> Tensor:
    """Attend under an explicit mask: the reference for documents, and slow."""
    if cu_seqlens is None:
        return _sdpa(q, k, v)
    mask = document_mask(cu_seqlens, q.shape[0], q.shape[1])
    q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2)


_KERNELS = (
    _Kernel("sdpa", lambda _, documents: "it knows no documents" if documents else "", _sdpa),
    _Kernel(
        "sdpa-mask",
        lambda device, _: "" if device.type == "cpu" else "its T x T mask is for the CPU only",
        _masked_sdpa,
    ),
)
