"""Pieces that join a digit with the space before it, and a model without them.

SentencePiece's ``split_digits`` keeps digits apart from each other and from letters, but outside
ASCII it lets the space before a digit join it (sentencepiece 0.2.3: "\u2581\u06f1" where Persian is
in the sample). A digit is a token of its own (docs/rules/tokens.md 1.3, T2), so `tokenizer.train`
trains for as many pieces more as there are such, and takes these out. No other piece is made of
them, so the merges that stay are those of a training that forbids them.
"""

import struct
import unicodedata
from collections.abc import Iterator

from tokenizer.spec import ModelSpec, PieceKind, raw_fields, write_field

_PIECE, _TRAINER = 1, 2  # fields of a model
_SCORE = 2  # field of a piece
_VOCAB_SIZE = 4  # field of the settings


def joined_digits(spec: ModelSpec) -> set[int]:
    """Ids of normal pieces of several characters with a decimal digit among them."""
    return {
        number
        for number, piece in enumerate(spec.pieces)
        if piece.kind == PieceKind.NORMAL
        and len(piece.text) > 1
        and any(unicodedata.category(character) == "Nd" for character in piece.text)
    }


def without_pieces(model: bytes, ids: set[int], vocab_size: int) -> bytes:
    """Take pieces out of a model; those behind move up, and so do their scores.

    Args:
        model: content of a ``.model``.
        ids: of the pieces.
        vocab_size: that the settings in the model shall state.
    """
    return b"".join(_kept(model, ids, vocab_size))


def _kept(model: bytes, ids: set[int], vocab_size: int) -> Iterator[bytes]:
    number = removed = 0
    for field, value, raw in raw_fields(model):
        if field == _TRAINER:
            settings = [
                write_field(_VOCAB_SIZE, vocab_size) if name == _VOCAB_SIZE else part
                for name, _, part in raw_fields(value)
            ]
            yield write_field(_TRAINER, b"".join(settings))
        elif field != _PIECE:
            yield raw
        else:
            if number in ids:
                removed += 1
            else:
                yield write_field(_PIECE, _moved_up(value, removed)) if removed else raw
            number += 1


def _moved_up(piece: bytes, places: int) -> bytes:
    """A normal piece's score is less by one than that of the piece before it."""
    parts = []
    for field, value, raw in raw_fields(piece):
        if field == _SCORE:
            (score,) = struct.unpack("<f", value)
            parts.append(raw[:-4] + struct.pack("<f", score + places))
        else:
            parts.append(raw)
    return b"".join(parts)
