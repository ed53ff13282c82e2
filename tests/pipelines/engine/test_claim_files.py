"""The claims of a unit: written once, read by buckets, the same from a file and from messages."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.engine.claim_files import (
    MAX_BUCKETS,
    ClaimsFile,
    bucket_count,
    claim_bytes,
    pack_blocks,
    unpack_blocks,
    write_claims,
)
from pipelines.engine.documents import KEY_BYTES
from pipelines.joins.claims import digest_key

KEYS = st.lists(st.integers(0, 2**64 - 1), max_size=30)


def _table(keys: list[int], *, digests: bool) -> pa.Table:
    rows = pa.array(range(len(keys)), pa.int64())
    if digests:
        found = pa.array([digest_key(str(key)) for key in keys], pa.binary(KEY_BYTES))
    else:
        found = pa.array(np.array(keys, np.uint64))
    return pa.table({"key": found, "row": rows})


@given(
    chunks=st.lists(KEYS, max_size=3), digests=st.booleans(), buckets=st.sampled_from([1, 2, 64])
)
def test_buckets_share_out_all_claims(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[list[int]], digests: bool, buckets: int
) -> None:
    """Each claim lies in the bucket that the high bits of its key name, and in no other."""
    path = str(tmp_path_factory.mktemp("claims") / "u.claims")
    tables = [_table(keys, digests=digests) for keys in chunks]
    written = write_claims(path, "u", "order", tables)
    assert claim_bytes(path) == written
    claims = ClaimsFile.open(path)
    found = []
    for bucket, block in claims.blocks(buckets):
        assert (block.unit, block.order) == ("u", "order")
        for row in block.table.to_pylist():
            high = int.from_bytes(row["key"][:8], "big") if digests else row["key"]
            assert high * buckets >> 64 == bucket
            found.append((row["key"], row["row"]))
    every = [(row["key"], row["row"]) for table in tables for row in table.to_pylist()]
    assert sorted(found) == sorted(every)


def test_messages_hold_the_blocks_of_several_units(tmp_path: Path) -> None:
    """In whatever order they arrive."""
    blocks = []
    for name in ("b", "a"):
        path = str(tmp_path / name)
        write_claims(path, name, f"order {name}", [_table([1, 2], digests=True)])
        blocks.append(ClaimsFile.open(path).block(0, 1))
    assert blocks[0]
    assert blocks[1]
    together = unpack_blocks([pack_blocks([blocks[0], blocks[1]]), pack_blocks([]), b""])
    apart = unpack_blocks([pack_blocks([blocks[1]]), pack_blocks([blocks[0]])])
    for found in (together, apart):
        assert [(block.unit, block.order) for block in found] == [
            ("a", "order a"),
            ("b", "order b"),
        ]
        assert [block.table.num_rows for block in found] == [2, 2]


@pytest.mark.parametrize(
    ("size", "buckets"), [(0, 1), (128_000_000, 1), (128_000_001, 2), (10**15, 1 << 16)]
)
def test_the_number_of_buckets_follows_from_the_claims(size: int, buckets: int) -> None:
    """A power of two, of 128 MB each, at most 2^16."""
    assert bucket_count(size) == buckets


@pytest.mark.parametrize("buckets", [1, 2, 8, MAX_BUCKETS])
def test_a_bucket_is_the_same_whether_the_others_are_cut_or_not(
    tmp_path: Path, buckets: int
) -> None:
    """A worker that decides one group opens each file for one bucket."""
    path = str(tmp_path / "unit.claims")
    keys = np.arange(200, dtype=np.uint64) * np.uint64(2**64 // 199 // 3)
    write_claims(path, "unit", "unit", [pa.table({"key": keys[i::3]}) for i in range(3)])
    cut = ClaimsFile.open(path)
    filled = np.flatnonzero(cut.filled(buckets))
    assert len(filled) > min(buckets, 200) // 4
    for bucket in {*map(int, filled), 0, buckets - 1}:
        one, same = ClaimsFile.open(path).block(bucket, buckets), cut.block(bucket, buckets)
        assert (one is None) == (same is None)
        if one and same:
            assert [table.to_pydict() for table in one.tables] == [
                table.to_pydict() for table in same.tables
            ]
