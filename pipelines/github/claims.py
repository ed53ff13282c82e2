"""Join GitHub's tables by claims, and choose one file for each blob.

Two decisions replace the join of the reference query. First a unit of ``files`` asks for the
licences of its repositories. Then it claims the blobs of its files that pass the gates, and a unit
of ``contents`` claims the blobs that it holds. The verdicts tell ``contents`` which file was chosen
for each of its blobs, and tell ``files`` which of its files were chosen. Text is not moved.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from filters.verdict import KEEP, Verdict, drop
from pipelines.engine.documents import KEY_BYTES, Document
from pipelines.engine.stages import Stage
from pipelines.engine.steps import Verdicts
from pipelines.engine.units import Unit
from pipelines.github import records as tables
from pipelines.github.files import (
    BLOBS,
    FACT_COLUMNS,
    FACTS,
    FILES,
    JOINED,
    LICENSES,
    FileOrBlob,
    Repositories,
    document_of,
    fact_rows,
    file_rows,
    read_table,
)
from pipelines.joins.claims import RowVerdicts, digest_key, readable
from pipelines.joins.decisions import LocalWinners, local_winners, order_of
from pipelines.readers.rows import BadRow

STAGE = "github.blob"
_ROWS_PER_CHUNK = 50_000  # claims that are held as Python objects at a time
_WORD = pa.dictionary(pa.int32(), pa.string())  # few values, many rows
_STATES = ("", "binary", "no_content")  # of a blob: there, binary, or NULL for its size
_OUTCOMES = (*_STATES, "taken", "wins", "duplicate")  # of a claim, among those on its blob
_PAYLOAD = ("ref", "mode", "license", "languages")  # what a document learns from its file
_CLAIM = pa.schema(
    [
        ("key", pa.binary(KEY_BYTES)),
        ("rank", pa.binary()),  # null for a blob of ``contents``
        ("count", pa.int64()),  # how many files the claim covers
        ("state", pa.int8()),  # of the content: an index into _STATES; null for a file
        ("ref", pa.string()),
        ("mode", pa.int64()),
        ("license", pa.string()),
        ("languages", pa.string()),
        ("row", pa.int64()),
    ]
)


def rank_of(repo_name: str, path: str) -> bytes:
    """Return the rank of a file among equal ones (docs/rules/sources.md 1.6).

    The smallest (repository, path) in code-point order wins.

    UTF-8 sorts as code points do, and a NUL ends the name of the repository.
    """
    return f"{repo_name}\0{path}".encode("utf-8", "replace")


def license_claims(unit: Unit, _verdicts: Verdicts) -> Iterator[pa.Table]:
    """Yield the facts that a unit states or asks for about repositories."""
    rows: list[int] = []
    names: list[str] = []
    facts: dict[str, list[str]] = {}
    if unit.kind in FACTS:
        for row in fact_rows(unit):
            rows.append(row.row)
            names.append(row.repo_name)
            if isinstance(row, tables.LicenseRow):
                facts.setdefault("license", []).append(row.license.strip().lower())
            else:
                languages = json.dumps(dict(row.languages), ensure_ascii=False)
                facts.setdefault("languages", []).append(languages)
    elif unit.kind in (FILES, JOINED):
        repositories = Repositories()
        for file in _files_of(unit, content=False):
            repositories.meet(file.repo_name or "")
        names = repositories.names()
        rows = list(range(len(names)))
    yield pa.table(
        {
            "key": pa.array(map(digest_key, names), pa.binary(KEY_BYTES)),
            "row": pa.array(rows, pa.int64()),
            "asks": pa.array([unit.kind not in FACTS] * len(rows), pa.bool_()),
            **{
                fact: pa.array(facts.get(fact, [None] * len(rows)), pa.string())
                for fact in FACT_COLUMNS
            },
        }
    )


def _files_of(unit: Unit, *, content: bool) -> Iterator[FileOrBlob]:
    """Yield the rows of a unit that name a file and can be read."""
    for part in unit.parts:
        for row in file_rows(unit, part, content=content):
            if not isinstance(row, BadRow):
                yield row


class KeepOnePerBlob:
    """Keep the one file that was chosen for a blob (docs/rules/sources.md 1.6, key a)."""

    name = STAGE
    across = "other files with the same content"

    def __init__(self, unit: Unit, verdicts: Verdicts, gates: Sequence[Stage]) -> None:
        self.unit = unit
        self.verdicts = verdicts
        self.gates = gates
        self.outcomes: RowVerdicts = verdicts.get(BLOBS) or RowVerdicts(())

    def load(self) -> None:
        """Build the unit's claims again, to know which of its files won each blob."""
        claims = _FileClaims(self.unit, self.verdicts, self.gates)
        self.without_content = claims.without_content
        self.local = LocalWinners(claims.table())

    def __call__(self, document: Document) -> Verdict:
        """Drop the file if another was chosen for its blob, or if the blob has no text."""
        if reason := self.without_content.get(document.row):
            return drop(reason)
        row = self.local.winner_row(document.row)
        verdict = self.outcomes.of(row)
        if verdict["outcome"] in _STATES:
            return drop(verdict["outcome"])
        if row == document.row and verdict["outcome"] == "wins":
            document.meta["copies"] = verdict["copies"]
            return KEEP
        return drop("duplicate_blob", f"same blob as {readable(verdict['winner'])}")


class _FileClaims:
    """The claims of a unit's files on their blobs, one per file that passes the gates."""

    def __init__(self, unit: Unit, verdicts: Verdicts, gates: Sequence[Stage]) -> None:
        self.unit = unit
        self.without_content: dict[int, str] = {}  # rows of a joined export -> reason
        self._chunks: list[pa.Table] = []
        self._claims: list[dict[str, Any]] = []
        repositories = Repositories(verdicts.get(LICENSES))
        for row in _files_of(unit, content=True):
            document = document_of(row, *repositories.meet(row.repo_name or ""))
            if not _passes(document, gates):
                continue
            if isinstance(row, tables.BlobRow) and not row.has_content:
                self.without_content[row.row] = "binary" if row.binary else "no_content"
                continue
            self._claims.append(_claim(document, joined=unit.kind == JOINED))
            if len(self._claims) == _ROWS_PER_CHUNK:
                self._flush()

    def _flush(self) -> None:
        table = pa.Table.from_pylist(self._claims, _CLAIM)
        for number, field in enumerate(_CLAIM):
            if pa.types.is_string(field.type):
                table = table.set_column(number, field.name, table[number].cast(_WORD))
        self._chunks.append(table)
        self._claims = []

    def table(self) -> pa.Table:
        """Return the claims as one table."""
        self._flush()
        return pa.concat_tables(self._chunks).unify_dictionaries().combine_chunks()


def _passes(document: Document, gates: Sequence[Stage]) -> bool:
    try:
        return all(gate(document).keep for gate in gates)
    except Exception:  # noqa: BLE001 - the second reading fails again, and rejects it
        return False


def _claim(document: Document, *, joined: bool) -> dict[str, Any]:
    meta = document.meta
    languages = meta["repo_languages"]
    return {
        "key": digest_key(meta["blob_id"]),
        "rank": rank_of(meta["repo_name"], meta["path"]),
        "count": 1,
        "state": 0 if joined else None,
        "ref": meta["ref"],
        "mode": meta["mode"],
        "license": meta["license"],
        "languages": json.dumps(languages, ensure_ascii=False) if languages else None,
        "row": document.row,
    }


def blob_claims(unit: Unit, verdicts: Verdicts, *, gates: Sequence[Stage]) -> Iterator[pa.Table]:
    """Yield a unit's claims on blobs: by its files, or by the contents that it holds."""
    if unit.kind in FACTS:
        return
    if unit.kind in (FILES, JOINED):
        yield local_winners(_FileClaims(unit, verdicts, gates).table())
        return
    keys, states, rows = [], [], []
    for part in unit.parts:
        for blob in read_table(part, tables.read_blobs, content=False):
            if not isinstance(blob, BadRow):
                keys.append(digest_key(blob.blob_id or ""))
                states.append(0 if blob.has_content else 1 if blob.binary else 2)
                rows.append(blob.row)
    held = {
        "key": pa.array(keys, pa.binary(KEY_BYTES)),
        "state": pa.array(states, pa.int8()),
        "row": pa.array(rows, pa.int64()),
    }
    unknown = {
        field.name: pa.nulls(len(rows), _WORD if pa.types.is_string(field.type) else field.type)
        for field in _CLAIM
        if field.name not in held
    }
    columns = held | unknown
    yield pa.table({name: columns[name] for name in _CLAIM.names})


def decide_blobs(claims: pa.Table) -> pa.Table:
    """Choose a file for each blob, and the row of ``contents`` that its text is taken from.

    Of the files of a blob, the one with the smallest rank wins. Of several rows of ``contents``
    with the same blob, the first (unit, row) that has text is taken. If none has text, no file
    wins.

    Returns:
        for every file ``outcome`` (wins, duplicate, binary, no_content), ``copies`` and ``winner``
        (a rank); for each row of contents that is taken ``outcome`` "taken" and the columns that
        the document takes from its file.
    """
    order, starts = order_of(claims, "rank", "state")  # files by rank, then contents by state
    group = np.repeat(np.arange(len(starts)), np.diff(np.r_[starts, len(order)]))
    is_file = claims["rank"].is_valid().to_numpy()[order]
    nowhere = _STATES.index("no_content")
    state = claims["state"].fill_null(nowhere).to_numpy()[order]
    best = np.minimum.reduceat(state, starts)[group] if len(starts) else state
    files = np.where(is_file, claims["count"].fill_null(0).to_numpy()[order], 0)
    copies = np.add.reduceat(files, starts)[group] if len(starts) else files

    first = np.zeros(len(order), bool)
    first[starts] = True
    holds = ~is_file & (state == 0)
    first_holder = holds & ~np.r_[False, holds[:-1] & (group[1:] == group[:-1])]
    taken = first_holder & (copies > 0)
    outcome = np.select(
        [taken, is_file & (best > 0), is_file & first],
        [_OUTCOMES.index("taken"), best, _OUTCOMES.index("wins")],
        _OUTCOMES.index("duplicate"),
    )
    told = np.flatnonzero(is_file | taken)
    rows = pa.array(order[told])
    winners = order[starts[group[told]]]
    learned = pa.array(winners, mask=~taken[told])  # files know their own payload
    return pa.table(
        {
            "unit": claims["unit"].take(rows),
            "row": claims["row"].take(rows),
            "outcome": pa.DictionaryArray.from_arrays(
                pa.array(outcome[told].astype(np.int32)), list(_OUTCOMES)
            ),
            "copies": copies[told],
            "winner": claims["rank"].take(pa.array(winners)),
            **{name: claims[name].take(learned) for name in _PAYLOAD},
        }
    )
