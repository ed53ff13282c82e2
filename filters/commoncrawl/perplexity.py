"""Perplexity of a page under a language model of Wikipedia, as in CCNet.

LLaMA (arXiv:2302.13971v1, section 2.1, "English CommonCrawl"): CCNet "filters low quality content
with an n-gram language model". The rules are those of CCNet's code (docs/rules/web.md 6): normalise
the page to one line, encode it with SentencePiece, score the pieces with KenLM. The buckets that
perplexities are sorted into are in `filters.commoncrawl.cutoffs`. What SentencePiece and KenLM say,
`filters.commoncrawl.pieces` and `filters.commoncrawl.ngrams` find out faster.
"""

import re
from functools import cache
from pathlib import Path
from typing import Final

import kenlm
import sentencepiece

from filters.characters import (
    PUNCTUATION,
    Rewriter,
    characters_of,
    lower_and_decompose,
    utf8,
)
from filters.commoncrawl.ngrams import Score, load_score
from filters.commoncrawl.pieces import Encode, load_encoder

# A lone surrogate as Python encodes it; no valid UTF-8 has these bytes.
_SURROGATE: Final = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
_REPLACEMENT: Final = "\ufffd".encode()

# The version of `normalize_for_lm`. Cutoffs of another version do not fit.
NORMALIZATION: Final = "ccnet-1"


def normalize_for_lm(text: str) -> str:
    r"""Return a page as the language model reads it: as one line (docs/rules/web.md 6.2).

    The page is stripped, lower-cased and decomposed. Combining marks are deleted, decimal digits
    become "0", and punctuation becomes ASCII by the table of docs/rules/web.md 4.3. Control
    characters are deleted, line ends among them, which joins the last word of a line and the first
    of the next.

    >>> normalize_for_lm(" Café « 2021 »…\nNext\tline ")
    'cafe " 0000 "...nextline'
    """
    return _normalized(text).decode("utf-8", "surrogatepass")


class LanguageModel:
    """A SentencePiece model and the n-gram model of its pieces; made by `load_language_model`.

    Attributes:
        pieces: size of the SentencePiece vocabulary (docs/rules/web.md 6.1).
        order: longest n-gram of the language model; 5 in CCNet.
    """

    def __init__(self, score: Score, *, pieces: int, order: int) -> None:
        self._score_line = score
        self.pieces = pieces
        self.order = order

    def score(self, line: str) -> tuple[float, int]:
        """Score a normalised line as one sentence (docs/rules/web.md 6.3).

        Returns:
            the log10 probability of its pieces and of the end of the sentence, and the number of
            pieces plus 1 for the end.
        """
        return self._score(utf8(line))

    def _score(self, line: bytes | bytearray) -> tuple[float, int]:
        """Score a line in UTF-8; a lone surrogate in it counts as U+FFFD."""
        return self._score_line(_SURROGATE.sub(_REPLACEMENT, line))

    def perplexity(self, text: str, *, per_line: bool = False) -> float | None:
        """Return the perplexity of a page: 10 ** (-log10 probability / length), to 1 decimal.

        Args:
            text: the page, not normalised.
            per_line: score each line as a sentence, blank ones too, and sum scores and lengths;
                published cutoffs do not fit such a perplexity.

        Returns:
            the perplexity, or None if the normalised page is empty.
        """
        lines = [_normalized(line) for line in (text.split("\n") if per_line else [text])]
        if not any(lines):
            return None
        log10_probability = 0.0
        length = 0
        for line in lines:
            line_log10_probability, line_length = self._score(line)
            log10_probability += line_log10_probability
            length += line_length
        return perplexity_of(log10_probability, length)


def perplexity_of(log10_probability: float, length: int) -> float:
    """Return the perplexity of ``length`` pieces with this log10 probability, to 1 decimal.

    >>> perplexity_of(-12, 4)
    1000.0
    """
    return round(float(10.0 ** (-log10_probability / length)), 1)


def load_language_model(sentencepiece_path: str | Path, ngrams_path: str | Path) -> LanguageModel:
    """Load a SentencePiece model and a KenLM model; a binary one is memory-mapped.

    Args:
        sentencepiece_path: such as ``en.sp.model``.
        ngrams_path: such as ``en.arpa.bin``, or an ARPA text.

    Raises:
        ValueError: a file is not such a model.
    """
    for path, kind in ((sentencepiece_path, "en.sp.model"), (ngrams_path, "en.arpa.bin")):
        if not Path(path).is_file():
            raise ValueError(f"{path}: no such file; give the path of a model such as {kind}")
    try:
        processor = sentencepiece.SentencePieceProcessor(model_file=str(sentencepiece_path))
    except (OSError, RuntimeError):
        raise ValueError(
            f"{sentencepiece_path}: no SentencePiece model; give the path of one, en.sp.model"
        ) from None
    config = kenlm.Config()
    config.show_progress = False
    config.arpa_complain = kenlm.ARPALoadComplain.NONE
    try:
        ngrams = kenlm.Model(str(ngrams_path), config)
    except (OSError, RuntimeError, UnicodeDecodeError):  # the last one: of KenLM's message
        raise ValueError(
            f"{ngrams_path}: no KenLM model; give the path of a binary one, en.arpa.bin, or of an "
            "ARPA text"
        ) from None
    score = _score_function(processor, sentencepiece_path, ngrams, ngrams_path)
    return LanguageModel(score, pieces=processor.vocab_size(), order=ngrams.order)


def _score_function(
    processor: sentencepiece.SentencePieceProcessor,
    sentencepiece_path: str | Path,
    ngrams: kenlm.Model,
    ngrams_path: str | Path,
) -> Score:
    """Return the function that scores lines: the extension's, as far as it can stand in.

    Both libraries take and give bytes as they are. Strings would be encoded for each of them, and
    every piece would be decoded between them.
    """

    def encode(line: bytes) -> tuple[bytes, int]:
        pieces: list[bytes] = processor.encode(line, out_type=bytes)
        return b" ".join(pieces), len(pieces)

    def score_as(encode: Encode) -> Score:
        # Use pieces and not ids: the n-grams may know a character that SentencePiece does not.
        def score(line: bytes) -> tuple[float, int]:
            pieces, count = encode(line)
            return ngrams.score(pieces, bos=True, eos=True), count + 1

        return score

    vocabulary = processor.id_to_piece(list(range(processor.vocab_size())))
    encoder = load_encoder(Path(sentencepiece_path).read_bytes(), encode, vocabulary)
    if encoder is None:
        return score_as(encode)
    return load_score(encoder, ngrams_path, score_as(encode)) or score_as(encoder.encode)


def _normalized(text: str) -> bytes | bytearray:
    """Return what `normalize_for_lm` returns, in UTF-8, where a lone surrogate is three bytes."""
    return _rewriter().rewrite(text.strip())


@cache
def _rewriter() -> Rewriter:
    marks = dict.fromkeys(characters_of("Mn"), "")
    return Rewriter(lower_and_decompose, {**PUNCTUATION, **marks}, keep_newline=False)
