"""The commands of ``python -m tokenizer``; flags have the names of SentencePiece's programs."""

import contextlib
import dataclasses
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from tokenizer.commandline import flags_of
from tokenizer.corpus import Corpus
from tokenizer.errors import UserError
from tokenizer.export import export as write_export
from tokenizer.hugging_face import write_tokenizer
from tokenizer.local import make_job, write_shards
from tokenizer.manifest import read_manifest
from tokenizer.model import Tokenizer
from tokenizer.report import render_model, render_sample, render_settings, render_shards
from tokenizer.runs import open_run
from tokenizer.textlines import (
    EncodeOptions,
    InputFormat,
    OutputFormat,
    decode_lines,
    encode_lines,
)
from tokenizer.train import SAMPLE_BYTES, TrainSettings
from tokenizer.train import train as train_tokenizer
from tokenizer.values import inputs, words
from tokenizer.values import weights as weights_of
from tokenizer.verify import verify as problems_of

CONTEXT = 2048  # tokens, of LLaMA
DEFAULTS = TrainSettings()
ENCODE = EncodeOptions()

Model = Annotated[str, Parameter(help="SentencePiece model, a .model file")]
Input = Annotated[str, Parameter(help="file to read; by default stdin")]
Output = Annotated[str, Parameter(help="file to write; by default stdout")]
Runs = Annotated[
    tuple[str, ...],
    Parameter(help="finished run directories of one source; several by commas or spaces"),
]


def train(
    *,
    input: Annotated[  # noqa: A002 - SentencePiece's name of the flag
        tuple[str, ...],
        Parameter(
            help="run directories, .jsonl or text files, .gz or not; several by commas or spaces"
        ),
    ],
    model_prefix: Annotated[str, Parameter(help="writes PREFIX.model and PREFIX.vocab")],
    sample_bytes: Annotated[
        int, Parameter(help="bytes of text to train on, 0 for all", validator=Number(gte=0))
    ] = SAMPLE_BYTES,
    weights: Annotated[
        str, Parameter(help="share of each source in these bytes, A=X,B=Y; by default as they come")
    ] = "",
    random_seed: Annotated[int, Parameter(help="chooses the sample")] = 0,
    minloglevel: Annotated[int, Parameter(help="0 shows SentencePiece's progress")] = 2,
    settings: flags_of(TrainSettings, underscores=True) = DEFAULTS,  # type: ignore[valid-type] # made for cyclopts
) -> int:
    """Train a tokenizer and write it."""
    lists = {
        field.name: tuple(word for item in value for word in words(item))
        for field in dataclasses.fields(settings)
        if isinstance(value := getattr(settings, field.name), tuple)
    }
    settings = dataclasses.replace(settings, **lists)
    shares = weights_of(weights) if weights else None
    corpus = Corpus([name for item in input for name in inputs(item)])
    print(render_settings(settings), flush=True)
    trained = train_tokenizer(
        corpus,
        settings,
        sample_bytes=sample_bytes,
        weights=shares,
        random_seed=random_seed,
        minloglevel=minloglevel,
    )
    written = trained.write(model_prefix)
    print(f"\n{render_sample(trained)}\n")
    for bad in corpus.bad[:3]:
        print(f"passed over {bad.where}: {bad.why}")
    print(f"wrote {' and '.join(map(str, written))}")
    return 0


def encode(
    *,
    model: Model,
    input: Input = "",  # noqa: A002 - as above
    output: Output = "",
    output_format: Annotated[
        OutputFormat,
        Parameter(help="what a line becomes; sample: at random, nbest: several lines"),
    ] = "piece",
    extra_options: Annotated[
        str, Parameter(help="bos, eos and reverse, joined by colons, as in bos:eos")
    ] = "",
    alpha: Annotated[float, Parameter(help="of sampling: 0 to 1 for BPE, dropout")] = ENCODE.alpha,
    nbest_size: Annotated[
        int, Parameter(help="lines of nbest; of what sampling draws, -1 for all")
    ] = ENCODE.nbest_size,
) -> int:
    """Encode lines."""
    tokenizer = Tokenizer(model)
    options = EncodeOptions(output_format, extra_options, alpha, nbest_size)
    if options.output_format.startswith("sample") and options.nbest_size in (0, 1):
        raise UserError("sampling needs --nbest_size of 2 or more, or -1 for all")
    with _files(input, output) as (read, write):
        _write_lines(write, encode_lines(tokenizer, _lines(read), options))
    return 0


def decode(
    *,
    model: Model,
    input: Input = "",  # noqa: A002 - as above
    output: Output = "",
    input_format: Annotated[InputFormat, Parameter(help="what a line holds")] = "piece",
) -> int:
    """Decode lines."""
    tokenizer = Tokenizer(model)
    with _files(input, output) as (read, write):
        _write_lines(write, decode_lines(tokenizer, _lines(read), input_format))
    return 0


def inspect(*, model: Model) -> int:
    """Print what a model is like."""
    for line in render_model(Tokenizer(model)):
        print(line)
    return 0


def shard(
    *,
    input: Runs,  # noqa: A002 - as above
    model: Model,
    output: Annotated[str, Parameter(help="directory of the shards")],
    seed: Annotated[int, Parameter(help="of the shuffle", validator=Number(gte=0))] = 0,
    add_bos: Annotated[bool, Parameter(help="begin every document with bos")] = True,
    add_eos: Annotated[bool, Parameter(help="end every document with eos")] = True,
    num_workers: Annotated[int, Parameter(help="processes", validator=Number(gte=1))] = 1,
) -> int:
    """Write the token shards of a source."""
    runs = [Path(name) for item in input for name in inputs(item)]
    job, files = make_job(runs, Tokenizer(model), seed=seed, add_bos=add_bos, add_eos=add_eos)
    out = Path(output)
    manifest = write_shards(job, files, out, workers=num_workers, say=_tell)
    print(render_shards(manifest, json.loads((out / "stats.json").read_bytes())))
    return 0


def export(
    shards: Annotated[str, Parameter(help="directory of token shards")],
    output: Annotated[str, Parameter(help="directory to write")],
    /,
    *,
    to: Annotated[
        Literal["mds", "datatrove", "megatron", "arrow"],
        Parameter(help="mosaicml-streaming, datatrove, Megatron-LM, or datasets"),
    ],
) -> int:
    """Write token shards in another format."""
    for split, documents in write_export(Path(shards), to, Path(output)).items():
        print(f"{split}: {documents:,} documents as {to} in {output}")
    return 0


def hugging_face(
    *,
    model: Model,
    output: Annotated[str, Parameter(help="directory to write")],
    model_max_length: Annotated[
        int, Parameter(help="longest text that the model takes, in tokens", validator=Number(gte=1))
    ] = CONTEXT,
) -> int:
    """Write what AutoTokenizer loads."""
    out = Path(output)
    out.mkdir(parents=True, exist_ok=True)
    write_tokenizer(Path(model), out, model_max_length)
    print(f"wrote tokenizer.json, tokenizer_config.json and tokenizer.model in {out}")
    return 0


def verify(
    directories: Annotated[tuple[str, ...], Parameter(help="directories of token shards")],
    /,
    *,
    model: Annotated[str, Parameter(help="model that the shards have to be made with")] = "",
    input: Annotated[  # noqa: A002 - as above
        tuple[str, ...], Parameter(help="runs whose documents all have to be in the shards")
    ] = (),
) -> int:
    """Check token shards; the exit code is 1 if something is wrong with any."""
    tokenizer = Tokenizer(model) if model else None
    runs = [open_run(Path(name)) for item in input for name in inputs(item)]
    failed = 0
    for directory in directories:
        problems = 0
        for problem in problems_of(directory, tokenizer, runs):
            print(f"{directory}: {problem}")
            problems += 1
        failed += problems
        if not problems:
            manifest = read_manifest(directory)
            tokens = sum(split.tokens for split in manifest.splits.values())
            print(f"{directory}: {len(manifest.shards)} shards, {tokens:,} tokens, all is well")
    if failed:
        raise UserError(f"{failed} problem{'s' if failed > 1 else ''} found")
    return 0


def _tell(line: str) -> None:
    print(line, file=sys.stderr)


@contextlib.contextmanager
def _files(source: str, target: str) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """The input and the output of a command, as bytes."""
    with contextlib.ExitStack() as stack:
        read: IO[bytes] = sys.stdin.buffer
        write: IO[bytes] = sys.stdout.buffer
        if source:
            read = stack.enter_context(Path(source).open("rb"))
        if target:
            write = stack.enter_context(Path(target).open("wb"))
        yield read, write


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Lines without their line end; a carriage return is text."""
    for line in file:
        yield line.removesuffix(b"\n")


def _write_lines(file: IO[bytes], lines: Iterable[bytes]) -> None:
    for line in lines:
        file.write(line + b"\n")
    file.flush()
