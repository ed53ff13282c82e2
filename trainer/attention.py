"""Causal attention: one function, and the choice of the kernel behind it (docs/rules/trainer.md 5).

Kernels are tried in the order of ``_KERNELS``; each says why it cannot serve, so that a run on an
accelerator fails with the reasons instead of falling back to a slow path in silence. A mask of
T x T is built on the CPU only, where it is the reference that other kernels are tested against.
"""

import functools
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple, Protocol

import torch
import torch.nn.functional as F  # noqa: N812 - the name that every PyTorch reader knows
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.flex_attention import create_block_mask, flex_attention
from torch.nn.attention.varlen import varlen_attn

from trainer.config import TrainerError

_INSTALL = {
    "flash_attn_interface": "build it in the folder hopper of Dao-AILab/flash-attention",
    "flash_attn": "pip install flash-attn --no-build-isolation",
    "xformers.ops": "pip install xformers",
}


class AttentionError(TrainerError):
    """No attention kernel fits; the message says why each does not."""


class Attend(Protocol):
    """Causal attention of a kernel.

    ``q, k, v`` are (B, T, H, D), and so is the result; the scale is 1/sqrt(D). ``cu_seqlens``
    (int32) holds where each document begins among the B * T tokens in a row, then B * T once or
    more; attention then stays inside documents.
    """

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, cu_seqlens: Tensor | None = None) -> Tensor:
        """Attend over all heads."""
        ...


class Choice(NamedTuple):
    """The kernel of a run."""

    name: str
    attend: Attend
    traceable: bool  # a compiled block takes it without a break of its graph
    passed_over: str  # the kernels before it, with their reasons


@dataclass(frozen=True, slots=True)
class _Kernel:
    name: str
    make: Callable[[ModuleType, bool], Attend]  # from its library, and whether to repeat its bits
    library: str = "torch"
    capability: range = range(100)  # major; a kernel that names some takes 16 bits only
    plain: bool = True  # serves attention without documents
    documents: bool = True  # serves attention inside documents
    device: str = "cuda"  # "": any
    traceable: bool = True  # see `Choice`
    repeats: bool = True  # it can repeat its own bits in backward

    def why_not(self, device: torch.device, dtype: torch.dtype, *, documents: bool) -> str:
        """Say why it cannot serve; nothing if it can."""
        if not (self.documents if documents else self.plain):
            return f"serves attention {'without' if documents else 'inside'} documents only"
        if self.device not in ("", device.type):
            return f"is for {self.device} only"
        if self.capability[0]:
            if torch.cuda.get_device_capability(device)[0] not in self.capability:
                return f"is for compute capability {self.capability[0]}, not this device's"
            if dtype not in (torch.bfloat16, torch.float16):
                return "needs parallel.param_dtype=bfloat16"
        try:
            importlib.import_module(self.library)
        except ImportError as error:
            return f"cannot be imported ({error}): {_INSTALL[self.library]}"
        return ""


@functools.cache
def choose(
    backend: str,
    device: torch.device,
    *,
    documents: bool,
    dtype: torch.dtype = torch.bfloat16,
    deterministic: bool = False,
) -> Choice:
    """Find the kernel for tensors of ``dtype`` on ``device``, with ``cu_seqlens`` or without.

    With ``deterministic`` one whose backward repeats its own bits, which is slower. Raises
    AttentionError if none serves, or not the one that ``backend`` names.
    """
    reasons: list[str] = []
    for kernel in _KERNELS:
        if backend not in ("auto", kernel.name):
            continue
        reason = kernel.why_not(device, dtype, documents=documents)
        if not reason and deterministic and not kernel.repeats:
            reason = "does not repeat its bits, as run.deterministic asks for"
        if not reason:
            made = kernel.make(importlib.import_module(kernel.library), deterministic)
            return Choice(kernel.name, made, kernel.traceable, "; ".join(reasons))
        reasons.append(f"{kernel.name} {reason}")
    wanted = "attention inside documents" if documents else "attention"
    raise AttentionError(
        f"attention.backend = {backend}: no kernel for {wanted} on {device.type}: "
        + ("; ".join(reasons) or "there is none of this name")
    )


def attend(q: Tensor, k: Tensor, v: Tensor, cu_seqlens: Tensor | None = None) -> Tensor:
    """Attend with the first kernel that serves; see `Attend` for shapes."""
    choice = choose("auto", q.device, documents=cu_seqlens is not None, dtype=q.dtype)
    return choice.attend(q, k, v, cu_seqlens)


def documents_of(cu_seqlens: Tensor, batch: int, length: int) -> Tensor:
    """Number the documents of (B, T) tokens by where they begin."""
    places = torch.arange(batch * length, device=cu_seqlens.device, dtype=cu_seqlens.dtype)
    return torch.searchsorted(cu_seqlens, places, right=True).view(batch, length)


def document_mask(cu_seqlens: Tensor, batch: int, length: int) -> Tensor:
    """Build the (B, 1, T, T) mask, true where a query may see a key, from document starts."""
    document = documents_of(cu_seqlens, batch, length).unsqueeze(1)
    same = document.unsqueeze(-1) == document.unsqueeze(-2)
    return same & torch.ones(length, length, dtype=torch.bool, device=same.device).tril()


def _flash(library: Any, deterministic: bool) -> Attend:
    """Make attention of FlashAttention 2 or 3, whose functions take the same names.

    Their backward adds to the gradient of queries in any order, unless told not to.
    """

    def attend(q: Tensor, k: Tensor, v: Tensor, cu_seqlens: Tensor | None = None) -> Tensor:
        options: dict[str, Any] = {"softmax_scale": q.shape[-1] ** -0.5, "causal": True}
        options["deterministic"] = deterministic
        if cu_seqlens is None:
            result = library.flash_attn_func(q, k, v, **options)
        else:
            options |= {"cu_seqlens_q": cu_seqlens, "max_seqlen_q": q.shape[1]}
            options |= {"cu_seqlens_k": cu_seqlens, "max_seqlen_k": q.shape[1]}
            flat = (x.flatten(0, 1) for x in (q, k, v))
            result = library.flash_attn_varlen_func(*flat, **options)
        mixed: Tensor = result[0] if isinstance(result, tuple) else result  # early 3: with the lse
        return mixed.view(q.shape)

    return attend


def _xformers(library: Any, _: bool) -> Attend:
    """Make attention of xformers. Its document mask is made from numbers on the host: a wait."""
    masks: Any = importlib.import_module("xformers.ops.fmha.attn_bias")

    def attend(q: Tensor, k: Tensor, v: Tensor, cu_seqlens: Tensor | None = None) -> Tensor:
        rows, mask = [q, k, v], masks.LowerTriangularMask()
        if cu_seqlens is not None:
            lengths = [length for length in cu_seqlens.diff().tolist() if length]
            mask = masks.BlockDiagonalCausalMask.from_seqlens(lengths)
            rows = [x.reshape(1, -1, *x.shape[2:]) for x in rows]
        scale = q.shape[-1] ** -0.5
        mixed: Tensor = library.memory_efficient_attention(*rows, attn_bias=mask, scale=scale)
        return mixed.view(q.shape)

    return attend


def _varlen(q: Tensor, k: Tensor, v: Tensor, cu_seqlens: Tensor | None = None) -> Tensor:
    """Attend with PyTorch's own kernel for documents in a row."""
    assert cu_seqlens is not None, "choose() gives this kernel documents only"
    bounds, longest = (cu_seqlens, cu_seqlens), (q.shape[1], q.shape[1])
    flat_q, flat_k, flat_v = (x.flatten(0, 1) for x in (q, k, v))
    mixed = varlen_attn(flat_q, flat_k, flat_v, *bounds, *longest, window_size=(-1, 0))  # causal
    assert isinstance(mixed, Tensor)
    return mixed.view(q.shape)


def _flex(_: ModuleType, __: bool) -> Attend:
    """Make attention of a kernel that PyTorch compiles; uncompiled it would hold T x T scores."""
    compiled = torch.compile(flex_attention)

    def attend(q: Tensor, k: Tensor, v: Tensor, cu_seqlens: Tensor | None = None) -> Tensor:
        assert cu_seqlens is not None, "choose() gives this kernel documents only"
        batch, length = q.shape[:2]
        document = documents_of(cu_seqlens, batch, length)

        def sees(b: Tensor, _: Tensor, query: Tensor, key: Tensor) -> Tensor:
            return (query >= key) & (document[b, query] == document[b, key])

        mask = create_block_mask(sees, batch, None, length, length, device=q.device)
        q, k, v = (x.transpose(1, 2) for x in (q, k, v))
        return compiled(q, k, v, block_mask=mask).transpose(1, 2)

    return attend


def _sdpa(q: Tensor, k: Tensor, v: Tensor, cu_seqlens: Tensor | None = None) -> Tensor:
    """Attend with PyTorch's fused kernels; without MATH in the list, an unfit shape raises.

    Documents are told by an explicit mask, slow: the reference, for the CPU only.
    """
    fused = [SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION]
    batch, length = q.shape[:2]
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    if cu_seqlens is not None:
        mask = document_mask(cu_seqlens, batch, length)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2)
    with sdpa_kernel(fused):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2)


_KERNELS = (
    # Its earlier releases register no operators: a compiled block may break its graph there.
    _Kernel("flash3", _flash, "flash_attn_interface", range(9, 10), traceable=False),
    _Kernel("flash2", _flash, "flash_attn", range(8, 100)),
    _Kernel("sdpa", lambda _, __: _sdpa, documents=False, device=""),
    _Kernel("varlen", lambda _, __: _varlen, "torch", range(8, 100), plain=False),
    _Kernel("flex", _flex, plain=False, traceable=False),  # it has no backward on a CPU
    _Kernel("xformers", _xformers, "xformers.ops", traceable=False, repeats=False),
    _Kernel("sdpa-mask", lambda _, __: _sdpa, plain=False, device="cpu"),
)
