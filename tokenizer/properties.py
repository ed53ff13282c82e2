"""What must hold of a tokenizer that stands in for LLaMA's (docs/rules/tokens.md 1.2 and 1.3)."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tokenizer.fast import SPACE
from tokenizer.model import Tokenizer
from tokenizer.spec import PieceKind

FIRST_BYTE_ID = 3
FIRST_NORMAL_ID = FIRST_BYTE_ID + 256


@dataclass(frozen=True, slots=True)
class Property:
    """One property: its number in section 1.3, what it says, and what contradicts it."""

    number: str
    claim: str
    problem: str  # empty if it holds


@dataclass(frozen=True, slots=True)
class Layout:
    """How the ids of a vocabulary are used (section 1.2)."""

    normal_pieces: int
    whitespace_pieces: tuple[int, ...]  # their lengths, in characters
    digit_pieces: tuple[str, ...]  # pieces that contain an ASCII digit
    longest_piece: str
    line_end_is_piece: bool
    tab_is_piece: bool


# Blanks, line ends, controls, marks that combine, wide digits, characters of one to four bytes.
PROBES: Final = (
    *(" leading", "trailing ", "  two  spaces  ", "\t\tx\t", "a\r\nb\r\n", "a\n\n\nb\n", "\0a\0"),
    *("\uff11\uff12", "a\u00a0b\u2028c", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\ufeffa"),
    *("\u0915\u094d\u0937", "\u6628\u5929\u3002", "\U0010ffff"),
)
NORMALISED: Final = ("\ufb01", "\uff21", "e\u0301", "\u00e9", "\u2460", "\u212b")  # by NFKC
SPECIAL: Final = ("<s>", "</s>", "<unk>", "a</s>b", "<s>\n</s>")


def check_properties(tokenizer: Tokenizer) -> list[Property]:
    """Check all properties but T9, for which a tokenizer has to be trained twice."""
    checks = [
        ("T1", "special ids 0, 1, 2, none for padding; then 256 bytes", _special_ids(tokenizer)),
        ("T2", "a digit is a token of its own", _digits(tokenizer)),
        ("T3", "unknown characters are bytes, never unk", _unknown(tokenizer)),
        ("T4", "texts come back as they were", _changed(tokenizer, PROBES)),
        ("T5", "an empty text has no ids", _empty(tokenizer)),
        ("T6", "special pieces in a text are text", _special_texts(tokenizer)),
        ("T7", "16 spaces and a letter are two tokens", _indentation(tokenizer)),
        ("T8", "characters are not normalised", _changed(tokenizer, NORMALISED)),
        ("T10", "threads and batches change nothing", _batches(tokenizer)),
    ]
    return [Property(number, claim, "; ".join(problems)) for number, claim, problems in checks]


def describe_layout(tokenizer: Tokenizer) -> Layout:
    """Count what section 1.2 counts."""
    normal = [p.text for p in tokenizer.spec.pieces if p.kind == PieceKind.NORMAL]
    return Layout(
        normal_pieces=len(normal),
        whitespace_pieces=tuple(sorted(len(text) for text in normal if set(text) == {SPACE})),
        digit_pieces=tuple(text for text in normal if set(text) & set("0123456789")),
        longest_piece=max(normal, key=len, default=""),
        line_end_is_piece=any("\n" in text for text in normal),
        tab_is_piece=any("\t" in text for text in normal),
    )


def _special_ids(tokenizer: Tokenizer) -> Iterator[str]:
    found = (tokenizer.unk_id, tokenizer.bos_id, tokenizer.eos_id, tokenizer.pad_id)
    if found != (0, 1, 2, -1):
        yield f"unk, bos, eos, pad are {found}"
    asked = tokenizer.spec.trainer["vocab_size"]
    if tokenizer.vocab_size != asked:
        yield f"{tokenizer.vocab_size} pieces, but vocab_size is {asked!r}"
    pieces = tokenizer.spec.pieces
    texts = [piece.text for piece in pieces[FIRST_BYTE_ID:FIRST_NORMAL_ID]]
    if texts != [f"<0x{byte:02X}>" for byte in range(256)]:
        yield "ids 3 to 258 are not the bytes"
    elif any(piece.kind != PieceKind.BYTE for piece in pieces[FIRST_BYTE_ID:FIRST_NORMAL_ID]):
        yield "ids 3 to 258 are not marked as bytes"


def _digits(tokenizer: Tokenizer) -> Iterator[str]:
    normal = [piece.text for piece in tokenizer.spec.pieces if piece.kind == PieceKind.NORMAL]
    joined = [text for text in normal if len(text) > 1 and any(map(_is_digit, text))]
    if joined:
        yield f"{len(joined)} pieces join a digit with more, such as {joined[0]!r}"
    missing = set("0123456789") - set(normal)
    if missing:
        yield f"no piece for {' '.join(sorted(missing))}"
    prefix = 1 if tokenizer.spec.normalizer["add_dummy_prefix"] else 0
    tokens = len(tokenizer.encode("1234"))
    if tokens != 4 + prefix and not missing:
        yield f"'1234' takes {tokens} tokens instead of {4 + prefix}"


def _unknown(tokenizer: Tokenizer) -> Iterator[str]:
    for text in (*PROBES, *NORMALISED, *SPECIAL, "\U0001f600"):
        if tokenizer.unk_id in tokenizer.encode(text):
            yield f"{text!a} gives unk"


def _changed(tokenizer: Tokenizer, texts: Sequence[str]) -> Iterator[str]:
    for text in texts:
        if (found := tokenizer.decode(tokenizer.encode(text))) != text:
            yield f"{text!a} comes back as {found!a}"


def _empty(tokenizer: Tokenizer) -> Iterator[str]:
    if len(tokenizer.encode("")):
        yield f"it has {tokenizer.encode('').tolist()}"


def _special_texts(tokenizer: Tokenizer) -> Iterator[str]:
    special = {tokenizer.unk_id, tokenizer.bos_id, tokenizer.eos_id, tokenizer.pad_id}
    for text in SPECIAL:
        if special & set(tokenizer.encode(text).tolist()):
            yield f"{text!r} gives a special id"


def _batches(tokenizer: Tokenizer) -> Iterator[str]:
    texts = [*PROBES, *NORMALISED, *SPECIAL]
    alone = [tokenizer.encode(text).tolist() for text in texts]
    together = tokenizer.processor.encode(texts, num_threads=2)
    for text, one, other in zip(texts, alone, together, strict=True):
        if one != other:
            yield f"{text!a} has other ids in a batch"


def _indentation(tokenizer: Tokenizer) -> Iterator[str]:
    tokens = len(tokenizer.encode(" " * 16 + "x"))
    if tokens != 2:
        yield f"they take {tokens}"


def _is_digit(character: str) -> bool:
    return unicodedata.category(character) == "Nd"
