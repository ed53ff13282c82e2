"""``python -m tokenizer``: train, encode, decode and inspect tokenizers, verify token shards."""

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

from tokenizer.corpus import Corpus, CorpusError
from tokenizer.export import FORMATS, ExportError, export
from tokenizer.flags import (
    CommandError,
    Parser,
    add_settings,
    boolean,
    inputs,
    parse,
    settings_of,
    weights,
)
from tokenizer.hugging_face import write_tokenizer
from tokenizer.local import ShardError, make_job, write_shards
from tokenizer.manifest import ManifestError, read_manifest
from tokenizer.model import Tokenizer, TokenizerError
from tokenizer.report import render_model, render_sample, render_settings, render_shards
from tokenizer.runs import RunDirectoryError, open_run
from tokenizer.sample import SampleError
from tokenizer.textlines import (
    INPUT_FORMATS,
    OUTPUT_FORMATS,
    EncodeOptions,
    decode_lines,
    encode_lines,
)
from tokenizer.train import SAMPLE_BYTES, TrainError, TrainSettings, train
from tokenizer.verify import verify

ERRORS = (
    *(CommandError, CorpusError, ExportError, ManifestError, RunDirectoryError, SampleError),
    *(ShardError, TokenizerError, TrainError, OSError),
)
CONTEXT = 2048  # tokens, of LLaMA


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 1, with one line on stderr, for every error."""
    try:
        args = parse(*build_parser(), sys.argv[1:] if argv is None else argv)
        code: int = args.command(args)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return code


def build_parser() -> tuple[Parser, dict[str, Parser]]:
    """The parser, and those of all commands by name."""
    parser = Parser(prog="python -m tokenizer", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)

    add = commands.add_parser("train", help="train a tokenizer with LLaMA's settings")
    add.set_defaults(command=run_train)
    add.add_argument(
        "--input", required=True, action="extend", nargs="+", metavar="PATH",
        help="run directories, .jsonl or text files, .gz or not; several by commas or spaces",
    )  # fmt: skip
    add.add_argument(
        "--model_prefix", required=True, metavar="PATH", help="writes PATH.model, .vocab"
    )
    add.add_argument(
        "--sample_bytes", type=int, default=SAMPLE_BYTES, metavar="N",
        help=f"bytes of text to train on, 0 for all (default: {SAMPLE_BYTES})",
    )  # fmt: skip
    add.add_argument(
        "--weights", type=weights, metavar="A=X,B=Y",
        help="share of each source in these bytes (default: as they come)",
    )  # fmt: skip
    add.add_argument("--random_seed", type=int, default=0, metavar="N", help="chooses the sample")
    add.add_argument("--minloglevel", type=int, default=2, metavar="N", help="0 shows progress")
    add_settings(add, TrainSettings)

    add = commands.add_parser("encode", help="text to pieces or ids, line by line")
    add.set_defaults(command=run_encode)
    _add_files(add)
    default = EncodeOptions()
    add.add_argument("--output_format", choices=OUTPUT_FORMATS, default=default.output_format)
    add.add_argument("--extra_options", default="", metavar="bos:eos:reverse")
    add.add_argument("--alpha", type=float, default=default.alpha, metavar="X")
    add.add_argument("--nbest_size", type=int, default=default.nbest_size, metavar="N")

    add = commands.add_parser("decode", help="pieces or ids to text, line by line")
    add.set_defaults(command=run_decode)
    _add_files(add)
    add.add_argument("--input_format", choices=INPUT_FORMATS, default="piece")

    add = commands.add_parser("inspect", help="show a model's settings beside LLaMA's")
    add.set_defaults(command=run_inspect)
    add.add_argument("--model", required=True, metavar="PATH")

    add = commands.add_parser("shard", help="documents to token shards, on this machine")
    add.set_defaults(command=run_shard)
    add.add_argument(
        "--input", required=True, action="extend", nargs="+", metavar="RUN",
        help="finished run directories of one source; several by commas or spaces",
    )  # fmt: skip
    add.add_argument("--model", required=True, metavar="PATH")
    add.add_argument("--output", required=True, metavar="DIR", help="directory of the shards")
    add.add_argument("--seed", type=int, default=0, metavar="N", help="of the shuffle")
    for name, end in (("add_bos", "begin"), ("add_eos", "end")):
        add.add_argument(
            f"--{name}", type=boolean, nargs="?", const=True, default=True, metavar="true|false",
            help=f"{end} every document with {name[-3:]} (default: true)",
        )  # fmt: skip
    add.add_argument("--num_workers", type=int, default=1, metavar="N", help="processes")

    add = commands.add_parser("export", help="token shards for other training programs")
    add.set_defaults(command=run_export)
    add.add_argument("shards", metavar="SHARDS", help="directory of token shards")
    add.add_argument("--to", required=True, choices=FORMATS)
    add.add_argument("output", metavar="DIR")

    add = commands.add_parser("hugging_face", help="a model as Hugging Face's tokenizer.json")
    add.set_defaults(command=run_hugging_face)
    add.add_argument("--model", required=True, metavar="PATH")
    add.add_argument("--output", required=True, metavar="DIR")
    add.add_argument(
        "--model_max_length", type=int, default=CONTEXT, metavar="N",
        help=f"longest text that the model takes, in tokens (default: {CONTEXT})",
    )  # fmt: skip

    add = commands.add_parser("verify", help="check directories of token shards")
    add.set_defaults(command=run_verify)
    add.add_argument("directories", nargs="+", metavar="DIRECTORY")
    add.add_argument("--model", metavar="PATH", help="that the shards should be made with")
    add.add_argument(
        "--input", action="extend", nargs="+", metavar="RUN", default=[],
        help="the runs that the shards were made of: is every document there?",
    )  # fmt: skip
    return parser, commands.choices


def run_train(args: argparse.Namespace) -> int:
    """Train a tokenizer and write it."""
    settings = settings_of(args, TrainSettings)
    corpus = Corpus([name for item in args.input for name in inputs(item)])
    print(render_settings(settings), flush=True)
    trained = train(
        corpus,
        settings,
        sample_bytes=args.sample_bytes,
        weights=args.weights,
        random_seed=args.random_seed,
        minloglevel=args.minloglevel,
    )
    written = trained.write(args.model_prefix)
    print(f"\n{render_sample(trained)}\n")
    for bad in corpus.bad[:3]:
        print(f"passed over {bad.where}: {bad.why}")
    print(f"wrote {' and '.join(map(str, written))}")
    return 0


def run_encode(args: argparse.Namespace) -> int:
    """Encode lines."""
    tokenizer = Tokenizer(args.model)
    options = EncodeOptions(args.output_format, args.extra_options, args.alpha, args.nbest_size)
    if options.output_format.startswith("sample") and options.nbest_size in (0, 1):
        raise CommandError("sampling needs --nbest_size of 2 or more, or -1 for all")
    with _files(args) as (read, write):
        _write_lines(write, encode_lines(tokenizer, _lines(read), options))
    return 0


def run_decode(args: argparse.Namespace) -> int:
    """Decode lines."""
    tokenizer = Tokenizer(args.model)
    with _files(args) as (read, write):
        _write_lines(write, decode_lines(tokenizer, _lines(read), args.input_format))
    return 0


def run_inspect(args: argparse.Namespace) -> int:
    """Print what a model is like."""
    for line in render_model(Tokenizer(args.model)):
        print(line)
    return 0


def run_shard(args: argparse.Namespace) -> int:
    """Write the token shards of a source."""
    runs = [Path(name) for item in args.input for name in inputs(item)]
    job, files = make_job(
        runs, Tokenizer(args.model), seed=args.seed, add_bos=args.add_bos, add_eos=args.add_eos
    )
    out = Path(args.output)
    manifest = write_shards(job, files, out, workers=max(1, args.num_workers), say=_tell)
    print(render_shards(manifest, json.loads((out / "stats.json").read_bytes())))
    return 0


def run_export(args: argparse.Namespace) -> int:
    """Write token shards in another format."""
    out = Path(args.output)
    for split, documents in export(Path(args.shards), args.to, out).items():
        print(f"{split}: {documents:,} documents as {args.to} in {out}")
    return 0


def run_hugging_face(args: argparse.Namespace) -> int:
    """Write what AutoTokenizer loads."""
    out = Path(args.output)
    out.mkdir(parents=True, exist_ok=True)
    write_tokenizer(Path(args.model), out, args.model_max_length)
    print(f"wrote tokenizer.json, tokenizer_config.json and tokenizer.model in {out}")
    return 0


def _tell(line: str) -> None:
    print(line, file=sys.stderr)


def run_verify(args: argparse.Namespace) -> int:
    """Check token shards; the exit code is 1 if something is wrong with any."""
    tokenizer = Tokenizer(args.model) if args.model else None
    runs = [open_run(Path(name)) for item in args.input for name in inputs(item)]
    failed = 0
    for directory in args.directories:
        problems = 0
        for problem in verify(directory, tokenizer, runs):
            print(f"{directory}: {problem}")
            problems += 1
        failed += problems
        if not problems:
            manifest = read_manifest(directory)
            tokens = sum(split.tokens for split in manifest.splits.values())
            print(f"{directory}: {len(manifest.shards)} shards, {tokens:,} tokens, all is well")
    if failed:
        raise CommandError(f"{failed} problem{'s' if failed > 1 else ''} found")
    return 0


def _add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, metavar="PATH")
    parser.add_argument("--input", metavar="PATH", help="default: stdin")
    parser.add_argument("--output", metavar="PATH", help="default: stdout")


@contextlib.contextmanager
def _files(args: argparse.Namespace) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """The input and the output of a command, as bytes."""
    with contextlib.ExitStack() as stack:
        read: IO[bytes] = sys.stdin.buffer
        write: IO[bytes] = sys.stdout.buffer
        if args.input:
            read = stack.enter_context(Path(args.input).open("rb"))
        if args.output:
            write = stack.enter_context(Path(args.output).open("wb"))
        yield read, write


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Lines without their line end; a carriage return is text."""
    for line in file:
        yield line.removesuffix(b"\n")


def _write_lines(file: IO[bytes], lines: Iterable[bytes]) -> None:
    for line in lines:
        file.write(line + b"\n")
    file.flush()


if __name__ == "__main__":
    sys.exit(main())
