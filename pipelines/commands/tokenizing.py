"""Write the token shards of runs."""

from typing import Annotated

from cyclopts import Parameter

from pipelines import tokenize as shards
from pipelines.commands.flags import BEAM_FLAGS, DEFAULT_LAUNCH, LAUNCH_FLAGS
from tokenizer.commandline import flags_of


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
