"""A small crawl and a few published rows, made by hand, in the real formats."""

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

DAY = "2019-04-18T10:38:25Z"
LATER = "2019-04-19T10:38:25Z"
_FORM = "The {} of the old village was rebuilt by the people who lived there in that year."
_NOUNS = (
    "church",
    "bridge",
    "organ",
    "barn",
    "school",
    "market",
    "garden",
    "mill",
    "tower",
    "gate",
)
LINES = [_FORM.format(noun) for noun in _NOUNS]
GERMAN = [
    "Der Hund und der Fuchs laufen durch die Stadt, und das ist eine Seite der Sprache.",
    "Das Wasser steigt zweimal am Tag an der Küste und fällt wieder.",
    "An manchen Küsten ist der Unterschied nur wenige Zentimeter groß.",
]


def record(url: str, lines: Iterable[str], *, date: str = DAY, title: str = "A title") -> bytes:
    """Return a conversion record."""
    body = ("\n".join([title, *lines]) + "\n").encode()
    head = "WARC/1.0\r\nWARC-Type: conversion\r\n"
    head += f"WARC-Target-URI: {url}\r\n" if url else ""
    head += f"WARC-Date: {date}\r\n" if date else ""
    head += f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body + b"\r\n\r\n"


def write_wet(path: Path, records: Sequence[bytes]) -> str:
    """Write records, each a gzip member of its own, after a warcinfo record."""
    info = b"WARC/1.0\r\nWARC-Type: warcinfo\r\nContent-Length: 4\r\n\r\na: b\r\n\r\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(gzip.compress(one, mtime=0) for one in [info, *records]))
    return str(path)


def write_crawl(folder: Path, files: Mapping[str, Sequence[bytes]]) -> list[str]:
    """Write several WET files; return their paths."""
    return [write_wet(folder / f"{name}.warc.wet.gz", pages) for name, pages in files.items()]


def write_badwords(folder: Path, **lists: str) -> str:
    """Write lists of bad words; return their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, entries in ({"en": "rude\nvery rude\n"} | lists).items():
        (folder / name).write_text(entries, "utf-8")
    return str(folder)


def write_published(path: Path, rows: Iterable[Mapping[str, object] | str]) -> str:
    """Write rows as JSON lines; a string is a line as it stands."""
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0))
    return str(path)


def crawl() -> dict[str, list[bytes]]:
    """Return the records of a crawl: what each is there for is in the tests."""
    return {
        "a": [
            record("http://a.example/good", LINES[:4]),
            record("http://a.example/few", ["Menu", LINES[4], "Home | About"]),
            record("http://a.example/code", [*LINES[4:7], "The code of it is if (a) { b(); }."]),
            record("http://a.example/lorem", [LINES[4], "Here is lorem ipsum dolor sit amet."]),
            record("", LINES[4:8]),
            record("http://a.example/undated", LINES[4:8], date=""),
            record("http://a.example/long", ["x" * 190_001]),
            record("http://a.example/empty", [], title=""),
        ],
        "b": [
            record("https://www.twice.example/?utm_source=x", LINES[4:8], date=DAY),
            record("http://b.example/de", GERMAN),
            record("http://b.example/rude", [*LINES[7:9], "It was a very RUDE word that he said."]),
            record("http://b.example/digits", ["1 2 3 4 5. 6 7. 8 9. 10 11 12 13 14 15."] * 3),
        ],
        "c": [
            record("http://twice.example/", [*LINES[4:7], LINES[9]], date=LATER),
            record("http://c.example/copy", [*LINES[:4], "One more line is here."]),
            record("http://c.example/copies", LINES[:4]),
        ],
    }
