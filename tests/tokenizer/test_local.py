"""Shards written on one machine: the bytes of the pipeline, and work that goes on."""

import json
import random
from collections.abc import Callable
from copy import copy
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines.__main__ import main as pipelines_main
from tests.tokenizer.finished_runs import write_run
from tokenizer import local
from tokenizer.__main__ import main
from tokenizer.layout import ShardError
from tokenizer.local import SPILL, make_job, write_shards
from tokenizer.manifest import read_manifest
from tokenizer.model import Tokenizer
from tokenizer.runs import RunDirectoryError
from tokenizer.verify import verify

Lines = Callable[[str], None]


@pytest.fixture(scope="module")
def documents(texts: list[str]) -> list[tuple[str, str]]:
    """Parts of sources, one document with U+2581, one with a special piece, one empty."""
    parts = [text[begin : begin + 3000] for text in texts[:10] for begin in range(0, 30_000, 3000)]
    parts += ["a\u2581b \u2581", "<s> </s>", ""]
    return [(f"doc/{number}", part) for number, part in enumerate(parts)]


@pytest.fixture
def small_shards(documents: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Several shards and several chunks of a few hundred kB of text."""
    characters = sum(len(text) for _, text in documents)  # which differ from Python to Python
    monkeypatch.setattr("tokenizer.shards.SHARD_CHARACTERS", characters // 5)
    monkeypatch.setattr("tokenizer.local.CHUNK_TOKENS", 5_000)


def contents(folder: Path) -> dict[str, bytes]:
    """Everything in a directory of shards but what says how it was made."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in {"config.json", "timings.json", "LOCK"}
    }


def quiet(_line: str) -> None:
    """Say nothing."""


@pytest.mark.usefixtures("small_shards")
def test_the_bytes_are_those_of_the_pipeline(
    documents: list[tuple[str, str]], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    """Every file: shards, sidecars, statistics, manifest."""
    run = write_run(tmp_path / "run", "github", documents, files=3)
    flags = ["--runs", str(run), "--tokenizer", str(tokenizer.path)]
    assert pipelines_main(["tokenize", *flags, "--out", str(tmp_path / "pipeline")]) == 0
    job, files = make_job([run], tokenizer)
    write_shards(job, files, tmp_path / "local", say=quiet)
    found = contents(tmp_path / "local")
    assert found == contents(tmp_path / "pipeline")
    assert sum(name.endswith(".bin") for name in found) > 3
    assert [*verify(tmp_path / "local", tokenizer)] == []
    assert not (tmp_path / "local" / "spill").exists()


@pytest.mark.usefixtures("small_shards")
def test_order_and_number_of_files_change_nothing(
    documents: list[tuple[str, str]], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    """The same documents, dealt in another way: the same shards, under another input."""
    found = []
    for name, files in (("a", 1), ("b", 4)):
        rows = random.Random(files).sample(documents, len(documents))
        job, listed = make_job([write_run(tmp_path / name, "github", rows, files)], tokenizer)
        write_shards(job, listed, tmp_path / f"{name}-shards", say=quiet)
        found.append(contents(tmp_path / f"{name}-shards"))
    assert {k: v for k, v in found[0].items() if k != "manifest.json"} == {
        k: v for k, v in found[1].items() if k != "manifest.json"
    }


def test_two_processes_write_the_same_bytes(
    documents: list[tuple[str, str]], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    """Whoever does what, and in which order."""
    job, files = make_job([write_run(tmp_path / "run", "github", documents, files=4)], tokenizer)
    for workers in (1, 2):
        write_shards(job, files, tmp_path / str(workers), workers=workers, say=quiet)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_u2581_is_counted(
    documents: list[tuple[str, str]],
    tokenizer: Tokenizer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Everything else comes back as it was (docs/rules/tokens.md 1.3, T4)."""
    run = write_run(tmp_path / "run", "github", documents)
    out = tmp_path / "shards"
    words = ["shard", "--input", str(run), "--model", str(tokenizer.path), "--output", str(out)]
    assert main(words) == 0
    assert "1 documents hold U+2581, 2 times in all" in capsys.readouterr().out
    assert json.loads((out / "stats.json").read_bytes()) == {
        "documents_with_u2581": 1,
        "u2581": 2,
    }
    texts = dict(documents)
    shard = read_manifest(out).split_shards("train")[0]
    tokens = (out / f"{shard.name}.bin").read_bytes()
    for row in pq.read_table(out / f"{shard.name}.docs.parquet").to_pylist():
        begin, end = row["offset"], row["offset"] + row["n_tokens"]
        ids = memoryview(tokens).cast("H")[begin + 1 : end - 1].tolist()
        assert tokenizer.decode(ids) == texts[row["id"]].replace("\u2581", " ")


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("step", ["_spill", "_write_shard"])
def test_stopped_work_goes_on(
    documents: list[tuple[str, str]],
    tokenizer: Tokenizer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    """What is complete is not done again, and the bytes are the same."""
    job, files = make_job([write_run(tmp_path / "run", "github", documents, files=3)], tokenizer)
    write_shards(job, files, tmp_path / "whole", say=quiet)
    original, done = getattr(local, step), []

    def stops(work: object, number: int) -> object:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(number)
        return original(work, number)

    monkeypatch.setattr(local, step, stops)
    with pytest.raises(KeyboardInterrupt):
        write_shards(job, files, tmp_path / "out", say=quiet)
    again: list[int] = []

    def goes_on(work: object, number: int) -> object:
        again.append(number)
        return original(work, number)

    monkeypatch.setattr(local, step, goes_on)
    write_shards(job, files, tmp_path / "out", say=quiet)
    assert not set(done) & set(again)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_finished_shards_are_left_alone(
    documents: list[tuple[str, str]], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    """And shards with other settings are not mixed with them."""
    run = write_run(tmp_path / "run", "github", documents)
    job, files = make_job([run], tokenizer)
    made = write_shards(job, files, tmp_path / "out", say=quiet)
    said: list[str] = []
    assert write_shards(job, files, tmp_path / "out", say=said.append) == made
    assert said == []
    assert not (tmp_path / "out" / SPILL).exists()
    other, _ = make_job([run], tokenizer, seed=1)
    with pytest.raises(ShardError, match="made with another layout"):
        write_shards(other, files, tmp_path / "out", say=quiet)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(ShardError, match="is not empty and holds no token shards"):
        write_shards(job, files, tmp_path / "full", say=quiet)


def test_documents_without_boundaries_are_refused_before_any_work(
    documents: list[tuple[str, str]],
    tokenizer: Tokenizer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By both commands; and so is a model that has not the piece that is asked for."""
    run, out = write_run(tmp_path / "run", "github", documents), tmp_path / "out"
    no_boundaries = ["--no-add-bos", "--no-add-eos", "--out", str(out)]
    flags = ["--runs", str(run), "--tokenizer", str(tokenizer.path), *no_boundaries]
    assert pipelines_main(["tokenize", *flags]) == 1
    assert capsys.readouterr().err.startswith("error: add_bos, add_eos or both must be true")
    assert not out.exists()
    without = copy(tokenizer)
    without.eos_id = -1
    with pytest.raises(ShardError, match="the model has no eos piece"):
        make_job([run], without)
    assert make_job([run], without, add_eos=False)[0].layout.shards > 0


def test_inputs_that_cannot_become_shards(
    documents: list[tuple[str, str]], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    """Two sources, a document twice, a file that was changed, no boundaries."""
    run = write_run(tmp_path / "run", "github", documents)
    other = write_run(tmp_path / "other", "books", documents)
    with pytest.raises(ShardError, match=r"several sources \(books, github\)"):
        make_job([run, other], tokenizer)
    with pytest.raises(ShardError, match="add_bos, add_eos or both"):
        make_job([run], tokenizer, add_bos=False, add_eos=False)
    with pytest.raises(RunDirectoryError, match="not a run directory"):
        make_job([tmp_path / "absent"], tokenizer)
    twice = write_run(tmp_path / "twice", "github", documents[:2])
    job, files = make_job([run, twice], tokenizer)
    with pytest.raises(ShardError, match=r"twice\. Are two inputs runs of the same files"):
        write_shards(job, files, tmp_path / "out", say=quiet)
    job, files = make_job([run], tokenizer)
    content = bytearray(files[0].path.read_bytes())
    content[100] ^= 1
    files[0].path.write_bytes(content)
    with pytest.raises(ShardError, match="its SHA-256 is not that of the run's manifest"):
        write_shards(job, files, tmp_path / "changed", say=quiet)
