"""Duplicate paragraphs across units: what is claimed, decided, and looked up (web.md 4.4, 4.5)."""

import random
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.joins.lines import Duplicates, UnitKeys, bucketed, decide, pack_keys, unpack_keys

Documents = list[list[int]]  # keys of the lines of each document


def spread(values: list[int]) -> np.ndarray:
    """Return small numbers as keys all over the range of hashes, in the same order."""
    return np.array(values, np.uint64) * np.uint64(0x0FFF_FFFF_FFFF_FFF7)


def judge(units: dict[str, Documents], keep: str, buckets: int) -> dict[str, list[list[bool]]]:
    """Run claims, decision and look-up; return for each line whether it is dropped."""
    groups: dict[int, list[bytes]] = defaultdict(list)
    for name, documents in units.items():
        keys = UnitKeys(keep)  # type: ignore[arg-type]
        for row, lines in enumerate(documents):
            keys.add(row, spread(lines))
        for bucket, packed in bucketed(name, f"rank {name}", keys, buckets):
            groups[bucket].append(packed)
    answers: dict[str, list[bytes]] = defaultdict(list)
    for packed in groups.values():
        random.Random(len(packed)).shuffle(packed)  # the order of arrival must not show
        for name, dropped, winners in decide(packed, keep):  # type: ignore[arg-type]
            answers[name].append(pack_keys(dropped, winners, {}))
    return {
        name: [
            Duplicates(answers[name]).among(spread(lines), row).tolist()
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
    return {
        name: [
            [
                len(holders[key]) > 1 and (keep == "none" or holders[key][0] != (name, row))
                for key in lines
            ]
            for row, lines in enumerate(documents)
        ]
        for name, documents in units.items()
    }


documents = st.lists(st.lists(st.integers(0, 15), max_size=6), max_size=4)


@pytest.mark.parametrize("keep", ["none", "first"])
@given(
    units=st.dictionaries(st.sampled_from("abcd"), documents, max_size=4),
    buckets=st.sampled_from([1, 2, 16]),
)
def test_lines_are_dropped_as_dictionaries_say(
    keep: str, units: dict[str, Documents], buckets: int
) -> None:
    """For both policies, for any number of buckets, in any order of arrival."""
    assert judge(units, keep, buckets) == expected(units, keep)


def test_a_line_twice_in_one_document_is_no_duplicate() -> None:
    """Nor is it claimed as one (4.5)."""
    assert judge({"a": [[7, 7], [8]]}, "none", 1) == {"a": [[False, False], [False]]}


def test_a_key_that_is_everywhere_is_one_claim_a_unit() -> None:
    """So that the empty line cannot sink a worker."""
    keys = UnitKeys("none")
    for row in range(1000):
        keys.add(row, spread([3]))
    (message,) = [packed for _, packed in bucketed("a", "", keys, 1)]
    assert unpack_keys(message)[0].tolist() == spread([3]).tolist()
    assert keys.paragraphs == 1000


def test_scopes_do_not_meet() -> None:
    """Two units of different scopes send to different buckets."""
    keys = UnitKeys("none")
    keys.add(0, spread([1, 15]))
    first = {bucket for bucket, _ in bucketed("a", "", keys, 4, scope=0)}
    second = {bucket for bucket, _ in bucketed("b", "", keys, 4, scope=1)}
    assert len(first) == 2
    assert first.isdisjoint(second)
    assert {bucket // 4 for bucket in second} == {1}
