"""Encoding gives the ids of SentencePiece, whatever the length of the text."""

import pickle
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tokenizer.model import PART_CHARS, Tokenizer, TokenizerError, split_at_line_ends

TrainSmall = Callable[..., Path]


def test_ids_are_those_of_sentencepiece(tokenizer: Tokenizer, texts: list[str]) -> None:
    """Every source is longer than a part, so this is the cut of section 1.6."""
    assert tokenizer.cuts
    for text in texts:
        assert tokenizer.encode(text).tolist() == tokenizer.processor.encode(text)


@pytest.mark.parametrize("seed", range(20))
def test_the_cut_is_exact_among_spaces_and_line_ends(tokenizer: Tokenizer, seed: int) -> None:
    """Line ends beside spaces, tabs, other line ends and rare characters."""
    random_text = random.Random(seed).choices("\n\n\n  \t\r\0ae1▁é😀x", k=4 * PART_CHARS)
    text = "".join(random_text)
    assert tokenizer.encode(text).tolist() == tokenizer.processor.encode(text)


def test_parts_join_to_the_text() -> None:
    """A part ends before a line end; a line longer than a part stays whole."""
    text = "\n\nab\n" + "c" * 9 + "\nd\n\n"
    parts = split_at_line_ends(text, 4)
    assert parts == ["\n", "\nab", "\nccccccccc", "\nd\n\n"]


def test_special_ids_surround_the_document(tokenizer: Tokenizer) -> None:
    """Bos first, eos last, in short and in long texts."""
    for text in ("", "a b", "a b\n" * PART_CHARS):
        plain = tokenizer.encode(text).tolist()
        assert tokenizer.encode(text, bos=True, eos=True).tolist() == [1, *plain, 2]
        assert tokenizer.encode(text, eos=True).tolist() == [*plain, 2]


def test_dtype_is_the_smallest_that_holds_the_vocabulary(tokenizer: Tokenizer) -> None:
    """1,500 ids fit into two bytes."""
    assert tokenizer.encode("a").dtype == np.uint16
    assert tokenizer.encode("a\n" * PART_CHARS, bos=True).dtype == np.uint16


def test_a_model_with_a_piece_across_lines_is_not_cut(
    tmp_path: Path, train_small: TrainSmall
) -> None:
    """A user-defined piece that holds a line end would be lost at the seam."""
    path = train_small(
        tmp_path / "m.model", "ab ab abc\n", vocab_size=270, user_defined_symbols="b\nb",
        hard_vocab_limit=False,
    )  # fmt: skip
    tokenizer = Tokenizer(path)
    text = "ab\nb" * PART_CHARS
    assert not tokenizer.cuts
    assert tokenizer.encode(text).tolist() == tokenizer.processor.encode(text)
    assert tokenizer.processor.piece_to_id("b\nb") in tokenizer.encode(text)


@pytest.mark.parametrize(
    "settings",
    [
        {"remove_extra_whitespaces": True},
        {"normalization_rule_name": "nmt_nfkc"},
        {"treat_whitespace_as_suffix": True},
        {"byte_fallback": False},
        {"model_type": "unigram"},
    ],
    ids=str,
)
def test_other_settings_are_not_cut(
    tmp_path: Path, train_small: TrainSmall, settings: dict[str, object]
) -> None:
    """What makes the cut exact is asked of the model, not assumed."""
    text = "ab  abc cba ab\nabba ab\n"
    path = train_small(
        tmp_path / "m.model", text, vocab_size=275, hard_vocab_limit=False, **settings
    )
    tokenizer = Tokenizer(path)
    assert not tokenizer.cuts
    long = text * PART_CHARS
    assert tokenizer.encode(long).tolist() == tokenizer.processor.encode(long)


def test_without_dummy_prefix_nothing_is_dropped(tmp_path: Path, train_small: TrainSmall) -> None:
    """The id that later parts lose is there only where SentencePiece adds a space."""
    path = train_small(
        tmp_path / "m.model", "ab ab abc\n", vocab_size=266, add_dummy_prefix=False,
        hard_vocab_limit=False,
    )  # fmt: skip
    tokenizer = Tokenizer(path)
    text = "ab abc\n" * PART_CHARS
    assert tokenizer.cuts
    assert tokenizer.encode(text).tolist() == tokenizer.processor.encode(text)


def test_pickled_by_path(tokenizer: Tokenizer) -> None:
    """A pickle is small, and gives the same tokenizer where the file is."""
    pickled = pickle.dumps(tokenizer)
    assert len(pickled) < 500
    again = pickle.loads(pickled)  # noqa: S301 - made a line above
    assert (again.path, again.sha256) == (tokenizer.path, tokenizer.sha256)
    assert again.encode("a b").tolist() == tokenizer.encode("a b").tolist()


def test_a_changed_model_is_not_unpickled(tmp_path: Path, train_small: TrainSmall) -> None:
    """Two workers must not encode with two models."""
    path = train_small(tmp_path / "m.model", "ab abc\n", vocab_size=264, hard_vocab_limit=False)
    pickled = pickle.dumps(Tokenizer(path))
    train_small(path, "xy xyz\n", vocab_size=264, hard_vocab_limit=False)
    with pytest.raises(TokenizerError, match="the model has changed"):
        pickle.loads(pickled)  # noqa: S301 - made above


def test_errors_say_what_to_do(tokenizer: Tokenizer, tmp_path: Path) -> None:
    """A missing file, another file, and input that no tokenizer takes."""
    with pytest.raises(TokenizerError, match="python -m tokenizer train"):
        Tokenizer(tmp_path / "absent.model")
    other = tmp_path / "other.model"
    for content in (b"", b"import os\n", tokenizer.path.read_bytes()[:-100]):
        other.write_bytes(content)
        with pytest.raises(TokenizerError, match=r"other\.model: not a SentencePiece model"):
            Tokenizer(other)
    with pytest.raises(TokenizerError, match="a lone surrogate at character 1"):
        tokenizer.encode("a\ud800")
    with pytest.raises(TokenizerError, match="id 1500 is not within 0 to 1499"):
        tokenizer.decode([5, 1500])


def test_decode_takes_arrays_and_lists(tokenizer: Tokenizer) -> None:
    """Special ids give no text, wherever they stand."""
    ids = tokenizer.encode("def f(x):", bos=True, eos=True)
    assert tokenizer.decode(ids) == tokenizer.decode(ids.tolist()) == "def f(x):"
