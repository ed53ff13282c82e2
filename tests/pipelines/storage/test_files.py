"""Files on local disk and on an object store: whole or not at all, and the same run on both."""

import errno
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from apache_beam.io.filesystem import BeamIOError, FileMetadata, FileSystem

from pipelines.__main__ import main
from pipelines.samples.github import write_github_export
from pipelines.storage import files as storage
from pipelines.storage import gcs, reading, s3, stores
from pipelines.storage.errors import blaming

SCHEME = "bucket"


class ObjectStore(FileSystem):  # type: ignore[misc] # Beam is not typed
    """An object store on a local folder: keys, no directories, and no rename."""

    root = Path()  # set by the fixture

    @classmethod
    def scheme(cls) -> str:
        """Return the scheme of its addresses."""
        return SCHEME

    def _at(self, path: str) -> Path:
        return self.root / path.removeprefix(f"{SCHEME}://")

    def join(self, basepath: str, *paths: str) -> str:
        """Join keys."""
        return "/".join([basepath.rstrip("/"), *paths])

    def split(self, path: str) -> tuple[str, str]:
        """Split off the last part of a key."""
        head, _, tail = path.rpartition("/")
        return head, tail

    def mkdirs(self, path: str) -> None:
        """Refuse: there are no directories."""
        raise BeamIOError(f"no directories: {path}")

    def has_dirs(self) -> bool:
        """Say that there are none."""
        return False

    def _list(self, dir_or_prefix: str) -> Iterator[FileMetadata]:
        for path in sorted(self.root.rglob("*")):
            key = f"{SCHEME}://{path.relative_to(self.root).as_posix()}"
            if path.is_file() and key.startswith(dir_or_prefix):
                yield FileMetadata(key, path.stat().st_size)

    def create(self, path: str, *_: Any, **__: Any) -> BinaryIO:
        """Open a key for writing."""
        self._at(path).parent.mkdir(parents=True, exist_ok=True)
        return self._at(path).open("wb")

    def open(self, path: str, *_: Any, **__: Any) -> BinaryIO:
        """Open a key for reading."""
        return self._at(path).open("rb")

    def copy(self, *_: Any) -> None:
        """Refuse: a run needs none."""
        raise BeamIOError("copy")

    def rename(self, *_: Any) -> None:
        """Refuse, as object stores do."""
        raise BeamIOError("rename")

    def exists(self, path: str) -> bool:
        """Tell whether a key is there."""
        return self._at(path).is_file()

    def size(self, path: str) -> int:
        """Return the bytes of a key."""
        return self._at(path).stat().st_size

    def last_updated(self, path: str) -> float:
        """Return when it was written."""
        return self._at(path).stat().st_mtime

    def checksum(self, path: str) -> str:
        """Return something that changes with it."""
        return str(self.size(path))

    def metadata(self, path: str) -> FileMetadata:
        """Return what is known of a key."""
        return FileMetadata(path, self.size(path))

    def delete(self, paths: list[str]) -> None:
        """Delete keys, or all below a prefix."""
        for path in paths:
            if self._at(path).is_dir():
                shutil.rmtree(self._at(path))
            else:
                self._at(path).unlink()


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    """Return the folder behind the object store."""
    ObjectStore.root = tmp_path / "store"
    ObjectStore.root.mkdir()
    return ObjectStore.root


def test_a_run_on_an_object_store_has_the_same_bytes(tmp_path: Path, bucket: Path) -> None:
    """Inputs and run directory in a store without directories or rename: the same manifest."""
    write_github_export(bucket / "in", megabytes=1.0)
    local, there = tmp_path / "run", f"{SCHEME}://run"
    assert main(["github", "--input", str(bucket / "in"), "--run", str(local), "--quiet"]) == 0
    assert main(["github", "--input", f"{SCHEME}://in/", "--run", there, "--quiet"]) == 0
    assert (bucket / "run" / "manifest.json").read_bytes() == (local / "manifest.json").read_bytes()
    assert (bucket / "run" / "COMPLETED").is_file()
    assert not list(bucket.rglob("staged/*"))


def half_written(path: str) -> None:
    """Begin a file and fail."""
    with storage.writing(path) as stream:
        stream.write(b"half")
        raise RuntimeError


@pytest.mark.usefixtures("bucket")
def test_a_block_that_raises_leaves_nothing(tmp_path: Path) -> None:
    """Neither the file nor a temporary one, locally or in a store."""
    for path in (str(tmp_path / "local" / "a"), f"{SCHEME}://a"):
        with pytest.raises(RuntimeError):
            half_written(path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_commit_tells_size_and_hash(tmp_path: Path) -> None:
    """SHA-256 of "abc", as everyone knows it."""
    file = storage.AtomicFile(str(tmp_path / "a"))
    file.stream.write(b"abc")
    written = file.commit()
    assert written.bytes == 3
    assert written.sha256.startswith("ba7816bf")
    assert (tmp_path / "a").read_bytes() == b"abc"


def test_inputs_are_sorted_and_named_once(tmp_path: Path) -> None:
    """Directory, glob and file may name the same file; hidden files are passed over."""
    for name in ("b.parquet", "a.parquet", ".hidden"):
        (tmp_path / name).write_bytes(b"x")
    patterns = [str(tmp_path / "b*"), str(tmp_path), str(tmp_path / "a.parquet")]
    names = [storage.basename(file.path) for file in storage.find_inputs(patterns)]
    assert names == ["a.parquet", "b.parquet"]


@pytest.mark.parametrize(
    ("pattern", "message"), [("none.parquet", "no such file"), ("*.avro", "no file matches")]
)
def test_an_input_that_is_not_there_is_named(tmp_path: Path, pattern: str, message: str) -> None:
    """An empty glob never passes."""
    with pytest.raises(storage.StorageError, match=message):
        storage.find_inputs([str(tmp_path / pattern)])


def test_a_link_that_leads_nowhere_is_an_unreadable_input(tmp_path: Path) -> None:
    """It is not left out without a word: opening it says what is wrong (F23)."""
    (tmp_path / "a.gz").write_bytes(b"x")
    (tmp_path / "b.gz").symlink_to("moved.gz")
    (tmp_path / "c.gz").symlink_to("c.gz")
    (tmp_path / "folder.gz").mkdir()
    for pattern in (tmp_path, tmp_path / "*.gz"):
        found = [file.path for file in storage.find_inputs([str(pattern)])]
        assert found == [str(tmp_path / name) for name in ("a.gz", "b.gz", "c.gz")]
    with pytest.raises(storage.MissingFile, match=r"b\.gz: the symbolic link points to moved\.gz"):
        storage.open_input(str(tmp_path / "b.gz"))
    with pytest.raises(storage.UnreadableFile, match=r"c\.gz: Too many levels of symbolic links"):
        storage.open_input(str(tmp_path / "c.gz"))
    assert storage.find_inputs([str(tmp_path / "b.gz")])


@pytest.mark.parametrize(
    "code", [errno.ENOENT, errno.EACCES, errno.EPERM, errno.EIO, errno.EISDIR, errno.ELOOP]
)
def test_the_fault_of_a_file_is_told_from_that_of_the_machine(code: int) -> None:
    """A file that cannot be read is counted and passed over (F8)."""
    with pytest.raises(storage.UnreadableFile, match=r"^/in/a: ") as caught, blaming("/in/a"):
        raise OSError(code, os.strerror(code), "/in/a")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC])
def test_what_the_machine_lacks_blames_no_file(code: int) -> None:
    """The unit fails and is tried again."""
    with pytest.raises(OSError, match=os.strerror(code)) as caught, blaming("/in/a"):
        raise OSError(code, os.strerror(code), "/in/a")
    assert caught.value.errno == code


def test_an_error_in_the_middle_of_a_file_is_the_file_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad sector shows when it is read, not when the file is opened."""
    (tmp_path / "a").write_bytes(b"x" * 1_000_000)

    class Damaged(reading._LocalFile):
        def readinto(self, buffer: Any) -> int:
            with blaming(self._path):
                if self.tell() > 500_000:
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
                return super().readinto(buffer)

    monkeypatch.setattr(reading, "_LocalFile", Damaged)
    with (
        storage.open_input(str(tmp_path / "a")) as stream,
        pytest.raises(storage.UnreadableFile, match="/a: Input/output error"),
    ):
        sum(map(len, iter(lambda: stream.read(1000), b"")))


def test_a_machine_without_descriptors_blames_no_file(tmp_path: Path) -> None:
    """Really so: the limit is set, and reached."""
    (tmp_path / "a").write_bytes(b"x")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = max(int(name) for name in os.listdir("/dev/fd")) + 1  # noqa: PTH208 -- descriptors
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        opened: list[BinaryIO] = []
        with pytest.raises(OSError, match="Too many open files") as caught:
            opened.extend(storage.open_input(str(tmp_path / "a")) for _ in range(1000))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for stream in opened:
            stream.close()
    assert caught.value.errno == errno.EMFILE


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    """EISDIR, in one line."""
    with pytest.raises(storage.UnreadableFile, match="Is a directory"):
        storage.open_input(str(tmp_path))


LONG = "x" * 223 + ".txt.gz"


@pytest.mark.parametrize("name", [LONG.encode(), b"caf\xe9.txt.gz", b"line\nfeed.txt.gz"])
def test_any_name_of_an_input_works(tmp_path: Path, name: bytes) -> None:
    """Names of 230 bytes, and such that are not UTF-8 or not one line (F23)."""
    path = os.path.join(os.fsencode(tmp_path), name)  # noqa: PTH118 -- bytes
    with open(path, "wb") as stream:  # noqa: PTH123 -- as above
        stream.write(b"content")
    (found,) = storage.find_inputs([str(tmp_path)])
    assert storage.read_bytes(found.path) == b"content"
    stem = storage.unit_stem(found.path)
    output = str(tmp_path / "out" / f"00000-{stem}.rejects.parquet")
    with storage.writing(output) as target:
        target.write(b"x")
    assert storage.read_bytes(output) == b"x"
    os.remove(path)  # noqa: PTH107 -- bytes
    with pytest.raises(storage.MissingFile) as caught:
        storage.open_input(found.path)
    str(caught.value).encode()
    assert "\n" not in str(caught.value)


def test_stems_of_short_plain_names_are_as_they_were() -> None:
    """Names of units are in the paths of published runs."""
    assert storage.unit_stem("/in/contents-000.parquet") == "contents-000"
    assert storage.unit_stem("s3://b/CC-MAIN-1.warc.wet.gz") == "CC-MAIN-1.warc.wet"
    assert storage.unit_stem("/in/enwiki-1.xml-p1p2.bz2") == "enwiki-1.xml-p1p2"
    assert storage.unit_stem("/in/a b+c.json.gz") == "a_b_c"
    assert storage.unit_stem("/in/é.xml") == "é"


def test_stems_of_names_that_were_cut_differ() -> None:
    """By a hash of the whole path; and they end at a character."""
    one, two = (storage.unit_stem(f"/in/{'é' * 110}{end}.gz") for end in "ab")
    assert one != two
    assert all(len(stem.encode()) <= 160 and stem.startswith("é" * 70) for stem in (one, two))
    first, second = (storage.unit_stem(os.fsdecode(b"/in/a" + end)) for end in (b"\xe9", b"\xe8"))
    assert first != second


def test_a_file_of_the_same_size_has_another_version(tmp_path: Path) -> None:
    """So that a replaced input is noticed on resume (F16)."""
    path = tmp_path / "a.gz"
    path.write_bytes(b"one")
    (before,) = storage.find_inputs([str(path)])
    path.write_bytes(b"two")
    os.utime(path, ns=(1, int(before.version) + 1))
    (after,) = storage.find_inputs([str(path)])
    assert before.size == after.size
    assert before.version != after.version
    assert storage.list_directory(str(tmp_path)) == [after] == [storage.find(str(path))]


def test_relative_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker has another current folder (F22)."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.gz").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    assert storage.absolute("run") == str(tmp_path / "run")
    assert storage.absolute("./run/../run/") == f"{tmp_path}/run/"
    assert storage.absolute("s3://b/run") == "s3://b/run"
    assert storage.absolute(f"file://{tmp_path}/run") == str(tmp_path / "run")
    for pattern in ("in", "in/", "in/*.gz", "in/a.gz", f"file://{tmp_path}/in/*.gz"):
        (found,) = storage.find_inputs([pattern])
        assert found.path == str(tmp_path / "in" / "a.gz")


def test_one_process_creates_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the filesystem has no hard links."""
    assert storage.create(str(tmp_path / "a"), b"1")
    assert not storage.create(str(tmp_path / "a"), b"2")
    assert (tmp_path / "a").read_bytes() == b"1"

    def refuse(*_: str) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    assert storage.create(str(tmp_path / "b"), b"1")
    assert not storage.create(str(tmp_path / "b"), b"2")
    assert (tmp_path / "b").read_bytes() == b"1"
    assert storage.list_names(str(tmp_path)) == ["a", "b"]


def test_a_file_is_created_while_another_sweeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its temporary file may be taken away once; it is written again."""
    link, calls = os.link, []

    def swept(source: str, target: str) -> None:
        calls.append(source)
        if len(calls) == 1:
            storage.sweep(str(tmp_path))
        link(source, target)

    monkeypatch.setattr(os, "link", swept)
    assert storage.create(str(tmp_path / "a"), b"1")
    assert len(calls) == 2
    assert storage.list_names(str(tmp_path)) == ["a"]


@pytest.mark.usefixtures("bucket")
def test_the_operations_of_a_store_that_beam_speaks_to() -> None:
    """Each of them, on a store without folders."""
    root = f"{SCHEME}://b"
    for name in ("in/a.gz", "in/b.gz", "in/.hidden", "in/deep/c.gz", "staged/1", "staged2"):
        storage.write_bytes(f"{root}/{name}", name.encode())
    found = storage.find_inputs([f"{root}/in/"])
    assert [file.path for file in found] == [f"{root}/in/a.gz", f"{root}/in/b.gz"]
    assert storage.list_names(f"{root}/in") == [".hidden", "a.gz", "b.gz"]
    assert dict(storage.read_many([file.path for file in found])) == {
        f"{root}/in/a.gz": b"in/a.gz",
        f"{root}/in/b.gz": b"in/b.gz",
    }
    storage.remove([f"{root}/staged", f"{root}/never"])
    assert len(storage.list_tree(root)) == 5
    assert storage.holds_other_than(root)
    assert not storage.holds_other_than(f"{root}/none")
    with pytest.raises(storage.MissingFile, match="none"):
        storage.read_bytes(f"{root}/in/none")
    assert storage.find(f"{root}/in/none") is None


@pytest.mark.usefixtures("bucket")
def test_only_one_creates_a_file_where_beam_has_no_conditional_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By writing and reading back."""
    monkeypatch.setattr(stores, "SETTLE_SECONDS", 0.2)
    path = f"{SCHEME}://b/LOCK"
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: storage.create(path, b"%d" % n), range(8)))
    assert sum(won) == 1
    assert storage.read_bytes(path) == b"%d" % won.index(True)


def in_a_process(program: str) -> str:
    """Run a program in a Python of its own; return what it prints."""
    words = [sys.executable, "-c", program]
    root = Path(__file__).parents[3]
    return subprocess.run(words, cwd=root, capture_output=True, text=True, check=True).stdout


def test_local_files_need_no_beam() -> None:
    """Beam takes most of a second to import; neither is boto3 imported."""
    program = (
        "import sys, pipelines.storage.files as storage, pipelines.engine.runs\n"
        "storage.find_inputs([sys.executable]); storage.read_bytes(sys.executable)\n"
        "unwanted = ('apache_beam', 'boto3', 'google.cloud', 'pipelines.storage.http')\n"
        "print([name for name in unwanted if name in sys.modules])"
    )
    assert in_a_process(program) == "[]\n"


@pytest.mark.parametrize(
    ("address", "module", "extra"),
    [("s3://b/a", "boto3", "aws"), ("gs://b/a", "google.cloud", "gcp")],
)
def test_a_store_whose_library_is_missing(
    monkeypatch: pytest.MonkeyPatch, address: str, module: str, extra: str
) -> None:
    """One line that says which extra to install."""
    monkeypatch.setitem(sys.modules, module, None)
    for store in (s3, gcs):
        store._client_of.cache_clear()
    with pytest.raises(storage.StorageError, match=rf"pip install 'corpusmill\[{extra}\]'"):
        storage.find_inputs([address])


def test_a_process_without_options_gives_beam_its_own() -> None:
    """As workers of a pool have none: stores that need some were refused there (F3)."""
    program = (
        "from pipelines.storage import beam_store\n"
        "from apache_beam.io.filesystems import FileSystems\n"
        "assert FileSystems._pipeline_options is None\n"
        "beam_store.filesystems()\n"
        "print(type(FileSystems._pipeline_options).__name__)"
    )
    assert in_a_process(program) == "PipelineOptions\n"
