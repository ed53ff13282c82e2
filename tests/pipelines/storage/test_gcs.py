"""Files on Google Cloud Storage, against a local server: each operation and its requests."""

import io
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipelines.__main__ import main
from pipelines.samples.github import write_github_export
from pipelines.storage import files as storage
from tests.pipelines.storage.gcs_server import BUCKET, GcsServer, serving_gcs

CONTENT = random.Random(2).randbytes(3_000_000)
ROOT = f"gs://{BUCKET}"
FILE = f"{ROOT}/in/a.gz"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[GcsServer]:
    """Serve an empty bucket."""
    with serving_gcs(monkeypatch) as state:
        yield state


def test_files_are_written_and_read_whole(server: GcsServer) -> None:
    """One request each."""
    with storage.writing(FILE) as stream:
        stream.write(CONTENT)
    assert server.methods() == {"POST": 1}
    assert storage.read_bytes(FILE) == CONTENT
    assert server.methods() == {"POST": 1, "GET": 1}
    assert dict(storage.read_many([FILE])) == {FILE: CONTENT}


def test_any_byte_can_be_gone_to(server: GcsServer) -> None:
    """By a request for a part."""
    storage.write_bytes(FILE, CONTENT)
    server.requests.clear()
    with storage.open_input(FILE) as stream:
        assert stream.seek(-10, io.SEEK_END) == 2_999_990
        assert stream.read() == CONTENT[-10:]
        stream.seek(2_000_000)
        assert stream.read(3) == CONTENT[2_000_000:2_000_003]
        stream.seek(4_000_000)
        assert stream.read() == b""
    assert server.methods()["GET"] <= 4


def test_listings_and_versions(server: GcsServer) -> None:
    """One request per 1,000 names; the version is the generation."""
    for name in ("b.gz", "a.gz", ".hidden", "deep/c.gz"):
        storage.write_bytes(f"{ROOT}/in/{name}", b"x")
    server.requests.clear()
    found = storage.find_inputs([f"{ROOT}/in/*.gz"])
    assert [file.path for file in found] == [f"{ROOT}/in/a.gz", f"{ROOT}/in/b.gz"]
    assert server.methods() == {"GET": 1}
    before = storage.find(FILE)
    assert before == found[0]
    storage.write_bytes(FILE, b"y")
    after = storage.find(FILE)
    assert after is not None
    assert (after.size, after.version != before.version) == (1, True)
    assert storage.find(f"{ROOT}/none") is None
    assert len(storage.list_tree(ROOT)) == 4


def test_a_directory_goes_with_all_that_it_holds(server: GcsServer) -> None:
    """A neighbour whose name begins alike stays (F5)."""
    for name in ("staged/1", "staged/deep/2", "staged2"):
        storage.write_bytes(f"{ROOT}/{name}", b"x")
    storage.remove([f"{ROOT}/staged", f"{ROOT}/never"])
    assert [file.path for file in storage.list_tree(ROOT)] == [f"{ROOT}/staged2"]
    assert server.methods()["DELETE"] == 2


def test_only_one_creates_a_file(server: GcsServer) -> None:
    """By a conditional write; also where the answer to the first request was lost."""
    with ThreadPoolExecutor(4) as pool:
        won = list(pool.map(lambda n: storage.create(f"{ROOT}/LOCK", b"%d" % n), range(4)))
    assert sum(won) == 1
    assert not storage.create(f"{ROOT}/LOCK", b"other")
    assert storage.create(f"{ROOT}/LOCK", storage.read_bytes(f"{ROOT}/LOCK"))
    assert any("ifGenerationMatch=0" in request for request in server.requests)


def test_a_request_that_fails_is_made_again(
    server: GcsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After pauses; nothing is lost."""
    monkeypatch.setattr(time, "sleep", lambda _: None)
    server.failures = ["503", "503", "429"]
    storage.write_bytes(FILE, b"abc")
    server.failures = ["503", "500"]
    assert storage.read_bytes(FILE) == b"abc"
    server.failures = ["503"]
    assert [file.path for file in storage.list_directory(f"{ROOT}/in")] == [FILE]


def test_a_transfer_that_breaks_off_is_made_again(
    server: GcsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost, whole or in parts."""
    monkeypatch.setattr(time, "sleep", lambda _: None)
    storage.write_bytes(FILE, CONTENT)
    server.failures = ["cut 100000", "cut 2000"]
    assert storage.read_bytes(FILE) == CONTENT
    server.failures = ["", "cut 100000", "503"]
    with storage.open_input(FILE) as stream:
        assert stream.read(10) == CONTENT[:10]
        assert stream.read() == CONTENT[10:]


@pytest.mark.parametrize("status", ["400", "403"])
def test_a_refused_file_is_unreadable(server: GcsServer, status: str) -> None:
    """At once, in one line with its name (F8)."""
    storage.write_bytes(FILE, b"abc")
    server.failures = [status]
    with pytest.raises(storage.UnreadableFile, match=f"{FILE}: HTTP {status}") as caught:
        storage.open_input(FILE)
    assert "\n" not in str(caught.value)
    server.failures = [status]
    with pytest.raises(storage.StoreError, match="cannot write"):
        storage.write_bytes(FILE, b"abc")


def test_a_missing_file_is_unreadable(server: GcsServer) -> None:
    """And told from a refused one."""
    for read in (storage.open_input, storage.read_bytes):
        with pytest.raises(storage.MissingFile, match=FILE):
            read(FILE)
    with pytest.raises(storage.StorageError, match="cannot list gs://elsewhere"):
        storage.find_inputs(["gs://elsewhere/*.gz"])
    assert server.requests


def test_a_run_has_the_same_bytes(server: GcsServer, tmp_path: Path) -> None:
    """Inputs and run directory by address, with nothing but the environment."""
    write_github_export(tmp_path / "in", megabytes=1.0)
    for path in sorted((tmp_path / "in").iterdir()):
        storage.write_bytes(f"{ROOT}/in/{path.name}", path.read_bytes())
    local, there = tmp_path / "run", f"{ROOT}/run"
    assert main(["github", "--input", str(tmp_path / "in"), "--run", str(local), "--quiet"]) == 0
    assert main(["github", "--input", f"{ROOT}/in/", "--run", there, "--quiet"]) == 0
    for name in ("manifest.json", "COMPLETED"):
        assert storage.read_bytes(f"{there}/{name}") == (local / name).read_bytes()
    assert not [file for file in storage.list_tree(there) if "/staged/" in file.path]
    assert server.requests
