"""Encode by the extension module ``tokenizer/_bpe.c``, with SentencePiece's ids, many times faster.

BPE can join two characters only if they stand side by side in some piece. So a text may be cut
wherever two neighbours do so in no piece, and the ids of the parts, one after the other, are the
ids of the whole: the parts are words, marks and single characters in most scripts, they come again
and again, and a cache answers for them. SentencePiece runs one queue of merges over a whole text.

The module exists if there was a C compiler when Corpusmill was installed. It is used only for
models of which the above is true (LLaMA's settings are), and only if it gives SentencePiece's ids
of the check texts and of the model's own vocabulary before the first text is encoded.
"""

import itertools
from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from tokenizer.manifest import UINT16_VOCAB_MAX
from tokenizer.spec import ModelSpec, PieceKind

try:
    from tokenizer._bpe import Encoder
except ImportError:  # installed without a compiler
    AVAILABLE = False
else:
    AVAILABLE = True

SPACE: Final = "\u2581"  # stands for a space in pieces; in a text, it decodes to a space

# Ids of a text, as 16-bit numbers, between the bos and the eos that are not negative. Raises
# UnicodeEncodeError for a lone surrogate.
FastEncode = Callable[[str, int, int], bytearray]

# Blanks, digits, specials, controls, marks that combine, characters of one to four bytes.
CHECK_TEXTS: Final = (
    "",
    " ",
    "  ",
    "a",
    " a  b   c ",
    "a" * 40,
    " " * 40 + "x",
    "\n",
    "\n\n \n  def f(x):\r\n\treturn x\n",
    "1234567890 3.14159 12ab34 \u0661\u0662\u0663 \u00b2\u00b3 \u216b",
    "<s> </s> <unk> <0x41> <pad> a</s>b",
    "\x00\x00a\x00 \x7f\x80\u2028\u00a0\ufeff",
    "\u2581 \u2581\u2581a \u2581",
    "e\u0301 \ufb01 \uff21 \u0915\u094d\u0937",
    "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467",
    "The weather was good yesterday, and we went to the beach with the children.",
    "\u0412\u0447\u0435\u0440\u0430 \u0431\u044b\u043b\u0430 \u0445\u043e\u0440\u043e\u0448",
    "\u6628\u5929\u5929\u6c14\u5f88\u597d\uff0c\u6211\u4eec\u53bb\u4e86\u6d77\u6ee9\u3002",
    "https://example.org/a_b-c/?q=%20&x[]=1#top",
    "=" * 100 + "-" * 33 + "\\frac{a}{b}_{ij}^2 $x$",
)


def why_not(spec: ModelSpec) -> str:
    """Say why a model's texts cannot be encoded by the extension; nothing if they can."""
    trainer, normalizer = spec.trainer, spec.normalizer
    kinds = {piece.kind for piece in spec.pieces}
    reserved = (PieceKind.CONTROL, PieceKind.UNKNOWN)
    reasons = {
        "the extension is not installed": not AVAILABLE,
        "the model is no BPE": trainer["model_type"] != "bpe",
        "the model normalises texts": normalizer["precompiled_charsmap"] != b"",
        "the model removes spaces": bool(normalizer["remove_extra_whitespaces"]),
        "the model does not mark spaces": not normalizer["escape_whitespaces"],
        "the model puts spaces behind words": bool(trainer["treat_whitespace_as_suffix"]),
        "the model has no bytes": not trainer["byte_fallback"]
        or sum(piece.kind == PieceKind.BYTE for piece in spec.pieces) != 256,
        "the model has user-defined symbols": PieceKind.USER_DEFINED in kinds,
        "the model has unused pieces": PieceKind.UNUSED in kinds,
        "a special piece is a single character": any(
            len(piece.text) == 1 for piece in spec.pieces if piece.kind in reserved
        ),
        "the model has no piece for a space": not any(
            piece.text == SPACE and piece.kind == PieceKind.NORMAL for piece in spec.pieces
        ),
        "ids do not fit 16 bits": len(spec.pieces) > UINT16_VOCAB_MAX,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def make_encoder(spec: ModelSpec) -> FastEncode:
    """Build the encoder of a model that `why_not` has nothing against."""
    # SentencePiece writes spaces as U+2581 before it looks for pieces: one with a space is not met.
    pieces = {
        piece.text: number
        for number, piece in enumerate(spec.pieces)
        if piece.kind == PieceKind.NORMAL and " " not in piece.text
    }
    characters = sorted(set(itertools.chain.from_iterable(pieces)))
    symbols = {
        character: pieces.get(character, len(spec.pieces) + number)
        for number, character in enumerate(characters)
    }
    joins = {pair for text in pieces for pair in itertools.pairwise(text)}
    ranks = {score: rank for rank, score in enumerate(sorted(_scores(spec), reverse=True))}
    byte_ids = {
        piece.text: number
        for number, piece in enumerate(spec.pieces)
        if piece.kind == PieceKind.BYTE
    }
    return Encoder(
        pieces=len(spec.pieces),
        byte_ids=array("H", [byte_ids[f"<0x{byte:02X}>"] for byte in range(256)]).tobytes(),
        characters=_rows((ord(character), symbol) for character, symbol in symbols.items()),
        joins=_rows((ord(left), ord(right)) for left, right in sorted(joins)),
        merges=_rows(
            (left, right, number, ranks[spec.pieces[number].score])
            for number, left, right in _merges(pieces, symbols)
        ),
        prefix=bool(spec.normalizer["add_dummy_prefix"]),
    ).encode


def check_texts(spec: ModelSpec) -> Iterator[str]:
    """Texts of which the ids must be SentencePiece's: some odd ones, and the vocabulary itself."""
    yield from CHECK_TEXTS
    texts = [piece.text for piece in spec.pieces]
    for begin in range(0, len(texts), 200):  # long texts take SentencePiece longer
        part = texts[begin : begin + 200]
        yield ("" if begin % 400 else "\n").join(part).replace(SPACE, " ")


def _scores(spec: ModelSpec) -> set[float]:
    return {piece.score for piece in spec.pieces if piece.kind == PieceKind.NORMAL}


def _merges(pieces: dict[str, int], symbols: dict[str, int]) -> Iterator[tuple[int, int, int]]:
    """All ways to make a piece of two symbols: the piece, the left symbol and the right one."""
    known = symbols | pieces
    for text, number in pieces.items():
        for cut in range(1, len(text)):
            left, right = known.get(text[:cut]), known.get(text[cut:])
            if left is not None and right is not None:
                yield number, left, right


def _rows(rows: Iterable[tuple[int, ...]]) -> bytes:
    return array("I", itertools.chain.from_iterable(rows)).tobytes()
