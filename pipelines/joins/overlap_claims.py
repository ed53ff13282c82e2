"""Write the claims of units about their staged documents for each step of the overlap search.

Each function yields the claims of one unit in chunks; ``overlap`` calls them in order.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from filters.shingles import Sketch, sketch
from filters.word_hashes import Hashes
from pipelines.engine.packing import unpack
from pipelines.engine.steps import Topic, Verdicts
from pipelines.engine.units import Unit
from pipelines.engine.workspace import Workspace
from pipelines.joins.claims import RowVerdicts
from pipelines.joins.decisions import LocalWinners
from pipelines.joins.pairs import Nominations
from pipelines.joins.settle import staged_claims
from pipelines.storage import files as storage

CLAIM_ROWS = 1 << 20  # per chunk of claims


def read_counts(messages: Sequence[bytes]) -> pa.Table:
    """Return how much the two documents of each pair share, summed over buckets."""
    if not messages:
        return _COUNTS.empty_table()
    told = pa.concat_tables(map(unpack, messages)).group_by(["book", "other"], use_threads=False)
    summed = told.aggregate([("shared", "sum")]).rename_columns({"shared_sum": "shared"})
    return (
        summed.select(_COUNTS.names)
        .cast(_COUNTS)
        .sort_by([("book", "ascending"), ("other", "ascending")])
    )


_COUNTS = pa.schema([("book", pa.int32()), ("other", pa.int32()), ("shared", pa.int32())])
SAME_TEXT = Topic("same_text", RowVerdicts)
SKETCHES = Topic("sketches", Nominations)
PAIRS = Topic("pairs", RowVerdicts)
SHINGLES = Topic("shingles", read_counts)
OVERLAPS = Topic("overlaps", RowVerdicts)


def staged_texts(workspace: Workspace, unit: Unit, wanted: set[int]) -> Iterator[tuple[int, str]]:
    """Yield the texts of the wanted rows of a unit's staged documents."""
    if not wanted:
        return
    with storage.open_input(workspace.run.at("staged", f"{unit.name}.parquet")) as stream:
        file = pq.ParquetFile(stream)
        start = 0
        for number in range(file.num_row_groups):
            rows = file.metadata.row_group(number).num_rows
            if not wanted.isdisjoint(range(start, start + rows)):
                texts = file.read_row_group(number, columns=["text"], use_threads=False)["text"]
                for at in range(rows):
                    if start + at in wanted:
                        yield start + at, texts[at].as_py()
            start += rows


def kept_rows(claims: LocalWinners, verdicts: RowVerdicts) -> list[bool]:
    """Tell for each staged row whether it is the one that is kept among equal texts."""
    winners = claims.winner_rows
    if not len(winners):
        return []
    wins = verdicts.column("wins", winners).to_numpy(zero_copy_only=False)
    return list((wins & (winners == np.arange(len(winners)))).tolist())


def sketch_claims(
    hashes: Callable[[str], Hashes], workspace: Workspace, unit: Unit, verdicts: Verdicts
) -> Iterator[pa.Table]:
    """Yield the sketches of the documents that were kept among equal texts."""
    kept = kept_rows(staged_claims(workspace, unit.name), verdicts[SAME_TEXT.name])
    wanted = {row for row, keep in enumerate(kept) if keep}
    texts = staged_texts(workspace, unit, wanted)
    yield from in_chunks(sketch_table(row, sketch(hashes(text))) for row, text in texts)


def sketch_table(row: int, made: Sketch) -> pa.Table:
    """Return the claims of a document's sketch: a row per hash of its sample, and per band."""
    keys = np.concatenate([made.sample, made.bands])
    return pa.table(
        {
            "key": keys,
            "row": np.full(len(keys), row, np.int32),
            "size": np.full(len(keys), made.size, np.int32),
            "sample": np.full(len(keys), len(made.sample), np.int32),
            "band": np.arange(len(keys)) >= len(made.sample),
        }
    )


def pair_claims(
    threshold: float, _workspace: Workspace, unit: Unit, verdicts: Verdicts
) -> Iterator[pa.Table]:
    """Yield the pairs of a unit's documents with larger ones that may overlap."""
    nominations: Nominations = verdicts[SKETCHES.name]
    # If the Jaccard similarity is above a threshold, the overlap is above it too.
    yield nominations.pairs(unit.name, threshold)


def shingle_claims(
    hashes: Callable[[str], Hashes], workspace: Workspace, unit: Unit, verdicts: Verdicts
) -> Iterator[pa.Table]:
    """Yield all shingles of the documents that were nominated."""
    nominated: RowVerdicts = verdicts[PAIRS.name]
    tables = (
        pa.table(
            {
                "key": keys,
                "book": np.full(len(keys), told["book"], np.int32),
                "component": np.full(len(keys), told["component"], np.int32),
                "part": np.full(len(keys), told["part"], np.int8),
            }
        )
        for row, text in staged_texts(workspace, unit, set(nominated.rows()))
        for keys in (hashes(text),)
        for told in nominated.all_of(row)
    )
    yield from in_chunks(tables)


def in_chunks(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yield tables joined to chunks of ``CLAIM_ROWS`` and more.

    A chunk is sorted by key, and each bucket reads its part of every chunk, which should be longer
    than the pages of a disk.
    """
    held: list[pa.Table] = []
    rows = 0
    for table in tables:
        held.append(table)
        rows += table.num_rows
        if rows >= CLAIM_ROWS:
            yield pa.concat_tables(held)
            held, rows = [], 0
    if held:
        yield pa.concat_tables(held)


def overlap_claims(workspace: Workspace, unit: Unit, verdicts: Verdicts) -> Iterator[pa.Table]:
    """Yield a unit's nominated documents with their ranks, and how much its pairs share."""
    nominated: RowVerdicts = verdicts[PAIRS.name]
    counts: pa.Table = verdicts[SHINGLES.name]
    if rows := nominated.rows():
        ranks = staged_claims(workspace, unit.name).ranks
        books = [nominated.of(row) for row in rows]
        yield pa.table(
            {
                "key": np.zeros(len(rows), np.uint64),
                "row": pa.array(rows, pa.int64()),
                "book": pa.array([book["book"] for book in books], pa.int32()),
                "size": pa.array([book["size"] for book in books], pa.int32()),
                "rank": pa.array([ranks[row] for row in rows], pa.binary()),
            }
        )
    yield counts.add_column(0, "key", pa.array(np.zeros(counts.num_rows, np.uint64)))
