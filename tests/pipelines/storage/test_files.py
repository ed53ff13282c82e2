"""Files on local disk and on an object store: whole or not at all, and the same run on both."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from apache_beam.io.filesystem import BeamIOError, FileMetadata, FileSystem

from pipelines.__main__ import main
from pipelines.samples.github import write_github_export
from pipelines.storage import files as storage

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
