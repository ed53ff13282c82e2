"""What the test suite of cc_net promises of the filters of English Common Crawl.

The cases stay in the folder of shared inputs and are read when the tests run. What needs a reader
of WET files is tested with the reader.
"""

import json
import os
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from filters.characters import PUNCTUATION
from filters.commoncrawl.paragraphs import (
    normalize,
    pack_line_ids,
    paragraph_keys,
    remove_paragraphs,
)

pytestmark = pytest.mark.data

_REPOSITORY = Path(__file__).resolve().parents[3]
_DATA = Path(os.environ.get("CORPUSMILL_DATA") or _REPOSITORY.parent / "shared" / "data")
_FILES = sorted((_DATA.parent / "conformance").glob("web_ccnet_*.jsonl"))


def _cases(stage: str) -> list[Any]:
    lines = [line for path in _FILES for line in path.read_text("utf-8").splitlines()]
    cases = [case for case in map(json.loads, lines) if case["stage"] == f"ccnet.{stage}"]
    return [pytest.param(case["input"], case["expected"], id=case["id"]) for case in cases]


def _keys(lines: Iterable[str]) -> set[int]:
    return {key for line in lines for key in paragraph_keys(line).tolist()}


def _repeated(pages: Iterable[str]) -> set[int]:
    """Return the keys that are seen once more in a later page."""
    seen: set[int] = set()
    repeated: set[int] = set()
    for page in pages:
        keys = set(paragraph_keys(page).tolist())
        repeated |= keys & seen
        seen |= keys
    return repeated


def _without(page: str, duplicates: Collection[int]) -> dict[str, Any]:
    keys = paragraph_keys(page)
    flags = np.array([key in duplicates for key in keys.tolist()], np.bool_)
    rest = remove_paragraphs(page, keys, flags)
    assert rest
    names = ("text", "original_nlines", "nlines", "line_ids")
    return {name: getattr(rest, name) for name in names}


@pytest.mark.skipif(not _FILES, reason="no conformance cases beside the project")
@pytest.mark.parametrize("stage", ["normalize_for_dedup", "dedup_two_pass", "minify"])
def test_the_cases_are_there(stage: str) -> None:
    """An empty list would test nothing."""
    assert _cases(stage)


@pytest.mark.parametrize(
    ("stage", "replacement"),
    [("replace_unicode_punct", PUNCTUATION.__getitem__), ("remove_unicode_punct", lambda _: "")],
)
def test_punctuation(stage: str, replacement: Callable[[str], str]) -> None:
    """The table alone, without the rest of a normalisation."""
    for case in _cases(stage):
        text, expected = case.values
        assert "".join(replacement(c) if c in PUNCTUATION else c for c in text) == expected


@pytest.mark.parametrize(("text", "expected"), _cases("normalize_for_dedup"))
def test_normalize_for_dedup(text: str, expected: str) -> None:
    """A line as it is hashed."""
    assert normalize(text) == expected


@pytest.mark.parametrize(("arguments", "expected"), _cases("normalize"))
def test_numbers(arguments: dict[str, Any], expected: str) -> None:
    """Digits become zeros; ours have no switch for that."""
    if arguments["numbers"]:
        assert normalize(arguments["text"]) == expected


@pytest.mark.parametrize(("pages", "expected"), _cases("dedup_hash_flags"))
def test_which_keys_are_repeated(pages: list[str], expected: dict[str, bool]) -> None:
    """In a later page, not in the same."""
    assert _repeated(pages) == _keys(line for line, flag in expected.items() if flag)


@pytest.mark.parametrize(("arguments", "expected"), _cases("dedup_from_flagged_hashes"))
def test_removal_by_given_keys(arguments: dict[str, Any], expected: list[dict[str, Any]]) -> None:
    """Keys that are known but not flagged stay."""
    duplicates = _keys(arguments["flagged_true"])
    assert [_without(page, duplicates) for page in arguments["docs"]] == expected


@pytest.mark.parametrize(("arguments", "expected"), _cases("dedup_two_pass"))
def test_both_passes(arguments: dict[str, Any], expected: list[list[dict[str, Any]]]) -> None:
    """Over the shards of one group."""
    shards = arguments["shards"]
    assert arguments["shards_per_group"] == len(shards)
    duplicates = _repeated(page for shard in shards for page in shard)
    assert [[_without(page, duplicates) for page in shard] for shard in shards] == expected


@pytest.mark.parametrize(("arguments", "expected"), _cases("dedup_sharded_hash_files"))
def test_merged_keys(arguments: dict[str, Any], expected: list[list[dict[str, Any]]]) -> None:
    """A key in two files of keys is a duplicate, and so is one that is flagged in a file."""
    files = arguments["hash_files"]
    duplicates = _keys(line for file in files for line, flag in file.items() if flag)
    for number, file in enumerate(files):
        for other in files[number + 1 :]:
            duplicates |= _keys(file.keys() & other.keys())
    shards = arguments["shards"]
    assert [[_without(page, duplicates) for page in shard] for shard in shards] == expected


@pytest.mark.parametrize(("shards", "expected"), _cases("dedup_one_pass_keep_first"))
def test_the_first_copy_may_stay(shards: list[list[str]], expected: list[dict[str, Any]]) -> None:
    """Flags are the caller's: here, of what an earlier page had."""
    earlier: set[int] = set()
    results = []
    for page in (page for shard in shards for page in shard):
        results.append(_without(page, earlier))
        earlier |= set(paragraph_keys(page).tolist())
    assert results == expected


@pytest.mark.parametrize(("document", "expected"), _cases("minify"))
def test_minify(document: dict[str, Any], expected: dict[str, Any]) -> None:
    """Line numbers without the text."""
    assert pack_line_ids(document["line_ids"]) == expected["line_ids"]
