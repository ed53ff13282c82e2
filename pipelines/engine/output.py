"""The files of one unit: documents and rejects, committed together by a sidecar."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.engine.claim_files import ClaimsWriter, write_claims
from pipelines.engine.documents import (
    DOCUMENT_SCHEMA,
    KEY_BYTES,
    REJECT_SCHEMA,
    STAGED_LEVEL,
    ZSTD_LEVEL,
    Document,
    ParquetSink,
    row_of,
    valid_utf8,
)
from pipelines.engine.errors import RunError
from pipelines.engine.ledger import Judged, Ledger
from pipelines.engine.runs import SETTLED
from pipelines.engine.units import Part, Unit
from pipelines.engine.workspace import Workspace
from pipelines.readers.rows import BadRow
from pipelines.storage import files as storage

CLAIM_SCHEMA = pa.schema(
    [
        pa.field("claim_key", pa.binary(KEY_BYTES), nullable=False),
        pa.field("claim_rank", pa.binary(), nullable=False),
        pa.field("claim_count", pa.int64(), nullable=False),
    ]
)
# The claim on a later decision is in columns of its own, so that the step that copies the winners
# reads it without the text.
STAGED_SCHEMA = pa.schema([*DOCUMENT_SCHEMA, *CLAIM_SCHEMA])


# What a unit holds before it gives it to groups: characters, or documents if these are short. A
# document of a few words takes 2 kB here.
GIVEN_CHARACTERS, GIVEN_DOCUMENTS = 32_000_000, 100_000


@dataclass(frozen=True, slots=True)
class RejectPolicy:
    """Which rejects are written: ``all``, ``sample:F`` (the share F, by id), ``ids``, ``none``."""

    mode: str = "all"
    fraction: float = 1.0

    @classmethod
    def parse(cls, text: str) -> "RejectPolicy":
        """Read the value of ``--rejects``.

        Raises:
            RunError: the text has none of the four forms.
        """
        mode, _, fraction = text.partition(":")
        if mode in ("all", "ids", "none") and not fraction:
            return cls(mode)
        if mode == "sample":
            try:
                value = float(fraction)
            except ValueError:
                value = -1.0
            if 0 < value <= 1:
                return cls("sample", value)
        raise RunError(
            f"--rejects={text}: give all, ids, none, or sample:F with 0 < F <= 1, e.g. sample:0.01."
        )

    def keeps(self, document_id: str) -> bool:
        """Return whether the reject of this document is written."""
        if self.mode != "sample":
            return self.mode != "none"
        digest = hashlib.blake2b(document_id.encode("utf-8", "replace"), digest_size=8).digest()
        return int.from_bytes(digest, "little") < self.fraction * 2**64


@dataclass(frozen=True)
class StagedClaim:
    """How the documents of a phase make claims for a later decision on them.

    ``claim`` returns the ``claim_key``, ``claim_rank`` and ``claim_count`` of a document.
    ``combine`` turns all claims of a unit into those that the unit writes for the decision.
    """

    topic: str
    claim: Callable[[Document], dict[str, Any]]
    combine: Callable[[pa.Table], pa.Table]


@dataclass(frozen=True)
class Given:
    """How documents are given to the groups in which they meet others (``joins/gather.py``).

    ``pack`` makes of some documents a table of claims whose keys are the numbers of their groups.
    """

    topic: str
    pack: Callable[[Sequence[Document]], pa.Table]


@dataclass(frozen=True)
class Terms:
    """What all units of a run have in common."""

    source: str  # name of the source
    rejects: RejectPolicy


class UnitOutput:
    """The files of one unit: documents and rejects, committed together by a sidecar.

    Nothing appears under its name before :meth:`commit`; a failed unit leaves nothing. Documents
    that are ``staged`` go to ``staged/`` with their claims beside them, to be decided later; those
    that are ``given`` go to the groups that write them.

    Rejects are written once. Those of a staged unit are in their place already when the unit is
    settled; ``before`` are the files that it has, and what is rejected then goes to a second file.
    """

    def __init__(
        self,
        workspace: Workspace,
        unit: Unit,
        ledger: Ledger,
        terms: Terms,
        staged: StagedClaim | None = None,
        *,
        given: Given | None = None,
        before: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        self.workspace = workspace
        self.run = workspace.run
        self.unit = unit
        self.ledger = ledger
        self.source = terms.source
        self._policy = terms.rejects
        self._staged = staged
        self._claims: list[dict[str, Any]] = []
        self._given = given
        self._giving: ClaimsWriter | None = None
        self._held: list[Document] = []  # to be given
        self._held_characters = 0
        self._before = [file for file in before or () if file["path"].startswith("rejects/")]
        name = f"{unit.name}.parquet"
        rejects = name if before is None else f"{unit.name}{SETTLED}"
        self._targets: dict[str, tuple[pa.Schema, tuple[str, ...]]] = {
            "documents": (DOCUMENT_SCHEMA, ("documents", name)),
            "rejects": (REJECT_SCHEMA, ("rejects", rejects)),
        }
        if staged:
            self._targets["documents"] = (STAGED_SCHEMA, ("staged", name))
        self._open: dict[str, tuple[storage.AtomicFile, ParquetSink]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for file, sink in self._open.values():
            sink.abandon()
            file.discard()
        if self._giving:
            self._giving.__exit__(kind, error, trace)

    def _sink(self, name: str) -> ParquetSink:
        if name not in self._open:
            schema, parts = self._targets[name]
            file = storage.AtomicFile(self.run.at(*parts))
            level = STAGED_LEVEL if parts[0] == "staged" else ZSTD_LEVEL
            self._open[name] = file, ParquetSink(file.stream, schema, level)
        return self._open[name][1]

    def keep(self, document: Document) -> None:
        """Write and count a document that all stages kept."""
        row = row_of(document)
        if self._staged:
            claim = self._staged.claim(document)
            row |= claim
            self._claims.append(claim)
        characters = len(row["text"])
        self._sink("documents").write(row, characters)
        self.ledger.documents += 1
        self.ledger.characters += characters

    def send(self, document: Document) -> None:
        """Count a document that another unit writes, and give it to its group, if it has one."""
        self.ledger.sent += 1
        if self._given:
            self._held.append(document)
            self._held_characters += len(document.text)
            enough = len(self._held) >= GIVEN_DOCUMENTS
            if enough or self._held_characters >= GIVEN_CHARACTERS:
                self._give(self._given)

    def _give(self, given: Given) -> ClaimsWriter:
        """Write the documents that are held to the claims of the unit."""
        if self._giving is None:
            path = self.workspace.claims_path(given.topic, self.unit.name)
            self._giving = ClaimsWriter(path, self.unit.name, self.unit.name)
        if self._held:
            self._giving.add(given.pack(self._held))
        self._held, self._held_characters = [], 0
        return self._giving

    def write_documents(self, rows: pa.Table) -> None:
        """Write and count the documents of an Arrow table."""
        if rows.num_rows:
            self._sink("documents").write_table(rows)
            self.ledger.documents += rows.num_rows
            self.ledger.characters += pc.sum(pc.utf8_length(rows["text"])).as_py()

    def reject(self, document: Document, judged: Judged) -> None:
        """Write a reject if the policy keeps it; the ledger has counted it already."""
        if self._policy.keeps(document.id):
            row = row_of(document)
            row["text"] = valid_utf8(row["text"])
            row["stage"] = judged.stage
            row["reason"] = judged.verdict.reason
            row["detail"] = valid_utf8(judged.verdict.detail)
            self.write_reject(row)

    def write_reject(self, row: dict[str, Any]) -> None:
        """Write the row of a reject if the policy keeps it."""
        if self._policy.keeps(row["id"]):
            if self._policy.mode == "ids":
                row["text"] = ""
            self._sink("rejects").write(row, len(row["text"]))

    def bad(self, part: Part, record: BadRow) -> None:
        """Count a bad record, and write its place and reason to the rejects."""
        self.ledger.records_read += 1
        self.ledger.bad_records[record.reason] += 1
        one = len(self.unit.parts) == 1
        place = self.unit.name if one else storage.basename(part.path)
        document = Document(f"{self.source}:{place}:{record.row}", self.source, "")
        row = row_of(document)
        row |= {
            "stage": f"{self.source}.read",
            "reason": record.reason,
            "detail": valid_utf8(record.detail),
        }
        self.write_reject(row)

    def commit(self, failed: Mapping[str, str] | None = None) -> None:
        """Give the files their names, then write the sidecar, which commits the unit.

        Args:
            failed: paths of the parts that cannot be read, and why.
        """
        files = [dict(file) for file in self._before]
        for name, (file, sink) in sorted(self._open.items()):
            sink.close()
            written = file.commit()
            path = "/".join(self._targets[name][1])
            files.append(
                {
                    "path": path,
                    "documents": sink.rows,
                    "bytes": written.bytes,
                    "sha256": written.sha256,
                }
            )
        self._open.clear()
        if self._staged:
            self._write_claims(self._staged)
        if self._given:
            self._give(self._given).commit()
        self.run.write_json(
            {
                "unit": self.unit.to_json(),
                "ledger": self.ledger.to_json(seconds=True),
                "files": files,
                **({"failed": dict(failed)} if failed else {}),
            },
            "staged" if self._staged else "units",
            f"{self.unit.name}.json",
        )

    def _write_claims(self, staged: StagedClaim) -> None:
        """Write the claims of the staged documents, each with its document's row in the file."""
        table = pa.Table.from_pylist(self._claims, CLAIM_SCHEMA)
        table = table.rename_columns([name.removeprefix("claim_") for name in table.column_names])
        table = table.append_column("row", pa.array(range(len(self._claims)), pa.int64()))
        path = self.workspace.claims_path(staged.topic, self.unit.name)
        write_claims(path, self.unit.name, self.unit.name, [staged.combine(table)])
