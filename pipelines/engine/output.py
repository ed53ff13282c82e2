"""The files of one unit: documents and rejects, committed together by a sidecar (DESIGN 3)."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.engine.documents import (
    DOCUMENT_SCHEMA,
    REJECT_SCHEMA,
    Document,
    ParquetSink,
    row_of,
    valid_utf8,
)
from pipelines.engine.runs import Run, RunError
from pipelines.engine.stages import Judged, Ledger
from pipelines.engine.units import Unit
from pipelines.joins.claims import KEY_BYTES
from pipelines.readers.rows import BadRow
from pipelines.storage import files as storage

STAGED_SCHEMA = pa.schema(
    [
        *DOCUMENT_SCHEMA,
        # The claim for a later meeting (DESIGN 3) lies beside the text, in columns of its own: a
        # resumed run reads it again without the text.
        pa.field("claim_key", pa.binary(KEY_BYTES), nullable=False),
        pa.field("claim_rank", pa.binary(), nullable=False),
        pa.field("claim_count", pa.int64(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class RejectPolicy:
    """Which rejects are kept: ``all``, ``sample:F`` (a share, by hash of id), ``ids``, ``none``."""

    mode: str = "all"
    fraction: float = 1.0

    @classmethod
    def parse(cls, text: str) -> "RejectPolicy":
        """Read the value of ``--rejects``.

        Raises:
            RunError: it is none of the four forms.
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
        """Tell whether the reject of this document is written."""
        if self.mode != "sample":
            return self.mode != "none"
        digest = hashlib.blake2b(document_id.encode("utf-8", "replace"), digest_size=8).digest()
        return int.from_bytes(digest, "little") < self.fraction * 2**64


class UnitOutput:
    """The files of one unit: documents and rejects, committed together by a sidecar.

    Nothing appears under its name before :meth:`commit`; a failed unit leaves nothing.
    """

    def __init__(
        self,
        run: Run,
        unit: Unit,
        ledger: Ledger,
        *,
        rejects: RejectPolicy,
        folder: str = "documents",
        rejects_folder: str = "rejects",
        rejects_suffix: str = ".parquet",
        schema: pa.Schema = DOCUMENT_SCHEMA,
        extra: Callable[[Document], dict[str, Any]] | None = None,
    ) -> None:
        self.run = run
        self.unit = unit
        self.ledger = ledger
        self._policy = rejects
        self._extra = extra
        self._targets = {
            "documents": (schema, (folder, f"{unit.name}.parquet")),
            "rejects": (REJECT_SCHEMA, (rejects_folder, f"{unit.name}{rejects_suffix}")),
        }
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

    def _sink(self, name: str) -> ParquetSink:
        if name not in self._open:
            schema, parts = self._targets[name]
            file = storage.AtomicFile(self.run.at(*parts))
            self._open[name] = file, ParquetSink(file.stream, schema)
        return self._open[name][1]

    def keep(self, document: Document) -> None:
        """Write a document that all stages kept."""
        row = row_of(document)
        if self._extra:
            row.update(self._extra(document))
        self.write_document(row)

    def write_document(self, row: dict[str, Any]) -> None:
        """Write and count a document that is a row already."""
        characters = len(row["text"])
        self._sink("documents").write(row, characters)
        self.ledger.documents += 1
        self.ledger.characters += characters

    def write_documents(self, rows: pa.Table) -> None:
        """Write and count documents that are an Arrow table already."""
        if rows.num_rows:
            self._sink("documents").write_table(rows)
            self.ledger.documents += rows.num_rows
            self.ledger.characters += pc.sum(pc.utf8_length(rows["text"])).as_py()

    def reject(self, document: Document, judged: Judged) -> None:
        """Write a reject, as the policy says; the ledger has counted it."""
        if self._policy.keeps(document.id):
            row = row_of(document)
            row["text"] = valid_utf8(row["text"])
            row["stage"] = judged.stage
            row["reason"] = judged.verdict.reason
            row["detail"] = valid_utf8(judged.verdict.detail)
            self.write_reject(row)

    def write_reject(self, row: dict[str, Any]) -> None:
        """Write a reject that is a row already, as the policy says."""
        if self._policy.keeps(row["id"]):
            if self._policy.mode == "ids":
                row["text"] = ""
            self._sink("rejects").write(row, len(row["text"]))

    def bad(self, source: str, record: BadRow) -> None:
        """Count a bad record, and keep what there is of it among the rejects."""
        self.ledger.records_read += 1
        self.ledger.bad_records[record.reason] += 1
        document = Document(f"{source}:{self.unit.name}:{record.row}", source, "")
        row = row_of(document)
        row |= {
            "stage": f"{source}.read",
            "reason": record.reason,
            "detail": valid_utf8(record.detail),
        }
        self.write_reject(row)

    def commit(self, *parts: str, failed: str | None = None) -> None:
        """Put the files in their places, then the sidecar at ``parts``, which commits the unit."""
        files = []
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
        self.run.write_json(
            {
                "unit": asdict(self.unit),
                "ledger": self.ledger.to_json(seconds=True),
                "files": files,
                **({"failed": failed} if failed else {}),
            },
            *parts,
        )


@dataclass(frozen=True)
class Output:
    """Where and how a pass writes its units."""

    run: Run
    rejects: RejectPolicy
    staged: Callable[[Document], dict[str, Any]] | None = None  # claim for a later meeting

    @property
    def sidecars(self) -> tuple[str, ...]:
        """The folder whose sidecars commit the units of this pass."""
        return ("staged",) if self.staged else ("units",)

    def of(self, unit: Unit, ledger: Ledger) -> UnitOutput:
        """Return the files of one unit."""
        if not self.staged:
            return UnitOutput(self.run, unit, ledger, rejects=self.rejects)
        return UnitOutput(
            self.run,
            unit,
            ledger,
            rejects=self.rejects,
            folder="staged",
            rejects_folder="staged",
            rejects_suffix=".rejects.parquet",
            schema=STAGED_SCHEMA,
            extra=self.staged,
        )
