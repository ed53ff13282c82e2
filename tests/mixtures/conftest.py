"""Files that a mixture is planned from: a mixture of a few lines, manifests of token shards."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def write_mixture(tmp_path: Path) -> Callable[[str], Path]:
    """Write a mixture file and give its path."""

    def write(text: str) -> Path:
        path = tmp_path / "mix.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def write_manifest(tmp_path: Path) -> Callable[..., Path]:
    """Write a source's manifest under a directory of tokens, and give that directory.

    Keyword arguments replace keys of the manifest.
    """

    def write(source: str, /, *shard_tokens: int, **changed: object) -> Path:
        shards = [
            {
                "name": f"shard-{number:05d}-of-{len(shard_tokens):05d}",
                "split": "train",
                "documents": 1,
                "tokens": tokens,
                "text_bytes": 4 * tokens,
                "files": {"bin": {"bytes": 2 * tokens, "sha256": f"{number:064x}"}},
            }
            for number, tokens in enumerate(shard_tokens)
        ]
        heldout = {"documents": 1, "tokens": 7, "text_bytes": 28}
        files = {"bin": {"bytes": 14, "sha256": "f" * 64}}
        shards.append(
            {"name": "heldout-00000-of-00001", "split": "heldout", "files": files, **heldout}
        )
        total = sum(shard_tokens)
        manifest = {
            "format": "corpusmill-shards",
            "version": 1,
            "source": source,
            "tokenizer_sha256": "a" * 64,
            "vocab_size": 32_000,
            "dtype": "uint16",
            "bos_id": 1,
            "eos_id": 2,
            "add_bos": True,
            "add_eos": True,
            "seed": 0,
            "heldout_fraction": 0.001,
            "config_sha256": "b" * 64,
            "input_sha256": "c" * 64,
            "splits": {
                "train": {
                    "documents": len(shard_tokens),
                    "tokens": total,
                    "text_bytes": 4 * total,
                },
                "heldout": heldout,
            },
            "shards": shards,
        }
        directory = tmp_path / "tokens" / source
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "manifest.json").write_text(json.dumps(manifest | changed), encoding="utf-8")
        return directory.parent

    return write
