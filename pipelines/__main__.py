"""The command line of the pipelines: curate a source, build a recipe, look at a run."""

import atexit
import gc
import importlib
import sys
from collections.abc import Sequence

from cyclopts import App

from pipelines.catalog import MODELS, SOURCES
from pipelines.engine.errors import JobNotRun, one_line
from tokenizer.commandline import add, command_line, run

PACKAGES = {
    "tokenizer": "train and use tokenizers, make and verify token shards",
    "mixtures": "check a mixture, see what it comes to, trace a run's sequences",
    "trainer": "train a LLaMA on token shards, and use it",
}
PROGRAM = "corpusmill"  # that an installation brings
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


# Commands besides those of the catalog: their place, what they do, and arguments as an example.
_OTHERS = (
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
        "plan:plan",
        "say what a recipe costs: core-hours, bytes, requests, money",
        "llama1 --cores 1024",
    ),
    (
        "tokenizing:tokenize",
        "write token shards of complete runs of one source",
        "--runs runs/github --tokenizer llama.model --out tokens/github",
    ),
    ("samples:samples", "write small sample inputs of every source", "--out inputs"),
    (
        "look:inspect",
        "print kept or rejected documents of a run",
        "runs/github --stage github.quality -n 20",
    ),
    (
        "look:compare",
        "print what differs between two runs",
        "runs/commoncrawl runs/commoncrawl-strict -n 3",
    ),
    (
        "recutting:recut",
        "decide a run again with other thresholds, without a model",
        "runs/commoncrawl --run runs/commoncrawl-strict --min-language-score 0.65",
    ),
    ("look:stats", "print the progress and the funnel of a run", "runs/commoncrawl --live"),
    ("look:verify", "read every byte of a complete run, and check it", "runs/github"),
    (
        "report:report",
        "write one page that shows what runs kept and rejected, and why",
        "runs/github runs/books --tokens tokens --trained runs/train -o report.html",
    ),
)


def make_app(name: str) -> App:
    """Return the application under the name that the user calls it by."""
    app = command_line(name, __doc__)
    for entry in SOURCES:
        flags = f"{entry.example} --run runs/{entry.name}"
        add(app, f"pipelines.commands.curate:{entry.name}", entry.help, flags)
    for step in MODELS:
        add(app, f"pipelines.commands.train:{step.name}", step.help, step.example)
    for place, help_text, flags in _OTHERS:
        add(app, f"pipelines.commands.{place}", help_text, flags)
    app.command(explain_app(app.name[0]))
    if name == PROGRAM:
        for package, help_text in PACKAGES.items():
            app.command(f"{package}.__main__:main", name=package, help=f"Commands to {help_text}.")
    return app


def explain_app(program: str) -> App:
    """Return the command that explains a document, which has a command per source."""
    app = App(
        name="explain",
        help="Print what each stage of a source decides about one document, and why.",
        help_epilogue=f"Example: {program} explain github src/total.py",
    )
    for entry in SOURCES:
        app.command(
            f"pipelines.commands.explaining:{entry.name}",
            name=entry.name,
            help=f"Explain a document of the source {entry.name}.",
            help_epilogue=f"Example: {program} explain {entry.name} - < document.txt",
        )
    return app


def main(argv: Sequence[str] | None = None, name: str = "python -m pipelines") -> int:
    """Run a command and return the exit code."""
    # When Python ends it looks for cycles among all objects; without them it ends 0.1 s earlier.
    atexit.register(gc.freeze)
    try:
        return run(make_app(name), argv, hints=BEAM_HINTS)
    except JobNotRun as told:  # --check found nothing, or a job was written to a file
        print(told)
        return 0
    except OSError as error:  # such as a full disk or a missing permission
        print(f"error: {one_line(error, '')}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; run the same command again to resume", file=sys.stderr)
        return 130


def corpusmill() -> int:
    """Run a command of any package; this is the program that an installation brings.

    ``corpusmill github`` is ``python -m pipelines github``, and ``corpusmill tokenizer train`` is
    ``python -m tokenizer train``.
    """
    words = sys.argv[1:]
    if words and words[0] in PACKAGES:
        package = importlib.import_module(f"{words[0]}.__main__")
        code: int = package.main(words[1:], f"{PROGRAM} {words[0]}")
        return code
    return main(words, PROGRAM)


if __name__ == "__main__":
    sys.exit(main())
