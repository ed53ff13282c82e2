"""Speed of the filters of English Common Crawl, in MB of UTF-8 a second and core.

Run with `pytest -m benchmark tests/benchmarks/test_ccnet_filters.py`. Pages come from the WET files
of the real inputs, title split off, 300 characters or more; without them, from Python's own
manual pages with some typographic marks. "floor" is what the libraries below cost alone; "plain"
is cc_net's rules one line, or one character, at a time. Seconds are of the processor, so that other
work on the machine matters less.
"""

import functools
import hashlib
import os
import pydoc
import re
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentencepiece
from fastwarc.warc import ArchiveIterator, WarcRecordType
from pytest_benchmark.fixture import BenchmarkFixture

from filters.characters import PUNCTUATION
from filters.commoncrawl import pieces as fast_pieces
from filters.commoncrawl.langid import identify
from filters.commoncrawl.paragraphs import (
    hashed_lines,
    normalize,
    paragraph_keys,
    remove_paragraphs,
)
from filters.commoncrawl.perplexity import load_language_model, normalize_for_lm
from filters.fasttext import predictor as fasttext_predictor
from filters.fasttext.model import load_fasttext
from pipelines.models.lm_train import train_ngrams
from pipelines.setup.cache import SetupError
from pipelines.setup.kenlm import find_tools
from tests.filters.tiny_models import train_sentencepiece

pytestmark = pytest.mark.benchmark(timer=time.process_time)

_REPOSITORY = Path(__file__).resolve().parents[2]
_DATA = Path(os.environ.get("CORPUSMILL_DATA") or _REPOSITORY.parent / "shared" / "data")
_LID176 = _DATA / "langid" / "lid.176.ftz"
_MODULES = ("argparse", "asyncio", "collections", "decimal", "logging", "os", "socket", "typing")


@functools.cache
def _pages() -> list[str]:
    pages = []
    for path in sorted((_DATA / "commoncrawl").glob("web-*.warc.wet.gz")):
        with path.open("rb") as file:
            for record in ArchiveIterator(file, record_types=WarcRecordType.conversion):
                _, *lines = record.reader.read().decode("utf-8", "replace").split("\n")
                pages.append("\n".join([line.strip() for line in lines]))
    if not pages:
        for name in _MODULES:
            text = pydoc.plain(pydoc.render_doc(name)).replace("'", "\u2019").replace("--", "•")
            pages += [text[start : start + 7000] for start in range(0, len(text), 7000)]
    return [page for page in pages if len(page) >= 300]


_DIGITS = re.compile(r"\d")
_MARKS = re.compile(f"[{''.join(PUNCTUATION)}]")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f]")


def _plain_keys(text: str) -> object:
    keys = []
    for line in map(str.strip, text.split("\n")):
        normal = line
        if line:
            normal = _CONTROLS.sub("", _MARKS.sub("", _DIGITS.sub("0", line.lower())))
        digest = hashlib.sha1(normal.encode(), usedforsecurity=False).digest()
        keys.append(int.from_bytes(digest[:8], "little"))
    return np.array(keys, np.uint64)


def _plain_lm_text(text: str) -> object:
    decomposed = unicodedata.normalize("NFD", text.strip().lower())
    bare = "".join([c for c in decomposed if unicodedata.category(c) != "Mn"])
    ascii_marks = "".join([PUNCTUATION.get(c, c) for c in _DIGITS.sub("0", bare)])
    return _CONTROLS.sub("", ascii_marks)


def _hash_lines(lines: list[bytes]) -> object:
    sha1 = hashlib.sha1
    return [sha1(line).digest() for line in lines]


def _run(benchmark: BenchmarkFixture, function: Callable[[Any], object], inputs: list[Any]) -> None:
    megabytes = sum(len(page.encode()) for page in _pages()[: len(inputs)]) / 1e6

    def run() -> None:
        for item in inputs:
            function(item)

    benchmark.pedantic(run, rounds=3, warmup_rounds=1)
    benchmark.extra_info["megabytes"] = round(megabytes, 1)
    benchmark.extra_info["pages"] = len(inputs)
    if benchmark.stats:  # none with --benchmark-disable
        seconds = benchmark.stats.stats.min
        benchmark.extra_info["MB/s"] = round(megabytes / seconds, 1)
        benchmark.extra_info["pages/s"] = round(len(inputs) / seconds)


FUNCTIONS: dict[str, Callable[[str], object]] = {
    "paragraph_keys": paragraph_keys,
    "paragraph_keys strip_accents": functools.partial(paragraph_keys, strip_accents=True),
    "paragraph_keys without the extension module": hashed_lines,
    "paragraph_keys plain": _plain_keys,
    "normalize": normalize,
    "normalize_for_lm": normalize_for_lm,
    "normalize_for_lm plain": _plain_lm_text,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function(benchmark: BenchmarkFixture, name: str) -> None:
    """One function of a page alone."""
    _run(benchmark, FUNCTIONS[name], _pages())


def test_floor_of_paragraph_keys(benchmark: BenchmarkFixture) -> None:
    """SHA-1 of lines that are normalised and split already."""
    lines = [normalize(page).encode().split(b"\n") for page in _pages()]
    _run(benchmark, _hash_lines, lines)


def test_remove_paragraphs(benchmark: BenchmarkFixture) -> None:
    """Every other line is a duplicate; keys are there already."""
    with_keys = [(page, paragraph_keys(page)) for page in _pages()]
    arguments = [(page, keys, np.arange(len(keys)) % 2 == 0) for page, keys in with_keys]
    _run(benchmark, lambda item: remove_paragraphs(*item), arguments)


@pytest.mark.parametrize("library", ["ours", "fasttext"])
@pytest.mark.parametrize("max_characters", [None, 1000])
def test_identify(
    benchmark: BenchmarkFixture,
    monkeypatch: pytest.MonkeyPatch,
    max_characters: int | None,
    library: str,
) -> None:
    """The compressed model of 176 languages, on whole pages and on their beginnings."""
    if not _LID176.is_file():
        pytest.skip("lid.176.ftz is not among the real inputs")
    if library == "fasttext":
        monkeypatch.setattr(fasttext_predictor, "AVAILABLE", False)
    elif not fasttext_predictor.AVAILABLE:
        pytest.skip("the extension module was not built: no C compiler")
    model = load_fasttext(_LID176)
    pages = _pages()[:1000]
    _run(benchmark, lambda page: identify(model, page, max_characters=max_characters), pages)


@pytest.mark.parametrize("library", ["ours", "SentencePiece and KenLM"])
def test_perplexity(
    benchmark: BenchmarkFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, library: str
) -> None:
    """Normalising, pieces and n-grams, with small models of the pages themselves."""
    pages = _pages()[:1000]
    lines = [line for page in pages for line in map(normalize_for_lm, page.split("\n")) if line]
    pieces = train_sentencepiece(
        tmp_path / "sp.model", "\n".join(lines)[:2_000_000], vocab_size=8000
    )
    try:
        tools = find_tools()
    except SetupError as error:
        pytest.skip(str(error))
    train_ngrams(
        lines,
        sentencepiece.SentencePieceProcessor(model_file=str(pieces)),
        tmp_path / "lm.bin",
        tools=tools,
        order=5,
        vocab_estimate=8000,
        structure="probing",
        memory="512M",
        temporary=tmp_path,
    )
    if library != "ours":
        monkeypatch.setattr(fast_pieces, "AVAILABLE", False)
    elif not fast_pieces.AVAILABLE:
        pytest.skip("the extension module was not built: no C compiler")
    model = load_language_model(pieces, tmp_path / "lm.bin")
    _run(benchmark, model.perplexity, pages)
