"""The command line of the pipelines: curate a source, build a recipe, look at a run."""

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console

from pipelines import recipe, tokenize
from pipelines.arxiv.source import ARXIV
from pipelines.books.source import BOOKS
from pipelines.c4.source import C4
from pipelines.commoncrawl.source import COMMONCRAWL
from pipelines.engine.errors import RunError, one_line
from pipelines.engine.launch import Launch, run_source
from pipelines.engine.progress import closing_table
from pipelines.engine.runs import Run
from pipelines.engine.settings import add_flags, from_flags
from pipelines.engine.verify import verify
from pipelines.github.source import GITHUB
from pipelines.models import lm, wikiref
from pipelines.readers.rows import UnreadableFile
from pipelines.recipe import ModelStep
from pipelines.report import results
from pipelines.report.inspect import add_inspect, inspect
from pipelines.samples import github as samples
from pipelines.samples.arxiv import ARXIV_SHARE, write_arxiv_bucket
from pipelines.samples.books import BOOKS_SHARE, write_books
from pipelines.samples.c4 import write_c4
from pipelines.samples.stackexchange import STACKEXCHANGE_SHARE, write_stackexchange_dumps
from pipelines.samples.web import WEB_SHARE, write_web_crawl
from pipelines.samples.wikipedia import WIKIPEDIA_SHARE, write_wikipedia_dumps
from pipelines.setup.cache import SetupError
from pipelines.stackexchange.source import STACKEXCHANGE
from pipelines.storage.files import StorageError
from pipelines.wikipedia.source import WIKIPEDIA
from pipelines.wikipedia.templates import TemplatesConfig, make_rules
from tokenizer.corpus import CorpusError
from tokenizer.sample import SampleError
from tokenizer.strict import nearest
from tokenizer.train import TrainError

SOURCES = (GITHUB, WIKIPEDIA, BOOKS, ARXIV, STACKEXCHANGE, COMMONCRAWL, C4)

MODELS = (
    ModelStep(
        "lm",
        lm.LmConfig,
        lm.lm,
        out="models",
        before="commoncrawl",
        help="train the language model of Wikipedia, and its cutoffs",
    ),
    ModelStep(
        "wikiref",
        wikiref.WikirefConfig,
        wikiref.wikiref,
        out="models/wikiref.bin",
        before="commoncrawl",
        help="train the classifier of pages like Wikipedia's references",
    ),
)


# The message of each of these errors is one line that says what to do.
EXPECTED_ERRORS = (
    RunError,
    StorageError,
    UnreadableFile,
    SetupError,
    TrainError,
    SampleError,
    CorpusError,
)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line that names the nearest flag."""

    def error(self, message: str) -> None:  # type: ignore[override] # argparse says NoReturn, sys.exit is
        """Print the message and exit."""
        if message.startswith("unrecognized arguments:"):
            word = message.split(":", 1)[1].split(maxsplit=1)[0].split("=", 1)[0]
            known = self._flags()
            message = f"unknown flag {word}{nearest(word, known)}"
        sys.exit(f"error: {message} (see `{self.prog} --help`)")

    def _flags(self) -> set[str]:
        """Return the flags of this parser and of its commands."""
        flags = {flag for action in self._actions for flag in action.option_strings}
        for action in self._actions:
            if isinstance(action.choices, dict):
                flags.update(*(command._flags() for command in action.choices.values()))  # noqa: SLF001 - of this class
        return flags


def add_launch_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say how a command runs; they change no byte of its output."""
    parser.add_argument(
        "--workers", type=int, default=1, help="local worker processes (default: 1)"
    )
    parser.add_argument(
        "--allow-empty", action="store_true", help="accept a stage that keeps nothing"
    )
    parser.add_argument(
        "--max-failed-files",
        type=int,
        help="input files that may be unreadable (default: 0.1 %%, and at least 1)",
    )
    parser.add_argument(
        "--quiet", action="store_true", help="show neither progress nor the closing table"
    )


def launch_of(arguments: argparse.Namespace, beam_flags: Sequence[str]) -> Launch:
    """Return how to run a command, from its flags."""
    if arguments.workers < 1:
        raise RunError(f"--workers={arguments.workers}: give a number from 1 on")
    return Launch(
        workers=arguments.workers,
        beam_flags=tuple(beam_flags),
        allow_empty=arguments.allow_empty,
        max_failed_files=arguments.max_failed_files,
        progress=not arguments.quiet,
    )


def make_parser() -> Parser:
    """Return the parser of all commands."""
    parser = Parser(prog="python -m pipelines", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, parser_class=Parser)
    for source in SOURCES:
        command = commands.add_parser(source.name, help=f"curate {source.name}")
        add_flags(command, source.settings)
        command.add_argument("--run", required=True, help="run directory to make or to resume")
        add_launch_flags(command)
    command = commands.add_parser("tokenize", help="write token shards of complete runs")
    add_flags(command, tokenize.TokenizeConfig)
    command.add_argument("--out", required=True, help="directory for the shards of one source")
    add_launch_flags(command)
    for step in MODELS:
        command = commands.add_parser(step.name, help=step.help)
        add_flags(command, step.settings)
        command.add_argument(
            "--out",
            required=True,
            help="local path to write to: a folder; for wikiref a file",
        )
    command = commands.add_parser("templates", help="read rules for templates from Wikipedia dumps")
    add_flags(command, TemplatesConfig)
    command.add_argument("--out", required=True, help="where the rules go: a name in .json")
    command = commands.add_parser("build", help="build a recipe: sources, tokenizer, shards")
    command.add_argument("recipe", help="a TOML file, or a bundled recipe: demo, llama1")
    command.add_argument("--data", default="", help="value of {data} in the recipe")
    command.add_argument("--out", required=True, help="directory to write everything below")
    add_launch_flags(command)
    command = commands.add_parser("samples", help="write small sample inputs")
    command.add_argument("--out", required=True, help="directory to write them to")
    command.add_argument(
        "--megabytes", type=float, default=4.0, help="of text, in all (default: 4)"
    )
    command = commands.add_parser("results", help="write the HTML page of a recipe's results")
    command.add_argument("out", help="directory that the recipe was built in")
    command.add_argument("--trained", default="", help="run directory of the trainer")
    add_inspect(commands)
    command = commands.add_parser("verify", help="read every byte of a complete run, and check it")
    command.add_argument("run", help="run directory")
    return parser


def run_command(arguments: argparse.Namespace, beam_flags: Sequence[str]) -> int:
    """Run the parsed command and return the exit code."""
    name = arguments.command
    if name == "inspect":
        return inspect(arguments)
    if name == "verify":
        return verify_run(arguments.run)
    if step := next((step for step in MODELS if step.name == name), None):
        step.train(from_flags(step.settings, arguments), arguments.out, print)
    elif name == "templates":
        make_rules(from_flags(TemplatesConfig, arguments), arguments.out, print)
    elif name == "samples":
        size = arguments.megabytes
        written = samples.write_github_export(f"{arguments.out}/github", megabytes=size)
        written += write_wikipedia_dumps(
            f"{arguments.out}/wikipedia", megabytes=size * WIKIPEDIA_SHARE
        )
        written += write_stackexchange_dumps(
            f"{arguments.out}/stackexchange", megabytes=size * STACKEXCHANGE_SHARE
        )
        written += write_web_crawl(f"{arguments.out}/commoncrawl", megabytes=size * WEB_SHARE)
        written += write_c4(f"{arguments.out}/c4", f"{arguments.out}/badwords")
        written += write_arxiv_bucket(f"{arguments.out}/arxiv", megabytes=size * ARXIV_SHARE)
        written += write_books(f"{arguments.out}/gutenberg", megabytes=size * BOOKS_SHARE)
        print(f"wrote {len(written)} files to {arguments.out}")
    elif name == "results":
        print(results.write(arguments.out, arguments.trained))
    else:
        run_pipelines(arguments, launch_of(arguments, beam_flags))
    return 0


def verify_run(path: str) -> int:
    """Print what is wrong with a run, one problem per line, and return the exit code."""
    problems = verify(path)
    for problem in problems:
        print(problem)
    if not problems:
        files = Run(path).manifest.files
        size = sum(file.bytes for file in files)
        print(f"{path}: {len(files):,} files, {size / 1e6:,.1f} MB, all as the manifest says")
    return 1 if problems else 0


def run_pipelines(arguments: argparse.Namespace, how: Launch) -> None:
    """Run a command that curates or tokenizes, here or on Beam."""
    name = arguments.command
    if name == "tokenize":
        config = from_flags(tokenize.TokenizeConfig, arguments)
        splits = tokenize.tokenize(config, arguments.out, how).splits
        print(", ".join(f"{split}: {total.tokens:,} tokens" for split, total in splits.items()))
        return
    if name == "build":
        read = recipe.read(
            arguments.recipe, SOURCES, MODELS, data=arguments.data, out=arguments.out
        )
        recipe.build(read, arguments.out, how)
        return
    source = next(source for source in SOURCES if source.name == name)
    ledger = run_source(source, from_flags(source.settings, arguments), arguments.run, how)
    if not arguments.quiet:
        console = Console()
        console = console if console.is_terminal else Console(width=140)
        console.print(closing_table(ledger, f"{name}: {arguments.run}"))
        for remark in source.review(ledger):
            console.print(f"note: {remark}", highlight=False)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    cut = words.index("--") if "--" in words else len(words)
    arguments, beam_flags = make_parser().parse_args(words[:cut]), words[cut + 1 :]
    try:
        return run_command(arguments, beam_flags)
    except EXPECTED_ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # such as a full disk or a missing permission
        where = str(getattr(arguments, "run", "") or getattr(arguments, "out", ""))
        print(f"error: {one_line(error, where)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; run the same command again to resume", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
