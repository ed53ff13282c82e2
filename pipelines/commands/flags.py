"""Flags that commands of the pipelines have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from pipelines.engine.launch import Launch
from tokenizer.commandline import flags_of
from tokenizer.errors import UserError
from tokenizer.settings import setting

COMPLETE_WITH_LOSSES = 3  # exit code: some input files could not be read, and no budget was given
# Among Beam's flags these mean --check: Beam itself would upload the job's files.
DRY_RUN = ("--dry_run", "--dry_run=True", "--dry_run=true")
_SHOWN_FILES = 10  # failed files that are named


@dataclass(frozen=True)
class LaunchFlags:
    """How a command runs; nothing here changes a byte of its output."""

    workers: int = setting(1, at_least=1, help="worker processes of this machine")
    allow_empty: bool = setting(False, help="accept a stage that keeps nothing")
    max_failed_files: int | None = setting(
        None,
        at_least=0,
        help="input files that may be unreadable; by default 0.1 percent and at least 1, and then "
        "the exit code is 3",
    )
    quiet: bool = setting(False, help="show neither progress nor the closing table")
    max_stall: float = setting(
        0.0,
        at_least=0,
        help="minutes in which no unit is finished, after which a cluster's job is ended; 0: never",
    )
    check: bool = setting(
        False,
        help="build the job for the runner named after --, say what it would fail of, and stop",
    )

    def launch(self, beam_flags: Sequence[str]) -> Launch:
        """Return how to run the command, with the words after ``--``."""
        if beam_flags and not beam_flags[0].startswith("-"):
            raise UserError(
                f"unexpected word {beam_flags[0]!r}. --help shows what is expected; flags of Beam "
                "follow --"
            )
        flags = tuple(flag for flag in beam_flags if flag not in DRY_RUN)
        return Launch(
            workers=self.workers,
            beam_flags=flags,
            allow_empty=self.allow_empty,
            max_failed_files=self.max_failed_files,
            progress=not self.quiet,
            max_stall=self.max_stall,
            check=self.check or len(flags) < len(beam_flags),
        )


def tell_failed_files(failed: Mapping[str, str], flags: LaunchFlags) -> int:
    """Print which input files a finished command could not read, and why.

    Returns:
        the exit code: `COMPLETE_WITH_LOSSES` if files are missing and no budget for them was given.
    """
    if not failed:
        return 0
    from rich.console import Console  # noqa: PLC0415 - a run without failed files needs none

    console = Console(stderr=True)
    for why in list(failed.values())[:_SHOWN_FILES]:
        console.print(
            f"not read: {why}", style="red", highlight=False, markup=False, soft_wrap=True
        )
    more = len(failed) - _SHOWN_FILES
    console.print(
        f"{len(failed)} input file{'s are' if len(failed) > 1 else ' is'} missing from the run"
        f"{f' ({more} more are named in stats.json)' if more > 0 else ''}",
        style="red",
        highlight=False,
        soft_wrap=True,
    )
    return 0 if flags.max_failed_files is not None else COMPLETE_WITH_LOSSES


LAUNCH_FLAGS = flags_of(LaunchFlags)
DEFAULT_LAUNCH = LaunchFlags()
BEAM_FLAGS = Annotated[
    str,
    Parameter(
        help="flags of Beam's runner, after --, to run on a cluster: "
        "-- --runner=DataflowRunner --project=P --region=R --temp_location=gs://B/tmp",
    ),
]
