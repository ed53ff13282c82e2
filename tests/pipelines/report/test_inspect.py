"""``inspect`` prints the documents that one asks for, and says why there are none."""

import json
from pathlib import Path

import pytest

from pipelines.__main__ import main
from pipelines.report.inspect import show
from tests.pipelines.github.github_export import BODY, curate, write_tables


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a complete run."""
    folder = tmp_path_factory.mktemp("inspect")
    assert curate(folder / "run", write_tables(folder / "in")) == 0
    return str(folder / "run")


def _lines(capsys: pytest.CaptureFixture[str], run: str, *flags: str) -> list[dict[str, object]]:
    assert main(["inspect", run, "--json", *flags]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(
    ("flags", "ids"),
    [
        (("--stage", "github.license"), ["github:aa06", "github:aa06"]),
        (("--reason", "binary"), ["github:aa04"]),
        (("--kept",), ["github:aa01", "github:aa03"]),
        (("--kept", "--id", "github:aa03"), ["github:aa03"]),
        (("--kept", "-n", "1"), ["github:aa01"]),
    ],
)
def test_flags_select_documents(
    run: str, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], ids: list[str]
) -> None:
    """One JSON object a line, meta as an object."""
    lines = _lines(capsys, run, *flags)
    assert [line["id"] for line in lines] == ids
    assert all(isinstance(line["meta"], dict) for line in lines)


def test_a_reject_is_shown_with_its_reason(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And a document with its text."""
    assert main(["inspect", run, "--reason", "duplicate_text"]) == 0
    shown = capsys.readouterr().out
    assert "duplicate_text (same as mit/one/total.py)" in shown
    assert BODY in shown


def test_meta_is_shown_with_blanks_in_its_values() -> None:
    """Whole if it is short, and else its beginning; a blank in a value ends nothing."""
    row = {"id": "x:1", "text": "t", "meta": '{"title":"two words and more"}'}
    row |= dict.fromkeys(("url", "created", "lang", "license"), "")
    assert row["meta"] in show(row, full=False)
    row["meta"] = f'{{"title":"{"word " * 100}"}}'
    assert f"    {row['meta'][:400]} ...\n" in show(row, full=False)


def test_long_texts_are_cut_unless_asked_for(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The beginning, and how much is left."""
    assert main(["inspect", run, "--reason", "max_line_length"]) == 0
    assert "[... 307 more characters]" in capsys.readouterr().out
    assert main(["inspect", run, "--reason", "max_line_length", "--full"]) == 0
    assert "y" * 1500 in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--reason binry", "--reason binry: nothing was rejected for it. Did you mean 'binary'?"),
        ("--stage github.blob --reason x", "it is one of binary, duplicate_blob, no_content"),
        ("--stage github.qality", "has no such stage. Did you mean 'github.quality'?"),
        ("--kept --stage github.blob", "kept documents have no --stage and no --reason"),
        ("--id NOSUCH", "no rejected document has this id; --kept looks among the documents"),
        ("--kept --id NOSUCH", "no kept document has this id; leave out --kept"),
        ("-n -3", 'Invalid value "-3" for -n. Must be >= 1.'),
    ],
)
def test_what_no_document_has_is_told_with_what_there_is(
    run: str, flags: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The nearest stage or reason, or all of them."""
    assert main(["inspect", run, *flags.split()]) == 1
    assert message in capsys.readouterr().err


def test_a_run_without_rejects_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They were not kept."""
    assert curate(tmp_path / "run", write_tables(tmp_path / "in"), "--rejects", "none") == 0
    assert main(["inspect", str(tmp_path / "run")]) == 1
    assert "--rejects=none" in capsys.readouterr().err
