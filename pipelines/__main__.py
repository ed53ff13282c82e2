"""The command line of the pipelines: curate a source, build a recipe, look at a run."""

import sys
from collections.abc import Sequence

from pipelines.catalog import MODELS, SOURCES
from pipelines.engine.errors import one_line
from tokenizer.commandline import add, command_line, run

# What to say of flags that are Beam's, where they do not follow --.
BEAM_HINTS = dict.fromkeys(
    (
        *("--runner", "--project", "--region", "--temp_location", "--staging_location"),
        *("--job_endpoint", "--artifact_endpoint", "--environment_type", "--environment_config"),
        *("--sdk_container_image", "--num_workers", "--max_num_workers", "--machine_type"),
        *("--worker_machine_type", "--job_name", "--streaming", "--flink_master"),
    ),
    ": flags of Beam follow --, as in `-- --runner=DataflowRunner`",
)

app = command_line("python -m pipelines", __doc__)
for _entry in SOURCES:
    _flags = f"{_entry.example} --run runs/{_entry.name}"
    add(app, f"pipelines.commands.curate:{_entry.name}", _entry.help, _flags)
for _step in MODELS:
    add(app, f"pipelines.commands.train:{_step.name}", _step.help, _step.example)
for _place, _help, _flags in (
    (
        "train:templates",
        "read rules for templates from Wikipedia dumps",
        "--input 'dumps/*.xml.bz2' --out rules.json",
    ),
    (
        "build:build",
        "build a recipe: sources, models, tokenizer, token shards",
        "demo --data inputs --out corpus --workers 2",
    ),
    (
        "build:tokenize",
        "write token shards of complete runs of one source",
        "--runs runs/github --tokenizer llama.model --out tokens/github",
    ),
    ("samples:samples", "write small sample inputs of every source", "--out inputs"),
    (
        "look:inspect",
        "print kept or rejected documents of a run",
        "runs/github --stage github.quality -n 20",
    ),
    ("look:verify", "read every byte of a complete run, and check it", "runs/github"),
    (
        "look:results",
        "write the HTML page of a recipe's results",
        "corpus --trained runs/train",
    ),
):
    add(app, f"pipelines.commands.{_place}", _help, _flags)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code."""
    try:
        return run(app, argv, hints=BEAM_HINTS)
    except OSError as error:  # such as a full disk or a missing permission
        print(f"error: {one_line(error, '')}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; run the same command again to resume", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
