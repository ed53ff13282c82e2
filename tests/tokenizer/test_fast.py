"""The extension module gives SentencePiece's ids, or is not used."""

import random
import string
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenizer.real_documents import real_documents
from tokenizer import fast
from tokenizer.corpus import Text
from tokenizer.model import Tokenizer, TokenizerError
from tokenizer.properties import check_properties
from tokenizer.train import TrainSettings, train

TrainSmall = Callable[..., Path]

pytestmark = pytest.mark.skipif(
    not fast.AVAILABLE, reason="no extension module: install with a C compiler"
)

# Words, marks, blanks, controls, and characters of two to four bytes: some in the models, some not.
ALPHABET = (
    *string.printable,
    *(" ", "  ", "\u2581", "\0", "\x85", "\u00a0", "\u2028", "\ufeff"),
    *(
        "\u00e9",
        "e\u0301",
        "\u0437",
        "\u6628",
        "\u6d77",
        "\u0663",
        "\U0001f600",
        "\U0001f468\u200d",
    ),
    *("the", "self.", "return", "    ", "<s>", "</s>", "<unk>", "<0x0A>", "1234", "==", "__init__"),
)
TEXTS = st.lists(st.sampled_from(ALPHABET), max_size=60).map("".join)

VARIANTS: dict[str, dict[str, Any]] = {
    "LLaMA's": {},
    "no prefix": {"add_dummy_prefix": False},
    "pieces across spaces": {"split_by_whitespace": False},
    "long pieces of everything": {
        "split_by_whitespace": False,
        "split_by_unicode_script": False,
        "split_by_number": False,
        "split_digits": False,
        "max_sentencepiece_length": 32,
    },
    "no pieces of spaces": {"allow_whitespace_only_pieces": False},
    "few characters": {"character_coverage": 0.98},
    "control symbols": {"control_symbols": "<one>,<two>"},
    "tiny": {"vocab_size": 400},
}


@pytest.fixture(scope="module", params=VARIANTS)
def variant(
    request: pytest.FixtureRequest,
    texts: list[str],
    train_small: TrainSmall,
    tmp_path_factory: pytest.TempPathFactory,
) -> Tokenizer:
    """Models of which the extension must know what it may cut."""
    text = "\n".join(
        [*texts[:8], "\u6628\u5929\u5929\u6c14\u5f88\u597d caf\u00e9 \u0437\u0430 " * 40]
    )
    options = {"vocab_size": 1500, **VARIANTS[request.param]}
    path = tmp_path_factory.mktemp("variant") / "m.model"
    return Tokenizer(train_small(path, text, **options))


def expected(tokenizer: Tokenizer, text: str) -> list[int]:
    """SentencePiece's ids of the whole text."""
    ids: list[int] = tokenizer.processor.encode(text)
    return ids


@given(text=TEXTS)
@settings(max_examples=150, deadline=None)
def test_ids_are_sentencepieces(variant: Tokenizer, text: str) -> None:
    """Of any text, whatever the pieces are."""
    assert variant.why_slow == ""
    assert variant.encode(text).tolist() == expected(variant, text)


def test_ids_of_sources_are_sentencepieces(variant: Tokenizer, texts: list[str]) -> None:
    """Of whole files, among them those that the model has not seen."""
    for text in texts:
        assert variant.encode(text).tolist() == expected(variant, text)


def test_the_check_texts_pass(variant: Tokenizer) -> None:
    """What is asked at every load."""
    checked = list(fast.check_texts(variant.spec))
    assert len(checked) > len(fast.CHECK_TEXTS)
    for text in checked:
        assert variant.encode(text).tolist() == expected(variant, text)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"model_type": "unigram"}, "the model is no BPE"),
        ({"normalization_rule_name": "nmt_nfkc"}, "the model normalises texts"),
        ({"remove_extra_whitespaces": True}, "the model removes spaces"),
        ({"treat_whitespace_as_suffix": True}, "the model puts spaces behind words"),
        ({"byte_fallback": False}, "the model has no bytes"),
        ({"user_defined_symbols": "self"}, "the model has user-defined symbols"),
        ({"control_symbols": "\u00a7"}, "a special piece is a single character"),
    ],
    ids=str,
)
def test_other_models_are_left_to_sentencepiece(
    tmp_path: Path, train_small: TrainSmall, texts: list[str], options: dict[str, Any], reason: str
) -> None:
    """The reason is known, and the ids are right."""
    text = "\n".join(texts[:6])
    tokenizer = Tokenizer(train_small(tmp_path / "m.model", text, vocab_size=800, **options))
    assert tokenizer.why_slow == reason
    for sample in ("a  b \uff21 self \u00a7", *texts[:2]):
        assert tokenizer.encode(sample).tolist() == expected(tokenizer, sample)


def test_a_wrong_answer_at_load_is_noticed(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An extension that another compiler broke must not make wrong shards."""
    right = fast.make_encoder(tokenizer.spec)

    def wrong(text: str, bos: int, eos: int) -> bytearray:
        return right(text.replace("=", "-"), bos, eos)

    monkeypatch.setattr("tokenizer.model.make_encoder", lambda _: wrong)
    again = Tokenizer(tokenizer.path)
    assert again.why_slow == "the extension gives other ids on this machine"
    assert again.encode("a = b").tolist() == tokenizer.encode("a = b").tolist()


def test_sentencepiece_can_be_asked_for(tokenizer: Tokenizer) -> None:
    """As the oracle of tests and benchmarks."""
    slow = Tokenizer(tokenizer.path, fast=False)
    assert slow.why_slow == "it was asked for"
    assert slow.encode("a  b\n1", bos=True, eos=True).tolist() == (
        tokenizer.encode("a  b\n1", bos=True, eos=True).tolist()
    )


def test_a_full_cache_changes_nothing(tokenizer: Tokenizer) -> None:
    """More different words than it has places for, then the first ones again."""
    words = random.Random(0)
    texts = [
        " ".join("".join(words.choices("etaoinsr", k=7)) for _ in range(20_000)) for _ in range(30)
    ]
    first = [tokenizer.encode(text) for text in texts]
    assert all(
        np.array_equal(tokenizer.encode(text), ids) for text, ids in zip(texts, first, strict=True)
    )
    assert first[0].tolist() == expected(tokenizer, texts[0])


@pytest.mark.parametrize("text", ["e" * 100_000, "ab" * 50_000, " " * 99_999, "\u6628" * 40_000])
def test_a_text_without_a_place_to_cut(tokenizer: Tokenizer, text: str) -> None:
    """It takes longer, but not as its square."""
    assert tokenizer.encode(text).tolist() == expected(tokenizer, text)


def test_a_lone_surrogate_is_an_error(tokenizer: Tokenizer) -> None:
    """The same as SentencePiece's."""
    for used in (tokenizer, Tokenizer(tokenizer.path, fast=False)):
        with pytest.raises(TokenizerError, match="a lone surrogate at character 2"):
            used.encode("ab\ud800c")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pieces": 0}, "pieces: ids must fit 16 bits"),
        ({"pieces": 65_537}, "pieces: ids must fit 16 bits"),
        ({"byte_ids": b"\0" * 510}, "byte_ids: 256 numbers"),
        ({"characters": b"\0" * 12}, "characters: rows of 2"),
        ({"characters": b"\xff" * 8}, "characters: a number is out of range"),
        ({"characters": b""}, "the space must be a piece"),
        ({"joins": b"\xff" * 8}, "joins: a number is out of range"),
        ({"merges": b"\xff" * 16}, "merges: a number is out of range"),
    ],
    ids=str,
)
def test_arrays_that_lead_astray_are_refused(change: dict[str, Any], message: str) -> None:
    """No number may point out of a table."""
    from tokenizer._bpe import Encoder  # noqa: PLC0415 - the module may be absent

    space = np.array([0x2581, 5], np.uint32).tobytes()
    arguments = {
        "pieces": 300, "byte_ids": bytes(512), "characters": space, "joins": b"", "merges": b"",
        "prefix": True,
    }  # fmt: skip
    Encoder(**arguments)
    with pytest.raises(ValueError, match=message):
        Encoder(**(arguments | change))


class _Documents(list[Text]):
    """A corpus in memory."""

    bad_records = 0


@pytest.fixture(scope="module")
def real(data: Path) -> list[Text]:
    """All documents of the real inputs."""
    return [Text(*document) for document in _texts(data)]


def _texts(data: Path) -> Iterator[tuple[str, str, str]]:
    for document in real_documents(data):
        yield document.id, document.source, document.text


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("vocab_size", [4_000, 32_000])
def test_ids_of_all_real_documents(real: list[Text], tmp_path: Path, vocab_size: int) -> None:
    """Web pages, source files, books, wikitext, TeX and posts: 24,393 texts, not one differs."""
    corpus: Any = _Documents(real)
    trained = train(corpus, TrainSettings(vocab_size=vocab_size), sample_bytes=20_000_000)
    tokenizer = Tokenizer(trained.write(tmp_path / "real")[0])
    assert tokenizer.why_slow == ""
    assert [found for found in check_properties(tokenizer) if found.problem] == []
    slow = Tokenizer(tokenizer.path, fast=False)
    different = [
        text.id
        for text in real
        if not np.array_equal(tokenizer.encode(text.text), slow.encode(text.text))
    ]
    assert different == []
    lost = [
        text.id
        for text in real
        if tokenizer.decode(tokenizer.encode(text.text)) != text.text.replace(fast.SPACE, " ")
    ]
    assert lost == []
    assert len(real) > 20_000
