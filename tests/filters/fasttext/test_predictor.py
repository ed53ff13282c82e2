"""The extension module gives fastText's answers, bit for bit; where it cannot, fastText answers."""

import os
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fasttext
import fasttext.FastText
import numpy as np
import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.fasttext import predictor as fasttext_predictor
from filters.fasttext.file import UnsupportedModelError, huffman_tree, read_model
from filters.fasttext.model import FastTextModel, load_fasttext
from filters.fasttext.predictor import CHECK_LINES, load_top
from tests.filters.tiny_models import LANGUAGES

pytestmark = pytest.mark.skipif(
    not fasttext_predictor.AVAILABLE, reason="the extension module was not built: no C compiler"
)

_REPOSITORY = Path(__file__).resolve().parents[3]
_DATA = Path(os.environ.get("CORPUSMILL_DATA") or _REPOSITORY.parent / "shared" / "data")
_LID176 = _DATA / "langid" / "lid.176.ftz"
_SUPERVISED: dict[str, Any] = {"dim": 16, "epoch": 5, "lr": 0.5, "thread": 1, "verbose": 0}
_SUBWORDS: dict[str, Any] = {"minn": 1, "maxn": 4, "bucket": 2000}
# Kinds of models, by what they are trained with, and what they are compressed with, if at all.
_KINDS: dict[str, tuple[dict[str, Any], dict[str, Any] | None]] = {
    "softmax": ({}, None),
    "softmax of 100 dimensions": ({"dim": 100}, None),
    "softmax, subwords": (_SUBWORDS, None),
    "word n-grams": ({"wordNgrams": 3, "bucket": 500}, None),
    "word n-grams and subwords": ({"wordNgrams": 2, **_SUBWORDS}, None),
    "hierarchical": ({"loss": "hs"}, None),
    "hierarchical, subwords": ({"loss": "hs", **_SUBWORDS}, None),
    "no frequent word": ({"minCount": 10**6, **_SUBWORDS}, None),
    "compressed": ({"loss": "hs", **_SUBWORDS}, {"qnorm": False}),
    "compressed, norms": ({"loss": "hs", "dim": 9, **_SUBWORDS}, {"qnorm": True}),
    "compressed, cut": ({"loss": "hs", **_SUBWORDS}, {"qnorm": True, "cutoff": 300}),
    "compressed, softmax": ({"dim": 10, **_SUBWORDS}, {"qnorm": True, "dsub": 4, "cutoff": 300}),
    "compressed output": ({"loss": "hs", **_SUBWORDS}, {"qnorm": True, "qout": True}),
    "cut, word n-grams": ({"wordNgrams": 2, "bucket": 900}, {"qnorm": True, "cutoff": 300}),
}


def _examples(folder: Path) -> Path:
    """Write examples of 300 labels, some rare, so that an output matrix can be compressed too."""
    rng = random.Random(0)
    words = [word for lines in LANGUAGES.values() for line in lines for word in line.split()]
    words += ["\u0441\u043b\u043e\u0432\u043e", "\u8a9e", "\u00e9t\u00e9", "x" * 70]
    lines = []
    for label in range(300):
        own = [f"w{label}", *rng.choices(words, k=5)]
        lines += [
            f"__label__l{label} {' '.join(rng.choices(own, k=6))}"
            for _ in range(1 + 300 // (label + 1))
        ]
    (folder / "examples.txt").write_text("\n".join(lines) + "\n", "utf-8")
    return folder / "examples.txt"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file of each kind."""
    folder = tmp_path_factory.mktemp("models")
    examples = _examples(folder)
    paths = {}
    for number, (name, (training, compression)) in enumerate(_KINDS.items()):
        model = fasttext.train_supervised(str(examples), **{**_SUPERVISED, **training})
        if compression is not None:
            model.quantize(input=str(examples), thread=1, **compression)
        paths[name] = folder / f"{number}.model"
        model.save_model(str(paths[name]))
    return paths


@pytest.fixture(scope="module")
def loaded(models: dict[str, Path]) -> dict[str, FastTextModel]:
    """Each of them, answering by the extension; loading them checked that already."""
    answering = {name: load_fasttext(path) for name, path in models.items()}
    assert all(model._fast_top is not None for model in answering.values())
    return answering


def _disagreements(model: FastTextModel, lines: list[str]) -> list[str]:
    return [line for line in lines if model.top(line) != model.slow_top(line)]


@pytest.mark.parametrize("kind", _KINDS)
def test_every_kind_of_model(loaded: dict[str, FastTextModel], kind: str) -> None:
    """The same label and probability, for words that it knows and that it does not."""
    rng = random.Random(1)
    words = " ".join(line for lines in LANGUAGES.values() for line in lines).split()
    words += [f"w{label}" for label in range(300)] + ["</s>", "__label__l1", "__label__", "nie"]
    lines = [" ".join(rng.choices(words, k=rng.randrange(12))) for _ in range(300)]
    assert _disagreements(loaded[kind], [*lines, *CHECK_LINES]) == []
    assert len({loaded[kind].top(line) for line in lines}) > 5


_WORDS = st.one_of(
    st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"])),
    st.text(st.sampled_from("ab<>/s\u00e9\u8a9e\U0001f600\u0301"), min_size=1, max_size=90),
    st.sampled_from(["</s>", "__label__l1", "__label__", "w1", "the", "dog", "x" * 70]),
)
_LINES = st.lists(st.tuples(_WORDS, st.sampled_from(" \t\r\v\f\0\x1c\x85\xa0\u3000")))


@settings(deadline=None)  # a busy machine is no failure
@given(words=_LINES)
def test_any_line(loaded: dict[str, FastTextModel], words: list[tuple[str, str]]) -> None:
    """Of whatever characters and blanks, with the words that mean something to fastText."""
    line = "".join(word + blank for word, blank in words)
    assert [kind for kind, model in loaded.items() if _disagreements(model, [line])] == []


def test_words_longer_than_what_is_kept_of_them(loaded: dict[str, FastTextModel]) -> None:
    """Up to a page without a blank, on both sides of each limit."""
    lines = [character * size for size in (62, 63, 64, 65, 9000) for character in "x\u00e9\u8a9e"]
    assert _disagreements(loaded["hierarchical, subwords"], lines) == []


def test_more_words_than_the_cache_holds(loaded: dict[str, FastTextModel]) -> None:
    """It is emptied, and fills again."""
    lines = [" ".join(f"{number * 100 + k:x}" for k in range(100)) for number in range(1600)]
    assert _disagreements(loaded["softmax, subwords"], [*lines, lines[0], lines[-1]]) == []


def test_lone_surrogates(loaded: dict[str, FastTextModel]) -> None:
    """They become replacement characters, as for fastText."""
    model = loaded["softmax, subwords"]
    assert model.top("\ud800 a\udfff") == model.slow_top("\ufffd a\ufffd")


def test_a_line_of_nothing_that_is_known(tmp_path: Path) -> None:
    """No answer; here not even the line end is known."""
    (tmp_path / "examples.txt").write_text("__label__a b\x00__label__c d", "utf-8")
    model = fasttext.train_supervised(str(tmp_path / "examples.txt"), **_SUPERVISED)
    model.save_model(str(tmp_path / "model.bin"))
    fast = load_fasttext(tmp_path / "model.bin")
    assert fast._fast_top is not None
    assert fast.top("zzz") is None
    assert fast.slow_top("zzz") is None
    assert _disagreements(fast, ["b", "zzz b", "</s> b"]) == []
    assert fast.top("b")


@pytest.mark.parametrize("loss", ["ns", "ova"])
def test_losses_that_fasttext_answers_itself(tmp_path: Path, loss: str) -> None:
    """Their scores come from a table; the answers are there all the same."""
    model = fasttext.train_supervised(str(_examples(tmp_path)), **_SUPERVISED, loss=loss)
    model.save_model(str(tmp_path / "model.bin"))
    with pytest.raises(UnsupportedModelError, match="of another loss"):
        read_model(tmp_path / "model.bin")
    loaded = load_fasttext(tmp_path / "model.bin")
    assert loaded._fast_top is None
    assert loaded.top("the dog") == loaded.slow_top("the dog")


def test_a_wrong_answer_is_noticed_when_loading(
    models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then fastText answers."""
    monkeypatch.setattr("filters.fasttext.model.load_top", lambda _: load_top(models["softmax"]))
    assert load_fasttext(models["hierarchical"])._fast_top is None
    assert load_fasttext(models["softmax"])._fast_top is not None


def test_without_the_extension(models: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without a compiler works, with the same answers."""
    fast = load_fasttext(models["softmax"])
    monkeypatch.setattr(fasttext_predictor, "AVAILABLE", False)
    slow = load_fasttext(models["softmax"])
    assert slow._fast_top is None
    assert slow.top("the dog") == fast.top("the dog")


def test_numbers_that_are_none(models: dict[str, Path]) -> None:
    """FastText has its own error for them, and is asked."""
    arguments = read_model(models["softmax"]).arguments()
    arguments["output"] = np.full_like(arguments["output"], np.nan)
    broken = fasttext_predictor.Predictor(**arguments)
    with pytest.raises(FloatingPointError, match="not finite"):
        broken.top(b"the dog")
    model = load_fasttext(models["softmax"])
    model._fast_top = broken.top
    assert model.top("the dog") == model.slow_top("the dog")


def _cut(content: bytes) -> Iterator[bytes]:
    """Yield a file cut at many places, and with many a byte changed."""
    rng = random.Random(2)
    for size in (*range(0, 120, 7), *rng.sample(range(len(content)), 60)):
        yield content[:size]
    for place in (*range(90), *rng.sample(range(len(content)), 60)):
        yield (
            content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]
        )


@pytest.mark.parametrize("kind", ["hierarchical, subwords", "compressed, cut"])
def test_a_damaged_file_is_refused_or_read_safely(
    models: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    """Nothing but a refusal; of changed weights the check against fastText takes care."""
    refused = 0
    for content in _cut(models[kind].read_bytes()):
        (tmp_path / "model").write_bytes(content)
        top = load_top(tmp_path / "model")
        if top is None:
            refused += 1
            continue
        for line in CHECK_LINES:
            try:
                top(line.encode())
            except FloatingPointError:
                break
    assert refused > 80


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": 10**6}, "embeddings: too short"),
        ({"rows": 1}, "out of range"),
        ({"dim": 0}, "out of range"),
        ({"n_labels": 0}, "out of range"),
        ({"n_words": 9999}, "entries: fewer|out of range"),
        ({"maxn": 65}, "out of range"),
        ({"bucket": 0}, "bucket: none"),
        ({"bucket": 2001}, "embeddings: too few rows"),
        ({"output": b""}, "output: too short"),
        ({"scale": b""}, "scale: too short"),
        ({"tree": b""}, "tree: too short"),
        ({"tree": np.zeros((599, 2), np.int32)}, "tree: a leaf has branches"),
        ({"tree": np.full((599, 2), -1, np.int32)}, "tree: a branch leads nowhere"),
        ({"kept": b""}, "kept: too short"),
        ({"kept": np.full(2000, 2000, np.int32)}, "kept: a place that is not there"),
        ({"entries": b""}, "entries: fewer"),
    ],
)
def test_arrays_that_do_not_fit(
    models: dict[str, Path], change: dict[str, Any], message: str
) -> None:
    """The extension reads no memory that it was not given."""
    arguments = read_model(models["hierarchical, subwords"]).arguments()
    with pytest.raises(ValueError, match=message):
        fasttext_predictor.Predictor(**{**arguments, **change})


@pytest.mark.parametrize("version", [11, 12, 13])
def test_versions(models: dict[str, Path], tmp_path: Path, version: int) -> None:
    """In the first that is read there were no subwords; fastText refuses newer ones."""
    content = bytearray(models["hierarchical, subwords"].read_bytes())
    content[4:8] = struct.pack("<i", version)
    (tmp_path / "model").write_bytes(content)
    if version == 13:
        with pytest.raises(ValueError, match="no supervised fastText model"):
            load_fasttext(tmp_path / "model")
        return
    model = load_fasttext(tmp_path / "model")
    assert model._fast_top is not None
    assert (read_model(tmp_path / "model").settings.maxn == 0) == (version == 11)
    assert _disagreements(model, list(CHECK_LINES)) == []


@pytest.mark.parametrize(
    ("counts", "message"),
    [([1, 2], "do not descend"), ([1, 0], "out of range"), ([10**15, 1], "out of range")],
)
def test_label_counts_that_fasttext_would_not_write(counts: list[int], message: str) -> None:
    """No tree is made of them."""
    with pytest.raises(UnsupportedModelError, match=message):
        huffman_tree(counts)


def test_the_deepest_tree() -> None:
    """Of Fibonacci's numbers, each label is a step further down."""
    counts = [1, 1]
    while sum(counts) + counts[-1] + counts[-2] < 10**15:
        counts.append(counts[-1] + counts[-2])
    tree, depth = huffman_tree(counts[::-1]), [0] * (2 * len(counts) - 1)
    for node in range(len(counts), len(tree)):
        depth[node] = 1 + max(depth[child] for child in tree[node])
    assert max(depth) == len(counts) - 1 == 70


def test_a_tree_of_one_label() -> None:
    """Its root is a leaf."""
    assert huffman_tree([7]).tolist() == [[-1, -1]]


@pytest.mark.data
def test_real_pages(data: Path) -> None:
    """Whole pages of four WET files, with the compressed model of 176 languages."""
    if not _LID176.is_file():
        pytest.skip("lid.176.ftz is not among the real inputs")
    model = load_fasttext(_LID176)
    assert model._fast_top is not None
    pages = []
    for path in sorted((data / "commoncrawl").glob("web-*.warc.wet.gz")):
        with path.open("rb") as file:
            for record in ArchiveIterator(file, record_types=WarcRecordType.conversion):
                text = record.reader.read().decode("utf-8", "replace")
                pages.append(text.replace("\n", " " if len(pages) % 2 else ""))
    assert len(pages) > 8000
    assert _disagreements(model, pages) == []
