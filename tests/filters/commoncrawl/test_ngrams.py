"""The extension gives KenLM's scores of every line, bit for bit, or is not used."""

import mmap
import random
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import kenlm
import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.characters import without_surrogates
from filters.commoncrawl import perplexity
from filters.commoncrawl.perplexity import load_language_model, normalize_for_lm
from filters.commoncrawl.pieces import AVAILABLE
from pipelines.setup.cache import SetupError
from pipelines.setup.kenlm import Tools, find_tools
from tests.filters.made_unigram import made_model
from tests.filters.tiny_models import TEXT, train_sentencepiece
from tests.tokenizer.real_documents import real_documents

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="the extension module was not built")

Scores = Callable[[bytes], tuple[float, int] | None]

# Trigrams without the bigrams that they end in, words without back-offs, zeros of both signs.
PRUNED = """\\data\\
ngram 1=6
ngram 2=3
ngram 3=4

\\1-grams:
-1.5\t<unk>
-99\t<s>\t-0.5
-1.25\t</s>
-0.75\t\u2581a\t-0.25
-0.875\t\u2581b\t0
-1.1\tb\t-0.3

\\2-grams:
-0.3\t<s> \u2581a\t-0.125
-0.2\t\u2581a \u2581b\t0
-0.4\t\u2581b b

\\3-grams:
-0.1\t<s> \u2581a \u2581b
-0.7\t\u2581a \u2581b b
-0.6\t\u2581b b </s>
-0.05\t\u2581a \u2581b \u2581a

\\end\\
"""


@pytest.fixture(scope="module")
def tools() -> Tools:
    """KenLM's programs, or a reason to skip."""
    try:
        return find_tools()
    except SetupError as error:
        pytest.skip(str(error))


def build(tools: Tools, arpa: Path, *options: str) -> Path:
    """Write KenLM's binary file of an ARPA text."""
    target = arpa.with_suffix(".bin")
    command = [str(tools.build_binary), *options, str(arpa), str(target)]
    subprocess.run(command, check=True, capture_output=True)
    return target


def estimate(tools: Tools, folder: Path, lines: list[bytes], *options: str) -> Path:
    """Write an ARPA text of lines of pieces."""
    arpa = folder / "m.arpa"
    command = [str(tools.lmplz), "--discount_fallback", "--skip_symbols", "-S", "64M", *options]
    with arpa.open("wb") as out:
        text = b"".join(line + b"\n" for line in lines)
        subprocess.run(command, input=text, stdout=out, stderr=subprocess.DEVNULL, check=True)
    return arpa


def both(model: bytes, ngrams: Path) -> tuple[Scores, Scores]:
    """Return the extension's scores, and those of the two libraries."""
    from filters.commoncrawl._perplexity import Pieces  # noqa: PLC0415 - it may be absent

    pieces = Pieces(model)
    with ngrams.open("rb") as file:
        pieces.take_ngrams(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    library = kenlm.Model(str(ngrams))

    def asked(line: bytes) -> tuple[float, int]:
        found = processor.encode(line, out_type=bytes)
        return library.score(b" ".join(found), bos=True, eos=True), len(found) + 1

    return pieces.score, asked


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small model of pieces."""
    return train_sentencepiece(tmp_path_factory.mktemp("pieces") / "m.model").read_bytes()


def sentences(model: bytes, count: int) -> list[bytes]:
    """Return lines of pieces of made sentences, some with characters that are no pieces."""
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    choose = random.Random(0)
    words = [*TEXT.split(), "\u4e2d", "q\u00fc", "\u2581"]
    lines = [" ".join(choose.choices(words, k=choose.randint(1, 12))) for _ in range(count)]
    return [b" ".join(processor.encode(line.encode(), out_type=bytes)) for line in lines]


@pytest.fixture(
    scope="module",
    params=[
        ("-o", "2"),
        ("-o", "3"),
        ("-o", "5"),
        ("-o", "6"),
        ("-o", "5", "--prune", "0", "0", "1"),
        ("-o", "4", "--interpolate_unigrams", "0"),
    ],
    ids=" ".join,
)
def scorers(
    request: pytest.FixtureRequest,
    tools: Tools,
    small: bytes,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Scores, Scores]:
    """N-grams of several lengths, some pruned."""
    folder = tmp_path_factory.mktemp("ngrams")
    arpa = estimate(tools, folder, sentences(small, 400), *request.param)
    factor = "1.01" if request.param == ("-o", "5") else "3"  # slots per entry
    return both(small, build(tools, arpa, "-p", factor))


ALPHABET = [*TEXT.split(), " ", "\u4e2d", "\u4e2d\u6587", "q\u00fc", "\u2581", "0", "<s>", "</s>"]


@given(words=st.lists(st.sampled_from(ALPHABET), max_size=40), gap=st.sampled_from(["", " "]))
@settings(max_examples=200, deadline=None)
def test_scores_are_kenlms(scorers: tuple[Scores, Scores], words: list[str], gap: str) -> None:
    """To the last bit, of known and of unknown pieces, at any length of n-grams."""
    ours, asked = scorers
    line = gap.join(words).encode()
    assert ours(line) == asked(line)


@pytest.mark.parametrize("factor", ["2", "3", "7"])
def test_pruned_ngrams(tools: Tools, tmp_path: Path, factor: str) -> None:
    """KenLM puts in what is missing; fuller tables and emptier ones are searched alike."""
    arpa = tmp_path / "m.arpa"
    arpa.write_text(PRUNED, "utf-8")
    model = made_model({"\u2581a": -1.0, "\u2581b": -1.5, "b": -2.0, "\u2581": -3.0})
    ours, asked = both(model, build(tools, arpa, "-p", factor))
    choose = random.Random(1)
    for _ in range(3000):
        line = "".join(choose.choices("aab  c", k=choose.randint(0, 12))).encode()
        assert ours(line) == asked(line)


@pytest.mark.parametrize("text", ["a\tb", "a\nb", "\0", "a \x0b", "a b \r c"], ids=repr)
def test_blanks_in_pieces_are_left_to_kenlm(tools: Tools, tmp_path: Path, text: str) -> None:
    """It splits pieces there; a model without rules leaves blanks in them."""
    arpa = tmp_path / "m.arpa"
    arpa.write_text(PRUNED, "utf-8")
    model = tmp_path / "m.model"
    model.write_bytes(made_model({"\u2581a": -1.0, "\u2581b": -1.5, "b": -2.0}))
    ngrams = build(tools, arpa, "-p", "3")
    ours, asked = both(model.read_bytes(), ngrams)
    assert ours(text.encode()) is None
    if "\0" not in text:  # which KenLM's module does not take
        assert load_language_model(model, ngrams).score(text) == asked(text.encode())
    with_blank = made_model({"\u2581a": -1.0, "\t": -1.0})
    with pytest.raises(ValueError, match="a piece has a blank"):
        both(with_blank, ngrams)


@pytest.mark.parametrize(
    "options",
    [("trie",), ("-q", "8", "trie"), ("-a", "22", "trie"), ("-a", "22", "-q", "8", "trie")],
    ids=" ".join,
)
def test_other_formats_are_left_to_kenlm(
    tools: Tools, small: bytes, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """Tries and ARPA texts; the pieces are still the extension's."""
    arpa = estimate(tools, tmp_path, sentences(small, 100), "-o", "3")
    ngrams = build(tools, arpa, *options)
    (tmp_path / "m.model").write_bytes(small)
    for path in (ngrams, arpa):
        with pytest.raises(ValueError, match=r"no hash tables|not in KenLM's binary format"):
            both(small, path)
    processor = sentencepiece.SentencePieceProcessor(model_proto=small)
    pieces = b" ".join(processor.encode(b"the lazy page", out_type=bytes))
    score, _ = load_language_model(tmp_path / "m.model", ngrams).score("the lazy page")
    assert score == kenlm.Model(str(ngrams)).score(pieces)


def test_files_that_are_cut_short_are_refused(tools: Tools, small: bytes, tmp_path: Path) -> None:
    """At any place before the words, which are not read."""
    ngrams = build(tools, estimate(tools, tmp_path, sentences(small, 50), "-o", "3"))
    content = ngrams.read_bytes()
    from filters.commoncrawl._perplexity import Pieces  # noqa: PLC0415 - it may be absent

    for size in (0, 10, 87, 90, 120, 140, len(content) // 3, len(content) // 2):
        with pytest.raises(ValueError, match=r"cut short|another version|binary format"):
            Pieces(small).take_ngrams(content[:size])
    huge = bytearray(content)
    huge[108:116] = struct.pack("<Q", 1 << 62)  # of words
    with pytest.raises(ValueError, match="cut short"):
        Pieces(small).take_ngrams(bytes(huge))


def test_a_wrong_score_at_load_is_noticed(
    tools: Tools, small: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """KenLM scores where its answers are others than the extension's."""
    ngrams = build(tools, estimate(tools, tmp_path, sentences(small, 50), "-o", "3"))
    (tmp_path / "m.model").write_bytes(small)

    class Other(kenlm.Model):  # type: ignore[misc]
        """Another version of KenLM, say."""

        def score(self, sentence: bytes, **options: bool) -> float:
            return super().score(sentence, **options) - 0.5

    right = load_language_model(tmp_path / "m.model", ngrams).score("the page")
    monkeypatch.setattr(perplexity.kenlm, "Model", Other)
    other = load_language_model(tmp_path / "m.model", ngrams).score("the page")
    assert other == (right[0] - 0.5, right[1])


@pytest.mark.data
def test_real_texts_have_kenlms_scores(data: Path, tools: Tools, tmp_path: Path) -> None:
    """Pages, dumps, books, code and TeX of all languages, under n-grams of a part of them."""
    lines = [normalize_for_lm(document.text) for document in real_documents(data)][::6]
    model = train_sentencepiece(
        tmp_path / "m.model", "\n".join(line[:600] for line in lines[::2]), vocab_size=8000
    ).read_bytes()
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    pieces = [b" ".join(processor.encode(line[:2000].encode(), out_type=bytes)) for line in lines]
    ours, asked = both(model, build(tools, estimate(tools, tmp_path, pieces[::2], "-o", "5")))
    assert len(lines) > 500
    for line in lines:
        content = without_surrogates(line).encode()
        assert ours(content) == asked(content)
