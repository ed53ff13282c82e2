"""The submissions in arXiv's tar files: framed, and unpacked in memory (docs/rules/sources.md 4.1).

A tar file holds a member for each paper: ``YYMM/ID.gz`` or ``YYMM/ID.pdf``. What a ``.gz`` holds is
told by its content: an archive, one TeX file, PostScript, HTML, or nothing.
"""

import hashlib
import io
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any, BinaryIO

from filters.arxiv.identifiers import Identifier, identifier_of
from pipelines.engine.documents import Document
from pipelines.engine.passes import Notes
from pipelines.engine.units import Part, Unit
from pipelines.readers.rows import BadRow, UnreadableFile
from pipelines.storage import files as storage

MAX_SUBMISSION_BYTES = 200_000_000  # as it lies in the tar file
MAX_UNPACKED_BYTES = 200_000_000
MAX_MEMBERS = 5_000
MAX_RATIO = 200  # of unpacked to packed bytes, beyond the first million
_READ_BYTES = 1 << 20
_GZIP = b"\x1f\x8b"


@dataclass(slots=True)
class Submission:
    """A member of a tar file."""

    row: int  # number of the member among the files of its tar, from 0
    name: str  # "0704/0704.0001.gz"
    data: bytes

    @property
    def identifier(self) -> Identifier | None:
        """The identifier that the name holds."""
        stem = self.name.rpartition("/")[2].rpartition(".")[0]
        return identifier_of(stem)


@dataclass(slots=True)
class PaperDocument(Document):
    """A document with the members of its archive, which the stages read and nobody writes."""

    members: dict[str, bytes] = field(default_factory=dict)


class _Checked(io.RawIOBase):
    """A stream whose bytes are hashed as they are read."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.md5 = hashlib.md5(usedforsecurity=False)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self.md5.update(data)
        return len(data)


def read_submissions(
    unit: Unit, part: Part, *, content: bool = True
) -> Iterator[Submission | BadRow]:
    """Yield the submissions of a tar file in order.

    Args:
        unit: its ``extra["md5"]`` is what the manifest says, "" where there is none.
        part: the tar file.
        content: fetch what the members hold; else their ``data`` is empty.

    Raises:
        UnreadableFile: it is no tar file, or its MD5 is another; nothing of it may be kept.
    """
    with storage.open_input(part.path) as stream:
        checked = _Checked(stream)
        yield from _members(io.BufferedReader(checked, _READ_BYTES), part.path, content=content)
        while checked.read(_READ_BYTES):
            pass
    expected = unit.extra.get("md5", "")
    if expected and checked.md5.hexdigest() != expected:
        raise UnreadableFile(
            f"{part.path}: its MD5 is {checked.md5.hexdigest()}, the manifest says {expected}. "
            "Fetch the file again."
        )


def _members(stream: IO[bytes], path: str, *, content: bool) -> Iterator[Submission | BadRow]:
    row = -1
    try:
        with tarfile.open(fileobj=stream, mode="r|", encoding="latin-1") as archive:
            for member in archive:
                archive.members = []  # type: ignore[attr-defined] # tarfile keeps them all
                if not member.isfile():
                    continue
                row += 1
                if member.size > MAX_SUBMISSION_BYTES:
                    yield BadRow(row, "too_large", f"{member.name}: {member.size} bytes")
                    continue
                data = b""
                if content:
                    reader = archive.extractfile(member)
                    data = reader.read() if reader else b""
                yield Submission(row, member.name, data)
    except (tarfile.TarError, EOFError, ValueError) as error:
        if row < 0:
            raise UnreadableFile(f"{path}: no tar file ({error}). Fetch it again.") from error
        yield BadRow(row + 1, "truncated_file", f"after {row + 1} members: {error}")


def records(unit: Unit, part: Part, _notes: Notes) -> Iterator[Submission | BadRow]:
    """Frame the submissions of a tar file."""
    return read_submissions(unit, part)


class UnpackError(Exception):
    """A submission that is not unpacked; the message is the reason's name and a detail."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def unpack(name: str, data: bytes) -> tuple[str, dict[str, bytes]]:
    """Return what kind of submission it is, and its members by name.

    Kinds: ``tex``; without members
    ``pdf_only``, ``postscript``, ``html``, ``withdrawn``, ``empty``.

    Raises:
        UnpackError: it is damaged or beyond the limits.
    """
    if name.lower().endswith(".pdf") or data.startswith(b"%PDF"):
        return "pdf_only", {}
    if data.startswith(_GZIP):
        data = _gunzip(data)
    if not data.strip(b"\0 \t\r\n"):
        return "empty", {}
    members = _tar_members(data)
    if members is None:
        return _kind_of(data), {"main.tex": data}
    if not any(content.strip() for content in members.values()):
        return "empty", {}
    return _kind_of_archive(members), members


def _gunzip(data: bytes) -> bytes:
    """Return what the gzip members hold; bytes after them are ignored (4.1)."""
    limit = min(MAX_UNPACKED_BYTES, 1_000_000 + MAX_RATIO * len(data))
    out: list[bytes] = []
    size = 0
    while data.startswith(_GZIP):
        inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            part = inflater.decompress(data, limit - size + 1)
        except zlib.error as error:
            if out:
                break
            raise UnpackError("damaged_gzip", str(error)) from error
        size += len(part)
        if size > limit:
            raise UnpackError("too_large", f"more than {limit} bytes unpacked")
        out.append(part)
        if not inflater.eof:
            raise UnpackError("damaged_gzip", "it ends too early")
        data = inflater.unused_data
    return b"".join(out)


def _tar_members(data: bytes) -> dict[str, bytes] | None:
    """Return the files of a tar archive, None if it is none. Links and odd paths are left out."""
    try:
        archive = tarfile.open(fileobj=io.BytesIO(data), mode="r:", encoding="latin-1")  # noqa: SIM115
    except (tarfile.TarError, ValueError, EOFError):
        return None
    members: dict[str, bytes] = {}
    count = size = 0
    with archive:
        try:
            for member in archive:
                count += 1
                if count > MAX_MEMBERS:
                    raise UnpackError("too_many_members", f"more than {MAX_MEMBERS}")
                path = member.name.replace("\\", "/")
                if not member.isreg() or path.startswith("/") or ".." in path.split("/"):
                    continue
                size += member.size
                if size > MAX_UNPACKED_BYTES:
                    raise UnpackError("too_large", f"more than {MAX_UNPACKED_BYTES} bytes")
                reader = archive.extractfile(member)
                members[_decoded(path)] = reader.read() if reader else b""
        except (tarfile.TarError, ValueError, EOFError) as error:
            if not members:
                return None
            raise UnpackError("damaged_tar", str(error)) from error
    return members


def _decoded(path: str) -> str:
    """Return a name as UTF-8 if it is that, else as Latin-1."""
    raw = path.encode("latin-1", "replace")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return path


def _kind_of(data: bytes) -> str:
    """Tell what a single file is by its first bytes."""
    start = data.lstrip(b"\xef\xbb\xbf \t\r\n\x04\f")[:512]
    lower = start.lower()
    if start.startswith(b"%auto-ignore"):
        return "withdrawn"
    if start.startswith(b"%PDF"):
        return "pdf_only"
    if start.startswith((b"%!", b"\xc5\xd0\xd3\xc6")):
        return "postscript"
    if lower.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml")):
        return "html"
    if b"\0" in data[:4096]:
        return "no_tex"
    return "tex"


def _kind_of_archive(members: dict[str, bytes]) -> str:
    """Tell what an archive is that may hold no TeX at all."""
    kinds = {name: _kind_of(data) for name, data in members.items() if data.strip()}
    names = {name for name in kinds if name.lower().endswith((".tex", ".ltx", ".latex", ".txt"))}
    names |= {name for name in kinds if "." not in name.rpartition("/")[2]}
    texts = {name for name in names if kinds[name] == "tex"}
    if texts:
        return "tex"
    for kind in ("withdrawn", "pdf_only", "postscript", "html"):
        if kind in kinds.values():
            return kind
    return "no_tex"


def paper_document(submission: Submission, tar: str) -> Document | BadRow:
    """Make the document of a submission; what cannot be unpacked has no members and says why."""
    identifier = submission.identifier
    if identifier is None:
        return BadRow(submission.row, "no_identifier", submission.name[:200])
    detail = ""
    try:
        kind, members = unpack(submission.name, submission.data)
    except UnpackError as error:
        kind, members, detail = error.reason, {}, error.detail
    return PaperDocument(
        id=f"arxiv:{identifier.name}",
        source="arxiv",
        text="",
        url=identifier.url,
        created=identifier.month,
        meta={
            "arxiv_id": identifier.name,
            "yymm": identifier.yymm,
            "tar": tar,
            "kind": kind,
            "detail": detail,
        },
        row=submission.row,
        members=members,
    )
