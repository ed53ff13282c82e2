"""The profile that does as RedPajama v1 does (docs/rules/sources.md 4.2)."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from filters.arxiv.redpajama import (
    clean_papers,
    cut_before_section,
    cut_from_bibliography,
    expand_macros,
    macros_of,
    strip_comments,
)

_REPOSITORY = Path(__file__).resolve().parents[3]
_DATA = Path(os.environ.get("CORPUSMILL_DATA") or _REPOSITORY.parent / "shared" / "data")
_CASES = _DATA.parent / "conformance" / "src_redpajama_datajuicer.jsonl"
_STAGES: dict[str, Callable[[str], str]] = {
    "arxiv.remove_before_first_section": cut_before_section,
    "arxiv.remove_comments": strip_comments,
    "arxiv.remove_bibliography": cut_from_bibliography,
    "arxiv.expand_macros_noarg": lambda text: expand_macros(text, macros_of(text)),
}


def _cases() -> list[dict[str, Any]]:
    if not _CASES.is_file():
        return []
    cases = [json.loads(line) for line in _CASES.read_text("utf-8").splitlines()]
    return [case for case in cases if case["stage"] in _STAGES]


@pytest.mark.data
@pytest.mark.parametrize("case", _cases(), ids=lambda case: case["stage"])
def test_what_the_port_of_its_cleaner_promises(case: dict[str, Any]) -> None:
    """The cases of a project that carries the same rules, read where they lie."""
    assert _STAGES[case["stage"]](case["input"]).strip() == case["expected"].strip()


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"a.tex": "x\\section{T} y"}, "\\section{T} y"),
        ({"a.tex": "\\section{A}\\input{b}", "b.tex": "\\section{B}b"},
         "\\section{A}\\input{b}\n\\section{B}b"),
        ({"a.tex": "\\section{A}", "b.tex": "an abstract"}, "\\section{A}"),
        ({"a.tex": "x\\paragraph{T} y"}, ""),
        ({"a.tex": "\\section{T}a\\appendixname b"}, "\\section{T}a"),
        ({"a.tex": "\\section{T}a\\bibliography{x} b"}, "\\section{T}a"),
        ({"a.tex": "\\section{T}\n% c\nab% d\nc %"}, "\\section{T}\na\nc %"),
        ({"a.tex": "\\newcommand{\\x}{B}\n\\section{T}\\x{} \\xy"}, "\\section{T}B{} \\xy"),
        ({"a.tex": "\\newcommand{\\x}[1]{B#1}\n\\section{T}\\x{a}"}, "\\section{T}\\x{a}"),
        ({"a.tex": "\\def\\x{B}\n\\section{T}\\x."}, "\\section{T}B."),
        ({"a.sty": "\\section{T}"}, ""),
    ],
)  # fmt: skip
def test_faults_and_all(files: dict[str, str], expected: str) -> None:
    """Each file for itself, in the order of the archive."""
    members = {name: text.encode() for name, text in files.items()}
    assert clean_papers(members) == expected


def test_a_file_that_is_not_utf8_drops_the_paper() -> None:
    """Whatever the others hold."""
    assert clean_papers({"a.tex": b"\\section{T}", "b.tex": b"\xe9"}) is None
