"""Unigram models with pieces and scores by choice, such as no training gives."""

import struct
from collections.abc import Mapping

from tokenizer.spec import PieceKind, write_field


def made_model(
    scores: Mapping[str, float],
    *,
    kinds: Mapping[str, PieceKind] | None = None,
    rules: bytes = b"",
    trainer: Mapping[int, int] | None = None,
    normalizer: Mapping[int, int] | None = None,
) -> bytes:
    """Return the bytes of a model of SentencePiece.

    Args:
        scores: the pieces and their scores, which a model holds as 32-bit numbers.
        kinds: the kinds of those pieces that are not normal.
        rules: the normaliser's rules, as a trained model holds them.
        trainer: further fields of the trainer's settings, by their numbers.
        normalizer: further fields of the normaliser's settings.
    """
    special = {"<unk>": PieceKind.UNKNOWN, "<s>": PieceKind.CONTROL, "</s>": PieceKind.CONTROL}
    of_kind = {**special, **(kinds or {})}
    content = b""
    for text, score in {**dict.fromkeys(special, 0.0), **scores}.items():
        piece = write_field(1, text.encode()) + b"\x15" + struct.pack("<f", score)
        piece += write_field(3, of_kind.get(text, PieceKind.NORMAL))
        content += write_field(1, piece)
    settings = {3: 1, **(trainer or {})}
    content += write_field(2, b"".join(write_field(*field) for field in settings.items()))
    normalizing = b"".join(write_field(*field) for field in (normalizer or {}).items())
    return content + write_field(3, write_field(2, rules) + normalizing)
