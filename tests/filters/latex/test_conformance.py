"""What the test suites of public projects promise of conditionals and inputs.

The cases stay in the folder of shared inputs and are read when the tests run.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from filters.latex.conditionals import resolve_conditionals
from tests.filters.latex.papers import read

pytestmark = pytest.mark.data

_REPOSITORY = Path(__file__).resolve().parents[3]
_DATA = Path(os.environ.get("CORPUSMILL_DATA") or _REPOSITORY.parent / "shared" / "data")
_FOLDER = _DATA.parent / "conformance"


def _cases(file: str, stage: str) -> list[dict[str, Any]]:
    path = _FOLDER / file
    if not path.is_file():
        return []
    cases = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [case for case in cases if case["stage"] == stage and case["policy"] == "conform"]


_CONDITIONALS = _cases("src_arxiv_latex_cleaner.jsonl", "arxiv.simplify_conditional_blocks")
_INPUTS = _cases("src_latexpand.jsonl", "arxiv.resolve_inputs")


@pytest.mark.skipif(not _FOLDER.is_dir(), reason="no conformance cases beside the project")
def test_the_cases_are_there() -> None:
    """An empty list would test nothing."""
    assert len(_CONDITIONALS) > 10
    assert _INPUTS


@pytest.mark.parametrize("case", _CONDITIONALS, ids=lambda case: case["source"][-30:])
def test_conditionals(case: dict[str, Any]) -> None:
    """Those that are decided by their name are resolved."""
    assert resolve_conditionals(case["input"]).strip() == case["expected"].strip()


@pytest.mark.parametrize("case", _INPUTS, ids=lambda case: case["source"][-30:])
def test_every_file_comes_in_once_and_in_order(case: dict[str, Any]) -> None:
    """Paths are relative to the root of the paper."""
    body, text = read(case["input"])
    inlined = case["expected"]["all_files_inlined"]
    places = [text.index(case["input"][name].splitlines()[0]) for name in inlined[1:]]
    assert places == sorted(places)
    assert body.counts.inputs == len(inlined) - 1
