"""The extension gives SentencePiece's pieces of every line, or is not used."""

import random
import string
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from hypothesis import example, given, settings
from hypothesis import strategies as st

from filters.characters import without_surrogates
from filters.commoncrawl import pieces
from filters.commoncrawl.perplexity import load_language_model, normalize_for_lm
from filters.commoncrawl.pieces import AVAILABLE, Encode, load_encoder
from tests.filters.made_unigram import made_model
from tests.filters.tiny_models import TEXT, train_sentencepiece, write_arpa
from tests.tokenizer.real_documents import real_documents
from tokenizer.spec import PieceKind, parse_model

needs_extension = pytest.mark.skipif(not AVAILABLE, reason="the extension module was not built")

# Characters that rules join, split, delete and turn into spaces; some are in the models.
ALPHABET = (
    *string.printable,
    *(" ", "  ", "\u2581", "\u2581\u2581", "\0", "\x85", "\u00a0", "\u3000", "\u2028", "\ufeff"),
    *("e\u0301", "\ufb01", "\uff21", "\u00bd", "\ufdfa", "\u1100\u1161\u11a8", "\uff76\uff9e"),
    *("\u0437", "\u6628", "\u6d77", "\u0663", "\U0001f600", "\U0001f468\u200d", "\u00ad", "\u0327"),
    *("the ", "page", "0000", "aaaa", "====", "<s>", "</s>", "<unk>", "supercalifragilistic" * 2),
)
LINES = st.lists(st.sampled_from(ALPHABET), max_size=60).map(lambda parts: "".join(parts).encode())
# Ways of equal score, and of scores that differ by less than a sum is rounded by.
TIES = {
    "equal": {"a": -1.1, "aa": -2.2, "aaa": -3.3, "b": -0.7, "ab": -1.8, "ba": -1.8, "bb": -1.4},
    "close": {"a": -1.1, "aa": -2.2000003, "b": -0.7, "ab": -1.8000001, "bab": -2.5, "bb": -1.4002},
    "far apart": {"a": -11.5, "aa": -21.75, "b": -0.001, "ab": -11.502, "ba": -11.5015, "bb": 0.0},
    "above zero": {"a": 1.1, "aa": 2.2, "b": 0.7, "ab": 1.8, "ba": 1.8000001, "bbb": 2.1},
    "large": {"a": -900.1, "aa": -1800.3, "b": -1e4, "ab": -10900.05, "ba": -10900.1, "bb": -2e4},
}
SPACES = {
    "alone": {"\u2581": -2.0},
    "none": {},
    "in words": {"\u2581": -2.0, "\u2581a": -3.1, "\u2581ab": -3.8, "\u2581b": -2.7},
}


def asked(processor: sentencepiece.SentencePieceProcessor, line: bytes) -> tuple[bytes, int]:
    """Return SentencePiece's own answer."""
    found = processor.encode(line, out_type=bytes)
    return b" ".join(found), len(found)


def both(content: bytes) -> tuple[Encode, sentencepiece.SentencePieceProcessor]:
    """Return the extension's function of a model, and SentencePiece."""
    from filters.commoncrawl._perplexity import Pieces  # noqa: PLC0415 - it may be absent

    processor = sentencepiece.SentencePieceProcessor(model_proto=content)
    return Pieces(content).encode, processor


@pytest.fixture(scope="module", params=["small", "of marks", "few characters", "without rules"])
def trained(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Encode, sentencepiece.SentencePieceProcessor]:
    """Models of several kinds of text."""
    path = tmp_path_factory.mktemp("pieces") / "m.model"
    text = TEXT
    options: dict[str, Any] = {}
    if request.param == "of marks":
        text = TEXT * 3 + "\n".join("".join(ALPHABET[i % 7 :: 7]) for i in range(70))
        options = {"vocab_size": 400}
    elif request.param == "few characters":
        options = {"character_coverage": 0.98}
    elif request.param == "without rules":
        options = {"normalization_rule_name": "identity"}
    return both(train_sentencepiece(path, text, **options).read_bytes())


@needs_extension
@given(line=LINES)
@example(b"\xe2\x96\x81 \xe2\x96")
@settings(max_examples=300, deadline=None)
def test_pieces_are_sentencepieces(
    trained: tuple[Encode, sentencepiece.SentencePieceProcessor], line: bytes
) -> None:
    """Of any line, whatever the rules make of it."""
    encode, processor = trained
    assert encode(line) == asked(processor, line)


@needs_extension
@given(line=st.binary(max_size=40))
@settings(max_examples=300, deadline=None)
def test_bytes_that_are_no_utf8(
    trained: tuple[Encode, sentencepiece.SentencePieceProcessor], line: bytes
) -> None:
    """Each becomes U+FFFD, as SentencePiece does it."""
    encode, processor = trained
    assert encode(line) == asked(processor, line)


@needs_extension
@pytest.mark.parametrize("spaces", SPACES)
@pytest.mark.parametrize("ties", TIES)
def test_ties_that_rounding_decides(ties: str, spaces: str) -> None:
    """The same word is cut one way at the beginning of a line and another way behind a long one."""
    encode, processor = both(made_model({**TIES[ties], **SPACES[spaces]}))
    choose = random.Random(ties + spaces)
    words = ["".join(choose.choices("aab", k=choose.randint(1, 30))) for _ in range(200)]
    cuts: dict[str, set[bytes]] = {}
    for _ in range(60):
        line = " ".join(choose.choices(words, k=choose.choice([5, 50, 3000]))).encode()
        expected = asked(processor, line)
        assert encode(line) == expected
        for word in (b"aab", b"abab", b"aaaa"):
            last = asked(processor, line + b" " + word)
            assert encode(line + b" " + word) == last
            cuts.setdefault(word.decode(), set()).add(last[0].rpartition("\u2581".encode())[2])
    if ties in {"equal", "close"}:
        assert any(len(ways) > 1 for ways in cuts.values())  # or the test tests nothing


@needs_extension
@given(text=st.text("ab c\u2581", max_size=300), repeats=st.sampled_from([1, 7, 400]))
@settings(max_examples=100, deadline=None)
def test_ties_in_any_line(text: str, repeats: int) -> None:
    """Of characters that are known and one that is not, beyond the score at which sums restart."""
    encode, processor = both(made_model({**TIES["close"], **SPACES["in words"]}))
    line = (text * repeats).encode()
    assert encode(line) == asked(processor, line)


@needs_extension
@pytest.mark.parametrize(
    "text",
    [
        "e" * 100_000,
        "ab" * 50_000,
        " " * 99_999,
        "\u6628" * 40_000,
        "\u2581" * 30_000,
        "e " * 50_000,
    ],
    ids=lambda text: repr(text[:2]),
)
def test_long_lines_of_one_kind(
    trained: tuple[Encode, sentencepiece.SentencePieceProcessor], text: str
) -> None:
    """They take longer, but not as the square; sums restart several times."""
    encode, processor = trained
    for line in (text, "the page " + text, text + "\u2581x"):
        assert encode(line.encode()) == asked(processor, line.encode())


@needs_extension
def test_a_full_cache_changes_nothing(tmp_path: Path) -> None:
    """More different words than it has places for, then the first ones again."""
    encode, processor = both(train_sentencepiece(tmp_path / "m.model").read_bytes())
    choose = random.Random(0)
    lines = [
        " ".join("".join(choose.choices("etaoinsr", k=7)) for _ in range(10_000)).encode()
        for _ in range(12)
    ]
    first = [encode(line) for line in lines]
    assert [encode(line) for line in lines] == first
    assert first == [asked(processor, line) for line in lines]


@needs_extension
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"trainer": {3: 2}}, "no unigram model"),
        ({"trainer": {24: 1}}, "spaces behind words"),
        ({"normalizer": {3: 0}}, "treats spaces in another way"),
        ({"normalizer": {4: 0}}, "treats spaces in another way"),
        ({"normalizer": {5: 0}}, "treats spaces in another way"),
        ({"scores": {"a": -1.0, "a\u2581": -2.0}}, "a space behind its beginning"),
        ({"scores": {"\u2581\u2581": -1.0}}, "a space behind its beginning"),
        ({"kinds": {"a": PieceKind.USER_DEFINED}}, "defined by the user"),
        ({"scores": {}}, "no pieces"),
        ({"scores": {"a": float("inf")}}, "no finite number"),
        ({"rules": b"\0\4\0\0" + b"\0" * 1024}, "rules are broken"),
        ({"rules": b"\xff\xff\xff\xff" * 4}, "rules are broken"),
        ({"rules": b"\0\4\0\0" + b"\xff" * 1024 + b"a\0"}, "rules are broken"),
    ],
    ids=str,
)
def test_other_models_are_refused(change: dict[str, Any], reason: str) -> None:
    """The extension says why, and SentencePiece is asked instead."""
    from filters.commoncrawl._perplexity import Pieces  # noqa: PLC0415 - it may be absent

    model = made_model(**{"scores": {"a": -1.0}, **change})
    with pytest.raises(ValueError, match=reason):
        Pieces(model)
    assert load_encoder(model, lambda _: (b"", 0), ["a"]) is None


@needs_extension
@pytest.mark.parametrize("size", [0, 1, 5, 40, 501, 239_000])
def test_a_file_that_is_cut_short_is_refused(tmp_path: Path, size: int) -> None:
    """Whatever is missing of it."""
    from filters.commoncrawl._perplexity import Pieces  # noqa: PLC0415 - it may be absent

    content = train_sentencepiece(tmp_path / "m.model").read_bytes()
    with pytest.raises(ValueError, match=r"broken|no unknown piece|no pieces"):
        Pieces(content[:size])


@needs_extension
def test_unused_and_unknown_pieces() -> None:
    """An unused piece is not looked for; neighbours that are unknown are one piece."""
    model = made_model({"a": -1.0, "b": -2.0, "ab": -1.5}, kinds={"ab": PieceKind.UNUSED})
    encode, processor = both(model)
    for line in ("abab", "xyaxyz b", "x y", "a x\u2581y", "\u4e2d\u6587b"):
        assert encode(line.encode()) == asked(processor, line.encode())
    assert encode("axyb \u4e2d".encode()) == ("\u2581 a xy b \u2581\u4e2d".encode(), 5)


@needs_extension
def test_a_wrong_answer_at_load_is_noticed(tmp_path: Path) -> None:
    """Such as by an extension that another compiler broke."""
    content = train_sentencepiece(tmp_path / "m.model").read_bytes()
    processor = sentencepiece.SentencePieceProcessor(model_proto=content)
    vocabulary = processor.id_to_piece(list(range(processor.vocab_size())))
    assert load_encoder(content, lambda line: asked(processor, line), vocabulary) is not None

    def other(line: bytes) -> tuple[bytes, int]:
        return asked(processor, line.replace(b"h", b"e"))

    assert load_encoder(content, other, vocabulary) is None


def test_a_very_long_line_is_left_to_sentencepiece(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its places might not fit 31 bits."""

    class Refusing:
        def __init__(self, _model: bytes) -> None:
            pass

        def encode(self, line: bytes) -> tuple[bytes, int]:
            if line == b"long":
                raise OverflowError
            return b"", 0

    monkeypatch.setattr(pieces, "AVAILABLE", True)
    monkeypatch.setattr(pieces, "Pieces", Refusing, raising=False)
    monkeypatch.setattr(pieces, "check_lines", lambda _: [])
    encoder = load_encoder(b"", lambda line: (line, 7), [])
    assert encoder is not None
    assert encoder.encode(b"long") == (b"long", 7)
    assert encoder.encode(b"short") == (b"", 0)


def test_without_the_extension(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SentencePiece answers, with the same scores."""
    model = train_sentencepiece(tmp_path / "m.model")
    processor = sentencepiece.SentencePieceProcessor(model_file=str(model))
    words = processor.encode("the page of the dog \u4e2d\u6587", out_type=str)
    unigrams = {"<unk>": (-3.0, 0.0), "<s>": (-99.0, 0.0), "</s>": (-1.0, 0.0)}
    unigrams |= {word: (-1.0 - number / 7, -0.3) for number, word in enumerate(words)}
    arpa = write_arpa(tmp_path / "m.arpa", unigrams)
    page = "The page of the dog \u4e2d\u6587 \ud800\nand more \u2014 words"
    fast = load_language_model(model, arpa)
    monkeypatch.setattr(pieces, "AVAILABLE", False)
    plain = load_language_model(model, arpa)
    assert fast.perplexity(page) == plain.perplexity(page) is not None
    line = normalize_for_lm(page)
    assert fast.score(line) == plain.score(line)


@needs_extension
@pytest.mark.data
def test_real_texts_have_sentencepieces_pieces(data: Path, tmp_path: Path) -> None:
    """Pages, dumps, books, code and TeX of all languages, normalised and raw, whole and by line."""
    texts = [document.text for document in real_documents(data)]
    some = [normalize_for_lm(text)[:600] for text in texts[::10]]
    model = train_sentencepiece(tmp_path / "m.model", "\n".join(some), vocab_size=8000)
    encode, processor = both(model.read_bytes())
    assert len(parse_model(model.read_bytes()).pieces) > 4000
    compared = 0
    for text in texts[:: 1 if len(texts) < 4000 else 6]:
        for line in (normalize_for_lm(text), text):
            content = without_surrogates(line).encode()
            assert encode(content) == asked(processor, content)
            compared += 1
    assert compared > 1000
