"""``compare`` says what a change did, by reason and by document."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from filters.verdict import drop
from pipelines.__main__ import main
from pipelines.engine.documents import Document
from pipelines.engine.finish import finish
from pipelines.engine.ledger import Judged, Ledger
from pipelines.engine.output import RejectPolicy, Terms, UnitOutput
from pipelines.engine.runs import Run
from pipelines.engine.units import Part, Unit
from pipelines.engine.workspace import Workspace
from pipelines.report.compare import ABSENT, CHANGED, compare, outcomes_of
from tests.pipelines.github.github_export import curate, write_tables


def write_run(path: Path, units: dict[str, dict[str, tuple[str, str]]], **config: Any) -> str:
    """Write a complete run by hand.

    Args:
        path: of the run.
        units: by name, the documents of each: text and reason of the reject ("": kept) by id.
        config: of the run.
    """
    run = Run(str(path))
    path.mkdir(parents=True)
    run.start({"source": "toy", "rejects": "all", **config})
    planned = []
    for name, documents in units.items():
        unit = Unit(name, "toy", (Part(f"/{name}", 1),))
        planned.append(unit)
        ledger = Ledger(["toy.check"])
        with UnitOutput(Workspace.beside(run), unit, ledger, Terms("toy", RejectPolicy())) as out:
            for document_id, (text, reason) in documents.items():
                ledger.records_read += 1
                tally = ledger.stages["toy.check"]
                tally.documents_in += 1
                document = Document(document_id, "toy", text)
                if reason:
                    ledger.reject("toy.check", reason)
                    out.reject(document, Judged("toy.check", drop(reason, "as measured")))
                else:
                    out.keep(document)
            out.commit()
    finish(run, planned, {}, ["toy.check"])
    return str(path)


@pytest.fixture
def runs(tmp_path: Path) -> tuple[str, str]:
    """Return two runs that differ in every way, and in one unit not at all."""
    same = {"s:1": ("same", ""), "s:2": ("same", "short")}
    old = {
        "a": ("kept\nin both", ""),
        "b": ("goes", ""),
        "c": ("comes", "short"),
        "d": ("first\nsecond", ""),
        "e": ("other reason", "short"),
        "f": ("only old", ""),
    }
    new = {
        "a": ("kept\nin both", ""),
        "b": ("goes", "long"),
        "c": ("comes", ""),
        "d": ("first\nthird", ""),
        "e": ("other reason", "long"),
        "g": ("only new", "short"),
    }
    return (
        write_run(tmp_path / "old", {"u0": same, "u1": old}, limit=1),
        write_run(tmp_path / "new", {"u0": same, "u1": new}, limit=2),
    )


def test_every_document_that_changed_is_counted(runs: tuple[str, str]) -> None:
    """By its outcome in both runs."""
    changes = compare(*runs, 1)
    assert changes.moved == {
        ("kept", "toy.check: long"): 1,
        ("toy.check: short", "kept"): 1,
        ("kept", CHANGED): 1,
        ("toy.check: short", "toy.check: long"): 1,
        ("kept", ABSENT): 1,
        (ABSENT, "toy.check: short"): 1,
    }
    assert changes.equal == 3  # a, s:1 and s:2
    assert "config.limit: 1 there, 2 here" in changes.settings


def test_it_prints_counts_and_documents(
    runs: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A reader sees what was measured and how a text changed."""
    assert main(["compare", *runs]) == 0
    shown = capsys.readouterr().out
    assert "3 documents have the same outcome in both runs" in shown
    assert "1 document: kept -> toy.check: long" in shown
    assert "new: long (as measured)" in shown
    assert "-second" in shown
    assert "+third" in shown
    row = next(line for line in shown.splitlines() if "  short" in line)
    assert [cell.strip() for cell in row.split("│")][2:5] == ["3", "2", "-1"]


def test_json_holds_the_same(runs: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """One object, with both sides of each example."""
    assert main(["compare", *runs, "--json", "-n", "5"]) == 0
    found = json.loads(capsys.readouterr().out)
    kinds = {(kind["old"], kind["new"]): kind for kind in found["changed"]}
    example = kinds["kept", CHANGED]["examples"][0]
    assert (example["old"]["text"], example["new"]["text"]) == ("first\nsecond", "first\nthird")
    assert kinds[ABSENT, "toy.check: short"]["examples"][0]["old"] is None
    total = found["stages"][-1]
    assert total["documents"] == [5, 4]


def test_a_run_equals_itself(runs: tuple[str, str]) -> None:
    """Nothing changed sides, and texts of equal files are not read."""
    changes = compare(runs[0], runs[0], 1)
    assert not changes.moved
    assert changes.equal == 8


def test_of_equal_ids_the_kept_one_counts(tmp_path: Path) -> None:
    """Copies of a file have one id; that one of them stays is what became of it."""
    tables = write_tables(tmp_path / "in")
    assert curate(tmp_path / "run", tables) == 0
    outcomes = outcomes_of(Run(str(tmp_path / "run")))
    ids = [outcomes.read(place)["id"] for place in outcomes.places]
    assert len(ids) == len(set(ids))
    kept = {outcomes.read(place)["id"] for place in outcomes.places if not place["outcome"]}
    assert kept == {"github:aa01", "github:aa03"}


def test_an_unfinished_run_is_refused(
    runs: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Its documents are not known yet."""
    (Path(runs[1]) / "COMPLETED").unlink()
    assert main(["compare", *runs]) == 1
    assert "is not complete" in capsys.readouterr().err


def test_hashes_do_not_depend_on_chunks() -> None:
    """A column may be sliced."""
    from pipelines.report.compare import _hashes  # noqa: PLC0415

    column = pa.array(["a", "b", "é", ""])
    assert list(_hashes(column.slice(1))) == list(_hashes(column))[1:]
