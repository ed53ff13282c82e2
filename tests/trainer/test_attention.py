"""Attention kernels agree with the plain formula, and a kernel that cannot serve says so.

What needs an accelerator is tried here with a stand-in for its library, that records how it was
called and computes the formula.
"""

import itertools
import math
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.attention import flex_attention

from trainer import attention
from trainer.attention import AttentionError, attend, choose, document_mask

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
STARTS = [0, 5, 12, 15, 16, 24]  # row 0 holds 5 + 7 tokens, row 1 holds 3 + 1 + 8
CU_SEQLENS = torch.tensor([*STARTS, 24, 24, 24], dtype=torch.int32)


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


def by_document(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attend to each document of ``STARTS`` by itself; any shape of 24 tokens, 3 heads of 8."""
    flat = [x.reshape(1, 24, 3, 8) for x in (q, k, v)]
    parts = [plain(*(x[:, a:b] for x in flat)) for a, b in itertools.pairwise(STARTS)]
    return torch.cat(parts, dim=1).reshape(q.shape)


def test_documents_attend_to_themselves() -> None:
    """With cu_seqlens the result equals attending to each document by itself."""
    q, k, v = tensors()
    torch.testing.assert_close(
        attend(q, k, v, CU_SEQLENS), by_document(q, k, v), atol=1e-6, rtol=1e-5
    )


def test_one_document_a_row_equals_no_mask() -> None:
    """The masked reference and the causal kernel meet where the mask says nothing."""
    q, k, v = tensors()
    rows = torch.tensor([0, 12, 24, 24], dtype=torch.int32)
    torch.testing.assert_close(attend(q, k, v, rows), attend(q, k, v), atol=1e-6, rtol=1e-5)


@pytest.fixture
def on_cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Let ``choose`` believe in a Hopper GPU."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    choose.cache_clear()
    yield monkeypatch
    choose.cache_clear()


def test_the_choice_on_a_cpu_is_named() -> None:
    """The kernels that were passed over say why."""
    choice = choose("auto", CPU, documents=False)
    assert choice.name == "sdpa"
    assert choice.passed_over == "flash3 is for cuda only; flash2 is for cuda only"
    assert choose("auto", CPU, documents=True).name == "sdpa-mask"


@pytest.mark.parametrize(
    ("backend", "need", "message"),
    [
        ("sdpa", (CPU, True, torch.float32), "sdpa serves attention without documents only"),
        ("flex", (CUDA, False, torch.float32), "flex serves attention inside documents only"),
        ("flash2", (CPU, False, torch.bfloat16), "on cpu: flash2 is for cuda only"),
        ("flash2", (CUDA, False, torch.float32), "flash2 needs parallel.param_dtype=bfloat16"),
        ("flash2", (CUDA, False, torch.bfloat16), "pip install flash-attn --no-build-isolation"),
        ("flash3", (CUDA, False, torch.bfloat16), "build it in the folder hopper of Dao-AILab"),
        ("xformers", (CUDA, True, torch.bfloat16), "pip install xformers"),
        ("flash", (CPU, False, torch.float32), "backend = flash: .*there is none of this name"),
    ],
)
def test_a_backend_that_was_asked_for_serves_or_says_what_to_do(
    on_cuda: pytest.MonkeyPatch,
    backend: str,
    need: tuple[torch.device, bool, torch.dtype],
    message: str,
) -> None:
    """No other one takes its place in silence."""
    for library in ("flash_attn", "flash_attn_interface", "xformers.ops"):
        on_cuda.setitem(sys.modules, library, None)  # as if it were not installed
    device, documents, dtype = need
    with pytest.raises(AttentionError, match=message):
        choose(backend, device, documents=documents, dtype=dtype)


def test_an_older_gpu_passes_flash3_over(on_cuda: pytest.MonkeyPatch) -> None:
    """It is for Hopper; and of what is not installed the log says how to get it."""
    on_cuda.setattr(torch.cuda, "get_device_capability", lambda _: (8, 0))
    on_cuda.setitem(sys.modules, "flash_attn", None)
    choice = choose("auto", CUDA, documents=True)
    assert choice.name == "varlen"
    assert choice.passed_over.startswith("flash3 is for compute capability 9, not this device's;")
    assert "pip install flash-attn" in choice.passed_over


class Library(ModuleType):
    """Stands in for flash_attn, flash_attn_interface and xformers.ops: records and computes."""

    def __init__(self, *, with_lse: bool = False) -> None:
        super().__init__("library")
        self.calls: list[dict[str, Any]] = []
        self.with_lse = with_lse

    def flash_attn_func(self, q: Tensor, k: Tensor, v: Tensor, **options: Any) -> Any:
        """Compute the plain formula."""
        self.calls.append({"q": tuple(q.shape), **options})
        return (plain(q, k, v), None) if self.with_lse else plain(q, k, v)

    def flash_attn_varlen_func(self, q: Tensor, k: Tensor, v: Tensor, **options: Any) -> Any:
        """Compute it by document."""
        self.calls.append({"q": tuple(q.shape), **options})
        return (by_document(q, k, v), None) if self.with_lse else by_document(q, k, v)

    def memory_efficient_attention(
        self, q: Tensor, k: Tensor, v: Tensor, *, attn_bias: Any, scale: float
    ) -> Tensor:
        """Compute either."""
        self.calls.append({"q": tuple(q.shape), "attn_bias": attn_bias, "scale": scale})
        return plain(q, k, v) if attn_bias == "lower" else by_document(q, k, v)


@pytest.mark.parametrize(
    ("name", "module", "with_lse"),
    [
        ("flash3", "flash_attn_interface", False),
        ("flash3", "flash_attn_interface", True),  # as its first releases did
        ("flash2", "flash_attn", False),
    ],
)
def test_flash_attention_is_called_as_documented(
    on_cuda: pytest.MonkeyPatch, name: str, module: str, with_lse: bool
) -> None:
    """(B, T, H, D) as it is; documents in a row, with int32 bounds and the longest of a window."""
    library = Library(with_lse=with_lse)
    on_cuda.setitem(sys.modules, module, library)
    q, k, v = tensors()
    scale, same = 8**-0.5, {"causal": True, "deterministic": False}
    flash = choose(name, CUDA, documents=False).attend
    torch.testing.assert_close(flash(q, k, v), plain(q, k, v))
    assert library.calls == [{"q": (2, 12, 3, 8), "softmax_scale": scale, **same}]
    flash = choose(name, CUDA, documents=True).attend
    torch.testing.assert_close(flash(q, k, v, CU_SEQLENS), by_document(q, k, v))
    call = library.calls[1]
    assert (call["q"], call["softmax_scale"], call["causal"]) == ((24, 3, 8), scale, True)
    assert call["cu_seqlens_q"] is call["cu_seqlens_k"] is CU_SEQLENS
    assert call["max_seqlen_q"] == call["max_seqlen_k"] == 12
    for documents in (False, True):
        choose(name, CUDA, documents=documents, deterministic=True).attend(
            q, k, v, CU_SEQLENS if documents else None
        )
    assert [call["deterministic"] for call in library.calls[2:]] == [True, True]


def test_xformers_is_called_as_documented(on_cuda: pytest.MonkeyPatch) -> None:
    """A triangular mask; or one row of all tokens under a mask of the documents' lengths."""
    library = Library()
    masks = ModuleType("masks")
    masks.LowerTriangularMask = lambda: "lower"  # type: ignore[attr-defined]  # a stand-in
    masks.BlockDiagonalCausalMask = SimpleNamespace(from_seqlens=tuple)  # type: ignore[attr-defined]  # too
    for name, module in (("ops", library), ("ops.fmha.attn_bias", masks)):
        on_cuda.setitem(sys.modules, f"xformers.{name}", module)
    q, k, v = tensors()
    serve = choose("xformers", CUDA, documents=False).attend
    torch.testing.assert_close(serve(q, k, v), plain(q, k, v))
    torch.testing.assert_close(serve(q, k, v, CU_SEQLENS), by_document(q, k, v))
    assert library.calls == [
        {"q": (2, 12, 3, 8), "attn_bias": "lower", "scale": 8**-0.5},
        {"q": (1, 24, 3, 8), "attn_bias": (5, 7, 3, 1, 8), "scale": 8**-0.5},
    ]


def test_a_kernel_that_does_not_repeat_its_bits_is_passed_over(
    on_cuda: pytest.MonkeyPatch,
) -> None:
    """Xformers has no switch for it, so run.deterministic refuses it by name."""
    library = Library()
    for name in ("ops", "ops.fmha.attn_bias"):
        on_cuda.setitem(sys.modules, f"xformers.{name}", library)
    assert choose("xformers", CUDA, documents=False).name == "xformers"
    with pytest.raises(AttentionError, match=r"not repeat its bits, as run\.deterministic"):
        choose("xformers", CUDA, documents=False, deterministic=True)


def test_varlen_is_called_as_documented(on_cuda: pytest.MonkeyPatch) -> None:
    """A window that ends at the token itself is what is causal there."""
    calls = []

    def varlen(q: Tensor, k: Tensor, v: Tensor, *bounds: Any, **options: Any) -> Tensor:
        calls.append((tuple(q.shape), bounds, options))
        return by_document(q, k, v)

    on_cuda.setattr(attention, "varlen_attn", varlen)
    q, k, v = tensors()
    serve = choose("varlen", CUDA, documents=True).attend
    torch.testing.assert_close(serve(q, k, v, CU_SEQLENS), by_document(q, k, v))
    assert calls == [((24, 3, 8), (CU_SEQLENS, CU_SEQLENS, 12, 12), {"window_size": (-1, 0)})]


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_flex_sees_documents(on_cuda: pytest.MonkeyPatch) -> None:
    """Uncompiled, its forward runs on a CPU, and equals attending to each document by itself."""
    on_cuda.setattr(torch, "compile", lambda function: function)
    on_cuda.setattr(flex_attention, "_FLEX_ATTENTION_DISABLE_COMPILE_DEBUG", True)
    q, k, v = tensors()
    with torch.no_grad():
        mixed = choose("flex", CUDA, documents=True).attend(q, k, v, CU_SEQLENS)
    torch.testing.assert_close(mixed, by_document(q, k, v), atol=1e-6, rtol=1e-5)


def test_a_document_mask_is_causal_inside_documents() -> None:
    """Row 1 of the example: documents of 3, 1 and 8 tokens."""
    mask = document_mask(CU_SEQLENS, 2, 12)[1, 0]
    assert mask.sum(-1).tolist() == [1, 2, 3, 1, *range(1, 9)]
