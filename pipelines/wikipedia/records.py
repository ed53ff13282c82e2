"""Read MediaWiki's export XML, versions 0.3 to 0.11, as pages (docs/rules/sources.md 2.1).

A dump is read as a stream: expat reports where elements begin and end, and only the last revision
of the current page is kept. Tags are matched by their local names. Damage loses the page it is in,
and reading continues at the next ``<page>``, which no text contains, since texts escape ``<``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

from pipelines.readers.compressed import Damage, first_bytes, read_pieces
from pipelines.readers.rows import BadRow, UnreadableFile, clip, convert_each
from pipelines.wikipedia.export import MAX_DIGITS, ExportParser, SiteInfo, is_integer

_PAGE = b"<page>"
_ROOT = b"<mediawiki>"
_HEAD_BYTES = 1 << 16  # of a bzip2 file: they hold the head, which then needs no more than a block
# XML forbids these control characters. MediaWiki removes them; some tools that cut dumps do not.
_FORBIDDEN = bytes(set(range(32)) - {9, 10, 13})


@dataclass(slots=True)
class Page:
    """One page with its last revision."""

    row: int  # number in its range, from 0, with bad pages included
    page_id: int
    title: str
    namespace: int
    redirect: str | None  # title of the target, "" if the dump does not name it
    revision_id: int
    timestamp: str | None  # ISO-8601, UTC
    model: str
    text: str | None  # None if there is no text, or it was deleted


@dataclass(slots=True)
class RawPage:
    """The texts of the elements of one page and of its last revision, not yet converted."""

    row: int  # number in its range, from 0, with bad pages included
    fields: dict[str, str]  # by element: title, ns, id, redirect, revision.id, revision.text ...


def read_siteinfo(stream: BinaryIO, name: str) -> SiteInfo:
    """Return the facts about the wiki that the head of a dump states.

    Raises:
        UnreadableFile: the file is not a MediaWiki export, or its beginning is damaged.
    """
    if site := _site_in(first_bytes(stream, 0, _HEAD_BYTES)):
        return site
    stream.seek(0)
    parser = ExportParser()
    problem = ""
    for piece in read_pieces(stream, name):
        if isinstance(piece, Damage):
            problem = piece.detail
            break
        if wrong := parser.feed(piece):
            problem = wrong[1]
        if problem or parser.site or parser.pages or parser.open is not None:
            break
    if parser.root != "mediawiki":
        what = problem or (f"its root element is <{parser.root}>" if parser.root else "it is empty")
        raise UnreadableFile(
            f"{name}: no MediaWiki export ({clip(what)}). Give pages-articles dumps; if it is one, "
            "it was damaged in a copy: fetch it again"
        )
    return parser.site or SiteInfo()


def _site_in(head: bytes) -> SiteInfo | None:
    """Return the facts about the wiki, if these first bytes of a dump hold all of them."""
    parser = ExportParser()
    parser.feed(head)
    return parser.site if parser.root == "mediawiki" else None


def read_pages(
    stream: BinaryIO,
    name: str,
    site: SiteInfo | None = None,
    *,
    start: int = 0,
    end: int | None = None,
) -> Iterator[Page | BadRow]:
    """Yield the pages of a dump, or of a range of its streams.

    Args:
        stream: the file as it is stored (bzip2, gzip, or plain), seekable.
        name: name of the file, for messages.
        site: the namespaces of the wiki, for exports before 0.6, whose pages do not state theirs.
        start: start of the range: 0, or the offset of a stream that begins with a page.
        end: end of the range: the offset of another such stream, or None for the end of the file.

    Yields:
        pages, and a ``BadRow`` for what could not be read: ``bad_xml``, ``missing_field``,
        ``bad_number`` and ``too_large`` for a page, ``damaged_stream`` for the pages of a stream,
        ``truncated_file`` for all pages that would follow.

    Raises:
        UnreadableFile: the file is not compressed XML at all.
    """
    return convert_each(
        frame_pages(stream, name, start=start, end=end), partial(wiki_page, site=site)
    )


def frame_pages(
    stream: BinaryIO, name: str, *, start: int = 0, end: int | None = None
) -> Iterator[RawPage | BadRow]:
    """Cut a dump, or a range of its streams, into pages for ``wiki_page``.

    The arguments and the errors are those of ``read_pages``.
    """
    scanner = _Scanner(within=start > 0)
    damaged = False
    carry = b""
    for piece in read_pieces(stream, name, start, end):
        if isinstance(piece, Damage):
            reason = "truncated_file" if piece.truncated else "damaged_stream"
            yield scanner.lose(reason, piece.detail)
            damaged, carry = piece.truncated, b""
            continue
        data = carry + piece
        cut = _whole_characters(data)
        yield from scanner.feed(_repaired(data[:cut]))
        carry = data[cut:]
    if (problem := scanner.ending(within=end is not None)) and not damaged:
        yield scanner.lose("truncated_file", problem)


class _Scanner:
    """A scanner that cuts bytes into pages; after damage it goes on at the next ``<page>``."""

    def __init__(self, *, within: bool) -> None:
        self._row = 0
        self._tail = b""
        self._parser: ExportParser | None = self._begin() if within else ExportParser()

    def _begin(self) -> ExportParser:
        parser = ExportParser()
        parser.feed(_ROOT)
        return parser

    def feed(self, data: bytes) -> Iterator[RawPage | BadRow]:
        """Yield the pages that end in these bytes."""
        while data:
            if self._parser is None:
                data = self._tail + data
                at = data.find(_PAGE)
                self._tail = data[1 - len(_PAGE) :] if at < 0 else b""
                if at < 0:
                    return
                self._parser = self._begin()
                data = data[at:]
            damage = self._parser.feed(data)
            for fields in self._parser.pages:
                yield RawPage(self._row, fields)
                self._row += 1
            self._parser.pages.clear()
            if damage is None:
                return
            reason, problem, data = damage
            yield self.lose(reason, problem)

    def lose(self, reason: str, detail: str) -> BadRow:
        """Drop the current page, and return a bad row that says why."""
        title = (self._parser.open or {}).get("title", "") if self._parser else ""
        self._parser, self._tail = None, b""
        self._row += 1
        return BadRow(self._row - 1, reason, clip(f"{detail}: {title}" if title else detail))

    def ending(self, *, within: bool) -> str:
        """Return what is missing at the end of the bytes, or "" if nothing is or it is reported."""
        if self._parser is None or (within and self._parser.open is None) or self._parser.closed:
            return ""
        return "ends inside a page" if self._parser.open is not None else "has no </mediawiki>"


def wiki_page(record: RawPage, *, site: SiteInfo | None = None) -> Page | BadRow:
    """Turn a record of ``frame_pages`` into a page, or into a bad row that says why it is none.

    Args:
        record: a record of the dump.
        site: see ``read_pages``.
    """
    row, fields = record.row, record.fields
    title = fields.get("title", "").strip()
    page_id = fields.get("id", "")
    if not title or not page_id.isdecimal():
        missing = "id" if title else "title"
        return BadRow(row, "missing_field", clip(f"{missing} of page {title or page_id}"))
    namespace, revision_id = fields.get("ns", ""), fields.get("revision.id", "")
    for name, number in (("id", page_id), ("ns", namespace), ("revision id", revision_id)):
        if len(number) > MAX_DIGITS:
            detail = f"{name} of {len(number)} characters, page {title}"
            return BadRow(row, "bad_number", clip(detail))
    return Page(
        row,
        int(page_id),
        title,
        int(namespace) if is_integer(namespace) else _namespace_of(title, site),
        fields.get("redirect"),
        int(revision_id) if revision_id.isdecimal() else 0,
        fields.get("revision.timestamp"),
        fields.get("revision.model") or "wikitext",
        fields.get("revision.text"),
    )


def _namespace_of(title: str, site: SiteInfo | None) -> int:
    """Return the namespace that a title's prefix names, or 0 if it names none."""
    prefix, colon, _ = title.partition(":")
    if not colon or site is None:
        return 0
    prefixes = {text.lower(): key for key, text in site.namespaces.items() if text}
    return prefixes.get(prefix.lower(), 0)


def _whole_characters(data: bytes) -> int:
    r"""Return how many of the bytes hold whole UTF-8 characters.

    >>> _whole_characters("aé".encode()), _whole_characters("aé".encode()[:2])
    (3, 1)
    """
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte < 0x80:
            break
        if byte >= 0xC0:
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(data) if back >= needed else len(data) - back
    return len(data)


def _repaired(data: bytes) -> bytes:
    """Return bytes that expat accepts, so that one bad byte does not lose a page.

    This is docs/rules/sources.md 0.2, rule 6.
    """
    data = data.translate(None, _FORBIDDEN)
    try:
        data.decode()
    except UnicodeDecodeError:
        return data.decode(errors="replace").encode()
    return data
