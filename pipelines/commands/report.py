"""The command that writes the report of runs."""

from typing import Annotated

from cyclopts import Parameter

from pipelines.report.page import write_report


def report(
    runs: Annotated[
        tuple[str, ...],
        Parameter(name="RUN", help="run directories, or a directory that holds runs"),
    ],
    /,
    *,
    tokens: Annotated[str, Parameter(help="directory of token shards")] = "",
    trained: Annotated[str, Parameter(help="run directory of the trainer")] = "",
    out: Annotated[str, Parameter(name=("--out", "-o"), help="the page to write")] = "report.html",
) -> int:
    """Write one page that shows what runs kept and rejected, and why."""
    print(write_report(runs, tokens, trained, out))
    print(f"the report: {out}")
    return 0
