"""Claims are decided alike whatever the buckets and the order in which they arrive."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.engine.claim_files import Block
from pipelines.engine.documents import KEY_BYTES
from pipelines.engine.packing import pack, unpack
from pipelines.joins.claims import LostVerdictError, RowVerdicts, claims_of, deciding, digest_key
from pipelines.joins.decisions import LocalWinners, first_wins, local_winners, look_up
from tests.pipelines.joins.deciding import decide, sorted_rows

Claim = tuple[str, bytes]  # key, rank


def _claims(claims: Sequence[Claim]) -> pa.Table:
    return pa.table(
        {
            "key": pa.array([digest_key(key) for key, _ in claims], pa.binary(KEY_BYTES)),
            "rank": pa.array([rank for _, rank in claims], pa.binary()),
            "count": pa.array([1] * len(claims), pa.int64()),
            "row": pa.array(range(len(claims)), pa.int64()),
        }
    )


def _all(**units: pa.Table) -> pa.Table:
    return claims_of([Block(unit, "", [table]) for unit, table in units.items()])


def test_the_smallest_rank_wins_and_counts_all() -> None:
    """Ties go to the first unit, then the first row."""
    claims = _all(b=_claims([("k", b"1")]), a=_claims([("k", b"2")] * 2))
    verdicts = sorted_rows(first_wins(claims))
    assert [(v["unit"], v["row"], v["wins"]) for v in verdicts] == [
        ("a", 0, False),
        ("a", 1, False),
        ("b", 0, True),
    ]
    assert {(v["copies"], v["winner"], v["winner_row"]) for v in verdicts} == {(3, b"1", 0)}
    tied = _all(b=_claims([("k", b"1")]), a=_claims([("k", b"1")] * 2))
    assert [v["wins"] for v in sorted_rows(first_wins(tied))] == [True, False, False]


def test_no_claims_give_no_verdicts() -> None:
    """A unit may have kept nothing."""
    assert first_wins(_claims([])).num_rows == 0
    assert len(LocalWinners(_claims([]))) == 0


def _facts(keys: list[str], licenses: list[str | None], *, asks: bool) -> pa.Table:
    return pa.table(
        {
            "key": pa.array([digest_key(key) for key in keys], pa.binary(KEY_BYTES)),
            "row": pa.array(range(len(keys)), pa.int64()),
            "asks": pa.array([asks] * len(keys), pa.bool_()),
            "license": pa.array(licenses, pa.string()),
        }
    )


def test_who_asks_is_told_the_smallest_statement() -> None:
    """And null where nothing was stated."""
    claims = _all(
        files=_facts(["a", "b", "a"], [None] * 3, asks=True),
        licenses=_facts(["a", "a", "c"], ["mit", "isc", "mit"], asks=False),
    )
    answers = sorted_rows(look_up(claims, facts=["license"]))
    assert [(a["unit"], a["row"], a["license"]) for a in answers] == [
        ("files", 0, "isc"),
        ("files", 1, None),
        ("files", 2, "isc"),
    ]


def test_a_unit_emits_one_claim_per_key() -> None:
    """The best of its own, with the count of all."""
    local = LocalWinners(_claims([("k", b"2"), ("k", b"1"), ("other", b"9")]))
    assert [(row["row"], row["count"]) for row in local.emitted.to_pylist()] == [(1, 2), (2, 1)]
    assert [local.winner_row(row) for row in range(3)] == [1, 1, 2]


UNITS = st.lists(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.binary(max_size=1)), max_size=6), max_size=4
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(units=UNITS, buckets=st.sampled_from([1, 2, 16]))
def test_neither_buckets_nor_arrival_show(
    tmp_path: Path, units: list[list[Claim]], buckets: int
) -> None:
    """One claim per key wins: the smallest (rank, unit, row); copies count all of the key."""
    local = {f"u{n}": LocalWinners(_claims(claims)) for n, claims in enumerate(units)}
    emitted = {unit: winners.emitted for unit, winners in local.items()}
    messages = decide(tmp_path, emitted, deciding(first_wins), buckets)
    flat = [(k, r, u, n) for u, claims in enumerate(units) for n, (k, r) in enumerate(claims)]
    for key, rank, number, row in flat:
        winners = local[f"u{number}"]
        stands = winners.winner_row(row)
        end = RowVerdicts(messages[f"u{number}"]).of(stands)
        rivals = [claim for claim in flat if claim[0] == key]
        best = min(rivals, key=lambda claim: claim[1:])
        assert (end["wins"] and stands == row) == ((key, rank, number, row) == best)
        assert end["copies"] == len(rivals)
        assert end["winner"] == best[1]


def test_the_newest_page_of_a_url_wins_by_the_same_decision(tmp_path: Path) -> None:
    """C4 keeps one page per url: the newest, and of equal ones the smallest hash of the text."""

    def rank(seconds: int, text: str) -> bytes:
        digest = hashlib.sha256(text.encode()).digest()
        return (2**64 - 1 - seconds).to_bytes(8, "big") + digest

    old, new = ("url", rank(1, "x")), ("url", rank(2, "a"))
    same = ("url", rank(2, "b"))
    claims = {"u0": _claims([old, new]), "u1": _claims([same, ("other", rank(1, "x"))])}
    messages = decide(
        tmp_path, {u: local_winners(t) for u, t in claims.items()}, deciding(first_wins), 16
    )
    newer = min(new[1], same[1])
    assert RowVerdicts(messages["u0"]).of(1)["wins"] == (newer == new[1])
    assert RowVerdicts(messages["u1"]).of(0)["wins"] == (newer == same[1])
    assert RowVerdicts(messages["u1"]).of(1)["wins"]


def _pairs(blocks: Sequence[Block]) -> Iterator[tuple[str, bytes]]:
    """Nominate the books that share a hash of their sketches, each to the first that has it."""
    table = claims_of(blocks).sort_by([("key", "ascending"), ("unit", "ascending")])
    keys, units, rows = (table[name].to_pylist() for name in ("key", "unit", "row"))
    found: dict[str, list[tuple[int, bytes]]] = {}
    for at in range(1, len(keys)):
        if keys[at] == keys[at - 1]:
            partner = f"{units[at - 1]}:{rows[at - 1]}".encode()
            found.setdefault(units[at], []).append((rows[at], partner))
    for unit, pairs in found.items():
        columns = {
            "row": pa.array([row for row, _ in pairs], pa.int64()),
            "partner": pa.array([partner for _, partner in pairs], pa.binary()),
        }
        yield unit, pack(pa.table(columns))


def test_sketches_nominate_pairs_by_a_decision_of_their_own(tmp_path: Path) -> None:
    """Books: hashes of sketches are keys of eight bytes without a rank; a verdict names a book."""

    def sketch(hashes: list[int], row: int) -> pa.Table:
        keys = np.sort(np.array(hashes, np.uint64))
        return pa.table({"key": keys, "row": pa.array([row] * len(keys), pa.int64())})

    books = {"u0": sketch([1, 2**63, 7], 0), "u1": sketch([3, 2**63], 5), "u2": sketch([9], 0)}
    messages = decide(tmp_path, books, _pairs, 4)
    assert [unpack(message).to_pylist() for message in messages["u1"]] == [
        [{"row": 5, "partner": b"u0:0"}]
    ]
    assert messages["u0"] == messages["u2"] == []


def test_a_lost_verdict_is_a_defect_that_no_stage_swallows() -> None:
    """Not an Exception, which would be a reject."""
    with pytest.raises(LostVerdictError, match="no verdict on row 3"):
        RowVerdicts([]).of(3)
    assert not issubclass(LostVerdictError, Exception)
