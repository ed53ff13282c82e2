"""The files of a Common Crawl dump, as its listing names them (docs/rules/web.md 2.1).

A dump lists its files in `wet.paths.gz`: relative paths, one per line. The index of a file in that
list decides its shard and its group, so a run on a part of a dump has to name the whole listing.
"""

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.readers.rows import UnreadableFile
from pipelines.storage import files as storage

SHARDS = 1600  # per dump, as in cc_net
SHARDS_PER_GROUP = 50  # are deduplicated together: hash_in_mem of cc_net (docs/rules/web.md 4.4)
PREFIX = "https://data.commoncrawl.org/"
LISTING = re.compile(r"\.paths(\.gz)?$")
GZIP_MAGIC = b"\x1f\x8b"
DUMP = re.compile(r"(?:^|/)(CC-MAIN-\d{4}(?:-\d{2,4})?)(?=/|$)")
CRAWL_DATA = "crawl-data/"


@dataclass(frozen=True, slots=True)
class WebInput:
    """A file of a dump, with its place in the listing."""

    path: str  # local path or address
    size: int  # bytes; -1 if it is not known before opening
    index: int  # in the listing, from 0
    files: int  # number of files in the listing
    version: str = ""  # changes when the file is replaced; "" if not known before opening


def find_web_inputs(patterns: Sequence[str], *, prefix: str = PREFIX) -> list[WebInput]:
    """Return the files that the patterns name, in the order that decides their shards.

    They are either one listing (`wet.paths.gz` or `wet.paths`, a local path or an address), whose
    order counts, or files, globs and directories, which are sorted by path. Remote files of a
    listing are not checked: their size is -1, and a missing one fails when it is opened.

    Args:
        patterns: the values of --input.
        prefix: address or directory that the paths of a listing follow:
            https://data.commoncrawl.org/, s3://commoncrawl/, or a local directory.

    Raises:
        storage.StorageError: a pattern names nothing; a listing is empty, names a file twice, or
            is given together with other inputs.
    """
    listings = [pattern for pattern in patterns if LISTING.search(pattern)]
    if listings and len(patterns) > 1:
        raise storage.StorageError(
            f"{listings[0]} is a listing and must be the only input: a file's place in it decides "
            "its shard. Run each dump separately."
        )
    found = _listed(listings[0], prefix) if listings else storage.find_inputs(patterns)
    return [
        WebInput(file.path, file.size, index, len(found), file.version)
        for index, file in enumerate(found)
    ]


def read_listing(path: str) -> list[str]:
    """Return the paths in a listing, in its order.

    Raises:
        storage.StorageError: it cannot be read, is empty, or names a file twice.
    """
    try:
        data = storage.read_bytes(path)
        text = (gzip.decompress(data) if data.startswith(GZIP_MAGIC) else data).decode()
    except (UnreadableFile, OSError, EOFError, ValueError, zlib.error) as error:
        raise storage.StorageError(f"cannot read the listing {path}: {error}") from error
    paths = [line for line in map(str.strip, text.splitlines()) if line]
    if not paths:
        raise storage.StorageError(f"the listing {path} is empty: fetch it again")
    twice, times = Counter(paths).most_common(1)[0]
    if times > 1:
        raise storage.StorageError(f"the listing {path} names {twice} twice: fetch it again")
    return paths


def _listed(listing: str, prefix: str) -> list[storage.InputFile]:
    paths = read_listing(listing)
    if not storage.is_local(prefix):
        return [storage.InputFile(f"{prefix.rstrip('/')}/{path}", -1) for path in paths]
    local = [storage.join(storage.absolute(prefix), path) for path in paths]
    found = [storage.find(path) for path in local]
    missing = [path for path, file in zip(local, found, strict=True) if file is None]
    if missing:
        raise storage.StorageError(
            f"{len(missing)} of the {len(local)} files of {listing} are not there, first "
            f"{missing[0]}: give the directory that holds crawl-data/ as the prefix"
        )
    return [file for file in found if file is not None]


def shard_of(index: int, files: int, shards: int = SHARDS) -> int:
    """Return the shard of a file: s has the files from floor(s n / N) to floor((s + 1) n / N).

    Args:
        index: index of the file in the listing, from 0.
        files: n, the number of files in the listing.
        shards: N, the number of shards of the dump.

    >>> [shard_of(index, 5, 2) for index in range(5)]
    [0, 0, 1, 1, 1]
    """
    return ((index + 1) * shards - 1) // files


def files_of(shard: int, files: int, shards: int = SHARDS) -> range:
    """Return the indices of a shard's files, which may be none.

    >>> files_of(1, 5, 2)
    range(2, 5)
    """
    return range(shard * files // shards, (shard + 1) * files // shards)


def group_of(
    index: int, files: int, shards: int = SHARDS, shards_per_group: int = SHARDS_PER_GROUP
) -> int:
    """Return the group of shards that a file belongs to; its paragraphs are compared within it.

    >>> group_of(0, 56_000), group_of(55_999, 56_000)
    (0, 31)
    """
    return shard_of(index, files, shards) // shards_per_group


def dump_of(path: str) -> str:
    """Return the dump that a path or an address names, or "" if it names none.

    >>> dump_of("s3://commoncrawl/crawl-data/CC-MAIN-2019-09/segments/1/wet/x.warc.wet.gz")
    'CC-MAIN-2019-09'
    """
    found = DUMP.search(path)
    return found[1] if found else ""


def crawl_path(path: str) -> str:
    """Return the part of a path that a listing has, or else the file's name.

    >>> crawl_path("https://data.commoncrawl.org/crawl-data/CC-MAIN-2019-09/x.gz")
    'crawl-data/CC-MAIN-2019-09/x.gz'
    >>> crawl_path("/data/x.gz")
    'x.gz'
    """
    place = path.rfind(CRAWL_DATA)
    return storage.basename(path) if place < 0 else path[place:]
