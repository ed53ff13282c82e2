"""The files of a dump: found by listing, and their shards and groups by their place in it."""

import gzip
from pathlib import Path

import pytest

from pipelines.readers.rows import UnreadableFile
from pipelines.storage import files as storage
from pipelines.storage import http
from pipelines.storage.files import StorageError
from pipelines.storage.listing import (
    WebInput,
    dump_of,
    files_of,
    find_web_inputs,
    group_of,
    read_listing,
    shard_of,
)
from tests.pipelines.storage.web_server import serving

PATHS = ["crawl-data/CC-MAIN-2019-09/wet/b.warc.wet.gz", "crawl-data/CC-MAIN-2019-09/wet/a.gz"]
LISTING = "\n".join(PATHS).encode() + b"\n\n"


@pytest.mark.parametrize("files", [1, 5, 1599, 1600, 1601, 56_000, 89_123])
@pytest.mark.parametrize("shards", [1, 7, 1600, 5000])
def test_every_file_has_the_shard_that_owns_it(files: int, shards: int) -> None:
    """The shards of spec web 2.1 part the listing, and `shard_of` is their inverse."""
    owned = [(shard, index) for shard in range(shards) for index in files_of(shard, files, shards)]
    assert owned == [(shard_of(index, files, shards), index) for index in range(files)]


def test_groups_of_a_dump() -> None:
    """50 shards of 1600 are a group, which makes 32 of about equal size (spec web 4.4)."""
    groups = [group_of(index, 56_000) for index in range(56_000)]
    assert groups == sorted(groups)
    assert {groups.count(group) for group in range(32)} == {1750}


@pytest.mark.parametrize(
    ("path", "dump"),
    [
        ("crawl-data/CC-MAIN-2019-09/segments/1/wet/CC-MAIN-20190215-00000.gz", "CC-MAIN-2019-09"),
        ("https://data.commoncrawl.org/crawl-data/CC-MAIN-2009-2010/x", "CC-MAIN-2009-2010"),
        ("/data/CC-MAIN-2020-05", "CC-MAIN-2020-05"),
        ("/data/CC-MAIN-20240517233122-20240518023122-00000.warc.wet.gz", ""),
        ("/data/2019-09/x", ""),
    ],
)
def test_the_dump_of_a_path(path: str, dump: str) -> None:
    """By a folder of its name; a file's name holds times only."""
    assert dump_of(path) == dump


@pytest.mark.parametrize("name", ["wet.paths.gz", "wet.paths"])
def test_a_listing_keeps_its_order(tmp_path: Path, name: str) -> None:
    """Nothing is asked of a server before the run: sizes are unknown."""
    listing = tmp_path / name
    listing.write_bytes(gzip.compress(LISTING) if name.endswith(".gz") else LISTING)
    assert find_web_inputs([str(listing)], prefix="s3://commoncrawl") == [
        WebInput(f"s3://commoncrawl/{PATHS[0]}", -1, 0, 2),
        WebInput(f"s3://commoncrawl/{PATHS[1]}", -1, 1, 2),
    ]


def test_a_listing_of_local_files(tmp_path: Path) -> None:
    """They must all be there."""
    listing = tmp_path / "wet.paths"
    listing.write_bytes(LISTING)
    for path in PATHS:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"abc")
    found = find_web_inputs([str(listing)], prefix=str(tmp_path))
    assert [(file.path, file.size, file.index) for file in found] == [
        (str(tmp_path / path), 3, index) for index, path in enumerate(PATHS)
    ]
    (tmp_path / PATHS[1]).unlink()
    with pytest.raises(StorageError, match=r"1 of the 2 files .* are not there, first .*/a\.gz"):
        find_web_inputs([str(listing)], prefix=str(tmp_path))


def test_a_glob_is_sorted(tmp_path: Path) -> None:
    """The order of names stands for the listing."""
    for name in ("b.warc.wet.gz", "a.warc.wet.gz"):
        (tmp_path / name).write_bytes(b"xy")
    versions = [str((tmp_path / f"{n}.warc.wet.gz").stat().st_mtime_ns) for n in "ab"]
    assert find_web_inputs([str(tmp_path / "*.warc.wet.gz")]) == [
        WebInput(str(tmp_path / "a.warc.wet.gz"), 2, 0, 2, versions[0]),
        WebInput(str(tmp_path / "b.warc.wet.gz"), 2, 1, 2, versions[1]),
    ]


def test_a_listing_stands_alone(tmp_path: Path) -> None:
    """Else a file's place in it would say nothing."""
    with pytest.raises(StorageError, match="must be the only input"):
        find_web_inputs(["a/wet.paths.gz", str(tmp_path)])


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is empty"),
        (b"a\nb\na\n", "names a twice"),
        (gzip.compress(LISTING)[:-9], "cannot read the listing"),
        (b"\xff\xfe", "cannot read the listing"),
    ],
)
def test_a_bad_listing_is_refused(tmp_path: Path, data: bytes, problem: str) -> None:
    """A part of a listing would move every file to another shard."""
    listing = tmp_path / "wet.paths.gz"
    listing.write_bytes(data)
    with pytest.raises(StorageError, match=problem):
        read_listing(str(listing))


def test_a_listing_and_its_files_on_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """One request for the listing; a file that is missing is a bad file when it is opened."""
    monkeypatch.setattr(http.time, "sleep", lambda _: None)
    with serving({"/wet.paths.gz": gzip.compress(LISTING), f"/{PATHS[0]}": b"abc"}) as server:
        found = find_web_inputs([f"{server.url}/wet.paths.gz"], prefix=f"{server.url}/")
        assert server.requests == ["GET"]
        with storage.open_input(found[0].path) as stream:
            assert stream.read() == b"abc"
        with pytest.raises(UnreadableFile, match=r"a\.gz: HTTP 404"):
            storage.open_input(found[1].path)


def test_a_listing_that_is_not_there(tmp_path: Path) -> None:
    """The message names it."""
    with pytest.raises(StorageError, match=r"cannot read the listing .*none\.paths"):
        find_web_inputs([str(tmp_path / "none.paths")])
