"""Real documents to ids and to verified shards, beside the peers that are installed.

Run with ``pytest -m benchmark -s tests/benchmarks/test_tokenizing.py``. Figures are CPU seconds of
all processes, so that other work on the machine matters little, but for the gain by a second
worker, which is wall time and needs a quiet machine. Caches are cold: each side starts anew. Peers
come with ``pip install 'corpusmill[peers]'``; Megatron-LM's preparing script is in no package.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import tokenizers

from tests.benchmarks.measure import ROOT, report
from tests.tokenizer.finished_runs import write_run
from tests.tokenizer.real_documents import real_documents
from tokenizer.corpus import Text
from tokenizer.hugging_face import tokenizer_json
from tokenizer.model import Tokenizer
from tokenizer.train import TrainSettings, train
from tokenizer.verify import verify

pytestmark = [pytest.mark.benchmark, pytest.mark.data]

FILES = 16  # of documents, in a run
COPIES = 6  # of the documents, for the gain by a second worker: start-up matters less

DATATROVE = """
import sys
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.tokens import DocumentTokenizer
source, model, out = sys.argv[1:]
LocalPipelineExecutor(
    [JsonlReader(source), DocumentTokenizer(out, tokenizer_name_or_path=model, eos_token="</s>")],
    logging_dir=out + "/logs",
).run()
"""


class Documents(list[Text]):
    """A corpus in memory."""

    bad_records = 0


@pytest.fixture(scope="module")
def texts(data: Path) -> Documents:
    """All real documents, raw."""
    return Documents(Text(d.id, d.source, d.text) for d in real_documents(data))


@pytest.fixture(scope="module")
def megabytes(texts: Documents) -> float:
    """Of UTF-8, in millions of bytes."""
    return sum(len(text.text.encode()) for text in texts) / 1e6


@pytest.fixture(scope="module")
def model(texts: Documents, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BPE of 32,000 pieces with LLaMA's settings, trained on a part of the same texts."""
    corpus: Any = texts
    trained = train(corpus, TrainSettings(), sample_bytes=30_000_000)
    return trained.write(tmp_path_factory.mktemp("model") / "tok")[0]


@pytest.fixture(scope="module")
def run(texts: Documents, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documents as a finished run of a source."""
    rows = [(text.id, text.text) for text in texts]
    return write_run(tmp_path_factory.mktemp("runs") / "run", "github", rows, FILES)


def encoded(encode: Callable[[str], Any], texts: Documents) -> tuple[list[Any], float]:
    """All ids, and the CPU seconds that they took."""
    began = time.process_time()
    ids = [encode(text.text) for text in texts]
    return ids, time.process_time() - began


def differing(ids: list[Any], others: list[Any]) -> int:
    """How many documents have other ids."""
    return sum(not np.array_equal(one, two) for one, two in zip(ids, others, strict=True))


def test_ids_of_real_documents(texts: Documents, megabytes: float, model: Path) -> None:
    """All of them in one go: SentencePiece is the oracle."""
    ours = Tokenizer(model)
    expected, slowest = encoded(ours.processor.encode, texts)
    report(f"SentencePiece: {megabytes / slowest:.1f} MB/s")
    cut = Tokenizer(model, fast=False)
    ids, seconds = encoded(cut.encode, texts)
    report(f"SentencePiece, cut at line ends: {megabytes / seconds:.1f} MB/s")
    assert differing(ids, expected) == 0
    ids, seconds = encoded(ours.encode, texts)
    report(f"the extension: {megabytes / seconds:.1f} MB/s, {slowest / seconds:.1f} times as fast")
    assert differing(ids, expected) == 0
    theirs = tokenizers.Tokenizer.from_str(tokenizer_json(ours))
    ids, seconds = encoded(lambda text: theirs.encode(text, add_special_tokens=False).ids, texts)
    report(
        f"tokenizers {tokenizers.__version__}: {megabytes / seconds:.1f} MB/s; "
        f"{differing(ids, expected)} documents differ"
    )
    gigatoken: ModuleType = pytest.importorskip("gigatoken", reason="install the extra [peers]")
    giga = gigatoken.Tokenizer.from_sentencepiece(str(model))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ids, seconds = encoded(giga.encode, texts)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1000
    report(
        f"gigatoken: {megabytes / seconds:.1f} MB/s, {grown:.0f} MB of memory more; "
        f"{differing(ids, expected)} documents differ"
    )


def cpu_seconds(*command: str) -> tuple[float, float]:
    """Run a Python command: CPU seconds of all its processes, and wall seconds."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used, time.perf_counter() - began


def test_documents_to_verified_shards(
    texts: Documents, megabytes: float, model: Path, run: Path, tmp_path: Path
) -> None:
    """Whole commands from start to exit, with one process."""
    out = str(tmp_path / "pipeline")
    words = ["-m", "pipelines", "tokenize", "--runs", str(run), "--tokenizer", str(model)]
    seconds, _ = cpu_seconds(*words, "--out", out, "--workers", "1")
    report(f"pipelines tokenize: {seconds:.1f} s, {megabytes / seconds:.1f} MB/s")
    out = str(tmp_path / "local")
    words = ["-m", "tokenizer", "shard", "--input", str(run), "--model", str(model)]
    seconds, _ = cpu_seconds(*words, "--output", out)
    report(f"tokenizer shard: {seconds:.1f} s, {megabytes / seconds:.1f} MB/s")
    seconds, _ = cpu_seconds("-m", "tokenizer", "verify", out, "--model", str(model))
    report(f"tokenizer verify: {seconds:.1f} s")
    pytest.importorskip("datatrove", reason="install the extra [peers]")
    source = tmp_path / "jsonl"
    source.mkdir()
    lines = [json.dumps({"id": text.id, "text": text.text}) for text in texts]
    (source / "documents.jsonl").write_text("\n".join(lines), "utf-8")
    (tmp_path / "tokenizer.json").write_text(tokenizer_json(Tokenizer(model)), "utf-8")
    script = tmp_path / "peer.py"
    script.write_text(DATATROVE, "utf-8")
    words = [str(source), str(tmp_path / "tokenizer.json"), str(tmp_path / "datatrove")]
    seconds, _ = cpu_seconds(str(script), *words)
    report(f"datatrove DocumentTokenizer: {seconds:.1f} s, {megabytes / seconds:.1f} MB/s")


@pytest.fixture(scope="module")
def many(texts: Documents, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documents several times as a finished run, so that starting processes matters less."""
    rows = [(f"{text.id}/{n}", text.text) for n in range(COPIES) for text in texts]
    return write_run(tmp_path_factory.mktemp("many") / "run", "github", rows, 4 * FILES)


@pytest.mark.parametrize("command", ["tokenizer shard", "pipelines tokenize"])
def test_two_workers(
    command: str, many: Path, megabytes: float, model: Path, tmp_path: Path
) -> None:
    """Wall time of the whole command with one and with two."""
    names = {"tokenizer shard": ("input", "model", "output", "num_workers")}.get(
        command, ("runs", "tokenizer", "out", "workers")
    )
    walls = []
    for workers in ("1", "2"):
        values = (str(many), str(model), str(tmp_path / workers), workers)
        flags = [f"--{name}={value}" for name, value in zip(names, values, strict=True)]
        seconds, wall = cpu_seconds("-m", *command.split(), *flags)
        walls.append(wall)
        speed = COPIES * megabytes / wall
        report(f"{command}, {workers} workers: {wall:.1f} s, {speed:.1f} MB/s; {seconds:.1f} CPU s")
    report(f"{command}: two workers {walls[0] / walls[1]:.2f} times one")


def test_verify(many: Path, model: Path, tmp_path: Path) -> None:
    """Bytes of shards read per second, by the whole command and by a call in this process."""
    out = tmp_path / "shards"
    words = ["shard", "--input", str(many), "--model", str(model), "--output", str(out)]
    cpu_seconds("-m", "tokenizer", *words, "--num_workers", "2")
    size = sum(path.stat().st_size for path in out.glob("*-of-*")) / 1e6
    for round_name in ("first", "second"):
        seconds, wall = cpu_seconds("-m", "tokenizer", "verify", str(out))
        report(
            f"verify, {round_name} time: {size:.0f} MB, {size / seconds:.0f} MB per CPU second, "
            f"{size / wall:.0f} MB/s from start to exit"
        )
    began = time.process_time()
    assert [*verify(out)] == []
    report(f"verify, in a process: {size / (time.process_time() - began):.0f} MB per CPU second")
