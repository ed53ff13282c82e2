"""Faults that were found in real pages stay mended.

The cases stay in the folder of shared inputs and are read when the tests run.
"""

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pipelines.commoncrawl.config import CommonCrawlConfig
from pipelines.commoncrawl.source import PARAGRAPHS
from pipelines.commoncrawl.stages import page_stages
from pipelines.engine.units import Part, Unit

pytestmark = pytest.mark.data

_REPOSITORY = Path(__file__).resolve().parents[3]
_DATA = Path(os.environ.get("CORPUSMILL_DATA") or _REPOSITORY.parent / "shared" / "data")
_CASES = _DATA.parent / "findings" / "cases" / "reading.jsonl"


def _cases() -> list[dict[str, Any]]:
    lines = _CASES.read_text("utf-8").splitlines() if _CASES.is_file() else []
    return [case for case in map(json.loads, lines) if case["source"] == "commoncrawl"]


@pytest.mark.skipif(not _CASES.is_file(), reason=f"no cases of findings: {_CASES} is absent")
def test_the_cases_are_there() -> None:
    """An empty list would test nothing."""
    assert _cases()


@pytest.mark.parametrize("case", _cases(), ids=lambda case: case["kind"])
def test_real_pages(case: dict[str, Any], tmp_path: Path) -> None:
    """Each kind of fault by the stages that it is about."""
    assert case["kind"] == "buckets_all", "no test for this kind: add one"
    unit = Unit("a", "wet", (Part("a.warc.wet.gz", 0),))
    config = partial(CommonCrawlConfig, input=("a",), models=str(tmp_path), langid="lid.bin")
    names = [
        [
            stage.name
            for stage in page_stages(config(buckets=buckets), PARAGRAPHS, frozenset(), unit, {})
        ]
        for buckets in (("all",), ("head", "all"))
    ]
    assert ["commoncrawl.bucket" in stages for stages in names] == [False, True]
