"""Overlaps: what sketches nominate, what is counted, and which documents are kept."""

import json
import random
from collections.abc import Mapping
from fractions import Fraction
from functools import cache, partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from filters.shingles import shingles, sketch
from pipelines.engine.claim_files import Block
from pipelines.engine.packing import unpack
from pipelines.joins import comparing, pairs
from pipelines.joins.comparing import choose, count_shared, gather
from pipelines.joins.overlap_claims import in_chunks, sketch_table
from pipelines.joins.pairs import Nominations, nominate
from tests.pipelines.joins.deciding import decide
from tests.pipelines.joins.made_books import (
    brute_force,
    brute_forced,
    made_books,
    random_words,
    survivors,
)

BOOKS = 500
UNITS = 7
PER_UNIT = 200  # documents that share a hash with all others


@cache
def _texts() -> dict[str, str]:
    """Return the made books; of two equal texts one, as the decision before leaves them."""
    texts = made_books(BOOKS)
    firsts: dict[str, str] = {}
    for name, text in texts.items():
        firsts.setdefault(text.lower(), name)
    return {name: texts[name] for name in firsts.values()}


def _sets() -> dict[str, frozenset[int]]:
    sets, _ = brute_forced(BOOKS)
    return {name: sets[name] for name in _texts()}


def _found() -> dict[tuple[str, str], float]:
    """Return the pairs that overlap by more than 0.9, by brute force over all pairs."""
    _, found = brute_forced(BOOKS)
    return {pair: share for pair, share in found.items() if _texts().keys() >= set(pair)}


def _unit(name: str) -> str:
    return f"u{int(name) % UNITS}"


def _sketch_claims(texts: Mapping[str, str]) -> dict[str, pa.Table]:
    """Return the claims of all units; the row of a book is its number."""
    claims: dict[str, list[pa.Table]] = {}
    for name, text in texts.items():
        table = sketch_table(int(name), sketch(shingles(text)))
        claims.setdefault(_unit(name), []).append(table)
    return {unit: pa.concat_tables(tables) for unit, tables in claims.items()}


def _nominated(folder: Path, texts: Mapping[str, str], buckets: int) -> dict[str, pa.Table]:
    folder.mkdir()
    messages = decide(folder, _sketch_claims(texts), nominate, buckets)
    return {unit: Nominations(told).pairs(unit, 0.9) for unit, told in messages.items()}


def _names(nominated: Mapping[str, pa.Table]) -> set[tuple[str, str]]:
    found = set()
    for table in nominated.values():
        for row in table.to_pylist():
            one, other = sorted((f"{row['row']:04d}", f"{row['other_row']:04d}"))
            found.add((one, other))
    return found


@pytest.fixture(scope="module")
def nominated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pa.Table]:
    """Return the pairs that the sketches of the made books nominate, by unit."""
    return _nominated(tmp_path_factory.mktemp("sketches") / "claims", _texts(), 4)


def test_sketches_nominate_every_pair_that_brute_force_finds(
    nominated: dict[str, pa.Table],
) -> None:
    """Recall 1; and few others: the preface that all books share nominates nobody."""
    found = _found()
    assert len(found) > 400
    assert found.keys() <= _names(nominated)
    assert len(_names(nominated)) < 2 * len(found)


def test_datasketch_nominates_no_overlap_that_is_missed(nominated: dict[str, pa.Table]) -> None:
    """Its MinHash with 16 bands of 8 rows (3.5), which misses books that a collection holds."""
    datasketch = pytest.importorskip("datasketch", reason="datasketch is in the extra dev")
    index = datasketch.MinHashLSH(num_perm=128, params=(16, 8))
    minhashes = {}
    for name, hashes in _sets().items():
        minhashes[name] = datasketch.MinHash(num_perm=128, hashfunc=lambda value: value >> 32)
        minhashes[name].update_batch(sorted(hashes))
        index.insert(name, minhashes[name])
    candidates = {
        (min(name, other), max(name, other))
        for name, minhash in minhashes.items()
        for other in index.query(minhash)
        if other != name
    }
    overlaps = candidates & _found().keys()
    assert overlaps <= _names(nominated)
    missed = _found().keys() - overlaps
    assert len(overlaps) > 100
    assert len(missed) > 100
    # What it misses are documents in larger ones, whose union is much larger than what they share.
    sizes = {name: len(hashes) for name, hashes in _sets().items()}
    jaccard = [min(ratio := sizes[one] / sizes[other], 1 / ratio) for one, other in missed]
    assert sum(share < 0.7 for share in jaccard) > 0.9 * len(missed)


def test_neither_buckets_nor_arrival_show_in_nominations(
    tmp_path: Path, nominated: dict[str, pa.Table]
) -> None:
    """Counts are summed over buckets."""
    assert _nominated(tmp_path / "one", _texts(), 1) == nominated


@pytest.mark.parametrize(("buckets", "together"), [(1, 1024), (8, 1024), (8, 3)])
def test_nominated_pairs_are_decided_as_brute_force_decides(
    tmp_path: Path,
    nominated: dict[str, pa.Table],
    buckets: int,
    together: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same survivors, and for each loser the winner and the overlap, exactly.

    Also where components are so large that each document is compared with its own pairs only.
    """
    monkeypatch.setattr(comparing, "MAX_TOGETHER", together)
    told = decide(_made(tmp_path / "pairs"), nominated, gather, buckets)
    nominees = {
        unit: [row for message in messages for row in unpack(message).to_pylist()]
        for unit, messages in told.items()
    }
    claims, statements = {}, {}
    for unit, told_rows in nominees.items():
        tables = []
        for nominee in told_rows:
            keys = shingles(_texts()[f"{nominee['row']:04d}"])
            assert nominee["size"] == len(keys)
            columns = {"key": keys} | {
                name: np.full(len(keys), nominee[name], np.int32) for name in ("book", "component")
            }
            tables.append(
                pa.table(columns | {"part": np.full(len(keys), nominee["part"], np.int8)})
            )
        rows = {nominee["row"]: nominee for nominee in told_rows}
        claims[unit] = pa.concat_tables(tables)
        ranks = [f"{row:04d}".encode() for row in rows]
        statements[unit] = pa.table(
            {
                "key": np.zeros(len(rows), np.uint64),
                "row": pa.array(list(rows), pa.int64()),
                "book": pa.array([row["book"] for row in rows.values()], pa.int32()),
                "size": pa.array([row["size"] for row in rows.values()], pa.int32()),
                "rank": pa.array(ranks, pa.binary()),
            }
        )
    shared = decide(_made(tmp_path / "shingles"), claims, count_shared, buckets)
    counts: dict[tuple[int, int], int] = {}
    for messages in shared.values():
        for message in messages:
            for row in unpack(message).to_pylist():
                pair = row["book"], row["other"]
                counts[pair] = counts.get(pair, 0) + row["shared"]
    statements["counts"] = pa.table(
        {
            "key": np.zeros(len(counts), np.uint64),
            "book": pa.array([book for book, _ in counts], pa.int32()),
            "other": pa.array([other for _, other in counts], pa.int32()),
            "shared": pa.array(list(counts.values()), pa.int32()),
        }
    )
    decision = partial(choose, threshold=Fraction("0.9"))
    chosen = decide(_made(tmp_path / "overlaps"), statements, decision)
    lost = {
        f"{row['row']:04d}": (row["winner"].decode(), row["shared"] / row["of"])
        for messages in chosen.values()
        for message in messages
        for row in unpack(message).to_pylist()
    }
    _, expected = survivors(_sets(), _found())
    assert lost == expected


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _hits(keys: list[int], places: list[int], books: int) -> dict[tuple[int, int], int]:
    found = pairs.sharing(np.array(keys, np.uint64), np.array(places), books)
    return {
        divmod(int(pair), books): int(n) for pair, n in zip(found.pairs, found.counts, strict=True)
    }


def test_shared_keys_are_counted_for_each_pair() -> None:
    """Two keys of three documents."""
    keys, places = [5, 5, 5, 9, 9], [0, 1, 2, 0, 2]
    assert _hits(keys, places, 3) == {(0, 1): 1, (0, 2): 2, (1, 2): 1}
    assert _hits([], [], 0) == {}


def test_a_hash_that_is_everywhere_counts_for_no_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 20,000 documents that share it, each is told so, and the largest 32 are named."""
    count = 20_000
    keys, places = np.zeros(count, np.uint64), np.arange(count, dtype=np.int64)
    found = pairs.sharing(keys, places, count)
    assert len(found.pairs) == 0
    assert (found.uncounted == 1).all()
    ((members, largest),) = found.common
    assert members.tolist() == places.tolist()
    assert largest.tolist() == list(range(pairs.LARGEST))
    monkeypatch.setattr(pairs, "MAX_SHARING", count)
    monkeypatch.setattr(pairs, "MAX_PAIRS_HELD", 1000)
    few = pairs.sharing(keys[:300], places[:300], 300)
    assert len(few.pairs) == 300 * 299 / 2
    assert not few.uncounted.any()


def test_a_licence_in_every_document_sends_no_pairs(tmp_path: Path) -> None:
    """What a unit is told grows with its documents and with the hashes that are everywhere."""
    table = {
        f"u{unit}": pa.table(
            {
                "key": np.zeros(PER_UNIT, np.uint64),
                "row": np.arange(PER_UNIT, dtype=np.int32),
                "size": np.full(PER_UNIT, 60_000, np.int32),
                "sample": np.full(PER_UNIT, 900, np.int32),
                "band": np.zeros(PER_UNIT, bool),
            }
        )
        for unit in range(10)
    }
    (tmp_path / "claims").mkdir()
    told = decide(tmp_path / "claims", table, nominate)
    assert {
        sum(unpack(message).num_rows for message in messages) for messages in told.values()
    } == {PER_UNIT + pairs.LARGEST}
    assert all(
        Nominations(messages).pairs(unit, 0.9).num_rows == 0 for unit, messages in told.items()
    )


def test_a_family_larger_than_any_limit_is_still_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where more documents share a hash than are paired, each is compared with the largest."""
    monkeypatch.setattr(pairs, "MAX_SHARING", 4)
    monkeypatch.setattr(pairs, "LARGEST", 2)
    words = [f"w{number}" for number in range(3000)]
    texts = {f"{n:04d}": " ".join(words[n:] + [f"x{n}"] * 20) for n in range(12)}
    names = _names(_nominated(tmp_path / "claims", texts, 2))
    assert {(one, other) for one, other in names if one == "0000"} == {
        ("0000", f"{n:04d}") for n in range(1, 12)
    }


def test_common_hashes_are_summed_over_buckets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the first unit has a claim in some buckets only, whose lists of units differ."""
    monkeypatch.setattr(pairs, "MAX_SHARING", 4)
    monkeypatch.setattr(pairs, "LARGEST", 2)
    words = [f"w{number}" for number in range(9000)]
    texts = {f"{n:04d}": " ".join(words[n:] + [f"x{n}"] * 20) for n in range(1, 13)}
    texts["0000"] = "a text of a few words that is alone in its unit"
    unit = {name: "u0" if name == "0000" else "u1" for name in texts}
    monkeypatch.setitem(globals(), "_unit", unit.__getitem__)
    one = _nominated(tmp_path / "one", texts, 1)
    assert _nominated(tmp_path / "many", texts, 32) == one
    assert {("0001", f"{n:04d}") for n in range(2, 13)} <= _names(one)


def test_a_preface_of_many_books_nominates_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of each of 40 books is one preface: its hashes count for no pair."""
    monkeypatch.setattr(pairs, "MAX_SHARING", 8)
    chance = random.Random(1)
    preface = random_words(chance, 3000)
    texts = {f"{n:04d}": " ".join([*preface, *random_words(chance, 3000)]) for n in range(40)}
    texts["0040"] = texts["0003"] + " the end"
    assert _names(_nominated(tmp_path / "claims", texts, 4)) == {("0003", "0040")}


def test_rays_are_not_compared_where_their_center_has_no_shingle() -> None:
    """As may be in one of many buckets."""
    rays = {"component": np.zeros(2, np.int32), "part": np.full(2, comparing.RAY, np.int8)}
    table = pa.table({"key": np.full(2, 9, np.uint64), "book": np.array([1, 2], np.int32), **rays})
    assert list(count_shared([Block("u", "", [table])])) == []


def test_claims_of_many_documents_make_one_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each bucket reads a part of every chunk, so that chunks should be few."""
    monkeypatch.setattr("pipelines.joins.overlap_claims.CLAIM_ROWS", 25)
    tables = [sketch_table(row, sketch(shingles("one two"))) for row in range(5)]
    few = [table.slice(0, 1) for table in tables for _ in range(10)]
    assert [chunk.num_rows for chunk in in_chunks(few)] == [25, 25]
    assert list(in_chunks(few[:3])) == [pa.concat_tables(few[:3])]
    assert list(in_chunks([])) == []


def test_a_chain_keeps_both_its_ends() -> None:
    """B overlaps A and C, which do not overlap each other: B goes, and C stays."""
    sets = {
        "a": frozenset(range(100)),
        "b": frozenset(range(8, 98)) | frozenset(range(200, 209)),
        "c": frozenset(range(17, 98)) | frozenset(range(200, 216)),
    }
    found = brute_force(sets, 0.85)
    assert set(found) == {("a", "b"), ("b", "c")}
    kept, lost = survivors(sets, found)
    assert kept == {"a", "c"}
    assert lost["b"][0] == "a"
    numbers = {name: number for number, name in enumerate(sorted(sets))}
    books = pa.table(
        {
            "key": np.zeros(3, np.uint64),
            "row": pa.array([0, 1, 2], pa.int64()),
            "book": pa.array([0, 1, 2], pa.int32()),
            "size": pa.array([len(sets[name]) for name in numbers], pa.int32()),
            "rank": pa.array([name.encode() for name in numbers], pa.binary()),
        }
    )
    counts = pa.table(
        {
            "key": np.zeros(3, np.uint64),
            "book": pa.array([0, 0, 1], pa.int32()),
            "other": pa.array([1, 2, 2], pa.int32()),
            "shared": pa.array([len(sets[x] & sets[y]) for x, y in ("ab", "ac", "bc")], pa.int32()),
        }
    )
    told = list(choose([Block("u", "", [books, counts])], threshold=Fraction("0.85")))
    assert [(unit, unpack(message)["winner"].to_pylist()) for unit, message in told] == [
        ("u", [b"a"])
    ]


@pytest.mark.parametrize(("jaccard", "expected"), [(True, "jaccard"), (False, "containment_min")])
def test_shares_are_those_of_datasketch(jaccard: bool, expected: str) -> None:
    """Conformance cases of datasketch, where they are at hand: two sets, and what they share."""
    cases = Path(__file__).parents[4] / "shared" / "conformance" / "src_datasketch.jsonl"
    if not cases.is_file():
        pytest.skip(f"no conformance cases ({cases} is absent)")
    checked = 0
    for line in cases.read_text("utf-8").splitlines():
        case = json.loads(line)
        if case["stage"] != "dedup.similarity":
            continue
        one, other = (set(case["input"][side]) for side in "ab")
        books = pa.table(
            {
                "row": pa.array([0, 1], pa.int64()),
                "book": pa.array([0, 1], pa.int32()),
                "size": pa.array([len(one), len(other)], pa.int32()),
                "rank": pa.array([b"a", b"b"], pa.binary()),
            }
        )
        counts = pa.table(
            {
                "book": pa.array([0], pa.int32()),
                "other": pa.array([1], pa.int32()),
                "shared": pa.array([len(one & other)], pa.int32()),
            }
        )
        blocks = [Block("u", "", [books, counts])]
        told = list(choose(blocks, threshold=Fraction(-1), jaccard=jaccard))
        (loser,) = unpack(told[0][1]).to_pylist()
        assert loser["shared"] / loser["of"] == pytest.approx(case["expected"][expected])
        checked += 1
    assert checked
