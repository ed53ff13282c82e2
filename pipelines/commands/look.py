"""Look at runs: their documents, bytes and progress, and what differs between two."""

import json as json_
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from pipelines.engine.runs import Run
from pipelines.engine.verify import verify as problems_of
from pipelines.report import compare as comparing
from pipelines.report import inspect as inspecting
from pipelines.report import live as watching
from pipelines.report import words

RUN = Annotated[str, Parameter(help="run directory")]


def inspect(
    run: RUN,
    /,
    *,
    stage: Annotated[str, Parameter(help="only rejects of this stage, e.g. github.quality")] = "",
    reason: Annotated[str, Parameter(help="only rejects with this reason")] = "",
    kept: Annotated[bool, Parameter(help="kept documents instead of rejects", negative="")] = False,
    id: Annotated[str, Parameter(help="only the document with this id")] = "",  # noqa: A002 - the flag
    count: Annotated[
        int, Parameter(name=("--count", "-n"), help="documents to print", validator=Number(gte=1))
    ] = 10,
    full: Annotated[
        bool, Parameter(help="print whole texts, not their beginnings", negative="")
    ] = False,
    json: Annotated[bool, Parameter(help="print one JSON object per line", negative="")] = False,
) -> int:
    """Print kept or rejected documents of a run, also of one that is not complete."""
    wanted = inspecting.Wanted(stage=stage, reason=reason, kept=kept, id=id)
    return inspecting.inspect(run, wanted, count, full=full, as_json=json)


def verify(run: RUN, /) -> int:
    """Read every byte of a complete run, and compare it with the manifest."""
    problems = problems_of(run)
    for problem in problems:
        print(problem)
    if not problems:
        files = Run(run).manifest.files
        size = sum(file.bytes for file in files)
        print(f"{run}: {len(files):,} files, {size / 1e6:,.1f} MB, all as the manifest says")
    return 1 if problems else 0


def compare(
    old: Annotated[str, Parameter(help="complete run before the change")],
    new: Annotated[str, Parameter(help="complete run after the change")],
    /,
    *,
    count: Annotated[
        int,
        Parameter(
            name=("--count", "-n"),
            help="documents to print of each kind of change",
            validator=Number(gte=0),
        ),
    ] = 2,
    full: Annotated[bool, Parameter(help="print whole texts", negative="")] = False,
    json: Annotated[bool, Parameter(help="print one JSON object", negative="")] = False,
) -> int:
    """Print what differs between two runs: counts, and documents that changed sides."""
    changes = comparing.compare(old, new, count)
    if json:
        print(json_.dumps(comparing.as_json(changes), ensure_ascii=False))
        return 0
    out = words.console()
    out.print(words.counts_table(changes), highlight=False)
    for line in words.changed_sides(changes, full=full):
        out.print(line, highlight=False)
    return 0


def stats(
    run: RUN,
    /,
    *,
    live: Annotated[
        bool, Parameter(help="refresh until the run is complete, on a terminal", negative="")
    ] = False,
) -> int:
    """Print how far a run has come, and its funnel so far, from its directory."""
    return watching.show(run, live=live)
