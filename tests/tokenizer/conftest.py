"""A small tokenizer with LLaMA's settings, trained on text that every Python carries."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sentencepiece

from tokenizer.model import Tokenizer

TrainSmall = Callable[..., Path]


@pytest.fixture(scope="session")
def llama_settings() -> dict[str, Any]:
    """What must be set of docs/rules/tokens.md 1.1, written out once more.

    Tests of the model and of its properties do not depend on our trainer.
    """
    return {
        "model_type": "bpe",
        "character_coverage": 0.99995,
        "split_digits": True,
        "allow_whitespace_only_pieces": True,
        "byte_fallback": True,
        "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False,
        "minloglevel": 2,
    }


@pytest.fixture(scope="session")
def train_small(llama_settings: dict[str, Any]) -> TrainSmall:
    """Train on the lines of some text, write the model to a path and return it."""

    def train(path: Path, text: str, **settings: Any) -> Path:
        lines = [line for line in text.split("\n") if line]
        writer = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines), model_writer=writer, **(llama_settings | settings)
        )
        path.write_bytes(writer.getvalue())
        return path

    return train


@pytest.fixture(scope="session")
def texts() -> list[str]:
    """A few hundred kB of Python sources, in a fixed order."""
    paths = sorted(Path(os.__file__).parent.glob("*.py"))[:24]
    return [path.read_text(encoding="utf-8") for path in paths]


@pytest.fixture(scope="session")
def tokenizer(
    texts: list[str], train_small: TrainSmall, tmp_path_factory: pytest.TempPathFactory
) -> Tokenizer:
    """A BPE of 1,500 pieces, trained on ``texts``."""
    path = tmp_path_factory.mktemp("tokenizer") / "small.model"
    return Tokenizer(train_small(path, "\n".join(texts), vocab_size=1500))
