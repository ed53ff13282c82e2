"""GitHub from its tables to its documents, on an export in which every decision occurs once."""

import itertools
import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.__main__ import main
from pipelines.commands.flags import COMPLETE_WITH_LOSSES
from pipelines.engine.documents import Document
from pipelines.engine.stages import Keep
from pipelines.github.files import gate_document
from pipelines.github.records import FileRow
from pipelines.github.source import GithubConfig, cleaning, gates
from pipelines.readers import jsonlines
from tests.pipelines.github.github_export import (
    BODY,
    FILES,
    OTHER,
    content,
    curate,
    read,
    texts,
    write_joined,
    write_tables,
)
from tests.pipelines.readers.exports import FORMATS, export
from tokenizer.corpus import Corpus
from tokenizer.train import TrainSettings, train

REJECTED = {
    "gpl/one/gpl.py": ("github.license", "license_not_allowed"),
    "none/one/none.py": ("github.license", "no_license"),
    "mit/one/link.py": ("github.path", "symlink"),
    "mit/one/vendor/stack.py": ("github.path", "vendored"),
    "mit/one/photo.jpg": ("github.extension", "extension_not_allowed"),
    "mit/two/stack.py": ("github.blob", "duplicate_blob"),
    "mit/one/image.py": ("github.blob", "binary"),
    "mit/one/large.py": ("github.blob", "no_content"),
    "mit/one/lost.py": ("github.blob", "no_content"),
    "mit/one/long.py": ("github.quality", "max_line_length"),
    "mit/two/total.py": ("github.duplicate_text", "duplicate_text"),
}


@pytest.fixture(scope="module")
def tables_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run over the tables."""
    folder = tmp_path_factory.mktemp("github")
    assert curate(folder / "run", write_tables(folder / "in")) == 0
    return folder / "run"


def _place(row: dict[str, object]) -> str:
    meta = row["meta"]
    assert isinstance(meta, dict)
    return f"{meta['repo_name']}/{meta['path']}"


def test_every_file_that_is_not_kept_says_why(tables_run: Path) -> None:
    """Licence, path, extension, blob, quality, text: the first stage that drops a file names it."""
    rejected = {_place(r): (r["stage"], r["reason"]) for r in read(tables_run, "rejects")}
    assert rejected == REJECTED


def test_of_equal_blobs_and_of_equal_texts_the_smallest_path_survives(tables_run: Path) -> None:
    """Each has its count of copies, without the vendored one (docs/rules/sources.md 1.6)."""
    kept = {_place(r): (r["text"], r["meta"]["copies"]) for r in read(tables_run)}
    assert kept == {"mit/one/total.py": (BODY, 2), "mit/one/stack.py": (OTHER, 2)}


def test_a_document_says_where_it_is_from(tables_run: Path) -> None:
    """Its page, licence and the languages of its repository (docs/rules/sources.md 1.7)."""
    row = next(r for r in read(tables_run) if r["meta"]["path"] == "total.py")
    assert row["id"] == "github:aa01"
    assert row["url"] == "https://github.com/mit/one/blob/main/total.py"
    assert (row["source"], row["license"]) == ("github", "MIT")
    assert row["meta"]["repo_languages"] == {"Python": 120}


def test_every_record_is_kept_rejected_or_bad(tables_run: Path) -> None:
    """Conservation, by number and by name (docs/architecture.md)."""
    stats = json.loads((tables_run / "stats.json").read_text())
    assert stats["records_read"] == len(FILES) == stats["documents"] + stats["rejected"]
    assert stats["bad_records"] == 0
    seen = Counter(_place(r) for r in read(tables_run) + read(tables_run, "rejects"))
    assert seen == Counter(f"{file['repo_name']}/{file['path']}" for file in FILES)


def test_the_manifest_lists_exactly_the_files(tables_run: Path) -> None:
    """By path and size; nothing else is left, and ``staged/`` is gone."""
    manifest = json.loads((tables_run / "manifest.json").read_text())
    found = {
        f"{folder}/{path.name}": path.stat().st_size
        for folder in ("documents", "rejects")
        for path in (tables_run / folder).iterdir()
    }
    assert {file["path"]: file["bytes"] for file in manifest["files"]} == found
    assert not (tables_run / "staged").exists()


def test_bad_lines_are_counted_and_cost_no_other_line(tmp_path: Path) -> None:
    """Garbage in ``files``: two bad records more, the same documents."""
    paths = write_tables(tmp_path / "in", "json")
    damaged = next(path for path in paths if "files-" in path)
    with Path(damaged).open("ab") as stream:
        stream.write(b'{"repo_name": "mit/o\n\xff\xfe garbage\n')
    assert curate(tmp_path / "run", paths) == 0
    stats = json.loads((tmp_path / "run" / "stats.json").read_text())
    assert stats["bad_records_by_reason"] == {"bad_json": 2}
    assert stats["records_read"] == len(FILES) + 2
    assert stats["documents"] + stats["rejected"] + 2 == stats["records_read"]
    assert texts(tmp_path / "run") == sorted([BODY, OTHER])
    bad = [r for r in read(tmp_path / "run", "rejects") if r["stage"] == "github.read"]
    assert [r["reason"] for r in bad] == ["bad_json", "bad_json"]


@pytest.mark.parametrize("form", FORMATS[1:])
def test_every_format_gives_the_same_documents(tables_run: Path, tmp_path: Path, form: str) -> None:
    """JSON lines (integers as strings), Avro, and Parquet hold the same rows."""
    assert curate(tmp_path / "run", write_tables(tmp_path / "in", form)) == 0
    assert read(tmp_path / "run") == read(tables_run)


@pytest.mark.parametrize("form", ["json", "parquet"])
def test_the_joined_export_gives_the_documents_of_the_tables(
    tables_run: Path, tmp_path: Path, form: str
) -> None:
    """And rejects the same files for the same reasons."""
    assert curate(tmp_path / "run", write_joined(tmp_path / "in", form)) == 0
    assert texts(tmp_path / "run") == texts(tables_run)
    rejects = read(tmp_path / "run", "rejects")
    assert {_place(r): (r["stage"], r["reason"]) for r in rejects} == REJECTED


def test_the_redpajama_profile_keeps_what_redpajama_keeps(tmp_path: Path) -> None:
    """Vendored files count, and equal code under another year stays (no second key)."""
    inputs = write_tables(tmp_path / "in")
    assert curate(tmp_path / "run", inputs, "--profile", "redpajama") == 0
    kept = {_place(r): r["meta"]["copies"] for r in read(tmp_path / "run")}
    assert kept == {"mit/one/total.py": 1, "mit/two/total.py": 1, "mit/one/stack.py": 3}


def test_two_processes_give_the_bytes_of_one(tables_run: Path, tmp_path: Path) -> None:
    """The number of workers shows nowhere (docs/architecture.md)."""
    inputs = write_tables(tmp_path / "in")
    assert curate(tmp_path / "run", inputs, "--workers", "2") == 0
    assert content(tmp_path / "run") == content(tables_run)


def test_inputs_named_in_another_order_give_the_same_bytes(
    tables_run: Path, tmp_path: Path
) -> None:
    """Units follow from the sorted inputs, and a file named twice is read once."""
    inputs = write_tables(tmp_path / "in")
    assert curate(tmp_path / "run", [*reversed(inputs), inputs[0]]) == 0
    assert content(tmp_path / "run") == content(tables_run)


def test_a_complete_run_is_left_alone(tmp_path: Path) -> None:
    """The same command again writes nothing."""
    inputs = write_tables(tmp_path / "in")
    assert curate(tmp_path / "run", inputs) == 0
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")}
    assert curate(tmp_path / "run", inputs) == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")} == before


@pytest.mark.parametrize(("policy", "kept"), [("none", 0), ("ids", len(REJECTED))])
def test_the_policy_decides_what_is_kept_of_rejects(tmp_path: Path, policy: str, kept: int) -> None:
    """``none`` writes no file, ``ids`` no text; the counts stay."""
    assert curate(tmp_path / "run", write_tables(tmp_path / "in"), "--rejects", policy) == 0
    rejects = read(tmp_path / "run", "rejects")
    assert [r["text"] for r in rejects] == [""] * kept
    stats = json.loads((tmp_path / "run" / "stats.json").read_text())
    assert stats["rejected"] == len(REJECTED)


_BESIDE = Path(__file__).parents[4] / "shared" / "data"
_REAL = Path(os.environ.get("CORPUSMILL_DATA", _BESIDE)) / "github"


def redpajama_text(text: str) -> str:
    """Remove the headers that docs/rules/sources.md 1.4 says RedPajama removes."""
    if comment := re.search(r"/\*.*?\*/", text, re.DOTALL):
        if "copyright" in comment.group().lower():
            return text[: comment.start()] + text[comment.end() :]
        return text
    is_header = ("//", "#", "--")
    lines = itertools.dropwhile(
        lambda line: not line or line.startswith(is_header), text.split("\n")
    )
    return "\n".join(lines)


@pytest.mark.data
@pytest.mark.skipif(not _REAL.is_dir(), reason=f"no real data: set CORPUSMILL_DATA ({_REAL})")
def test_the_texts_of_profile_redpajama_on_the_real_tables(tmp_path: Path) -> None:
    """They are RedPajama's, also with byte order marks and carriage returns."""
    inputs = [f"{_REAL}/*.parquet"]
    assert curate(tmp_path / "run", inputs, "--profile", "redpajama") == 0
    raw = {
        f"github:{row['id']}": row["content"]
        for path in _REAL.glob("contents*")
        for row in pq.read_table(path, columns=["id", "content"]).to_pylist()
    }
    documents = read(tmp_path / "run")
    expected = [redpajama_text(raw[row["id"]]) for row in documents]
    assert sum(text.startswith("\ufeff") for text in expected) > 100
    assert sum("\r" in text for text in expected) == 10
    assert [row["text"] for row in documents] == expected


@pytest.mark.data
@pytest.mark.skipif(not _REAL.is_dir(), reason=f"no real data: set CORPUSMILL_DATA ({_REAL})")
def test_the_real_tables_are_accounted_for(tmp_path: Path) -> None:
    """Conservation, and documents, on the real export."""
    assert curate(tmp_path / "run", [f"{_REAL}/*.parquet"]) == 0
    stats = json.loads((tmp_path / "run" / "stats.json").read_text())
    accounted = stats["documents"] + stats["rejected"] + stats["bad_records"]
    assert stats["records_read"] == accounted
    assert stats["documents"] > 0


def test_redpajama_counts_letters_a_token(tmp_path: Path) -> None:
    """The rule needs a tokenizer, and drops what is mostly signs (docs/rules/sources.md 1.5)."""
    lines = [f"value_{i} = [{i}, {i * 7}, '{chr(97 + i % 26)}']" for i in range(400)]
    text = tmp_path / "text.txt"
    text.write_text("\n".join(lines), "utf-8")
    settings = TrainSettings(vocab_size=310, character_coverage=1.0)
    model, _ = train(Corpus([str(text)]), settings).write(tmp_path / "counter")
    signs = "x = [" + "1, " * 40 + "]\nabcdef = 1\n"
    config = GithubConfig(input=(), profile="redpajama", token_counter=str(model))
    reasons = []
    for source in (signs, "value_value_value_value = value\n"):
        document = Document("a", "github", source, meta={"path": "a.py"})
        verdicts = [stage(document) for stage in cleaning(config)]
        reasons.append(next((v.reason for v in verdicts if not v.keep), "kept"))
    assert reasons == ["alpha_per_token", "kept"]


def test_a_token_counter_belongs_to_redpajama(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the default profile it would be ignored, which must not pass in silence."""
    flags = ["--input", str(tmp_path), "--run", str(tmp_path / "run"), "--token-counter", "m"]
    assert main(["github", *flags]) == 1
    assert "belongs to --profile redpajama" in capsys.readouterr().err


def test_a_table_that_cannot_be_read_is_a_failed_file_also_where_stages_read_it(
    tmp_path: Path,
) -> None:
    """Its paths are times: the file fails within the budget, and the others are curated."""
    inputs = write_tables(tmp_path / "in")
    odd = tmp_path / "in" / "files-9.parquet"
    table = pq.read_table(next(path for path in inputs if "files" in path))
    times = pa.array([0] * table.num_rows, pa.timestamp("s"))
    pq.write_table(table.set_column(table.column_names.index("path"), "path", times), odd)
    assert curate(tmp_path / "run", [*inputs, str(odd)]) == COMPLETE_WITH_LOSSES
    stats = json.loads((tmp_path / "run" / "stats.json").read_text("utf-8"))
    assert list(stats["failed_files"]) == [str(odd)]
    assert texts(tmp_path / "run")


ROW = {"ref": "refs/heads/main", "mode": 33188, "license": "mit", "size": 9, "binary": False}


def joined(tmp_path: Path, rows: list[dict[str, Any]], form: str) -> Path:
    """Curate a joined export of these rows; return the run."""
    path = tmp_path / f"joined.{form}"
    path.write_bytes(export([ROW | row for row in rows], form).getvalue())
    assert curate(tmp_path / f"run-{form}", [str(path)]) == 0
    return tmp_path / f"run-{form}"


@pytest.mark.parametrize("form", ["json", "parquet", "avro"])
def test_a_row_that_loses_its_blob_may_come_before_the_winner(tmp_path: Path, form: str) -> None:
    """The claims of a unit need not be made again to know who lost to whom."""
    rows = [
        {"id": "b1", "repo_name": "z/z", "path": "late.py", "content": BODY},
        {"id": "b2", "repo_name": "m/m", "path": "other.py", "content": OTHER},
        {"id": "b1", "repo_name": "a/a", "path": "early.py", "content": BODY},
        {"id": "b1", "repo_name": "k/k", "path": "middle.py", "content": BODY},
    ]
    run = joined(tmp_path, rows, form)
    assert [row["meta"]["path"] for row in read(run)] == ["other.py", "early.py"]
    assert read(run)[1]["meta"]["copies"] == 3
    assert {(row["reason"], row["detail"]) for row in read(run, "rejects")} == {
        ("duplicate_blob", "same blob as a/a/early.py")
    }


def test_a_row_whose_parsing_raises_is_a_bad_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the phase that claims too, which keeps the rows; the other rows stay."""
    values_of = jsonlines.values_of

    def stumbling(data: bytes, *more: Any) -> Any:
        if b"odd.py" in data:
            raise RecursionError("too deep")
        return values_of(data, *more)

    monkeypatch.setattr(jsonlines, "values_of", stumbling)
    rows = [
        {"id": "b1", "repo_name": "a/a", "path": "early.py", "content": BODY},
        {"id": "b2", "repo_name": "m/m", "path": "odd.py", "content": OTHER},
    ]
    run = joined(tmp_path, rows, "json")
    assert [row["meta"]["path"] for row in read(run)] == ["early.py"]
    assert [row["reason"] for row in read(run, "rejects")] == ["failed:RecursionError"]


@pytest.mark.parametrize("form", ["json", "parquet", "avro"])
def test_a_row_without_content_claims_no_blob(tmp_path: Path, form: str) -> None:
    """The smallest path of the blob has NULL: the other row, which has the text, is kept."""
    rows = [
        {"id": "b1", "repo_name": "a/a", "path": "a.py", "content": None, "binary": True},
        {"id": "b1", "repo_name": "a/a", "path": "b.py", "content": None},
        {"id": "b1", "repo_name": "z/z", "path": "c.py", "content": BODY},
    ]
    run = joined(tmp_path, rows, form)
    (kept,) = read(run)
    assert (kept["meta"]["path"], kept["meta"]["copies"]) == ("c.py", 1)
    assert [row["reason"] for row in read(run, "rejects")] == ["binary", "no_content"]


@pytest.mark.parametrize("form", ["json", "parquet", "avro"])
def test_blobs_without_ids_are_told_apart_by_their_texts(tmp_path: Path, form: str) -> None:
    """Some rows have no id, which is then computed from the text."""
    rows = [
        {"id": "b1", "repo_name": "a/a", "path": "a.py", "content": OTHER},
        {"id": None, "repo_name": "b/b", "path": "b.py", "content": BODY},
        {"id": None, "repo_name": "a/a", "path": "c.py", "content": BODY},
    ]
    run = joined(tmp_path, rows, form)
    assert [row["meta"]["path"] for row in read(run)] == ["a.py", "c.py"]
    assert [row["reason"] for row in read(run, "rejects")] == ["duplicate_blob"]


def test_the_gates_read_nothing_that_their_document_lacks() -> None:
    """What claims a blob is judged by licence, path and mode alone."""
    file = FileRow(0, "a/a", "a.py", "b1", mode=33188)
    document = gate_document(file, "mit")
    known = {f"meta.{key}" for key in document.meta}
    for profile in ("default", "redpajama"):
        for gate in gates(GithubConfig(input=("x",), profile=profile)):
            assert isinstance(gate, Keep)
            assert set(gate.columns) <= known
