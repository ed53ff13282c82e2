"""A paper that recurs in a later tar file is kept once, the newest (docs/rules/sources.md 4.1)."""

import re
import struct
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from filters.verdict import KEEP, Verdict, drop
from pipelines.arxiv.records import read_submissions
from pipelines.engine.documents import KEY_BYTES, Document
from pipelines.engine.steps import Topic, Verdicts
from pipelines.engine.units import ROWS_PER_PART, Unit
from pipelines.joins.claims import RowVerdicts, digest_key
from pipelines.readers.rows import BadRow

VERSIONS = Topic("versions", RowVerdicts)
_TAR_NAME = re.compile(r"_(\d{2})(\d{2})_(\d{1,6})\.tar$")
_NEWEST = (1 << 64) - 1


def age_of(path: str, timestamp: str = "", sequence: int = 0) -> tuple[int, int, int]:
    """Return what orders tar files from the oldest to the newest.

    Args:
        path: its name holds the month and a number within it.
        timestamp: when it was packed, as the manifest says; "" where there is none.
        sequence: seq_num of the manifest.
    """
    digits = re.sub(r"\D", "", timestamp)[:14]
    match = _TAR_NAME.search(path)
    if not match:
        return int(digits or 0), 0, sequence
    year, month, number = map(int, match.groups())
    year += 1900 if year >= 91 else 2000  # arXiv began in 1991
    return int(digits or 0), year * 100 + month, sequence or number


def rank_of(age: tuple[int, int, int], version: int, *, pdf: bool, row: int) -> bytes:
    """Return what decides between submissions of one paper: the newest has the smallest."""
    facts = (*age, version, int(not pdf), row)
    return struct.pack(f">{len(facts)}Q", *(_NEWEST - fact for fact in facts))


def version_claims(unit: Unit, _verdicts: Verdicts) -> Iterator[pa.Table]:
    """Yield the claims of the submissions of a unit, one for each."""
    keys: list[bytes] = []
    ranks: list[bytes] = []
    rows: list[int] = []
    for number, part in enumerate(unit.parts):
        age = tuple(unit.extra["age"])
        for record in read_submissions(unit, part, content=False):
            if isinstance(record, BadRow) or (identifier := record.identifier) is None:
                continue
            row = record.row + number * ROWS_PER_PART
            pdf = record.name.lower().endswith(".pdf")
            keys.append(digest_key(identifier.name))
            ranks.append(rank_of(age, identifier.version, pdf=pdf, row=row))
            rows.append(row)
    yield pa.table(
        {
            "key": pa.array(keys, pa.binary(KEY_BYTES)),
            "rank": pa.array(ranks, pa.binary()),
            "count": pa.array([1] * len(rows), pa.int64()),
            "row": pa.array(rows, pa.int64()),
        }
    )


class KeepNewest:
    """The stage that keeps, of all submissions of one paper, the newest."""

    name = "arxiv.version"
    across = "newer submissions of the same paper"

    def __init__(self, verdicts: Verdicts) -> None:
        self._verdicts: RowVerdicts = verdicts.get(VERSIONS.name) or RowVerdicts(())

    def __call__(self, document: Document) -> Verdict:
        """Drop the submission if a newer one is among the inputs.

        A unit that claimed nothing could not be read to its end, and is about to fail again: what
        is told of its submissions until then is discarded with it.
        """
        if not len(self._verdicts):
            return drop("file_unread", "the tar file could not be read when papers were listed")
        verdict: Any = self._verdicts.of(document.row)
        return KEEP if verdict["wins"] else drop("older_version")
