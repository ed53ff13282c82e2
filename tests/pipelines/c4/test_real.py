"""C4 on the real pages of the sample, page by page against the rules written once more.

The oracle (``tests/filters/c4/oracle.py``) shares no code with the filters.
"""

import gzip
import hashlib
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from filters.c4.english import predict_english
from filters.c4.language import detect
from filters.c4.lines import clean_page
from filters.c4.pages import is_validation, normalize_url
from filters.c4.sentences import english
from pipelines.__main__ import main
from pipelines.c4.pins import PINNED
from pipelines.engine.documents import read_rows
from tests.filters.c4 import oracle

pytestmark = pytest.mark.data

_REPOSITORY = Path(__file__).resolve().parents[3]
_DATA = Path(os.environ.get("CORPUSMILL_DATA") or _REPOSITORY.parent / "shared" / "data")
_CASES = _DATA.parent / "conformance" / "web_c4_wet_e2e.jsonl"

PAGES = 8370  # of the sample (its README)
ONE_IN = 12  # pages of the sample that the short test takes


def compare(run: Path, inputs: Sequence[Path], data: Path) -> int:
    """Curate, and compare each page and each counter with the oracle; return the pages kept."""
    names = [str(path) for path in inputs]
    words = ["c4", "--run", str(run), "--quiet", "--workers", "2", "--wet", *names]
    assert main([*words, "--badwords", str(data / "badwords")]) == 0
    entries = (data / "badwords" / "en").read_text("utf-8").split("\n")
    pages = [page for path in inputs for page in oracle.read_pages(path)]
    expected = oracle.curate(pages, [entry for entry in entries if entry])
    found = {}
    for folder in ("documents", "rejects"):
        for path in (run / folder).glob("*.parquet"):
            with path.open("rb") as stream:
                for row in read_rows(stream):
                    found[row["id"]] = row.get("reason", ""), row["text"]
    assert found == {page.name: (page.reason, page.text) for page in expected.pages}
    notes = json.loads((run / "stats.json").read_text())["notes"]
    assert {name: notes.get(name) for name in expected.counters} == expected.counters
    return sum(not page.reason for page in pages)


def test_a_sample_agrees_with_the_oracle(data: Path, tmp_path: Path) -> None:
    """One page in twelve of each file."""
    inputs = []
    for path in sorted((data / "commoncrawl").glob("web-*.warc.wet.gz")):
        records = re.split(rb"(?=WARC/1\.0\r\n)", gzip.decompress(path.read_bytes()))
        inputs.append(tmp_path / path.name)
        inputs[-1].write_bytes(b"".join(map(gzip.compress, records[1::ONE_IN])))
    assert compare(tmp_path / "run", inputs, data) > 100


@pytest.mark.slow
def test_all_pages_agree_with_the_oracle(data: Path, tmp_path: Path) -> None:
    """All pages of the sample, and all counters."""
    inputs = sorted((data / "commoncrawl").glob("web-*.warc.wet.gz"))
    assert compare(tmp_path / "run", inputs, data) == 1623
    assert sum(1 for path in inputs for _ in oracle.read_pages(path)) == PAGES


def test_the_rules_leave_genuine_rows_as_they_are(data: Path) -> None:
    """Published pages have been through them: lines, sentences, language, and the split.

    The rows of the sample are all of the real validation split: the hashes of their normalised
    urls are 0 modulo 1,000. A few lines begin with the blank that a citation marker left; it goes
    when the rules see them again.
    """
    for path in sorted((data / "c4").glob("*.json.gz")):
        rows = list(map(json.loads, gzip.decompress(path.read_bytes()).splitlines()))
        pages = [clean_page(row["text"], english().lines_have) for row in rows]
        stripped = ["\n".join(map(str.strip, row["text"].split("\n"))) for row in rows]
        assert [page.text for page in pages] == stripped
        assert all(english().has(row["text"], 3) for row in rows)
        assert all(predict_english(row["text"], detect).verdict.keep for row in rows)
        assert all(is_validation(normalize_url(row["url"])) for row in rows)


def test_lists_are_pinned(data: Path) -> None:
    """All lists of the sample but English are of the pinned commit; English is of a later one."""
    found = {
        name: hashlib.sha256((data / "badwords" / name).read_bytes()).hexdigest() for name in PINNED
    }
    assert [name for name in PINNED if PINNED[name] != found[name]] == ["en"]


def _cases(stage: str) -> list[Any]:
    lines = _CASES.read_text("utf-8").splitlines() if _CASES.is_file() else []
    cases = [case for case in map(json.loads, lines) if case["stage"] == f"c4.{stage}"]
    return [pytest.param(case["input"], case["expected"], id=case["id"]) for case in cases]


def _documents(run: Path) -> list[dict[str, Any]]:
    rows = []
    for path in sorted((run / "documents").glob("*.parquet")):
        with path.open("rb") as stream:
            rows += [{**row, "meta": json.loads(row["meta"])} for row in read_rows(stream)]
    return rows


@pytest.mark.parametrize("profile", ["default", "tfds"])
@pytest.mark.parametrize(("text", "expected"), _cases("split_wet_file"))
def test_pages_of_a_wet_file(
    tmp_path: Path, text: str, expected: dict[str, Any], profile: str
) -> None:
    """Urls, texts, timestamps and lengths; lengths of these records are wrong."""
    path = tmp_path / "a.warc.wet"
    path.write_text(text, "utf-8")
    words = ["c4", "--run", str(tmp_path / "run"), "--quiet", "--variant", "en.noclean"]
    assert main([*words, "--profile", profile, "--wet", str(path)]) == 0
    rejected = []
    for rejects in (tmp_path / "run" / "rejects").glob("*.parquet"):
        with rejects.open("rb") as stream:
            rejected = [{**row, "meta": json.loads(row["meta"])} for row in read_rows(stream)]
    found = sorted([*_documents(tmp_path / "run"), *rejected], key=lambda row: str(row["id"]))
    pages = [
        {
            "url": row["url"],
            "normalized_url": row["meta"]["normalized_url"],
            "text": row["text"],
            "timestamp": row["created"],
            "content_length": str(row["meta"]["content_length"]),
            "content_type": row["meta"]["content_type"],
        }
        for row in found
    ]
    assert pages == expected["pages"]
    notes = json.loads((tmp_path / "run" / "stats.json").read_text())["notes"]
    assert notes["split-wet-file/passed"] == expected["counters"]["passed"]
    assert notes["warcinfo_records"] == expected["counters"]["filtered:no_url"]


@pytest.mark.parametrize(("case", "expected"), _cases("end_to_end"))
def test_from_wet_files_to_splits(
    tmp_path: Path, case: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Pages per split, and per language where all are kept."""
    multilingual = case["config"] == "multilingual"
    if multilingual:
        pytest.importorskip("gcld3", reason="CLD3 is not installed: pip install cld3-py")
    words = ["c4", "--run", str(tmp_path / "run"), "--quiet", "--variant", case["config"]]
    (tmp_path / "badwords").mkdir()
    for language in ("en", "de"):
        entries = case.get("badwords", []) if language == "en" else []
        (tmp_path / "badwords" / language).write_text("\n".join(entries), "utf-8")
    words += ["--badwords", str(tmp_path / "badwords")]
    if multilingual:
        words += ["--languages", *case["languages"]]
    inputs = []
    for number, text in enumerate(case["wet_files"]):
        inputs.append(str(tmp_path / f"cc-{number}.warc.wet"))
        Path(inputs[-1]).write_text(text, "utf-8")
    assert main([*words, "--wet", *inputs]) == 0
    counts: dict[str, int] = {}
    for row in _documents(tmp_path / "run"):
        split = row["meta"]["split"]
        if multilingual:
            split = row["lang"] + ("-validation" if split == "validation" else "")
        counts[split] = counts.get(split, 0) + 1
    assert counts == expected["split_counts"]
