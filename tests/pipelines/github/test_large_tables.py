"""A large table in Parquet is cut at its row groups; the documents do not show it."""

import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.engine.runs import Run
from pipelines.engine.units import Part, Unit
from pipelines.github import files
from pipelines.github.files import classify, cut_by_groups
from pipelines.github.records import (
    group_sizes,
    read_blobs,
    read_files,
    read_languages,
    read_licenses,
)
from pipelines.readers.rows import BadRow, UnreadableFile
from pipelines.storage.files import find_inputs
from tests.pipelines.github.github_export import CONTENTS, FILES, TABLES, curate, read
from tests.pipelines.readers.exports import as_json, as_parquet

READERS: dict[str, Any] = {
    "contents": read_blobs,
    "files": read_files,
    "licenses": read_licenses,
    "languages": read_languages,
}


def write_tables(folder: Path) -> list[str]:
    """Write each table as one file with two rows in a group, the last with fewer; return them."""
    folder.mkdir()
    for name, rows in TABLES.items():
        path = folder / f"{name}-000000000000.parquet"
        path.write_bytes(as_parquet(rows, row_group_size=2).getvalue())
    return sorted(map(str, folder.iterdir()))


def sorted_rejects(run: Path) -> list[dict[str, Any]]:
    """Return the rejects; in a file those of the last decision follow the others."""
    return sorted(read(run, "rejects"), key=lambda row: (row["id"], row["url"]))


def test_a_table_that_is_cut_gives_the_same_documents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the same order, and the same rejects, for units of one, two and three row groups."""
    paths = write_tables(tmp_path / "in")
    assert curate(tmp_path / "whole", paths, "--workers", "2") == 0
    assert len(Run(str(tmp_path / "whole")).committed()) == 4
    documents, rejects = read(tmp_path / "whole"), sorted_rejects(tmp_path / "whole")
    assert documents
    assert rejects
    for rows in (2, 4, 6):
        monkeypatch.setattr(files, "MAX_UNIT_ROWS", rows)
        run = tmp_path / f"cut-{rows}"
        assert curate(run, paths, "--workers", "2") == 0
        assert len(Run(str(run)).committed()) > 4
        assert read(run) == documents
        assert sorted_rejects(run) == rejects
        stats, whole = Run(str(run)).stats(), Run(str(tmp_path / "whole")).stats()
        assert {**stats, "units": 4} == whole


@pytest.mark.parametrize("table", list(READERS))
def test_row_groups_keep_the_numbers_of_their_rows(table: str) -> None:
    """Each range gives its rows as the whole file does."""
    stream = as_parquet(TABLES[table], row_group_size=2)
    name = f"{table}-0.parquet"
    whole = list(READERS[table](stream, name))
    groups = len(group_sizes(stream, name))
    for end in range(1, groups + 1):
        for start in range(end):
            found = list(READERS[table](stream, name, groups=(start, end)))
            assert found == whole[2 * start : 2 * end]


def test_damage_ends_its_range_and_no_other() -> None:
    """What is lost is told, counted within the range."""
    stream = as_parquet(FILES, row_group_size=2)
    chunk = pq.ParquetFile(stream).metadata.row_group(3).column(0)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    data = bytearray(stream.getvalue())
    data[start : start + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    *good, bad = read_files(io.BytesIO(bytes(data)), "files-0.parquet", groups=(2, 5))
    assert [row.row for row in good] == [4, 5]
    assert isinstance(bad, BadRow)
    assert bad.row == 6
    assert bad.detail.startswith("row group 3, 4 rows not read: ")
    after = list(read_files(io.BytesIO(bytes(data)), "files-0.parquet", groups=(5, 7)))
    assert [row.row for row in after] == [10, 11, 12]


def test_a_file_that_was_parquet_must_be_parquet() -> None:
    """A range of something else is nothing."""
    with pytest.raises(UnreadableFile, match="was Parquet when the run began"):
        list(read_blobs(as_json(CONTENTS), "contents-0", groups=(0, 1)))
    with pytest.raises(UnreadableFile, match="footer is damaged"):
        list(read_blobs(as_parquet(CONTENTS), "contents-0.parquet", groups=(0, 9)))


def test_only_large_files_are_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit of a small file has the file's name; those of a range count up behind it."""
    paths = write_tables(tmp_path / "in")
    units, _ = classify(find_inputs(paths))
    assert [unit.name for unit in units] == [
        f"{number:05d}-{name}-000000000000" for number, name in enumerate(sorted(TABLES))
    ]
    assert all(unit.parts[0].end is None for unit in units)
    monkeypatch.setattr(files, "MAX_UNIT_ROWS", 5)
    cut, unreadable = classify(find_inputs(paths))
    assert not unreadable
    of_files = [unit for unit in cut if unit.kind == "files"]
    assert [unit.name for unit in of_files] == [
        f"00001-files-000000000000-{number:05d}" for number in range(3)
    ]
    assert [(p.start, p.end) for unit in of_files for p in unit.parts] == [
        (0, 2),
        (2, 4),
        (4, 7),
    ]
    assert sum(unit.size for unit in of_files) == units[1].size
    assert [unit.name for unit in cut if unit.kind != "files"][-1] == units[-1].name


def test_many_bytes_are_cut_as_many_rows_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A single row group stays whole, however large it is."""
    monkeypatch.setattr(files, "MAX_UNIT_BYTES", 100)
    unit = Unit("00000-c", "contents", (Part("c", 1000, "v"),))
    cut = cut_by_groups(unit, [(1, 300), (1, 40), (1, 60), (1, 1)])
    assert [part for unit in cut for part in unit.parts] == [
        Part("c", 899, "v", 0, 1),
        Part("c", 100, "v", 1, 3),
        Part("c", 1, "v", 3, 4),
    ]
    assert cut_by_groups(unit, [(10**9, 10**12)]) == [unit]
    assert cut_by_groups(unit, []) == [unit]


def test_the_sizes_of_row_groups_are_those_of_the_file() -> None:
    """Compressed bytes; other formats have none."""
    table = pa.table({"id": ["a"] * 100, "content": ["x" * n for n in range(100)]})
    out = io.BytesIO()
    pq.write_table(table, out, row_group_size=30)
    sizes = group_sizes(out, "contents-0.parquet")
    assert [rows for rows, _ in sizes] == [30, 30, 30, 10]
    assert 0 < sum(size for _, size in sizes) < len(out.getvalue())
    assert group_sizes(as_json(CONTENTS), "contents-0.json") == []
