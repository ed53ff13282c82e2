"""The commands that are disturbed: each source on the real sample or on inputs made here.

Inputs are cut into enough units that a kill lands among them, and are read in seconds.
"""

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

from pipelines.__main__ import main
from pipelines.samples.github import write_github_export
from pipelines.samples.stackexchange import write_stackexchange_dumps
from pipelines.samples.wikipedia import write_wikipedia_dumps
from tests.faults.kills import Subject
from tests.filters.tiny_models import train_sentencepiece
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


SUBJECTS: dict[str, Callable[..., Subject]] = {
    "github": github,
    "wikipedia": wikipedia,
    "commoncrawl": commoncrawl,
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


def remove(folder: Path) -> None:
    """Remove the runs and the inputs of a subject."""
    shutil.rmtree(folder, ignore_errors=True)
