"""A run directory that was moved still has its mixture and its tokenizer."""

import shutil
from dataclasses import replace
from pathlib import Path

from tokenizer.files import sha256_of
from trainer.kept import keep, with_kept
from trainer.sections import Config, DataConfig, RunConfig


def test_a_moved_run_has_its_tokenizer_and_its_mixture(tmp_path: Path) -> None:
    """Both are copied when the run begins; what is named and there comes first."""
    shards, run = tmp_path / "corpus" / "tokens", tmp_path / "run"
    for folder in (shards, run, tmp_path / "corpus" / "tokenizer"):
        folder.mkdir(parents=True)
    model = tmp_path / "corpus" / "tokenizer" / "tokenizer.model"
    model.write_bytes(b"pieces")
    (model.parent / "another.model").write_bytes(b"others")
    mixture = tmp_path / "mine.toml"
    mixture.write_text("tokens = 9")
    data = DataConfig(shards=str(shards), mixture=str(mixture))
    config = Config(run=RunConfig(dir=str(run)), data=data)
    keep(config, sha256_of(model))
    moved = tmp_path / "elsewhere"
    shutil.move(run, moved)
    assert with_kept(config, moved).data.tokenizer == str(moved / "tokenizer.model")
    assert (moved / "tokenizer.model").read_bytes() == b"pieces"
    assert with_kept(config, moved).data.mixture == str(mixture)
    mixture.unlink()
    assert with_kept(config, moved).data.mixture == str(moved / "mixture.toml")
    named = replace(config, data=replace(data, tokenizer=str(model)))
    assert with_kept(named, moved).data.tokenizer == str(model)


def test_a_run_without_a_tokenizer_keeps_none(tmp_path: Path) -> None:
    """No model beside the shards has the hash of theirs."""
    (tmp_path / "run").mkdir()
    (tmp_path / "other.model").write_bytes(b"others")
    data = DataConfig(shards=str(tmp_path / "tokens"))
    config = Config(run=RunConfig(dir=str(tmp_path / "run")), data=data)
    keep(config, "0" * 64)
    assert not (tmp_path / "run" / "tokenizer.model").exists()
    assert with_kept(config, tmp_path / "run").data.tokenizer == ""
