"""Exported shards say there what they say here, to the peers' own readers and by their layouts."""

import itertools
import json
import struct
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.tokenizer.finished_runs import write_run
from tokenizer.__main__ import main
from tokenizer.export import FORMATS, ExportError, export
from tokenizer.export_mds import write_mds
from tokenizer.local import make_job, write_shards
from tokenizer.manifest import read_manifest
from tokenizer.megatron import decode_index
from tokenizer.model import Tokenizer
from tokenizer.reading import ReadError

Documents = list[tuple[str, list[int]]]
Split = Callable[[str], Documents]


def peer(name: str) -> ModuleType:
    """Import a peer's library, or skip the test and say why."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return import_module(name)
    except Exception as error:  # noqa: BLE001 - libraries fail in many ways when they are half there
        pytest.skip(f"no {name.split('.', maxsplit=1)[0]}: {type(error).__name__}: {error}")


@pytest.fixture(scope="module")
def shards(
    texts: list[str], tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A few shards of either split."""
    folder = tmp_path_factory.mktemp("export")
    parts = [text[begin : begin + 700] for text in texts for begin in range(0, 14_000, 700)]
    rows = [(f"doc/\u00e9{number}", part) for number, part in enumerate(parts)]
    run = write_run(folder / "run", "github", rows)
    characters = sum(map(len, parts))  # which differ from one Python to the next
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tokenizer.shards.SHARD_CHARACTERS", characters // 3)
        job, files = make_job([run], tokenizer)
        write_shards(job, files, folder / "shards", say=lambda _: None)
    assert len(read_manifest(folder / "shards").shards) > 3
    return folder / "shards"


@pytest.fixture(scope="module")
def expected(shards: Path) -> Split:
    """The documents of a split in the order of the shards, read without the exporter."""

    def documents(split: str) -> Documents:
        found = []
        for shard in read_manifest(shards).split_shards(split):
            tokens = np.fromfile(shards / f"{shard.name}.bin", "<u2").tolist()
            for row in pq.read_table(shards / f"{shard.name}.docs.parquet").to_pylist():
                begin = row["offset"]
                found.append((row["id"], tokens[begin : begin + row["n_tokens"]]))
        return found

    return documents


@pytest.fixture(params=["train", "heldout"])
def split(request: pytest.FixtureRequest) -> str:
    """Either split."""
    return str(request.param)


def exported(shards: Path, to: str, out: Path) -> Path:
    """Export by the command."""
    assert main(["export", str(shards), "--to", to, str(out)]) == 0
    return out


def test_mds_by_its_layout(shards: Path, expected: Split, split: str, tmp_path: Path) -> None:
    """Offsets lead to samples, samples to columns."""
    folder = exported(shards, "mds", tmp_path / "out") / split
    found: Documents = []
    for entry in json.loads((folder / "index.json").read_text())["shards"]:
        content = (folder / entry["raw_data"]["basename"]).read_bytes()
        assert len(content) == entry["raw_data"]["bytes"]
        (count,) = struct.unpack_from("<I", content)
        assert count == entry["samples"]
        offsets = struct.unpack_from(f"<{count + 1}I", content, 4)
        for begin, end in itertools.pairwise(offsets):
            id_bytes, array_bytes = struct.unpack_from("<2I", content, begin)
            at = begin + 8 + id_bytes
            assert at + array_bytes == end
            axes, width = content[at] >> 2, 1 << (content[at] & 3)
            size = int.from_bytes(content[at + 1 : at + 1 + width], "little")
            assert (axes, size * 2) == (1, array_bytes - 1 - width)
            tokens = np.frombuffer(content, "<u2", size, at + 1 + width).tolist()
            found.append((content[begin + 8 : at].decode(), tokens))
    assert found == expected(split)


def test_mds_by_streaming(shards: Path, expected: Split, split: str, tmp_path: Path) -> None:
    """As its users read it."""
    streaming = peer("streaming")
    folder = exported(shards, "mds", tmp_path / "out") / split
    data = streaming.StreamingDataset(local=str(folder), shuffle=False, batch_size=1)
    found = [(data[n]["id"], data[n]["tokens"].tolist()) for n in range(data.num_samples)]
    assert found == expected(split)


def test_mds_begins_another_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents of all widths of shapes; none is split."""
    monkeypatch.setattr("tokenizer.export_mds.SHARD_BYTES", 1000)
    sizes = [1, 255, 256, 70_000, 3, 4]
    documents = [(str(size), np.arange(size, dtype=np.uint32)) for size in sizes]
    write_mds(tmp_path / "out", iter(documents), "uint32")
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    assert [entry["samples"] for entry in index["shards"]] == [1, 1, 1, 1, 2]
    streaming = peer("streaming")
    data = streaming.StreamingDataset(local=str(tmp_path / "out"), shuffle=False, batch_size=1)
    assert [len(data[number]["tokens"]) for number in range(6)] == sizes


def test_datatrove_by_its_layout(shards: Path, expected: Split, split: str, tmp_path: Path) -> None:
    """Raw tokens, and the ends of documents in tokens."""
    folder = exported(shards, "datatrove", tmp_path / "out") / split
    found = []
    for path in sorted(folder.glob("*.ds")):
        tokens = np.fromfile(path, "<u2").tolist()
        ends = np.fromfile(f"{path}.index", "<u8").tolist()
        assert ends[-1] == len(tokens)
        found += [tokens[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]
        name, count, _ = Path(f"{path}.metadata").read_text().split("\n")
        assert (name.split("|")[1], count) == ("2", str(len(tokens)))
    assert found == [tokens for _, tokens in expected(split)]


def test_datatrove_by_its_data_set(
    shards: Path, expected: Split, split: str, tmp_path: Path
) -> None:
    """Windows of tokens, in which positions begin anew with a window and with a document."""
    dataset = peer("datatrove.utils.dataset")
    folder = exported(shards, "datatrove", tmp_path / "out") / split
    documents = iter(expected(split))
    for shard in read_manifest(shards).split_shards(split):
        path = folder / f"{shard.name}.ds"
        data = dataset.DatatroveFileDataset(str(path), 15, token_size=2, return_positions=True)
        parts = [ids for _, ids in itertools.islice(documents, shard.documents)]
        tokens = [token for ids in parts for token in ids]
        begins = {0, *itertools.accumulate(map(len, parts))}
        assert len(data) == len(tokens) // 16
        for number in range(len(data)):
            window = data[number]
            places, place = [], 0
            for token in range(16 * number, 16 * number + 16):
                place = 0 if token in begins or token % 16 == 0 else place + 1
                places.append(place)
            assert window["input_ids"].tolist() == tokens[16 * number : 16 * number + 16]
            assert window["positions"].tolist() == places


def test_megatron_by_its_layout(shards: Path, expected: Split, split: str, tmp_path: Path) -> None:
    """One pair of files for all shards of a split."""
    out = exported(shards, "megatron", tmp_path / "out")
    index = decode_index((out / f"{split}.idx").read_bytes())
    tokens = np.fromfile(out / f"{split}.bin", "<u2").tolist()
    begins = (index.offsets // 2).tolist()
    found = [tokens[b : b + n] for b, n in zip(begins, index.lengths.tolist(), strict=True)]
    assert found == [ids for _, ids in expected(split)]


def test_megatron_by_its_data_set(
    shards: Path, expected: Split, split: str, tmp_path: Path
) -> None:
    """The reader of its pretraining data."""
    indexed = peer("megatron.core.datasets.indexed_dataset")
    out = exported(shards, "megatron", tmp_path / "out")
    data = indexed.IndexedDataset(str(out / split), mmap=True)
    assert [data[number].tolist() for number in range(len(data))] == [
        ids for _, ids in expected(split)
    ]
    assert data.document_indices.tolist() == list(range(len(data) + 1))


def test_arrow_by_its_layout(shards: Path, expected: Split, split: str, tmp_path: Path) -> None:
    """Arrow's stream format, a file per shard."""
    folder = exported(shards, "arrow", tmp_path / "out") / split
    names = [
        file["filename"] for file in json.loads((folder / "state.json").read_text())["_data_files"]
    ]
    tables = [pa.ipc.open_stream(folder / name).read_all() for name in names]
    rows = pa.concat_tables(tables).to_pylist()
    assert [(row["id"], row["input_ids"]) for row in rows] == expected(split)
    assert names == sorted(path.name for path in folder.glob("*.arrow"))


def test_arrow_by_datasets(shards: Path, expected: Split, split: str, tmp_path: Path) -> None:
    """Loaded from the disk, as a dictionary of splits."""
    datasets = peer("datasets")
    data = datasets.load_from_disk(str(exported(shards, "arrow", tmp_path / "out")))
    assert [(row["id"], row["input_ids"]) for row in data[split]] == expected(split)
    assert data[split].features["input_ids"].feature.dtype == "uint16"


@pytest.mark.parametrize("to", FORMATS)
def test_the_same_shards_give_the_same_bytes(shards: Path, to: str, tmp_path: Path) -> None:
    """No clock, no chance."""
    found: list[dict[str, Any]] = []
    for name in "ab":
        out = exported(shards, to, tmp_path / name)
        files = [path for path in sorted(out.rglob("*")) if path.is_file()]
        found.append({str(path.relative_to(out)): path.read_bytes() for path in files})
    assert found[0] == found[1]


def test_damage_is_not_passed_on(shards: Path, tmp_path: Path) -> None:
    """Nor is a folder with something in it written to."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(ExportError, match="full is not empty"):
        export(shards, "mds", tmp_path / "full")
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in shards.iterdir():
        if path.is_file():
            (copy / path.name).write_bytes(path.read_bytes())
    name = f"{read_manifest(copy).split_shards('train')[0].name}.bin"
    (copy / name).write_bytes((copy / name).read_bytes()[:-2])
    with pytest.raises(ReadError, match=r"\.bin: \d+ bytes are there, its manifest says \d+: see "):
        export(copy, "datatrove", tmp_path / "out")
