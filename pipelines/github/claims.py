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
    fact_rows,
    file_rows,
    gate_document,
    git_blob_id,
    read_table,
)
from pipelines.joins.claims import LostVerdictError, RowVerdicts, digest_key, readable
from pipelines.joins.decisions import local_winners, order_of
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
        ("state", pa.int8()),  # of the content: an index into _STATES; null for a row of ``files``
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

    def __init__(self, verdicts: Verdicts) -> None:
        self.outcomes: RowVerdicts = verdicts.get(BLOBS) or RowVerdicts(())

    def load(self) -> None:
        """Sort the verdicts by blob: a file that lost within its unit has none of its own."""
        self.places: dict[int, int] = {}  # row of a file -> place of its verdict
        self.blobs: dict[bytes, int] = {}  # key of a blob -> place of the verdict on it
        rows = self.outcomes.rows()
        if not rows:
            return
        at = np.array(rows, np.int64)
        self.places = {row: place for place, row in enumerate(rows)}
        keys = self.outcomes.column("key", at).to_pylist()
        self.blobs = {key: place for place, key in enumerate(keys)}
        self.outcome = self.outcomes.column("outcome", at).dictionary_decode().to_pylist()
        self.copies = self.outcomes.column("copies", at).to_pylist()
        self.winner = self.outcomes.column("winner", at)

    def __call__(self, document: Document) -> Verdict:
        """Drop the file if another was chosen for its blob, or if the blob has no text.

        Raises:
            LostVerdictError: no file of the unit claimed the blob.
        """
        own = self.places.get(document.row)
        place = self.blobs.get(digest_key(document.meta["blob_id"])) if own is None else own
        if place is None:
            raise LostVerdictError(f"no verdict on the blob of row {document.row}")
        outcome = self.outcome[place]
        if outcome in _STATES:
            return drop(outcome)
        if own is not None and outcome == "wins":
            document.meta["copies"] = self.copies[place]
            return KEEP
        return drop("duplicate_blob", f"same blob as {readable(self.winner[place].as_py())}")


def _file_claims(unit: Unit, verdicts: Verdicts, gates: Sequence[Stage]) -> pa.Table:
    """Return the claims of a unit's files on their blobs, one per file that passes the gates.

    The rows are read with their texts, as they are when documents are written, so that no row that
    cannot be read then claims a blob.
    """
    chunks: list[pa.Table] = []
    claims: list[tuple[Any, ...]] = []  # values in the order of _CLAIM
    repositories = Repositories(verdicts.get(LICENSES))
    for row in _files_of(unit, content=True):
        license_key, languages = repositories.meet(row.repo_name or "")
        if not _passes(gate_document(row, license_key), gates):
            continue
        claims.append(_claim(unit, row, license_key, languages))
        if len(claims) == _ROWS_PER_CHUNK:
            chunks.append(_chunk(claims))
            claims = []
    chunks.append(_chunk(claims))
    return pa.concat_tables(chunks).unify_dictionaries().combine_chunks()


def _chunk(claims: Sequence[tuple[Any, ...]]) -> pa.Table:
    columns = list(zip(*claims, strict=True)) or [()] * len(_CLAIM)
    arrays = []
    for field, values in zip(_CLAIM, columns, strict=True):
        array = pa.array(values, field.type)
        arrays.append(array.cast(_WORD) if pa.types.is_string(field.type) else array)
    return pa.table(arrays, _CLAIM.names)


def _passes(document: Document, gates: Sequence[Stage]) -> bool:
    try:
        return all(gate(document).keep for gate in gates)
    except Exception:  # noqa: BLE001 - the second reading fails again, and rejects it
        return False


def _claim(
    unit: Unit, file: FileOrBlob, license_key: str | None, languages: str | None
) -> tuple[Any, ...]:
    """Return the claim of a file, in the order of _CLAIM."""
    rank = rank_of(file.repo_name or "", file.path or "")
    if isinstance(file, tables.FileRow):
        key = digest_key(file.blob_id)
        payload = (file.ref, file.mode, license_key, languages)
        return (key, rank, 1, None, *payload, file.row)
    payload = (None, None, None, None)  # a joined row knows its own
    if not file.has_content:
        # The row claims nothing that another one wants. No text that was read has a surrogate, so
        # the key is that of no blob; the outcome of the claim is then the state.
        key = digest_key("\ud800", unit.name, str(file.row))
        return (key, rank, 1, 1 if file.binary else 2, *payload, file.row)
    key = digest_key(file.blob_id or git_blob_id(file.content or ""))
    return (key, rank, 1, 0, *payload, file.row)


def blob_claims(unit: Unit, verdicts: Verdicts, *, gates: Sequence[Stage]) -> Iterator[pa.Table]:
    """Yield a unit's claims on blobs: by its files, or by the contents that it holds."""
    if unit.kind in FACTS:
        return
    if unit.kind in (FILES, JOINED):
        yield local_winners(_file_claims(unit, verdicts, gates))
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
        for every file ``outcome`` (wins, duplicate, binary, no_content), ``copies``, ``winner`` (a
        rank) and the ``key`` of its blob; for each row of contents that is taken ``outcome``
        "taken" and the columns that the document takes from its file.
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
            "key": claims["key"].take(pa.array(order[told], mask=taken[told])),  # for files
            **{name: claims[name].take(learned) for name in _PAYLOAD},
        }
    )
