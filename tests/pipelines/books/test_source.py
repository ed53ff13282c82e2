"""The source on made shelves: what is read, what is dropped and why, and the same bytes."""

import gzip
import hashlib
import io
import json
import random
import shutil
import tarfile
import zipfile
from pathlib import Path
from typing import Any, Literal

import pytest

from pipelines.books.config import BooksConfig
from pipelines.books.source import BOOKS
from pipelines.engine import pool
from pipelines.engine.errors import RunError
from pipelines.engine.launch import Launch, run_source
from pipelines.engine.ledger import Ledger
from pipelines.engine.runs import Run
from tests.pipelines.books.shelves import ebook, rdf, write, write_books3, write_gutenberg
from tests.pipelines.engine.test_pool import LOCAL_BEAM, content, rows
from tests.pipelines.joins.made_books import random_words

QUIET = Launch(workers=1, progress=False)


@pytest.fixture(scope="module")
def shelves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write both collections."""
    root = tmp_path_factory.mktemp("shelves")
    write_books3(root / "books3", write_gutenberg(root / "gutenberg"))
    return root


def run(folder: Path, config: BooksConfig, launch: Launch = QUIET) -> Ledger:
    """Run the source."""
    return run_source(BOOKS, config, str(folder), launch)


def both(shelves: Path, **settings: Any) -> BooksConfig:
    """Return the settings of a run over both collections."""
    return BooksConfig(
        gutenberg=(str(shelves / "gutenberg"),), books3=(str(shelves / "books3"),), **settings
    )


@pytest.fixture(scope="module")
def made(shelves: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run over both collections."""
    folder = tmp_path_factory.mktemp("run") / "run"
    ledger = run(folder, both(shelves))
    assert ledger.imbalance() == 0
    return folder


def _digest(name: str) -> str:
    return "books3:" + hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()


def test_every_record_is_kept_or_dropped_for_its_reason(made: Path) -> None:
    """And nothing is lost: an ebook has one file, a loser names its winner."""
    rejects = {row["id"]: (row["reason"], row["detail"]) for row in rows(made, "rejects")}
    kept = {row["id"] for row in rows(made, "documents")}
    assert kept & rejects.keys() == set()
    assert {name: reason for name, (reason, _) in rejects.items()} == {
        "gutenberg:101/1/0/101/101-8.txt": "other_version",
        "gutenberg:101/1/0/101/101.txt": "other_version",
        "gutenberg:101/1/0/101/old/101-0.txt": "other_version",
        "gutenberg:102": "overlap",  # inside 107
        "gutenberg:109": "duplicate_text",
        "gutenberg:110": "too_short",
        "gutenberg:111": "copyrighted",
        "gutenberg:112": "not_text",
        _digest("A/A Tale - A. Writer.epub.txt"): "duplicate_text",
        "books:00002-rows:1": "bad_json",
        "books:00002-rows:2": "missing_field",
        **{name: "overlap" for name in rejects if name in _editions(rejects)},
    }
    assert rejects["gutenberg:109"][1] == "same text as gutenberg:104"
    assert rejects["gutenberg:102"][1].endswith("of the smaller with gutenberg:107")
    assert {f"gutenberg:{number}" for number in (103, 104, 105, 107, 108)} <= kept
    stats = Run(str(made)).stats()
    assert stats["records_read"] == len(kept) + len(rejects)
    assert stats["notes"]["zip_members_without_text"] == 1
    assert stats["notes"]["tar_members_without_text"] == 1


def _editions(rejects: dict[str, Any]) -> set[str]:
    """Return which of two editions goes: the one with fewer shingles, which chance decides."""
    eight = {"gutenberg:8", _digest("rows.jsonl.gz/3")}
    pairs = ({"gutenberg:101", "gutenberg:106"}, eight)
    lost = [pair & rejects.keys() for pair in pairs]
    assert [len(names) for names in lost] == [1, 1]
    return set().union(*lost)


def test_losers_say_of_whom_they_are_copies(made: Path) -> None:
    """In their meta (3.5)."""
    found = {row["id"]: json.loads(row["meta"]) for row in rows(made, "rejects")}
    assert found["gutenberg:102"]["dup_of"] == "gutenberg:107"
    assert found["gutenberg:102"]["overlap"] > 0.99
    assert found["gutenberg:109"]["overlap"] == 1.0


def test_documents_hold_what_catalogue_and_header_say(made: Path) -> None:
    """The catalogue first; the envelope is gone; line ends are one."""
    books = {row["id"]: row for row in rows(made, "documents")}
    book = books["gutenberg:103"]
    meta = json.loads(book["meta"])
    assert (book["source"], book["lang"], book["created"]) == ("gutenberg", "en", "1999-01-01")
    assert book["url"] == "https://www.gutenberg.org/ebooks/103"
    assert meta["title"] == "A Title of Two Lines"
    assert meta["bookshelves"] == ["Sea stories"]
    assert books["gutenberg:105"]["lang"] == "fr"
    assert json.loads(books["gutenberg:104"]["meta"])["title"] == "Book 104"
    for row in books.values():
        assert "Gutenberg" not in row["text"]
        assert "Produced by" not in row["text"]
        assert "\r" not in row["text"]
        assert "\ufeff" not in row["text"]
    assert books[_digest("B/Other.epub.txt")]["source"] == "books3"
    member = "books3/the-eye.eu/public/Books/Bibliotik/C/C.epub.txt"
    assert json.loads(books[_digest(member)]["meta"])["file"] == member


@pytest.mark.parametrize(
    "launch",
    [
        Launch(workers=2, progress=False),
        Launch(workers=4, progress=False),
        Launch(beam_flags=LOCAL_BEAM, progress=False),
    ],
)
def test_the_bytes_do_not_depend_on_who_works(
    tmp_path: Path, shelves: Path, launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor on the order in which inputs are named; books lie in many units."""
    monkeypatch.setattr("pipelines.books.files.FILES_PER_UNIT", 3)
    roots = [str(shelves / "gutenberg" / name) for name in ("0", "1", "cache")]
    config = BooksConfig(gutenberg=tuple(roots), books3=(str(shelves / "books3"),))
    other = BooksConfig(gutenberg=tuple(roots[::-1]), books3=(str(shelves / "books3"),))
    run(tmp_path / "one", config)
    run(tmp_path / "two", other, launch)
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_survivors_do_not_depend_on_the_units(
    tmp_path: Path, shelves: Path, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether all books lie in one unit, or each in its own."""
    monkeypatch.setattr("pipelines.books.files.FILES_PER_UNIT", 1)
    run(tmp_path / "run", both(shelves), Launch(workers=2, progress=False))
    assert {row["id"] for row in rows(tmp_path / "run", "documents")} == {
        row["id"] for row in rows(made, "documents")
    }


def test_a_run_that_was_cut_off_goes_on(
    tmp_path: Path, shelves: Path, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each of its steps, with the same bytes."""
    perform, count = pool.perform, 0

    def stop(schedule: Any, task: Any) -> None:
        if (tmp_path / "stop").exists() and task.step == int((tmp_path / "stop").read_text()):
            raise RunError("stopped")
        perform(schedule, task)

    monkeypatch.setattr(pool, "perform", stop)
    for count in range(1, 10):
        (tmp_path / "stop").write_text(str(count))
        with pytest.raises(RunError, match="stopped"):
            run(tmp_path / "run", both(shelves))
    (tmp_path / "stop").unlink()
    run(tmp_path / "run", both(shelves))
    assert content(tmp_path / "run") == content(made)


def test_all_versions_are_read_on_request(tmp_path: Path, shelves: Path) -> None:
    """Each under an id of its own; they overlap."""
    config = BooksConfig(gutenberg=(str(shelves / "gutenberg" / "1/0/101"),), versions="all")
    run(tmp_path / "run", config)
    assert len(rows(tmp_path / "run", "documents")) == 1
    reasons = {row["reason"] for row in rows(tmp_path / "run", "rejects")}
    assert reasons <= {"overlap", "duplicate_text"}


def test_pg19_with_its_metadata(tmp_path: Path, shelves: Path) -> None:
    """A folder for each split, and a table without a head."""
    root = tmp_path / "pg19"
    (root / "train").mkdir(parents=True)
    shutil.copy(shelves / "gutenberg/0/8/8.txt", root / "train/8.txt")
    url = "http://www.gutenberg.org/ebooks/8"
    (root / "metadata.csv").write_text(f'8,"Eight, a tale",1901,{url}\n')
    run(tmp_path / "run", BooksConfig(gutenberg=(str(root),)))
    (book,) = rows(tmp_path / "run", "documents")
    assert (book["id"], book["url"]) == ("gutenberg:8", url)
    assert json.loads(book["meta"])["year"] == "1901"


def test_ebooks_in_json_lines(tmp_path: Path) -> None:
    """With the fields of PG-19, with a number, and with a text alone; the catalogue is asked."""
    chance = random.Random(4)
    texts = [ebook(number, random_words(chance, 1200)) for number in (20, 21, 22, 23)]
    pg19 = {"short_book_title": "Twenty by A", "publication_date": 1850, "text": texts[0]}
    rows_of_file = [
        pg19 | {"url": "http://www.gutenberg.org/ebooks/20"},
        {"id": "21", "title": "The Twenty-First", "text": texts[1]},
        {"text": texts[2]},
        {"text": texts[3], "meta": {"url": "https://www.gutenberg.org/files/23/23-0.txt"}},
    ]
    root = tmp_path / "in"
    write(root / "part.jsonl", "\n".join(map(json.dumps, rows_of_file)))
    write(root / "pg_catalog.csv", "Text#,Type,Title,Language\n20,Text,,fr\n21,Sound,,en\n")
    run(tmp_path / "run", BooksConfig(gutenberg=(str(root),)))
    books = {row["id"]: row for row in rows(tmp_path / "run", "documents")}
    assert books.keys() == {"gutenberg:20", "gutenberg:part.jsonl:2", "gutenberg:23"}
    assert books["gutenberg:20"]["lang"] == "fr"
    meta = json.loads(books["gutenberg:20"]["meta"])
    assert (meta["title"], meta["publication_date"]) == ("Twenty by A", 1850)
    assert json.loads(books["gutenberg:part.jsonl:2"]["meta"])["ebook"] == 22
    assert "Gutenberg" not in books["gutenberg:23"]["text"]
    (reject,) = rows(tmp_path / "run", "rejects")
    assert (reject["id"], reject["reason"]) == ("gutenberg:21", "not_text")


@pytest.mark.parametrize("versions", ["best", "all"])
def test_ebooks_in_a_tar(tmp_path: Path, versions: Literal["best", "all"]) -> None:
    """One member is read of each ebook, wherever it stands; the catalogue is asked."""
    chance = random.Random(4)
    texts = {number: ebook(number, random_words(chance, 1200)) for number in (31, 32)}
    names = {"t/31-8.txt": 31, "t/31.txt": 31, "t/32.txt": 32, "t/old/31-0.txt": 31}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, number in names.items():
            member = tarfile.TarInfo(name)
            member.size = len(texts[number].encode())
            archive.addfile(member, io.BytesIO(texts[number].encode()))
    root = tmp_path / "in"
    (root / "x").mkdir(parents=True)
    (root / "x" / "ebooks.tar.gz").write_bytes(packed.getvalue())
    write(root / "metadata.csv", "32,Thirty-two,1901,http://www.gutenberg.org/ebooks/32\n")
    ledger = run(tmp_path / "run", BooksConfig(gutenberg=(str(root),), versions=versions))
    assert ledger.imbalance() == 0
    books = {row["id"]: json.loads(row["meta"]) for row in rows(tmp_path / "run", "documents")}
    rejects = {row["id"]: row["reason"] for row in rows(tmp_path / "run", "rejects")}
    reason = "other_version" if versions == "best" else "duplicate_text"
    assert rejects == {f"gutenberg:31/{name}": reason for name in ("t/31.txt", "t/old/31-0.txt")}
    assert books.keys() == {"gutenberg:31", "gutenberg:32"}
    assert books["gutenberg:32"]["title"] == "Thirty-two"


def test_the_catalogue_as_a_table(tmp_path: Path, shelves: Path) -> None:
    """Languages, of which one is asked for."""
    path = tmp_path / "pg_catalog.csv"
    path.write_text(
        "Text#,Type,Issued,Title,Language,Authors,Subjects,LoCC,Bookshelves\n"
        '105,Text,2001-02-03,"Cent\ncinq",fr; en,"Auteur, U.",,,A; B\n104,Text,,T,en,,,,\n'
    )
    config = both(shelves, catalog=str(path), languages=("fr",))
    run(tmp_path / "run", config)
    (book,) = rows(tmp_path / "run", "documents")
    assert (book["id"], book["created"]) == ("gutenberg:105", "2001-02-03")
    assert json.loads(book["meta"])["bookshelves"] == ["A", "B"]
    assert json.loads(book["meta"])["languages"] == ["fr", "en"]


def test_jaccard_keeps_a_book_that_a_collection_holds(tmp_path: Path, shelves: Path) -> None:
    """The share is that of both together, so that editions alone go."""
    config = both(shelves, similarity="jaccard")
    run(tmp_path / "run", config)
    kept = {row["id"] for row in rows(tmp_path / "run", "documents")}
    assert {"gutenberg:102", "gutenberg:107"} <= kept
    assert "gutenberg:109" not in kept


def test_rdf_files_in_an_archive(tmp_path: Path, shelves: Path) -> None:
    """As Project Gutenberg packs them; what is no RDF is passed over."""
    path = tmp_path / "rdf-files.tar.bz2"
    with tarfile.open(path, "w:bz2") as archive:
        for number, data in (("104", rdf("en; fr", "Copyrighted. x")), ("105", "<not xml")):
            member = tarfile.TarInfo(f"cache/epub/{number}/pg{number}.rdf")
            member.size = len(data.encode())
            archive.addfile(member, io.BytesIO(data.encode()))
    run(tmp_path / "run", both(shelves, catalog=str(path)))
    reasons = {row["id"]: row["reason"] for row in rows(tmp_path / "run", "rejects")}
    assert reasons["gutenberg:104"] == "copyrighted"
    assert "gutenberg:105" not in reasons
    with pytest.raises(RunError, match="catalogue_sha256"):
        run(tmp_path / "run", both(shelves))  # other facts, the same run


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("1.zip", b"PK no zip", "no zip file"),
        ("books.tar", b"no tar", "no tar file"),
        ("2.txt.gz", gzip.compress(b"text " * 5000)[:-20], "damaged"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_failed_file(
    tmp_path: Path, shelves: Path, name: str, data: bytes, said: str
) -> None:
    """By name, within the budget; the other books are read."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(data)
    shutil.copy(shelves / "gutenberg/0/8/8.txt", tmp_path / "in")
    ledger = run(tmp_path / "run", BooksConfig(gutenberg=(str(tmp_path / "in"),)))
    assert ledger.documents == 1
    failed = Run(str(tmp_path / "run")).stats()["failed_files"]
    assert [said in why for why in failed.values()] == [True]


def test_damaged_members_cost_themselves(tmp_path: Path, shelves: Path) -> None:
    """A member of a zip with a wrong checksum, and a tar that ends early, are bad records."""
    book = (shelves / "gutenberg/0/8/8.txt").read_bytes()
    other = (shelves / "gutenberg/cache/epub/103/pg103.txt").read_bytes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("8.txt", book)
        archive.writestr("9.txt", other)
    damaged = packed.getvalue().replace(b"Language: English", b"Language: Klingon", 1)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "8.zip").write_bytes(damaged)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in ("10.txt", "11.txt"):
            member = tarfile.TarInfo(name)
            member.size = len(other)
            tar.addfile(member, io.BytesIO(other))
    (tmp_path / "in" / "cut.tar").write_bytes(packed.getvalue()[: len(other) + 3000])
    ledger = run(tmp_path / "run", BooksConfig(gutenberg=(str(tmp_path / "in"),)))
    assert ledger.imbalance() == 0
    assert dict(ledger.bad_records) == {"damaged_member": 1, "truncated_file": 1}
    assert ledger.documents == 1


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "give --gutenberg DIR, --books3 DIR, or both"),
        ({"gutenberg": ("here",), "catalog": "catalog.xml"}, "give rdf-files.tar.bz2"),
        ({"gutenberg": ("here",), "catalog": "here/1.csv"}, "names no ebook"),
        ({"gutenberg": ("here",), "catalog": "here/none.tar.bz2"}, "cannot read the catalogue"),
        ({"gutenberg": ("here",), "overlap": 90.0}, "give a share above 0 and up to 1"),
        ({"gutenberg": ("empty",)}, "no .txt, .zip, .tar or .jsonl file below"),
    ],
)
def test_bad_configuration_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], said: str
) -> None:
    """In one line."""
    monkeypatch.chdir(tmp_path)
    for name in ("here/1.txt", "here/1.csv", "empty/x.htm"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    with pytest.raises(RunError, match=said):
        run(tmp_path / "run", BooksConfig(**settings))
