"""The report marks what rewriting stages removed, where the inputs of a run are within reach."""

import re
from html import unescape
from pathlib import Path

import pytest

from pipelines.__main__ import main
from pipelines.report import removed, spans
from pipelines.report.marks import Marked, Span, pieces
from pipelines.report.spans import removed_spans
from pipelines.samples.dumps import WikiPage, whole_xml
from tests.pipelines.commoncrawl.crawl import files, write_crawl, write_models
from tests.pipelines.github import github_export
from tests.pipelines.github.github_export import BODY, curate, texts, write_tables

READ = re.compile(r"<h3>Text that stages removed</h3>\n(.*?)</section>", re.DOTALL)
DELETED = re.compile(r"<del[^>]*>(.*?)</del>", re.DOTALL)
SENTENCES = "The old mill stands beside the river, and its wheel turns all year. " * 12


def section(run: Path) -> str:
    """Return what the report of a run says of removed text, as HTML."""
    out = run.parent / f"{run.name}.html"
    assert main(["report", str(run), "-o", str(out)]) == 0
    (found,) = READ.findall(out.read_text("utf-8"))
    return str(found)


def deleted(html: str) -> list[str]:
    """Return the marked texts."""
    return [unescape(text) for text in DELETED.findall(html)]


@pytest.fixture
def github(tmp_path: Path) -> Path:
    """Return a run of GitHub; its inputs are in ``in`` beside it."""
    assert curate(tmp_path / "run", write_tables(tmp_path / "in")) == 0
    return tmp_path / "run"


def test_the_licence_header_of_a_file_is_marked(github: Path) -> None:
    """It is in no file of the run, and the text that is left follows it."""
    header = "# Copyright 2015 Somebody"
    assert BODY in texts(github)
    assert not any(header in text for text in texts(github))
    html = section(github)
    assert "2 kept documents were read again" in html
    assert re.findall(r'<summary><b>(.*?)</b> <span class="count">(.*?)<', html) == [
        ("github.header", "from 1 of them")
    ]
    assert deleted(html) == [header]
    shown = unescape(re.sub("<[^>]*>", "", html[html.index("<pre>") : html.index("</pre>")]))
    assert shown == f"{header}\n\n{BODY}"


def test_the_section_is_the_same_each_time(github: Path) -> None:
    """Nothing of it depends on the time or on the folder that the work is done in."""
    assert section(github) == section(github)


def test_only_what_ends_with_the_text_of_the_run_is_shown(
    github: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The input has other code under the same id now: the run says nothing of its header."""
    changed = [
        {**row, "content": row["content"].replace("total", "sum_of")} if row["content"] else row
        for row in github_export.CONTENTS
    ]
    monkeypatch.setitem(github_export.TABLES, "contents", changed)
    write_tables(github.parent / "in")
    html = section(github)
    assert "1 kept document was read again" in html
    assert "No stage removed a part of a text that it got." in html
    assert "github.header" not in html


def test_inputs_out_of_reach_are_told(github: Path) -> None:
    """The page is written all the same."""
    (github.parent / "in").rename(github.parent / "elsewhere")
    assert "No document could be followed from the inputs" in section(github)


@pytest.mark.parametrize("name", ["MAX_BYTES", "MAX_UNITS", "RECORDS", "DOCUMENTS"])
def test_the_work_is_bounded(github: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Without bytes, units, records or documents nothing is shown, and the page says so."""
    monkeypatch.setattr(removed, name, 0)
    html = section(github)
    assert deleted(html) == []
    assert re.search("No document could be followed|for runs of at most 0 units", html)


def test_a_page_that_is_mostly_gone_is_counted_and_not_shown(tmp_path: Path) -> None:
    """Of one page an infobox goes, of another so much that marks would tell nothing."""
    infobox = "{{Infobox mill\n| wheel = overshot\n| built = 1784\n}}\n"
    pages = [
        WikiPage(1, "Mill", f"{infobox}{SENTENCES}"),
        WikiPage(2, "Long box", "{{Infobox mill\n| wheel = overshot\n}}\n" * 90 + SENTENCES),
        WikiPage(3, "Plain", SENTENCES),
    ]
    dump = tmp_path / "dawiki-20220801-pages-articles.xml"
    dump.write_bytes(whole_xml("dawiki", pages))
    run = tmp_path / "run"
    assert main(["wikipedia", "--input", str(dump), "--run", str(run), "--quiet"]) == 0
    html = section(run)
    assert "3 kept documents were read again" in html
    assert "<b>wikipedia.markup</b>" in html
    assert re.findall(r'class="id">([^<]*)', html) == ["wikipedia:da:1"]
    assert deleted(html) == [infobox.strip()]
    assert "1 lost more than 60.0 % of the text to this stage, and is not shown." in html


def test_a_run_whose_models_are_not_at_hand_says_so(tmp_path: Path) -> None:
    """A run holds the hashes of its models, and not their places."""
    (tmp_path / "models").mkdir()
    models = write_models(tmp_path / "models")
    inputs = write_crawl(tmp_path / "in", files())
    words = ["commoncrawl", "--run", str(tmp_path / "run"), "--quiet", "--models", str(models)]
    assert main([*words, "--langid", str(models / "lid.bin"), "--input", *inputs]) == 0
    assert "or a stage needs a model or a list" in section(tmp_path / "run")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("a\nb\nc\n", "a\nc\n", [("b", "")]),
        ("a\r\nb\r\n", "a\nb\n", []),  # ends of lines alone
        ("one\ntwo\n", "one two\n", []),  # so are joined lines
        ("x\n", "x\ny\n", []),  # nothing is gone
        ("same", "same", []),
        ("text", "", [("text", "")]),
        ("", "text", []),
        ("an [[Aves|bird]] here", "an bird here", [("[[Aves|", ""), ("]]", "")]),
        ("costs 5 &euro; now", "costs 5 € now", [("&euro;", "now: €")]),
        # Words in common by chance do not interrupt a mark.
        ("{{box a of b}}\n|x of y\nHe", "He of", [("{{box a of b}}\n|x of y\nHe", "now: He of")]),
    ],
)
def test_removed_spans(before: str, after: str, expected: list[tuple[str, str]]) -> None:
    """By lines and then by words; white space alone is no loss."""
    found = removed_spans(before, after)
    assert [(before[span.start : span.end], span.note) for span in found] == expected
    assert all(span.removed for span in found)


def test_a_large_block_is_marked_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison of words takes quadratic time."""
    monkeypatch.setattr(spans, "_MOST_PAIRS", 4)
    (span,) = removed_spans("kept\none two three\n", "kept\none three\n")
    assert (span.start, span.end, span.note) == (5, 18, "now: one three")


def test_no_text_is_shown_from_a_mark_on_that_is_not() -> None:
    """It would look as if it were left."""
    text = "a b c d"
    gone = tuple(Span(at, at + 1, "", removed=True) for at in (0, 2, 4))
    shown = [(piece.kind, piece.text) for piece in pieces(Marked(text, gone), most=2)]
    assert shown == [
        ("removed", "a"),
        ("text", " "),
        ("removed", "b"),
        ("text", " "),
        ("cut", "3 more characters"),
    ]
