"""The settings in a model file are those that it was trained with."""

import io
from pathlib import Path
from typing import Any

import pytest
import sentencepiece

from tokenizer.model import Tokenizer
from tokenizer.spec import PieceKind, parse_model, vocab_text


def test_settings_come_back(tokenizer: Tokenizer, llama_settings: dict[str, Any]) -> None:
    """Floats come back as they were given, not as the nearest float32."""
    expected = llama_settings | {"vocab_size": 1500, "pad_id": -1, "unk_surface": " \u2047 "}
    del expected["minloglevel"]
    stored = {**tokenizer.spec.trainer, **tokenizer.spec.normalizer}
    assert {name: stored[name] for name in expected} == expected


def test_pieces_are_those_of_sentencepiece(tokenizer: Tokenizer) -> None:
    """Texts, scores and kinds by id."""
    processor = tokenizer.processor
    ids = range(len(processor))
    pieces = tokenizer.spec.pieces
    assert [piece.text for piece in pieces] == [processor.id_to_piece(i) for i in ids]
    assert [piece.score for piece in pieces] == [processor.get_score(i) for i in ids]
    kinds = [PieceKind.UNKNOWN, PieceKind.CONTROL, PieceKind.CONTROL, *[PieceKind.BYTE] * 256]
    assert [piece.kind for piece in pieces[:259]] == kinds
    assert {piece.kind for piece in pieces[259:]} == {PieceKind.NORMAL}


def test_vocab_is_the_file_that_sentencepiece_writes(
    tmp_path: Path, llama_settings: dict[str, Any]
) -> None:
    """Byte for byte, with its "-0" for the score of the first merge."""
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["ab abc", "abc ab"]), model_prefix=str(tmp_path / "m"),
        vocab_size=264, **llama_settings,
    )  # fmt: skip
    spec = parse_model((tmp_path / "m.model").read_bytes())
    assert vocab_text(spec).encode() == (tmp_path / "m.vocab").read_bytes()


def test_repeated_symbols_come_back(llama_settings: dict[str, Any]) -> None:
    """User-defined and control symbols are lists."""
    writer = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["ab abc"]), model_writer=writer, vocab_size=268,
        user_defined_symbols=["<a>", "<b,c>"], control_symbols=["<x>"], **llama_settings,
    )  # fmt: skip
    trainer = parse_model(writer.getvalue()).trainer
    assert trainer["user_defined_symbols"] == ("<a>", "<b,c>")
    assert trainer["control_symbols"] == ("<x>",)
    assert trainer["bos_id"] == 1


@pytest.mark.parametrize("content", [b"", b"\x0a", b"\xff" * 20, b"plain text, no model"])
def test_other_bytes_are_refused(content: bytes) -> None:
    """One kind of error, whatever is wrong with the file."""
    with pytest.raises(ValueError, match="not a SentencePiece model"):
        parse_model(content)
