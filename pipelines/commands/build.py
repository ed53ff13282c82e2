"""Build a recipe, or the token shards of runs."""

from typing import Annotated

from cyclopts import Parameter

from pipelines import recipe as recipes
from pipelines import tokenize as shards
from pipelines.commands.flags import BEAM_FLAGS, DEFAULT_LAUNCH, LAUNCH_FLAGS, tell_failed_files
from tokenizer.commandline import flags_of


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


def tokenize(
    *beam_flags: BEAM_FLAGS,
    settings: flags_of(shards.TokenizeConfig),  # type: ignore[valid-type] # made for cyclopts
    out: Annotated[str, Parameter(help="directory for the shards of one source")],
    launch: LAUNCH_FLAGS = DEFAULT_LAUNCH,
) -> int:
    """Write the documents of complete runs of one source as token shards."""
    splits = shards.tokenize(settings, out, launch.launch(beam_flags)).splits
    print(", ".join(f"{split}: {total.tokens:,} tokens" for split, total in splits.items()))
    return 0
