"""What a SentencePiece ``.model`` file says about itself: settings and pieces.

The file is a protocol buffer. sentencepiece ships generated code for it, but that code runs only
with a protobuf release at least as new as its generator, which Beam's own pin may forbid; the
few wire types that a model uses are read here instead.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

Value = str | int | float | bool | tuple[str, ...] | bytes


class PieceKind(IntEnum):
    """Type of a piece, with the numbers of ``sentencepiece_model.proto``."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


@dataclass(frozen=True, slots=True)
class Piece:
    """One entry of the vocabulary; U+2581 stands for a space in ``text``."""

    text: str
    score: float
    kind: PieceKind


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """The settings stored in a model, by their SentencePiece names, and its pieces by id."""

    trainer: Mapping[str, Value]
    normalizer: Mapping[str, Value]
    pieces: tuple[Piece, ...]


MODEL_TYPES: Final = {1: "unigram", 2: "bpe", 3: "word", 4: "char"}

# Field number -> name and default, in sentencepiece_model.proto; () is a repeated string.
_TRAINER: Final[Mapping[int, tuple[str, Value]]] = {
    3: ("model_type", 1),
    4: ("vocab_size", 8000),
    10: ("character_coverage", 0.9995),
    11: ("input_sentence_size", 0),
    19: ("shuffle_input_sentence", True),
    18: ("max_sentence_length", 4192),
    20: ("max_sentencepiece_length", 16),
    25: ("split_digits", False),
    23: ("split_by_number", True),
    22: ("split_by_whitespace", True),
    21: ("split_by_unicode_script", True),
    24: ("treat_whitespace_as_suffix", False),
    26: ("allow_whitespace_only_pieces", False),
    35: ("byte_fallback", False),
    33: ("hard_vocab_limit", True),
    40: ("unk_id", 0),
    41: ("bos_id", 1),
    42: ("eos_id", 2),
    43: ("pad_id", -1),
    45: ("unk_piece", "<unk>"),
    46: ("bos_piece", "<s>"),
    47: ("eos_piece", "</s>"),
    48: ("pad_piece", "<pad>"),
    44: ("unk_surface", " \u2047 "),
    30: ("control_symbols", ()),
    31: ("user_defined_symbols", ()),
    36: ("required_chars", ""),
    16: ("num_threads", 16),
    14: ("seed_sentencepiece_size", 1_000_000),
    15: ("shrinking_factor", 0.75),
    17: ("num_sub_iterations", 2),
    49: ("train_extremely_large_corpus", False),
    6: ("self_test_sample_size", 0),
}
_NORMALIZER: Final[Mapping[int, tuple[str, Value]]] = {
    1: ("normalization_rule_name", ""),
    2: ("precompiled_charsmap", b""),
    3: ("add_dummy_prefix", True),
    4: ("remove_extra_whitespaces", True),
    5: ("escape_whitespaces", True),
}
_PIECE: Final[Mapping[int, tuple[str, Value]]] = {
    1: ("text", ""),
    2: ("score", 0.0),
    3: ("kind", PieceKind.NORMAL),
}

_KINDS: Final = {int(kind): kind for kind in PieceKind}
_FLOAT: Final = struct.Struct("<f")
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types


def parse_model(content: bytes) -> ModelSpec:
    """Read the bytes of a ``.model`` file.

    Raises:
        ValueError: the bytes are not a SentencePiece model.
    """
    trainer: dict[str, Value] = {}
    normalizer: dict[str, Value] = {}
    pieces: list[Piece] = []
    try:
        for number, value, _ in raw_fields(content):
            if number == 1:
                pieces.append(_usual_piece(value) or _any_piece(value))
            elif number == 2:
                trainer = _message(_TRAINER, value)
            elif number == 3:
                normalizer = _message(_NORMALIZER, value)
        trainer["model_type"] = MODEL_TYPES[int(str(trainer["model_type"]))]
    except (ValueError, IndexError, KeyError, TypeError, struct.error):
        raise ValueError("not a SentencePiece model (a file NAME.model)") from None
    if not pieces or not normalizer:
        raise ValueError("not a SentencePiece model (it has no pieces)")
    return ModelSpec(trainer, normalizer, tuple(pieces))


def vocab_text(spec: ModelSpec) -> str:
    """Text of the ``.vocab`` file that SentencePiece writes: ``piece<TAB>score`` a line."""
    return "".join(f"{piece.text}\t{piece.score:g}\n" for piece in spec.pieces)


def _usual_piece(content: bytes) -> Piece | None:
    """Read a piece as SentencePiece writes it; None for a message that is written another way.

    It writes the text with its length in one byte, the score, and the type unless it is NORMAL.
    A model has tens of thousands of pieces, which `_any_piece` reads in five times the time.
    """
    end = 2 + content[1] if len(content) > 1 else 0
    usual = content[:1] == b"\x0a" and end < 2 + 0x80 and content[end : end + 1] == b"\x15"
    rest = content[end + 5 :]
    if not usual or len(content) < end + 5 or (rest and (len(rest) != 2 or rest[:1] != b"\x18")):
        return None
    kind = _KINDS[rest[1]] if rest else PieceKind.NORMAL
    return Piece(content[2:end].decode(), _score(content[end + 1 : end + 5]), kind)


def _any_piece(content: Any) -> Piece:
    fields = _message(_PIECE, content)
    return Piece(fields["text"], fields["score"], PieceKind(fields["kind"]))


def _message(schema: Mapping[int, tuple[str, Value]], content: Any) -> dict[str, Any]:
    """Fields of a message by name, defaults filled in; fields not in the schema are left out."""
    message: dict[str, Any] = dict(schema.values())
    for number, value in _fields(content):
        if number not in schema:
            continue
        name, default = schema[number]
        if isinstance(default, tuple):
            message[name] += (value.decode(),)
        else:
            message[name] = _convert(value, default)
    return message


def _convert(value: Any, default: Value) -> Any:
    if isinstance(default, bool):
        return bool(value)
    if isinstance(default, int):
        return value - (1 << 64) if value >= 1 << 63 else value  # negative numbers take 64 bits
    if isinstance(default, float):
        return _score(value)
    return value.decode() if isinstance(default, str) else value


def _score(value: Any) -> float:
    """Read the shortest decimal that is the same float32: 0.9995, not 0.9994999766349792."""
    number: float
    (number,) = _FLOAT.unpack(value)
    if number.is_integer() and -1e6 < number < 1e6:  # as those of BPE are: it is its own decimal
        return number
    return float(f"{number:.7g}")


def _fields(content: bytes) -> Iterator[tuple[int, Any]]:
    """Number and raw value of each field of a protocol buffer message, in file order."""
    for number, value, _ in raw_fields(content):
        yield number, value


def write_field(number: int, value: int | bytes) -> bytes:
    """Bytes of a field: a number that is not negative, or bytes."""
    if isinstance(value, int):
        return _write_varint(number << 3 | _VARINT) + _write_varint(value)
    return _write_varint(number << 3 | _BYTES) + _write_varint(len(value)) + value


def raw_fields(content: bytes) -> Iterator[tuple[int, Any, bytes]]:
    """As `_fields`, and the bytes of the whole field.

    Raises:
        ValueError, IndexError, KeyError: the bytes are no message.
    """
    position = 0
    while position < len(content):
        begin = position
        key, position = _varint(content, position)
        wire = key & 7
        value: int | bytes
        if wire == _VARINT:
            value, position = _varint(content, position)
        else:
            if wire == _BYTES:
                size, position = _varint(content, position)
            else:
                size = {_FIXED64: 8, _FIXED32: 4}[wire]
            value = content[position : position + size]
            if len(value) < size:
                raise ValueError("the file is cut short")
            position += size
        yield key >> 3, value, content[begin:position]


def _write_varint(value: int) -> bytes:
    content = bytearray()
    while value >= 0x80:
        content.append(value & 0x7F | 0x80)
        value >>= 7
    content.append(value)
    return bytes(content)


def _varint(content: bytes, position: int) -> tuple[int, int]:
    value = content[position]
    if value < 0x80:
        return value, position + 1
    value = shift = 0
    while True:
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
