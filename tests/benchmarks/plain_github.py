"""GitHub without Beam: the functions of the pipeline, one after the other in a plain loop.

Run as ``python -m tests.benchmarks.plain_github INPUTS RUN``; prints seconds and documents.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from itertools import pairwise

import numpy as np
import pyarrow as pa

from pipelines.engine.output import Output, RejectPolicy
from pipelines.engine.passes import Recipe, run_unit
from pipelines.engine.runs import Run
from pipelines.github import source as github
from pipelines.github.claims import blob_claims, decide_blobs, license_claims
from pipelines.github.files import BLOBS, CONTENTS, FACT_COLUMNS, LICENSES, read_unit
from pipelines.joins.claims import Verdicts, first_wins, look_up, pack
from pipelines.joins.settle import Meeting, settle_unit


def decide(
    claims: Iterable[pa.Table], function: Callable[[pa.Table], pa.Table]
) -> dict[str, bytes]:
    """Decide claims; return the verdicts of each unit."""
    verdicts = function(pa.concat_tables(claims).unify_dictionaries().combine_chunks())
    verdicts = verdicts.sort_by([("unit", "ascending"), ("row", "ascending")])
    units = verdicts["unit"].cast(pa.string()).to_numpy()
    edges = np.flatnonzero(np.r_[True, units[1:] != units[:-1], True])
    return {
        units[start]: pack(verdicts.slice(start, end - start).drop_columns(["unit"]))
        for start, end in pairwise(edges)
    }


def curate(inputs: str, path: str) -> int:
    """Curate an export of tables; return the number of documents."""
    config = github.GithubConfig(input=(inputs,))
    units = github.plan(config).units
    run, rejects = Run(path), RejectPolicy()
    facts = decide(
        (table for unit in units for table in license_claims(unit, {})),
        partial(look_up, facts=FACT_COLUMNS),
    )
    verdicts = {
        unit.name: {LICENSES: Verdicts([facts[unit.name]] if unit.name in facts else [])}
        for unit in units
    }
    gates = github.gates(config)
    choices = decide(
        (table for unit in units for table in blob_claims(unit, verdicts[unit.name], gates=gates)),
        decide_blobs,
    )
    written, staged = Output(run, rejects), Output(run, rejects, staged=github.text_claim)
    files = Recipe("github", read_unit, partial(github.file_stages, config), send=True)
    contents = Recipe("github", read_unit, partial(github.text_stages, config), arrive=True)
    for unit in units:
        found = verdicts[unit.name]
        found[BLOBS] = Verdicts([choices[unit.name]] if unit.name in choices else [])
        if unit.kind == CONTENTS:
            run_unit(contents, unit, found, staged)
        else:
            run_unit(files, unit, found, written)
    meeting = Meeting(written, github.TEXT_STAGE, "duplicate_text", 1)
    texts = [unit for unit in units if unit.kind == CONTENTS]
    standings = decide((meeting.claims(unit.name).emitted for unit in texts), first_wins)
    return sum(
        settle_unit(
            meeting, unit, Verdicts([standings[unit.name]] if unit.name in standings else [])
        )
        for unit in texts
    )


if __name__ == "__main__":
    began = time.perf_counter()
    documents = curate(*sys.argv[1:3])
    print(json.dumps({"seconds": time.perf_counter() - began, "documents": documents}))
