"""A small crawl made by hand: WET files and tiny models, in the real formats."""

import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path

FILLER = (
    "The {0} of the old {1} was rebuilt by the people of the {2} in the spring of that year, and "
    "the {3} that they had kept in the {4} was brought back to it with music and a long dinner. "
)
NOUNS = ("church", "bridge", "village", "organ", "barn", "school", "river", "market", "garden")


def sentence(number: int) -> str:
    """Return an English paragraph that no other number gives, after its digits are zeros."""
    words = []
    for _ in range(5):
        number, noun = divmod(number, len(NOUNS))
        words.append(NOUNS[noun])
    return FILLER.format(*words).strip()


def wet_record(url: str, text: str, *, digest: str = "", title: str = "A title") -> bytes:
    """Return a conversion record; the first line of its block is the title."""
    body = f"{title}\n{text}\n".encode()
    digest = digest or f"sha1:{abs(hash(text)):X}"
    head = (
        "WARC/1.0\r\nWARC-Type: conversion\r\n"
        f"WARC-Target-URI: {url}\r\nWARC-Date: 2019-02-15T18:33:19Z\r\n"
        f"WARC-Record-ID: <urn:uuid:{url}>\r\nWARC-Block-Digest: {digest}\r\n"
        f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body + b"\r\n\r\n"


def write_wet(path: Path, pages: Sequence[bytes]) -> str:
    """Write records, each a gzip member of its own, after a warcinfo record."""
    info = b"WARC/1.0\r\nWARC-Type: warcinfo\r\nContent-Length: 4\r\n\r\na: b\r\n\r\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(gzip.compress(record, mtime=0) for record in [info, *pages]))
    return str(path)


def write_crawl(folder: Path, files: Mapping[str, Sequence[bytes]]) -> list[str]:
    """Write several WET files; return their paths."""
    return [write_wet(folder / f"{name}.warc.wet.gz", pages) for name, pages in files.items()]
