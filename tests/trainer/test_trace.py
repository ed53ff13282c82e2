"""A step is traced to the documents that it read."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.trainer import tiny
from tokenizer.model import Tokenizer
from tokenizer.shards import documents_between
from trainer.checkpoint import read_record
from trainer.data import DataError
from trainer.parallel import World
from trainer.trace import describe, trace
from trainer.train import Run


@pytest.fixture
def texts(tmp_path: Path) -> list[str]:
    """Give the overrides of a corpus of text."""
    return tiny.write_text_corpus(tmp_path)


def test_a_step_is_what_the_loader_reads(texts: list[str], world: World, tmp_path: Path) -> None:
    """Ids of step 3, in the order of the batch; before the run, and from a later checkpoint."""
    config = tiny.small(texts)
    run = Run(config, world)
    batch = run.loader.batch(3, 16)
    run.loader._reader.close()
    read = np.concatenate((batch.tokens, batch.labels[..., -1:]), -1).reshape(8, 33)
    for record in (None, "after training"):
        if record:
            assert run.train() == 0
        saved = read_record(tmp_path / "run/ckpt/step-00000004") if record else None
        traced = list(trace(config, 3, saved))
        assert [t.sequence for t in traced] == [*range(16, 24)]
        assert np.array_equal(np.stack([t.ids for t in traced]), read)


def test_documents_are_those_of_the_tokens(texts: list[str], tmp_path: Path) -> None:
    """Spans cover the window, meet where a document ends, and their text is the file's."""
    tokenizer = Tokenizer(tmp_path / "tokenizer.model")
    shard = np.fromfile(tmp_path / "tokens/github/shard-00000-of-00001.bin", "<u2")
    config = tiny.small([*texts, "train.batch_tokens=2048", "train.total_tokens=8192"])
    for traced in trace(config, 1, None):
        assert np.array_equal(traced.ids, shard[traced.begin : traced.begin + 33])
        assert traced.documents[0].begin <= traced.begin
        assert traced.documents[-1].end >= traced.begin + 33
        for left, right in pairwise(traced.documents):
            assert left.end == right.begin
        for span in traced.documents:
            ids = shard[span.begin : span.end]
            assert (ids[0], ids[-1]) == (tiny.BOS, tiny.EOS)
        shown = describe(traced, tokenizer, 1000)
        assert shown.startswith(f"sequence {traced.sequence:,}  github  shard-00000-of-00001  ")
        assert f"tokens {traced.begin:,} to {traced.begin + 32:,}" in shown
        first = tokenizer.decode(traced.ids[: traced.documents[0].end - traced.begin])
        assert "".join(f"    | {line}\n" for line in first.splitlines()) in f"{shown}\n"


def test_spans_end_where_the_next_begins(tmp_path: Path, texts: list[str]) -> None:
    """The last token of a document, its first, and both of a border."""
    assert texts
    docs = tmp_path / "tokens/github/shard-00000-of-00001.docs.parquet"
    first, second = documents_between(docs, 0, 10**9)[:2]
    assert (first.begin, first.end) == (0, second.begin)
    border = second.begin
    assert documents_between(docs, border - 1, border) == [first]
    assert documents_between(docs, border, border + 1) == [second]
    assert documents_between(docs, border - 1, border + 1) == [first, second]
    with pytest.raises(ValueError, match="cannot be read"):
        documents_between(docs.with_name("none.parquet"), 0, 1)


def test_what_is_not_known_is_an_error(texts: list[str], world: World, tmp_path: Path) -> None:
    """A step that the run does not have; one from before the data changed; other shards."""
    config = tiny.small(texts)
    with pytest.raises(DataError, match="step 5: the run has steps 1 to 4"):
        next(trace(config, 5, None))
    tiny.train(config, world, stop_after=2)
    mixture = tmp_path / "mixture.toml"
    mixture.write_text(mixture.read_text().replace("tokens = 1", "tokens = 1\nseed = 9"))
    changed = tiny.small([*texts, "run.allow_change=data.mixture"])
    tiny.train(changed, world)
    record = read_record(tmp_path / "run/ckpt/step-00000004")
    assert [t.sequence for t in trace(changed, 3, record)] == [*range(16, 24)]
    with pytest.raises(DataError, match="step 2 was read before the run's data"):
        next(trace(changed, 2, record))
    before = read_record(tmp_path / "run/ckpt/step-00000002")
    with pytest.raises(ValueError, match=r"what data\.mixture lead to is not what"):
        next(trace(config, 2, before))
