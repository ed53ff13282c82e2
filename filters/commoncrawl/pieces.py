"""Encode by the extension module ``_perplexity.c``, with SentencePiece's pieces, faster.

SentencePiece looks for the pieces of a line whose scores have the largest sum, and sums up from the
beginning of the line, in 32-bit floating point. No piece has a space behind its beginning, so the
pieces of a word are the same in every line, unless two ways to cut it are so close that the
rounding of the sum decides. A cache has the pieces of words, each with the largest sum before it
up to which no rounding can change them; beyond it, the word is cut anew from the very sum that
SentencePiece has reached (docs/rules/web.md 6.3).

The module exists if there was a C compiler when Corpusmill was installed. It is used only for
models of which the above is true, as cc_net's and ours are, and only if it gives SentencePiece's
pieces of the check lines and of a part of the model's own vocabulary when the model is loaded.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

try:
    from filters.commoncrawl._perplexity import Pieces
except ImportError:  # installed without a compiler
    AVAILABLE = False
else:
    AVAILABLE = True

# Maps a line in UTF-8 to its pieces, joined by spaces, and to their number.
Encode = Callable[[bytes], tuple[bytes, int]]

_CHECKED_PIECES: Final = 2000  # of the vocabulary
_PIECES_PER_LINE: Final = 100
# SentencePiece sets its sum to zero beyond 100,000; an unknown character costs 10 or more.
_UNKNOWNS_OF_A_LONG_LINE: Final = 10_500

# Spaces of many kinds, scripts, unknown characters, ties of all kinds, and what is no UTF-8.
CHECK_LINES: Final = (
    b"",
    *(" ", "  ", "\u2581", " \u2581 a\u2581 b \u2581", "a\u2581b\u2581\u2581c", "\u00a0 \u3000"),
    *("a", " a  b   c ", "a\tb\nc\rd", "\0a\0 \0", "\x01 \x7f", "\ufeff\u200b\u00ad"),
    *(
        "a" * 400,
        "=" * 100 + "-" * 33,
        "0" * 50 + " 0000 00-00-0000 000",
        "x" * 23 + " " + "y" * 25,
    ),
    "The weather was good yesterday, and we went to the beach with the children.",
    "the of and to in is was for on with as by at from " * 40,
    "e\u0301 \ufb01 \uff21\uff22 \u00bd \u2460 \ufdfa a\u0300 A\u030a \u1100\u1161\u11a8 \u3099",
    "\u0432\u0447\u0435\u0440\u0430 \u0431\u044b\u043b\u0430 \u0445\u043e\u0440\u043e\u0448\u0430",
    "\u6628\u5929\u5929\u6c14\u5f88\u597d\uff0c\u6211\u4eec\u53bb\u4e86\u6d77\u6ee9\u3002",
    "\u6628\u65e5\u306f\u5929\u6c17\u304c\u826f\u304b\u3063\u305f\u306e\u3067 \uff76\uff9e",
    "\u0643\u0627\u0646 \u0627\u0644\u0637\u0642\u0633 \u0915\u0932 \u092e\u094c\u0938\u092e",
    "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001d54f \U0010fffd",
    "<s> </s> <unk> <pad> https://example.org/a_b-c/?q=%20&x[]=1#top donaudampfschifffahrt",
    b"\xff\xc3 \xe2\x96 \xed\xa0\x80 \xf4\x90\x80\x80 \xc0\x80\x80 a\xcc",
)


class Encoder:
    """A model that the extension has loaded, and SentencePiece for what the extension refuses.

    Attributes:
        pieces: the extension's model.
        vocabulary: the pieces of the model.
    """

    def __init__(self, pieces: "Pieces", vocabulary: Sequence[str], library: Encode) -> None:
        self.pieces = pieces
        self.vocabulary = vocabulary
        self._library = library

    def encode(self, line: bytes) -> tuple[bytes, int]:
        """Return the pieces of a line, joined by spaces, and their number."""
        try:
            return self.pieces.encode(line)
        except OverflowError:  # a line of more than 64 MiB
            return self._library(line)


def load_encoder(model: bytes, library: Encode, vocabulary: Sequence[str]) -> Encoder | None:
    """Load a model into the extension; return None if SentencePiece itself is needed.

    Args:
        model: the bytes of a model that SentencePiece has loaded.
        library: SentencePiece's answers, which the extension's must equal.
        vocabulary: the pieces of the model.
    """
    if not AVAILABLE:
        return None
    try:
        pieces = Pieces(model)
    except ValueError:  # the model is of another kind
        return None
    if any(pieces.encode(line) != library(line) for line in check_lines(vocabulary)):
        return None
    return Encoder(pieces, vocabulary, library)


def check_lines(vocabulary: Sequence[str]) -> Iterator[bytes]:
    """Lines of which the pieces must be SentencePiece's: odd ones, the vocabulary, a long one."""
    for line in CHECK_LINES:
        yield line if isinstance(line, bytes) else line.encode()
    part = vocabulary[:: len(vocabulary) // _CHECKED_PIECES + 1]
    lines = [
        "".join(part[begin : begin + _PIECES_PER_LINE]).encode("utf-8", "replace")
        for begin in range(0, len(part), _PIECES_PER_LINE)
    ]
    yield from (line.replace("\u2581".encode(), b" ") for line in lines)
    unknowns = "\U0010fffd" * _UNKNOWNS_OF_A_LONG_LINE
    yield unknowns.encode() + b" " + b"".join(lines[:5]) + b" 000 aaaaa ===== ooo"
