"""On a cluster, claims are cut into messages that are neither tiny nor padded.

The numbers are those of a whole dump, divided: 90,000 units with 10,800 digests each meet in 1,024
buckets, and 2,812 units with 500,000 paragraphs each in 128, so a unit has about ten claims per
bucket there, and four thousand here. What matters is this ratio, so a few buckets show the same.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipelines.engine import graph
from pipelines.engine.claim_files import (
    BUCKET_BYTES,
    ClaimsFile,
    bucket_count,
    claim_bytes,
    pack_blocks,
    unpack_blocks,
    write_claims,
)
from pipelines.engine.documents import KEY_BYTES
from pipelines.engine.graph import CutClaims, batch_size
from pipelines.engine.runs import Run
from pipelines.engine.steps import GroupStep, Topic
from pipelines.engine.worker import Worker
from pipelines.engine.workspace import Workspace

BUCKETS = 16


def name_of(number: int) -> str:
    """Return the name of a unit, as long as those of a dump are."""
    return f"{number:05d}-CC-MAIN-20190215183319-20190215205319-{number:05d}"


def digests(number: int, claims: int) -> pa.Table:
    """Return the claims of a unit on the digests of its pages."""
    random = np.random.default_rng(number)
    keys = [random.bytes(KEY_BYTES) for _ in range(claims)]
    ranks = [f"0000\0CC-MAIN-2019-09\0{name_of(number)}/{4 * n}".encode() for n in range(claims)]
    return pa.table(
        {
            "key": pa.array(keys, pa.binary(KEY_BYTES)),
            "rank": pa.array(ranks, pa.binary()),
            "count": pa.array([1] * claims, pa.int64()),
            "row": pa.array(range(claims), pa.int64()),
        }
    )


def paragraphs(number: int, claims: int) -> pa.Table:
    """Return the claims of a unit on the paragraphs of its pages."""
    random = np.random.default_rng(number)
    keys = np.sort(random.integers(0, 1 << 64, claims, np.uint64))
    return pa.table({"key": keys, "many": random.random(claims) < 0.1})


def cut(folder: Path, tables: list[pa.Table], claimed: int) -> list[tuple[int, bytes]]:
    """Return the messages of one batch of units of scope 3, in which so many bytes are claimed."""
    workspace = Workspace.within(Run(str(folder)))
    for number, table in enumerate(tables):
        path = workspace.claims_path("topic", name_of(number))
        write_claims(path, name_of(number), f"CC-MAIN-2019-09/{number:08d}", [table])
    step = GroupStep("decide topic", Topic("topic"), (), lambda *_: iter(()))
    names = [name_of(number) for number in range(len(tables) + 1)]  # the last left no claims
    batch = "\n".join(["3", *names])
    return list(CutClaims(step, Worker(workspace, print)).process(batch, [(0, 7), (3, claimed)]))


@pytest.mark.parametrize(
    ("claims_of", "units", "per_bucket"), [(digests, 90_000, 10.5), (paragraphs, 2_812, 3_906)]
)
def test_messages_of_a_dump_are_long_and_small(
    tmp_path: Path, claims_of: Callable[[int, int], pa.Table], units: int, per_bucket: float
) -> None:
    """A thousand keys in each, and at most ten times the bytes that one bucket would take."""
    batch = batch_size(units)
    claims = round(per_bucket * BUCKETS)
    tables = [claims_of(number, claims) for number in range(batch)]
    messages = cut(tmp_path, tables, BUCKETS * BUCKET_BYTES)
    assert {group // graph.MAX_BUCKETS for group, _ in messages} == {3}
    assert {group % graph.MAX_BUCKETS for group, _ in messages} == set(range(BUCKETS))
    assert len(messages) <= batch * claims / 1000
    useful = sum(len(cut_whole(tmp_path, number)) for number in range(batch))
    sent = sum(len(message) for _, message in messages)
    assert sent <= 10 * useful
    assert sent <= 1.1 * useful  # what is reached
    blocks = unpack_blocks(message for _, message in messages)
    assert sum(table.num_rows for block in blocks for table in block.tables) == batch * claims
    for block, number in zip(blocks, range(batch), strict=True):
        assert (block.unit, block.order) == (name_of(number), f"CC-MAIN-2019-09/{number:08d}")
        rows = block.table.sort_by("key").to_pylist()
        assert rows == tables[number].sort_by("key").to_pylist()


def cut_whole(folder: Path, number: int) -> bytes:
    """Return all claims of a unit as one message."""
    path = Workspace.within(Run(str(folder))).claims_path("topic", name_of(number))
    block = ClaimsFile.open(path).block(0, 1)
    assert block
    return pack_blocks([block])


def test_a_batch_sends_what_it_holds_before_memory_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages are then shorter, and nothing is lost."""
    tables = [digests(number, 64) for number in range(10)]
    one = write_claims(str(tmp_path / "one"), "u", "", [tables[0]])
    monkeypatch.setattr(graph, "HELD_BYTES", 3 * one)
    messages = cut(tmp_path, tables, 2 * BUCKET_BYTES)
    assert len(messages) == 2 * 4  # of three, three, three units and one
    blocks = unpack_blocks(message for _, message in messages)
    assert [block.table.num_rows for block in blocks] == [64] * 10


def test_batches_fill_their_messages_whatever_the_scope() -> None:
    """With units of one size, as long as a claim has at most 250 bytes."""
    for units in (256, 2_812, 90_000, 1_000_000):
        for unit_bytes in (1_000_000, 4_000_000, 15_000_000):
            buckets = bucket_count(units * unit_bytes)
            assert batch_size(units) * unit_bytes / buckets >= 250_000 or units < 256
    assert batch_size(1) == 1


def test_the_footer_says_how_much_is_claimed(tmp_path: Path) -> None:
    """Bytes and rows, without the claims themselves."""
    path = str(tmp_path / "u.claims")
    write_claims(path, "u", "", [digests(0, 5), digests(1, 7)])
    assert ClaimsFile.open(path).rows == 12
    assert ClaimsFile.open(path).bytes == claim_bytes(path)
