"""What only an accelerator can show: kernels agree, bfloat16, compile, FSDP, and a 7B block fits.

All of it is skipped elsewhere. Tolerances are those of bfloat16: 8 bits of mantissa.
"""

import os
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.trainer import tiny
from trainer import optim
from trainer.attention import AttentionError, choose
from trainer.bench import bench
from trainer.config import load
from trainer.environment import repeating
from trainer.parallel import World, build_model
from trainer.sections import CHOICES
from trainer.train import Run

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device; none is here"),
]

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # as run.deterministic sets it

CUDA = torch.device("cuda")
STARTS = torch.tensor([0, 200, 256, 300, 511, 512, *[512] * 8], dtype=torch.int32)  # 2 rows of 256


def heads() -> list[Tensor]:
    """Make queries, keys and values (2, 256, 4, 128) in bfloat16."""
    generator = torch.Generator().manual_seed(0)
    made = torch.randn(3, 2, 256, 4, 128, generator=generator).to(CUDA, torch.bfloat16)
    return [x.detach().requires_grad_() for x in made]


def exact(q: Tensor, k: Tensor, v: Tensor, *, documents: bool) -> Tensor:
    """Attend by the formula, in float32."""
    q, k, v = (x.float().transpose(1, 2) for x in (q, k, v))
    places = torch.arange(512, device=CUDA, dtype=torch.int32)
    document = torch.searchsorted(STARTS.to(CUDA), places, right=True).view(2, 1, 256)
    seen = torch.ones(256, 256, dtype=torch.bool, device=CUDA).tril()
    if documents:
        seen = seen & (document.unsqueeze(-1) == document.unsqueeze(-2))
    scores = (q @ k.transpose(-1, -2) / 128**0.5).masked_fill(~seen, -torch.inf)
    return (scores.softmax(-1) @ v).transpose(1, 2)


@pytest.mark.parametrize("documents", [False, True])
@pytest.mark.parametrize("backend", CHOICES["attention.backend"])
def test_kernels_agree_with_the_formula(backend: str, *, documents: bool) -> None:
    """Outputs and all three gradients, of each kernel that is installed."""
    try:
        kernel = choose(backend, CUDA, documents=documents)
    except AttentionError as error:
        pytest.skip(str(error))
    ours, theirs = heads(), heads()
    generator = torch.Generator(CUDA).manual_seed(1)
    upstream = torch.randn(2, 256, 4, 128, generator=generator, device=CUDA)
    output = kernel.attend(*ours, STARTS.to(CUDA) if documents else None)
    expected = exact(*theirs, documents=documents)
    torch.testing.assert_close(output.float(), expected, atol=2e-2, rtol=2e-2)
    (output.float() * upstream).sum().backward()
    (expected * upstream).sum().backward()
    for left, right in zip(ours, theirs, strict=True):
        assert left.grad is not None
        assert right.grad is not None
        error = (left.grad.float() - right.grad.float()).norm() / right.grad.float().norm()
        assert error < 2e-2


def losses(root: Path, world: World, name: str, *overrides: str) -> list[float]:
    """Train twenty steps of a model whose heads are wide enough for every kernel."""
    shape = ["model.dim=256", "model.heads=4", "model.context=64", "train.micro_batch=2"]
    shape += ["parallel.param_dtype=bfloat16", "optim.lr=0.003", *overrides]
    shared = [f"data.shards={root / 'tokens'}", f"data.mixture={root / 'mixture.toml'}"]
    config = tiny.small([*shared, f"run.dir={root / name}", *shape], steps=20)
    assert Run(config, world).train() == 0
    return [row["loss"] for row in tiny.rows(root / name)]


def test_bfloat16_compile_and_recomputation_train_alike(tmp_path: Path, world: World) -> None:
    """Losses of bfloat16 follow float32's, and those of compiled and recomputed blocks bfloat16's.

    FSDP on one device is the path of all four.
    """
    tiny.write_corpus(tmp_path)
    plain = losses(tmp_path, world, "bfloat16")
    assert min(plain[-4:]) < plain[0] - 0.2
    exact = losses(tmp_path, world, "float32", "parallel.param_dtype=float32")
    assert plain == pytest.approx(exact, rel=2e-2)
    for name, key in (
        ("compiled", "parallel.compile=true"),
        ("selective", "parallel.recompute=selective"),
        ("full", "parallel.recompute=full"),
    ):
        assert losses(tmp_path, world, name, key) == pytest.approx(plain, rel=2e-2), name


def test_a_run_resumes_to_the_bit(tmp_path: Path, world: World) -> None:
    """Two steps, a stop and two steps give the weights of four in a row, with run.deterministic.

    The context has several blocks of keys, whose gradients kernels otherwise add in any order.
    """
    shape = ["model.context=1024", "train.micro_batch=1", "train.batch_tokens=2048"]
    shape += ["train.total_tokens=8192", "parallel.param_dtype=bfloat16", "run.deterministic=true"]
    overrides = [*tiny.write_corpus(tmp_path), *shape]
    with repeating(True):
        expected = tiny.train(tiny.small([*overrides, f"run.dir={tmp_path / 'straight'}"]), world)
        again = tiny.train(tiny.small([*overrides, f"run.dir={tmp_path / 'again'}"]), world)
        assert again == expected
        tiny.train(tiny.small(overrides), world, stop_after=2)
        assert tiny.train(tiny.small(overrides), world) == expected


def test_blocks_of_the_7b_fit_and_train(world: World) -> None:
    """Four of its 32 blocks with both tables, 2 x 2,048 tokens: steps within the memory plan."""
    config = load("llama_7b", ["model.layers=4", "train.micro_batch=2"])
    model, _ = build_model(config, world)
    torch.cuda.reset_peak_memory_stats()
    with torch.no_grad():
        for parameter in model.parameters():
            local = parameter.to_local()  # type: ignore[attr-defined]  # DTensors
            local.normal_(std=0.02) if parameter.ndim > 1 else local.fill_(1.0)
    optimizer = optim.build_optimizer(model, config.optim)
    tokens = torch.randint(32_000, (2, 2048), device=CUDA)
    for _ in range(2):
        result = model(tokens, tokens.roll(-1, 1))
        (result.total / tokens.numel()).backward()
        norm = optim.clip_gradients(model.parameters(), 1.0)
        optim.set_learning_rate(optimizer, 1e-4)
        optimizer.step()
        optimizer.zero_grad()
        assert norm.isfinite()
        assert 5 < result.nll.item() / tokens.numel() < 15
    # 1.07 G parameters: 16 bytes each, 2 in flight; activations of 4 blocks, and the loss.
    assert torch.cuda.max_memory_allocated() < 28 * 2**30


def test_the_benchmark_knows_this_device(world: World) -> None:
    """A share of the peak between nothing and all of it, for each kernel that is installed."""
    config = load("llama_7b", ["model.layers=2", "train.micro_batch=2", "parallel.compile=false"])
    rows = [line.split() for line in bench(config, world, 3, 2)]
    shares = [float(row[4].rstrip("%")) for row in rows if len(row) == 6 and row[4].endswith("%")]
    if "-" in {row[4] for row in rows if len(row) == 6}:
        pytest.skip("the peak of this device is not known")
    assert shares
    assert all(1 < share < 100 for share in shares)
