"""``explain`` says what each stage decides about one document, and what others decide."""

import io
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from pipelines.__main__ import main
from pipelines.report import explain
from pipelines.report.trace import changed_lines
from pipelines.samples.stackexchange import posts_xml
from pipelines.samples.threads import answer, question
from tests.pipelines.commoncrawl.crawl import (
    ENGLISH,
    MENU,
    files,
    write_crawl,
    write_models,
)
from tests.pipelines.github.github_export import curate as curate_github
from tests.pipelines.github.github_export import write_joined, write_tables


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the models once."""
    return write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def crawl(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Write the crawl."""
    return write_crawl(tmp_path_factory.mktemp("in"), files())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, crawl: list[str], models: Path) -> str:
    """Return a run whose paragraphs are compared over all files."""
    path = str(tmp_path_factory.mktemp("cc") / "run")
    command = ["commoncrawl", "--run", path, "--quiet", *flags(models), "--scope", "dump"]
    assert main([*command, "--input", *crawl]) == 0
    return path


def flags(models: Path) -> list[str]:
    """Return the flags that name the models."""
    return ["--models", str(models), "--langid", str(models / "lid.bin")]


def explained(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    """Return the lines that the command prints."""
    capsys.readouterr()
    assert main(["explain", *words]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out  # colours are for terminals
    return [line.strip() for line in out.splitlines()]


def error_of(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Return the one line that the command ends with."""
    capsys.readouterr()
    assert main(["explain", *words]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_a_page_goes_through_every_stage(
    crawl: list[str], models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each measured value is beside its threshold, and removed lines are marked."""
    lines = explained(capsys, "commoncrawl", crawl[0], "--record", "1", *flags(models))
    text = "\n".join([MENU, ENGLISH[2], ENGLISH[3], ENGLISH[2]])
    assert lines[0] == "commoncrawl:a:1  http://example.com/2-3-2"
    assert f"text {len(text)} characters  [min_characters=300]" in lines[1]
    assert "decided across documents (here among this input alone)" in "\n".join(lines)
    assert f"-{ENGLISH[2]}" in lines  # the repeat within the page
    assert any("lang en, lang_score 1  [keep=en, min_score=0.5]" in line for line in lines)
    assert any("middle of en=perplexity below 10000" in line for line in lines)
    assert lines[-1].startswith("kept, unless other documents decide otherwise")


def test_a_rejected_page_stops_at_its_stage(
    crawl: list[str], models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reason and what was measured are on the last line of its way."""
    lines = explained(capsys, "commoncrawl", crawl[0], "--id", "commoncrawl:a:2", *flags(models))
    assert "rejected: too_short (9 characters)" in lines[1]
    assert lines[-1] == "rejected by commoncrawl.length"
    strict = ("--min-chars", "5")
    lines = explained(
        capsys, "commoncrawl", crawl[0], "--id", "commoncrawl:a:2", *flags(models), *strict
    )
    assert "kept  text 9 characters  [min_characters=5]" in lines[1]


def test_a_run_says_who_has_the_paragraphs(
    crawl: list[str], models: Path, run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The settings are the run's, and its verdicts are made again over its inputs."""
    lines = explained(
        capsys, "commoncrawl", crawl[1], "--record", "1", "--run", run, *flags(models)
    )
    told = "\n".join(lines)
    assert f'"{ENGLISH[6][:50]}": also in commoncrawl:c:0; every copy is dropped' in told
    assert "rejected by commoncrawl.paragraphs" in lines
    assert lines[-1] == ("in the run: rejected by commoncrawl.paragraphs: all_paragraphs_duplicate")


def test_the_first_page_keeps_a_paragraph_where_the_policy_says_so(
    tmp_path: Path, crawl: list[str], models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Then the claims say which document it is."""
    command = ["commoncrawl", "--run", str(tmp_path / "run"), "--quiet", *flags(models)]
    assert main([*command, "--scope", "dump", "--keep", "first", "--input", *crawl]) == 0
    lines = explained(
        *(capsys, "commoncrawl", crawl[2], "--record", "0"),
        *("--run", str(tmp_path / "run"), *flags(models)),
    )
    assert any(
        f'"{ENGLISH[6][:50]}": kept by commoncrawl:b:1 (http://example.org/twice)' in line
        for line in lines
    )


def test_inputs_that_were_moved_are_found_by_name(
    tmp_path: Path, crawl: list[str], models: Path, run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of them: then verdicts are made again; without some of them they are not known."""
    words = ("--record", "1", "--run", run, *flags(models))
    for path in crawl:
        shutil.copy(path, tmp_path)
    moved = str(tmp_path / Path(crawl[1]).name)
    told = "\n".join(explained(capsys, "commoncrawl", moved, *words))
    assert "rejected by commoncrawl.paragraphs\n" in told
    (tmp_path / Path(crawl[0]).name).unlink()
    lines = explained(capsys, "commoncrawl", moved, *words)
    assert any("decided across documents (not known here; what the run" in line for line in lines)
    assert any("the run has it in commoncrawl:c:0 too" in line for line in lines)
    assert lines[-1].startswith("in the run: rejected by commoncrawl.paragraphs")


def test_large_inputs_are_read_only_if_asked(
    crawl: list[str], models: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    """What other pages decide then stays open."""
    monkeypatch.setattr(explain, "MAX_REPLAYED_BYTES", 10)
    words = ("commoncrawl", crawl[0], "--record", "0", *flags(models))
    assert "(not known here: --run says" in "\n".join(explained(capsys, *words))
    assert "(here among this input" in "\n".join(explained(capsys, *words, "--search"))


def test_a_text_from_stdin_is_a_document(
    models: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of every source; what a record has besides is made up, and told."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(ENGLISH[:3])))
    lines = explained(capsys, "commoncrawl", "-", *flags(models))
    assert lines[0] == "The text is taken for a page at https://explain.example/."
    assert lines[-1].startswith("kept, unless")


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        ("github", "x = 1\n" * 3, "kept, unless other documents decide otherwise"),
        ("github", "x" * 2000, "rejected by github.quality"),
        ("wikipedia", "'''Ada''' wrote [[program]]s.", "+Ada wrote programs."),
        ("wikipedia", "#REDIRECT [[Ada]]", "rejected by wikipedia.redirect"),
        ("stackexchange", "<p>How <b>so</b>?</p>", "+How so?"),
        ("books", "Few words.", "rejected: too_short (2 words)  text 2 words  [min_words=1000]"),
        ("arxiv", "\\documentclass{a}\\begin{document}\\section{A}", "rejected by arxiv.length"),
        ("c4", "Home\nThis is one sentence of a page.", "rejected by c4.clean"),
    ],
)
def test_a_text_file_is_a_document(
    source: str, text: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The source's own reader and stages judge it."""
    (tmp_path / "document.txt").write_text(text)
    (tmp_path / "en").write_text("badword\n")
    words = [source, str(tmp_path / "document.txt")]
    words += ["--badwords", str(tmp_path)] if source == "c4" else []
    if source == "github":  # the extension decides
        (tmp_path / "document.py").write_text(text)
        words = [source, str(tmp_path / "document.py"), "--text"]
    assert expected in "\n".join(explained(capsys, *words))


def test_a_file_of_github_meets_its_blob(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tables of an export are joined for one file, and the run says whose copy it is."""
    tables = write_tables(tmp_path / "in")
    assert curate_github(tmp_path / "run", tables) == 0
    folder = str(tmp_path / "in")
    lines = explained(
        capsys, "github", folder, "--id", "github:aa01", "--run", str(tmp_path / "run")
    )
    told = "\n".join(lines)
    assert "github.license" in told  # a row of files
    assert "github.quality" in told  # then a row of contents
    assert any(line.startswith("in the run: kept") for line in lines)


def test_a_joined_export_needs_no_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its rows go through the gates and the cleaning in one phase."""
    (path,) = write_joined(tmp_path / "in")
    lines = explained(capsys, "github", path, "--record", "0")
    assert any("github.license" in line for line in lines)


def test_mistakes_are_told_in_one_line(
    tmp_path: Path, crawl: list[str], models: Path, run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what to do."""
    named = flags(models)
    assert "holds several documents: choose one with --id, such as --id commoncrawl:a:1" in (
        error_of(capsys, "commoncrawl", crawl[0], *named)
    )
    assert "no document of it has the id nosuch" in (
        error_of(capsys, "commoncrawl", crawl[0], "--id", "nosuch", *named)
    )
    assert "it has no record 99" in error_of(
        capsys, "commoncrawl", crawl[0], "--record", "99", *named
    )
    assert "--models is missing" in error_of(capsys, "commoncrawl", crawl[0], "--record", "0")
    assert "is not a run directory" in error_of(
        capsys, "commoncrawl", crawl[0], "--run", str(tmp_path), *named
    )
    assert "is a run of commoncrawl: explain commoncrawl instead" in error_of(
        capsys, "github", crawl[0], "--run", run
    )
    assert "unknown flag --idd" in error_of(capsys, "github", "x.py", "--idd")
    assert "cannot read nosuch.txt" in error_of(capsys, "github", "nosuch.txt")
    other = write_crawl(tmp_path / "other", {"z": files()["a"]})[0]
    assert "is no input of" in error_of(capsys, "commoncrawl", other, "--run", run, *named)


def test_a_document_that_only_the_run_lacks_is_not_found(
    crawl: list[str], models: Path, run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, and it says so."""
    words = ["commoncrawl", crawl[0], "--id", "commoncrawl:z:9", "--run", run, *flags(models)]
    assert main(["explain", *words]) == 1
    assert "commoncrawl:z:9 is not in the run" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ("", "a", ["+a"]),
        ("a\nb\nc", "a\nc", ["-b"]),
        ("a\nb", "b\na", ["+b", "-b"]),
        ("same", "same", []),
    ],
)
def test_changed_lines(before: str, after: str, lines: list[str]) -> None:
    """Removed lines have a minus sign, added ones a plus sign."""
    assert changed_lines(before, after) == lines


def test_a_post_is_found_in_its_thread(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An answer is no document: the run says which thread has it, or why none has."""
    site = tmp_path / "pans.example.com"
    site.mkdir()
    posts = [question(5, "How hot?", "<p>a</p>"), answer(6, 5, "<p>ten</p>", 10)]
    posts += [answer(7, 5, "<p>minus</p>", -1), answer(8, 99, "<p>lost</p>")]
    (site / "Posts.xml").write_bytes(posts_xml(posts))
    run, path = str(tmp_path / "run"), str(site / "Posts.xml")
    command = ["stackexchange", "--input", path, "--run", run, "--quiet"]
    assert main([*command, "--min-answer-score", "0"]) == 0

    def last(number: int) -> str:
        words = ("--id", f"stackexchange:pans.example.com:{number}", "--run", run)
        return explained(capsys, "stackexchange", path, *words)[-1]

    assert "it is part of the thread stackexchange:pans.example.com:5" in last(6)
    assert "rejected by stackexchange.thread: low_score (score -1)" in last(7)
    assert "rejected by stackexchange.thread: orphan_answer" in last(8)


def test_a_broken_file_is_told_in_one_line(
    tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a run names it among its failed files."""
    broken = tmp_path / "a.warc.wet.gz"
    broken.write_bytes(b"not gzip at all" * 100)
    assert str(broken.name) in error_of(
        capsys, "commoncrawl", str(broken), "--record", "0", *flags(models)
    )


def test_a_bad_record_is_told_with_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is no document, but it is in the file."""
    path = tmp_path / "c4-train.00000-of-00001.json"
    path.write_text('{"text": 5, "url": "http://example.com", "timestamp": ""}\n')
    lines = explained(capsys, "c4", str(path), "--record", "0")
    assert lines == ["record 0 is a bad record: wrong_type (text: 5)"]
