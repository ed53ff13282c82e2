"""Dumps of sites: found, told apart, ranked by their posts, and cut into units (5.1, 5.2).

A site's posts come as ``SITE.7z``, as ``SITE-Posts.7z`` (Stack Overflow), as ``Posts.xml`` in a
folder named after the site, or as ``SITE-Posts.xml``; an XML file may be compressed (.gz, .bz2,
.zst). A plain file is cut into ranges, an archive is unpacked into pieces, and a compressed file is
read as a stream.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, BinaryIO

import pyarrow as pa

from filters.stackexchange import sites
from pipelines.engine.errors import RunError
from pipelines.engine.units import Part, Unit, unit_name
from pipelines.joins.pieces import PIECE
from pipelines.readers.compressed import Damage, read_pieces
from pipelines.readers.rows import Source, UnreadableFile, clip
from pipelines.readers.sevenzip import members, read_member
from pipelines.storage import files as storage

RANGE, STREAM = "range", "stream"  # kinds of units, besides pieces of archives
POSTS = "Posts.xml"
_XML = re.compile(r"(.*?)-?([A-Za-z]+)\.xml(\.gz|\.bz2|\.zst)?")
_ZSTD = b"\x28\xb5\x2f\xfd"
_READ_BYTES = 1 << 20
_EXPANDS = 6  # times: what compressed posts become, to guess the number of groups
_TABLES = {*sites.TABLES, "Sites"}


@dataclass(frozen=True)
class Dump:
    """The posts of one site."""

    site: str
    file: storage.InputFile
    size: int  # bytes of Posts.xml; a guess where it is compressed
    kind: str
    member: str = ""  # of an archive


def find_dumps(files: Iterable[storage.InputFile]) -> tuple[list[Dump], dict[str, str]]:
    """Return the dumps among files, by site, and those that cannot be read, with the reasons.

    Other tables of a dump are left alone.

    Raises:
        RunError: a site is there twice, or a file is none of a dump.
    """
    found: dict[str, Dump] = {}
    unreadable: dict[str, str] = {}
    for file in files:
        try:
            dump = _dump_of(file)
        except UnreadableFile as error:
            unreadable[file.path] = str(error)
            continue
        if dump is None:
            continue
        if other := found.get(dump.site):
            raise RunError(
                f"--input names the posts of {dump.site} twice ({other.file.path}, {file.path}): "
                "give one of them"
            )
        found[dump.site] = dump
    return [found[site] for site in sorted(found)], unreadable


def _dump_of(file: storage.InputFile) -> Dump | None:
    """Return the dump that a file is; None if it is another table of one."""
    name = storage.basename(file.path)
    if name.endswith(".7z"):
        site, table = sites.site_of_archive(name.removesuffix(".7z"))
        if table not in ("", "Posts"):
            return None
        with storage.open_input(file.path) as stream:
            inside = [m for m in members(stream, file.path) if storage.basename(m.name) == POSTS]
        if len(inside) != 1:
            raise UnreadableFile(f"{file.path} holds {len(inside)} files {POSTS}, and should one")
        return Dump(site, file, inside[0].size, PIECE, inside[0].name)
    parsed = _XML.fullmatch(name)
    if parsed is None or parsed[2] not in _TABLES:
        raise RunError(
            f"{file.path} is no dump of Stack Exchange: give SITE.7z, or Posts.xml (.gz, .bz2, "
            ".zst) in a folder named after its site"
        )
    if parsed[2] != "Posts":
        return None
    site = parsed[1] or storage.basename(file.path.removesuffix(name))
    if not site:
        raise RunError(f"{file.path}: put it into a folder named after its site")
    if parsed[3]:
        return Dump(site, file, max(file.size, 0) * _EXPANDS, STREAM)
    return Dump(site, file, max(file.size, 0), RANGE if file.size >= 0 else STREAM)


def units_of(dumps: Iterable[Dump], unit_bytes: int) -> list[Unit]:
    """Return the units that read the dumps, each of so many bytes of XML, if the dump splits."""
    units: list[Unit] = []
    for dump in dumps:
        size = max(dump.file.size, 0)
        count = 1 if dump.kind == STREAM else max(1, -(-dump.size // unit_bytes))
        borders = [size * number // count for number in range(count + 1)]
        for number in range(count):
            start, end = borders[number], borders[number + 1]
            # Of an archive the parts are numbered: its bytes say nothing about those of its rows.
            place = (start, end) if dump.kind == RANGE else (number, number + 1)
            units.append(
                Unit(
                    unit_name(len(units), f"{dump.site}-Posts"),
                    dump.kind,
                    (Part(dump.file.path, end - start, dump.file.version, *place),),
                    {"site": dump.site, "last": number == count - 1},
                )
            )
    return units


def open_pieces(stream: BinaryIO, name: str, start: int = 0) -> Iterator[bytes | Damage]:
    """Yield the bytes of an XML file, decompressed by what it begins with.

    Raises:
        UnreadableFile: it is neither XML nor compressed with gzip, bzip2 or zstd.
    """
    stream.seek(0)
    head = stream.read(len(_ZSTD))
    if head == _ZSTD:
        source = Source(stream)
        try:
            with pa.CompressedInputStream(pa.PythonFile(source, "r"), "zstd") as unpacked:
                while data := unpacked.read(_READ_BYTES):
                    yield data
        except (OSError, pa.ArrowException) as error:
            source.raise_own_error()
            yield Damage(clip(f"{type(error).__name__}: {error}"), truncated=True)
        return
    if not start:
        yield from read_pieces(stream, name)
        return
    stream.seek(start)
    while data := stream.read(_READ_BYTES):
        yield data


class _KeptOpen:
    """A stream that Arrow writes to and does not close."""

    closed = False

    def __init__(self, stream: IO[bytes]) -> None:
        self.write = stream.write
        self.flush = stream.flush

    def close(self) -> None:
        """Leave the stream open: it is committed by its owner."""


class _Cutter:
    """Writes bytes to pieces of about equal size, each from the start of a line."""

    def __init__(self, paths: Sequence[str], size: int) -> None:
        self._paths = list(paths)
        self._size = size
        self._number = 0
        self._at = 0
        self._open()

    def _open(self) -> None:
        self._file = storage.AtomicFile(self._paths[self._number])
        kept_open = pa.PythonFile(_KeptOpen(self._file.stream), "w")
        self._sink = pa.CompressedOutputStream(kept_open, "zstd")

    def _border(self) -> int:
        """Return where the next piece begins, at the latest line."""
        return self._size * (self._number + 1) // len(self._paths)

    def take(self, data: bytes) -> None:
        """Write bytes, going on to the next piece at the first line that begins in it."""
        while self._number + 1 < len(self._paths) and self._at + len(data) >= self._border():
            cut = data.find(b"\n", max(0, self._border() - 1 - self._at)) + 1
            if not cut:
                break
            self._sink.write(data[:cut])
            self._at += cut
            data = data[cut:]
            self.next()
        self._sink.write(data)
        self._at += len(data)

    def next(self) -> None:
        """End a piece and begin the next, if there is one."""
        self._sink.close()
        self._file.commit(durable=False)
        self._number += 1
        if self._number < len(self._paths):
            self._open()

    def end(self) -> None:
        """End all pieces that are left; those that no line begins in are empty."""
        while self._number < len(self._paths):
            self.next()

    def discard(self) -> None:
        """Leave nothing behind of a piece that has no end."""
        self._file.discard()


def unpack(path: str, pieces: Sequence[str]) -> None:
    """Write the Posts.xml of an archive to pieces.

    Raises:
        UnreadableFile: the archive is damaged.
    """
    with storage.open_input(path) as stream:
        (member,) = (m for m in members(stream, path) if storage.basename(m.name) == POSTS)
        with _cutting(pieces, member.size) as cutter:
            read_member(stream, path, member.name, cutter.take)
            cutter.end()


@contextmanager
def _cutting(pieces: Sequence[str], size: int) -> Iterator[_Cutter]:
    cutter = _Cutter(pieces, size)
    try:
        yield cutter
    finally:
        cutter.discard()
