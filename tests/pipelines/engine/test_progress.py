"""Progress is read from the run directory; where there is no terminal it is plain lines."""

import io
from pathlib import Path

import pytest

from pipelines.engine import progress
from pipelines.engine.plan import Pass, Plan
from pipelines.engine.progress import PassState, Progress, closing_table
from pipelines.engine.runs import Run
from pipelines.engine.stages import Ledger
from pipelines.engine.units import Unit

UNITS = [Unit(f"{n:05}-x", f"x{n}", "files", 500_000) for n in range(2)]
PASS = Pass("write", "units", UNITS)
PLAN = Plan(UNITS, {}, [PASS], ["x.text"])


def _commit(run: Run, unit: Unit) -> None:
    run.write_json({"ledger": {"documents": 3}}, "units", f"{unit.name}.json")


def test_a_pass_is_as_far_as_its_files(tmp_path: Path) -> None:
    """Units, bytes and documents; files of other units do not count."""
    run = Run(str(tmp_path))
    state = PassState(run, PASS)
    state.look()
    assert state.text(0) == "0/2 units, 0.0/1.0 MB"
    _commit(run, UNITS[0])
    _commit(run, Unit("99999-other", "x", "files", 1))
    state.look()
    assert state.text(0) == "1/2 units, 0.5/1.0 MB, 3 documents"
    assert not state.done


def test_lines_are_plain_where_there_is_no_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No control characters in a log; the last line says that all is done."""
    monkeypatch.setattr(progress, "_POLL_SECONDS", 0.01)
    run, stream = Run(str(tmp_path)), io.StringIO()
    with Progress(run, PLAN, stream=stream):
        for unit in UNITS:
            _commit(run, unit)
    assert "\x1b" not in stream.getvalue()
    last = stream.getvalue().splitlines()[-1]
    assert last.startswith("write: 2/2 units, 1.0/1.0 MB, 6 documents")


def test_nothing_is_shown_when_nothing_is_wanted(tmp_path: Path) -> None:
    """``--quiet``."""
    stream = io.StringIO()
    with Progress(Run(str(tmp_path)), PLAN, shown=False, stream=stream):
        pass
    assert stream.getvalue() == ""


def test_the_closing_table_has_a_row_a_stage_and_the_total() -> None:
    """Every column of it is filled."""
    table = closing_table(Ledger(["x.a", "x.b"]), "x")
    assert table.row_count == 3
