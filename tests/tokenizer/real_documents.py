"""Every text of the real inputs, raw: what a tokenizer meets before any rule has cleaned it.

Web pages, wikitext, source files, books, TeX and posts, with whatever characters they hold. The
readers are plain loops that share no code with the pipelines.
"""

import bz2
import gzip
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

import py7zr
import pyarrow.parquet as pq

MEDIAWIKI = "{*}page/{*}revision/{*}text"


class RealDocument(NamedTuple):
    """A text, and where it comes from."""

    source: str
    id: str
    text: str


def real_documents(data: Path) -> Iterator[RealDocument]:
    """Yield all texts under the folder of real inputs, in a fixed order."""
    for source, read in (
        ("arxiv", _arxiv),
        ("books", _books),
        ("c4", _c4),
        ("commoncrawl", _commoncrawl),
        ("github", _github),
        ("stackexchange", _stackexchange),
        ("wikipedia", _wikipedia),
    ):
        for number, text in enumerate(read(data)):
            yield RealDocument(source, f"{source}/{number:06d}", text)


def _arxiv(data: Path) -> Iterator[str]:
    for path in sorted((data / "arxiv").glob("*.tar")):
        with tarfile.open(path) as outer:
            for member in outer.getmembers():
                file = outer.extractfile(member)
                if file and member.name.endswith(".gz"):
                    yield from _submission(gzip.decompress(file.read()))


def _submission(content: bytes) -> Iterator[str]:
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as inner:
            for member in inner.getmembers():
                file = inner.extractfile(member)
                if file and member.name.endswith((".tex", ".bbl", ".sty")):
                    yield _decoded(file.read())
    except tarfile.ReadError:
        yield _decoded(content)


def _books(data: Path) -> Iterator[str]:
    for path in sorted((data / "gutenberg").glob("*.txt.gz")):
        yield _decoded(gzip.decompress(path.read_bytes()))


def _c4(data: Path) -> Iterator[str]:
    for path in sorted((data / "c4").glob("*.json.gz")):
        for line in gzip.decompress(path.read_bytes()).splitlines():
            yield json.loads(line)["text"]


def _commoncrawl(data: Path) -> Iterator[str]:
    for path in sorted((data / "commoncrawl").glob("web-*.warc.wet.gz")):
        for record in gzip.decompress(path.read_bytes()).split(b"WARC/1.0\r\n")[1:]:
            head, _, body = record.partition(b"\r\n\r\n")
            if b"WARC-Type: conversion" in head:
                yield _decoded(body.removesuffix(b"\r\n\r\n"))


def _github(data: Path) -> Iterator[str]:
    for path in sorted((data / "github").glob("contents-*.parquet")):
        for text in pq.read_table(path, columns=["content"])["content"].to_pylist():
            if text is not None:
                yield text


def _stackexchange(data: Path) -> Iterator[str]:
    for path in sorted((data / "stackexchange").glob("*.7z")):
        with py7zr.SevenZipFile(path) as archive:
            factory = py7zr.io.BytesIOFactory(limit=1 << 28)
            archive.extract(targets=["Posts.xml"], factory=factory)
        for product in factory.products.values():
            for row in ET.fromstring(product.read()).iter("row"):  # noqa: S314 - a known file
                yield row.get("Body", "")


def _wikipedia(data: Path) -> Iterator[str]:
    for path in sorted((data / "wikipedia").glob("*.xml.bz2")):
        for text in ET.fromstring(bz2.decompress(path.read_bytes())).iterfind(MEDIAWIKI):  # noqa: S314 - a known file
            yield text.text or ""


def _decoded(content: bytes) -> str:
    """UTF-8 where it is, else one character per byte, controls included."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")
