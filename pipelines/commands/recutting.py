"""Decide a run again by the scores that are its columns."""

import dataclasses
from importlib import import_module
from typing import Annotated, Literal

from cyclopts import Parameter

from pipelines.catalog import SOURCE_BY_NAME
from pipelines.commands.curate import show
from pipelines.commands.flags import DEFAULT_LAUNCH, LAUNCH_FLAGS, tell_failed_files
from pipelines.engine.errors import RunError
from pipelines.engine.runs import Run, failed_files, open_completed
from pipelines.joins.stored_scores import Recut
from pipelines.report import recut as recutting
from tokenizer.commandline import flags_of
from tokenizer.settings import setting

# Of the sources, those whose decisions are by columns, and the function that plans a recut.
BY_COLUMNS = {"commoncrawl": "pipelines.commoncrawl.recut:plan"}


@dataclasses.dataclass(frozen=True)
class Thresholds:
    """Settings of Common Crawl that are decided by columns; what is not given stays as it was."""

    languages: tuple[str, ...] = setting((), help="languages to keep; all: every language")
    min_language_score: float | None = setting(
        None, at_least=0, at_most=1, help="lowest score of the language (column lang_score)"
    )
    buckets: tuple[str, ...] = setting(
        (), help="buckets to keep: head, middle, tail, all (column perplexity)"
    )
    wikiref_decision: Literal["threshold", "pareto"] | None = setting(
        None, help="how the classifier's score decides (column wikiref_score)"
    )
    wikiref_threshold: float | None = setting(
        None, at_least=0, at_most=1, help="lowest score of a page like a reference"
    )

    @property
    def changes(self) -> dict[str, object]:
        """The settings that were given."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: value for name, value in values.items() if value not in (None, ())}


UNCHANGED = Thresholds()


def recut(
    old: Annotated[str, Parameter(help="complete run, made with --rejects=all")],
    /,
    *,
    thresholds: flags_of(Thresholds) = UNCHANGED,  # type: ignore[valid-type] # made for cyclopts
    run: Annotated[str, Parameter(help="run directory to make or to resume")],
    cutoffs: Annotated[
        str, Parameter(help="another table of cutoffs, made with the run's models, or published")
    ] = "",
    after: Annotated[
        tuple[str, ...], Parameter(help="the earlier runs that the run was given, if any")
    ] = (),
    launch: LAUNCH_FLAGS = DEFAULT_LAUNCH,
) -> int:
    """Write the run that other thresholds give, from the scores that a complete run holds."""
    source = open_completed(old).source
    if source not in BY_COLUMNS:
        raise RunError(
            f"{old} is a run of {source}, whose thresholds are not decided by columns: recut works "
            f"for {', '.join(BY_COLUMNS)}. Run {source} again with other settings"
        )
    module, _, name = BY_COLUMNS[source].partition(":")
    plan = getattr(import_module(module), name)

    def plan_for(opened: Run) -> Recut:
        found: Recut = plan(opened, thresholds.changes, after, cutoffs)
        return found

    ledger = recutting.recut(old, run, plan_for, launch.launch(()))
    if not launch.quiet:
        show(SOURCE_BY_NAME[source].load(), ledger, run)
    tell_failed_files(failed_files(run), launch)  # the old run accepted that they are missing
    return 0
