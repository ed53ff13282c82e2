"""A later meeting: what is decided on the documents that a pass has written (DESIGN 3).

The pass before wrote its documents to ``staged/``, each with a claim beside it (a key, a rank, a
count). Here the claims are decided, the first of each key wins, and ``staged/`` is copied to
``documents/`` without the losers, which join the rejects of their unit. Claims of earlier runs,
which must win, can be brought along; and stages that need only the columns beside the text can
follow.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from filters.verdict import Verdict, drop
from pipelines.engine.documents import DOCUMENT_SCHEMA, document_of, meta_json, read_rows
from pipelines.engine.output import Output, UnitOutput
from pipelines.engine.passes import ByUnit
from pipelines.engine.runs import RunError, one_line
from pipelines.engine.stages import Keep, Ledger, StageTally
from pipelines.engine.units import UNIT_TOPIC, Unit
from pipelines.joins.claims import (
    Addressed,
    Bucketed,
    Decide,
    Standing,
    Verdicts,
    by_bucket,
    claims_table,
    first_wins,
    message,
    read_messages,
    readable,
)
from pipelines.storage import files as storage

TOPIC = "settle"
CLAIM_COLUMNS = ("claim_key", "claim_rank", "claim_count")


@dataclass(frozen=True)
class Meeting:
    """The decision: its stage in the ledger, its reason, and where the output goes."""

    output: Output
    stage: str
    reason: str
    buckets: int
    after: Sequence[tuple[str, str]] = ()  # files of earlier runs, and the rank of their documents
    earlier: Callable[[str, str], pa.Table] | None = None  # the claims of one of those files
    then: Sequence[Keep] = ()  # stages after the meeting; they see no text
    describe: Callable[[bytes], str] = readable  # how a reject calls the document of a rank

    def claims(self, unit: str) -> Standing:
        """Return the claims that lie beside a unit's staged documents, combined within the unit."""
        path = self.output.run.at("staged", f"{unit}.parquet")
        if not storage.exists(path):  # the unit kept no document
            table = pa.table(
                {
                    "claim_key": pa.array([], pa.binary(16)),
                    "claim_rank": pa.array([], pa.binary()),
                    "claim_count": pa.array([], pa.int64()),
                }
            )
        else:
            with storage.open_input(path) as stream:
                table = pq.ParquetFile(stream).read(columns=list(CLAIM_COLUMNS))
        columns = {name.removeprefix("claim_"): table[name] for name in CLAIM_COLUMNS}
        return Standing(claims_table(unit, range(table.num_rows), columns))


@beam.typehints.with_input_types(tuple[str, int])
@beam.typehints.with_output_types(Bucketed)
class StagedClaims(beam.DoFn):
    """Emit the claims of a staged unit."""

    def __init__(self, meeting: Meeting) -> None:
        self.meeting = meeting

    def process(self, element: tuple[str, int]) -> Iterator[Bucketed]:
        """Yield them by bucket."""
        yield from by_bucket(self.meeting.claims(element[0]).emitted, self.meeting.buckets)


@beam.typehints.with_input_types(tuple[str, str])
@beam.typehints.with_output_types(Bucketed)
class EarlierClaims(beam.DoFn):
    """Emit the claims of a file of an earlier run. The verdicts on them are addressed to nobody."""

    def __init__(self, meeting: Meeting) -> None:
        self.meeting = meeting

    def process(self, element: tuple[str, str]) -> Iterator[Bucketed]:
        """Yield them by bucket."""
        path, rank = element
        assert self.meeting.earlier
        columns = self.meeting.earlier(path, rank)
        columns = {name: columns[name] for name in columns.column_names}
        claims = claims_table(f"{rank}:{path}", range(len(columns["key"])), columns)
        yield from by_bucket(Standing(claims).emitted, self.meeting.buckets)


@beam.typehints.with_input_types(tuple[str, int])
@beam.typehints.with_output_types(Addressed)
class Readdress(beam.DoFn):
    """Turn a staged unit into a message to itself."""

    def __init__(self, output: Output) -> None:
        self.output = output

    def process(self, element: tuple[str, int]) -> Iterator[Addressed]:
        """Yield the unit as its sidecar has it."""
        sidecar = self.output.run.read_json("staged", f"{element[0]}.json")
        yield element[0], message(UNIT_TOPIC, json.dumps(sidecar["unit"]).encode())


@beam.typehints.with_input_types(tuple[str, Iterable[bytes]])
@beam.typehints.with_output_types(tuple[str, int])
class SettleUnit(beam.DoFn):
    """Copy a staged unit to its place, without the losers."""

    def __init__(self, meeting: Meeting) -> None:
        self.meeting = meeting

    def process(self, element: tuple[str, Iterable[bytes]]) -> Iterator[tuple[str, int]]:
        """Skip a unit that is committed; else settle it."""
        name, bodies = element[0], read_messages(element[1])
        run = self.meeting.output.run
        if UNIT_TOPIC not in bodies:
            return
        if storage.exists(run.at("units", f"{name}.json")):
            yield name, 0
            return
        unit = Unit.unpack(bodies[UNIT_TOPIC][0])
        try:
            documents = settle_unit(self.meeting, unit, Verdicts(bodies.get(TOPIC, [])))
        except OSError as error:
            raise RunError(one_line(error, run.path)) from error
        yield name, documents


def settle_unit(meeting: Meeting, unit: Unit, verdicts: Verdicts) -> int:
    """Write documents, rejects and sidecar of one unit; return the number of documents."""
    run = meeting.output.run
    sidecar = run.read_json("staged", f"{unit.name}.json")
    ledger = Ledger.from_json(sidecar["ledger"])
    ledger.stages[meeting.stage] = StageTally(
        documents_in=ledger.documents, characters_in=ledger.characters
    )
    for stage in meeting.then:
        ledger.stages[stage.name] = StageTally()
    ledger.documents = ledger.characters = 0
    standing = meeting.claims(unit.name)
    with UnitOutput(run, unit, ledger, rejects=meeting.output.rejects) as out:
        rejects = run.at("staged", f"{unit.name}.rejects.parquet")
        if storage.exists(rejects):
            with storage.open_input(rejects) as stream:
                for row in read_rows(stream):
                    out.write_reject(row)
        if len(standing):
            with storage.open_input(run.at("staged", f"{unit.name}.parquet")) as stream:
                _copy(meeting, pq.ParquetFile(stream), standing, verdicts, out)
        out.commit("units", f"{unit.name}.json", failed=sidecar.get("failed"))
    return ledger.documents


def _copy(
    meeting: Meeting,
    staged: pq.ParquetFile,
    standing: Standing,
    verdicts: Verdicts,
    out: UnitOutput,
) -> None:
    """Copy row groups as Arrow tables; only losers and changed meta become Python."""
    winners = standing.winner_rows
    wins = verdicts.column("wins", winners).to_numpy(zero_copy_only=False)
    wins &= winners == np.arange(len(winners))
    copies = verdicts.column("copies", winners).to_numpy()
    names = verdicts.column("winner", winners)
    start = 0
    for number in range(staged.num_row_groups):
        rows = staged.read_row_group(number)
        span = slice(start, start + rows.num_rows)
        start = span.stop
        changed = copies[span] != rows["claim_count"].to_numpy()
        if (changed & wins[span]).any():
            metas = rows["meta"].to_pylist()
            for at in np.flatnonzero(changed & wins[span]):
                meta = json.loads(metas[at])
                metas[at] = meta_json({**meta, "copies": int(copies[span][at])})
            rows = rows.set_column(rows.column_names.index("meta"), "meta", pa.array(metas))
        rows = rows.select(DOCUMENT_SCHEMA.names)
        losers = rows.filter(pa.array(~wins[span]))
        for at, row in zip(np.flatnonzero(~wins[span]), losers.to_pylist(), strict=True):
            name = meeting.describe(names[start - rows.num_rows + at].as_py())
            _reject(out, row, meeting.stage, drop(meeting.reason, f"same as {name}"))
        rows = rows.filter(pa.array(wins[span]))
        out.ledger.stages[meeting.stage].characters_out += _characters(rows)
        for stage in meeting.then:
            rows = _keep(stage, rows, out)
        out.write_documents(rows)


def _characters(rows: pa.Table) -> int:
    return int(pc.sum(pc.utf8_length(rows["text"])).as_py() or 0)


def _reject(out: UnitOutput, row: dict[str, Any], stage: str, verdict: Verdict) -> None:
    out.ledger.reject(stage, verdict.reason)
    out.write_reject({**row, "stage": stage, "reason": verdict.reason, "detail": verdict.detail})


def _keep(stage: Keep, rows: pa.Table, out: UnitOutput) -> pa.Table:
    """Judge rows by the columns beside their text; return those that stay."""
    tally = out.ledger.stages[stage.name]
    tally.documents_in += rows.num_rows
    tally.characters_in += _characters(rows)
    columns = [name for name in DOCUMENT_SCHEMA.names if name != "text"]
    verdicts = [stage(document_of({**row, "text": ""})) for row in rows.select(columns).to_pylist()]
    kept = pa.array([verdict.keep for verdict in verdicts], pa.bool_())
    dropped = [verdict for verdict in verdicts if not verdict.keep]
    for row, verdict in zip(rows.filter(pc.invert(kept)).to_pylist(), dropped, strict=True):
        _reject(out, row, stage.name, verdict)
    rows = rows.filter(kept)
    tally.characters_out += _characters(rows)
    return rows


class Settle(beam.PTransform):
    """Staged units in (name, documents); committed units out."""

    def __init__(self, meeting: Meeting) -> None:
        super().__init__()
        self.meeting = meeting

    def expand(
        self, staged: beam.PCollection[tuple[str, int]]
    ) -> beam.PCollection[tuple[str, int]]:
        """Claims, decision, copy."""
        claims = staged | "staged claims" >> beam.ParDo(StagedClaims(self.meeting))
        if self.meeting.after:
            earlier = (
                staged.pipeline
                | "earlier runs" >> beam.Create(self.meeting.after)
                | "spread" >> beam.Reshuffle().with_output_types(tuple[str, str])
                | "earlier claims" >> beam.ParDo(EarlierClaims(self.meeting))
            )
            claims = (claims, earlier) | "all claims" >> beam.Flatten()
        verdicts = claims | "first wins" >> Decide(first_wins, TOPIC)
        units = staged | "units" >> beam.ParDo(Readdress(self.meeting.output))
        return (
            (units, verdicts)
            | "by unit" >> ByUnit()
            | "settle unit" >> beam.ParDo(SettleUnit(self.meeting))
        )
