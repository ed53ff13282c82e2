"""Faults that were found in real files and rebuilt from public bug reports stay mended.

The cases stay in the folder of shared inputs and are read when the tests run.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from filters.github.generated import check_generated, check_generated_documentation
from filters.github.headers import strip_license_header
from filters.github.quality import check_source_file, normalize_source

pytestmark = pytest.mark.data

_REPOSITORY = Path(__file__).resolve().parents[3]
_DATA = Path(os.environ.get("CORPUSMILL_DATA") or _REPOSITORY.parent / "shared" / "data")
_CASES = _DATA.parent / "findings" / "cases"
_BUGS = _CASES / "bugs"
_FILE = re.compile(r"\[(?P<path>[^\]]+)\](?P<with>[^\n]*)\n(?P<text>.*)", re.DOTALL)


def _read_cases() -> list[dict[str, Any]]:
    """Return the cases of GitHub that were read off real files."""
    path = _CASES / "reading.jsonl"
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    return [case for case in map(json.loads, lines) if case["source"] == "github"]


def _bug_cases(call: str) -> list[dict[str, Any]]:
    """Return the cases rebuilt from bug reports that call this function."""
    cases = [json.loads(path.read_text("utf-8")) for path in sorted(_BUGS.glob("*.json"))]
    return [case for case in cases if call in case.get("call", "")]


@pytest.mark.skipif(not _CASES.is_dir(), reason=f"no cases of findings: {_CASES} is absent")
def test_the_cases_are_there() -> None:
    """An empty list would test nothing."""
    assert _read_cases()
    assert _bug_cases("strip_license_header")
    assert _bug_cases("check_generated")


@pytest.mark.parametrize("case", _bug_cases("strip_license_header"), ids=lambda case: case["id"])
def test_documentation_is_no_notice(case: dict[str, Any]) -> None:
    """Comments that speak of licences, copyright or editing stay."""
    text = normalize_source((_BUGS / case["input"]).read_text("utf-8"))
    assert strip_license_header(text, case["path"]) == case["expected"]


@pytest.mark.parametrize("case", _bug_cases("check_generated"), ids=lambda case: case["id"])
def test_generated_marks(case: dict[str, Any]) -> None:
    """Marks count where they stand, with the path or without it."""
    text = normalize_source((_BUGS / case["input"]).read_text("utf-8"))
    assert check_generated(text).keep is case["expected"]
    assert check_generated(text, case["input"]).keep is case["expected"]


@pytest.mark.parametrize("case", _read_cases(), ids=lambda case: case["input"][:40])
def test_real_files(case: dict[str, Any]) -> None:
    """Each kind of fault by the filter that it is about."""
    match = _FILE.match(case["input"])
    if case["kind"] == "markdown_line_length":
        item = f"* {'word ' * 26}end.\n"
        assert check_source_file(item * 8, "changelog.md").keep
        return
    assert match
    if case["kind"] == "header_takes_documentation":
        assert strip_license_header(match["text"], match["path"]) == case["expected"]
    elif case["kind"] == "generated_html":
        assert check_generated(match["text"], match["path"]).reason == case["expected"]
        verdict = check_generated_documentation(match["text"], match["path"])
        assert verdict.reason == "generated_documentation"
    else:
        pytest.fail(f"no test for the kind {case['kind']!r}: add one")
