"""Build a recipe."""

from typing import Annotated

from cyclopts import Parameter

from pipelines import recipe as recipes
from pipelines.commands.flags import BEAM_FLAGS, DEFAULT_LAUNCH, LAUNCH_FLAGS, tell_failed_files


def build(
    recipe: Annotated[str, Parameter(help="a TOML file, or a bundled recipe: demo, llama1")],
    /,
    *beam_flags: BEAM_FLAGS,
    out: Annotated[str, Parameter(help="directory to write everything below")],
    launch: LAUNCH_FLAGS = DEFAULT_LAUNCH,
    data: Annotated[str, Parameter(help="the value of {data} in the recipe")] = "",
) -> int:
    """Build every source of a recipe, its models, its tokenizer and its token shards.

    Finished parts are skipped, so the same command resumes.
    """
    how = launch.launch(beam_flags)
    failed = recipes.build(recipes.read(recipe, data=data, out=out), out, how)
    return tell_failed_files(failed, launch)
