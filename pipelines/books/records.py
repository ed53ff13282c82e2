"""Books from files: a text, a zip or a tar of texts, or JSON lines; and a document of each."""

import bz2
import contextlib
import gzip
import hashlib
import io
import json
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, BinaryIO, Final, NamedTuple

from filters.books.header import header_facts
from filters.books.layout import unify_lines
from pipelines.books.catalogue import Facts, facts_of_rdf, read_catalogue
from pipelines.books.decoding import Decoded, decode_book
from pipelines.books.files import GUTENBERG, ROWS, TAR, best_files, ebook_of
from pipelines.engine.documents import Document
from pipelines.engine.passes import Notes
from pipelines.engine.steps import Verdicts
from pipelines.engine.units import Part, Unit
from pipelines.readers.rows import BadRow, UnreadableFile, clip, repair_texts, without_surrogates
from pipelines.storage import files as storage

MAX_BOOK_BYTES: Final = 256 << 20  # of one text; the longest of Project Gutenberg has 30 MB
HEADER_CHARS: Final = 1 << 16  # of a text, in which its header states facts
URL: Final = "https://www.gutenberg.org/ebooks/"
_NUMBER_IN_URL: Final = re.compile(r"gutenberg\.org/(?:ebooks|etext|files|cache/epub)/(\d+)")
_TITLE_KEYS: Final = ("title", "short_book_title")
_GZIP, _BZIP2 = b"\x1f\x8b", b"BZh"


class RawBook(NamedTuple):
    """A book as its file frames it."""

    row: int  # number of the record in its file, from 0
    name: str  # where it lies, below the path that the user gave
    data: bytes | None  # None: another file of the same ebook is read
    told: Facts  # what the launcher knows of its file
    rdf: bytes = b""  # the catalogue's file about it


def records(unit: Unit, part: Part, notes: Notes) -> Iterator[RawBook | BadRow]:
    """Frame the books of one file.

    Raises:
        UnreadableFile: the file is none of what its name says.
    """
    told = unit.extra["books"][unit.parts.index(part)]
    if told.get("chosen"):
        yield RawBook(0, told["relative"], None, told)
        return
    kind = unit.kind.rpartition("-")[2]
    if kind == ROWS:
        yield from _rows(part, told)
    elif kind == TAR:
        members = _members_of_tar(part, told, notes)
        if unit.kind.startswith(GUTENBERG):
            best = best_files(_names_in_tar(part))
            members = (_of_ebook(book, best) for book in members)
        yield from members
    elif part.path.lower().endswith(".zip"):
        yield from _members_of_zip(part, told, notes)
    elif part.size > MAX_BOOK_BYTES:
        yield BadRow(0, "too_large", f"{part.size} bytes")
    else:
        rdf = storage.read_bytes(told["rdf"]) if told.get("rdf") else b""
        with storage.open_input(part.path) as stream:
            data = _unpacked(stream, part.path).read(MAX_BOOK_BYTES + 1)
        if len(data) > MAX_BOOK_BYTES:
            yield BadRow(0, "too_large", f"over {MAX_BOOK_BYTES} bytes")
        else:
            yield RawBook(0, told.get("relative", ""), data, told, rdf)


class _Checked(io.RawIOBase):
    """Bytes of a packed file; damage makes the file unreadable."""

    def __init__(self, stream: Any, path: str) -> None:
        self._stream, self._path = stream, path

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._stream.read(len(buffer))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UnreadableFile(
                f"{self._path}: damaged ({clip(str(error))}). Fetch it again"
            ) from error
        buffer[: len(data)] = data
        return len(data)


def _unpacked(stream: BinaryIO, path: str) -> BinaryIO:
    """Return a stream of what a file holds, whatever its name says of its packing."""
    start = stream.read(3)
    stream.seek(0)
    if start.startswith(_GZIP):
        return io.BufferedReader(_Checked(gzip.GzipFile(fileobj=stream), path), 1 << 17)
    if start.startswith(_BZIP2):
        return io.BufferedReader(_Checked(bz2.BZ2File(stream), path), 1 << 17)
    return stream


def _rows(part: Part, told: Facts) -> Iterator[RawBook | BadRow]:
    """Frame lines that are not blank, one book each."""
    with storage.open_input(part.path) as packed:
        stream = _unpacked(packed, part.path)
        row = 0
        while line := stream.readline(MAX_BOOK_BYTES):
            if len(line) == MAX_BOOK_BYTES and not line.endswith(b"\n"):
                while line and not line.endswith(b"\n"):
                    line = stream.readline(MAX_BOOK_BYTES)
                yield BadRow(row, "too_large", f"over {MAX_BOOK_BYTES} bytes")
            elif line.isspace():
                continue
            else:
                yield RawBook(row, told["relative"], line, told)
            row += 1


def _members_of_zip(part: Part, told: Facts, notes: Notes) -> Iterator[RawBook | BadRow]:
    with storage.open_input(part.path) as stream:
        try:
            archive = zipfile.ZipFile(stream)
        except zipfile.BadZipFile as error:
            raise UnreadableFile(f"{part.path}: no zip file ({error}). Fetch it again") from error
        row = 0
        for member in archive.infolist():
            if not member.filename.lower().endswith(".txt"):
                notes["zip_members_without_text"] += not member.is_dir()
                continue
            name = f"{told.get('relative', '')}/{member.filename}"
            if member.file_size > MAX_BOOK_BYTES:
                yield BadRow(row, "too_large", f"{name}: {member.file_size} bytes")
            else:
                try:
                    yield RawBook(row, name, archive.read(member), told)
                except (
                    zipfile.BadZipFile,
                    zlib.error,
                    EOFError,
                    RuntimeError,
                    NotImplementedError,
                ) as error:
                    yield BadRow(row, "damaged_member", clip(f"{name}: {error}"))
            row += 1


def _names_in_tar(part: Part) -> list[str]:
    """Return the names of the texts in a tar; of a damaged one, those of the whole texts."""
    names: list[str] = []
    whole = 0
    damage = contextlib.suppress(tarfile.TarError, EOFError, zlib.error)
    with (
        storage.open_input(part.path) as stream,
        damage,
        tarfile.open(fileobj=stream, mode="r|*") as archive,
    ):
        for member in archive:
            whole = len(names)  # the texts before this member are whole
            if _is_text(member):
                names.append(_name_in_tar(member))
        whole = len(names)
    return names[:whole]


def _is_text(member: tarfile.TarInfo) -> bool:
    return member.isfile() and member.name.lower().endswith(".txt")


def _name_in_tar(member: tarfile.TarInfo) -> str:
    return member.name.removeprefix("./")


def _of_ebook(book: RawBook | BadRow, best: Mapping[str, str]) -> RawBook | BadRow:
    """Return a member of an archive of ebooks with what its name tells of it.

    Args:
        book: the member.
        best: the member to read, for each ebook.
    """
    if isinstance(book, BadRow):
        return book
    ebook, _ = ebook_of(book.name)
    told = {**book.told, "ebook": ebook, "relative": book.name, "named": True}
    read = best.get(ebook, book.name)
    if book.name != read:
        if not told.get("all_versions"):
            return book._replace(data=None, told={**told, "chosen": read})
        told["version"] = book.name
    return book._replace(told=told)


def _members_of_tar(part: Part, told: Facts, notes: Notes) -> Iterator[RawBook | BadRow]:
    row = 0
    with storage.open_input(part.path) as stream:
        try:
            with tarfile.open(fileobj=stream, mode="r|*") as archive:
                for member in archive:
                    if not _is_text(member):
                        notes["tar_members_without_text"] += member.isfile()
                        continue
                    if member.size > MAX_BOOK_BYTES:
                        yield BadRow(row, "too_large", f"{member.name}: {member.size} bytes")
                    elif data := archive.extractfile(member):
                        yield RawBook(row, _name_in_tar(member), data.read(), told)
                    row += 1
        except (tarfile.TarError, EOFError, zlib.error) as error:
            if not row:
                raise UnreadableFile(
                    f"{part.path}: no tar file ({error}). Fetch it again"
                ) from error
            yield BadRow(row, "truncated_file", clip(str(error)))


def converter(unit: Unit, _verdicts: Verdicts, _notes: Notes) -> Callable[[RawBook], Any]:
    """Return what makes a document of a book of this unit."""
    origin, _, kind = unit.kind.partition("-")
    if kind == ROWS:
        return document_of_row if origin == GUTENBERG else document_of_books3_row
    if origin == GUTENBERG:
        return document_of_ebook
    return document_of_text


def document_of_ebook(book: RawBook) -> Document:
    """Return the document of a text of Project Gutenberg."""
    number, told = book.told.get("ebook") or ebook_of(book.name)[0], book.told
    name = number if told.get("named") or not book.row else f"{number}/{book.row}"
    if book.data is None:
        name = f"{number}/{book.name}"
        return Document(
            f"{GUTENBERG}:{name}", GUTENBERG, "", row=0, meta={"chosen": told["chosen"]}
        )
    if told.get("version"):
        name = f"{number}/{told['version']}"
    decoded = decode_book(book.data)
    catalogued = facts_of_rdf(book.rdf) if book.rdf else told.get("facts") or _stated(told, number)
    facts = {**header_facts(unify_lines(decoded.text[:HEADER_CHARS])), **catalogued}
    return _document(f"{GUTENBERG}:{name}", book, decoded, facts, number)


def _stated(told: Facts, number: str) -> Facts:
    """Return what the catalogue says of an ebook whose number was not known before it was read."""
    return _catalogue(told["catalogue"]).get(number, {}) if told.get("catalogue") else {}


@lru_cache(maxsize=1)
def _catalogue(path: str) -> dict[str, Facts]:
    """Return the catalogue, read once per process."""
    return read_catalogue(path)


def document_of_text(book: RawBook) -> Document:
    """Return the document of a text of another collection."""
    assert book.data is not None
    return _document(f"books3:{_digest(book.name)}", book, decode_book(book.data), {})


def document_of_row(book: RawBook) -> Document | BadRow:
    """Return the document of a JSON row of Project Gutenberg, of PG-19 for example."""
    row = _parsed(book)
    if isinstance(row, BadRow):
        return row
    decoded, facts = row
    number = str(facts.pop("id", "")) or f"{book.name}:{book.row}"
    if match := _NUMBER_IN_URL.search(facts.get("url", "")):
        number = match[1]
    header = header_facts(unify_lines(decoded.text[:HEADER_CHARS]))
    facts = {**header, **facts, **_stated(book.told, number)}
    return _document(f"{GUTENBERG}:{number}", book, decoded, facts, number)


def document_of_books3_row(book: RawBook) -> Document | BadRow:
    """Return the document of a JSON row of another collection."""
    row = _parsed(book)
    if isinstance(row, BadRow):
        return row
    decoded, facts = row
    facts.pop("id", None)
    name = f"books3:{_digest(f'{book.name}/{book.row}')}"
    return _document(name, book, decoded, facts)


def _parsed(book: RawBook) -> tuple[Decoded, Facts] | BadRow:
    assert book.data is not None
    line = decode_book(book.data)
    try:
        row = json.loads(line.text)
    except (ValueError, RecursionError) as error:
        return BadRow(book.row, "bad_json", f"{clip(str(error))}: {clip(line.text[:200])}")
    if not isinstance(row, dict):
        return BadRow(book.row, "bad_json", "not an object")
    row, replaced = repair_texts(row, without_surrogates)
    if not isinstance(row.get("text"), str):
        return BadRow(book.row, "missing_field", "text")
    meta = row["meta"] if isinstance(row.get("meta"), dict) else {}
    facts: Facts = {}
    for source in (meta, row):
        for key in ("id", "url", "author", "year", "publication_date", *_TITLE_KEYS):
            if isinstance(source.get(key), str | int) and source[key] != "":
                facts["title" if key in _TITLE_KEYS else key] = source[key]
    facts = {
        key: str(value) if key in ("id", "url", "title") else value for key, value in facts.items()
    }
    return Decoded(row["text"], "utf-8", line.replaced + replaced), facts


def _digest(name: str) -> str:
    return hashlib.sha1(name.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def _document(
    name: str, book: RawBook, decoded: Decoded, facts: Facts, number: str = ""
) -> Document:
    facts = dict(facts)
    stated = str(facts.pop("number", ""))
    ebook = number if number.isdecimal() else stated
    meta = {key: value for key, value in facts.items() if key not in ("lang", "created", "url")}
    meta["file"] = book.name
    if ebook:
        meta["ebook"] = int(ebook)
    if decoded.encoding != "utf-8":
        meta["encoding"] = decoded.encoding
    if decoded.replaced:
        meta["replaced"] = decoded.replaced
    return Document(
        name,
        name.partition(":")[0],
        decoded.text,
        url=facts.get("url") or (URL + ebook if ebook else None),
        created=facts.get("created"),
        lang=facts.get("lang"),
        row=book.row,
        meta=meta,
    )
