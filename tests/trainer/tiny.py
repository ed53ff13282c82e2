"""Token shards made by hand, and small runs over them."""

import hashlib
import io
import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
from torch import nn
from torch.distributed.tensor import DTensor

from tokenizer.manifest import Manifest, shard_name, total, write_manifest
from tokenizer.model import Tokenizer
from tokenizer.shards import encode_shard, tokenize_document
from tokenizer.train import TrainSettings
from trainer.config import load
from trainer.parallel import World
from trainer.sections import Config
from trainer.stop import listening
from trainer.train import Run

BOS, EOS = 1, 2
VOCAB = 512
FILES = ("bin", "idx", "docs.parquet")


def documents(count: int, *, seed: int, vocab: int = VOCAB) -> list[list[int]]:
    """Make ``count`` documents of 20 to 99 ids between BOS and EOS; the ids walk, so they teach."""
    generator = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        steps = generator.integers(1, 4, size=generator.integers(20, 100))
        ids = (generator.integers(vocab) + np.cumsum(steps)) % (vocab - 3) + 3
        made.append([BOS, *map(int, ids), EOS])
    return made


def write_shards(
    directory: Path,
    train: Sequence[Sequence[list[int]]],
    heldout: Sequence[Sequence[list[int]]],
    **changes: Any,
) -> None:
    """Write one source as the tokenizer does: a list of documents for each shard.

    Args:
        directory: named as the source.
        train: documents by train shard.
        heldout: documents by held-out shard.
        changes: keys of the manifest that shall differ.
    """
    directory.mkdir(parents=True)
    shards = []
    for split, prefix, parts in (("heldout", "heldout", heldout), ("train", "shard", train)):
        for index, part in enumerate(parts):
            name = f"{prefix}-{index:05d}-of-{len(parts):05d}"
            content = np.array([i for ids in part for i in ids], "<u2").tobytes()
            files = {}
            for kind in FILES:
                data = content if kind == "bin" else b""
                (directory / f"{name}.{kind}").write_bytes(data)
                files[kind] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            shards.append(
                {"name": name, "split": split, **totals(part), "files": files},
            )
    manifest = {
        "format": "corpusmill-shards",
        "version": 1,
        "source": directory.name,
        "tokenizer_sha256": "a" * 64,
        "vocab_size": VOCAB,
        "dtype": "uint16",
        "bos_id": BOS,
        "eos_id": EOS,
        "add_bos": True,
        "add_eos": True,
        "seed": 0,
        "heldout_fraction": 0.05,
        "config_sha256": "b" * 64,
        "input_sha256": "c" * 64,
        "splits": {
            "train": totals([ids for part in train for ids in part]),
            "heldout": totals([ids for part in heldout for ids in part]),
        },
        "shards": shards,
        **changes,
    }
    (directory / "manifest.json").write_text(json.dumps(manifest))


def totals(part: Sequence[list[int]]) -> dict[str, int]:
    """Count documents, tokens, and a made-up 3 bytes of text for a token."""
    tokens = sum(map(len, part))
    return {"documents": len(part), "tokens": tokens, "text_bytes": 3 * tokens}


def write_corpus(root: Path) -> list[str]:
    """Write sources ``github`` (two shards) and ``books`` and a mixture; give the overrides."""
    made = documents(400, seed=0)
    write_shards(root / "tokens/github", [made[:150], made[150:250]], [made[250:270]])
    write_shards(root / "tokens/books", [made[270:390]], [made[390:]])
    mixture = root / "mixture.toml"
    mixture.write_text(
        'name = "two"\ntokens = 1_000_000\non_exhausted = "repeat"\nseed = 5\n'
        "[sources]\ngithub = {weight = 0.75}\nbooks = {weight = 0.25}\n"
    )
    return [
        f"data.shards={root / 'tokens'}",
        f"data.mixture={mixture}",
        f"run.dir={root / 'run'}",
    ]


def write_text_corpus(root: Path) -> list[str]:
    """Write one source of Python files, ``github``, with its tokenizer; give the overrides."""
    texts = [path.read_text() for path in sorted(Path(os.__file__).parent.glob("s*.py"))]
    settings = {name: field.default for name, field in TrainSettings.__dataclass_fields__.items()}
    chosen = ("model_type", "split_digits", "byte_fallback", "normalization_rule_name")
    chosen += ("remove_extra_whitespaces", "allow_whitespace_only_pieces")
    writer = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=(line for text in texts for line in text.split("\n") if line),
        model_writer=writer,
        vocab_size=VOCAB,
        minloglevel=2,
        **{name: settings[name] for name in chosen},
    )
    model = root / "tokenizer.model"
    model.write_bytes(writer.getvalue())
    tokenizer = Tokenizer(model)
    made = [tokenize_document(tokenizer, f"file-{n}", text) for n, text in enumerate(texts)]
    directory = root / "tokens/github"
    directory.mkdir(parents=True)
    shards = []
    for split, part in (("heldout", made[:4]), ("train", made[4:])):
        name = shard_name(split, 0, 1)
        files = encode_shard(part, "uint16")
        for kind, content in files.content().items():
            (directory / f"{name}.{kind}").write_bytes(content)
        shards.append(files.info(name))
    manifest = Manifest(
        source="github",
        tokenizer_sha256=tokenizer.sha256,
        vocab_size=VOCAB,
        dtype="uint16",
        bos_id=BOS,
        eos_id=EOS,
        add_bos=True,
        add_eos=True,
        seed=0,
        heldout_fraction=0.05,
        config_sha256="b" * 64,
        input_sha256="c" * 64,
        splits={shard.split: total([shard]) for shard in shards},
        shards=tuple(shards),
    )
    write_manifest(directory, manifest)
    mixture = root / "mixture.toml"
    mixture.write_text('tokens = 1\non_exhausted = "repeat"\n[sources]\ngithub = {weight = 1}\n')
    return [
        *(f"data.shards={root / 'tokens'}", f"data.mixture={mixture}"),
        *(f"data.tokenizer={model}", f"run.dir={root / 'run'}"),
    ]


def small(overrides: Sequence[str] = (), *, steps: int = 4) -> Config:
    """Configure a run of a few steps of 8 sequences of 32 tokens, that takes a second."""
    return load(
        "debug",
        [
            *("model.dim=32", "model.context=32", "train.micro_batch=2", "train.batch_tokens=256"),
            *(f"train.total_tokens={256 * steps}", "optim.warmup_steps=1", "optim.lr=0.01"),
            *("metrics.every=1", "eval.every=0", "checkpoint.every=0"),
            *overrides,
        ],
    )


def rows(directory: Path, kind: str = "loss") -> list[dict[str, Any]]:
    """Read the lines of metrics.jsonl that have a key: ``loss`` for steps, ``eval`` for scores."""
    lines = (directory / "metrics.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if kind in row]


def weights_hash(model: nn.Module) -> str:
    """Hash all weights, gathered from the ranks, in the order of their names."""
    total = hashlib.sha256()
    for name, parameter in sorted(model.named_parameters()):
        full = parameter.full_tensor() if isinstance(parameter, DTensor) else parameter
        total.update(name.encode() + full.detach().cpu().numpy().tobytes())
    return total.hexdigest()


def train(config: Config, world: World, stop_after: int = 0) -> str:
    """Train, and give the hash of the weights.

    Args:
        config: of the run.
        world: of this process.
        stop_after: step after which this process gets SIGTERM; 0: never.
    """
    with listening() as heard:
        run = Run(config, world)
        step = run.metrics.step

        def stopping(row: dict[str, Any]) -> None:
            step(row)
            if row["step"] == stop_after:
                os.kill(os.getpid(), signal.SIGTERM)

        run.metrics.step = stopping  # type: ignore[method-assign,assignment]  # a spy
        assert run.train(heard) == 0
    return weights_hash(run.model)
