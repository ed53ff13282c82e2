"""Train a tokenizer with LLaMA's settings on our sample (docs/rules/tokens.md 1.1 and 1.4)."""

import dataclasses
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sentencepiece

from tokenizer.corpus import Corpus
from tokenizer.digits import joined_digits, without_pieces
from tokenizer.errors import UserError
from tokenizer.files import write_atomically
from tokenizer.sample import LINE_BYTES, LanguageSample, Sample, SourceSample, draw_sample
from tokenizer.settings import setting
from tokenizer.spec import parse_model, vocab_text

SAMPLE_BYTES: Final = 2_000_000_000  # 1 to 10 GB are enough for 32,000 pieces
DEPRECATED: Final = ("train_extremely_large_corpus", "self_test_sample_size")


class TrainError(UserError, ValueError):
    """A vocabulary that cannot be made, from these settings or from this text."""


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """SentencePiece's settings by their names there, with the values of LLaMA's tokenizer.

    Two differ, and neither is a property of the tokenizer: ``input_sentence_size`` was
    200,000,000, but the sample is drawn before; ``num_threads`` was 80.
    """

    vocab_size: int = setting(32_000, at_least=3, help="pieces, with 3 special ones and 256 bytes")
    model_type: str = setting(
        "bpe", help="bpe, unigram, word or char", choices=("bpe", "unigram", "word", "char")
    )
    character_coverage: float = setting(
        0.99995, at_least=0, at_most=1, help="share of characters that get a piece"
    )
    input_sentence_size: int = setting(0, help="must be 0: use --sample_bytes")
    shuffle_input_sentence: bool = setting(True, help="shuffle if lines are sampled")
    max_sentence_length: int = setting(4192, help="bytes; longer lines are split before")
    max_sentencepiece_length: int = setting(16, help="characters of a piece")
    split_digits: bool = setting(True, help="no merge with or of digits")
    split_by_number: bool = setting(True, help="no merge across numbers and others")
    split_by_whitespace: bool = setting(True, help="no merge across words")
    split_by_unicode_script: bool = setting(True, help="no merge across scripts")
    treat_whitespace_as_suffix: bool = setting(False, help="a space ends a piece, not begins it")
    allow_whitespace_only_pieces: bool = setting(True, help="pieces for runs of spaces")
    byte_fallback: bool = setting(True, help="characters without a piece become bytes")
    normalization_rule_name: str = setting("identity", help="identity, nfkc, nmt_nfkc, ...")
    add_dummy_prefix: bool = setting(True, help="a space before each text")
    remove_extra_whitespaces: bool = setting(False, help="loses spaces and line ends if true")
    hard_vocab_limit: bool = setting(True, help="fail if vocab_size is out of reach")
    unk_id: int = setting(0, help="id, not negative")
    bos_id: int = setting(1, help="id, -1 for none")
    eos_id: int = setting(2, help="id, -1 for none")
    pad_id: int = setting(-1, help="id, -1 for none")
    unk_piece: str = setting("<unk>", help="text of the piece")
    bos_piece: str = setting("<s>", help="text of the piece")
    eos_piece: str = setting("</s>", help="text of the piece")
    pad_piece: str = setting("<pad>", help="text of the piece")
    unk_surface: str = setting(" \u2047 ", help="what unk decodes to")
    user_defined_symbols: tuple[str, ...] = setting((), help="always one token, also inside texts")
    control_symbols: tuple[str, ...] = setting((), help="never in a text")
    required_chars: str = setting("", help="characters that get a piece anyway")
    num_threads: int = setting(16, help="threads")
    seed_sentencepiece_size: int = setting(1_000_000, help="unigram only")
    shrinking_factor: float = setting(0.75, help="unigram only")
    num_sub_iterations: int = setting(2, help="unigram only")
    train_extremely_large_corpus: bool = setting(False, help="64-bit positions")
    self_test_sample_size: int = setting(0, help="self test samples stored in the model")


@dataclass(frozen=True, slots=True)
class Trained:
    """A model in memory, and what it was made from."""

    model: bytes  # content of the .model file
    vocab: str  # content of the .vocab file
    sources: tuple[SourceSample, ...]
    bad_records: int
    languages: tuple[LanguageSample, ...] = ()

    def write(self, prefix: str | Path) -> tuple[Path, Path]:
        """Write ``prefix.model`` and ``prefix.vocab``, each whole or not at all."""
        model, vocab = Path(f"{prefix}.model"), Path(f"{prefix}.vocab")
        model.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(vocab, self.vocab.encode())
        write_atomically(model, self.model)
        return model, vocab


def train(
    corpus: Corpus,
    settings: TrainSettings,
    *,
    sample_bytes: int = SAMPLE_BYTES,
    weights: Mapping[str, float] | None = None,
    random_seed: int = 0,
    minloglevel: int = 2,
) -> Trained:
    """Train a tokenizer: the same corpus and arguments give the same bytes (T9).

    Args:
        corpus: read twice, see `draw_sample` for it and for the next three arguments.
        settings: of SentencePiece.
        sample_bytes: bytes of text (UTF-8) to train on, 0 for all.
        weights: share of each source in these bytes, None to sample all alike.
        random_seed: chooses the sample.
        minloglevel: SentencePiece's log on stderr: 0 all, 1 warnings, 2 errors.

    Raises:
        TrainError: settings that SentencePiece refuses, or ``input_sentence_size``, or a sample
            that is too small for the vocabulary, with the size that is possible.
        CorpusError, SampleError: see `draw_sample`.
    """
    if settings.input_sentence_size:
        # It differs from process to process, whatever the seed (sentencepiece 0.2.3).
        raise TrainError(
            "input_sentence_size must be 0: SentencePiece's sample cannot be repeated; "
            "use --sample_bytes instead"
        )
    line_bytes = max(1, min(LINE_BYTES, settings.max_sentence_length))
    with draw_sample(
        corpus,
        sample_bytes=sample_bytes,
        weights=weights,
        seed=random_seed,
        line_bytes=line_bytes,
    ) as sample:
        sources, languages = tuple(sample.sources.values()), tuple(sample.languages)
        model = _train_apart(sample, settings, sources, minloglevel)
    return Trained(model, vocab_text(parse_model(model)), sources, corpus.bad_records, languages)


def _train_apart(
    sample: Sample, settings: TrainSettings, sources: tuple[SourceSample, ...], minloglevel: int
) -> bytes:
    """Train, and again for more pieces if some must be taken out (see `tokenizer.digits`)."""
    more = 0
    while True:
        model = _train_once(sample, settings, sources, minloglevel, more)
        if settings.model_type != "bpe" or not settings.split_digits:
            return model
        spec = parse_model(model)
        joined = joined_digits(spec)
        if len(joined) <= more:
            left = len(spec.pieces) - len(joined)  # vocab_size, where SentencePiece found so many
            return without_pieces(model, joined, left) if joined else model
        more = len(joined)


def _train_once(
    sample: Sample,
    settings: TrainSettings,
    sources: tuple[SourceSample, ...],
    minloglevel: int,
    more: int,
) -> bytes:
    arguments: dict[str, Any] = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in dataclasses.asdict(settings).items()
        if value or name not in DEPRECATED  # which SentencePiece warns of, whatever the value
    }
    arguments["vocab_size"] += more
    writer = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=sample.lines(),
            model_writer=writer,
            minloglevel=minloglevel,
            **arguments,
        )
    except (RuntimeError, ValueError) as error:
        raise TrainError(explain(str(error), settings, sources, more)) from None
    return writer.getvalue()


def explain(
    message: str, settings: TrainSettings, sources: tuple[SourceSample, ...], more: int = 0
) -> str:
    """Say in one line what SentencePiece's error means here, and what to do.

    Args:
        message: SentencePiece's.
        settings: that were asked for.
        sources: what was sampled.
        more: pieces that were trained beyond ``vocab_size``.
    """
    chosen = sum(source.chosen_bytes for source in sources)
    sampled = f"the sample of {chosen:,} bytes"
    if high := re.search(r"Vocabulary size too high \(\d+\).*<= (\d+)", message):
        most = int(high[1]) - more
        return (
            f"vocab_size {settings.vocab_size} is too high: {sampled} gives {most} pieces; "
            f"set --vocab_size={most} or less, or give more text"
        )
    if low := re.search(r"Vocabulary size is smaller than required_chars. \d+ vs (\d+)", message):
        return (
            f"vocab_size {settings.vocab_size} is too low: special pieces, bytes and the "
            f"characters of {sampled} take {low[1]}; set --vocab_size to {low[1]} or more, "
            "or lower --character_coverage"
        )
    if "!sentences_.empty()" in message:
        return f"no line is left to train on in {sampled}; raise --sample_bytes"
    condition = re.search(r"\[(.+)\] *(.*)", message)
    reason = " ".join(part for part in condition.groups() if part) if condition else message
    return f"SentencePiece refuses the settings: {' '.join(reason.split())}"
