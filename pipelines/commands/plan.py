"""Say what a recipe costs before it is run."""

from typing import Annotated

from cyclopts import Parameter

from pipelines.planning import command
from tokenizer.commandline import flags_of

DEFAULTS = command.PlanConfig()


def plan(
    recipe: Annotated[str, Parameter(help="a TOML file, or a bundled recipe: demo, llama1")],
    /,
    *,
    settings: flags_of(command.PlanConfig) = DEFAULTS,  # type: ignore[valid-type] # made for cyclopts
) -> int:
    """Print what a recipe costs: core-hours, bytes, requests and money per source."""
    print(command.plan(recipe, settings), end="")
    return 0
