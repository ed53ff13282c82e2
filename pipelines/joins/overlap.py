"""Keep the best of the staged documents that share most of their text.

The previous phase wrote its documents to ``staged/``, each with a claim on its text. This phase
then takes five steps (docs/rules/sources.md 3.5):

1. Among equal normalised texts the smallest rank is kept, so that the steps below need not compare
   copies.
2. ``sketches`` groups a sample of each document's shingles (FracMinHash) and bands of minima
   (MinHash) by hash, and counts the hashes that two documents share.
3. ``pairs`` gathers the pairs that share enough, a few per cent of the documents, and numbers the
   documents in them.
4. ``shingles`` groups all shingles of these documents by hash, and counts exactly how many two of
   them share.
5. ``overlaps`` goes through the overlapping documents, best first, and keeps those that overlap
   none already kept; ``staged/`` is copied without the others.

Sketches only nominate pairs: a pair nominated in vain takes time and changes nothing. Texts are
never shuffled, and the shingles of a document are shuffled once, however many pairs it is in.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from filters.shingles import shingles
from filters.word_hashes import Hashes
from pipelines.engine.claim_files import write_claims
from pipelines.engine.documents import DOCUMENT_SCHEMA, Document, meta_json
from pipelines.engine.ledger import Ledger, StageTally
from pipelines.engine.output import StagedClaim, Terms, UnitOutput
from pipelines.engine.passes import Context
from pipelines.engine.steps import GroupStep, Step, Topic, UnitStep, Verdicts
from pipelines.engine.units import Unit
from pipelines.engine.workspace import CLAIMS, CLAIMS_SUFFIX, Workspace
from pipelines.joins.claims import (
    Decide,
    RowVerdicts,
    decide_group,
    deciding,
    readable,
    refuse_to_set_aside,
)
from pipelines.joins.comparing import choose, count_shared, gather
from pipelines.joins.decisions import LocalWinners, first_wins, local_winners
from pipelines.joins.overlap_claims import (
    OVERLAPS,
    PAIRS,
    SAME_TEXT,
    SHINGLES,
    SKETCHES,
    kept_rows,
    overlap_claims,
    pair_claims,
    shingle_claims,
    sketch_claims,
)
from pipelines.joins.pairs import nominate
from pipelines.joins.settle import claims_in, staged_file
from pipelines.storage import files as storage

Emit = Callable[[Workspace, Unit, Verdicts], Iterable[pa.Table]]


@dataclass(frozen=True)
class Overlap:
    """A phase that keeps, of the staged documents that overlap, those first in the total order.

    Args:
        stage: name of the decision in the ledger.
        claim: returns the ``claim_key`` of a document (of its normalised text), its ``claim_rank``
            (the order among documents with equally many shingles) and its ``claim_count`` (1).
        threshold: documents overlap if they share more than this fraction of the smaller one.
        jaccard: take the fraction of the union of both documents instead of the smaller one.
        hashes: returns the hashed shingles of a text, distinct and sorted.
        describe: returns the name that a reject gives to the document of a rank.
    """

    stage: str
    claim: Callable[[Document], dict[str, Any]]
    threshold: float = 0.9
    jaccard: bool = False
    hashes: Callable[[str], Hashes] = shingles
    describe: Callable[[bytes], str] = readable

    @property
    def staged(self) -> StagedClaim:
        """The form in which the previous phase writes the claims of its documents."""
        return StagedClaim(SAME_TEXT.name, self.claim, local_winners)

    def steps(self, context: Context) -> list[Step]:
        """Return the steps: equal texts, sketches, pairs, shingles, overlaps, copy."""
        units = context.units
        decide = partial(choose, threshold=Fraction(str(self.threshold)), jaccard=self.jaccard)

        def claiming(
            title: str, topic: Topic, emit: Emit, wants: Sequence[Topic], decision: Decide
        ) -> list[Step]:
            return [
                UnitStep(
                    title,
                    f"{CLAIMS}/{topic.name}",
                    CLAIMS_SUFFIX,
                    units,
                    partial(claim_staged, topic.name, emit),
                    partial(refuse_to_set_aside, f"its {topic.name} were claimed"),
                    wants,
                    topic.name,
                ),
                GroupStep(f"decide {topic.name}", topic, units, partial(decide_group, decision)),
            ]

        sketches = partial(sketch_claims, self.hashes)
        all_shingles = partial(shingle_claims, self.hashes)
        return [
            GroupStep(
                f"decide {SAME_TEXT.name}",
                SAME_TEXT,
                units,
                partial(decide_group, deciding(first_wins)),
            ),
            *claiming("sketch", SKETCHES, sketches, [SAME_TEXT], nominate),
            *claiming("nominate", PAIRS, partial(pair_claims, self.threshold), [SKETCHES], gather),
            *claiming("shingle", SHINGLES, all_shingles, [PAIRS], count_shared),
            *claiming("compare", OVERLAPS, overlap_claims, [PAIRS, SHINGLES], decide),
            UnitStep(
                "write",
                "units",
                ".json",
                units,
                partial(copy_unit, self, context.terms),
                partial(copy_without, self, context.terms),
                [SAME_TEXT, OVERLAPS],
            ),
        ]

    def stage_names(self, _context: Context) -> list[str]:
        """Return the name of the decision."""
        return [self.stage]


def claim_staged(
    topic: str, emit: Emit, workspace: Workspace, unit: Unit, verdicts: Verdicts
) -> None:
    """Write the claims of a unit about its staged documents."""
    path = workspace.claims_path(topic, unit.name)
    write_claims(path, unit.name, unit.name, emit(workspace, unit, verdicts))


def copy_without(phase: Overlap, terms: Terms, workspace: Workspace, unit: Unit, why: str) -> None:
    """Commit a unit that was set aside before it staged a document; refuse to lose staged ones.

    Raises:
        RunError: the unit has staged documents.
    """
    if storage.exists(workspace.run.at("staged", f"{unit.name}.parquet")):
        refuse_to_set_aside("its staged documents were copied", workspace, unit, why)
    copy_unit(phase, terms, workspace, unit, {})


def copy_unit(
    phase: Overlap, terms: Terms, workspace: Workspace, unit: Unit, verdicts: Verdicts
) -> None:
    """Copy a staged unit to its place, without the losers, and commit it."""
    run = workspace.run
    sidecar = run.read_json("staged", f"{unit.name}.json")
    ledger = Ledger.from_json(sidecar["ledger"])
    tally = StageTally(documents_in=ledger.documents, characters_in=ledger.characters)
    ledger.stages[phase.stage] = tally
    ledger.documents = ledger.characters = 0
    with UnitOutput(workspace, unit, ledger, terms, before=sidecar["files"]) as out:
        with staged_file(workspace, f"{unit.name}.parquet") as stream:
            if stream:
                staged = pq.ParquetFile(stream)
                same, overlaps = verdicts[SAME_TEXT.name], verdicts[OVERLAPS.name]
                _copy(phase, staged, losses(phase, claims_in(staged), same, overlaps), out)
        tally.characters_out = ledger.characters
        out.commit(sidecar.get("failed"))


@dataclass(frozen=True)
class Loss:
    """The reason why a staged document is not kept."""

    reason: str
    winner: str
    overlap: float


def losses(
    phase: Overlap, claims: LocalWinners, same: RowVerdicts, overlaps: RowVerdicts
) -> dict[int, Loss]:
    """Return the staged rows that are not kept, each with the reason."""
    lost: dict[int, Loss] = {}
    winners = claims.winner_rows
    for row, keep in enumerate(kept_rows(claims, same)):
        if not keep:
            best = same.of(int(winners[row]))["winner"]
            lost[row] = Loss("duplicate_text", phase.describe(best), 1.0)
    for row in overlaps.rows():
        told = overlaps.of(row)
        lost[row] = Loss("overlap", phase.describe(told["winner"]), told["shared"] / told["of"])
    return lost


def _copy(phase: Overlap, staged: pq.ParquetFile, lost: dict[int, Loss], out: UnitOutput) -> None:
    """Copy row groups as Arrow tables; only losers are converted to Python objects."""
    start = 0
    for number in range(staged.num_row_groups):
        rows = staged.read_row_group(number, columns=DOCUMENT_SCHEMA.names, use_threads=False)
        gone = [row for row in range(start, start + rows.num_rows) if row in lost]
        for row in gone:
            _reject(phase, rows.slice(row - start, 1).to_pylist()[0], lost[row], out)
        stays = np.ones(rows.num_rows, bool)
        stays[np.array(gone, np.int64) - start] = False
        out.write_documents(rows.filter(pa.array(stays)))
        start += rows.num_rows


def _reject(phase: Overlap, row: dict[str, Any], loss: Loss, out: UnitOutput) -> None:
    out.ledger.reject(phase.stage, loss.reason)
    meta = {"dup_of": loss.winner, "overlap": round(loss.overlap, 6)}
    what = "of both" if phase.jaccard else "of the smaller"
    detail = (
        f"same text as {loss.winner}"
        if loss.reason == "duplicate_text"
        else f"shares {loss.overlap:.4f} of the shingles {what} with {loss.winner}"
    )
    out.write_reject(
        {
            **row,
            "meta": _with(row["meta"], meta),
            "stage": phase.stage,
            "reason": loss.reason,
            "detail": detail,
        }
    )


def _with(meta: str, more: dict[str, Any]) -> str:
    return meta_json({**json.loads(meta), **more})
