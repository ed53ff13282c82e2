"""MB/s of encoding, beside the bare SentencePiece; one core, no threads."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tokenizer.corpus import Corpus
from tokenizer.model import Tokenizer
from tokenizer.shards import encode_shard, in_shard_order, tokenize_document
from tokenizer.train import TrainSettings, train

pytestmark = pytest.mark.benchmark

STDLIB = str(Path(os.__file__).parent / "*.py")


@pytest.fixture(scope="session")
def sources() -> list[str]:
    """About 4 MB of Python sources."""
    return [path.read_text(encoding="utf-8") for path in Corpus([STDLIB]).files]


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """A BPE of 8,000 pieces with LLaMA's settings."""
    trained = train(Corpus([STDLIB]), TrainSettings(vocab_size=8000))
    return Tokenizer(trained.write(tmp_path_factory.mktemp("benchmark") / "tok")[0])


@pytest.fixture(scope="session", params=["200 chars", "4 kB", "280 kB"])
def texts(request: pytest.FixtureRequest, sources: list[str]) -> list[str]:
    """The same sources as texts of one length."""
    size = {"200 chars": 200, "4 kB": 4000, "280 kB": 280_000}[request.param]
    whole = "".join(sources)[:2_800_000]
    return [whole[begin : begin + size] for begin in range(0, len(whole), size)]


def encode_all(encode: Callable[[str], object], texts: list[str]) -> None:
    """What is measured."""
    for text in texts:
        encode(text)


def measure(benchmark: BenchmarkFixture, encode: Callable[[str], object], texts: list[str]) -> None:
    """Report megabytes of UTF-8 and MB/s of the fastest round."""
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    benchmark.extra_info["megabytes"] = megabytes
    benchmark(encode_all, encode, texts)
    if benchmark.stats:  # none under --benchmark-disable
        benchmark.extra_info["MB/s"] = round(megabytes / benchmark.stats.stats.min, 2)


def test_bare_sentencepiece(
    benchmark: BenchmarkFixture, tokenizer: Tokenizer, texts: list[str]
) -> None:
    """A list of ids, as SentencePiece gives it."""
    measure(benchmark, tokenizer.processor.encode, texts)


def test_encode(benchmark: BenchmarkFixture, tokenizer: Tokenizer, texts: list[str]) -> None:
    """An array of uint16, long texts in parts."""
    measure(benchmark, tokenizer.encode, texts)


def test_documents_to_a_shard(
    benchmark: BenchmarkFixture, tokenizer: Tokenizer, texts: list[str]
) -> None:
    """All that a worker does to a group: encode, hash, sort, write the three files."""
    megabytes = sum(len(text.encode()) for text in texts) / 1e6

    def shard() -> int:
        documents = [tokenize_document(tokenizer, str(i), text) for i, text in enumerate(texts)]
        return encode_shard(in_shard_order(documents, 0), tokenizer.dtype.name).tokens

    benchmark.extra_info["megabytes"] = megabytes
    assert benchmark(shard) > np.iinfo(np.uint16).max
    if benchmark.stats:
        benchmark.extra_info["MB/s"] = round(megabytes / benchmark.stats.stats.min, 2)
