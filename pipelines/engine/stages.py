"""Stages, and the ledger that takes what they decide (DESIGN 3).

A stage is a filter at its place in a source: called with a document, it changes it or not, and says
whether it stays. The ledger calls the stages of a unit in order and counts documents, characters
and seconds a stage and reason; an exception in a filter is a verdict like any other.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter
from typing import Any, Protocol

from filters.verdict import KEEP, Verdict, drop
from pipelines.engine.documents import Document
from pipelines.engine.guard import DocumentTimeout, TimeGuard

TABLE_ROWS = 1000  # of a table in a run's statistics
# Of a table in a unit's: what is rarer in every unit does not get among the first of the run.
TABLE_ROWS_PER_UNIT = 10_000
MAX_CHARACTERS = 64_000_000  # size cap of one document (spec/sources.md 0.2.5), beyond any book


class Stage(Protocol):
    """One step of a source: may change the document, and says whether it is kept.

    A stage of one unit may hold ``notes``, a counter that joins those of the unit's ledger, and
    ``tables``, counters by name that join its tables.
    """

    @property
    def name(self) -> str:
        """Name in the ledger and the report, e.g. ``github.quality``."""

    def __call__(self, document: Document) -> Verdict:
        """Judge the document."""


def _reader(column: str) -> Callable[[Document], Any]:
    if column.startswith("meta."):
        return partial(_meta, column.removeprefix("meta."))
    return attrgetter(column)


def _meta(key: str, document: Document) -> Any:
    return document.meta.get(key)


def _values(readers: Sequence[Callable[[Document], Any]], document: Document) -> list[Any]:
    return [read(document) for read in readers]


@dataclass(frozen=True)
class Keep:
    """Keep the documents that ``check`` keeps."""

    name: str
    check: Callable[..., Verdict]  # module-level function or partial: it is pickled
    columns: tuple[str, ...] = ("text",)  # its arguments: columns, or "meta.KEY"

    def __post_init__(self) -> None:
        object.__setattr__(self, "_readers", tuple(_reader(column) for column in self.columns))

    def __call__(self, document: Document) -> Verdict:
        """Judge the document by the filter's verdict."""
        return self.check(*_values(self._readers, document))  # type: ignore[attr-defined] # __post_init__


@dataclass(frozen=True)
class Rewrite:
    """Replace a column by what ``rewrite`` makes of it."""

    name: str
    rewrite: Callable[..., str]
    columns: tuple[str, ...] = ("text",)  # its arguments; the first is the column that is replaced

    def __post_init__(self) -> None:
        object.__setattr__(self, "_readers", tuple(_reader(column) for column in self.columns))

    def __call__(self, document: Document) -> Verdict:
        """Rewrite the column; every document stays."""
        value = self.rewrite(*_values(self._readers, document))  # type: ignore[attr-defined] # as above
        setattr(document, self.columns[0], value)
        return KEEP


@dataclass(frozen=True)
class Score:
    """Write what ``score`` measures into a column, or into several ``meta`` keys."""

    name: str
    score: Callable[..., Any]
    into: str  # a column, "meta.KEY", or "meta" for a mapping of keys
    columns: tuple[str, ...] = ("text",)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_readers", tuple(_reader(column) for column in self.columns))

    def __call__(self, document: Document) -> Verdict:
        """Score the document; every document stays."""
        value = self.score(*_values(self._readers, document))  # type: ignore[attr-defined] # as above
        if self.into == "meta":
            document.meta.update(value)
        elif self.into.startswith("meta."):
            document.meta[self.into.removeprefix("meta.")] = value
        else:
            setattr(document, self.into, value)
        return KEEP


def check_text(text: str, *, max_characters: int = MAX_CHARACTERS) -> Verdict:
    r"""Hold the output contract: valid Unicode, no NUL, ``\n`` line ends, not blank (0.1).

    >>> check_text("a\x00b").reason
    'nul_character'
    """
    if not text or text.isspace():
        return drop("empty")
    if len(text) > max_characters:
        return drop("too_large", f"{len(text)} characters")
    if "\0" in text:
        return drop("nul_character")
    if "\r" in text:
        return drop("carriage_return")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            return drop("lone_surrogate", f"at character {error.start}")
    return KEEP


@dataclass(slots=True)
class StageTally:
    """What one stage did in one unit."""

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


class Ledger:
    """Counts of one unit, or the sum over units.

    Conservation (DESIGN 3): ``records_read`` = ``documents`` + rejected + bad records. A unit may
    hand records to other units (GitHub: a row of ``files`` becomes a document where its content
    lies); they count as read where they begin, ``sent`` there and ``received`` here, and over all
    units both are equal.
    """

    def __init__(self, stages: Sequence[str] = ()) -> None:
        self.records_read = 0
        self.documents = 0
        self.characters = 0
        self.sent = 0
        self.received = 0
        self.bad_records: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()  # facts beside the conservation table
        self.tables: dict[str, Counter[str]] = {}  # what is counted by names that the data bring
        self.stages: dict[str, StageTally] = {name: StageTally() for name in stages}
        self._at = ""  # the stage that is judging

    @property
    def rejected(self) -> int:
        """Documents rejected by all stages."""
        return sum(tally.rejected.total() for tally in self.stages.values())

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
        except Exception as error:  # noqa: BLE001 - a filter's failure is a verdict (DESIGN 3)
            return drop(f"failed:{type(error).__name__}", str(error)[:500])
        return KEEP

    def reject(self, stage: str, reason: str, documents: int = 1) -> None:
        """Count documents that a decision outside the stages dropped."""
        self.stages[stage].rejected[reason] += documents

    def add(self, other: "Ledger") -> None:
        """Add the counts of another unit."""
        for name in ("records_read", "documents", "characters", "sent", "received"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.bad_records.update(other.bad_records)
        self.notes.update(other.notes)
        self.add_tables(other.tables)
        for name, tally in other.stages.items():
            self.stages.setdefault(name, StageTally()).add(tally)

    def take_notes(self, stages: Sequence[Stage]) -> None:
        """Add what the stages counted besides their verdicts."""
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
            seconds: also those of the stages, which differ from run to run, and more of the tables:
                what sidecars hold, which are summed.
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
            "notes": dict(sorted(self.notes.items())),
            "tables": self.largest(TABLE_ROWS_PER_UNIT if seconds else TABLE_ROWS),
            "stages": stages,
        }

    def largest(self, rows: int) -> dict[str, list[tuple[str, int]]]:
        """Return the largest counts of each table; of equal ones, the first by name."""
        return {
            name: sorted(counts.items(), key=lambda row: (-row[1], row[0]))[:rows]
            for name, counts in sorted(self.tables.items())
            if counts
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Ledger":
        """Read what :meth:`to_json` returned."""
        ledger = cls()
        for name in ("records_read", "documents", "characters", "sent", "received"):
            setattr(ledger, name, value[name])
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
        accounted = self.documents + self.rejected + self.bad_records.total()
        return self.records_read + self.received - self.sent - accounted
