"""Common Crawl on the real pages of the sample, page by page against the rules written once more.

The oracle (``tests/filters/commoncrawl/ccnet_oracle.py``) shares no code with the filters; records
are split here by a plain loop over well-formed ones.
"""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fasttext.FastText
import kenlm
import pytest
import sentencepiece

from pipelines.__main__ import main
from pipelines.engine.documents import read_rows
from tests.filters.commoncrawl.ccnet_oracle import Result, run
from tests.pipelines.models.real_models import train_models

pytestmark = pytest.mark.data

PAGES = 8370  # of the sample (its README)
REASONS = {
    "too_short": "too_short",
    "duplicates": "all_paragraphs_duplicate",
    "empty": "empty",
    "language_score": "language_score",
    "language": "language",
}


@pytest.fixture(scope="module")
def wet_files(data: Path) -> list[Path]:
    """Return the WET files of the sample."""
    return sorted((data / "commoncrawl").glob("web-*.warc.wet.gz"))


@pytest.fixture(scope="module")
def langid(data: Path) -> Path:
    """Return the model of language identification."""
    return data / "langid" / "lid.176.ftz"


@pytest.fixture(scope="module")
def models(wet_files: list[Path], langid: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a small language model on the sample itself."""
    return train_models(tmp_path_factory.mktemp("models"), wet_files, langid)


def texts(path: Path) -> Iterator[str]:
    """Yield the body of each conversion record without its title (docs/rules/web.md 2.3)."""
    for record in gzip.decompress(path.read_bytes()).decode().split("WARC/1.0\r\n")[1:]:
        head, _, body = record.partition("\r\n\r\n")
        if "WARC-Type: conversion" in head:
            lines = [line.strip() for line in body.removesuffix("\r\n\r\n").split("\n")]
            lines.append("")
            if not lines[-1] and not lines[-2]:
                del lines[-2:]
            yield "\n".join(lines[1:])


def oracle(wet_files: list[Path], langid: Path, models: Path, **options: Any) -> list[Result]:
    """Return what the rules say of every page; each file is a group of its own."""
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(models / "en.sp.model"))
    ngrams = kenlm.Model(str(models / "en.arpa.bin"))
    rows = [line.split(",") for line in (models / "cutoffs.csv").read_text().splitlines()[1:]]
    at = {int(percentile): float(value) for percentile, value in rows}
    return run(
        [list(texts(path)) for path in wet_files],
        fasttext.FastText._FastText(model_path=str(langid)),
        {"en": (pieces, ngrams)},
        {"en": (at[30], at[60])},
        **options,
    )


def pipeline(path: Path, wet_files: list[Path], langid: Path, models: Path, *options: str) -> None:
    """Run the command."""
    command = ["commoncrawl", "--run", str(path), "--quiet", "--langid", str(langid)]
    command += ["--models", str(models), *options, "--input", *map(str, wet_files)]
    assert main(command) == 0


def rows_of(path: Path, wet_files: list[Path]) -> list[dict[str, Any]]:
    """Return documents and rejects of a run together, in the order of the inputs."""
    places = {file.name.split(".")[0]: number for number, file in enumerate(wet_files)}
    rows = []
    for folder in ("documents", "rejects"):
        for file in sorted((path / folder).glob("*.parquet")):
            with file.open("rb") as stream:
                rows += [{**row, "meta": json.loads(row["meta"])} for row in read_rows(stream)]

    def place(row: dict[str, Any]) -> tuple[int, int]:
        _, stem, number = row["id"].split(":")
        return places[stem], int(number)

    return sorted(rows, key=place)


def comparable(result: Result) -> dict[str, Any]:
    """Return what the rules say of a page, in the words of the pipeline."""
    said: dict[str, Any] = {"reason": REASONS.get(result.dropped or "")}
    if result.text is not None:
        said |= {"text": result.text, "line_ids": result.line_ids}
        said |= {"language": result.language, "score": result.language_score}
    if result.bucket is not None:
        said |= {"perplexity": result.perplexity, "bucket": result.bucket}
        if result.bucket not in ("head", "middle"):
            said["reason"] = f"bucket_{result.bucket}"
    return said


def written(row: dict[str, Any]) -> dict[str, Any]:
    """Return what the pipeline wrote of a page."""
    meta = row["meta"]
    said: dict[str, Any] = {"reason": row.get("reason")}
    if "line_ids" in meta:
        said |= {"text": row["text"], "line_ids": meta["line_ids"]}
        said |= {"language": row["lang"], "score": round(row["lang_score"], 2)}
    if "bucket" in meta:
        said |= {"perplexity": row["perplexity"] and round(row["perplexity"], 1)}
        said |= {"bucket": meta["bucket"]}
    return said


def test_every_page_is_what_the_rules_say(
    tmp_path: Path, wet_files: list[Path], langid: Path, models: Path
) -> None:
    """Kept paragraphs, language, score, perplexity to one decimal, bucket; or why not."""
    pipeline(tmp_path / "run", wet_files, langid, models, "--no-exact-duplicates")
    rows = rows_of(tmp_path / "run", wet_files)
    expected = [comparable(result) for result in oracle(wet_files, langid, models)]
    assert len(rows) == len(expected) == PAGES
    different = [
        (row["id"], said, wrote)
        for row, said, wrote in zip(rows, expected, map(written, rows), strict=True)
        if said != wrote
    ]
    assert different[:3] == []
    stats = json.loads((tmp_path / "run" / "stats.json").read_bytes())
    assert stats["records_read"] == PAGES == stats["documents"] + stats["rejected"]


def test_workers_and_order_change_no_byte_of_the_real_pages(
    tmp_path: Path, wet_files: list[Path], langid: Path, models: Path
) -> None:
    """One, two and four workers, inputs in another order, in one scope (docs/architecture.md)."""
    options = ("--scope", "dump", "--keep", "first")
    pipeline(tmp_path / "1", wet_files, langid, models, *options)
    for workers in ("2", "4"):
        others = (*options, "--workers", workers)
        pipeline(tmp_path / workers, wet_files[::-1], langid, models, *others)
        assert (tmp_path / workers / "COMPLETED").read_bytes() == (
            tmp_path / "1" / "COMPLETED"
        ).read_bytes()
