"""Files on S3, against a local server: each operation, its requests, and what goes wrong."""

import io
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipelines.__main__ import main
from pipelines.engine.verify import verify
from pipelines.samples.github import write_github_export
from pipelines.storage import files as storage
from pipelines.storage import s3, stores
from tests.pipelines.storage.s3_server import BUCKET, S3Server, serving_s3

CONTENT = random.Random(2).randbytes(3_000_000)
ROOT = f"s3://{BUCKET}"
FILE = f"{ROOT}/in/a.gz"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """Serve an empty bucket."""
    with serving_s3(monkeypatch) as state:
        yield state


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Note the pauses instead of making them."""
    made: list[float] = []
    monkeypatch.setattr(time, "sleep", made.append)
    return made


def put(**files: bytes) -> None:
    """Write small files under ``in/``, named by keyword."""
    for name, content in files.items():
        storage.write_bytes(f"{ROOT}/in/{name}", content)


def test_a_small_file_takes_one_request_to_write_and_one_to_read(server: S3Server) -> None:
    """Beam's client asks three and two times."""
    storage.write_bytes(FILE, b"abc")
    assert server.methods() == {"PUT": 1}
    assert storage.read_bytes(FILE) == b"abc"
    assert server.methods() == {"PUT": 1, "GET": 1}


def test_a_spooled_file_arrives_whole(server: S3Server) -> None:
    """It is written to local disk and goes up in one request; an error uploads nothing."""
    with storage.writing(FILE) as stream:
        stream.write(CONTENT)
        assert server.requests == []
    assert server.methods() == {"PUT": 1}
    assert storage.read_bytes(FILE) == CONTENT


def test_a_large_file_goes_up_in_parts(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the parts make up the file."""
    content = random.Random(3).randbytes(11 << 20)
    monkeypatch.setattr(s3, "MULTIPART_BYTES", 5 << 20)
    storage.write_bytes(FILE, content)
    assert server.methods() == {"POST": 2, "PUT": 3}
    assert storage.read_bytes(FILE) == content


def test_size_version_and_existence(server: S3Server) -> None:
    """One HEAD each; the version is the ETag, which changes with the content."""
    put(a=b"abc", b=b"xyz")
    server.requests.clear()
    a, b = storage.find(f"{ROOT}/in/a"), storage.find(f"{ROOT}/in/b")
    assert a is not None
    assert b is not None
    assert (a.size, b.size) == (3, 3)
    assert a.version != b.version
    assert storage.exists(f"{ROOT}/in/a")
    assert not storage.exists(f"{ROOT}/in/c")
    assert server.methods() == {"HEAD": 4}


def test_globs_and_directories_as_inputs(server: S3Server) -> None:
    """One listing each; keys of folders, hidden files and deeper ones are left out."""
    put(
        **{"b.gz": b"1", "a.gz": b"2", "c.txt": b"3", ".hidden": b"4", "deep/d.gz": b"5", "e/": b""}
    )
    server.requests.clear()

    def names(pattern: str) -> list[str]:
        found = storage.find_inputs([f"{ROOT}/{pattern}"])
        return [file.path.removeprefix(f"{ROOT}/in/") for file in found]

    assert names("in/") == ["a.gz", "b.gz", "c.txt"]
    assert names("in/*.gz") == ["a.gz", "b.gz"]
    assert names("in/[!a].gz") == ["b.gz"]
    assert names("in/**.gz") == ["a.gz", "b.gz", "deep/d.gz"]
    assert names("in/*/d.gz") == ["deep/d.gz"]
    assert server.methods() == {"GET": 5}
    assert names("in/a.gz") == ["a.gz"]
    with pytest.raises(storage.StorageError, match="no file matches"):
        storage.find_inputs([f"{ROOT}/none/*.gz"])
    with pytest.raises(storage.StorageError, match=r"cannot list s3://elsewhere.*NoSuchBucket"):
        storage.find_inputs(["s3://elsewhere/*.gz"])


def test_a_listing_asks_once_for_each_page_of_keys(
    server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page has 1,000; here 100, so that the test is short. No file is opened."""
    assert s3.PAGE_KEYS == 1000
    monkeypatch.setattr(s3, "PAGE_KEYS", 100)
    for number in range(210):
        storage.write_bytes(f"{ROOT}/units/{number:05}", b"")
    server.requests.clear()
    assert len(storage.list_names(f"{ROOT}/units")) == 210
    assert server.methods() == {"GET": 3}


def test_a_directory_goes_with_all_that_it_holds(
    server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In batches, here of 100 keys; a neighbour whose name begins alike stays (F5)."""
    monkeypatch.setattr(s3, "PAGE_KEYS", 100)
    for number in range(110):
        storage.write_bytes(f"{ROOT}/staged/{number}", b"x")
    storage.write_bytes(f"{ROOT}/staged/deep/x", b"x")
    storage.write_bytes(f"{ROOT}/staged2", b"x")
    server.requests.clear()
    storage.remove([f"{ROOT}/staged"])
    assert server.methods() == {"GET": 2, "HEAD": 1, "POST": 2}
    assert [file.path for file in storage.list_tree(ROOT)] == [f"{ROOT}/staged2"]
    storage.remove([f"{ROOT}/staged2", f"{ROOT}/never"])
    assert storage.list_tree(ROOT) == []


def test_any_byte_can_be_gone_to(server: S3Server) -> None:
    """By a request for the rest, of the object that was opened."""
    storage.write_bytes(FILE, CONTENT)
    server.requests.clear()
    with storage.open_input(FILE) as stream:
        assert stream.seek(-10, io.SEEK_END) == 2_999_990
        assert stream.read() == CONTENT[-10:]
        assert stream.seek(2_000_000) == 2_000_000
        assert stream.read(3) == CONTENT[2_000_000:2_000_003]
        assert stream.seek(4_000_000) == 4_000_000
        assert stream.read() == b""
    assert server.methods() == {"GET": 3}


@pytest.mark.parametrize("status", ["503", "500"])
def test_a_request_that_fails_is_made_again(
    server: S3Server, pauses: list[float], status: str
) -> None:
    """Six tries at least, after pauses; nothing is lost."""
    server.failures = [status] * 6
    storage.write_bytes(FILE, CONTENT)
    server.failures = [status] * 6
    assert storage.read_bytes(FILE) == CONTENT
    server.failures = [status] * 6
    assert [file.size for file in storage.list_directory(f"{ROOT}/in")] == [3_000_000]
    assert len(server.requests) == 21
    assert len(pauses) >= 18


def test_a_store_that_stays_away_is_the_machine_s_fault(
    server: S3Server, pauses: list[float]
) -> None:
    """A bounded number of tries, then an OSError in one line: no file is blamed."""
    server.failures = ["503"] * 100
    with pytest.raises(storage.StoreError, match=r"in/a\.gz: HTTP 503") as caught:
        storage.read_bytes(FILE)
    assert "\n" not in str(caught.value)
    assert len(server.requests) == stores.TRIES
    assert sum(pauses) < 180


def test_a_transfer_that_breaks_off_is_taken_up(server: S3Server, pauses: list[float]) -> None:
    """At the byte where it broke."""
    storage.write_bytes(FILE, CONTENT)
    server.requests.clear()
    server.failures = ["cut 1000000", "cut 1000000", "503"]
    assert storage.read_bytes(FILE) == CONTENT
    assert server.methods() == {"GET": 4}
    assert pauses


def test_a_transfer_that_always_breaks_off_is_the_file_s_fault(
    server: S3Server, pauses: list[float]
) -> None:
    """After as many tries in a row as there are."""
    storage.write_bytes(FILE, CONTENT)
    server.failures = ["cut 0"] * 100
    with pytest.raises(storage.UnreadableFile, match=r"broke off at byte 0, 8 times in a row"):
        storage.read_bytes(FILE)
    assert len(pauses) == stores.TRIES - 1


@pytest.mark.parametrize("status", ["401", "403", "400", "451"])
def test_a_refused_file_is_unreadable(server: S3Server, status: str) -> None:
    """At once, in one line with its name (F8)."""
    put(a=b"abc")
    server.failures = [status]
    with pytest.raises(storage.UnreadableFile, match=f"s3://corpus/in/a: HTTP {status}"):
        storage.open_input(f"{ROOT}/in/a")


def test_a_missing_file_is_unreadable(server: S3Server) -> None:
    """And told from a refused one."""
    with pytest.raises(storage.MissingFile, match="NoSuchKey"):
        storage.open_input(FILE)
    assert server.methods() == {"GET": 1}


def test_a_file_that_is_replaced_is_not_mixed(server: S3Server, pauses: list[float]) -> None:
    """The rest of another object is no rest of this one."""
    storage.write_bytes(FILE, CONTENT)
    server.failures = ["cut 1000000"]
    with storage.open_input(FILE) as stream:
        storage.write_bytes(FILE, CONTENT[::-1])
        with pytest.raises(storage.StoreError, match="changed while it was read"):
            stream.read()
    assert pauses


def test_only_one_creates_a_file(server: S3Server) -> None:
    """By a conditional write; also where the answer to the first request was lost."""
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: storage.create(f"{ROOT}/LOCK", b"%d" % n), range(8)))
    assert sum(won) == 1
    assert storage.read_bytes(f"{ROOT}/LOCK") == b"%d" % won.index(True)
    assert storage.create(f"{ROOT}/LOCK", b"%d" % won.index(True))
    assert server.methods()["PUT"] == 9


def test_a_store_without_conditional_writes(
    server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Older ones of other makers answer 501: the file is written and read back."""
    monkeypatch.setattr(stores, "SETTLE_SECONDS", 0.0)
    server.failures = ["501"]
    assert storage.create(FILE, b"mine")
    server.failures = ["501"]
    assert not storage.create(FILE, b"other")
    assert storage.read_bytes(FILE) == b"mine"


def test_a_name_with_brackets_is_found(server: S3Server) -> None:
    """If no file matches it as a pattern."""
    put(**{"a[1].gz": b"x"})
    (found,) = storage.find_inputs([f"{ROOT}/in/a[1].gz"])
    assert found.path == f"{ROOT}/in/a[1].gz"
    assert server.requests


def test_many_files_are_read_at_once(server: S3Server) -> None:
    """All of them, one request each."""
    wanted = {f"{ROOT}/units/{n:03}": b"%d" % n for n in range(200)}
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda item: storage.write_bytes(*item), wanted.items()))
    server.requests.clear()
    assert dict(storage.read_many(sorted(wanted))) == wanted
    assert server.methods() == {"GET": 200}
    with pytest.raises(storage.MissingFile, match="none"):
        list(storage.read_many([*sorted(wanted), f"{ROOT}/units/none"]))


def test_failures_of_deletions_and_creations_are_tried_again(
    server: S3Server, pauses: list[float]
) -> None:
    """All that writes goes on, too; nothing is left and nothing is lost."""
    put(a=b"1", b=b"2")
    server.failures = ["503", "500", "503"]
    storage.remove([f"{ROOT}/in"])
    server.failures = ["503", "503"]
    assert storage.create(FILE, b"mine")
    server.failures = ["", "503", "503"]
    assert not storage.create(FILE, b"other")
    assert [file.path for file in storage.list_tree(ROOT)] == [FILE]
    assert pauses


@pytest.mark.parametrize("cut", ["cut 0", "cut 1", "cut 200"])
def test_an_answer_that_breaks_off_is_asked_for_again(
    server: S3Server, pauses: list[float], monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    """An answer without a byte is not the end of a listing, nor of an upload or a deletion."""
    monkeypatch.setattr(s3, "PAGE_KEYS", 2)
    monkeypatch.setattr(s3, "MULTIPART_BYTES", 5 << 20)
    put(a=b"1", b=b"2", c=b"3", d=b"4", e=b"5")
    for before in ([], [""], ["", ""]):
        server.failures = [*before, cut]
        assert len(storage.list_names(f"{ROOT}/in")) == 5
    server.failures = [cut]
    storage.write_bytes(f"{ROOT}/large", bytes(6 << 20))
    assert len(storage.read_bytes(f"{ROOT}/large")) == 6 << 20
    server.failures = [cut, "", "", "", cut]
    storage.remove([f"{ROOT}/in"])
    assert [file.path for file in storage.list_tree(ROOT)] == [f"{ROOT}/large"]
    assert pauses


def test_what_cannot_be_written_is_no_fault_of_an_input(server: S3Server) -> None:
    """A run directory that is forbidden ends the run in one line."""
    server.failures = ["403"]
    with pytest.raises(storage.StoreError, match=r"cannot write s3://corpus/in/a\.gz: HTTP 403"):
        storage.write_bytes(FILE, b"x")


def test_a_sign_in_that_is_refused_is_no_fault_of_an_input(
    server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file would be refused: the run ends instead."""
    assert server.url
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    s3._client_of.cache_clear()
    with pytest.raises(storage.StorageError, match=r"cannot sign in to S3 .* AWS_ACCESS_KEY_ID"):
        storage.open_input(FILE)


def test_an_input_that_may_not_be_looked_at_is_an_input(server: S3Server) -> None:
    """Opening it says why, and the run counts it."""
    server.failures = ["403"]
    assert storage.find_inputs([FILE]) == [storage.InputFile(FILE, -1)]


def test_workers_of_their_own_processes_find_the_store(server: S3Server, tmp_path: Path) -> None:
    """They get no options, but the environment (F3); and requests per unit are few."""
    write_github_export(tmp_path / "in", megabytes=1.0)
    there = f"{ROOT}/run"
    words = ["github", "--input", str(tmp_path / "in"), "--run", there, "--workers", "2"]
    assert main([*words, "--quiet"]) == 0
    assert verify(there) == []
    asked = len(server.requests)
    assert main([*words, "--quiet"]) == 0
    assert len(server.requests) - asked < 20


def test_a_run_on_a_store_that_fails_now_and_then_has_the_same_bytes(
    server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every seventh request answers 503, every eleventh breaks off: nothing is lost."""
    backoff = "botocore.retries.standard.ExponentialBackoff.delay_amount"
    monkeypatch.setattr(backoff, lambda *_: 0.01)
    monkeypatch.setattr(stores, "FIRST_PAUSE_SECONDS", 0.01)
    write_github_export(tmp_path / "in", megabytes=1.0)
    for path in sorted((tmp_path / "in").iterdir()):
        storage.write_bytes(f"{ROOT}/in/{path.name}", path.read_bytes())
    server.requests.clear()
    server.failures = [
        "503" if number % 7 == 6 else "cut 100" if number % 11 == 10 else ""
        for number in range(10_000)
    ]
    local, there = tmp_path / "run", f"{ROOT}/run"
    assert main(["github", "--input", str(tmp_path / "in"), "--run", str(local), "--quiet"]) == 0
    assert main(["github", "--input", f"{ROOT}/in/", "--run", there, "--quiet"]) == 0
    assert len(server.requests) > 50
    assert storage.read_bytes(f"{there}/COMPLETED") == (local / "COMPLETED").read_bytes()
    assert verify(there) == []


def test_a_run_on_s3_has_the_same_bytes(server: S3Server, tmp_path: Path) -> None:
    """Inputs and run directory by address, with nothing but the environment (F3)."""
    write_github_export(tmp_path / "in", megabytes=1.0)
    for path in sorted((tmp_path / "in").iterdir()):
        storage.write_bytes(f"{ROOT}/in/{path.name}", path.read_bytes())
    local, there = tmp_path / "run", f"{ROOT}/run"
    assert main(["github", "--input", str(tmp_path / "in"), "--run", str(local), "--quiet"]) == 0
    assert main(["github", "--input", f"{ROOT}/in/", "--run", there, "--quiet"]) == 0
    for name in ("manifest.json", "COMPLETED"):
        assert storage.read_bytes(f"{there}/{name}") == (local / name).read_bytes()
    left = [file.path for file in storage.list_tree(there)]
    assert not [path for path in left if "/staged/" in path or storage.TEMPORARY in path]
    assert server.requests
