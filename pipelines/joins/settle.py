"""Decide which staged documents are duplicates, and write the documents that win.

The phase before this one writes its documents to ``staged/``, each with a claim (a key, a rank, a
count). Here the claims are decided: the smallest rank of each key wins. Then ``staged/`` is copied
to ``documents/`` without the losers, which become rejects of their unit. Claims of earlier runs,
which must win, can take part, and stages that need every column but the text can follow.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from filters.verdict import Verdict, drop
from pipelines.engine.claim_files import write_claims
from pipelines.engine.documents import DOCUMENT_SCHEMA, Document, document_of, meta_json
from pipelines.engine.ledger import Ledger, StageTally
from pipelines.engine.output import CLAIM_SCHEMA, StagedClaim, Terms, UnitOutput
from pipelines.engine.passes import Context, every_unit
from pipelines.engine.stages import Keep
from pipelines.engine.steps import GroupStep, Step, Topic, UnitStep, Verdicts
from pipelines.engine.units import Part, Unit
from pipelines.engine.workspace import CLAIMS, CLAIMS_SUFFIX, Workspace
from pipelines.joins.claims import (
    RowVerdicts,
    decide_group,
    deciding,
    readable,
    refuse_to_set_aside,
)
from pipelines.joins.decisions import LocalWinners, first_wins, local_winners
from pipelines.storage import files as storage


@dataclass(frozen=True)
class Settle:
    """A phase that keeps, of staged documents with equal keys, the one with the smallest rank.

    Args:
        stage: name of the decision in the ledger.
        reason: reason in the rejects of the losers.
        claim: returns ``claim_key``, ``claim_rank`` and ``claim_count`` of a document.
        of: which units of the source are staged.
        after: document files of earlier runs, each with the rank of its run.
        earlier: returns the claims (``key``, ``rank``, ``count``) of one of those files.
        then: stages after the decision; their documents have no text.
        describe: names the document of a rank, for the details of a reject.
    """

    stage: str
    reason: str
    claim: Callable[[Document], dict[str, Any]]
    of: Callable[[Unit], bool] = every_unit
    after: Sequence[tuple[str, str]] = ()
    earlier: Callable[[str, str], pa.Table] | None = None
    then: Sequence[Keep] = ()
    describe: Callable[[bytes], str] = readable

    @property
    def topic(self) -> Topic:
        """The topic of the decision."""
        return Topic(self.stage.rpartition(".")[2], RowVerdicts)

    @property
    def staged(self) -> StagedClaim:
        """How the phase before this one makes the claims of its documents."""
        return StagedClaim(self.topic.name, self.claim, local_winners)

    def steps(self, context: Context) -> list[Step]:
        """Return the steps that read the claims of earlier runs, decide, and copy the winners."""
        units = [unit for unit in context.units if self.of(unit)]
        guests = [
            Unit(f"earlier-{number:05d}", "earlier", (Part(path, 0),), {"rank": rank})
            for number, (path, rank) in enumerate(self.after)
        ]
        name = self.topic.name
        steps: list[Step] = []
        if guests:
            steps.append(
                UnitStep(
                    "read earlier runs",
                    f"{CLAIMS}/{name}",
                    CLAIMS_SUFFIX,
                    guests,
                    partial(claim_of_earlier_run, self),
                    partial(refuse_to_set_aside, "the claims of an earlier run were read"),
                    claims=name,
                )
            )
        return [
            *steps,
            GroupStep(
                f"decide {name}",
                self.topic,
                units,
                partial(decide_group, deciding(first_wins)),
                guests=[(guest.name, 0) for guest in guests],
            ),
            UnitStep(
                "write",
                "units",
                ".json",
                units,
                partial(settle_unit, self, context.terms),
                partial(settle_without, self, context.terms),
                [self.topic],
            ),
        ]

    def stage_names(self, _context: Context) -> list[str]:
        """Return the names of the decision and of the stages after it."""
        return [self.stage, *(stage.name for stage in self.then)]


def claim_of_earlier_run(
    phase: Settle, workspace: Workspace, unit: Unit, _verdicts: Verdicts
) -> None:
    """Write the claims of a file of an earlier run; nothing reads the verdicts on them."""
    assert phase.earlier
    table = phase.earlier(unit.path, unit.extra["rank"])
    table = table.append_column("row", pa.array(range(table.num_rows), pa.int64()))
    path = workspace.claims_path(phase.topic.name, unit.name)
    write_claims(path, unit.name, unit.name, [local_winners(table)])


def settle_without(phase: Settle, terms: Terms, workspace: Workspace, unit: Unit, why: str) -> None:
    """Commit a unit that was set aside before it staged a document; refuse to lose staged ones.

    Raises:
        RunError: it has staged documents.
    """
    if storage.exists(workspace.run.at("staged", f"{unit.name}.parquet")):
        refuse_to_set_aside("its staged documents were copied", workspace, unit, why)
    settle_unit(phase, terms, workspace, unit, {})


def staged_claims(workspace: Workspace, unit: str) -> LocalWinners:
    """Return the claims of a unit's staged documents, decided within the unit."""
    try:
        with storage.open_input(workspace.run.at("staged", f"{unit}.parquet")) as stream:
            return claims_in(pq.ParquetFile(stream))
    except storage.MissingFile:  # the unit kept no document
        return claims_in(None)


def claims_in(staged: pq.ParquetFile | None) -> LocalWinners:
    """Return the claims in a file of staged documents; none if there is no file."""
    table = staged.read(columns=CLAIM_SCHEMA.names) if staged else CLAIM_SCHEMA.empty_table()
    table = table.rename_columns([name.removeprefix("claim_") for name in CLAIM_SCHEMA.names])
    return LocalWinners(table.append_column("row", pa.array(range(table.num_rows), pa.int64())))


def settle_unit(
    phase: Settle,
    terms: Terms,
    workspace: Workspace,
    unit: Unit,
    verdicts: Verdicts,
) -> None:
    """Copy the documents of a staged unit without the losers, and commit the unit."""
    run = workspace.run
    sidecar = run.read_json("staged", f"{unit.name}.json")
    ledger = Ledger.from_json(sidecar["ledger"])
    ledger.stages[phase.stage] = StageTally(
        documents_in=ledger.documents, characters_in=ledger.characters
    )
    for stage in phase.then:
        ledger.stages[stage.name] = StageTally()
    ledger.documents = ledger.characters = 0
    with UnitOutput(workspace, unit, ledger, terms, before=sidecar["files"]) as out:
        with staged_file(workspace, f"{unit.name}.parquet") as stream:
            if stream:
                staged = pq.ParquetFile(stream)
                _copy(phase, staged, claims_in(staged), verdicts[phase.topic.name], out)
        out.commit(sidecar.get("failed"))


@contextmanager
def staged_file(workspace: Workspace, name: str) -> Iterator[BinaryIO | None]:
    """Open a staged file for seeking while a block lasts; None if it does not exist."""
    try:
        stream = storage.open_spooled(workspace.run.at("staged", name))
    except storage.MissingFile:
        yield None
        return
    with stream:
        yield stream


def _copy(
    phase: Settle,
    staged: pq.ParquetFile,
    claims: LocalWinners,
    verdicts: RowVerdicts,
    out: UnitOutput,
) -> None:
    """Copy row groups as Arrow tables; only losers and changed ``meta`` become Python objects."""
    winners = claims.winner_rows
    wins = verdicts.column("wins", winners).to_numpy(zero_copy_only=False)
    wins &= winners == np.arange(len(winners))
    copies = verdicts.column("copies", winners).to_numpy()
    names = verdicts.column("winner", winners)
    start = 0
    for number in range(staged.num_row_groups):
        rows = staged.read_row_group(number, use_threads=False)
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
            name = phase.describe(names[start - rows.num_rows + at].as_py())
            _reject(out, row, phase.stage, drop(phase.reason, f"same as {name}"))
        rows = rows.filter(pa.array(wins[span]))
        out.ledger.stages[phase.stage].characters_out += _characters(rows)
        for stage in phase.then:
            rows = _keep(stage, rows, out)
        out.write_documents(rows)


def _characters(rows: pa.Table) -> int:
    return int(pc.sum(pc.utf8_length(rows["text"])).as_py() or 0)


def _reject(out: UnitOutput, row: dict[str, Any], stage: str, verdict: Verdict) -> None:
    out.ledger.reject(stage, verdict.reason)
    out.write_reject({**row, "stage": stage, "reason": verdict.reason, "detail": verdict.detail})


def _keep(stage: Keep, rows: pa.Table, out: UnitOutput) -> pa.Table:
    """Judge rows by every column but their text; return those that are kept."""
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
