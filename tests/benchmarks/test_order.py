"""Microseconds to find a sequence in an order of LLaMA's size: 1.4 T tokens in 19,000 shards.

Run with ``pytest -m benchmark tests/benchmarks/test_order.py``; the figures are a round of 10,000.
"""

import json
import random
import time
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from mixtures.mixture import changed, find, load
from mixtures.order import Order, SourceShards
from mixtures.plan import make_plan
from tests.benchmarks.measure import report

LLAMA_MIXTURE = find("llama1")

pytestmark = pytest.mark.benchmark

SEQUENCES = 683_595_776
SHARD_TOKENS = 67_108_864  # 128 MiB of uint16
LOOK_UPS = 10_000
# Share of the mixture and unique tokens, in billions, from Table 1.
SOURCES = {
    "commoncrawl": ("0.67", "852.7"),
    "c4": ("0.15", "198.1"),
    "github": ("0.045", "98.4"),
    "wikipedia": ("0.045", "25.7"),
    "books": ("0.045", "28.3"),
    "arxiv": ("0.025", "33.0"),
    "stackexchange": ("0.02", "27.2"),
}


@pytest.fixture(scope="module")
def order() -> Order:
    """Order the paper's run."""
    return Order(
        seed=0,
        context=2048,
        sequences=SEQUENCES,
        sources=[
            SourceShards(
                name,
                Fraction(share),
                (SHARD_TOKENS,) * int(Fraction(billions) * 10**9 / SHARD_TOKENS),
            )
            for name, (share, billions) in SOURCES.items()
        ],
    )


def locate_all(order: Order, sequences: Iterable[int]) -> None:
    """Look up a round of sequences."""
    for sequence in sequences:
        order.locate(sequence)


def test_look_up_in_a_row(benchmark: BenchmarkFixture, order: Order) -> None:
    """A loader: the block's permutation is at hand."""
    benchmark.extra_info["look_ups"] = LOOK_UPS
    benchmark(locate_all, order, range(10**8, 10**8 + LOOK_UPS))


def test_look_up_at_random(benchmark: BenchmarkFixture, order: Order) -> None:
    """An inspector: each look-up begins with another block."""
    benchmark.extra_info["look_ups"] = LOOK_UPS
    places = random.Random(0)
    benchmark(locate_all, order, [places.randrange(SEQUENCES) for _ in range(LOOK_UPS)])


def test_inverse_at_random(benchmark: BenchmarkFixture, order: Order) -> None:
    """From a window back to the sequence: a search over 166,893 blocks."""
    benchmark.extra_info["look_ups"] = 1
    at = order.locate(SEQUENCES // 2)
    assert benchmark(order.sequence_of, at.source, at.ordinal) == SEQUENCES // 2


def test_plan_of_the_full_corpus(tmp_path: Path) -> None:
    """After a changed weight: the manifests of all shards read, the order built, the plan made."""
    shards = 0
    for name, (_, billions) in SOURCES.items():
        count = int(Fraction(billions) * 10**9 / 63_000_000)
        shards += count
        folder = tmp_path / name
        folder.mkdir()
        (folder / "manifest.json").write_text(json.dumps(manifest(name, count), indent=1), "utf-8")
    began = time.process_time()
    weights = {"c4": Fraction("0.2"), "commoncrawl": Fraction("0.62")}
    plan = make_plan(changed(load(LLAMA_MIXTURE), weights), tmp_path, context=2048)
    seconds = time.process_time() - began
    report(f"plan of {plan.sequences:,} sequences in {shards:,} shards: {seconds:.2f} CPU seconds")
    assert plan.sequences == 683_593_750
    assert shards > 20_000


def manifest(source: str, count: int) -> dict[str, object]:
    """Describe a source's shards as the tokenizer does."""
    rows = [
        {
            "name": f"shard-{number:05d}-of-{count:05d}",
            "split": "train",
            "documents": 90_000,
            "tokens": 63_000_000 + number,
            "text_bytes": 252_000_000,
            "files": {
                kind: {"bytes": 126_000_000, "sha256": f"{number:064x}"}
                for kind in ("bin", "idx", "docs.parquet")
            },
        }
        for number in range(count)
    ]
    tokens = 63_000_000 * count + count * (count - 1) // 2
    made = {"tokenizer_sha256": "a" * 64, "vocab_size": 32_000, "dtype": "uint16", "bos_id": 1}
    made |= {"eos_id": 2, "add_bos": True, "add_eos": True, "source": source}
    splits = {"train": {"documents": 90_000 * count, "tokens": tokens, "text_bytes": 1}}
    return {"format": "corpusmill-shards", "version": 1, **made, "splits": splits, "shards": rows}
