"""Exported weights are the model: transformers and Meta's formulas give the same numbers."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from tests.trainer import tiny
from tokenizer.model import Tokenizer
from trainer.export import (
    ExportError,
    Weights,
    load_model,
    open_weights,
    to_half_rotated,
    to_interleaved,
    write,
)
from trainer.model import Llama, initialize, rotate
from trainer.parallel import World
from trainer.sections import ModelConfig

SHAPE = ModelConfig(
    dim=32, layers=2, heads=4, vocab_size=96, context=24, multiple_of=16, rope_theta=500.0
)
CPU = torch.device("cpu")
TOKENS = torch.randint(96, (2, 24), generator=torch.Generator().manual_seed(0))


def drawn(shape: ModelConfig = SHAPE) -> tuple[Llama, Weights]:
    """Make a model with weights that no layer hides, and its weights as if on disk."""
    model = Llama(shape)
    initialize(model, 0)
    weights = dict(model.named_parameters())
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in weights.values():
            weight.mul_(4) if weight.ndim > 1 else weight.uniform_(0.5, 1.5, generator=generator)
    return model, Weights(Path("drawn"), shape, None, lambda name: weights[name].detach())


def all_tensors(weights: Weights) -> dict[str, Tensor]:
    """Read all of a model."""
    return {name: weights.tensor(name) for name in weights.shapes}


def assert_equal_bits(left: Weights, right: Weights) -> None:
    """Compare shapes and weights, none rounded."""
    assert left.model == right.model
    tensors = all_tensors(right)
    assert {n for n, t in all_tensors(left).items() if not torch.equal(t, tensors[n])} == set()


@pytest.mark.parametrize("file_bytes", [20_000, 5_000_000_000])
def test_logits_are_those_of_transformers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file_bytes: int
) -> None:
    """LlamaForCausalLM loads each tensor and computes the same, from one file or from several."""
    model, weights = drawn()
    monkeypatch.setattr("trainer.export.FILE_BYTES", file_bytes)
    write(weights, tmp_path / "hf", "hf")
    assert (len(list((tmp_path / "hf").glob("*.safetensors"))) > 1) == (file_bytes == 20_000)
    theirs, loading = LlamaForCausalLM.from_pretrained(tmp_path / "hf", output_loading_info=True)
    assert not any(loading.values())
    with torch.no_grad():
        torch.testing.assert_close(theirs(TOKENS).logits, model(TOKENS), atol=1e-5, rtol=1e-5)


def test_a_model_of_transformers_loads(tmp_path: Path) -> None:
    """What LlamaForCausalLM saves is read back: the other direction."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=96,
        hidden_size=32,
        intermediate_size=112,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=24,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 500.0},
        initializer_range=0.2,
    )
    theirs = LlamaForCausalLM(config).eval()
    theirs.save_pretrained(tmp_path / "hf")
    weights = open_weights(tmp_path / "hf")
    assert weights.model == replace(SHAPE, multiple_of=112, norm_eps=1e-5)
    ours = load_model(weights, CPU, torch.float32)
    with torch.no_grad():
        torch.testing.assert_close(ours(TOKENS), theirs(TOKENS).logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("parts", [1, 2])
def test_layouts_turn_into_each_other_bit_for_bit(tmp_path: Path, parts: int) -> None:
    """Ours to Meta's, in one part and in two, to Hugging Face's, to Meta's."""
    _, weights = drawn(replace(SHAPE, context=2048))  # the one that Meta's params do not hold
    write(weights, tmp_path / "meta", "meta", parts=parts)
    first = open_weights(tmp_path / "meta")
    assert_equal_bits(first, weights)
    write(first, tmp_path / "hf", "hf")
    second = open_weights(tmp_path / "hf")
    assert all(torch.equal(t, all_tensors(weights)[n]) for n, t in all_tensors(second).items())
    write(second, tmp_path / "again", "meta", parts=parts)
    for part in range(parts):
        file = f"consolidated.{part:02d}.pth"
        one, two = (torch.load(tmp_path / name / file) for name in ("meta", "again"))
        assert [n for n in one if not torch.equal(one[n], two[n])] == []


def test_metas_rows_are_those_of_complex_pairs(tmp_path: Path) -> None:
    """Attention scores by Meta's formula, pairs (2i, 2i + 1) as complex numbers, are ours.

    Unpermuted rows, or rows that went the other way, give others: the test sees each error.
    """
    model, weights = drawn()
    write(weights, tmp_path / "meta", "meta")
    saved = torch.load(tmp_path / "meta/consolidated.00.pth")
    ours = all_tensors(weights)
    x = torch.randn(24, 32, generator=torch.Generator().manual_seed(2))
    rates = 500.0 ** (-torch.arange(0, 8, 2) / 8)
    turn = torch.polar(torch.ones(24, 4), torch.outer(torch.arange(24.0), rates))

    def scores_by_meta(wq: Tensor, wk: Tensor) -> Tensor:
        q, k = ((x @ w.T).view(24, 4, 4, 2).contiguous() for w in (wq, wk))
        q, k = (torch.view_as_complex(y) * turn[:, None] for y in (q, k))
        return torch.einsum("qhi,khi->hqk", q, k.conj()).real

    wq, wk = (ours[f"layers.0.attention.{name}.weight"] for name in ("wq", "wk"))
    cos, sin = model.rope_cos, model.rope_sin
    q, k = (rotate((x @ w.T).view(1, 24, 4, 8), cos, sin)[0] for w in (wq, wk))
    expected = torch.einsum("qhd,khd->hqk", q, k)
    exported = [saved[f"layers.0.attention.{name}.weight"] for name in ("wq", "wk")]
    torch.testing.assert_close(scores_by_meta(*exported), expected, atol=1e-5, rtol=1e-5)
    for wrong in (wq, wk), (to_half_rotated(wq, 4), to_half_rotated(wk, 4)):
        assert not torch.allclose(scores_by_meta(*wrong), expected, atol=1e-2)
    assert torch.equal(to_half_rotated(to_interleaved(wq, 4), 4), wq)


def test_a_trained_checkpoint_is_exported_with_its_tokenizer(tmp_path: Path, world: World) -> None:
    """Weights as trained; transformers' tokenizer gives our ids; the files name bos and eos."""
    overrides = tiny.write_text_corpus(tmp_path)
    config = tiny.small(overrides)
    digest = tiny.train(config, world)
    weights = open_weights(tmp_path / "run/ckpt/step-00000004")
    assert tiny.weights_hash(load_model(weights, CPU, torch.float32)) == digest
    write(weights, tmp_path / "hf", "hf", "bfloat16")
    found = all_tensors(open_weights(tmp_path / "hf"))
    for name, tensor in all_tensors(weights).items():
        assert torch.equal(found[name], tensor.bfloat16())
    ours, theirs = (
        Tokenizer(tmp_path / "tokenizer.model"),
        AutoTokenizer.from_pretrained(tmp_path / "hf"),
    )
    for text in ("def f(x):\n\treturn x  # 1234 é 😀\n", "  two\n\n\n", "", " "):
        ids = ours.encode(text, bos=True).tolist()
        assert theirs(text)["input_ids"] == ids
        assert theirs.decode(ids, skip_special_tokens=True) == text
    content = json.loads((tmp_path / "hf/config.json").read_text())
    assert (content["bos_token_id"], content["eos_token_id"]) == (tiny.BOS, tiny.EOS)
    assert content["torch_dtype"] == "bfloat16"
    # Whoever may read one file of the model may read all of it.
    assert len({file.stat().st_mode for file in (tmp_path / "hf").iterdir()}) == 1
    (tmp_path / "tokenizer.model").write_bytes(b"another")
    with pytest.raises(ExportError, match=r"not the tokenizer of .*give its path"):
        open_weights(tmp_path / "run/ckpt/step-00000004")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("num_key_value_heads", 2, "no other num_key_value_heads"),
        ("tie_word_embeddings", True, "no other tie_word_embeddings"),
        ("rope_scaling", {"rope_type": "llama3"}, "no other rope_type"),
        ("rope_scaling", {"type": "linear", "factor": 2.0}, "no other type"),
        ("intermediate_size", 64, "a feed-forward width of 64 is under 8/3 of 32"),
        ("hidden_size", None, "not a whole model: KeyError"),
    ],
)
def test_other_networks_are_refused(tmp_path: Path, key: str, value: object, message: str) -> None:
    """Grouped heads, tied tables, scaled positions: not LLaMA-1, so not silently misread."""
    write(drawn()[1], tmp_path / "hf", "hf")
    path = tmp_path / "hf/config.json"
    content = {**json.loads(path.read_text()), key: value}
    path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))
    with pytest.raises(ExportError, match=message):
        open_weights(tmp_path / "hf")


def test_what_is_not_whole_is_refused(tmp_path: Path) -> None:
    """A missing tensor, one of another shape, a folder of something else, a folder in use."""
    _, weights = drawn()
    write(weights, tmp_path / "meta", "meta")
    with pytest.raises(ExportError, match="exists: give a folder that is not there yet"):
        write(weights, tmp_path / "meta", "meta")
    with pytest.raises(ExportError, match="3 parts do not divide the model's heads"):
        write(weights, tmp_path / "three", "meta", parts=3)
    saved = torch.load(tmp_path / "meta/consolidated.00.pth")
    saved["norm.weight"] = torch.ones(31)
    del saved["output.weight"]
    torch.save(saved, tmp_path / "meta/consolidated.00.pth")
    opened = open_weights(tmp_path / "meta")
    with pytest.raises(ExportError, match=r"norm\.weight has shape \(31,\)"):
        opened.tensor("norm.weight")
    with pytest.raises(ExportError, match=r"meta: output\.weight: 'output\.weight'"):
        opened.tensor("output.weight")
    shutil.rmtree(tmp_path / "meta")
    with pytest.raises(ExportError, match="no model; the folder of one has train_state"):
        open_weights(tmp_path / "meta")


def test_a_failed_export_leaves_no_folder(tmp_path: Path) -> None:
    """The folder has its name when it is whole, and not before."""

    def broken(_name: str) -> Tensor:
        raise OSError(28, "No space left on device")

    with pytest.raises(ExportError, match="No space left"):
        write(Weights(tmp_path, SHAPE, None, broken), tmp_path / "meta", "meta")
    assert not (tmp_path / "meta").exists()
