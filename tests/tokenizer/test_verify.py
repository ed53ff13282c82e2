"""`verify` finds what is wrong with a directory of shards, and names the file."""

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.tokenizer.finished_runs import write_run
from tokenizer.__main__ import main
from tokenizer.layout import make_manifest
from tokenizer.local import make_job, write_shards
from tokenizer.manifest import (
    FileInfo,
    ShardInfo,
    read_manifest,
    shard_name,
    total,
    write_manifest,
)
from tokenizer.model import Tokenizer
from tokenizer.runs import open_run
from tokenizer.shards import (
    TokenizedDocument,
    encode_shard,
    heldout_threshold,
    in_shard_order,
    placement,
    tokenize_document,
)
from tokenizer.verify import verify

SHARDS = 2
SEED = 3
FRACTION = 0.2


def write_shard(directory: Path, name: str, documents: list[TokenizedDocument]) -> ShardInfo:
    """Write the three files of a shard."""
    files = encode_shard(documents, "uint16")
    for kind, content in files.content().items():
        (directory / f"{name}.{kind}").write_bytes(content)
    return files.info(name)


def commit(directory: Path, tokenizer: Tokenizer, shards: list[ShardInfo]) -> None:
    """Write the manifest for the shards of a directory."""
    manifest = make_manifest(
        "test",
        tokenizer,
        shards,
        seed=SEED,
        heldout_fraction=FRACTION,
        config_sha256="0" * 64,
        input_sha256="0" * 64,
    )
    write_manifest(directory, manifest)


def place(documents: list[TokenizedDocument]) -> dict[str, list[TokenizedDocument]]:
    """Documents by shard name, in order: what the pipeline's shuffle does."""
    shards: dict[str, list[TokenizedDocument]] = {}
    for document in documents:
        heldout = placement(SEED, document.id, 1).heldout_rank < heldout_threshold(FRACTION)
        split, of = ("heldout", 1) if heldout else ("train", SHARDS)
        name = shard_name(split, placement(SEED, document.id, of).shard, of)
        shards.setdefault(name, []).append(document)
    return {name: in_shard_order(group, SEED) for name, group in shards.items()}


@pytest.fixture
def documents(tokenizer: Tokenizer) -> list[TokenizedDocument]:
    """Thirty short documents."""
    return [tokenize_document(tokenizer, f"doc {i}", f"text {i}") for i in range(30)]


@pytest.fixture
def directory(tmp_path: Path, tokenizer: Tokenizer, documents: list[TokenizedDocument]) -> Path:
    """Two train shards and a held-out one."""
    shards = [write_shard(tmp_path, name, group) for name, group in place(documents).items()]
    assert len(shards) == 3
    commit(tmp_path, tokenizer, shards)
    return tmp_path


def problems(directory: Path, tokenizer: Tokenizer | None = None) -> list[str]:
    """The messages of `verify`."""
    return [str(problem) for problem in verify(directory, tokenizer)]


def test_what_was_written_is_well(directory: Path, tokenizer: Tokenizer) -> None:
    """Nothing to report."""
    assert problems(directory, tokenizer) == []


def test_no_manifest(tmp_path: Path) -> None:
    """A directory that was not finished is one problem, not an exception."""
    assert len(problems(tmp_path)) == 1


@pytest.mark.parametrize("kind", ["bin", "idx", "docs.parquet"])
def test_one_changed_byte_names_the_shard(directory: Path, kind: str) -> None:
    """Section 4.6, 6."""
    path = directory / f"shard-00001-of-00002.{kind}"
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)
    (problem,) = problems(directory)
    assert problem.startswith(f"{path.name}: SHA-256 is ")


def test_missing_cut_and_foreign_files(directory: Path) -> None:
    """Each is named."""
    (directory / "shard-00000-of-00002.idx").unlink()
    path = directory / "shard-00000-of-00002.bin"
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-2])
    (directory / "shard-00000-of-00001.bin").write_bytes(b"")
    assert problems(directory) == [
        "shard-00000-of-00001.bin: is not in the manifest",
        f"shard-00000-of-00002.bin: {size - 2} bytes instead of {size}",
        "shard-00000-of-00002.idx: cannot be read (No such file or directory)",
    ]


def test_a_swapped_shard_is_named_with_where_it_belongs(directory: Path) -> None:
    """Also if the two are of one size."""
    names = ("shard-00000-of-00002", "shard-00001-of-00002")
    for kind in ("bin", "idx", "docs.parquet"):
        first, second = (directory / f"{name}.{kind}" for name in names)
        content = first.read_bytes()
        first.write_bytes(second.read_bytes())
        second.write_bytes(content)
    assert problems(directory) == [
        f"{here}.{kind}: holds what belongs in {there}.{kind}"
        for here, there in (names, names[::-1])
        for kind in ("bin", "idx", "docs.parquet")
    ]


def test_a_missing_document_is_named(tmp_path: Path, tokenizer: Tokenizer) -> None:
    """By its run: shards that lost a document are otherwise in order."""
    rows = [(f"doc {i}", f"text {i}") for i in range(40)]
    run = open_run(write_run(tmp_path / "run", "github", rows, files=2))
    job, files = make_job([run.path], tokenizer)
    write_shards(job, files, tmp_path / "shards", say=lambda _: None)
    assert [*verify(tmp_path / "shards", tokenizer, [run])] == []
    changed = [("doc 3", "another text"), ("doc 40", "text 40"), *rows[:3], *rows[4:17], *rows[18:]]
    other = open_run(write_run(tmp_path / "other", "github", changed))
    assert [str(problem) for problem in verify(tmp_path / "shards", None, [other])] == [
        "manifest.json: the shards were made of other runs than these",
        "other: the shards lack 2 documents: 'doc 3', 'doc 40', or have another text for it",
        "shard-00000-of-00001.docs.parquet: 2 documents: 'doc 17', 'doc 3' are in no run",
    ]
    foreign = open_run(
        write_run(tmp_path / "foreign", "github", [(f"{i:02}", "") for i in range(7)])
    )
    _, lost, *others = map(str, verify(tmp_path / "shards", None, [run, foreign]))
    named = "'00', '01', '02', '03', '04' and 2 more"
    assert lost == f"foreign: the shards lack 7 documents: {named}, or have another text for it"
    assert others == []


def test_another_tokenizer(
    directory: Path, tmp_path_factory: pytest.TempPathFactory, train_small: Callable[..., Path]
) -> None:
    """Shards say which tokenizer made them."""
    path = tmp_path_factory.mktemp("other") / "other.model"
    other = Tokenizer(train_small(path, "ab ab abc", vocab_size=264))
    found = problems(directory, other)
    assert len(found) == 2
    assert found[1] == "manifest.json: vocab_size is 1500, but other.model has 264"


Change = Callable[[list[TokenizedDocument]], list[TokenizedDocument]]


def tokens_changed(position: int, token: int) -> Change:
    """Put another token into the first document of a shard."""

    def change(documents: list[TokenizedDocument]) -> list[TokenizedDocument]:
        tokens = np.array(documents[0].tokens)
        tokens[position] = token
        return [dataclasses.replace(documents[0], tokens=tokens), *documents[1:]]

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (tokens_changed(1, 1500), "bin: id 1500 in a vocabulary of 1500"),
        (tokens_changed(0, 5), "bin: 1 documents do not begin with bos 1, the first is number 0"),
        (tokens_changed(-1, 5), "bin: 1 documents do not end with eos 2, the first is number 0"),
        (tokens_changed(1, 2), "bin: id 2 stands 1 times inside documents"),
        (lambda group: group[::-1], "docs.parquet: document 'doc 17' is out of order"),
        (
            lambda group: [dataclasses.replace(group[0], id="no"), *group[1:]],
            "docs.parquet: 1 documents belong elsewhere, the first is 'no'",
        ),
    ],
)
def test_wrong_content_with_right_hashes(
    directory: Path,
    tokenizer: Tokenizer,
    documents: list[TokenizedDocument],
    change: Change,
    message: str,
) -> None:
    """A writer with a bug hashes its wrong bytes faithfully: the content is checked too."""
    name = "shard-00000-of-00002"
    changed = write_shard(directory, name, change(place(documents)[name]))
    others = [shard for shard in read_manifest(directory).shards if shard.name != name]
    commit(directory, tokenizer, [changed, *others])
    assert f"{name}.{message}" in problems(directory)


def test_documents_of_the_other_split(directory: Path) -> None:
    """A fraction other than the one that was used puts documents into the wrong split."""
    manifest = read_manifest(directory)
    write_manifest(directory, dataclasses.replace(manifest, heldout_fraction=0.0))
    (problem,) = problems(directory)
    count = manifest.splits["heldout"].documents
    assert f"heldout-00000-of-00001.docs.parquet: {count} documents belong elsewhere" in problem


def test_all_documents_are_held_out(directory: Path) -> None:
    """With a fraction of 1 the threshold is 2^64, which no 64-bit number holds."""
    manifest = read_manifest(directory)
    write_manifest(directory, dataclasses.replace(manifest, heldout_fraction=1.0))
    found = problems(directory)
    assert [problem.split(":")[0] for problem in found] == [
        f"shard-{number:05d}-of-{SHARDS:05d}.docs.parquet" for number in range(SHARDS)
    ]


def test_a_document_twice_in_its_place(directory: Path, documents: list[TokenizedDocument]) -> None:
    """It has one order, so only its id tells."""
    name = "shard-00001-of-00002"
    group = place(documents)[name]
    other = dataclasses.replace(group[0], id="other")
    shard = write_shard(directory, name, [group[0], other, *group[1:]])
    path = directory / f"{name}.docs.parquet"
    table = pq.read_table(path)
    ids = pa.array([group[0].id, *(document.id for document in group)])
    pq.write_table(table.set_column(0, table.schema.field("id"), ids), path)
    content = path.read_bytes()
    file = FileInfo(len(content), hashlib.sha256(content).hexdigest())
    shard = dataclasses.replace(shard, files={**shard.files, "docs.parquet": file})
    manifest = read_manifest(directory)
    shards = tuple(shard if other.name == name else other for other in manifest.shards)
    splits = {
        split: total(shard for shard in shards if shard.split == split)
        for split in ("train", "heldout")
    }
    write_manifest(directory, dataclasses.replace(manifest, shards=shards, splits=splits))
    assert problems(directory) == [f"{path.name}: document {group[0].id!r} is there twice"]


def test_a_wrong_size_with_the_right_hash(directory: Path) -> None:
    """The manifest says both, and a reader plans by the size."""
    manifest = read_manifest(directory)
    first, *others = manifest.shards
    size = first.files["idx"].bytes
    files = {**first.files, "idx": dataclasses.replace(first.files["idx"], bytes=size + 4)}
    changed = (dataclasses.replace(first, files=files), *others)
    write_manifest(directory, dataclasses.replace(manifest, shards=changed))
    assert problems(directory) == [f"{first.name}.idx: {size} bytes instead of {size + 4}"]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("n_tokens", "n_tokens differ from the lengths in the index"),
        ("offset", "offsets do not follow from n_tokens"),
        ("n_bytes_text", "7 bytes of text, but the manifest says 6"),
    ],
)
def test_wrong_provenance_with_right_hashes(
    tmp_path: Path, tokenizer: Tokenizer, column: str, message: str
) -> None:
    """Provenance agrees with the index and with the manifest."""
    document = tokenize_document(tokenizer, "doc 3", "text 3")
    ((name, group),) = place([document]).items()
    info = write_shard(tmp_path, name, group)
    path = tmp_path / f"{name}.docs.parquet"
    table = pq.read_table(path)
    number = table.schema.get_field_index(column)
    field = table.schema.field(column)
    value = pa.array([table[column][0].as_py() + 1], field.type)
    pq.write_table(table.set_column(number, field, value), path)
    content = path.read_bytes()
    file = FileInfo(len(content), hashlib.sha256(content).hexdigest())
    files = {**info.files, "docs.parquet": file}
    commit(tmp_path, tokenizer, [dataclasses.replace(info, files=files)])
    assert problems(tmp_path) == [f"{path.name}: {message}"]


def test_bos_and_eos_may_be_one_id(tmp_path: Path, tokenizer: Tokenizer) -> None:
    """As in GPT-2's vocabulary: it stands twice a document, and that is right."""
    documents = [TokenizedDocument(str(i), np.array([2, 9, 2]), 1, "") for i in range(5)]
    shards = [write_shard(tmp_path, name, group) for name, group in place(documents).items()]
    commit(tmp_path, tokenizer, shards)
    write_manifest(tmp_path, dataclasses.replace(read_manifest(tmp_path), bos_id=2))
    assert problems(tmp_path) == []


def test_the_command(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All is well, or the problems and exit code 1."""
    tokens = sum(shard.tokens for shard in read_manifest(directory).shards)
    assert main(["verify", str(directory)]) == 0
    assert capsys.readouterr().out == f"{directory}: 3 shards, {tokens} tokens, all is well\n"
    (directory / "shard-00000-of-00002.idx").unlink()
    assert main(["verify", str(directory)]) == 1
    printed = capsys.readouterr()
    assert "shard-00000-of-00002.idx: cannot be read" in printed.out
    assert printed.err == "error: 1 problem found\n"
