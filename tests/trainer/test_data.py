"""Batches from shards: the order, the windows, what is refused, and documents."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.trainer import tiny
from tokenizer import reading
from tokenizer.errors import UserError
from tokenizer.reading import Reader, ReadError
from trainer import data
from trainer.data import (
    DataError,
    Loader,
    document_starts,
    open_corpus,
    order_record,
    resume_corpus,
    verify,
)
from trainer.loss import IGNORE
from trainer.plan import plan_batch

STEPS = 12


def loader(overrides: list[str], rank: int = 0, ranks: int = 1) -> Loader:
    """Open the corpus for one of several ranks."""
    config = tiny.small(overrides, steps=STEPS)
    plan = plan_batch(config, ranks)
    return Loader(open_corpus(config, plan.sequences), plan, rank, config.data)


def refusal(overrides: list[str]) -> str:
    """Open the corpus, which must fail, and give the message."""
    with pytest.raises(UserError) as error:
        open_corpus(tiny.small(overrides), 32)
    return str(error.value)


def open_files() -> int:
    """Count the descriptors of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))


def edit_manifest(root: Path, source: str, **changes: Any) -> None:
    """Change keys of a manifest."""
    path = root / "tokens" / source / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_batch_holds_the_windows_that_the_order_names(corpus: list[str]) -> None:
    """Inputs and labels are the window's tokens, shifted by one, straight from the file."""
    read = loader(corpus)
    batch = read.batch(3, 16)
    assert batch.tokens.shape == batch.labels.shape == (4, 2, 32)
    assert batch.valid == 256
    opened = open_corpus(tiny.small(corpus, steps=STEPS), STEPS * 8)
    for number in range(8):
        place = opened.order.locate(16 + number)
        shards = sorted(opened.sources[place.source].train[0].path.parent.glob("shard-*.bin"))
        ids = np.fromfile(shards[place.shard], "<u2")[place.window * 32 :][:33]
        tokens, labels = (
            batch.tokens[number // 2, number % 2],
            batch.labels[number // 2, number % 2],
        )
        assert tokens.tolist() == ids[:-1].tolist()
        assert labels.tolist() == ids[1:].tolist()


@pytest.mark.parametrize(("ranks", "micro"), [(1, 8), (2, 1), (2, 4), (4, 2)])
def test_the_data_of_a_step_does_not_depend_on_ranks(
    corpus: list[str], ranks: int, micro: int
) -> None:
    """The sequences of all steps, read by one rank or dealt to several, hash to the same."""

    def digest(ranks: int, micro: int) -> str:
        each = [
            loader([*corpus, f"train.micro_batch={micro}"], rank, ranks) for rank in range(ranks)
        ]
        steps = zip(*(read.steps(0, 0) for read in each), strict=True)
        total = hashlib.sha256()
        for parts in steps:
            rows = torch.stack([part.tokens for part in parts], dim=1)  # microbatch, rank, row
            total.update(rows.reshape(8, 32).numpy().tobytes())
        return total.hexdigest()

    assert digest(ranks, micro) == digest(1, 2)


def test_ten_thousand_sequences_are_dealt_the_same(corpus: list[str]) -> None:
    """Where each of 1,250 steps reads, on 1, 2 and 8 data ranks: the same places, in order."""
    digests = set()
    for ranks in (1, 2, 8):
        config = tiny.small([*corpus, "train.micro_batch=1"], steps=1250)
        plan = plan_batch(config, ranks)
        opened = open_corpus(config, plan.sequences)
        places: dict[int, str] = {}
        for rank in range(ranks):
            read = Loader(opened, plan, rank, config.data)
            for step in range(1250):
                places |= {k: repr(opened.locate(k)) for k in read.sequences(8 * step)}
        assert sorted(places) == list(range(10_000))
        digests.add(hashlib.sha256("".join(places[k] for k in sorted(places)).encode()).hexdigest())
    assert len(digests) == 1


def test_steps_begin_where_the_state_says_and_reading_ahead_is_forgotten(corpus: list[str]) -> None:
    """After 5 of 12 steps the batches are those of an uninterrupted run."""
    whole = [batch.tokens for batch in loader(corpus).steps(0, 0)]
    assert len(whole) == STEPS
    begun = loader(corpus).steps(0, 0)
    consumed = [next(begun).tokens for _ in range(5)]
    begun.close()
    rest = [batch.tokens for batch in loader(corpus).steps(5, 5 * 8)]
    assert torch.equal(torch.stack(whole), torch.stack(consumed + rest))


def test_each_source_gives_its_share(corpus: list[str]) -> None:
    """Weights 3 : 1 over 96 sequences, counted by what was read."""
    counts = np.sum([batch.source_sequences for batch in loader(corpus).steps(0, 0)], axis=0)
    assert counts.tolist() == [24, 72]  # books, github


def test_steps_of_data_skip_read_nothing(corpus: list[str]) -> None:
    """Steps 2 and 3 are passed over; step 4 reads what it would have read without."""
    usual = {batch.step: batch for batch in loader(corpus).steps(0, 0)}
    skipping = {b.step: b for b in loader([*corpus, "data.skip=[[2, 3]]"]).steps(0, 0)}
    assert [step for step, batch in skipping.items() if batch.passed_over] == [2, 3]
    assert skipping[2].valid == skipping[3].valid == 0
    assert torch.equal(skipping[4].tokens, usual[4].tokens)


def test_a_shard_cut_during_the_run_is_named(corpus: list[str], tmp_path: Path) -> None:
    """By default that ends the run; with skip its sequences have no labels, and others stay."""
    usual = list(loader(corpus).steps(0, 0))
    broken = loader(corpus)
    lenient = loader([*corpus, "data.on_bad_shard=skip"])
    path = tmp_path / "tokens/github/shard-00001-of-00002.bin"
    os.truncate(path, 100)
    with pytest.raises(ReadError, match=r"shard-00001-of-00002\.bin: byte \d+: \d+ of 66 bytes"):
        list(broken.steps(0, 0))
    batches = list(lenient.steps(0, 0))
    bad = sum(batch.bad_sequences for batch in batches)
    assert 0 < bad < STEPS * 8
    assert sum(batch.valid for batch in batches) == (STEPS * 8 - bad) * 32
    for batch, before in zip(batches, usual, strict=True):
        readable = batch.labels[..., :1] != IGNORE
        assert torch.equal(batch.tokens * readable, before.tokens * readable)


def test_what_cannot_be_trained_on_is_refused_at_open(corpus: list[str], tmp_path: Path) -> None:
    """Each mistake is one line that names the place and the way out."""
    assert "set model.vocab_size=512" in refusal([*corpus, "model.vocab_size=1000"])
    assert "cannot be read" in refusal([*corpus, f"data.shards={tmp_path / 'nowhere'}"])
    model = tmp_path / "other.model"
    model.write_bytes(b"model")
    assert "written with the tokenizer aaaaaaaaaaaa.." in refusal(
        [*corpus, f"data.tokenizer={model}"]
    )
    edit_manifest(tmp_path, "github", tokenizer_sha256="d" * 64)
    assert "tokenized differently: tokenizer_sha256" in refusal(corpus)
    edit_manifest(tmp_path, "github", tokenizer_sha256="a" * 64, version=2)
    assert "version 2" in refusal(corpus)
    edit_manifest(tmp_path, "github", version=1, dtype="int64")
    assert "dtype" in refusal(corpus)
    edit_manifest(tmp_path, "github", dtype="uint16")
    with (tmp_path / "tokens/github/heldout-00000-of-00001.bin").open("ab") as file:
        file.write(b"xx")
    assert "its manifest says" in refusal(corpus)
    (tmp_path / "tokens/github/manifest.json").unlink()
    assert "manifest.json: no such file, so the shards are not complete" in refusal(corpus)


def test_an_empty_heldout_split_is_refused(tmp_path: Path) -> None:
    """There would be nothing to evaluate on."""
    overrides = tiny.write_corpus(tmp_path)
    for file in (tmp_path / "tokens/books").iterdir():
        file.unlink()
    (tmp_path / "tokens/books").rmdir()
    tiny.write_shards(tmp_path / "tokens/books", [tiny.documents(50, seed=1)], [])
    assert "no held-out documents" in refusal(overrides)


def test_verify_finds_a_changed_byte(corpus: list[str], tmp_path: Path) -> None:
    """Only hashing sees it, on the rank whose shard it is."""
    opened = open_corpus(tiny.small(corpus), 32)
    verify(opened, 0, 1)
    with (tmp_path / "tokens/github/shard-00000-of-00002.bin").open("r+b") as file:
        file.write(b"\x07")
    with pytest.raises(DataError, match=r"shard-00000-of-00002\.bin: not the SHA-256"):
        verify(opened, 0, 1)
    ranks = []
    for rank in range(2):
        try:
            verify(opened, rank, 2)
        except DataError:
            ranks.append(rank)
    assert len(ranks) == 1


def test_few_shards_are_open_at_a_time(corpus: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The least recently used descriptor is closed for a new one, and all are at the end."""
    monkeypatch.setattr(reading, "OPEN_SHARDS", 2)
    opened = open_corpus(tiny.small(corpus), 32)
    shards = [s for source in opened.sources.values() for s in (*source.train, *source.heldout)]
    before = open_files()
    reader = Reader()
    for shard in shards * 3:
        assert reader.read(shard, 0, 1).tolist() == [tiny.BOS]
        assert open_files() <= before + 2
    reader.close()
    assert open_files() == before


@pytest.mark.parametrize("verify", ["false", "true"])
def test_ids_beyond_the_vocabulary_are_an_error_with_their_place(
    corpus: list[str], tmp_path: Path, verify: str
) -> None:
    """A shard of the right size with other ids in it: path, byte and id, before the model sees it.

    With data.on_bad_shard=skip its sequences teach nothing, as those that cannot be read.
    """
    path = tmp_path / "tokens/books/shard-00000-of-00001.bin"
    ids = np.fromfile(path, "<u2")
    ids[::16] = 512
    ids.tofile(path)
    config = tiny.small([*corpus, f"data.verify={verify}"])
    opened = open_corpus(config, 32)
    if verify == "true":
        with pytest.raises(DataError, match="not the SHA-256 of its manifest"):
            data.verify(opened, 0, 1)
        return
    plan = plan_batch(config, 1)
    message = rf"{path.name}: byte \d+: id 512 of a vocabulary of 512: .* tokenizer verify"
    with pytest.raises(ReadError, match=message):
        Loader(opened, plan, 0, config.data).batch(1, 0)
    skipping = tiny.small([*corpus, "data.on_bad_shard=skip"]).data
    batch = Loader(opened, plan, 0, skipping).batch(1, 0)
    assert batch.bad_sequences == batch.source_sequences[0] == 3  # all of books
    assert batch.valid == 5 * 32
    assert batch.tokens.max() < 512


def test_changed_data_needs_leave_and_begins_a_new_order(corpus: list[str], tmp_path: Path) -> None:
    """The new order begins at the next sequence, each source where its last block ends."""
    config = tiny.small(corpus, steps=STEPS)
    record = order_record(open_corpus(config, STEPS * 8), 40)
    assert record["next_start"] == {"books": 24, "github": 72}  # the one block is begun
    assert resume_corpus(config, STEPS * 8, record, 40).first == 0
    mixture = tmp_path / "mixture.toml"
    mixture.write_text(mixture.read_text().replace("0.75", "0.5"))
    with pytest.raises(DataError, match=r"what data\.mixture lead to .* run\.allow_change=data"):
        resume_corpus(config, STEPS * 8, record, 40)
    config = tiny.small([*corpus, "run.allow_change=data.mixture"], steps=STEPS)
    resumed = resume_corpus(config, STEPS * 8, record, 40)
    assert (resumed.first, resumed.order.sequences) == (40, 56)
    assert {s.name: s.start for s in resumed.order.sources} == {"books": 24, "github": 72}
    assert resumed.locate(40)[0] in resumed.sources


def test_a_longer_run_keeps_its_order_before_the_last_block(corpus: list[str]) -> None:
    """12,288 sequences are three blocks: at 8,192 the longer order is the same, later it is not."""
    config = tiny.small(corpus)
    opened = open_corpus(config, 3 * 4096)
    longer = resume_corpus(config, 4 * 4096, order_record(opened, 8192), 8192)
    assert (longer.first, longer.order.sequences) == (0, 4 * 4096)
    assert longer.locate(8191) == opened.locate(8191)
    later = resume_corpus(config, 4 * 4096, order_record(opened, 8193), 8193)
    assert later.first == 8193


def test_documents_begin_at_bos_and_at_each_row() -> None:
    """Padded with the number of tokens, to a power of two."""
    tokens = torch.tensor([[5, 6, 1, 7], [1, 8, 1, 1]])
    assert document_starts(tokens, 1).tolist() == [0, 2, 4, 6, 7, *[8] * 59]
    assert len(document_starts(torch.ones(1, 64, dtype=torch.int64), 1)) == 128  # 64, and the end
