"""Attention kernels agree with the plain formula, and a kernel that cannot serve says so."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from trainer.attention import AttentionError, attend, choose


def tensors(batch: int = 2, length: int = 12) -> tuple[Tensor, Tensor, Tensor]:
    """Make queries, keys and values (B, T, 3, 8)."""
    generator = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, batch, length, 3, 8, generator=generator)
    return q, k, v


def plain(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attend by the formula, in float64."""
    q, k, v = q.double(), k.double(), v.double()
    scores = torch.einsum("bqhd,bkhd->bhqk", q, k) / math.sqrt(q.shape[-1])
    future = torch.ones(q.shape[1], q.shape[1], dtype=torch.bool).triu(1)
    weights = scores.masked_fill(future, -math.inf).softmax(-1)
    return torch.einsum("bhqk,bkhd->bqhd", weights, v).float()


def test_attention_is_causal_softmax() -> None:
    """The kernel chosen for this device equals the formula."""
    q, k, v = tensors()
    torch.testing.assert_close(attend(q, k, v), plain(q, k, v), atol=1e-6, rtol=1e-5)


def test_documents_attend_to_themselves() -> None:
    """With cu_seqlens the result equals attending to each document by itself."""
    q, k, v = tensors()
    starts = [0, 5, 12, 15, 16, 24]  # row 0 holds 5 + 7 tokens, row 1 holds 3 + 1 + 8
    cu_seqlens = torch.tensor([*starts, 24, 24, 24], dtype=torch.int32)
    flat = [x.reshape(1, 24, 3, 8) for x in (q, k, v)]
    parts = [plain(*(x[:, a:b] for x in flat)) for a, b in itertools.pairwise(starts)]
    expected = torch.cat(parts, dim=1).view(2, 12, 3, 8)
    torch.testing.assert_close(attend(q, k, v, cu_seqlens), expected, atol=1e-6, rtol=1e-5)


def test_one_document_a_row_equals_no_mask() -> None:
    """The masked reference and the causal kernel meet where the mask says nothing."""
    q, k, v = tensors()
    rows = torch.tensor([0, 12, 24, 24], dtype=torch.int32)
    torch.testing.assert_close(attend(q, k, v, rows), attend(q, k, v), atol=1e-6, rtol=1e-5)


def test_the_choice_is_named_and_loud() -> None:
    """Each kernel that cannot serve gives its reason."""
    cpu = torch.device("cpu")
    assert choose("auto", cpu, documents=False)[0] == "sdpa"
    assert choose("auto", cpu, documents=True)[0] == "sdpa-mask"
    with pytest.raises(AttentionError, match="sdpa: it knows no documents"):
        choose("sdpa", cpu, documents=True)
    with pytest.raises(AttentionError, match="its T x T mask is for the CPU only"):
        choose("auto", torch.device("cuda"), documents=True)
    with pytest.raises(AttentionError, match=r"sdpa: attention\.backend is flash"):
        choose("flash", cpu, documents=False)
