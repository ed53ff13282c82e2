"""The run directory: begun once, finished only when all is there, and read by its manifest."""

import hashlib
import json
import os
import pickle
import shutil
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pipelines.engine.config import to_bytes
from pipelines.engine.documents import DOCUMENT_SCHEMA, Document, ParquetSink, row_of
from pipelines.engine.errors import RunError
from pipelines.engine.finish import finish
from pipelines.engine.ledger import Ledger
from pipelines.engine.manifest import Manifest, RunFile, manifest_chunks
from pipelines.engine.runs import Run, open_completed
from pipelines.engine.units import Part, Unit
from pipelines.engine.verify import check_sha256, open_checked, verify
from pipelines.storage import files as storage
from tests.pipelines.storage.s3_server import BUCKET, serving_s3

UNITS = [Unit(f"{number:05d}-u", "x", (Part(f"/in/{number}", 1),)) for number in range(3)]
CONFIG = {"source": "made"}


def commit(run: Run, unit: Unit, documents: int = 2) -> None:
    """Write what a unit leaves: its documents, and the sidecar that commits it."""
    file = storage.AtomicFile(run.at("documents", f"{unit.name}.parquet"))
    sink = ParquetSink(file.stream, DOCUMENT_SCHEMA)
    ledger = Ledger()
    for number in range(documents):
        text = f"text {number} of {unit.name}"
        sink.write(row_of(Document(f"made:{unit.name}:{number}", "made", text)), len(text))
        ledger.records_read += 1
        ledger.documents += 1
        ledger.characters += len(text)
    sink.close()
    written = file.commit()
    entry = {
        "path": f"documents/{unit.name}.parquet",
        "documents": documents,
        "bytes": written.bytes,
        "sha256": written.sha256,
    }
    sidecar = {"unit": {"path": unit.path}, "ledger": ledger.to_json(), "files": [entry]}
    run.write_json(sidecar, "units", f"{unit.name}.json")


@pytest.fixture(params=["local", "s3"])
def run(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Run]:
    """Return a run of three committed units that is not finished, on a disk and on a store."""
    if request.param == "local":
        run = Run(str(tmp_path / "run"))
        begin(run)
        yield run
        return
    with serving_s3(monkeypatch):
        run = Run(f"s3://{BUCKET}/run")
        begin(run)
        yield run


def begin(run: Run) -> None:
    """Start a run and commit its units."""
    assert not run.start(CONFIG)
    for unit in UNITS:
        commit(run, unit)


FIRST, SECOND = (f"documents/{unit.name}.parquet" for unit in UNITS[:2])


def test_a_finished_run_vouches_for_each_byte(run: Run) -> None:
    """COMPLETED holds the hash of the manifest, which lists the files of the sidecars."""
    finish(run, UNITS, {}, [])
    content = storage.read_bytes(run.at("manifest.json"))
    assert storage.read_bytes(run.at("COMPLETED")).decode() == (
        hashlib.sha256(content).hexdigest() + "\n"
    )
    opened = open_completed(run.path)
    assert [file.path for file in opened.documents()] == [
        f"documents/{unit.name}.parquet" for unit in UNITS
    ]
    assert opened.rejects() == []
    assert verify(run.path) == []
    assert run.start(CONFIG)


def test_the_manifest_is_written_piece_by_piece_as_in_one() -> None:
    """The same bytes as JSON gives, whatever the names are."""
    for files in ((), (RunFile('a"\n', 1, 2, "x"),), (RunFile("a\udce9", 1, 2, "x"),) * 2):
        entries = [
            {"path": f.path, "documents": f.documents, "bytes": f.bytes, "sha256": f.sha256}
            for f in files
        ]
        whole = {"format": 1, "documents": 3, "characters": 4, "files": entries}
        content = b"".join(manifest_chunks(Manifest(3, 4, files)))
        assert content == to_bytes(whole)
        assert Manifest.from_json(content) == Manifest(3, 4, files)


def damage_gone(run: Run, name: str) -> None:
    """Remove a file."""
    storage.remove([run.at(name)])


def damage_cut(run: Run, name: str) -> None:
    """Cut a file."""
    storage.write_bytes(run.at(name), storage.read_bytes(run.at(name))[:100])


def damage_foreign(run: Run, _name: str) -> None:
    """Put a file there that is none of the run's."""
    content = storage.read_bytes(run.at(FIRST))
    storage.write_bytes(run.at("documents", "foreign.parquet"), content)


DAMAGE = [
    (damage_gone, f"{FIRST} is missing"),
    (damage_cut, f"{FIRST} has 100 bytes and should have"),
    (damage_foreign, r"documents/foreign\.parquet is not a file of this run"),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGE)
def test_a_run_is_not_completed_over_damaged_files(run: Run, damage: Any, message: str) -> None:
    """Files that are gone, cut or foreign are named, and no COMPLETED is written (F4)."""
    damage(run, FIRST)
    with pytest.raises(RunError, match=message) as caught:
        finish(run, UNITS, {}, [])
    assert "\n" not in str(caught.value)
    assert not run.completed


@pytest.mark.parametrize(("damage", "message"), DAMAGE)
def test_a_complete_run_that_was_damaged_is_not_read(run: Run, damage: Any, message: str) -> None:
    """Opening it names the file; so does the command that reads all of it (F4)."""
    finish(run, UNITS, {}, [])
    damage(run, FIRST)
    with pytest.raises(RunError, match=message):
        open_completed(run.path)
    with pytest.raises(RunError, match=message):
        run.documents()
    (problem,) = verify(run.path)
    assert problem.startswith(message.split(maxsplit=1)[0].replace("\\", ""))


def test_what_the_size_does_not_show_is_found_by_the_hash(run: Run) -> None:
    """In what is read whole, and by ``verify``."""
    finish(run, UNITS, {}, [])
    content = bytearray(storage.read_bytes(run.at(FIRST)))
    content[200] ^= 1
    first, second, _ = run.documents()
    storage.write_bytes(run.at(FIRST), bytes(content))
    open_completed(run.path)
    with pytest.raises(RunError, match=f"{FIRST} is not the file that its run wrote"):
        check_sha256(run.at(FIRST), first.sha256)
    with open_checked(run, first) as stream, pytest.raises(RunError, match="is not the file"):
        stream.read()
    check_sha256(run.at(SECOND), second.sha256)
    with open_checked(run, second) as stream:
        assert len(stream.read()) == second.bytes
    assert verify(run.path) == [f"{FIRST} has another SHA-256 than the manifest says"]


def test_verify_counts_rows(tmp_path: Path) -> None:
    """A manifest whose counts are wrong is not right because its hashes are."""
    run = Run(str(tmp_path / "run"))
    begin(run)
    total = finish(run, UNITS, {}, [])
    first, *others = run.manifest.files
    wrong = RunFile(first.path, first.documents + 1, first.bytes, first.sha256)
    run.seal(Manifest(total.documents, total.characters, (wrong, *others)))
    assert verify(run.path) == [
        f"{FIRST} has 2 rows and should have 3",
        "its files hold 7 documents, and the manifest has 6",
    ]


def test_a_manifest_that_was_changed_is_not_believed(run: Run) -> None:
    """COMPLETED holds its hash."""
    finish(run, UNITS, {}, [])
    content = storage.read_bytes(run.at("manifest.json"))
    storage.write_bytes(
        run.at("manifest.json"), content.replace(b'"documents": 6', b'"documents": 7')
    )
    with pytest.raises(RunError, match=r"SHA-256 of manifest\.json is not the one in COMPLETED"):
        open_completed(run.path)


def test_a_unit_whose_file_is_gone_is_made_anew(run: Run) -> None:
    """As the message says: its sidecar is removed, and the same command run again."""
    damage_gone(run, FIRST)
    storage.remove([run.at("units", f"{UNITS[0].name}.json")])
    with pytest.raises(RunError, match="1 of 3 units are not committed"):
        finish(run, UNITS, {}, [])
    commit(run, UNITS[0])
    finish(run, UNITS, {}, [])
    assert verify(run.path) == []


def test_what_an_attempt_left_that_did_not_commit_is_removed(run: Run) -> None:
    """A file of a unit whose sidecar does not have it: its input went bad between attempts."""
    content = storage.read_bytes(run.at(FIRST))
    storage.write_bytes(run.at("rejects", f"{UNITS[0].name}.parquet"), content)
    finish(run, UNITS, {}, [])
    assert storage.list_names(run.at("rejects")) == []
    assert verify(run.path) == []


def test_sidecars_of_other_units_are_not_summed(run: Run) -> None:
    """They are named instead."""
    run.write_json({}, "units", "99999-x.json")
    with pytest.raises(RunError, match=r"units/99999-x\.json belongs to no unit of this run"):
        finish(run, UNITS, {}, [])


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"ledger": {}, "files": []}'])
def test_a_damaged_sidecar_is_one_line(run: Run, content: bytes) -> None:
    """With its name."""
    storage.write_bytes(run.at("units", f"{UNITS[0].name}.json"), content)
    with pytest.raises(RunError, match="sidecar") as caught:
        finish(run, UNITS, {}, [])
    assert "\n" not in str(caught.value)


TEMPORARY_PLACES = [
    *(".", "documents", "rejects", "units", "staged", "claims/blobs", "verdicts/blobs"),
    *("exchange/posts", "passes/blobs"),
]


@pytest.mark.parametrize("moment", ["start", "finish"])
def test_temporary_files_are_swept_everywhere(tmp_path: Path, moment: str) -> None:
    """In every folder that a run has or will have (F24)."""
    run = Run(str(tmp_path / "run"))
    begin(run)
    for place in TEMPORARY_PLACES:
        (tmp_path / "run" / place).mkdir(parents=True, exist_ok=True)
        (tmp_path / "run" / place / f"{storage.TEMPORARY}x").write_bytes(b"half")
    if moment == "start":
        run.start(CONFIG)
    else:
        finish(run, UNITS, {}, [])
    assert list((tmp_path / "run").rglob(f"{storage.TEMPORARY}*")) == []


def test_a_finished_run_has_nothing_staged(run: Run) -> None:
    """On a disk and on a store (F5)."""
    storage.write_bytes(run.at("staged", "a.parquet"), b"x")
    storage.write_bytes(run.at("staged", "deep", "a.json"), b"x")
    finish(run, UNITS, {}, [])
    assert not [file for file in storage.list_tree(run.path) if "staged" in file.path]


def test_two_that_begin_together_agree_or_one_is_refused(tmp_path: Path) -> None:
    """``config.json`` is created exclusively: of two configurations one holds (F15)."""
    configs = [{"source": "made", "option": number % 2} for number in range(8)]

    def start(config: dict[str, Any]) -> str:
        try:
            Run(str(tmp_path / "run")).start(config)
        except RunError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(start, configs))
    there = Run(str(tmp_path / "run")).read_json("config.json")["config"]["option"]
    assert [not refusal for refusal in told] == [config["option"] == there for config in configs]
    assert all("another configuration (config.option" in refusal for refusal in told if refusal)


@pytest.mark.parametrize("held", ["file.txt", "folder/file.txt", ".hidden"])
def test_a_directory_that_is_no_run_is_left_alone(tmp_path: Path, held: str) -> None:
    """Also where only its folders hold something."""
    (tmp_path / held).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / held).write_text("mine")
    with pytest.raises(RunError, match="is not empty and not a run directory"):
        Run(str(tmp_path)).start(CONFIG)
    assert (tmp_path / held).read_text() == "mine"


def test_names_that_are_not_utf8_survive_the_run_directory(tmp_path: Path) -> None:
    """As they were, in what is written as JSON (F23)."""
    name = os.fsdecode(b"caf\xe9.gz")
    run = Run(str(tmp_path / "run"))
    assert not run.start({"source": "made", "input": {name: 1}})
    assert run.read_json("config.json")["config"]["input"] == {name: 1}
    assert not run.start({"source": "made", "input": {name: 1}})


def test_workers_get_the_path_alone(tmp_path: Path) -> None:
    """What was read of a run does not travel with it."""
    run = Run(str(tmp_path / "run"))
    begin(run)
    finish(run, UNITS, {}, [])
    assert run.documents()
    assert len(pickle.dumps(run)) < 200
    assert pickle.loads(pickle.dumps(run)) == run  # noqa: S301 -- our own


def test_workers_write_where_the_launcher_means(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path is that of the launcher's current folder (F22)."""
    for name in ("launcher", "worker"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "launcher")
    packed = pickle.dumps(Run("runs/made"))
    monkeypatch.chdir(tmp_path / "worker")
    pickle.loads(packed).write_json({}, "units", "a.json")  # noqa: S301 -- our own
    assert [path.parent.parent for path in tmp_path.rglob("a.json")] == [
        tmp_path / "launcher" / "runs" / "made"
    ]


def test_finish_keeps_no_sidecar_in_memory(tmp_path: Path) -> None:
    """Sums over sidecars need memory for the files' names and hashes, not for the ledgers."""
    run = Run(str(tmp_path / "run"))
    begin(run)
    sidecar = run.read_json("units", f"{UNITS[0].name}.json")
    sidecar["files"] = []
    sidecar["ledger"]["notes"] = {f"note {n}": n for n in range(1_000)}
    content = json.dumps(sidecar).encode()
    units = [*UNITS, *(Unit(f"{number:05d}-u", "x", (Part("/in", 1),)) for number in range(3, 400))]
    for unit in units[3:]:
        (tmp_path / "run" / "units" / f"{unit.name}.json").write_bytes(content)
    shutil.rmtree(tmp_path / "run" / "rejects", ignore_errors=True)
    tracemalloc.start()
    finish(run, units, {}, [])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.2 * len(content) * len(units)


def test_inputs_that_were_replaced_are_refused_on_resume(tmp_path: Path) -> None:
    """Also those of equal size, by their version; the message names the file (F16)."""
    paths = [tmp_path / name for name in ("a.gz", "b.gz")]
    for path in paths:
        path.write_bytes(b"one")
    run = Run(str(tmp_path / "run"))

    def start() -> None:
        found = storage.find_inputs([str(tmp_path / "*.gz")])
        facts = {file.path: {"bytes": file.size, "version": file.version} for file in found}
        run.start({"source": "made", "input": facts})

    start()
    start()
    paths[1].write_bytes(b"two")
    os.utime(paths[1], ns=(1, 1))
    with pytest.raises(
        RunError, match=r"config\.input\..*/b\.gz\.version: \"\d+\" there, \"1\" here"
    ):
        start()
