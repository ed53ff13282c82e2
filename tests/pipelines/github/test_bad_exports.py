"""Damaged and hostile exports: every row is read, or counted with a reason; nothing raises."""

import gzip
import io
import json
import random
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.github.records import (
    BadRow,
    BlobRow,
    FileRow,
    Table,
    UnreadableFile,
    read_blobs,
    read_files,
    read_languages,
    read_licenses,
    table_of,
)
from pipelines.readers import jsonlines
from tests.pipelines.readers.exports import as_avro, as_json, as_parquet

READERS = (read_files, read_blobs, read_licenses, read_languages)
FILES = [{"repo_name": f"owner/{i}", "path": f"{i}.py", "id": f"{i:040}"} for i in range(1000)]


def bad_rows(data: bytes) -> list[tuple[int, str, str]]:
    """Read `contents` from JSON lines; returns what is bad."""
    rows = read_blobs(io.BytesIO(data), "contents-0.json")
    return [(row.row, row.reason, row.detail) for row in rows if isinstance(row, BadRow)]


GOOD = b'{"id": "aa", "content": "x"}\n'


@pytest.mark.parametrize(
    ("line", "reason", "detail"),
    [
        (
            b'{"id": "a',
            "bad_json",
            'Invalid control character at: line 1 column 10 (char 9): {"id": "a',
        ),
        (b"garbage", "bad_json", "Expecting value: line 1 column 1 (char 0): garbage"),
        (b"\x00\x00", "bad_json", "Expecting value: line 1 column 1 (char 0): \0\0"),
        (b"[1, 2]", "bad_json", "not an object: [1, 2]"),
        (b'"text"', "bad_json", 'not an object: "text"'),
        (b"null", "bad_json", "not an object: null"),
        (b'{"id": "raw \x01 control"}', "bad_json", "Invalid control character"),
        (b"[" * 100_000, "bad_json", "maximum recursion depth exceeded"),
        (b'{"size": ' + b"9" * 5000 + b"}", "bad_json", "Exceeds the limit"),
        (b'{"content": "x"}', "missing_field", 'id: {"content": "x"}'),
        (b'{"id": null}', "missing_field", "id: {}"),
        (b'{"id": "", "size": "3"}', "missing_field", 'id: {"id": "", "size": "3"}'),
        (b'{"id": 7}', "wrong_type", 'id: {"id": 7}'),
        (
            b'{"id": "aa", "content": ["x"]}',
            "wrong_type",
            'content: {"id": "aa", "content": "list"}',
        ),
    ],
)
def test_a_bad_line_is_one_bad_row(line: bytes, reason: str, detail: str) -> None:
    """The rows before and after it are read, and keep their numbers."""
    data = GOOD + line + b"\n" + GOOD
    ((number, found, shown),) = bad_rows(data)
    assert (number, found) == (1, reason)
    assert shown.startswith(detail)
    assert [row.row for row in read_blobs(io.BytesIO(data), "contents-0.json")] == [0, 1, 2]


@pytest.mark.parametrize(
    "value", [b'"abc"', b"true", b"1.5", b"[1]", b'"9223372036854775808"', b"1e999"]
)
def test_a_number_that_is_none_is_unknown(value: bytes) -> None:
    """No file is lost for its size."""
    (row,) = read_blobs(io.BytesIO(b'{"id": "aa", "size": %s, "copies": "2"}' % value), "contents")
    assert row == BlobRow(0, "aa", None, None, has_content=False, binary=False, copies=2)


def test_blank_lines_are_not_rows() -> None:
    """Nor is a byte order mark data."""
    rows = list(read_blobs(io.BytesIO(b"\xef\xbb\xbf\n" + GOOD + b"\n\r\n" + GOOD), "contents"))
    assert [row.row for row in rows] == [0, 1]
    assert not any(isinstance(row, BadRow) for row in rows)


def test_lone_surrogates_do_not_reach_the_text() -> None:
    """An escaped half of a pair becomes U+FFFD and is counted; a whole pair is a character."""
    line = rb'{"id": "aa", "content": "\ud800 \uD83D\uDE00 \udfff", "path": "\uDC00"}'
    (row,) = read_blobs(io.BytesIO(line), "contents")
    assert isinstance(row, BlobRow)
    assert row.content == "\ufffd 😀 \ufffd"
    assert row.replaced == 3


def test_an_escaped_nul_stays_in_the_text() -> None:
    """It is for the filters to drop (docs/rules/sources.md 1.2, step 5)."""
    (row,) = read_blobs(io.BytesIO(rb'{"id": "aa", "content": "a\u0000b"}'), "contents")
    assert isinstance(row, BlobRow)
    assert row.content == "a\0b"


@pytest.mark.parametrize("form", ["parquet", "json", "avro"])
def test_bytes_that_are_not_utf8_are_replaced_and_counted(form: str) -> None:
    """A document is not lost for one bad byte (docs/rules/sources.md 0.2, rule 6)."""
    rows = [{"id": "aa", "content": "caf@@ \ufffd"}, {"id": "bb", "content": "é"}]
    if form == "parquet":
        text = pa.array([b"caf\xe9\xe9 \xef\xbf\xbd", "é".encode()], pa.binary())
        strings = pa.Array.from_buffers(pa.string(), len(text), text.buffers())
        stream = io.BytesIO()
        pq.write_table(pa.table({"id": ["aa", "bb"], "content": strings}), stream)
    else:
        whole = (as_json(rows) if form == "json" else as_avro(rows)).getvalue()
        stream = io.BytesIO(whole.replace(b"@@", b"\xe9\xe9"))
    assert list(read_blobs(stream, "contents")) == [
        BlobRow(0, "aa", None, "caf\ufffd\ufffd \ufffd", True, False, None, replaced=2),
        BlobRow(1, "bb", None, "é", True, False, None),
    ]


@pytest.mark.parametrize("packed", [False, True])
def test_a_huge_line_is_skipped_without_being_held(
    monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    """Whatever it holds, the next line is the next row."""
    monkeypatch.setattr(jsonlines, "MAX_ROW_BYTES", 100)
    exact = b'{"id": "%s"}' % (b"b" * 89)
    data = GOOD + b'{"id": "%s"}\n' % (b"a" * 950) + exact + b"\n " + exact + b"\n" + GOOD
    rows = list(read_blobs(io.BytesIO(gzip.compress(data) if packed else data), "contents"))
    assert [row.row for row in rows if not isinstance(row, BadRow)] == [0, 2, 4]
    assert [(row.row, row.reason) for row in rows if isinstance(row, BadRow)] == [
        (1, "too_large"),
        (3, "too_large"),
    ]


def read_until_damage(stream: BinaryIO, name: str) -> tuple[int, BadRow]:
    """Read `files`; returns the number of good rows, which are FILES in order, and the damage."""
    *rows, bad = read_files(stream, name)
    assert isinstance(bad, BadRow)
    assert bad.reason == "truncated_file"
    assert bad.row == len(rows)
    for row, file in zip(rows, FILES, strict=False):
        assert isinstance(row, FileRow)
        assert (row.repo_name, row.path, row.blob_id) == tuple(file.values())
    return len(rows), bad


def test_a_cut_gzip_gives_the_rows_before_the_cut() -> None:
    """Then one bad row for all that is missing."""
    data = as_json(FILES, packed=True).getvalue()
    count, bad = read_until_damage(io.BytesIO(data[: len(data) // 2]), "files-0.json.gz")
    assert 300 < count < 700
    assert bad.detail.startswith("EOFError: Compressed file ended")


def test_a_gzip_with_a_wrong_checksum_is_damaged() -> None:
    """All rows are there, but one of them may be wrong."""
    data = bytearray(as_json(FILES, packed=True).getvalue())
    data[-5] ^= 1
    count, bad = read_until_damage(io.BytesIO(bytes(data)), "files-0.json.gz")
    assert count == len(FILES)
    assert "CRC check failed" in bad.detail or "Incorrect length" in bad.detail


def test_a_parquet_whose_third_row_group_is_damaged() -> None:
    """The groups before it are read; the detail says what is lost."""
    stream = as_parquet(FILES, row_group_size=100)
    chunk = pq.ParquetFile(stream).metadata.row_group(2).column(0)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    data = bytearray(stream.getvalue())
    data[start : start + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    count, bad = read_until_damage(io.BytesIO(bytes(data)), "files-0.parquet")
    assert count == 200
    assert bad.detail.startswith("row group 2, 800 rows not read: ")


@pytest.mark.parametrize("codec", ["null", "deflate", "snappy"])
def test_a_cut_avro_gives_the_blocks_before_the_cut(codec: str) -> None:
    """A block that is not whole gives nothing."""
    data = as_avro(FILES, codec, sync_interval=2000).getvalue()
    count, _ = read_until_damage(io.BytesIO(data[: len(data) // 2]), "files-0.avro")
    assert 300 < count < 700


def test_damage_anywhere_never_raises() -> None:
    """Parquet and Avro with wrong bytes in places: rows, bad rows, or an unreadable file."""
    rng = random.Random(7)
    whole = [as_parquet(FILES, 100).getvalue(), as_avro(FILES, "deflate", 2000).getvalue()]
    ends: set[type] = set()
    for attempt in range(200):
        data = bytearray(whole[attempt % 2])
        for _ in range(rng.choice([1, 1, 5])):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            ends.add(type(list(read_files(io.BytesIO(bytes(data)), "files"))[-1]))
        except UnreadableFile as error:
            assert str(error).startswith("files: ")  # noqa: PT017 -- either end is right
            ends.add(UnreadableFile)
    assert {FileRow, BadRow} <= ends


@pytest.mark.parametrize(
    ("data", "name", "problem"),
    [
        (as_parquet(FILES).getvalue()[:-20], "files-0.parquet", "the Parquet footer is damaged"),
        (b"<html>", "files-0.parquet", "does not start with b'PAR1'"),
        (b"", "files-0.parquet", "does not start with b'PAR1'"),
        (b"<html>", "files-0.avro", "does not start with b'Obj"),
        (as_avro(FILES).getvalue()[:30], "files-0.avro", "the Avro header is damaged"),
        (b"<html>", "files-0.json.gz", "is not gzip"),
    ],
)
def test_an_unreadable_file_says_so(data: bytes, name: str, problem: str) -> None:
    """With its name, what is wrong, and what to do."""
    with pytest.raises(UnreadableFile, match=f"^{name}: {problem}"):
        list(read_files(io.BytesIO(data), name))
    with pytest.raises(UnreadableFile, match=r"(fetch the file|Fetch it) again$|again \("):
        table_of(io.BytesIO(data), name)


def test_lines_that_a_store_unpacked_keep_the_gz_name() -> None:
    """Transparent decompression is no damage."""
    lines = as_json(FILES).getvalue()
    assert table_of(io.BytesIO(lines), "files-0.json.gz") == Table.FILES
    assert table_of(io.BytesIO(b"\xef\xbb\xbf\n" + lines), "files-0.json.gz") == Table.FILES


class LostConnection(io.BytesIO):
    """A stream that fails by itself after ``allowed`` bytes."""

    allowed = 0

    def read(self, size: int | None = -1) -> bytes:
        """Read, or fail."""
        if self.tell() >= self.allowed:
            raise ConnectionResetError("the store hung up")
        return super().read(size)


@pytest.mark.parametrize("form", ["parquet", "json", "json.gz", "avro"])
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_an_error_of_the_stream_is_not_the_files(form: str, share: float) -> None:
    """It is passed on, so that the unit is tried again."""
    rows = [dict(file, path=random.Random(i).randbytes(200).hex()) for i, file in enumerate(FILES)]
    whole = {
        "parquet": lambda: as_parquet(rows, 100),
        "json": lambda: as_json(rows),
        "json.gz": lambda: as_json(rows, packed=True),
        "avro": lambda: as_avro(rows),
    }[form]()
    stream = LostConnection(whole.getvalue())
    stream.allowed = int(share * len(whole.getvalue()))
    with pytest.raises(ConnectionResetError, match="hung up"):
        list(read_files(stream, f"files-0.{form}"))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
KEYS = st.sampled_from(
    ["id", "content", "size", "repo_name", "path", "license", "language", "mode"]
)
LINES = st.binary() | st.dictionaries(KEYS, JSON_VALUES).map(lambda row: json.dumps(row).encode())


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(LINES), st.sampled_from(["contents-0.json", "x.json.gz", "languages"]))
def test_no_bytes_make_a_reader_raise(lines: list[bytes], name: str) -> None:
    """Anything but UnreadableFile; all text can be encoded, and rows are numbered in order."""
    stream = io.BytesIO(b"\n".join(lines))
    for read in READERS:
        try:
            rows = list(read(stream, name))
        except UnreadableFile:
            continue
        assert [row.row for row in rows] == list(range(len(rows)))
        repr(rows).encode()
        for row in rows:
            text = row.detail if isinstance(row, BadRow) else getattr(row, "content", "")
            (text or "").encode()
