"""Encode and decode text line by line, as ``spm_encode`` and ``spm_decode`` do (tokens.md, 1.5)."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from tokenizer.model import Tokenizer, TokenizerError
from tokenizer.settings import nearest

OutputFormat = Literal["piece", "id", "sample_piece", "sample_id", "nbest_piece", "nbest_id"]
InputFormat = Literal["piece", "id"]
EXTRA_OPTIONS: Final = ("bos", "eos", "reverse")


@dataclass(frozen=True, slots=True)
class EncodeOptions:
    """How to encode: the flags of ``spm_encode``, with its defaults."""

    output_format: OutputFormat = "piece"
    extra_options: str = ""  # of EXTRA_OPTIONS, joined by ":", applied in their order
    alpha: float = 0.5  # unigram: smoothing of the sampling; bpe: share of merges dropped
    nbest_size: int = 10


def encode_lines(
    tokenizer: Tokenizer, lines: Iterable[bytes], options: EncodeOptions
) -> Iterator[bytes]:
    """Encode lines of UTF-8, without line ends.

    ``nbest`` formats give several lines for one; ``sample`` formats differ from run to run, since
    SentencePiece's generator does, whatever its seed.

    Raises:
        TokenizerError: unknown options, a line that is not UTF-8, or best segmentations asked of
            a model that has none.
    """
    kind, _, unit = options.output_format.rpartition("_")
    out_type = str if unit == "piece" else int
    finish = _extra(tokenizer, options.extra_options, out_type)
    encode = tokenizer.processor.encode
    for text in _decoded(lines):
        if kind == "nbest":
            try:
                found = tokenizer.processor.nbest_encode(
                    text, nbest_size=options.nbest_size, return_type=out_type
                )
            except RuntimeError:
                raise TokenizerError(
                    f"{tokenizer.path.name} is a {tokenizer.spec.trainer['model_type']!s} model; "
                    "only unigram models have several best segmentations"
                ) from None
        elif kind == "sample":
            found = [
                encode(
                    text,
                    return_type=out_type,
                    enable_sampling=True,
                    alpha=options.alpha,
                    nbest_size=options.nbest_size,
                )
            ]
        else:
            found = [encode(text, return_type=out_type)]
        for tokens in found:
            yield " ".join(map(str, finish(tokens))).encode()


def decode_lines(
    tokenizer: Tokenizer, lines: Iterable[bytes], input_format: InputFormat = "piece"
) -> Iterator[bytes]:
    """Decode lines of pieces or ids, separated by single spaces, to lines of UTF-8.

    Raises:
        TokenizerError: a line that is not UTF-8, an id that is no number or not in the vocabulary.
    """
    for number, text in enumerate(_decoded(lines), 1):
        tokens = text.split(" ") if text else []
        if input_format == "piece":
            yield tokenizer.processor.decode_pieces(tokens).encode()
            continue
        if wrong := [token for token in tokens if token and not token.isdecimal()]:
            raise TokenizerError(
                f"line {number}: {wrong[0]!r} is no id; give numbers, or --input_format=piece"
            )
        ids = [int(token) for token in tokens if token]
        try:
            yield tokenizer.decode(ids).encode()
        except TokenizerError as error:
            raise TokenizerError(f"line {number}: {error}") from None


def _extra(tokenizer: Tokenizer, options: str, out_type: type) -> Callable[[list[Any]], list[Any]]:
    """A function that applies "bos:eos:reverse" to pieces or ids, in the order of the names."""
    names = options.split(":") if options else []
    specials: dict[str, Any] = {"bos": tokenizer.bos_id, "eos": tokenizer.eos_id}
    for name in names:
        if name not in EXTRA_OPTIONS:
            raise TokenizerError(f"unknown extra option {name!r}{nearest(name, EXTRA_OPTIONS)}")
        if specials.get(name, 0) < 0:
            raise TokenizerError(f"{tokenizer.path.name} has no {name} piece")
    if out_type is str:
        to_piece = tokenizer.processor.id_to_piece
        specials = {name: to_piece(special) for name, special in specials.items() if special >= 0}

    def apply(tokens: list[Any]) -> list[Any]:
        for name in names:
            if name == "reverse":
                tokens = [*reversed(tokens)]
            elif name == "bos":
                tokens = [specials[name], *tokens]
            else:
                tokens = [*tokens, specials[name]]
        return tokens

    return apply


def _decoded(lines: Iterable[bytes]) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            raise TokenizerError(f"line {number} is not UTF-8 ({error.reason})") from None
