"""The commands that are disturbed: each source on the real sample or on inputs made here.

Inputs are cut into enough units that a kill lands among them, and are read in seconds.
"""

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path

from pipelines.__main__ import main
from pipelines.samples.github import write_github_export
from pipelines.samples.stackexchange import write_stackexchange_dumps
from pipelines.samples.wikipedia import write_wikipedia_dumps
from tests.faults.kills import Subject
from tests.filters.tiny_models import train_sentencepiece
from tests.pipelines.arxiv import archives
from tests.pipelines.books import shelves
from tests.pipelines.c4 import pages as c4_pages
from tests.pipelines.commoncrawl.crawl import (
    ENGLISH,
    page,
    sentence,
    wet_record,
    write_crawl,
    write_models,
    write_wet,
)
from tests.pipelines.github.github_export import write_many
from tests.pipelines.joins.made_books import edited, random_words

RECORDS_PER_FILE = 120  # of the real sample's WET files, which are cut
REAL_FILES = 24


def github(folder: Path, data: Path | None, *, small: bool) -> Subject:
    """GitHub: two phases of claims, rows that are sent, a settling."""
    if data and not small:
        return Subject("github", ("github", "--input", str(data / "github")))
    if small:
        paths = write_many(folder, 6, 60, 3000)
        return Subject("github", ("github", "--input", *paths))
    write_github_export(folder, megabytes=4)
    return Subject("github", ("github", "--input", str(folder)))


def wikipedia(folder: Path, data: Path | None, *, small: bool) -> Subject:
    """Wikipedia: one pass over the parts of dumps."""
    if data and not small:
        return Subject("wikipedia", ("wikipedia", "--input", f"{data}/wikipedia/*.xml.bz2"))
    write_wikipedia_dumps(folder, megabytes=0.5 if small else 3)
    return Subject("wikipedia", ("wikipedia", "--input", f"{folder}/*.xml.bz2"))


def commoncrawl(folder: Path, data: Path | None, *, small: bool) -> Subject:
    """Common Crawl: paragraphs that meet, pages that are staged, digests that meet."""
    models = folder / "models"
    models.mkdir(parents=True)
    write_models(models)
    named = ["--langid", f"{models}/lid.bin", "--wikiref", f"{models}/wikiref.bin"]
    if data and not small:
        inputs = _cut(sorted((data / "commoncrawl").glob("web-*.warc.wet.gz")), folder)
        named = ["--langid", f"{data}/langid/lid.176.ftz", *named[2:]]
    else:
        inputs = _made_crawl(folder, files=8 if small else 24, pages=40 if small else 120)
    words = ("commoncrawl", "--models", str(models), *named, "--scope", "dump", "--keep", "first")
    # Models of a few words: what they keep says nothing, and may be nothing.
    return Subject("commoncrawl", (*words, "--allow-empty", "--input", *inputs))


def tokenize(folder: Path, data: Path | None, *, small: bool) -> Subject:
    """Token shards of the documents of GitHub: an exchange of text."""
    source = github(folder / "in", data, small=small)
    run = folder / "run"
    assert main([*source.words, "--run", str(run), "--quiet", "--workers", "2"]) == 0
    model = train_sentencepiece(folder / "tokenizer.model", "\n".join(ENGLISH), vocab_size=90)
    words = ("tokenize", "--runs", str(run), "--tokenizer", str(model))
    return Subject("tokenize", words, "--out")


def stackexchange(folder: Path, data: Path | None, *, small: bool) -> Subject:
    """Stack Exchange: archives that are unpacked, posts that are gathered into threads."""
    inputs = f"{folder}/*.7z"
    if data and not small:
        inputs = f"{data}/stackexchange/*.7z"
    else:
        write_stackexchange_dumps(folder, megabytes=0.4 if small else 3)
    cut = ("--unit-megabytes", "0.05", "--group-megabytes", "0.1")
    return Subject("stackexchange", ("stackexchange", *cut, "--input", inputs))


def arxiv(folder: Path, data: Path | None, *, small: bool) -> Subject:
    """arXiv: versions that meet across tar files, and the last one of each that stays."""
    if data and not small:
        return Subject("arxiv", ("arxiv", "--input", f"{data}/arxiv/*.tar"))
    files, papers = (6, 10) if small else (16, 60)
    for file in range(files):
        members = {}
        for paper in range(papers):
            own = file * papers + paper
            number = own % (files * papers - 5)  # five papers are there in two versions
            words = f"This is paper {number}, and its version is {own}. {archives.WORDS}"
            source = archives.PAPER.replace(archives.WORDS, words)
            members[f"2001.{number:05d}.gz"] = archives.single(source)
        archives.write_tar(folder, "2001", file + 1, members)
    return Subject("arxiv", ("arxiv", "--input", str(folder)))


def books(folder: Path, data: Path | None, *, small: bool) -> Subject:
    """Books: sketches, pairs and shingles that meet, and editions that go."""
    if data and not small:
        return Subject("books", ("books", "--gutenberg", str(data / "gutenberg")))
    chance = random.Random(4)
    first = random_words(chance, 1500)
    for file in range(6 if small else 24):
        texts = [random_words(chance, 1500) for _ in range(4)]
        texts.append(edited(chance, first, 0.97))  # an edition of a book of the file before
        rows = [
            json.dumps({"id": f"{file}-{number}", "text": shelves.paragraphs(words)})
            for number, words in enumerate(texts)
        ]
        shelves.write(folder / f"made-{file:02d}.jsonl.gz", "\n".join(rows) + "\n")
        first = texts[0]
    return Subject("books", ("books", "--books3", str(folder)))


def c4(folder: Path, data: Path | None, *, small: bool) -> Subject:
    """C4 from WET files: urls that meet, pages that are staged, lines that meet."""
    if data and not small:
        inputs = _cut(sorted((data / "commoncrawl").glob("web-*.warc.wet.gz")), folder)
        badwords = str(data / "badwords")
    else:
        files, pages = (8, 40) if small else (24, 120)
        badwords = c4_pages.write_badwords(folder / "badwords")
        made = {
            f"made-{file:02d}": [_c4_page(file * pages + place, place) for place in range(pages)]
            for file in range(files)
        }
        inputs = c4_pages.write_crawl(folder, made)
    return Subject("c4", ("c4", "--badwords", badwords, "--wet", *inputs))


def _c4_page(own: int, place: int) -> bytes:
    """Return a page whose last line is on many; page 3 of each file has the same url."""
    nouns = ["church", "bridge", "organ", "barn", "school", "market", "garden", "mill", "tower"]
    lines = [
        f"The {nouns[own % 9]} of the old village has {own * 3 + line} windows and a green door."
        for line in range(5)
    ]
    shared = f"The {nouns[place % 9]} was built again by the people who lived there in that year."
    url = "http://made.example/twice" if place == 3 else f"http://made.example/{own}"
    return c4_pages.record(url, [*lines, shared])


SUBJECTS: dict[str, Callable[..., Subject]] = {
    "github": github,
    "wikipedia": wikipedia,
    "commoncrawl": commoncrawl,
    "c4": c4,
    "books": books,
    "arxiv": arxiv,
    "stackexchange": stackexchange,
    "tokenize": tokenize,
}


def _made_crawl(folder: Path, files: int, pages: int) -> list[str]:
    """Write WET files in which paragraphs, pages and digests meet across files."""
    made = {}
    for file in range(files):
        records = []
        for number in range(pages):
            own = file * pages + number
            lines = [sentence(own * 3 + 100), sentence(own * 3 + 101), sentence(own % 50)]
            digest = f"sha1:{own % (files * pages - 7)}"  # seven pages are there twice
            url = f"http://example.com/{file}/{number}"
            records.append(wet_record(url, "\n".join(lines), digest=digest))
        made[f"made-{file:02d}"] = [*records, page(file % 12, (file + 1) % 12)]
    return write_crawl(folder, made)


def _cut(files: list[Path], folder: Path) -> list[str]:
    """Write the first records of real WET files as many small files."""
    paths = []
    for file in files:
        head = b"WARC/1.0\r\n"
        records = [head + body for body in gzip.decompress(file.read_bytes()).split(head)[2:]]
        share = REAL_FILES // len(files)
        for part in range(share):
            chosen = records[part * RECORDS_PER_FILE : (part + 1) * RECORDS_PER_FILE]
            name = f"{file.name.split('.')[0]}-{part}.warc.wet.gz"
            paths.append(write_wet(folder / name, chosen))
    return paths
