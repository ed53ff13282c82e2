"""What the test suites of TensorFlow Datasets and datatrove promise of C4.

The cases stay in the folder of shared inputs and are read when the tests run.
"""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from filters.c4.badwords import BadWords, check_badwords
from filters.c4.lines import PRESETS, LineRules, clean_page
from filters.c4.pages import check_paragraphs
from filters.c4.sentences import english

pytestmark = pytest.mark.data

_REPOSITORY = Path(__file__).resolve().parents[3]
_DATA = Path(os.environ.get("CORPUSMILL_DATA") or _REPOSITORY.parent / "shared" / "data")
_FOLDER = _DATA.parent / "conformance"
_FILES = [*sorted(_FOLDER.glob("web_c4_*.jsonl")), *_FOLDER.glob("web_datatrove_filters.jsonl")]


def cases(stage: str) -> list[Any]:
    """Return the cases of a stage."""
    lines = [line for path in _FILES for line in path.read_text("utf-8").splitlines()]
    found = [case for case in map(json.loads, lines) if case["stage"] == f"c4.{stage}"]
    return [pytest.param(case["input"], case["expected"], id=case["id"]) for case in found]


@pytest.mark.parametrize(("text", "expected"), cases("clean_page"))
def test_clean_page(text: str, expected: dict[str, Any]) -> None:
    """Text and counters."""
    page = clean_page(text, english().lines_have)
    assert page.text == expected["text"]
    assert page.counters == Counter(expected["counters"])


@pytest.mark.parametrize(("page", "expected"), cases("badwords_keep"))
def test_badwords(page: dict[str, Any], expected: bool) -> None:
    """A page with a bad word of its language goes, or stays by its url."""
    lists = {language: BadWords(words) for language, words in page["badwords"].items()}
    verdict = check_badwords(
        page["text"],
        page["language"],
        page.get("normalized_url", ""),
        lists=lists,
        fraction=page.get("filter_fraction", 1.0),
    )
    assert verdict.keep == expected


@pytest.mark.parametrize(("page", "expected"), cases("paragraph_filter"))
def test_paragraphs(page: Any, expected: bool) -> None:
    """Three long lines."""
    page = {"text": page} if isinstance(page, str) else page
    options = {
        "min_paragraphs": page.get("min_paragraphs", 3),
        "min_characters": page.get("min_paragraph_len", 200),
    }
    assert check_paragraphs(page["text"], **options).keep == expected


_REASONS = {
    "lorem_ipsum": "loremipsum",
    "curly_bracket": "squigglybracket",
    "too_few_sentences": "too_few_sentences",
}


@pytest.mark.parametrize(("page", "expected"), cases("quality_datatrove"))
def test_datatrove(page: Any, expected: dict[str, Any]) -> None:
    """The preset datatrove, or its rules with other numbers."""
    rules = PRESETS["datatrove"]
    if isinstance(page, dict):
        sentences, words = page["min_num_sentences"], page["min_words_per_line"]
        rules = LineRules(sentences, words, rules.end_marks, words_with_citations=True)
        page = page["text"]
    found = clean_page(page, english().lines_have, rules=rules)
    if "text" in expected:
        assert found.text == expected["text"]
    else:
        assert (found.text is not None) == expected["keep"]
        assert found.reason == _REASONS.get(expected.get("reason", ""), "")
