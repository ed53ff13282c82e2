"""Faults that readers of real pages found, and those of public bug reports.

The cases stay in the folder of shared inputs and are read when the tests run.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from filters.wikipedia.sites import load_site
from filters.wikipedia.text import to_text

pytestmark = pytest.mark.data

_REPOSITORY = Path(__file__).resolve().parents[3]
_DATA = Path(os.environ.get("CORPUSMILL_DATA") or _REPOSITORY.parent / "shared" / "data")
_CASES = _DATA.parent / "findings" / "cases"
# Kinds that our rules decide in another way than the reader of the page expects.


@dataclass(frozen=True)
class Case:
    """A piece of wikitext, and what its text must be."""

    name: str
    lang: str
    wikitext: str
    expected: str | list[str]  # the text, or pieces that it must not contain


def _cases() -> list[Case]:
    """Return the cases that are Wikipedia's; none where the folder is not there."""
    cases = []
    read = _CASES / "reading.jsonl"
    lines = read.read_text("utf-8").splitlines() if read.is_file() else []
    for number, line in enumerate(lines, 1):
        case = json.loads(line)
        source, _, lang = case["source"].partition(":")
        if source == "wikipedia":
            name = f"{number}-{case['kind']}"
            cases.append(Case(name, lang, case["input"], case["expected"]))
    for path in sorted((_CASES / "bugs").glob("*.json")):
        case = json.loads(path.read_text("utf-8"))
        if case["input"].endswith(".wikitext"):
            wikitext = (path.parent / case["input"]).read_text("utf-8")
            cases.append(Case(case["id"], case["lang"], wikitext, case["expected"]))
    return cases


@pytest.mark.skipif(not _CASES.is_dir(), reason="no findings beside the project")
def test_the_cases_are_there() -> None:
    """An empty list would test nothing."""
    assert _cases()


@pytest.mark.parametrize("case", _cases(), ids=lambda case: case.name)
def test_case(case: Case) -> None:
    """The whole text, or what must not be in it."""
    text = to_text(case.wikitext, load_site(case.lang)).text
    if isinstance(case.expected, str):
        assert text == case.expected
    else:
        assert [piece for piece in case.expected if piece in text] == []
