"""Write token shards on one machine, without Beam: the same bytes as ``python -m pipelines``.

First each file of documents is tokenized into a spill file, whose rows are sorted by shard within
chunks of a few megabytes; then each shard is made of its slices of all spill files. So memory holds
a chunk or a shard per worker, however large the source is, and nothing is done twice: a spill file
and a sidecar that are there are complete, and work that was stopped goes on from them.
"""

import contextlib
import json
import multiprocessing
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from tokenizer.files import replacing, sha256_of, write_atomically
from tokenizer.layout import Job, Layout, ShardError, WrittenShard, statistics, to_json
from tokenizer.manifest import MANIFEST_NAME, Manifest, read_manifest, write_manifest
from tokenizer.model import Tokenizer
from tokenizer.packed import SCHEMA, pack, unpack
from tokenizer.runs import DocumentsFile, open_run, read_batches
from tokenizer.shards import TokenizedDocument, encode_shard, in_shard_order, tokenize_document

CHUNK_TOKENS: Final = 4_000_000  # in memory before they are written to a spill file
SPILL: Final = "spill"  # folder of what lies between texts and shards; gone at the end
SPILL_SCHEMA: Final = SCHEMA.insert(0, pa.field("shard", pa.uint32(), nullable=False))

Say = Callable[[str], None]
_Map = Callable[[Callable[["_Work", int], Any], Iterable[int]], Iterable[Any]]


@dataclass(frozen=True)
class _Work:
    """What a worker process knows."""

    out: Path
    job: Job
    files: Sequence[DocumentsFile]

    def spill_path(self, number: int) -> Path:
        return self.out / SPILL / f"{number:05d}.arrow"

    def sidecar_path(self, shard: int) -> Path:
        return self.out.joinpath(*self.job.layout.sidecar(shard))


def make_job(
    runs: Sequence[Path],
    tokenizer: Tokenizer,
    *,
    seed: int = 0,
    add_bos: bool = True,
    add_eos: bool = True,
) -> tuple[Job, list[DocumentsFile]]:
    """Say what is to be written, and from which files.

    Raises:
        ShardError: runs of several sources, or as `Job` says.
        RunDirectoryError: a run is not there, not finished or damaged.
    """
    opened = [open_run(path) for path in sorted(runs)]
    sources = sorted({run.source for run in opened})
    if len(sources) != 1:
        raise ShardError(
            f"the inputs are of several sources ({', '.join(sources)}); give the runs of one"
        )
    job = Job(
        source=sources[0],
        runs=[run.completed for run in opened],
        characters=sum(run.characters for run in opened),
        tokenizer=tokenizer,
        seed=seed,
        add_bos=add_bos,
        add_eos=add_eos,
    )
    return job, [file for run in opened for file in run.files]


def write_shards(
    job: Job, files: Sequence[DocumentsFile], out: Path, *, workers: int = 1, say: Say = print
) -> Manifest:
    """Write the shards of a source, or go on where earlier work stopped.

    Args:
        job: see `make_job`.
        files: of documents.
        out: directory of the shards.
        workers: processes; each holds a shard in memory.
        say: told what was done, a line at a time.

    Raises:
        ShardError: ``out`` holds other shards, a file of documents has changed, or a document is
            there twice.
    """
    work = _Work(out, job, files)
    _start(work)
    if (out / MANIFEST_NAME).exists():
        shutil.rmtree(out / SPILL)  # made by `_start`, or left by work that was stopped at its end
        return read_manifest(out)
    with _processes(work, workers) as each:
        left = [number for number in range(len(files)) if not work.spill_path(number).exists()]
        for done, _ in enumerate(each(_spill, left), 1):
            say(f"tokenized {done + len(files) - len(left)} of {len(files)} files")
        shards = [shard for shard in range(job.layout.shards) if not _is_written(work, shard)]
        for name in each(_write_shard, shards):
            say(f"wrote {name}")
    written = [
        WrittenShard.parse(content, str(path))
        for path in map(work.sidecar_path, range(job.layout.shards))
        if (content := json.loads(path.read_bytes()))
    ]
    manifest = job.manifest(shard.shard for shard in written)
    write_atomically(out / "stats.json", to_json(statistics(written)))
    write_manifest(out, manifest)
    shutil.rmtree(out / SPILL)
    return manifest


def _start(work: _Work) -> None:
    """Make the directory, or see that what lies there was made with the same settings."""
    path, resolved = work.out / "config.json", work.job.resolved()
    if path.exists():
        there = json.loads(path.read_bytes()).get("config", {})
        if different := [key for key in resolved if there.get(key) != resolved[key]]:
            raise ShardError(
                f"{work.out} holds shards made with another {' and '.join(different)}; give what "
                "they were begun with, or another --output"
            )
    elif work.out.exists() and any(work.out.iterdir()):
        raise ShardError(
            f"{work.out} is not empty and holds no token shards; give another --output"
        )
    for folder in (SPILL, "units"):
        (work.out / folder).mkdir(parents=True, exist_ok=True)
    write_atomically(path, to_json({"config": resolved}))


@contextlib.contextmanager
def _processes(work: _Work, workers: int) -> Iterator[_Map]:
    """Give a function that maps one of this module's steps over numbers, in as many processes."""
    if workers == 1:
        yield lambda step, numbers: map(partial(step, work), numbers)
        return
    with ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),  # threads of Arrow do not survive a fork
        initializer=_remember,
        initargs=(work,),  # once per process, since it loads the tokenizer
    ) as pool:
        try:
            yield lambda step, numbers: pool.map(partial(_call, step), numbers)
        finally:
            pool.shutdown(cancel_futures=True)


_IN_WORKER: list[_Work] = []  # what a worker process was started with


def _remember(work: _Work) -> None:
    _IN_WORKER.append(work)


def _call(step: Callable[[_Work, int], Any], number: int) -> Any:
    return step(_IN_WORKER[0], number)


def _spill(work: _Work, number: int) -> None:
    """Tokenize a file of documents into its spill file."""
    file, job, layout = work.files[number], work.job, work.job.layout
    if sha256_of(file.path) != file.sha256:
        raise ShardError(
            f"{file.path}: its SHA-256 is not that of the run's manifest; take the run from where "
            "it was made, or make it anew"
        )
    with replacing(work.spill_path(number)) as path, pa.ipc.new_file(path, SPILL_SCHEMA) as writer:
        held: list[TokenizedDocument] = []
        tokens = 0
        for document in _tokenized(file.path, job):
            held.append(document)
            tokens += len(document.tokens)
            if tokens >= CHUNK_TOKENS:
                writer.write_table(_sorted(held, layout))
                held, tokens = [], 0
        writer.write_table(_sorted(held, layout))


def _tokenized(path: Path, job: Job) -> Iterator[TokenizedDocument]:
    for batch in read_batches(path, ["id", "text"]):
        for document_id, text in zip(*map(pa.Array.to_pylist, batch.columns), strict=True):
            yield tokenize_document(
                job.tokenizer, document_id, text, add_bos=job.add_bos, add_eos=job.add_eos
            )


def _sorted(documents: Sequence[TokenizedDocument], layout: Layout) -> pa.Table:
    """Rows of a spill file, in the order of their shards."""
    shards = layout.shards_of(document.id for document in documents)
    order = np.argsort(shards, kind="stable")
    table = pack([documents[place] for place in order])
    column = pa.array(shards[order].astype(np.uint32))
    return table.add_column(0, SPILL_SCHEMA.field("shard"), column).combine_chunks()


def _write_shard(work: _Work, shard: int) -> str:
    """Write the three files of a shard, then the sidecar that commits it; return its name."""
    job, name = work.job, work.job.layout.name_of(shard)
    documents = [
        document
        for number in range(len(work.files))
        for document in _slices(work.spill_path(number), shard, job.tokenizer.dtype.name)
    ]
    content = b"{}\n"  # a shard without documents is not in the manifest
    if documents:
        try:
            files = encode_shard(in_shard_order(documents, job.seed), job.tokenizer.dtype.name)
        except ValueError as error:
            raise ShardError(f"{name}: {error}. Are two inputs runs of the same files?") from error
        for kind, data in files.content().items():
            write_atomically(work.out / f"{name}.{kind}", data)
        content = to_json(asdict(WrittenShard.of(name, files, documents)))
    write_atomically(work.sidecar_path(shard), content)
    return name


def _slices(path: Path, shard: int, dtype: str) -> Iterator[TokenizedDocument]:
    """What a spill file holds of a shard; tokens are views of the mapped file."""
    for table, shards in _opened(path):
        begin, end = np.searchsorted(shards, [shard, shard + 1])
        if end > begin:
            yield from unpack(table.slice(int(begin), int(end - begin)), dtype)


@lru_cache(1024)
def _opened(path: Path) -> list[tuple[pa.Table, Any]]:
    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    batches = [reader.get_batch(number) for number in range(reader.num_record_batches)]
    return [(pa.Table.from_batches([batch]), batch["shard"].to_numpy()) for batch in batches]


def _is_written(work: _Work, shard: int) -> bool:
    """Whether the sidecar of a shard is there, and the files are those that it describes."""
    path = work.sidecar_path(shard)
    if not path.exists():
        return False
    content = json.loads(path.read_bytes())
    if not content:
        return True
    entry = WrittenShard.parse(content, str(path)).shard
    return all(
        sha256_of(work.out / entry.file_name(kind)) == file.sha256
        for kind, file in entry.files.items()
    )
