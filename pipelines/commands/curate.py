"""Curate a source: one command per source, made from its settings."""

from collections.abc import Callable
from typing import Annotated, Any

from cyclopts import Parameter

from pipelines.catalog import SOURCE_BY_NAME, SourceEntry
from pipelines.commands.flags import BEAM_FLAGS, DEFAULT_LAUNCH, LAUNCH_FLAGS, tell_failed_files
from pipelines.engine.config import to_bytes
from pipelines.engine.launch import run_source
from pipelines.engine.ledger import Ledger
from pipelines.engine.runs import failed_files
from pipelines.engine.settings import values_of
from pipelines.engine.source import Source
from tokenizer.commandline import take_settings


def command_of(entry: SourceEntry) -> Callable[..., int]:
    """Return the function of the command that curates a source."""
    source = entry.load()

    def curate(
        *beam_flags: BEAM_FLAGS,
        settings: Any,
        run: Annotated[str, Parameter(help="run directory to make or to resume")],
        launch: LAUNCH_FLAGS = DEFAULT_LAUNCH,
        print_config: Annotated[
            bool, Parameter(help="print the settings and stop", negative="")
        ] = False,
    ) -> int:
        if print_config:
            print(to_bytes({"source": source.name, **values_of(settings)}).decode(), end="")
            return 0
        how = launch.launch(beam_flags)
        ledger = run_source(source, settings, run, how)
        if not launch.quiet:
            show(source, ledger, run)
        return tell_failed_files(failed_files(run), launch)

    take_settings(curate, source.settings)
    return curate


def show(source: Source, ledger: Ledger, run: str) -> None:
    """Print the conservation table of a finished run, and what a user has to know of it."""
    # Imported here, since a quiet run prints nothing.
    from pipelines.engine.tables import closing_table, standard_output  # noqa: PLC0415

    console = standard_output()
    console.print(closing_table(ledger, f"{source.name}: {run}"))
    for remark in source.review(ledger):
        console.print(f"note: {remark}", highlight=False)


def __getattr__(name: str) -> Callable[..., int]:
    """Return the command of the source of that name, which is imported now."""
    if name not in SOURCE_BY_NAME:
        raise AttributeError(name)
    return command_of(SOURCE_BY_NAME[name])
