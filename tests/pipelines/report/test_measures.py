"""What is measured on a run's columns, and which documents are chosen."""

from pathlib import Path

import numpy as np

from pipelines.engine.manifest import RunFile
from pipelines.report.measures import SCALES, Histogram, measure
from pipelines.report.sample import Smallest, chosen_files, number_of
from tests.pipelines.report.made_run import page, pages, reject, write_run


def test_histograms_count_kept_and_rejected_documents(tmp_path: Path) -> None:
    """Each document that has the value once; a page without any line left lost all of them."""
    kept, rejected = pages(80)
    found = measure(write_run(tmp_path / "run", kept, rejected)).histograms
    scores = {name: (h.kept.sum(), h.rejected.sum()) for name, h in found.items()}
    assert scores == {
        "length": (30, 50),
        "lang_score": (30, 50),
        "perplexity": (30, 20),
        "wikiref_score": (30, 10),
        "duplicates": (30, 50),
    }
    assert found["duplicates"].rejected[-1] == 10


def test_values_outside_of_a_scale_are_counted_at_its_ends() -> None:
    """Nothing is lost, but what is no number."""
    histogram = Histogram.of(SCALES["perplexity"])
    histogram.add(np.array([0.0, 1e9, np.nan, np.inf, 10.0]), kept=True)
    assert histogram.count == 3
    assert (histogram.kept[0], histogram.kept[-1]) == (1, 1)
    trimmed = Histogram.of(SCALES["perplexity"])
    trimmed.add(np.array([10.0, 11.0, 1000.0]), kept=False)
    assert trimmed.trimmed().count == 3
    assert trimmed.trimmed().rejected[[0, -1]].all()


def test_lists_count_the_kept(tmp_path: Path) -> None:
    """Hosts without ``www.``, and extensions from ``meta``."""
    meta = '{"language":"C++","path":"src/a.b/x.tar.cpp"}'
    kept = [page(n, "text", meta=meta) for n in (0, 7, 1)]
    found = measure(write_run(tmp_path / "run", kept, [reject(3, "t", "bucket bucket_tail")])).tops
    assert found["Hosts"] == {"host0.example": 2, "host1.example": 1}
    assert found["Extensions"] == {".cpp": 3}
    assert found["Programming languages"] == {"C++": 3}


def test_examples_are_those_with_the_smallest_hashes(tmp_path: Path) -> None:
    """Not the first ones, and the same in any order."""
    kept, rejected = pages(400)
    found = measure(write_run(tmp_path / "one", kept, rejected))
    other = measure(write_run(tmp_path / "two", kept[::-1], rejected[::-1]))
    rule = ("commoncrawl.length", "too_short")
    ids = [row["id"] for row in rejected if row["reason"] == "too_short"]
    assert [row["id"] for row in found.rejected[rule]] == sorted(ids, key=number_of)[:3]
    assert found.rejected == other.rejected
    assert found.kept == other.kept


def test_files_are_chosen_by_hash_until_they_hold_enough() -> None:
    """Empty ones are never opened."""
    files = [RunFile(f"documents/{n}.parquet", n % 3 * 10, 1, "") for n in range(100)]
    chosen = chosen_files(files, 100)
    assert 100 <= sum(file.documents for file in chosen) < 120
    assert all(file.documents for file in chosen)
    assert chosen == chosen_files(files[::-1], 100)
    assert chosen != [file for file in files if file.documents][: len(chosen)]
    assert len(chosen_files(files, 10**9)) == 66


def test_the_smallest_are_kept_in_order() -> None:
    """Ties are none, since hashes differ."""
    smallest = Smallest(2)
    for key in (5, 1, 4, 2, 3):
        smallest.offer(key, str(key))
    assert smallest.items() == ["1", "2"]
