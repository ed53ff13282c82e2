"""The real ebooks, where they are at hand: no envelope is left, and overlaps are exact."""

import gzip
import json
import re
from pathlib import Path

import pytest

from filters.books.layout import unify_lines
from pipelines.books.config import BooksConfig
from pipelines.books.decoding import decode_book
from pipelines.books.source import BOOKS
from pipelines.engine.launch import Launch, run_source
from pipelines.engine.runs import Run
from tests.pipelines.engine.test_pool import rows
from tests.pipelines.joins.made_books import brute_force, shingle_sets, survivors

pytestmark = pytest.mark.data
EDGE_LINES = 200  # at both ends, in which no line of an envelope may be left
# The words of every family of docs/rules/sources.md 3.2, and of what stands between them.
FAMILIES = re.compile(
    r"\W*(start|end|ende|fin|beginning) (of|de|diese|dieses) .{0,20}(project|projekt) gutenberg"
    r"|\W*(start of the|end of the|end of this is) copyrighted|\W*ende dieses e-?text"
    r"|\W*(this|the) (project gutenberg )?(e-?text|e-?book) (was|is) (prepared|produced|for the us)"
    r"|\W*(produced|e-?text prepared|ebook prepared|transcribed|entered) by:? [A-Z]"
    r"|\*\*\s*the project gutenberg|the project gutenberg e-?(text|book) of |by project gutenberg"
    r"|.*(small print|pgdp\.net|we need your donations|project runeberg|gutenberg\.spiegel\.de)"
    r"|.*(project gutenberg.{0,3} license|gutenberg literary archive|gutenberg-tm|etexts? are)"
    r"|.*(distributed\s+proofread|internet archive|google print|this electronic version of)"
    r"|.*(archive\.org/details|service that charges for download|internet wiretap)"
    r"|.*restrictions in how the file|\W*character set encoding|\W*release date:"
    r"|\W*ce document fut pr.sent|.*this file should be named",
    re.IGNORECASE,
)
START_LINE = re.compile(r"\**\s?(START OF TH|END\*?\s?THE SMALL PRINT)")
END_LINE = re.compile(r"\**\s?END OF TH(E|IS) PROJECT|End of (The |the )?Project", re.IGNORECASE)
MOST_CREDITS = 4  # paragraphs between the START line and the text


@pytest.fixture(scope="module")
def ebooks(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run over all files of all ebooks."""
    folder = tmp_path_factory.mktemp("real") / "run"
    config = BooksConfig(gutenberg=(str(data / "gutenberg"),), versions="all")
    run_source(BOOKS, config, str(folder), Launch(workers=2, progress=False))
    return folder


def test_overlaps_are_those_of_brute_force(ebooks: Path) -> None:
    """Over all pairs; the editions that the README of the data names are among them."""
    books = {row["id"]: row for name in ("documents", "rejects") for row in rows(ebooks, name)}
    sets = shingle_sets({name: row["text"] for name, row in books.items()})
    found = brute_force(sets)
    editions = [
        ("gutenberg:1342", "gutenberg:1342/pg1342.txt.gz"),
        ("gutenberg:16595", "gutenberg:16595/16595.txt.gz"),
        ("gutenberg:3261", "gutenberg:nwsnw10"),
        ("gutenberg:972", "gutenberg:dvldc10"),
    ]
    assert set(editions) <= found.keys()
    _, lost = survivors(sets, found)
    told = {row["id"]: json.loads(row["meta"]) for row in rows(ebooks, "rejects")}
    assert {name: meta["dup_of"] for name, meta in told.items()} == {
        name: winner for name, (winner, _) in lost.items()
    }
    for name, (_, share) in lost.items():
        assert told[name]["overlap"] == pytest.approx(share, abs=1e-6)


def test_every_file_is_accounted_for(ebooks: Path, data: Path) -> None:
    """As a document or as a reject."""
    files = {path.name for path in (data / "gutenberg").glob("*.gz")}
    told = [
        json.loads(row["meta"])["file"]
        for name in ("documents", "rejects")
        for row in rows(ebooks, name)
    ]
    assert sorted(told) == sorted(files)
    assert Run(str(ebooks)).stats()["records_read"] == len(files)


def test_no_envelope_is_left(ebooks: Path) -> None:
    """Neither in the first nor in the last lines of any book."""
    left = []
    for row in (*rows(ebooks, "documents"), *rows(ebooks, "rejects")):
        lines = row["text"].split("\n")
        edges = lines[:EDGE_LINES] + lines[-EDGE_LINES:]
        left += [f"{row['id']}: {line}" for line in edges if FAMILIES.match(line)]
    assert left == []


def test_no_text_of_a_book_is_lost(ebooks: Path, data: Path) -> None:
    """What is kept is one stretch of the file; before it stand credits, after it an end line."""
    inside = {}
    for row in (*rows(ebooks, "documents"), *rows(ebooks, "rejects")):
        name = json.loads(row["meta"])["file"]
        decoded = decode_book(gzip.decompress((data / "gutenberg" / name).read_bytes()))
        before, gone, after = _around(_paragraphs(unify_lines(decoded.text)), row["text"])
        inside[row["id"]] = gone
        starts = [n for n, text in enumerate(before) if START_LINE.search(text)]
        assert len(before) - (starts[-1] + 1 if starts else 0) <= MOST_CREDITS, row["id"]
        assert not after or END_LINE.match(after[0]), row["id"]
    assert {name: gone for name, gone in inside.items() if gone} == {
        "gutenberg:dvldc10": ["Entered by Aloysius of &tSftDotIotE\naloysius@west.darkside.com"]
    }


def _around(file: list[str], text: str) -> tuple[list[str], list[str], list[str]]:
    """Return the paragraphs of a file before, inside and after those that were kept of it."""
    kept = _paragraphs(text)
    end = len(file)
    while file[end - 3 : end] != kept[-3:]:
        end -= 1
        assert end, "the end of the text is not in the file"
    at, gone = end, []
    while kept:
        at -= 1
        assert at >= 0, "a paragraph is not in the file, or in another order"
        if file[at] == kept[-1]:
            kept.pop()
        else:
            gone.append(file[at])
    return file[:at], gone, file[end:]


def _paragraphs(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]
