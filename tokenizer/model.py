"""The tokenizer of LLaMA: SentencePiece BPE, text to ids and back (docs/rules/tokens.md 1)."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import sentencepiece
from numpy.typing import NDArray

from tokenizer.errors import UserError
from tokenizer.fast import SPACE, FastEncode, check_texts, make_encoder, why_not
from tokenizer.manifest import dtype_for
from tokenizer.spec import ModelSpec, PieceKind, parse_model

# The time to encode grows faster than the length of the text. Parts of 2,048 are the fastest here
# by a few percent; smaller ones pay for the call.
PART_CHARS: Final = 2048

Ids = NDArray[np.unsignedinteger[Any]]


class TokenizerError(UserError, ValueError):
    """A model that cannot be loaded, or a text or ids that it cannot take."""


class Tokenizer:
    """A SentencePiece model, loaded from a file.

    Pickled as its path and SHA-256: the file must lie at the same path where it is unpickled, and
    be the same.

    Attributes:
        path: absolute path of the ``.model`` file.
        sha256: of the file, lower-case hexadecimal.
        spec: what the file says about itself.
        vocab_size: ids are 0 to ``vocab_size`` - 1.
        dtype: of encoded arrays: uint16 if it holds all ids, else uint32.
        unk_id, bos_id, eos_id, pad_id: -1 where the model has no such piece.
        cuts: whether SentencePiece encodes long texts in parts, see `encode`.
    """

    def __init__(self, path: str | Path, *, fast: bool = True) -> None:
        """Load the model at ``path``; without ``fast``, SentencePiece itself encodes."""
        self.path = Path(path).absolute()
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise TokenizerError(
                f"{path}: cannot be read ({error.strerror}); make a model with "
                "'python -m tokenizer train', or give the path of a SentencePiece .model"
            ) from None
        try:
            self.spec = parse_model(content)
            self.processor = sentencepiece.SentencePieceProcessor(model_proto=content)
        except (ValueError, RuntimeError) as error:
            raise TokenizerError(f"{path}: {error}") from None
        self.sha256 = hashlib.sha256(content).hexdigest()
        self.vocab_size: int = self.processor.vocab_size()
        self.dtype = np.dtype(dtype_for(self.vocab_size))
        self.unk_id: int = self.processor.unk_id()
        self.bos_id: int = self.processor.bos_id()
        self.eos_id: int = self.processor.eos_id()
        self.pad_id: int = self.processor.pad_id()
        self.cuts = _may_cut(self.spec)
        self._prefix = 1 if self.spec.normalizer["add_dummy_prefix"] else 0
        self._may_be_fast = fast

    @cached_property
    def _encoder(self) -> tuple[FastEncode | None, str]:
        """The encoder of the extension module, or why it is not used.

        It is made when the first text is encoded: a process that only plans, decodes or reads the
        settings of the model does without.
        """
        reason = why_not(self.spec) if self._may_be_fast else "it was asked for"
        if reason:
            return None, reason
        encode = make_encoder(self.spec)
        for text in check_texts(self.spec):
            expected = self.processor.encode(text, return_type="numpy")
            if not np.array_equal(np.frombuffer(encode(text, -1, -1), self.dtype), expected):
                return None, "the extension gives other ids on this machine"
        return encode, ""

    @property
    def why_slow(self) -> str:
        """Why SentencePiece encodes, and not the extension module; empty where the latter does."""
        return self._encoder[1]

    def encode(self, text: str, *, bos: bool = False, eos: bool = False) -> Ids:
        """Encode a whole document.

        Where SentencePiece encodes, a text longer than PART_CHARS is cut before a line end, which
        is exact (section 1.6): no merge crosses a line end, and the one id that each later part has
        too many, the space that SentencePiece puts before a text, is dropped. A model that could
        tell is not cut.

        Args:
            text: any text; ``<s>`` or ``</s>`` in it is text, never a special id.
            bos: begin with ``bos_id``.
            eos: end with ``eos_id``.

        Returns:
            Ids, shape (tokens,), of `dtype`; empty for an empty text without bos and eos.

        Raises:
            TokenizerError: the text has a lone surrogate, or the model has no such special piece.
        """
        if (bos and self.bos_id < 0) or (eos and self.eos_id < 0):
            raise TokenizerError(f"{self.path}: the model has no {'bos' if bos else 'eos'} piece")
        if fast := self._encoder[0]:
            try:
                content = fast(text, self.bos_id if bos else -1, self.eos_id if eos else -1)
            except UnicodeEncodeError:
                raise TokenizerError(_why_not(text)) from None
            return np.frombuffer(content, self.dtype)
        first, *later = (
            split_at_line_ends(text, PART_CHARS) if self.cuts and len(text) > PART_CHARS else [text]
        )
        encode = self.processor.encode  # of one text: in this thread
        try:
            arrays = [encode(first, return_type="numpy")]
            arrays += [encode(part, return_type="numpy")[self._prefix :] for part in later]
        except RuntimeError:
            raise TokenizerError(_why_not(text)) from None
        ids = np.empty(sum(map(len, arrays)) + bos + eos, self.dtype)
        begin = 0
        if bos:
            ids[0] = self.bos_id
            begin = 1
        for array in arrays:
            end = begin + len(array)
            ids[begin:end] = array
            begin = end
        if eos:
            ids[-1] = self.eos_id
        return ids

    def decode(self, ids: Sequence[int] | NDArray[np.integer[Any]]) -> str:
        """Text of ``ids``, shape (tokens,).

        Special ids give no text, and ``decode(encode(text)) == text`` but for U+2581 in the text,
        which comes back as a space; bytes that are no UTF-8 come back as U+FFFD.

        Raises:
            TokenizerError: an id outside the vocabulary.
        """
        numbers = ids.tolist() if isinstance(ids, np.ndarray) else [int(number) for number in ids]
        try:
            text: str = self.processor.decode(numbers)
        except IndexError:
            wrong = next(number for number in numbers if not 0 <= number < self.vocab_size)
            raise TokenizerError(f"id {wrong} is not within 0 to {self.vocab_size - 1}") from None
        return text

    def __len__(self) -> int:
        return self.vocab_size

    def __repr__(self) -> str:
        return f"Tokenizer({str(self.path)!r}, vocab_size={self.vocab_size})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _load_same, (str(self.path), self.sha256)


def split_at_line_ends(text: str, part_chars: int) -> list[str]:
    r"""Cut a text before line ends into parts of about ``part_chars`` characters.

    Parts after the first begin with "\n"; joined they are the text. A line longer than
    ``part_chars`` stays whole.

    >>> split_at_line_ends("ab\ncd\nef", 6)
    ['ab\ncd', '\nef']
    """
    parts = []
    begin = 0
    while len(text) - begin > part_chars:
        cut = text.rfind("\n", begin + 1, begin + part_chars)
        if cut < 0:
            cut = text.find("\n", begin + part_chars)
        if cut < 0:
            break
        parts.append(text[begin:cut])
        begin = cut
    parts.append(text[begin:])
    return parts


def _may_cut(spec: ModelSpec) -> bool:
    r"""Whether encoding in parts that begin with "\n" gives the same ids.

    BPE merges by rank, so parts that no piece can join are independent. The space put before a
    later part stays a piece of its own, since it could only merge with the "\n" after it. Without
    bytes, unknown characters before and after a cut would be one id in the whole.
    """
    return (
        spec.trainer["model_type"] == "bpe"
        and bool(spec.trainer["byte_fallback"])
        and spec.normalizer["precompiled_charsmap"] == b""
        and not spec.normalizer["remove_extra_whitespaces"]
        and bool(spec.normalizer["escape_whitespaces"])
        and not spec.trainer["treat_whitespace_as_suffix"]
        and any(piece.text == SPACE and piece.kind == PieceKind.NORMAL for piece in spec.pieces)
        and not any("\n" in piece.text for piece in spec.pieces)
    )


def _why_not(text: str) -> str:
    """What SentencePiece cannot take: a text that is not Unicode."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"the text has a lone surrogate at character {error.start}"
    return "SentencePiece cannot encode the text"


def _load_same(path: str, sha256: str) -> Tokenizer:
    tokenizer = Tokenizer(path)
    if tokenizer.sha256 != sha256:
        raise TokenizerError(f"{path}: the model has changed since the work began")
    return tokenizer
