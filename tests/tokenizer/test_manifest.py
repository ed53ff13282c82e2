"""The manifest of a directory of token shards is read strictly (docs/rules/tokens.md 3)."""

import json
from pathlib import Path
from typing import Any

import pytest

from tokenizer.manifest import (
    FileInfo,
    Manifest,
    ManifestError,
    ShardInfo,
    Totals,
    parse_manifest,
    parse_shard_name,
    read_manifest,
    shard_name,
    write_manifest,
)


def shard(name: str, split: str) -> ShardInfo:
    """One document of 3 tokens."""
    files = {
        "bin": FileInfo(6, "a" * 64),
        "idx": FileInfo(70, "b" * 64),
        "docs.parquet": FileInfo(900, "c" * 64),
    }
    return ShardInfo(name, split, documents=1, tokens=3, text_bytes=5, files=files)


MANIFEST = Manifest(
    source="github",
    tokenizer_sha256="0" * 64,
    vocab_size=32_000,
    dtype="uint16",
    bos_id=1,
    eos_id=2,
    add_bos=True,
    add_eos=True,
    seed=0,
    heldout_fraction=0.05,
    config_sha256="1" * 64,
    input_sha256="2" * 64,
    splits={"train": Totals(1, 3, 5), "heldout": Totals(1, 3, 5)},
    shards=(shard("heldout-00000-of-00001", "heldout"), shard("shard-00000-of-00001", "train")),
)


def changed(path: str, value: Any) -> str:
    """The manifest's text with the value at ``path`` ("shards.0.tokens") replaced."""
    content = json.loads(MANIFEST.to_json())
    *parents, last = [int(key) if key.isdigit() else key for key in path.split("/")]
    place = content
    for key in parents:
        place = place[key]
    place[last] = value
    return json.dumps(content)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    """A manifest survives the disk, and nothing but it is left there."""
    write_manifest(tmp_path, MANIFEST)
    assert read_manifest(tmp_path) == MANIFEST
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


def test_no_manifest_means_not_complete(tmp_path: Path) -> None:
    """The manifest is the commit: without it the message says what to run."""
    with pytest.raises(ManifestError, match=r"not complete; run the tokenize pipeline"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("format", "mds", "format is 'mds'"),
        ("version", 2, "version 2, but this code reads 1"),
        ("vocab_sise", 1, "unknown key 'vocab_sise'. Did you mean 'vocab_size'?"),
        ("vocab_size", 32_000.0, "m: vocab_size: expected int, found 32000.0"),
        ("vocab_size", 70_000, "dtype is 'uint16', but ids below 70000 are stored as 'uint32'"),
        ("add_eos", 1, "m: add_eos: expected bool, found 1"),
        ("eos_id", 32_000, "add_eos is true, but eos_id 32000 is not in the vocabulary"),
        ("heldout_fraction", 1.5, "heldout_fraction 1.5 is not within 0 to 1"),
        ("tokenizer_sha256", "abc", "tokenizer_sha256 is not a SHA-256"),
        ("splits/train/tokens", 4, "splits.train is Totals"),
        ("splits/test", {"documents": 0, "tokens": 0, "text_bytes": 0}, "splits are"),
        ("shards/1/name", "heldout-00000-of-00001", "shards are not sorted by name, each once"),
        ("shards/1/name", "shard-00001-of-00001", "is no shard's name"),
        ("shards/1/split", "heldout", "split is 'heldout', but the name says 'train'"),
        ("shards/1/tokens", "3", "m: shards[1]: tokens: expected int"),
        ("shards/1/files/bin/bytes", 8, "8 bytes, but 3 tokens of uint16 take 6"),
        ("shards/1/files/bin/sha256", "A" * 64, "shard-00000-of-00001.bin: sha256 is not"),
        ("shards/1/files/ds", {"bytes": 0, "sha256": ""}, "files are ['bin', 'docs.parquet', 'ds'"),
    ],
)
def test_contradictions_are_refused(path: str, value: Any, message: str) -> None:
    """Each error names the file, the key and what is wrong with it."""
    with pytest.raises(ManifestError) as caught:
        parse_manifest(changed(path, value), where="m")
    assert message in str(caught.value)


@pytest.mark.parametrize("key", [*json.loads(MANIFEST.to_json())])
def test_every_key_is_required(key: str) -> None:
    """Nothing has a default."""
    content = json.loads(MANIFEST.to_json())
    del content[key]
    with pytest.raises(ManifestError):
        parse_manifest(json.dumps(content))


@pytest.mark.parametrize("text", ["", "[]", '{"format": '])
def test_other_json_is_refused(text: str) -> None:
    """A truncated manifest is an error, not a traceback from the parser."""
    with pytest.raises(ManifestError, match=r"manifest\.json"):
        parse_manifest(text)


def test_the_keys_stand_in_the_published_order() -> None:
    """Readers in other languages may rely on the schema."""
    assert [*json.loads(MANIFEST.to_json())] == [
        "format", "version", "source", "tokenizer_sha256", "vocab_size", "dtype", "bos_id",
        "eos_id", "add_bos", "add_eos", "seed", "heldout_fraction", "config_sha256",
        "input_sha256", "splits", "shards",
    ]  # fmt: skip


def test_shards_of_a_split() -> None:
    """The trainer reads one split, in file-name order."""
    assert [s.name for s in MANIFEST.split_shards("train")] == ["shard-00000-of-00001"]
    with pytest.raises(ManifestError, match="Did you mean 'train'"):
        MANIFEST.split_shards("trian")


def test_shard_names() -> None:
    """Numbers have five digits, more when there are more."""
    assert shard_name("train", 3, 123_456) == "shard-00003-of-123456"
    assert parse_shard_name("shard-00003-of-123456") == ("train", 3, 123_456)
    with pytest.raises(ManifestError):
        parse_shard_name("shard-000003-of-123456")
