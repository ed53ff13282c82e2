"""What the test suites of public projects promise of the GitHub filters.

The cases stay in the folder of shared inputs and are read when the tests run.
"""

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from filters.github.headers import strip_header_redpajama
from filters.github.quality import Thresholds, check_source_file

pytestmark = pytest.mark.data

_REPOSITORY = Path(__file__).resolve().parents[3]
_DATA = Path(os.environ.get("CORPUSMILL_DATA") or _REPOSITORY.parent / "shared" / "data")
_CASES = _DATA.parent / "conformance" / "src_redpajama_datajuicer.jsonl"


def _cases(stage: str) -> list[dict[str, Any]]:
    if not _CASES.is_file():
        return []
    cases = [json.loads(line) for line in _CASES.read_text("utf-8").splitlines()]
    return [case for case in cases if case["stage"] == stage]


def _count_subwords(text: str) -> int:
    """Stand in for a byte-level BPE: a token for six letters of a word, or for another byte."""
    words = "".join(c if c.isascii() and c.isalpha() else " " for c in text).split()
    others = sum(
        len(c.encode()) for c in text if not c.isspace() and not (c.isascii() and c.isalpha())
    )
    return others + sum(-(-len(word) // 6) for word in words)


@pytest.mark.skipif(not _CASES.is_file(), reason="no conformance cases beside the project")
def test_the_cases_are_there() -> None:
    """Both stages have cases: an empty list would test nothing."""
    assert _cases("github.clean_copyright")
    assert _cases("filter.alnum")


@pytest.mark.parametrize("case", _cases("github.clean_copyright"), ids=lambda c: c["input"][:20])
def test_redpajama_headers(case: dict[str, Any]) -> None:
    """The profile removes what the reference removes."""
    assert strip_header_redpajama(case["input"]) == case["expected"]


@pytest.mark.parametrize("case", _cases("filter.alnum"), ids=lambda c: str(c["input"]["args"]))
def test_alphanumeric_share(case: dict[str, Any]) -> None:
    """The share of characters, or the letters a token where the case counts tokens."""
    texts, arguments = case["input"]["texts"], case["input"]["args"]
    if arguments.get("tokenization"):
        limits = Thresholds(min_alnum=None, min_alpha_per_token=arguments["min_ratio"])
    else:
        limits = Thresholds(min_alnum=arguments["min_ratio"])
    check = partial(check_source_file, thresholds=limits, count_tokens=_count_subwords)
    assert [text for text in texts if check(text).keep] == case["expected"]["kept"]
