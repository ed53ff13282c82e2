"""Weights on disk in three layouts: our checkpoints, Hugging Face's and Meta's.

All three are read, the last two are written, a few tensors at a time. They differ in names and in
the rows of wq and wk: ours, like Hugging Face's, rotate channel pairs (i, i + D/2) of a head,
Meta's (2i, 2i + 1) (docs/rules/trainer.md 11).
"""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.distributed.checkpoint.filesystem import FileSystemReader

from tokenizer.files import sha256_of
from tokenizer.hugging_face import write_tokenizer
from tokenizer.settings import read_toml
from trainer.checkpoint import STATE_FILE, load_tensors, read_record
from trainer.config import TrainerError, from_dict
from trainer.model import Llama
from trainer.sections import ModelConfig

FILE_BYTES = 5_000_000_000  # largest file of Hugging Face's layout
TOKENIZER = "tokenizer.model"
LAYOUTS = read_toml(Path(__file__).with_name("layouts.toml"))
_HF, _META = LAYOUTS["hugging_face"], LAYOUTS["meta"]
_ROTATED = ("attention.wq.weight", "attention.wk.weight")
# Meta's files of a model are the parts of its tensor parallel ranks; norms are in all of them.
_META_COLUMNS = ("attention.wo.weight", "feed_forward.w2.weight", "tok_embeddings.weight")


class ExportError(TrainerError):
    """Weights that cannot be read, or not written in the way that was asked for."""


@dataclass(frozen=True)
class Weights:
    """A model on disk."""

    path: Path
    model: ModelConfig
    tokenizer: Path | None
    read: Callable[[str], Tensor]  # what ``tensor`` gives, not checked

    @cached_property
    def shapes(self) -> dict[str, torch.Size]:
        """Shape by name, in the order of the network."""
        with torch.device("meta"):
            return {name: weight.shape for name, weight in Llama(self.model).named_parameters()}

    def tensor(self, name: str) -> Tensor:
        """Read a tensor by our name, rows in our order, in the precision that is stored."""
        try:
            tensor = self.read(name)
        except (OSError, LookupError, RuntimeError, TrainerError, SafetensorError) as error:
            raise ExportError(f"{self.path}: {name}: {error}") from error
        if tensor.shape != self.shapes[name]:
            raise ExportError(f"{self.path}: {name} has shape {tuple(tensor.shape)}")
        return tensor


def open_weights(path: Path, tokenizer: str = "", context: int = 0) -> Weights:
    """Open a checkpoint, or a folder in Hugging Face's or Meta's layout.

    With a tokenizer's ``.model``, or the one that the folder has or names. Meta's layout does not
    say the context: it is ``context`` tokens, or 2,048 as LLaMA-1's. Raises ExportError if there
    are no such weights, or not those of a LLaMA, or the tokenizer is another's, or the layout says
    another context.
    """
    readers = {STATE_FILE: _checkpoint, "config.json": _hugging_face, "params.json": _meta}
    for file, reader in readers.items():
        if (path / file).exists():
            try:
                weights = reader(path, tokenizer)
            except (OSError, LookupError, RuntimeError) as error:
                raise ExportError(f"{path}: not a whole model: {error!r}") from error
            if not context or context == weights.model.context:
                return weights
            if file == "params.json":
                return replace(weights, model=replace(weights.model, context=context))
            raise ExportError(
                f"model.context = {context}: {path / file} says {weights.model.context}; only "
                "Meta's layout, which does not say it, takes another"
            )
    raise ExportError(f"{path}: no model; the folder of one has {', '.join(readers)}")


def load_model(weights: Weights, device: torch.device, dtype: torch.dtype) -> Llama:
    """Build the model on one device, whole, for use without training."""
    with torch.device("meta"):
        model = Llama(weights.model).to(dtype)
    model.to_empty(device=device)
    model.build_rope()  # float32, whatever the weights are
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(weights.tensor(name))
    return model.eval()


def write(weights: Weights, out: Path, layout: str, dtype: str = "stored", parts: int = 1) -> None:
    """Write weights in layout ``hf`` or ``meta``, for which see the next two functions.

    ``out`` appears when it is whole; ExportError if there is something, or it cannot be written.
    """
    if out.exists():
        raise ExportError(f"{out} exists: give a folder that is not there yet")
    stored = weights.tensor("norm.weight").dtype
    kind = stored if dtype == "stored" else getattr(torch, dtype)
    temporary = out.with_name(f"{out.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        if layout == "hf":
            write_hugging_face(weights, temporary, kind)
        else:
            write_meta(weights, temporary, kind, parts)
        temporary.rename(out)
    except (OSError, SafetensorError) as error:
        raise ExportError(f"{out}: {error}") from error


def write_hugging_face(weights: Weights, folder: Path, dtype: torch.dtype) -> None:
    """Write ``config.json``, safetensors with their index, and tokenizer files.

    Memory holds one file of `FILE_BYTES`, or of one tensor that is larger.
    """
    model, shapes = weights.model, weights.shapes
    sizes = {name: shape.numel() * dtype.itemsize for name, shape in shapes.items()}
    files: list[list[str]] = [[]]
    for name in shapes:
        if files[-1] and sum(sizes[n] for n in files[-1]) + sizes[name] > FILE_BYTES:
            files.append([])
        files[-1].append(name)
    special = {"bos_token_id": 1, "eos_token_id": 2}
    index: dict[str, str] = {}
    for number, names in enumerate(files, 1):
        file = f"model-{number:05d}-of-{len(files):05d}.safetensors"
        tensors = {_hf_name(n): weights.tensor(n).to(dtype).contiguous() for n in names}
        save_file(tensors, folder / file, metadata={"format": "pt"})
        index |= dict.fromkeys(tensors, file)
    if weights.tokenizer:
        special = write_tokenizer(weights.tokenizer, folder, model.context)
    config = {
        "architectures": ["LlamaForCausalLM"],
        **{theirs: getattr(model, ours) for ours, theirs in _HF["keys"].items()},
        "num_key_value_heads": model.heads,
        "intermediate_size": model.ffn_dim,
        "rope_theta": model.rope_theta,
        "torch_dtype": str(dtype).removeprefix("torch."),
    }
    _write_json(folder / "config.json", config | _HF["fixed"] | special)
    _write_json(folder / "generation_config.json", special)
    content = {"metadata": {"total_size": sum(sizes.values())}, "weight_map": index}
    _write_json(folder / "model.safetensors.index.json", content)
    # safetensors lets the owner alone read its files: give them the mode of the others.
    mode = (folder / "config.json").stat().st_mode
    for file in set(index.values()):
        (folder / file).chmod(mode)


def write_meta(weights: Weights, folder: Path, dtype: torch.dtype, parts: int = 1) -> None:
    """Write ``params.json``, the tokenizer, and ``consolidated.00.pth`` and so on, each at once."""
    model = weights.model
    if uneven := [n for n in ("heads", "ffn_dim", "vocab_size") if getattr(model, n) % parts]:
        raise ExportError(f"{parts} parts do not divide the model's {uneven[0]}: take fewer")
    params = {theirs: getattr(model, ours) for ours, theirs in _META["keys"].items()}
    if model.rope_theta != ModelConfig().rope_theta:  # a key that LLaMA-1's code lacks
        params["rope_theta"] = model.rope_theta
    _write_json(folder / "params.json", params)
    if weights.tokenizer:
        shutil.copyfile(weights.tokenizer, folder / TOKENIZER)
    for part in range(parts):
        content = {}
        for name in weights.shapes:
            tensor = weights.tensor(name)
            if name.endswith(_ROTATED):
                tensor = to_interleaved(tensor, model.heads)
            if tensor.ndim > 1:
                tensor = tensor.chunk(parts, dim=int(name.endswith(_META_COLUMNS)))[part]
            # A copy: a view would be saved with all of what it is a part of.
            content[name] = tensor.to(dtype, copy=True).contiguous()
        torch.save(content, folder / f"consolidated.{part:02d}.pth")


def to_interleaved(weight: Tensor, heads: int) -> Tensor:
    """Reorder rows of wq or wk (dim, dim) from pairs (i, i + D/2) to Meta's (2i, 2i + 1)."""
    return weight.view(heads, 2, -1, weight.shape[1]).transpose(1, 2).reshape(weight.shape)


def to_half_rotated(weight: Tensor, heads: int) -> Tensor:
    """Reorder rows of wq or wk (dim, dim) from Meta's pairs (2i, 2i + 1) to (i, i + D/2)."""
    return weight.view(heads, -1, 2, weight.shape[1]).transpose(1, 2).reshape(weight.shape)


def _checkpoint(path: Path, tokenizer: str) -> Weights:
    """Open one of our checkpoints."""
    record = read_record(path)
    config = from_dict(record["config"])
    tokenizer = tokenizer or config.data.tokenizer
    if tokenizer:
        trained = record["order"]["fingerprint"]["data.tokenizer"]
        if sha256_of(Path(tokenizer)) != trained:
            raise ExportError(
                f"{tokenizer}: not there, or not the tokenizer of {path} (SHA-256 "
                f"{trained[:12]}..): give its path as data.tokenizer=FILE"
            )
    reader = FileSystemReader(path)
    metadata: Any = reader.read_metadata()  # large after many ranks, so it is read once
    reader.read_metadata = lambda *_, **__: metadata  # type: ignore[method-assign]  # on purpose

    def read(name: str) -> Tensor:
        tensor = torch.empty(metadata.state_dict_metadata[f"model.{name}"].size)
        load_tensors(reader, {"model": {name: tensor}})
        return tensor

    return Weights(path, config.model, Path(tokenizer) if tokenizer else None, read)


def _hugging_face(path: Path, tokenizer: str) -> Weights:
    """Open a folder of Hugging Face's layout, in one file or in several."""
    content: dict[str, Any] = json.loads((path / "config.json").read_text(encoding="utf-8"))
    values = {ours: content[theirs] for ours, theirs in _HF["keys"].items()}
    rope = {"rope_theta": 10_000.0, "rope_type": "default", **content}
    rope |= content.get("rope_parameters") or content.get("rope_scaling") or {}
    fixed = {**_HF["fixed"], "num_key_value_heads": values["heads"]}
    fixed["head_dim"] = values["dim"] // values["heads"]
    wrong = [key for key, value in fixed.items() if content.get(key, value) != value]
    wrong += [key for key in ("rope_type", "type") if rope.get(key, "default") != "default"]
    if wrong:
        raise ExportError(f"{path}: not LLaMA-1, which has no other {wrong[0]} in its config.json")
    values["multiple_of"] = _multiple_of(values["dim"], content["intermediate_size"], path)
    index, files = path / "model.safetensors.index.json", {}
    if index.exists():
        files = json.loads(index.read_text(encoding="utf-8"))["weight_map"]

    def read(name: str) -> Tensor:
        file = path / files.get(_hf_name(name), "model.safetensors")
        with safe_open(file, framework="pt") as opened:
            return cast("Tensor", opened.get_tensor(_hf_name(name)))

    model = ModelConfig(**values, rope_theta=float(rope["rope_theta"]))
    return Weights(path, model, _tokenizer_in(path, tokenizer), read)


def _meta(path: Path, tokenizer: str) -> Weights:
    """Open a folder of Meta's layout, of one part or of several."""
    params: dict[str, Any] = json.loads((path / "params.json").read_text(encoding="utf-8"))
    values = {ours: params[theirs] for ours, theirs in _META["keys"].items()}
    if params.get("n_kv_heads", values["heads"]) != values["heads"]:
        raise ExportError(f"{path}: not LLaMA-1, which has no other n_kv_heads in its params.json")
    parts: Sequence[dict[str, Tensor]] = [
        torch.load(file, map_location="cpu", mmap=True, weights_only=True)
        for file in sorted(path.glob("consolidated.*.pth"))
    ]

    def read(name: str) -> Tensor:
        tensor = parts[0][name]
        if tensor.ndim > 1:
            tensor = torch.cat([part[name] for part in parts], int(name.endswith(_META_COLUMNS)))
        return to_half_rotated(tensor, values["heads"]) if name.endswith(_ROTATED) else tensor

    values["vocab_size"] = len(parts[0]["tok_embeddings.weight"])  # the released files say -1
    ffn = sum(len(part["layers.0.feed_forward.w1.weight"]) for part in parts)
    values["multiple_of"] = _multiple_of(values["dim"], ffn, path, values["multiple_of"])
    model = ModelConfig(**values, rope_theta=float(params.get("rope_theta", 10_000)))
    return Weights(path, model, _tokenizer_in(path, tokenizer), read)


def _multiple_of(dim: int, ffn: int, path: Path, said: int = 256) -> int:
    """Find the rounding that leads from ``dim`` to a feed-forward width."""
    for multiple in (said, ffn):
        if ModelConfig(dim=dim, multiple_of=multiple).ffn_dim == ffn:
            return multiple
    raise ExportError(f"{path}: a feed-forward width of {ffn} is under 8/3 of {dim}: not LLaMA-1")


def _hf_name(name: str) -> str:
    """Translate our name of a parameter.

    >>> _hf_name("layers.3.attention.wq.weight")
    'model.layers.3.self_attn.q_proj.weight'
    """
    stem = name.removesuffix(".weight")
    if not stem.startswith("layers."):
        return f"{_HF['names'][stem]}.weight"
    _, number, part = stem.split(".", 2)
    return f"model.layers.{number}.{_HF['names'][part]}.weight"


def _tokenizer_in(path: Path, tokenizer: str) -> Path | None:
    file = Path(tokenizer or path / TOKENIZER)
    return file if tokenizer or file.is_file() else None


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
