"""The ledger of a unit counts what its stages decide, so that no record is lost.

The ledger converts records and calls the stages, both within the time budget of a document. An
exception in a conversion makes the record a bad record, and an exception in a filter rejects the
document. Only errors of the machine end the unit (``errors``).
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from filters.verdict import KEEP, Verdict, drop
from pipelines.engine.documents import Document
from pipelines.engine.errors import MachineError, RunError, is_of_the_machine, one_line
from pipelines.engine.guard import DocumentTimeout, TimeGuard
from pipelines.engine.stages import Stage
from pipelines.readers.rows import BadRow

TABLE_ROWS = 1000  # rows of a table in a run's statistics
# Rows of a table in a unit's sidecar. What is rarer than these in every unit is taken to be rarer
# than the first rows of the run.
TABLE_ROWS_PER_UNIT = 10_000
_COUNTS = ("records_read", "documents", "characters", "sent", "received", "joined")


@dataclass(slots=True)
class StageTally:
    """Counts of one stage in one unit."""

    documents_in: int = 0
    characters_in: int = 0
    characters_out: int = 0
    seconds: float = 0.0
    rejected: Counter[str] = field(default_factory=Counter)

    @property
    def documents_out(self) -> int:
        """Documents that went on to the next stage."""
        return self.documents_in - self.rejected.total()

    def add(self, other: "StageTally") -> None:
        """Add the counts of another unit."""
        self.documents_in += other.documents_in
        self.characters_in += other.characters_in
        self.characters_out += other.characters_out
        self.seconds += other.seconds
        self.rejected.update(other.rejected)


@dataclass(slots=True)
class Judged:
    """A verdict and the stage that gave it."""

    stage: str
    verdict: Verdict


def _machine(error: Exception, where: str) -> RunError:
    """Return the error that ends a unit; its message says where the machine failed."""
    if isinstance(error, RunError):
        return error
    return MachineError(f"{where}: {one_line(error, where)}")


class Ledger:
    """Counts of one unit, or the sum over units.

    Conservation: ``records_read`` = ``documents`` + rejected + bad records + ``joined``. A unit
    may hand records to other units (GitHub: a row of ``files`` becomes a document where its content
    lies); they count as read where they begin, ``sent`` there and ``received`` here, and over all
    units both are equal. Records that are part of another record's document or reject, as answers
    are of their question's, count as ``joined``.
    """

    def __init__(self, stages: Sequence[str] = ()) -> None:
        self.records_read = 0
        self.documents = 0
        self.characters = 0
        self.sent = 0
        self.received = 0
        self.joined = 0
        self.bad_records: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()  # counts that are not in the conservation table
        self.tables: dict[str, Counter[str]] = {}  # counts by names that come from the data
        self.stages: dict[str, StageTally] = {name: StageTally() for name in stages}
        self._at = ""  # name of the stage that judges the current document

    @property
    def rejected(self) -> int:
        """Documents rejected by all stages."""
        return sum(tally.rejected.total() for tally in self.stages.values())

    def convert(
        self,
        record: Any,
        converter: Callable[[Any], Document | BadRow | None],
        guard: TimeGuard,
    ) -> Document | BadRow | None:
        """Return what a record is converted to: a bad record, if the conversion fails.

        Args:
            record: the record as its reader framed it. It has a ``row``, its number in its file.
            converter: makes a document of a record, or returns None for a record that is not a
                document of this unit.
            guard: the time budget.

        Raises:
            RunError: this machine lacks what the conversion needs.
        """
        try:
            guard.begin()
            try:
                return converter(record)
            finally:
                guard.end()
        except DocumentTimeout:
            guard.end()
            return BadRow(record.row, "timeout", f"more than {guard.seconds:g} s of CPU time")
        except Exception as error:
            if is_of_the_machine(error):
                raise _machine(error, f"record {record.row}") from error
            return BadRow(record.row, f"failed:{type(error).__name__}", str(error)[:500])

    def judge(self, document: Document, stages: Sequence[Stage], guard: TimeGuard) -> Judged | None:
        """Run the document through the stages; return the rejection, or None if it is kept."""
        self._at = stages[0].name if stages else ""
        try:
            guard.begin()
            try:
                verdict = self._run(document, stages)
            finally:
                guard.end()
        except DocumentTimeout:
            guard.end()
            verdict = drop("timeout", f"more than {guard.seconds:g} s of CPU time")
        if verdict.keep:
            return None
        self.stages[self._at].rejected[verdict.reason] += 1
        return Judged(self._at, verdict)

    def _run(self, document: Document, stages: Sequence[Stage]) -> Verdict:
        characters = len(document.text)
        clock = time.perf_counter()
        try:
            for stage in stages:
                self._at = stage.name
                tally = self.stages[stage.name]
                tally.documents_in += 1
                tally.characters_in += characters
                verdict = stage(document)
                now = time.perf_counter()
                tally.seconds += now - clock
                clock = now
                if not verdict.keep:
                    return verdict
                characters = len(document.text)
                tally.characters_out += characters
        except Exception as error:
            if is_of_the_machine(error):
                raise _machine(error, f"{document.id}, stage {self._at}") from error
            return drop(f"failed:{type(error).__name__}", str(error)[:500])
        return KEEP

    def reject(self, stage: str, reason: str, documents: int = 1) -> None:
        """Count documents that were dropped by a decision across documents."""
        self.stages[stage].rejected[reason] += documents

    def add(self, other: "Ledger") -> None:
        """Add the counts of another unit."""
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.bad_records.update(other.bad_records)
        self.notes.update(other.notes)
        self.add_tables(other.tables)
        for name, tally in other.stages.items():
            self.stages.setdefault(name, StageTally()).add(tally)

    def take_notes(self, stages: Sequence[Stage]) -> None:
        """Add the notes and tables that the stages counted beside their verdicts."""
        for stage in stages:
            self.notes.update(getattr(stage, "notes", ()))
            self.add_tables(getattr(stage, "tables", {}))

    def add_tables(self, tables: Mapping[str, Counter[str]]) -> None:
        """Add the counts of tables."""
        for name, counts in tables.items():
            self.tables.setdefault(name, Counter()).update(counts)

    def to_json(self, *, seconds: bool = False) -> dict[str, Any]:
        """Return the counts as ``stats.json`` holds them.

        Args:
            seconds: for sidecars, which are summed: include the seconds of the stages, which
                differ from run to run, and more rows of the tables.
        """
        stages = [
            {
                "stage": name,
                "documents_in": tally.documents_in,
                "documents_out": tally.documents_out,
                "characters_in": tally.characters_in,
                "characters_out": tally.characters_out,
                "rejected": dict(sorted(tally.rejected.items())),
                **({"seconds": round(tally.seconds, 6)} if seconds else {}),
            }
            for name, tally in self.stages.items()
        ]
        return {
            "records_read": self.records_read,
            "bad_records": self.bad_records.total(),
            "bad_records_by_reason": dict(sorted(self.bad_records.items())),
            "documents": self.documents,
            "rejected": self.rejected,
            "characters": self.characters,
            "sent": self.sent,
            "received": self.received,
            "joined": self.joined,
            "notes": dict(sorted(self.notes.items())),
            "tables": self.largest(TABLE_ROWS_PER_UNIT if seconds else TABLE_ROWS),
            "stages": stages,
        }

    def largest(self, rows: int) -> dict[str, list[tuple[str, int]]]:
        """Return the ``rows`` largest counts of each table; equal counts are sorted by name."""
        return {
            name: sorted(counts.items(), key=lambda row: (-row[1], row[0]))[:rows]
            for name, counts in sorted(self.tables.items())
            if counts
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Ledger":
        """Read what :meth:`to_json` returned."""
        ledger = cls()
        for name in _COUNTS:
            # Runs of earlier versions count no joined records.
            setattr(ledger, name, value.get(name, 0) if name == "joined" else value[name])
        ledger.bad_records.update(value["bad_records_by_reason"])
        ledger.notes.update(value["notes"])
        ledger.tables = {name: Counter(dict(rows)) for name, rows in value["tables"].items()}
        for stage in value["stages"]:
            ledger.stages[stage["stage"]] = StageTally(
                documents_in=stage["documents_in"],
                characters_in=stage["characters_in"],
                characters_out=stage["characters_out"],
                seconds=stage.get("seconds", 0.0),
                rejected=Counter(stage["rejected"]),
            )
        return ledger

    def imbalance(self) -> int:
        """Return records read minus all that is accounted for: 0, or records are lost."""
        accounted = self.documents + self.rejected + self.bad_records.total() + self.joined
        return self.records_read + self.received - self.sent - accounted
