"""Which dump files make up an input, how they are cut, and what is refused, with what to do."""

import hashlib
import json
from pathlib import Path

import pytest

from pipelines.engine import passes
from pipelines.engine.errors import RunError
from pipelines.engine.source import plan
from pipelines.samples.dumps import WikiPage, whole_xml
from pipelines.wikipedia.dumps import are_distinct, check_names
from pipelines.wikipedia.source import WIKIPEDIA, WikipediaConfig
from tests.pipelines.engine.cut_off import failing_after, names
from tests.pipelines.github.github_export import content, read
from tests.pipelines.wikipedia.wikipedia_dumps import ENGLISH, curate, write_dump, write_dumps

ARTICLES = "enwiki-20220801-pages-articles"


@pytest.mark.parametrize(
    "names",
    [
        [f"{ARTICLES}-multistream.xml.bz2", "dewiki-20220701-pages-articles.xml.bz2"],
        [f"{ARTICLES}1.xml-p1p41242.bz2", f"{ARTICLES}2.xml-p41243p151573.bz2"],
        [f"{ARTICLES}27.xml-p1p9.bz2", f"{ARTICLES}27.xml-p10p19.bz2"],
        [f"{ARTICLES}1.xml.bz2", f"{ARTICLES}2.xml.bz2"],
    ],
)
def test_parts_and_wikis_go_together(names: list[str]) -> None:
    """Their names say that no page occurs twice."""
    check_names(names)


@pytest.mark.parametrize(
    ("names", "why"),
    [
        ([f"{ARTICLES}.xml.bz2", "enwiki-20220701-pages-articles.xml.bz2"], "of two dates"),
        ([f"{ARTICLES}.xml.bz2", f"{ARTICLES}-multistream.xml.bz2"], "two kinds"),
        ([f"{ARTICLES}.xml.bz2", f"{ARTICLES}.xml.gz"], "the same part"),
        ([f"{ARTICLES}.xml.bz2", f"{ARTICLES}1.xml-p1p9.bz2"], "a dump and its part"),
        ([f"{ARTICLES}1.xml-p1p9.bz2", f"{ARTICLES}2.xml-p9p19.bz2"], "overlapping page ids"),
        ([f"{ARTICLES}1.xml-p1p9.bz2", f"{ARTICLES}1.xml-p1p9.xml.bz2"], "the same part"),
    ],
)
def test_dumps_that_hold_the_same_pages_are_refused(names: list[str], why: str) -> None:
    """Reading them would be in vain; both are named."""
    with pytest.raises(RunError, match=f"{why}.* Leave one of them out") as refused:
        check_names(names)
    assert all(name in str(refused.value) for name in names)


@pytest.mark.parametrize(
    ("date", "distinct", "stages"), [("20220801", True, 0), ("sample", False, 1)]
)
def test_pages_meet_only_where_names_vouch_for_nothing(
    tmp_path: Path, date: str, distinct: bool, stages: int
) -> None:
    """A wiki's own dump needs no second writing."""
    planned = plan(WIKIPEDIA, WikipediaConfig(tuple(write_dumps(tmp_path, date=date))))
    assert are_distinct(planned.units) == distinct
    assert planned.stages.count("wikipedia.duplicate_page") == stages


def test_a_directory_is_read_by_its_dumps(tmp_path: Path) -> None:
    """Indexes, checksums and tables beside them are left aside."""
    write_dumps(tmp_path / "in")
    for name in ("sha1sums.txt", "enwiki-20220801-stub-articles.xml.gz", "dumpruninfo.json"):
        (tmp_path / "in" / name).write_text("{}")
    planned = plan(WIKIPEDIA, WikipediaConfig((str(tmp_path / "in"),)))
    assert sorted(unit.extra["wiki"] for unit in planned.units) == ["dewiki", "enwiki"]


def test_the_file_name_tells_wiki_and_date(tmp_path: Path) -> None:
    """Before the head of the dump, which may be another's."""
    path = write_dump(tmp_path, "enwiki", ENGLISH)
    other = path.replace("enwiki", "slwiki")
    Path(path).rename(other)
    (unit,) = plan(WIKIPEDIA, WikipediaConfig((other,))).units
    assert (unit.extra["wiki"], unit.extra["lang"], unit.extra["date"]) == (
        "slwiki",
        "sl",
        "20220801",
    )


def test_the_head_tells_the_wiki_where_the_name_does_not(tmp_path: Path) -> None:
    """``<dbname>``; the date stays unknown."""
    (tmp_path / "mine.xml").write_bytes(whole_xml("ruwiki", ENGLISH))
    (unit,) = plan(WIKIPEDIA, WikipediaConfig((str(tmp_path / "mine.xml"),))).units
    assert (unit.extra["lang"], unit.extra["date"]) == ("ru", "")


def _refused(capsys: pytest.CaptureFixture[str], run: Path, inputs: list[str], *flags: str) -> str:
    assert curate(run, inputs, *flags) == 1
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert message.count("\n") == 1
    assert not run.exists()
    return message


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("mine.xml", whole_xml("", ENGLISH), "Name it as Wikimedia does"),
        ("xxwiki-20220801-pages-articles.xml", whole_xml("xxwiki", ENGLISH), "Wikipedia 'xx'"),
        ("notes.txt", b"notes", "no dump among the 1 inputs"),
        ("enwiki-latest-pages-articles.xml.7z", b"7z\xbc\xaf", "is 7z: unpack it"),
    ],
)
def test_an_input_that_says_too_little_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, data: bytes, message: str
) -> None:
    """The line names it and says what is missing."""
    (tmp_path / name).write_bytes(data)
    error = _refused(capsys, tmp_path / "run", [str(tmp_path / name)])
    assert message in error
    assert name in error


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--unit-megabytes", "0"], "--unit-megabytes=0: give a number above 0"),
        (["--parser-seconds", "-1"], "--parser-seconds=-1: give a number above 0"),
        (["--templates", "lost.json"], "--templates lost.json: "),
        (["--rejects", "some"], "--rejects=some: give all"),
        (["--verify"], "--verify: no dumpstatus.json beside dewiki-20220801"),
    ],
)
def test_a_wrong_option_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], message: str
) -> None:
    """Before anything is made."""
    assert message in _refused(capsys, tmp_path / "run", write_dumps(tmp_path / "in"), *flags)


@pytest.mark.parametrize("text", ["{", '{"templtes": {}}', '{"templates": {"{1": ["A"]}}', "[]"])
def test_templates_in_another_form_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    """The line names the file."""
    (tmp_path / "mine.json").write_text(text)
    flags = ["--templates", str(tmp_path / "mine.json")]
    assert "mine.json: " in _refused(capsys, tmp_path / "run", write_dumps(tmp_path / "in"), *flags)


def _status(paths: list[str], *, status: str = "done", size: int = 0, sha1: str = "") -> None:
    """Write a ``dumpstatus.json`` that is right unless it is told otherwise."""
    files = {
        path.name: {
            "size": size or path.stat().st_size,
            "sha1": sha1 or hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest(),
        }
        for path in map(Path, paths)
    }
    jobs = {"articlesmultistreamdump": {"status": status, "files": files}}
    Path(paths[0]).with_name("dumpstatus.json").write_text(json.dumps({"jobs": jobs}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"status": "in-progress"}, "articlesmultistreamdump is in-progress"),
        ({"size": 10}, "dumpstatus.json says 10. Fetch it again"),
        ({"sha1": "0" * 40}, f"dumpstatus.json says {'0' * 40}. Fetch it again"),
    ],
)
def test_a_dump_that_is_not_as_its_status_says_is_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, str | int],
    message: str,
) -> None:
    """Not finished, of another size, or of other bytes (2.1)."""
    inputs = write_dumps(tmp_path / "in")
    _status(inputs, **changes)  # type: ignore[arg-type] # each value has its key's type
    assert message in _refused(capsys, tmp_path / "run", inputs, "--verify")


def test_a_dump_that_is_as_its_status_says_passes(tmp_path: Path) -> None:
    """Checksums are compared when asked."""
    inputs = write_dumps(tmp_path / "in")
    _status(inputs)
    assert curate(tmp_path / "run", inputs, "--verify") == 0


def test_a_status_that_is_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was cut off."""
    inputs = write_dumps(tmp_path / "in")
    (tmp_path / "in" / "dumpstatus.json").write_text('{"jobs": {')
    assert "dumpstatus.json cannot be read" in _refused(capsys, tmp_path / "run", inputs)


def test_a_file_that_is_no_dump_inside_is_borne_and_named(tmp_path: Path) -> None:
    """As other inputs that cannot be read (docs/architecture.md)."""
    inputs = write_dumps(tmp_path / "in")
    Path(inputs[1]).write_bytes(b"<html>Not found</html>")
    assert curate(tmp_path / "run", inputs) == 3
    stats = json.loads((tmp_path / "run" / "stats.json").read_text("utf-8"))
    assert list(stats["failed_files"]) == [inputs[1]]


@pytest.mark.parametrize("date", ["20220801", "sample"])
@pytest.mark.parametrize("units", [0, 3])
def test_a_run_cut_off_and_given_again_equals_one_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, date: str, units: int
) -> None:
    """Units that were committed are not run again (docs/architecture.md)."""
    inputs = write_dumps(tmp_path / "in", date=date)
    small = ("--unit-megabytes", "0.0001")
    assert curate(tmp_path / "whole", inputs, *small) == 0
    write_unit = passes.write_unit
    before, after = tmp_path / "before", tmp_path / "after"
    with monkeypatch.context() as patch:
        patch.setattr(passes, "write_unit", failing_after(units, write_unit, before))
        assert curate(tmp_path / "run", inputs, *small) == 1
    assert len(names(before)) == units
    monkeypatch.setattr(passes, "write_unit", failing_after(99, write_unit, after))
    assert curate(tmp_path / "run", inputs, *small) == 0
    assert names(before).isdisjoint(names(after))
    assert content(tmp_path / "run") == content(tmp_path / "whole")


def test_a_part_names_its_pages_apart(tmp_path: Path) -> None:
    """Parts of one dump are one corpus: the union of their pages."""
    for part, pages in ((1, ENGLISH[:2]), (2, [WikiPage(50, "Late", "Late.")])):
        path = write_dump(tmp_path / "in", "enwiki", pages, form="xml.bz2")
        span = f"p{pages[0].page_id}p{pages[-1].page_id}"
        Path(path).rename(tmp_path / "in" / f"{ARTICLES}{part}.xml-{span}.bz2")
    assert curate(tmp_path / "run", [str(tmp_path / "in" / "*.bz2")]) == 0
    assert [row["id"] for row in read(tmp_path / "run")] == ["wikipedia:en:1", "wikipedia:en:50"]
