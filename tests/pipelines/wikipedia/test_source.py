"""Wikipedia from its dumps to its documents, on pages among which every decision occurs once."""

import bz2
import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

from filters.wikipedia.sites import load_site
from pipelines.engine.source import plan
from pipelines.samples.dumps import WikiPage
from pipelines.wikipedia import text as wikipedia_text
from pipelines.wikipedia.source import WIKIPEDIA, WikipediaConfig
from tests.pipelines.engine import failing
from tests.pipelines.github.github_export import content, read
from tests.pipelines.wikipedia.wikipedia_dumps import (
    ENGLISH,
    FORMS,
    GERMAN,
    REJECTED,
    TEXTS,
    curate,
    write_dump,
    write_dumps,
)

SMALL_UNITS = ("--unit-megabytes", "0.0001")  # a cut at every stream


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run over the dumps."""
    folder = tmp_path_factory.mktemp("wikipedia")
    assert curate(folder / "run", write_dumps(folder / "in")) == 0
    return folder / "run"


def _stats(run: Path) -> dict[str, Any]:
    return dict(json.loads((run / "stats.json").read_text("utf-8")))


def _texts(run: Path) -> dict[str, str]:
    return {row["id"]: row["text"] for row in read(run)}


def test_every_page_that_is_not_kept_says_why(run: Path) -> None:
    """Namespace, redirect, model, text, length: the first stage that drops a page names it."""
    found = {row["id"]: (row["stage"], row["reason"]) for row in read(run, "rejects")}
    assert found == REJECTED


def test_articles_become_text_that_begins_with_the_title(run: Path) -> None:
    """In the words of their language (2.5, 2.6)."""
    assert _texts(run) == TEXTS


def test_a_document_says_where_it_is_from(run: Path) -> None:
    """Its page, date, language, licence, and the facts of its page (2.8)."""
    row = next(row for row in read(run) if row["id"] == "wikipedia:en:1")
    assert row["url"] == "https://en.wikipedia.org/wiki/Heron"
    assert (row["created"], row["lang"]) == ("2022-06-01T12:00:00Z", "en")
    assert (row["source"], row["license"]) == ("wikipedia", "CC-BY-SA-3.0")
    assert row["meta"] == {
        "title": "Heron",
        "lang": "en",
        "page_id": 1,
        "revision_id": 1000,
        "timestamp": "2022-06-01T12:00:00Z",
        "wiki": "enwiki",
        "dump_date": "2022-08-01",
        "disambiguation": False,
        "n_templates_dropped": 1,
        "lost_values": 0,
    }


def test_every_page_is_kept_rejected_or_bad(run: Path) -> None:
    """Conservation, by number and by name (docs/architecture.md)."""
    stats = _stats(run)
    pages = len(ENGLISH) + len(GERMAN)
    assert stats["records_read"] == pages == stats["documents"] + stats["rejected"]
    seen = Counter(row["id"] for row in read(run) + read(run, "rejects"))
    assert seen == Counter({**REJECTED, **TEXTS}.keys())


def test_the_statistics_name_the_templates_dropped(run: Path) -> None:
    """Per language; and how many pages went which way (2.4, 2.7)."""
    stats = _stats(run)
    assert stats["tables"] == {
        "templates_dropped.en": [["Cite web", 1], ["Disambiguation", 1], ["Infobox bird", 1]]
    }
    assert stats["notes"] == {"pages_fast": 5}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_documents(run: Path, tmp_path: Path, form: str) -> None:
    """A multistream dump, one of one stream, gzip, and plain XML hold the same pages."""
    assert curate(tmp_path / "run", write_dumps(tmp_path / "in", form)) == 0
    assert read(tmp_path / "run") == read(run)
    assert read(tmp_path / "run", "rejects") == read(run, "rejects")


@pytest.mark.parametrize("megabytes", ["0.0001", "0.0005", "0.001"])
def test_units_of_any_size_give_the_same_documents(
    run: Path, tmp_path: Path, megabytes: str
) -> None:
    """Ranges of streams are the whole file."""
    inputs = write_dumps(tmp_path / "in")
    planned = plan(WIKIPEDIA, WikipediaConfig(tuple(inputs), unit_megabytes=float(megabytes)))
    assert len(planned.units) > 2
    assert sum(unit.size for unit in planned.units) == sum(map(os.path.getsize, inputs))
    assert curate(tmp_path / "run", inputs, "--unit-megabytes", megabytes) == 0
    assert read(tmp_path / "run") == read(run)
    assert read(tmp_path / "run", "rejects") == read(run, "rejects")
    assert _stats(tmp_path / "run")["tables"] == _stats(run)["tables"]


@pytest.mark.parametrize("date", ["20220801", "sample"])
def test_two_processes_give_the_bytes_of_one(tmp_path: Path, date: str) -> None:
    """The number of workers shows nowhere, with a meeting of pages and without."""
    inputs = write_dumps(tmp_path / "in", date=date)
    assert curate(tmp_path / "one", inputs, *SMALL_UNITS) == 0
    assert curate(tmp_path / "two", inputs, *SMALL_UNITS, "--workers", "2") == 0
    assert content(tmp_path / "two") == content(tmp_path / "one")


def test_inputs_named_in_another_order_give_the_same_bytes(run: Path, tmp_path: Path) -> None:
    """Units follow from the sorted inputs, and a file named twice is read once."""
    inputs = write_dumps(tmp_path / "in")
    assert curate(tmp_path / "run", [*reversed(inputs), inputs[0]]) == 0
    assert content(tmp_path / "run") == content(run)


@pytest.mark.parametrize(
    ("flags", "texts"),
    [
        (["--drop-disambiguation"], {k: v for k, v in TEXTS.items() if k != "wikipedia:en:8"}),
        (["--min-chars", "29"], {"wikipedia:en:10": TEXTS["wikipedia:en:10"]}),
        (["--no-title"], {k: v.split("\n\n", 1)[1] for k, v in TEXTS.items()}),
        (
            ["--drop-sections", "see also", "Literatur"],
            {**TEXTS, "wikipedia:en:10": "Tide\n\nHigh water comes twice a day."},
        ),
    ],
)
def test_options_change_what_they_say(
    tmp_path: Path, flags: list[str], texts: dict[str, str]
) -> None:
    """And nothing else."""
    assert curate(tmp_path / "run", write_dumps(tmp_path / "in"), *flags) == 0
    assert _texts(tmp_path / "run") == texts


@pytest.mark.parametrize(
    ("math", "text"),
    [("latex", "Mass $m$."), ("drop", "Mass."), ("placeholder", "Mass formula_1.")],
)
def test_formulas_become_what_the_option_says(tmp_path: Path, math: str, text: str) -> None:
    """Their LaTeX, nothing, or a word."""
    dump = write_dump(tmp_path, "enwiki", [WikiPage(1, "Mass", "Mass <math>m</math>.")])
    assert curate(tmp_path / "run", [dump], "--math", math, "--no-title") == 0
    (found,) = _texts(tmp_path / "run").values()
    assert found == text


def test_the_user_adds_templates(tmp_path: Path) -> None:
    """In the form of the languages' own data; the run knows which they were."""
    dump = write_dump(tmp_path / "in", "enwiki", [WikiPage(1, "A", "It is {{Shout|so}}.")])
    mine = tmp_path / "mine.json"
    mine.write_text('{"templates": {"{1}": ["Shout"]}}', "utf-8")
    assert curate(tmp_path / "run", [dump], "--templates", str(mine), "--no-title") == 0
    assert _texts(tmp_path / "run") == {"wikipedia:en:1": "It is so."}
    mine.write_text('{"templates": {"{1}": ["Cry"]}}', "utf-8")
    assert curate(tmp_path / "run", [dump], "--templates", str(mine), "--no-title") == 1


def test_pages_that_occur_twice_meet(tmp_path: Path) -> None:
    """Files whose names vouch for nothing: the newest revision stays, the other says which won."""
    old = [WikiPage(1, "Heron", "Old heron.", revision_id=5), WikiPage(2, "Tide", "Old tide.")]
    new = [WikiPage(1, "Heron", "New heron.", revision_id=70), WikiPage(3, "Moon", "Moon.")]
    inputs = [
        write_dump(tmp_path / "in" / name, "enwiki", pages, date="extract")
        for name, pages in (("a", new), ("b", old))
    ]
    assert curate(tmp_path / "run", inputs, "--no-title") == 0
    assert sorted(_texts(tmp_path / "run").values()) == ["Moon.", "New heron.", "Old tide."]
    (lost,) = read(tmp_path / "run", "rejects")
    assert (lost["stage"], lost["reason"], lost["detail"]) == (
        "wikipedia.duplicate_page",
        "duplicate_page",
        "same as revision 70",
    )


def test_a_bad_page_is_counted_and_costs_no_other(tmp_path: Path) -> None:
    """It is among the rejects, with what is wrong."""
    (path, _) = write_dumps(tmp_path / "in", "xml")
    damaged = Path(path).read_bytes().replace(b"<title>Crane</title>", b"<title>Crane & Co</title>")
    Path(path).write_bytes(damaged)
    assert curate(tmp_path / "run", [path]) == 0
    stats = _stats(tmp_path / "run")
    assert stats["bad_records_by_reason"] == {"bad_xml": 1}
    assert stats["records_read"] == len(ENGLISH)
    assert set(_texts(tmp_path / "run")) == {"wikipedia:en:1", "wikipedia:en:10"}
    (bad,) = [row for row in read(tmp_path / "run", "rejects") if row["stage"] == "wikipedia.read"]
    assert bad["reason"] == "bad_xml"


@pytest.mark.parametrize("unit", ["0.0001", "32"])
def test_a_damaged_stream_costs_its_pages(run: Path, tmp_path: Path, unit: str) -> None:
    """The rest of the dump is there, whether a cut is at it or not."""
    (path, _) = write_dumps(tmp_path / "in")
    dump = bytearray(Path(path).read_bytes())
    starts = [match.start() for match in re.finditer(rb"BZh91AY&SY", dump)]
    dump[starts[3] + 60] ^= 0xFF  # pages 5 and 6
    Path(path).write_bytes(dump)
    assert curate(tmp_path / "run", [path], "--unit-megabytes", unit) == 0
    stats = _stats(tmp_path / "run")
    assert stats["bad_records_by_reason"] == {"damaged_stream": 1}
    assert {**_texts(tmp_path / "run"), "wikipedia:de:1": TEXTS["wikipedia:de:1"]} == _texts(run)


HARD = "Hard {{a|[[b}} to read. "  # the scanner asks the parser


@pytest.mark.parametrize(
    ("parser", "reason"),
    [(failing.loop, "timeout"), (failing.die, "died"), (failing.fail, "raised")],
)
def test_a_page_on_which_the_parser_fails_is_read_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parser: Any, reason: str
) -> None:
    """It is kept and counted, and the pages after it have a parser again (2.7)."""
    monkeypatch.setattr(wikipedia_text, "render_here", parser)
    pages = [WikiPage(1, "Good", "Good."), WikiPage(2, "Hard", HARD), WikiPage(3, "Too", HARD)]
    dump = write_dump(tmp_path, "enwiki", pages)
    assert curate(tmp_path / "run", [dump], "--parser-seconds", "0.2", "--no-title") == 0
    stats = _stats(tmp_path / "run")
    assert stats["notes"] == {"pages_fast": 1, "pages_fallback": 2, f"parser_{reason}": 2}
    assert stats["documents"] == 3


@pytest.mark.parametrize(
    ("seconds", "notes"),
    [
        ("60", {"pages_fast": 1, "pages_parser": 1}),
        ("0.001", {"pages_fast": 1, "pages_fallback": 1, "parser_timeout": 1}),
    ],
)
@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_parser_has_its_seconds_in_every_worker(
    tmp_path: Path, workers: str, seconds: str, notes: dict[str, int]
) -> None:
    """In threads of this process and in processes of their own; none is left behind."""
    pages = [WikiPage(1, "Good", "Good."), WikiPage(2, "Hard", HARD * 5000)]
    dump = write_dump(tmp_path, "enwiki", pages)
    flags = ["--parser-seconds", seconds, "--workers", workers]
    before = set(psutil.Process().children(recursive=True))
    assert curate(tmp_path / "run", [dump], *flags) == 0
    assert _stats(tmp_path / "run")["notes"] == notes
    if workers == "2":
        left = set(psutil.Process().children(recursive=True)) - before
        assert psutil.wait_procs(list(left), timeout=20)[1] == []


_BESIDE = Path(__file__).parents[4] / "shared" / "data"
_REAL = Path(os.environ.get("CORPUSMILL_DATA", _BESIDE)) / "wikipedia"
_MARKUP = re.compile(
    r"\[\[|\]\]|\{\{|\}\}|\{\||\|\}|</?ref\b|\|thumb|__[A-Z]+__|\'\'\'|</?(?:div|span|br|small)\b"
)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run over the real dumps."""
    folder = tmp_path_factory.mktemp("real")
    # Formulas may hold braces that are no template's.
    assert curate(folder / "run", [f"{_REAL}/*.xml.bz2"], "--math", "drop") == 0
    return folder / "run"


@pytest.mark.data
@pytest.mark.skipif(not _REAL.is_dir(), reason=f"no real data: set CORPUSMILL_DATA ({_REAL})")
def test_the_real_dumps_are_accounted_for(real: Path) -> None:
    """Every page of twenty languages is a document or a reject."""
    stats = _stats(real)
    pages = sum(
        bz2.decompress(path.read_bytes()).count(b"<page>") for path in _REAL.glob("*.xml.bz2")
    )
    assert stats["records_read"] == pages == stats["documents"] + stats["rejected"]
    assert stats["bad_records"] == 0
    assert len({row["lang"] for row in read(real)}) == 20


@pytest.mark.data
@pytest.mark.skipif(not _REAL.is_dir(), reason=f"no real data: set CORPUSMILL_DATA ({_REAL})")
def test_no_markup_is_left_in_the_real_articles(real: Path) -> None:
    """Links, templates, tables, references, images, categories, switches."""
    found = Counter(
        (row["id"], mark) for row in read(real) for mark in _MARKUP.findall(row["text"])
    )
    assert found == {}


@pytest.mark.data
@pytest.mark.skipif(not _REAL.is_dir(), reason=f"no real data: set CORPUSMILL_DATA ({_REAL})")
def test_no_image_or_category_is_left_in_the_real_articles(real: Path) -> None:
    """By the names of each language; links that begin with a colon are meant to be read (2.3)."""
    found = set()
    for row in read(real):
        site = load_site(row["lang"])
        names = "|".join(map(re.escape, sorted(site.file_names | site.category_names)))
        if re.search(rf"(?i)(?<!\w)(?:{names}):(?=\S)", row["text"]):
            found.add(row["id"])
    assert found == {"wikipedia:en:3354", "wikipedia:it:3", "wikipedia:it:6"}
