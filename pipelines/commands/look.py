"""Look at a run: its documents and its bytes."""

from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from pipelines.engine.runs import Run
from pipelines.engine.verify import verify as problems_of
from pipelines.report import inspect as inspecting

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
