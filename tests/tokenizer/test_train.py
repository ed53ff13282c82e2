"""Training with LLaMA's settings gives LLaMA's kind of model, the same every time."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from tokenizer.corpus import Corpus, Text
from tokenizer.model import Tokenizer
from tokenizer.properties import check_properties
from tokenizer.train import TrainError, TrainSettings, train


class Texts(Corpus):
    """A corpus in memory."""

    def __init__(self, texts: list[Text]) -> None:
        self.bad_records, self.bad = 0, []
        self.texts = texts

    def __iter__(self) -> Any:
        return iter(self.texts)


@pytest.fixture
def documents(texts: list[str]) -> list[Text]:
    """The sources of the standard library as documents."""
    return [Text(f"file {number}", "stdlib", text) for number, text in enumerate(texts)]


SMALL = TrainSettings(vocab_size=600)


def test_defaults_are_llamas(llama_settings: dict[str, Any]) -> None:
    """What must be set is set, and the rest is SentencePiece's (section 1.1)."""
    expected = {"vocab_size": 32_000, "max_sentence_length": 4192, "pad_id": -1, **llama_settings}
    settings = dataclasses.asdict(TrainSettings()) | {"minloglevel": 2}
    assert {name: settings[name] for name in expected} == expected


def test_settings_reach_the_model(documents: list[Text], tmp_path: Path) -> None:
    """All of them, but for unk_surface and the like also SentencePiece's own defaults."""
    paths = train(Texts(documents), SMALL, minloglevel=2).write(tmp_path / "new" / "tok")
    tokenizer = Tokenizer(paths[0])
    spec = tokenizer.spec
    stored = {**spec.trainer, **spec.normalizer}
    settings = dataclasses.asdict(SMALL)
    assert {name: stored[name] for name in settings} == settings
    assert {found.number for found in check_properties(tokenizer) if found.problem} <= {"T7"}


def test_t9_the_same_input_gives_the_same_bytes(documents: list[Text]) -> None:
    """Also in another order, and with another number of threads the same vocabulary."""
    one = train(Texts(documents), SMALL, sample_bytes=200_000, minloglevel=2)
    other = train(Texts(documents[::-1]), SMALL, sample_bytes=200_000, minloglevel=2)
    threads = dataclasses.replace(SMALL, num_threads=1)
    single = train(Texts(documents), threads, sample_bytes=200_000, minloglevel=2)
    assert other.model == one.model
    assert single.vocab == other.vocab == one.vocab
    assert one.sources[0].chosen_bytes < one.sources[0].bytes


def test_sentencepiece_does_not_sample() -> None:
    """Its sample differs from process to process, whatever the seed."""
    settings = dataclasses.replace(SMALL, input_sentence_size=2000)
    with pytest.raises(TrainError, match=r"input_sentence_size must be 0: .* --sample_bytes"):
        train(Texts([Text("1", "a", "text")]), settings)


def test_long_lines_are_not_lost() -> None:
    """A limit below the length of the only line: it is split, not passed over in silence."""
    corpus = Texts([Text("1", "a", "hello world " * 50)])
    settings = TrainSettings(vocab_size=270, max_sentence_length=40)
    assert train(corpus, settings).sources[0].chosen_lines == 17  # of six words


def test_the_written_files(documents: list[Text], tmp_path: Path) -> None:
    """A model and a vocab, nothing else."""
    trained = train(Texts(documents), SMALL, minloglevel=2)
    trained.write(tmp_path / "tok")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tok.model", "tok.vocab"]
    assert trained.vocab.startswith("<unk>\t0\n<s>\t0\n</s>\t0\n<0x00>\t0\n")
    assert trained.vocab.count("\n") == 600


def test_too_large_a_vocabulary_says_what_is_possible() -> None:
    """One line, and its advice works."""
    corpus = Texts([Text("1", "a", "hello world\n" * 3)])
    with pytest.raises(TrainError) as caught:
        train(corpus, SMALL, minloglevel=3)
    message = str(caught.value)
    assert "vocab_size 600 is too high: the sample of 36 bytes gives " in message
    assert "\n" not in message
    possible = re.search(r"--vocab_size=(\d+) or less", message)
    assert possible
    train(corpus, TrainSettings(vocab_size=int(possible[1])), minloglevel=3)


def test_too_small_a_vocabulary_says_what_is_needed() -> None:
    """Characters alone can take more than the vocabulary."""
    corpus = Texts([Text("1", "a", "".join(chr(0x4E00 + i) for i in range(1000)))])
    with pytest.raises(TrainError, match=r"vocab_size 600 is too low: .* take 1260; set"):
        train(corpus, SMALL, minloglevel=3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocab_size": -1}, "SentencePiece refuses the settings: .*vocab_size.* > "),
        ({"character_coverage": 2.0}, "character_coverage.* <= 1.0"),
        ({"model_type": "bpee"}, "bpee"),
        ({"normalization_rule_name": "identty"}, "identty"),
    ],
)
def test_refused_settings(changes: dict[str, Any], message: str) -> None:
    """What SentencePiece refuses, in its words, in one line."""
    corpus = Texts([Text("1", "a", "hello world\n" * 3)])
    with pytest.raises(TrainError, match=message) as caught:
        train(corpus, TrainSettings(**changes), minloglevel=3)
    assert "\n" not in str(caught.value)


def test_a_sample_of_reserved_lines_only() -> None:
    """Nothing is left."""
    with pytest.raises(TrainError, match="no line is left to train on"):
        train(Texts([Text("1", "a", "▅\n")]), SMALL, minloglevel=3)


def test_a_digit_of_any_script_is_a_token_of_its_own(tmp_path: Path) -> None:
    """SentencePiece joins those beyond ASCII with the space before them (section 1.3, T2)."""
    digits = "\u06f1\u06f2\u06f3"
    lines = [f"word {a} other {b}{a} words {b}" for a in digits for b in digits] * 30
    corpus = Texts([Text("a", "wikipedia", "\n".join([*lines, "a b ab abc 12 3456 7890"] * 3))])
    settings = TrainSettings(vocab_size=300)
    tokenizer = Tokenizer(train(corpus, settings).write(tmp_path / "tok")[0])
    found = {found.number: found.problem for found in check_properties(tokenizer)}
    assert (found["T1"], found["T2"]) == ("", "")
    assert tokenizer.vocab_size == 300
    pieces = [tokenizer.processor.id_to_piece(i) for i in tokenizer.encode(f"word {digits}")]
    assert pieces == ["\u2581word", "\u2581", *digits]
    scores = [piece.score for piece in tokenizer.spec.pieces[259:]]
    assert scores == [-float(rank) for rank in range(len(scores))]
    assert tokenizer.why_slow == ""
    single = dataclasses.replace(settings, vocab_size=100_000)
    with pytest.raises(TrainError, match="vocab_size 100000 is too high") as error:
        train(corpus, single)
    most = int(str(error.value).split("--vocab_size=")[1].split()[0])
    assert most > 300
