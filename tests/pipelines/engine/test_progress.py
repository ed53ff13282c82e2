"""Progress is read from the run directory; where there is no terminal it is plain lines."""

import io
from pathlib import Path

import pytest

from pipelines.engine import progress
from pipelines.engine.ledger import Ledger
from pipelines.engine.progress import Progress, StepState
from pipelines.engine.runs import Run
from pipelines.engine.schedule import Schedule
from pipelines.engine.steps import UnitStep
from pipelines.engine.tables import closing_table
from pipelines.engine.units import Part, Unit
from pipelines.engine.workspace import Workspace

UNITS = [Unit(f"{n:05}-x", "files", (Part(f"x{n}", 500_000),)) for n in range(2)]
STEP = UnitStep("write", "units", ".json", UNITS, print, print)


def _schedule(tmp_path: Path) -> Schedule:
    return Schedule([STEP], Workspace.beside(Run(str(tmp_path))))


def _commit(run: Run, name: str) -> None:
    run.write_json({}, "units", f"{name}.json")


def test_a_step_is_as_far_as_its_files(tmp_path: Path) -> None:
    """Units and bytes; files of other units do not count, nor do they when they go."""
    schedule = _schedule(tmp_path)
    state = StepState(schedule, STEP)
    state.look()
    assert state.text(0) == "0/2 units, 0.0/1.0 MB"
    _commit(schedule.workspace.run, UNITS[0].name)
    _commit(schedule.workspace.run, "99999-other")
    state.look()
    assert state.text(0) == "1/2 units, 0.5/1.0 MB"
    assert not state.done
    (tmp_path / "units" / f"{UNITS[0].name}.json").unlink()
    state.look()
    assert state.units == 1


def test_lines_are_plain_where_there_is_no_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No control characters in a log; the last line says that all is done."""
    monkeypatch.setattr(progress, "_POLL_SECONDS", 0.01)
    schedule, stream = _schedule(tmp_path), io.StringIO()
    with Progress(schedule, stream=stream):
        for unit in UNITS:
            _commit(schedule.workspace.run, unit.name)
    assert "\x1b" not in stream.getvalue()
    last = stream.getvalue().splitlines()[-1]
    assert last.startswith("write: 2/2 units, 1.0/1.0 MB")


def test_nothing_is_shown_when_nothing_is_wanted(tmp_path: Path) -> None:
    """``--quiet``."""
    stream = io.StringIO()
    with Progress(_schedule(tmp_path), shown=False, stream=stream):
        pass
    assert stream.getvalue() == ""


def test_the_closing_table_has_a_row_per_stage_and_the_total() -> None:
    """Every column of it is filled."""
    table = closing_table(Ledger(["x.a", "x.b"]), "x")
    assert table.row_count == 3
