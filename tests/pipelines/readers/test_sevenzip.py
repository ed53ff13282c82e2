"""7z archives: every method that dumps were packed with, and what is wrong with one."""

import io
from typing import Any

import py7zr
import pytest

from pipelines.readers.rows import UnreadableFile
from pipelines.readers.sevenzip import Member, members, read_member

CONTENT = b"".join(b'  <row Id="%d" />\r\n' % number for number in range(5000))
OTHER = b"<users />"
NAMES = ("Badges.xml", "dump/Posts.xml", "Users.xml")


def packed(*methods: dict[str, Any], password: str | None = None) -> io.BytesIO:
    """Return an archive of three files, the posts between two others."""
    out = io.BytesIO()
    options: dict[str, Any] = {"filters": list(methods) or None, "password": password}
    with py7zr.SevenZipFile(out, "w", **options) as archive:
        for name in NAMES:
            archive.writef(io.BytesIO(CONTENT if "Posts" in name else OTHER), name)
    return out


def read(archive: io.BytesIO) -> bytes:
    """Return the posts."""
    pieces: list[bytes] = []
    read_member(archive, "a.7z", NAMES[1], pieces.append)
    return b"".join(pieces)


@pytest.mark.parametrize(
    "methods",
    [
        [{"id": py7zr.FILTER_LZMA2, "preset": 1}],
        [{"id": py7zr.FILTER_LZMA}],
        [{"id": py7zr.FILTER_BZIP2}],
        [{"id": py7zr.FILTER_PPMD, "order": 6, "mem": 24}],
        [{"id": py7zr.FILTER_DEFLATE}],
        [{"id": py7zr.FILTER_COPY}],
        [{"id": py7zr.FILTER_X86}, {"id": py7zr.FILTER_LZMA2, "preset": 1}],
    ],
)
def test_every_method_is_read(methods: list[dict[str, Any]]) -> None:
    """The directory gives names and sizes; a member is read by itself."""
    archive = packed(*methods)
    sizes = (len(OTHER), len(CONTENT), len(OTHER))
    assert members(archive, "a.7z") == [*map(Member, NAMES, sizes)]
    assert read(archive) == CONTENT


def test_an_archive_that_needs_a_password_says_so() -> None:
    """It cannot be read, and its user has to act."""
    with pytest.raises(UnreadableFile, match=r"a\.7z.*password"):
        members(packed(password=NAMES[0]), "a.7z")


@pytest.mark.parametrize("content", [b"", b"<posts />", b"7z\xbc\xaf\x27\x1c" + bytes(40)])
def test_what_is_no_archive_is_unreadable(content: bytes) -> None:
    """By its name, with what to do."""
    with pytest.raises(UnreadableFile, match=r"a\.7z cannot be read as 7z .*fetch it again"):
        members(io.BytesIO(content), "a.7z")


@pytest.mark.parametrize("at", [40, 300])
def test_damage_is_found_by_the_checksum(at: int) -> None:
    """Also where the method itself does not notice it."""
    hurt = bytearray(packed({"id": py7zr.FILTER_COPY}).getvalue())
    hurt[at] ^= 1
    with pytest.raises(UnreadableFile, match=r"a\.7z"):
        read_member(io.BytesIO(hurt), "a.7z", NAMES[1 if at > 40 else 0], lambda _: None)


def test_an_error_of_the_taker_is_its_own() -> None:
    """A full disk is no fault of the archive."""

    def take(_: bytes) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        read_member(packed(), "a.7z", NAMES[1], take)


class _Broken(io.BytesIO):
    """A connection that is lost after the directory was read."""

    lost = False

    def read(self, size: int | None = -1) -> bytes:
        if self.lost:
            raise ConnectionResetError("lost")
        return super().read(size)


def test_an_error_of_the_stream_is_its_own() -> None:
    """A lost connection is no fault of the archive."""
    stream = _Broken(packed().getvalue())
    assert len(members(stream, "a.7z")) == len(NAMES)
    stream.lost = True
    with pytest.raises(ConnectionResetError, match="lost"):
        read_member(stream, "a.7z", NAMES[1], lambda _: None)
