"""Duplicate lines across units: what is claimed, decided, and looked up (web 4.4, 4.5, 9.5)."""

import hashlib
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.joins.keys import (
    DuplicateKeys,
    UnitKeys,
    drop_all,
    keep_first,
    keep_smallest_rank,
)
from tests.pipelines.joins.deciding import decide

Documents = list[list[int]]  # keys of the lines of each document
DECISIONS: dict[Any, Any] = {"none": drop_all, "first": keep_first, "rank": keep_smallest_rank}


def spread(values: list[int]) -> np.ndarray:
    """Return small numbers as keys all over the range of hashes, in the same order."""
    return np.array(values, np.uint64) * np.uint64(0x0FFF_FFFF_FFFF_FFF7)


def rank(unit: str, row: int) -> bytes:
    """Return the rank of a document, as C4 has it: the MD5 of its url."""
    return hashlib.md5(f"{unit}/{row}".encode(), usedforsecurity=False).digest()


def judge(
    folder: Path, units: dict[str, Documents], keep: Any, buckets: int
) -> dict[str, list[list[bool]]]:
    """Run claims, decision and look-up; return for each line whether it is dropped."""
    claims = {}
    for name, documents in units.items():
        keys = UnitKeys(keep)
        for row, lines in enumerate(documents):
            keys.add(row, spread(lines), rank(name, row))
        claims[name] = keys.claims()
    messages = decide(folder, claims, DECISIONS[keep], buckets)
    return {
        name: [
            DuplicateKeys(messages[name]).among(spread(lines), row).tolist()
            for row, lines in enumerate(documents)
        ]
        for name, documents in units.items()
    }


def expected(units: dict[str, Documents], keep: str) -> dict[str, list[list[bool]]]:
    """Say the same with dictionaries: a key that two documents hold is a duplicate."""
    holders: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for name in sorted(units):
        for row, lines in enumerate(units[name]):
            for key in set(lines):
                holders[key].append((name, row))
    owners = {
        key: min(who, key=lambda w: rank(*w)) if keep == "rank" else who[0]
        for key, who in holders.items()
    }
    return {
        name: [
            [
                len(holders[key]) > 1 and (keep == "none" or owners[key] != (name, row))
                for key in lines
            ]
            for row, lines in enumerate(documents)
        ]
        for name, documents in units.items()
    }


documents = st.lists(st.lists(st.integers(0, 15), max_size=6), max_size=4)


@pytest.mark.parametrize("keep", list(DECISIONS))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    units=st.dictionaries(st.sampled_from("abcd"), documents, max_size=4),
    buckets=st.sampled_from([1, 2, 16]),
)
def test_lines_are_dropped_as_dictionaries_say(
    tmp_path: Path, keep: str, units: dict[str, Documents], buckets: int
) -> None:
    """For all policies, for any number of buckets, in any order of arrival."""
    assert judge(tmp_path, units, keep, buckets) == expected(units, keep)


def test_a_line_twice_in_one_document_is_no_duplicate(tmp_path: Path) -> None:
    """Nor is it claimed as one (docs/rules/web.md 4.5)."""
    found = judge(tmp_path, {"a": [[7, 7], [8]]}, "none", 1)
    assert found == {"a": [[False, False], [False]]}


def test_a_key_that_is_everywhere_is_one_claim_per_unit() -> None:
    """So that the empty line cannot sink a worker."""
    keys = UnitKeys()
    for row in range(1000):
        keys.add(row, spread([3]))
    assert keys.claims().to_pylist() == [{"key": int(spread([3])[0]), "many": True}]
    assert keys.keys == 1000
