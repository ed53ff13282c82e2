"""Claims are decided alike whatever the buckets and the order in which they arrive."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.joins.claims import (
    KEY_BYTES,
    LostVerdictError,
    Standing,
    Verdicts,
    bucket_count,
    by_bucket,
    claims_table,
    digest_key,
    first_wins,
    look_up,
    message,
    pack,
    read_messages,
    unpack,
)

Claim = tuple[str, bytes]  # key, rank


def _claims(unit: str, claims: list[Claim]) -> pa.Table:
    columns = {
        "key": pa.array([digest_key(key) for key, _ in claims], pa.binary(KEY_BYTES)),
        "rank": pa.array([rank for _, rank in claims], pa.binary()),
        "count": pa.array([1] * len(claims), pa.int64()),
    }
    return claims_table(unit, range(len(claims)), columns)


def _sorted(table: pa.Table) -> list[dict[str, Any]]:
    return sorted(table.to_pylist(), key=lambda row: (row["unit"], row["row"]))


def test_the_smallest_rank_wins_and_counts_all() -> None:
    """Ties go to the first unit, then the first row."""
    claims = unpack([pack(_claims("b", [("k", b"1")])), pack(_claims("a", [("k", b"2")] * 2))])
    verdicts = _sorted(first_wins(claims))
    assert [(v["unit"], v["row"], v["wins"]) for v in verdicts] == [
        ("a", 0, False),
        ("a", 1, False),
        ("b", 0, True),
    ]
    assert {(v["copies"], v["winner"], v["winner_row"]) for v in verdicts} == {(3, b"1", 0)}
    tied = unpack([pack(_claims("b", [("k", b"1")])), pack(_claims("a", [("k", b"1")] * 2))])
    assert [v["wins"] for v in _sorted(first_wins(tied))] == [True, False, False]


def test_no_claims_give_no_verdicts() -> None:
    """A unit may have kept nothing."""
    assert first_wins(_claims("a", [])).num_rows == 0
    assert len(Standing(_claims("a", []))) == 0
    assert list(by_bucket(_claims("a", []), 4)) == []


def _facts(unit: str, keys: list[str], licenses: list[str | None], *, asks: bool) -> pa.Table:
    columns = {
        "key": pa.array([digest_key(key) for key in keys], pa.binary(KEY_BYTES)),
        "asks": pa.array([asks] * len(keys), pa.bool_()),
        "license": pa.array(licenses, pa.string()),
    }
    return claims_table(unit, range(len(keys)), columns)


def test_who_asks_is_told_the_smallest_statement() -> None:
    """And null where nothing was stated."""
    claims = pa.concat_tables(
        [
            _facts("files", ["a", "b", "a"], [None] * 3, asks=True),
            _facts("licenses", ["a", "a", "c"], ["mit", "isc", "mit"], asks=False),
        ]
    ).unify_dictionaries()
    answers = _sorted(look_up(claims, facts=["license"]))
    assert [(a["unit"], a["row"], a["license"]) for a in answers] == [
        ("files", 0, "isc"),
        ("files", 1, None),
        ("files", 2, "isc"),
    ]


def test_a_unit_emits_one_claim_a_key() -> None:
    """The best of its own, with the count of all."""
    standing = Standing(_claims("a", [("k", b"2"), ("k", b"1"), ("other", b"9")]))
    emitted = [(row["row"], row["count"]) for row in standing.emitted.to_pylist()]
    assert emitted == [(1, 2), (2, 1)]
    assert [standing.winner_row(row) for row in range(3)] == [1, 1, 2]


UNITS = st.lists(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.binary(max_size=1)), max_size=6), max_size=4
)


def _decide(units: list[list[Claim]], buckets: int, order: Any) -> list[dict[str, Any]]:
    """Decide as the pipeline does; return how each claim ends."""
    standings = {f"u{n}": Standing(_claims(f"u{n}", claims)) for n, claims in enumerate(units)}
    held: dict[int, list[bytes]] = {}
    for standing in standings.values():
        for bucket, packed in by_bucket(standing.emitted, buckets):
            held.setdefault(bucket, []).append(packed)
    decided: dict[str, list[bytes]] = {}
    for packed in held.values():
        order.shuffle(packed)
        verdicts = first_wins(unpack(packed))
        for unit in standings:
            mine = verdicts.filter(pa.array([u == unit for u in verdicts["unit"].to_pylist()]))
            if mine.num_rows:
                decided.setdefault(unit, []).append(pack(mine.drop_columns(["unit"])))
    return [
        verdicts_of.of(standing.winner_row(row)) | {"mine": standing.winner_row(row) == row}
        for unit, standing in standings.items()
        for verdicts_of in [Verdicts(decided.get(unit, []))]
        for row in range(len(standing))
    ]


@settings(max_examples=60, deadline=None)
@given(UNITS, st.sampled_from([1, 2, 16]), st.randoms(use_true_random=False))
def test_neither_buckets_nor_arrival_show(
    units: list[list[Claim]], buckets: int, order: Any
) -> None:
    """One claim a key wins: the smallest (rank, unit, row); copies count all of the key."""
    ends = _decide(units, buckets, order)
    flat = [(k, r, u, n) for u, claims in enumerate(units) for n, (k, r) in enumerate(claims)]
    for (key, rank, unit, row), end in zip(flat, ends, strict=True):
        rivals = [claim for claim in flat if claim[0] == key]
        best = min(rivals, key=lambda claim: claim[1:])
        assert (end["wins"] and end["mine"]) == ((key, rank, unit, row) == best)
        assert end["copies"] == len(rivals)
        assert end["winner"] == best[1]


def test_a_lost_verdict_is_a_defect_that_no_stage_swallows() -> None:
    """Not an Exception, which would be a reject."""
    with pytest.raises(LostVerdictError, match="no verdict on row 3"):
        Verdicts([]).of(3)
    assert not issubclass(LostVerdictError, Exception)


def test_messages_are_sorted_by_topic() -> None:
    """A body may hold NUL."""
    sent = [message("a", b"1\0"), message("b", b""), message("a", b"2")]
    assert read_messages(sent) == {"a": [b"1\0", b"2"], "b": [b""]}


@pytest.mark.parametrize(
    ("size", "buckets"), [(0, 1), (128_000_000, 1), (128_000_001, 2), (10**15, 1 << 16)]
)
def test_the_number_of_buckets_follows_from_the_claims(size: int, buckets: int) -> None:
    """A power of two, of 128 MB each, at most 2^16."""
    assert bucket_count(size) == buckets
