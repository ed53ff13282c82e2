"""C4 from WET files and from its published files, on inputs made by hand (docs/rules/web.md 9)."""

import hashlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pipelines.__main__ import main
from pipelines.c4 import source
from pipelines.engine import passes
from pipelines.engine.documents import read_rows
from tests.pipelines.c4.pages import (
    DAY,
    LATER,
    LINES,
    crawl,
    record,
    write_badwords,
    write_crawl,
    write_published,
)
from tests.pipelines.engine.cut_off import failing_after

LOCAL_BEAM = (
    "--",
    "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner",
    "--direct_num_workers=2",
    "--direct_running_mode=multi_processing",
)


def curate(run: Path, *words: str) -> int:
    """Run the command."""
    flags = words[words.index("--") :] if "--" in words else ()
    return main(["c4", "--run", str(run), "--quiet", *words[: len(words) - len(flags)], *flags])


def rows(run: Path, folder: str) -> dict[str, dict[str, Any]]:
    """Return the documents or the rejects of a run, by id without the source."""
    found = {}
    for path in sorted((run / folder).glob("*.parquet")):
        with path.open("rb") as stream:
            for row in read_rows(stream):
                found[row["id"].removeprefix("c4:")] = {**row, "meta": json.loads(row["meta"])}
    return found


def statistics(run: Path) -> dict[str, Any]:
    """Return the statistics of a run."""
    found: dict[str, Any] = json.loads((run / "stats.json").read_text())
    return found


def content(run: Path) -> dict[str, bytes]:
    """Return all files of a run that must not differ between runs."""
    return {
        str(path.relative_to(run)): path.read_bytes()
        for path in sorted(run.rglob("*"))
        if path.parent.name in ("documents", "rejects")
        or path.name in ("manifest.json", "stats.json", "COMPLETED")
    }


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """Write a crawl and a list of bad words; return the flags that name them."""
    inputs = write_crawl(tmp_path / "in", crawl())
    return ["--badwords", write_badwords(tmp_path / "badwords"), "--wet", *inputs]


def test_every_page_that_is_not_kept_says_why(tmp_path: Path, words: list[str]) -> None:
    """Each rule that a page can meet, in the order of 9.1."""
    assert curate(tmp_path / "run", *words) == 0
    rejects = {name: row["reason"] for name, row in rows(tmp_path / "run", "rejects").items()}
    holders = {"a:0": "good", "c:1": "copy", "c:2": "copies"}
    urls = {name: f"http://{name[0]}.example/{path}" for name, path in holders.items()}
    keeper = _smallest(*urls.values())
    losers = {name: "empty" for name, url in urls.items() if url != keeper}
    if "c:1" in losers:
        losers["c:1"] = "too_few_sentences"  # it has a line of its own
    bad = {name: rejects.pop(f"00000-a.warc.wet:{name}") for name in (4, 5, 7)}
    assert bad == {4: "no_url", 5: "no_timestamp", 7: "no_content"}
    assert rejects == {
        "a:1": "too_few_sentences",
        "a:2": "squigglybracket",
        "a:3": "loremipsum",
        "a:6": "too_long",
        "b:0": "duplicate_url",
        "b:1": "ignored_language",
        "b:2": "badwords",
        "b:3": "langdetect_exception",
        **losers,
    }
    found = statistics(tmp_path / "run")
    assert found["records_read"] == 15 == found["documents"] + found["rejected"] + 3


def _smallest(*urls: str) -> str:
    return min(urls, key=lambda url: hashlib.md5(url.encode(), usedforsecurity=False).hexdigest())


def test_a_line_stays_on_the_page_of_the_smallest_hash(tmp_path: Path) -> None:
    """Whatever the order of files and pages (9.5)."""
    urls = [f"http://{name}.example/" for name in ("a", "b", "c", "d")]
    own = [[f"{line} And line {n}." for line in LINES[6:9]] for n in range(4)]
    files = {
        "x": [record(urls[0], [*own[0], LINES[0]]), record(urls[1], [*own[1], LINES[0].upper()])],
        "y": [record(urls[2], [LINES[0], *own[2], LINES[0]]), record(urls[3], [*own[3], LINES[0]])],
    }
    inputs = write_crawl(tmp_path / "in", files)
    run = tmp_path / "run"
    assert curate(run, "--variant", "en.noblocklist", "--wet", *inputs) == 0
    holders = {
        row["url"]
        for row in rows(run, "documents").values()
        if LINES[0].lower() in row["text"].lower().split("\n")
    }
    assert len(rows(run, "documents")) == 4
    assert holders == {_smallest(*urls)}
    notes = statistics(run)["notes"]
    local = int(_smallest(*urls) == urls[2])
    assert notes.get("dedupe-lines/line-filtered:local_duplicate", 0) == local
    assert notes["dedupe-lines/line-filtered:global_duplicate"] == 4 - local


def test_counters_add_up(tmp_path: Path, words: list[str]) -> None:
    """Of each step, what passed and what was filtered is what came in."""
    assert curate(tmp_path / "run", *words) == 0
    found = statistics(tmp_path / "run")
    stages = {stage["stage"]: stage for stage in found["stages"]}
    for stage, step in (
        ("c4.url", "duplicate-url-filter"),
        ("c4.clean", "clean-page"),
        ("c4.duplicates", "dedupe-lines"),
        ("c4.language", "english-filter"),
        ("c4.badwords", "badwords-filter"),
    ):
        counted = {
            name.removeprefix(f"{step}/"): count
            for name, count in found["notes"].items()
            if name.startswith(f"{step}/") and "/line-" not in name and "language-" not in name
        }
        assert sum(counted.values()) == stages[stage]["documents_in"], step
        assert counted["passed"] == stages[stage]["documents_out"], step


def test_a_page_carries_its_fields(tmp_path: Path, words: list[str]) -> None:
    """The newest page of a url stays; its title is no sentence."""
    assert curate(tmp_path / "run", *words) == 0
    row = rows(tmp_path / "run", "documents")["c:0"]
    assert row["text"].split("\n")[0] in LINES
    assert (row["url"], row["created"], row["lang"]) == ("http://twice.example/", LATER, "en")
    assert row["lang_score"] >= 0.99
    assert row["meta"]["normalized_url"] == "twice.example"
    assert row["meta"]["split"] == "train"
    assert row["meta"]["content_type"] == "text/plain"
    assert row["meta"]["content_length"] > 300
    assert row["meta"]["file"] == "c.warc.wet.gz"


@pytest.mark.parametrize(
    ("unit", "workers", "backwards", "flags"),
    [
        ("line", 2, False, ()),
        ("line", 4, True, ()),
        ("span3", 2, True, ()),
        ("line", 1, True, LOCAL_BEAM),
    ],
    ids=["two", "four backwards", "spans", "local Beam"],
)
def test_the_bytes_do_not_depend_on_who_works(
    tmp_path: Path,
    words: list[str],
    unit: str,
    workers: int,
    backwards: bool,
    flags: tuple[str, ...],
) -> None:
    """Nor on the order in which inputs are named."""
    named, paths = words[:3], words[3:]
    assert curate(tmp_path / "one", "--unit", unit, "--workers", "1", *words) == 0
    others = paths[::-1] if backwards else paths
    number = [] if flags else ["--workers", str(workers)]
    assert curate(tmp_path / "more", "--unit", unit, *number, *named, *others, *flags) == 0
    assert content(tmp_path / "more") == content(tmp_path / "one")


@pytest.mark.parametrize(
    ("step", "calls", "forget"),
    [
        ((source, "url_claims"), 1, False),
        ((source, "line_claims"), 2, True),
        ((passes, "write_unit"), 1, False),
        ((passes, "write_unit"), 1, True),
    ],
    ids=["urls", "lines", "write", "write without claims"],
)
def test_a_run_that_was_cut_off_is_resumed(
    tmp_path: Path,
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    step: tuple[ModuleType, str],
    calls: int,
    forget: bool,
) -> None:
    """While pages claim, or while documents are written; with claims that are left or not."""
    assert curate(tmp_path / "whole", *words) == 0
    module, name = step
    with monkeypatch.context() as patch:
        patch.setattr(module, name, failing_after(calls, getattr(module, name), tmp_path / "done"))
        assert curate(tmp_path / "run", *words) == 1
    if forget:
        for path in (tmp_path / "run" / "claims").rglob("*.claims"):
            path.unlink()
    assert curate(tmp_path / "run", *words) == 0
    assert content(tmp_path / "run") == content(tmp_path / "whole")


def test_variants_leave_out_what_they_do_not_do(tmp_path: Path, words: list[str]) -> None:
    """Bad words, the line rules, the comparison of lines."""
    run = tmp_path / "noblocklist"
    assert curate(run, "--variant", "en.noblocklist", *words) == 0
    assert "b:2" in rows(run, "documents")
    run = tmp_path / "noclean"
    assert curate(run, "--variant", "en.noclean", *words) == 0
    kept = rows(run, "documents")
    assert {"a:1", "a:2", "a:3", "c:1", "c:2"} <= kept.keys()
    assert kept["a:1"]["text"].split("\n")[:2] == ["A title", "Menu"]


def test_news_and_listed_urls(tmp_path: Path, words: list[str]) -> None:
    """The variant realnewslike takes listed domains, webtextlike listed urls, normalised."""
    files = {
        "a": [
            record("https://www.news.com/a?ref=x", LINES[:3]),
            record("http://sport.news.com/b", LINES[3:6]),
            record("http://any.news.co.uk/c", LINES[6:9]),
            record("http://other.com/d/", LINES[7:10]),
        ]
    }
    words = [*words[:3], *write_crawl(tmp_path / "few", files)]
    domains = tmp_path / "domains.json"
    domains.write_text(json.dumps({"news.com": ["", "blog"], "news.co.uk": None}))
    run = tmp_path / "news"
    assert curate(run, "--variant", "realnewslike", "--domains", str(domains), *words) == 0
    rejects = {name: row["reason"] for name, row in rows(run, "rejects").items()}
    assert rejects == {"a:1": "bad_subdomain", "a:3": "bad_domain"}
    urls = tmp_path / "urls.txt"
    urls.write_text("http://news.com/a\n\nhttps://www.other.com/d\n")
    run = tmp_path / "webtext"
    assert curate(run, "--variant", "webtextlike", "--urls", str(urls), *words) == 0
    rejects = {name: row["reason"] for name, row in rows(run, "rejects").items()}
    assert rejects == {"a:1": "url_not_listed", "a:2": "url_not_listed"}


def test_all_languages(tmp_path: Path) -> None:
    """The variant multilingual takes pages of long paragraphs and names their languages."""
    pytest.importorskip("gcld3", reason="CLD3 is not installed: pip install cld3-py")
    german = [
        "Zweimal am Tag steigt das Wasser an der Küste und fällt wieder, weil der Mond und die "
        "Sonne an den Meeren ziehen, und stehen beide in einer Linie mit der Erde, so ist der "
        f"Unterschied am größten, im Jahr {year} wie in allen anderen Jahren."
        for year in range(3)
    ]
    files = {"a": [record("http://a.example/", german), record("http://b.example/", LINES)]}
    lists = write_badwords(tmp_path / "badwords", de="unsinn\n")
    words = ["--badwords", lists, "--wet", *write_crawl(tmp_path / "in", files)]
    run = tmp_path / "run"
    chosen = ["--variant", "multilingual", "--languages", "de", "en"]
    assert curate(run, *chosen, *words) == 0
    (row,) = rows(run, "documents").values()
    assert row["lang"] == "de"
    assert row["text"].startswith("A title\nZweimal")
    assert [row["reason"] for row in rows(run, "rejects").values()] == ["too_few_paragraphs"]


def test_published_rows_are_kept_as_they_are(tmp_path: Path) -> None:
    """Ids by file and row, ``created`` by the timestamp; bad rows are counted."""
    good = {"text": "One line.\nTwo.", "timestamp": DAY, "url": "http://www.example.com/"}
    path = write_published(
        tmp_path / "c4" / "c4-train.00000-of-01024.json.gz",
        [
            good,
            "{no json",
            {"timestamp": DAY, "url": "http://example.com/2"},
            {**good, "text": 3},
            {**good, "timestamp": "yesterday"},
        ],
    )
    assert curate(tmp_path / "run", "--input", f"{tmp_path}/c4/*.json.gz") == 0
    kept = rows(tmp_path / "run", "documents")
    assert list(kept) == ["c4-train.00000-of-01024:0", "c4-train.00000-of-01024:4"]
    first, last = kept.values()
    assert (first["text"], first["created"], first["lang"]) == (good["text"], DAY, "en")
    assert last["created"] is None
    assert first["meta"]["normalized_url"] == "example.com"
    reasons = statistics(tmp_path / "run")["bad_records_by_reason"]
    assert reasons == {"bad_json": 1, "missing_field": 1, "wrong_type": 1}
    listing = tmp_path / "c4.paths"
    for number, (line, more) in enumerate(
        [(path, []), (Path(path).name, ["--prefix", f"{tmp_path}/c4/"])]
    ):
        listing.write_text(f"{line}\n")
        run = tmp_path / f"listed-{number}"
        assert curate(run, "--input", str(listing), *more) == 0
        assert content(run) == content(tmp_path / "run")


def test_both_ways_end_in_one_schema(tmp_path: Path, words: list[str]) -> None:
    """A document of either has the same fields, and one run may take both ways."""
    row = {"text": "One line.", "timestamp": DAY, "url": "http://example.com/"}
    path = write_published(tmp_path / "c4-train.0.json.gz", [row])
    assert curate(tmp_path / "published", "--input", path) == 0
    assert curate(tmp_path / "made", *words) == 0
    assert curate(tmp_path / "both", "--input", path, *words) == 0
    published, made = (
        rows(tmp_path / "published", "documents"),
        rows(tmp_path / "made", "documents"),
    )
    assert rows(tmp_path / "both", "documents") == published | made
    one, other = next(iter(published.values())), next(iter(made.values()))
    assert one.keys() == other.keys()
    assert one["meta"].keys() == other["meta"].keys()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "give --input with"),
        (["--wet", "{wet}"], "--badwords is missing"),
        (["--wet", "{wet}", "--badwords", "{empty}"], "Get the file en of LDNOOBW"),
        (["--wet", "{wet}", "--badwords", "{bad}", "--profile", "tfds"], "is not the list that C4"),
        (["--wet", "{wet}", "--badwords", "{bad}", "--variant", "realnewslike"], "--domains is"),
        (["--wet", "{wet}", "--badwords", "{bad}", "--variant", "webtextlike"], "--urls is"),
        (["--wet", "{bad}/en"], "--badwords is missing"),
        (["--wet", "{bad}/en", "--variant", "en.noclean"], "is no WET file"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], message: str
) -> None:
    """The message says what to do."""
    (wet,) = write_crawl(tmp_path / "in", {"a": [record("http://a.example/", LINES)]})
    (tmp_path / "empty").mkdir()
    places = {
        "wet": wet,
        "empty": str(tmp_path / "empty"),
        "bad": write_badwords(tmp_path / "badwords"),
    }
    assert curate(tmp_path / "run", *(flag.format(**places) for flag in flags)) == 1
    assert message in capsys.readouterr().err


def test_the_profile_tfds_takes_header_like_lines_for_headers(tmp_path: Path) -> None:
    """A reader by lines swallows them, and ends a record at a line WARC/1.0 (2.2)."""
    lines = [*LINES[:3], "WARC is a format that pages lie in.", "Content- is how a line begins."]
    inputs = write_crawl(tmp_path / "in", {"a": [record("http://a.example/", lines)]})
    for profile, count in (("default", 5), ("tfds", 3)):
        run = tmp_path / profile
        flags = ["--profile", profile, "--variant", "en.noblocklist", "--wet", *inputs]
        assert curate(run, *flags) == 0
        assert rows(run, "documents")["a:0"]["text"].count("\n") == count - 1
