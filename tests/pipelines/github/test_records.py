"""The GitHub reader: equal rows from every export format, and what it makes of their columns."""

import io
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.github.records import (
    BadRow,
    BlobRow,
    FileRow,
    LanguagesRow,
    LicenseRow,
    Table,
    UnreadableFile,
    blob_of,
    frame_blobs,
    read_blobs,
    read_files,
    read_languages,
    read_licenses,
    table_of,
)
from pipelines.readers.rows import RawRow
from tests.pipelines.readers.exports import FORMATS, as_json, as_parquet, export

READERS: dict[Table, Callable[[BinaryIO, str], Iterator[Any]]] = {
    Table.CONTENTS: read_blobs,
    Table.FILES: read_files,
    Table.LICENSES: read_licenses,
    Table.LANGUAGES: read_languages,
    Table.JOINED: read_blobs,
}
LANGUAGES = [{"name": "C", "bytes": 120}, {"name": "Jupyter Notebook", "bytes": 7}]
CONTENTS_ROWS = [
    {"id": "aa", "size": 9, "content": "int\r\n\tmain", "binary": False, "copies": 3},
    {"id": "bb", "size": 2_000_000, "content": None, "binary": True, "copies": 1},
    {"id": "cc", "size": 0, "content": "", "binary": False, "copies": 1},
    {"id": "dd", "size": 8, "content": "né 漢 😀\0", "binary": False, "copies": None},
]
FILES_ROWS: list[dict[str, Any]] = [
    {
        "repo_name": "a/b",
        "ref": "refs/heads/main",
        "path": "src/ü #1.c",
        "mode": 33188,
        "id": "aa",
        "symlink_target": None,
    },
    {
        "repo_name": "a/b",
        "ref": None,
        "path": "link",
        "mode": 40960,
        "id": "bb",
        "symlink_target": "../src",
    },
]
JOINED_ROWS: list[dict[str, Any]] = [
    {
        "id": "aa",
        "size": 3,
        "content": "x=1",
        "binary": False,
        "copies": 2,
        "repo_name": "a/b",
        "path": "x.py",
        "ref": "refs/heads/main",
        "mode": 33188,
        "license": "mit",
        "language": LANGUAGES,
    }
]
ROWS: dict[Table, list[dict[str, Any]]] = {
    Table.CONTENTS: CONTENTS_ROWS,
    Table.FILES: FILES_ROWS,
    Table.LICENSES: [{"repo_name": "a/b", "license": "mit"}],
    Table.LANGUAGES: [
        {"repo_name": "a/b", "language": LANGUAGES},
        {"repo_name": "c/d", "language": []},
    ],
    Table.JOINED: JOINED_ROWS,
}
EXPECTED: dict[Table, list[Any]] = {
    Table.CONTENTS: [
        BlobRow(0, "aa", 9, "int\r\n\tmain", True, False, 3),
        BlobRow(1, "bb", 2_000_000, None, False, True, 1),
        BlobRow(2, "cc", 0, "", True, False, 1),
        BlobRow(3, "dd", 8, "né 漢 😀\0", True, False, None),
    ],
    Table.FILES: [
        FileRow(0, "a/b", "src/ü #1.c", "aa", "refs/heads/main", 33188, None),
        FileRow(1, "a/b", "link", "bb", None, 40960, "../src"),
    ],
    Table.LICENSES: [LicenseRow(0, "a/b", "mit")],
    Table.LANGUAGES: [
        LanguagesRow(0, "a/b", (("C", 120), ("Jupyter Notebook", 7))),
        LanguagesRow(1, "c/d", ()),
    ],
    Table.JOINED: [
        BlobRow(
            row=0,
            blob_id="aa",
            size=3,
            content="x=1",
            has_content=True,
            binary=False,
            copies=2,
            repo_name="a/b",
            path="x.py",
            ref="refs/heads/main",
            mode=33188,
            license="mit",
            languages=(("C", 120), ("Jupyter Notebook", 7)),
        )
    ],
}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("table", Table)
def test_every_format_gives_the_same_rows(table: Table, form: str) -> None:
    """INT64 as strings and absent columns in JSON are what numbers and NULL are elsewhere."""
    stream = export(ROWS[table], form)
    assert table_of(stream, f"part-0.{form}") == table
    assert list(READERS[table](stream, f"part-0.{form}")) == EXPECTED[table]


@pytest.mark.parametrize("form", FORMATS)
def test_without_content_all_but_the_text_is_the_same(form: str) -> None:
    """`has_content` tells an empty file from one that the export left out."""
    stream = export(CONTENTS_ROWS, form)
    rows = list(read_blobs(stream, "contents", content=False))
    assert rows == [replace(row, content=None) for row in EXPECTED[Table.CONTENTS]]


@pytest.mark.parametrize("form", FORMATS)
def test_the_file_half_of_a_joined_export(form: str) -> None:
    """`read_files` takes the file columns of a joined export."""
    stream = export(JOINED_ROWS, form)
    assert list(read_files(stream, "x")) == [
        FileRow(0, "a/b", "x.py", "aa", "refs/heads/main", 33188, None)
    ]


def test_a_joined_export_may_lack_the_blob_id() -> None:
    """The reference query's columns: content, repo_name and path suffice."""
    stream = as_parquet([{"content": "x", "repo_name": "a/b", "path": "c"}])
    assert [row.blob_id for row in read_files(stream, "x") if isinstance(row, FileRow)] == [""]
    assert [row.blob_id for row in read_blobs(stream, "x") if isinstance(row, BlobRow)] == [None]


def test_sample_columns_name_the_file() -> None:
    """`sample_contents` says where one copy of the blob is (docs/rules/sources.md 1.1)."""
    stream = as_parquet(
        [
            {
                "id": "aa",
                "content": "x",
                "sample_repo_name": "a/b",
                "sample_path": "c.py",
                "sample_ref": "refs/heads/dev",
            }
        ]
    )
    (row,) = read_blobs(stream, "contents")
    assert isinstance(row, BlobRow)
    assert (row.repo_name, row.path, row.ref) == ("a/b", "c.py", "refs/heads/dev")


class CountingStream(io.BytesIO):
    """Counts the bytes that a reader asks for."""

    bytes_read = 0

    def read(self, size: int | None = -1) -> bytes:
        """Read and count."""
        data = super().read(size)
        self.bytes_read += len(data)
        return data


def _incompressible_contents(null_size: int) -> CountingStream:
    rows: list[dict[str, Any]] = [
        {"id": f"{i}", "size": 100_000, "content": os.urandom(50_000).hex(), "binary": False}
        for i in range(40)
    ]
    rows[7] |= {"content": None, "size": null_size}
    rows[9] |= {"content": None, "binary": True}
    return CountingStream(as_parquet(rows).getvalue())


@pytest.mark.parametrize(
    ("null_size", "share"),
    [
        pytest.param(1 << 20, 0.2, id="NULLs as the export defines them"),
        pytest.param(5, 1.2, id="a NULL for no reason: the column is read"),
    ],
)
def test_parquet_projection_fetches_no_text(null_size: int, share: float) -> None:
    """4 MB of text stay where they are when binary, size and the count of NULLs tell all."""
    stream = _incompressible_contents(null_size)
    rows = list(read_blobs(stream, "contents-0.parquet", content=False))
    missing = [row.row for row in rows if isinstance(row, BlobRow) and not row.has_content]
    assert missing == [7, 9]
    assert stream.bytes_read < share * len(stream.getvalue())


@pytest.mark.parametrize(
    ("columns", "table"),
    [
        ("id size content binary copies", Table.CONTENTS),
        ("id size content binary copies sample_repo_name sample_path", Table.CONTENTS),
        ("repo_name ref path mode id symlink_target", Table.FILES),
        ("content repo_name path", Table.JOINED),
        ("content repo_name path id license copies size", Table.JOINED),
        ("repo_name license", Table.LICENSES),
        ("repo_name languages", Table.LANGUAGES),
    ],
)
def test_a_table_is_known_by_its_columns(columns: str, table: Table) -> None:
    """Whatever the file is called."""
    stream = as_json([dict.fromkeys(columns.split(), "x")])
    assert table_of(stream, "files-000.json") == table


@pytest.mark.parametrize("table", [t for t in Table if t is not Table.JOINED])
def test_an_empty_shard_is_known_by_its_name(table: Table) -> None:
    """BigQuery writes shards without rows."""
    assert table_of(io.BytesIO(), f"gs://bucket/x/{table}-000000000007.json") == table
    assert list(READERS[table](io.BytesIO(), f"{table}-000000000007.json")) == []


def test_the_name_breaks_a_tie() -> None:
    """A file with licence and languages is read as what it is called."""
    stream = as_json([{"repo_name": "a/b", "license": "mit", "language": []}])
    assert table_of(stream, "licenses-0.json") == Table.LICENSES
    assert table_of(stream, "languages-0.json") == Table.LANGUAGES
    with pytest.raises(UnreadableFile, match=r"part\.json: .* several tables"):
        table_of(stream, "part.json")


def test_an_unknown_table_lists_its_columns() -> None:
    """The message says what was found, and what would be taken."""
    stream = as_parquet([{"commit": "x", "author": "y"}])
    with pytest.raises(UnreadableFile, match=r"commits\.parquet: the columns are author, commit"):
        table_of(stream, "commits.parquet")


def test_the_wrong_table_says_which_column_it_lacks() -> None:
    """A schema that cannot hold the rows is the file's fault, not each row's."""
    stream = as_parquet(ROWS[Table.LICENSES])
    with pytest.raises(UnreadableFile, match="no column 'path', the columns are license"):
        list(read_files(stream, "licenses-0.parquet"))


@pytest.mark.parametrize(
    "value",
    [
        pytest.param([{"name": "C", "bytes": 12}], id="numbers"),
        pytest.param([{"name": "C", "bytes": "12"}, {"bytes": "3"}, 5], id="strings and strays"),
        pytest.param({"list": [{"element": {"name": "C", "bytes": 12}}]}, id="list not inferred"),
    ],
)
def test_shapes_of_a_repeated_record(value: Any) -> None:
    """Repeated records are arrays of objects, or what a Parquet reader without lists passes on."""
    stream = as_json([{"repo_name": "a/b", "language": value}])
    assert list(read_languages(stream, "x")) == [LanguagesRow(0, "a/b", (("C", 12),))]


def test_parquet_types_of_other_writers() -> None:
    """Dictionaries, large and binary strings read as strings."""
    table = pa.table(
        {
            "repo_name": pa.array(["a/b", "a/b"]).dictionary_encode(),
            "path": pa.array(["é", "y"], pa.large_string()),
            "id": pa.array([b"aa", b"b\xff"], pa.binary()),
            "mode": pa.array(["33188", None], pa.string()),
        }
    )
    out = io.BytesIO()
    pq.write_table(table, out)
    assert list(read_files(out, "x")) == [
        FileRow(0, "a/b", "é", "aa", None, 33188),
        FileRow(1, "a/b", "y", "b\ufffd", replaced=1),
    ]


def test_a_parquet_column_of_a_strange_type_is_refused() -> None:
    """A timestamp for a path is no row's fault."""
    table = pa.table({"repo_name": ["a"], "license": pa.array([0], pa.timestamp("ns"))})
    out = io.BytesIO()
    pq.write_table(table, out)
    with pytest.raises(UnreadableFile, match=r"column 'license' is timestamp\[ns\]"):
        list(read_licenses(out, "x"))


def test_the_stream_stays_open_and_is_read_from_its_start() -> None:
    """The caller closes what it opened."""
    stream = as_parquet(FILES_ROWS)
    stream.seek(11)
    assert table_of(stream, "x") == Table.FILES
    assert len(list(read_files(stream, "x"))) == len(list(read_files(stream, "x")))
    assert not stream.closed


def _real_exports() -> Iterator[Any]:
    beside = Path(__file__).parents[4] / "shared" / "data"
    folder = Path(os.environ.get("CORPUSMILL_DATA", beside)) / "github"
    for path in sorted(folder.glob("*.parquet")):
        yield pytest.param(path, id=path.stem)
    if not folder.is_dir():
        missing = pytest.mark.skip(reason=f"no real data: set CORPUSMILL_DATA ({folder} is absent)")
        yield pytest.param(folder, marks=missing, id="real data")


@pytest.mark.data
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("path", list(_real_exports()))
def test_real_exports_in_every_format(path: Path, form: str) -> None:
    """Row for row what Arrow's own conversion of the real Parquet files gives."""
    expected = pq.read_table(path).to_pylist()
    stream = io.BytesIO(path.read_bytes()) if form == "parquet" else export(expected, form)
    name = f"{path.stem}.{form}"
    table = table_of(stream, name)
    assert table == path.stem.split("-")[0]
    for row, values in zip(READERS[table](stream, name), expected, strict=True):
        assert not isinstance(row, BadRow)
        assert _columns(row) == {key: values[key] for key in _columns(row)}
        assert not getattr(row, "replaced", 0)


def _columns(row: BlobRow | FileRow | LicenseRow | LanguagesRow) -> dict[str, Any]:
    """Give a row the names of its columns again."""
    if isinstance(row, LanguagesRow):
        languages = [{"name": name, "bytes": size} for name, size in row.languages]
        return {"repo_name": row.repo_name, "language": languages}
    if isinstance(row, LicenseRow):
        return {"repo_name": row.repo_name, "license": row.license}
    if isinstance(row, FileRow):
        return {
            "repo_name": row.repo_name,
            "path": row.path,
            "id": row.blob_id,
            "ref": row.ref,
            "mode": row.mode,
            "symlink_target": row.symlink_target,
        }
    assert row.has_content == (row.content is not None)
    return {
        "id": row.blob_id,
        "size": row.size,
        "content": row.content,
        "binary": row.binary,
        "copies": row.copies,
        "sample_repo_name": row.repo_name,
        "sample_path": row.path,
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("007", 7),
        ("9" * 18, 10**18 - 1),
        (str((1 << 63) - 1), (1 << 63) - 1),
        (str(1 << 63), None),
        (str(-1 << 63), -1 << 63),
        ("9" * 30, None),
        ("٣", None),
        ("²", None),
        ("1_0", None),
        (" 1", None),
        ("", None),
    ],
)
def test_an_integer_as_json_writes_it(text: str, value: int | None) -> None:
    """A string of ASCII digits that fits in 64 bits, and nothing else that ``int`` takes."""
    line = json.dumps({"id": "aa", "size": text}).encode()
    (row,) = read_blobs(io.BytesIO(line), "contents")
    assert isinstance(row, BlobRow)
    assert row.size == value


@pytest.mark.parametrize("form", FORMATS)
def test_without_languages_all_else_is_the_same(form: str) -> None:
    """Claims need no languages, of which every row of a joined export has a list."""
    rows = [
        {"repo_name": "a/b", "path": "c.py", "id": "aa", "content": "x", "mode": 33188}
        | {"license": "mit", "language": [{"name": "C", "bytes": 12}]}
    ]
    (raw,) = frame_blobs(export(rows, form), "x")
    assert isinstance(raw, RawRow)
    whole, without = blob_of(raw), blob_of(raw, languages=False)
    assert isinstance(whole, BlobRow)
    assert whole.languages == (("C", 12),)
    assert without == replace(whole, languages=())
