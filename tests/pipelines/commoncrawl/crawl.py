"""A small crawl made by hand: WET files and tiny models, in the real formats."""

import gzip
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import sentencepiece

from filters.commoncrawl.cutoffs import Cutoffs, fingerprint_of, write_cutoffs
from filters.fasttext.model import train_fasttext
from tests.filters.tiny_models import train_languages, train_sentencepiece, write_arpa

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


ENGLISH = [sentence(number) for number in range(12)]
GERMAN = [
    "der hund und der fuchs laufen durch die stadt, und das ist eine seite der sprache " * 3,
    "das ist eine seite und der hund ist in der stadt, worte der sprache und der fuchs " * 3,
]
MENU = "home | about this village | contact the people of the village | a map of the river"


def wet_record(url: str, text: str, *, digest: str = "", title: str = "A title") -> bytes:
    """Return a conversion record; the first line of its block is the title."""
    body = f"{title}\n{text}\n".encode()
    digest = digest or f"sha256:{hashlib.sha256(body).hexdigest()}"
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


def page(*numbers: int, url: str = "", **fields: str) -> bytes:
    """Return a record with a menu that all have, and the paragraphs of these numbers."""
    lines = [MENU, *(ENGLISH[number] for number in numbers)]
    name = "-".join(map(str, numbers))
    return wet_record(url or f"http://example.com/{name}", "\n".join(lines), **fields)


def files() -> dict[str, list[bytes]]:
    """Return the records of a crawl: what each is there for is in the tests."""
    return {
        "a": [
            page(0, 1, digest="sha1:A"),
            page(2, 3, 2, digest="sha1:B"),
            wet_record("http://example.com/short", "too short"),
            wet_record("http://example.de/", "\n".join([MENU, *GERMAN])),
        ],
        "b": [
            page(4, 5, digest="sha1:C"),
            page(6, 7, url="http://example.org/twice", digest="sha1:D"),
            wet_record("http://example.com/menu", "\n".join([MENU] * 4)),
        ],
        "c": [page(6, 7, url="http://example.net/twice", digest="sha1:D"), page(8, 9)],
    }


def write_models(folder: Path) -> Path:
    """Make models of a few words: languages, an n-gram model with cutoffs, a classifier."""
    english = [("en", line.lower()) for line in ENGLISH]
    languages = train_languages(folder, [*english, *(("de", line) for line in GERMAN)])
    languages.rename(folder / "lid.bin")
    pieces = train_sentencepiece(folder / "en.sp.model", "\n".join(ENGLISH).lower(), vocab_size=90)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(pieces))
    words = [processor.id_to_piece(number) for number in range(processor.vocab_size())]
    # A page of many different letters is less likely than one of few words.
    unigrams = {word: (-0.5 - len(word) / 10, 0.0) for word in words if word not in ("<s>", "</s>")}
    arpa = write_arpa(
        folder / "en.arpa.bin", {"<s>": (-99.0, 0.0), "</s>": (-1.0, 0.0), **unigrams}
    )
    table = Cutoffs({"en": {30: 1.0, 60: 10_000.0}}, {"en": fingerprint_of(pieces, arpa)})
    write_cutoffs(folder / "cutoffs.csv", table)
    examples = [f"__label__wiki {line}" for line in ENGLISH[:6]]
    examples += [f"__label__cc {line}" for line in ENGLISH[6:]]
    (folder / "examples").write_text("\n".join(examples * 20))
    train_fasttext(folder / "examples", folder / "wikiref.bin", dim=8, epoch=200, lr=1.0)
    return folder
