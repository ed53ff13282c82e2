"""What is too large is named and read past, whatever the machine's memory (findings F19, F21)."""

import gzip
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.github.records import BlobRow, read_blobs
from pipelines.readers import avro, wet
from pipelines.readers.rows import MAX_ROW_BYTES, BadRow
from pipelines.readers.wet import WetPage, read_wet
from pipelines.samples.dumps import WikiPage, whole_xml
from pipelines.wikipedia import records as wikipedia
from tests.pipelines.readers.archives import conversion, packed
from tests.pipelines.readers.exports import FORMATS, export

MAX_MEMORY = 700 << 20  # bytes of a process with its libraries; 0.1 to 0.6 GB were measured
LARGE = 126_000_000
BELOW = "import sys; sys.path.insert(0, '.')\n"
READ = (
    BELOW
    + """
import importlib
module, function, path = sys.argv[1:]
read = getattr(importlib.import_module(module), function)
with open(path, "rb") as stream:
    for row in read(stream, "x"):
        print(getattr(row, "reason", "good"))
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) << 10)
"""
)


def reasons(path: Path, function: str) -> tuple[list[str], int]:
    """Read a file in a process of its own: the reasons or "good", and the peak of its memory."""
    module, _, name = function.rpartition(".")
    command = [sys.executable, "-c", READ, module, name, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    *found, peak = done.stdout.split()
    return found, int(peak)


def table(texts: list[str], *, dictionary: bool) -> bytes:
    """Write `contents` as Parquet."""
    out = io.BytesIO()
    columns = {"id": [str(i) for i in range(len(texts))], "content": texts}
    pq.write_table(pa.table(columns), out, compression="zstd", use_dictionary=dictionary)
    return out.getvalue()


def blobs(text: str, count: int) -> bytes:
    """Write `contents` as Avro, a block a row."""
    out = io.BytesIO()
    fields = [{"name": "id", "type": "string"}, {"name": "content", "type": "string"}]
    schema = {"type": "record", "name": "Root", "fields": fields}
    rows = [{"id": str(i), "content": text if i else "x"} for i in range(count)]
    fastavro.writer(out, schema, rows, codec="deflate", sync_interval=1)
    return out.getvalue()


def lines(text: bytes, count: int) -> bytes:
    """Write `contents` as gzipped JSON lines."""
    row = b'{"id": "aa", "content": "%s"}\n'
    return gzip.compress(row % b"x" + (row % text) * count)


WET = "pipelines.readers.wet.read_wet"
BLOBS = "pipelines.github.records.read_blobs"
FILES: dict[str, tuple[Callable[[], bytes], str, list[str]]] = {
    "WET, a line of 60 MB": (
        lambda: packed(conversion(), conversion(b"a" * 60_000_000), conversion()),
        WET,
        ["good", "too_large", "good"],
    ),
    "WET, 31 million lines": (
        lambda: packed(conversion(), conversion(b"a\n" * 31_000_000), conversion()),
        WET,
        ["good", "too_large", "good"],
    ),
    "WET, 8 million lines in 16 MB": (
        lambda: packed(conversion(), conversion(b"a\n" * 8_000_000), conversion()),
        WET,
        ["good", "too_large", "good"],
    ),
    "Parquet, 16 texts of 126 MB": (
        lambda: table([f"{i}{'a' * LARGE}" for i in range(4)], dictionary=False),
        BLOBS,
        ["too_large"] * 4,
    ),
    "Parquet, one of 126 MB in a dictionary": (
        lambda: table(["a" * LARGE] * 4 + ["b"] * 16, dictionary=True),
        BLOBS,
        ["too_large"] * 4 + ["good"] * 16,
    ),
    "Parquet, one of 7 MB in a dictionary": (
        lambda: table(["a" * (7 << 20)] * 60, dictionary=True),
        BLOBS,
        ["good"] * 60,
    ),
    "Avro": (lambda: blobs("a" * LARGE, 4), BLOBS, ["good", *["too_large"] * 3]),
    "JSON lines": (lambda: lines(b"a" * LARGE, 3), BLOBS, ["good", *["too_large"] * 3]),
}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="tells memory by /proc")
@pytest.mark.parametrize(("make", "read", "expected"), FILES.values(), ids=FILES)
def test_memory_is_bounded(
    make: Callable[[], bytes], read: str, expected: list[str], tmp_path: Path
) -> None:
    """A file of some kB or MB took up to 5.9 GB; what it holds is named."""
    path = tmp_path / "file"
    path.write_bytes(make())
    found, peak = reasons(path, read)
    assert found == expected
    assert peak < MAX_MEMORY


@pytest.mark.parametrize("form", FORMATS)
def test_a_row_at_the_limit(form: str) -> None:
    """In each format a text just below it is read, and one above it is named, with its row."""
    texts = ["a", "b" * (MAX_ROW_BYTES - 1000), "c" * (MAX_ROW_BYTES + 1), "d"]
    rows = [{"id": text[0], "content": text} for text in texts]
    found = list(read_blobs(export(rows, form), "x"))
    good = [(row.row, row.blob_id, row.content) for row in found if isinstance(row, BlobRow)]
    assert good == [(i, texts[i][0], texts[i]) for i in (0, 1, 3)]
    (bad,) = [row for row in found if isinstance(row, BadRow)]
    assert (bad.row, bad.reason) == (2, "too_large")


def test_a_block_of_avro_that_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is one bad row; the blocks around it, and damage after it, are told as always."""
    monkeypatch.setattr(avro, "MAX_BLOCK_BYTES", 5000)
    rows = [{"id": str(i), "content": "x" * (9000 if i in (1, 3) else 10)} for i in range(4)]
    for codec in ("null", "deflate", "snappy", "bzip2", "xz"):
        out = io.BytesIO()
        fields = [{"name": "id", "type": "string"}, {"name": "content", "type": "string"}]
        schema = {"type": "record", "name": "Root", "fields": fields}
        fastavro.writer(out, schema, rows, codec=codec, sync_interval=10)
        found = list(read_blobs(io.BytesIO(out.getvalue()), "x"))
        assert [getattr(row, "reason", "good") for row in found] == [
            *("good", "too_large", "good", "too_large"),
        ]
        assert [row.row for row in found] == [0, 1, 2, 3]
        cut = list(read_blobs(io.BytesIO(out.getvalue()[:-3]), "x"))
        assert getattr(cut[-1], "reason", "") == "truncated_file"


def test_the_lines_of_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as the limit are read."""
    monkeypatch.setattr(wet, "MAX_PAGE_LINES", 10)
    pages = (conversion(b"a\n" * 10), conversion(b"a\n" * 11), conversion())
    good, bad, other = read_wet(io.BytesIO(packed(*pages)), "x")
    assert isinstance(good, WetPage)
    assert bad == BadRow(1, "too_large", "over 10 lines: http://example.com/")
    assert isinstance(other, WetPage)


def test_a_tag_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Expat would hold it whole; the pages before and after are read."""
    monkeypatch.setattr("pipelines.wikipedia.export.MAX_TAG_BYTES", 100_000)
    pages = [WikiPage(i, f"T{i}", "text " * 50_000) for i in (1, 2, 3)]
    data = whole_xml("enwiki", pages)
    tag = b"<text " + b"a" * 9_000_000
    place = data.index(b"<text", data.index(b"T2"))
    bad = data[:place] + tag + data[place + len(b"<text ") :]
    found = list(wikipedia.read_pages(io.BytesIO(bad), "x"))
    assert [row.title if isinstance(row, wikipedia.Page) else row.reason for row in found] == [
        *("T1", "too_large", "T3"),
    ]
