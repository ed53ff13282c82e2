"""The settings in a model file are those that it was trained with."""

import io
import struct
from pathlib import Path
from typing import Any

import pytest
import sentencepiece

from tokenizer.model import Tokenizer
from tokenizer.spec import Piece, PieceKind, parse_model, vocab_text, write_field


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


@pytest.mark.parametrize(
    ("text", "score", "kind"),
    [("a", -3.0, None), ("\u2581é", -0.1, 3), ("x" * 127, 2.5e7, 6), ("x" * 128, 0.0, None)],
)
def test_a_piece_may_be_written_in_any_way(text: str, score: float, kind: int | None) -> None:
    """With its fields in another order, or with a field that is not known, it is the same."""
    fields = [write_field(1, text.encode()), b"\x15" + struct.pack("<f", score)]
    if kind:
        fields.append(write_field(3, kind))
    rest = write_field(2, write_field(3, 2)) + write_field(3, b"")
    usual = parse_model(write_field(1, b"".join(fields)) + rest)
    assert usual.pieces == (Piece(text, score, PieceKind(kind or 1)),)
    for other in (fields[::-1], [*fields, write_field(9, 1)], [*fields, write_field(9, b"more")]):
        assert parse_model(write_field(1, b"".join(other)) + rest) == usual


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
