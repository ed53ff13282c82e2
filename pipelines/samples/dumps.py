"""Dumps in MediaWiki's export format, for samples and tests (docs/rules/sources.md 2.1)."""

import bz2
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

PAGES_PER_STREAM = 100  # in Wikimedia's multistream dumps
# Keys of the namespaces that every wiki has; their local names differ.
NAMESPACES = {
    -2: "Media",
    0: "",
    1: "Talk",
    2: "User",
    4: "Wikipedia",
    6: "File",
    10: "Template",
    14: "Category",
}


@dataclass(frozen=True)
class WikiPage:
    """A page of a dump; ``None`` leaves an element out."""

    page_id: int
    title: str
    text: str | None
    ns: int = 0
    redirect: str | None = None
    model: str = "wikitext"
    revision_id: int = 0  # by default made from page_id
    timestamp: str = "2022-06-01T12:00:00Z"
    earlier: tuple[str, ...] = ()  # texts of revisions before, as pages-meta-history has them


def head_xml(wiki: str, namespaces: Mapping[int, str], version: str = "0.10") -> str:
    """Return the root's tag and ``<siteinfo>``."""
    names = "".join(
        f'      <namespace key="{key}" case="first-letter"'
        + (f">{escape(name)}</namespace>\n" if name else " />\n")
        for key, name in namespaces.items()
    )
    schema = f"http://www.mediawiki.org/xml/export-{version}/"
    lang = wiki.removesuffix("wiki")
    return (
        f'<mediawiki xmlns="{schema}" version="{version}" xml:lang="{lang}">\n'
        "  <siteinfo>\n"
        f"    <sitename>Wikipedia</sitename>\n    <dbname>{wiki}</dbname>\n"
        f"    <base>https://{lang}.wikipedia.org/wiki/</base>\n"
        "    <case>first-letter</case>\n"
        f"    <namespaces>\n{names}    </namespaces>\n"
        "  </siteinfo>\n"
    )


def page_xml(page: WikiPage, version: str = "0.10") -> str:
    """Return a ``<page>``, its revisions oldest first."""
    redirect = (
        "" if page.redirect is None else f"    <redirect title={quoteattr(page.redirect)} />\n"
    )
    last = page.revision_id or page.page_id * 1000
    texts: tuple[str | None, ...] = (*page.earlier, page.text)
    revisions = "".join(
        _revision_xml(page, last - len(texts) + 1 + number, text, version)
        for number, text in enumerate(texts)
    )
    return (
        f"  <page>\n    <title>{escape(page.title)}</title>\n    <ns>{page.ns}</ns>\n"
        f"    <id>{page.page_id}</id>\n{redirect}{revisions}  </page>\n"
    )


def _revision_xml(page: WikiPage, revision_id: int, text: str | None, version: str) -> str:
    size = len((text or "").encode())
    origin, checksum = "", ""
    if version == "0.11":
        origin, checksum = f"      <origin>{revision_id}</origin>\n", ' sha1="0"'
    content = (
        f'<text bytes="{size}"{checksum} xml:space="preserve">{escape(text)}</text>'
        if text
        else f'<text bytes="0"{checksum} />'
        if text is not None
        else '<text bytes="0" deleted="deleted" />'
    )
    return (
        f"    <revision>\n      <id>{revision_id}</id>\n"
        f"      <timestamp>{page.timestamp}</timestamp>\n"
        "      <contributor>\n        <username>Somebody</username>\n        <id>7</id>\n"
        f"      </contributor>\n{origin}      <model>{page.model}</model>\n"
        f"      <format>text/x-wiki</format>\n      {content}\n    </revision>\n"
    )


def whole_xml(
    wiki: str,
    pages: Sequence[WikiPage],
    namespaces: Mapping[int, str] = NAMESPACES,
    version: str = "0.10",
) -> bytes:
    """Return a dump as one XML document."""
    parts = [page_xml(page, version) for page in pages]
    return (head_xml(wiki, namespaces, version) + "".join(parts) + "</mediawiki>\n").encode()


def multistream(
    wiki: str,
    pages: Sequence[WikiPage],
    namespaces: Mapping[int, str] = NAMESPACES,
    pages_per_stream: int = PAGES_PER_STREAM,
) -> tuple[bytes, bytes]:
    """Return a multistream dump and its index: the head, pages by the hundred, the root's end."""
    dump = bytearray(bz2.compress(head_xml(wiki, namespaces).encode()))
    index: list[str] = []
    for batch in _batches(pages, pages_per_stream):
        index += [f"{len(dump)}:{page.page_id}:{page.title}\n" for page in batch]
        dump += bz2.compress("".join(map(page_xml, batch)).encode())
    dump += bz2.compress(b"</mediawiki>\n")
    return bytes(dump), bz2.compress("".join(index).encode())


def _batches(pages: Sequence[WikiPage], size: int) -> Iterator[Sequence[WikiPage]]:
    for start in range(0, len(pages), size):
        yield pages[start : start + size]
