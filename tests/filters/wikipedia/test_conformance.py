"""What mwparserfromhell's own tests promise of plain text.

The cases stay in the folder of shared inputs and are read when the tests run.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from filters.wikipedia.sites import load_site
from filters.wikipedia.text import to_text

pytestmark = pytest.mark.data

_REPOSITORY = Path(__file__).resolve().parents[3]
_DATA = Path(os.environ.get("CORPUSMILL_DATA") or _REPOSITORY.parent / "shared" / "data")
_CASES = _DATA.parent / "conformance" / "src_mwparserfromhell.jsonl"
_STAGES = {"wiki.strip_code", "wiki.strip_code_node"}


def _cases() -> list[dict[str, Any]]:
    """Return the cases that are ours to meet; elsewhere our rules differ on purpose."""
    if not _CASES.is_file():
        return []
    cases = [json.loads(line) for line in _CASES.read_text("utf-8").splitlines()]
    return [case for case in cases if case["stage"] in _STAGES and case["policy"] == "conform"]


@pytest.mark.skipif(not _CASES.is_file(), reason="no conformance cases beside the project")
def test_the_cases_are_there() -> None:
    """An empty list would test nothing."""
    assert _cases()


@pytest.mark.parametrize("case", _cases(), ids=lambda case: case["input"][:20])
def test_strip_code(case: dict[str, Any]) -> None:
    """Links, entities, tags, headings and templates, each alone."""
    # A heading without a section is removed (2.6): give it one.
    heading = case["input"].startswith("==")
    text = to_text(case["input"] + "\nx" * heading, load_site("en")).text
    assert text.removesuffix("\n\nx" * heading).strip() == case["expected"].strip()
