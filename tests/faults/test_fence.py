"""The job of a launcher that was killed: its workers stop, and their deaths are not the next job's.

On a cluster the job lives on without its launcher, and the command is given again beside it.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.engine import lock
from pipelines.engine.errors import RunError
from pipelines.engine.graph import MAX_ATTEMPTS, UNIT_TOPIC, RunUnit, message
from pipelines.engine.lock import Fence, RunLock
from pipelines.engine.runs import LOCK, Run
from pipelines.engine.steps import UnitStep, one_scope
from pipelines.engine.units import Part, Unit
from pipelines.engine.worker import Worker
from pipelines.engine.workspace import Workspace

UNIT = Unit("00000-a", "x", (Part("/in/a", 1),))


@pytest.fixture(autouse=True)
def _look_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the lock before each unit, and not every ten seconds."""
    monkeypatch.setattr(lock, "FENCE_SECONDS", 0.0)


class Job:
    """What a cluster's worker does for the job of one launcher."""

    def __init__(self, run: Run, fence: Fence) -> None:
        self.workspace = Workspace.within(run)
        self.done: list[str] = []
        self.aside: list[str] = []

        def work(_workspace: Workspace, unit: Unit, _verdicts: object) -> None:
            self.done.append(unit.name)

        def set_aside(_workspace: Workspace, unit: Unit, why: str) -> None:
            self.aside.append(why)
            assert unit == UNIT

        step = UnitStep("write", "units", ".json", (), work, set_aside)
        self.do = RunUnit(step, Worker(self.workspace, lambda _run: None, fence), one_scope)

    def give(self) -> None:
        """Give the unit to the worker."""
        list(self.do.process((UNIT.name, [message(UNIT_TOPIC, UNIT.pack())])))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return an empty run directory."""
    return Run(str(tmp_path / "run"))


@pytest.fixture
def held(run: Run) -> Iterator[RunLock]:
    """Hold the run directory."""
    with RunLock(run) as found:
        yield found


def test_the_job_of_the_launcher_that_holds_the_run_works(run: Run, held: RunLock) -> None:
    """Its unit is done, and nothing is noted against it."""
    job = Job(run, held.fence)
    job.give()
    assert job.done == [UNIT.name]
    assert job.workspace.attempts() == {}


def test_the_job_of_a_launcher_that_is_gone_ends(run: Run, held: RunLock) -> None:
    """In one line that names the one that holds the run; also where nobody does."""
    job = Job(run, Fence("of another"))
    with pytest.raises(RunError, match="no longer held by the launcher of this job, but by proc"):
        job.give()
    (Path(run.path) / LOCK).unlink()
    with pytest.raises(RunError, match="but by none"):
        Job(run, held.fence).give()
    assert job.done == []


def test_a_worker_looks_at_the_lock_now_and_then(
    run: Run, held: RunLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not before each unit: a look is a request to a store."""
    monkeypatch.setattr(lock, "FENCE_SECONDS", 60.0)
    job = Job(run, held.fence)
    job.give()
    (Path(run.path) / LOCK).unlink()
    job.give()
    assert job.done == [UNIT.name] * 2


def test_deaths_in_jobs_of_other_launchers_are_not_held_against_a_unit(run: Run) -> None:
    """An operator who kills his job four times at one unit does not lose its file."""
    for _ in range(MAX_ATTEMPTS + 1):
        with RunLock(run) as held:
            dying = Job(run, held.fence)
            dying.workspace.blame(UNIT.name, dying.do.worker.death)  # killed before its end
    with RunLock(run) as held:
        job = Job(run, held.fence)
        job.give()
    assert (job.done, job.aside) == ([UNIT.name], [])


def test_a_unit_that_kills_its_workers_in_one_job_is_set_aside(run: Run, held: RunLock) -> None:
    """After so many attempts, with each death told."""
    job = Job(run, held.fence)
    for _ in range(MAX_ATTEMPTS):
        job.workspace.blame(UNIT.name, job.do.worker.death)
    job.give()
    assert job.done == []
    assert len(job.aside) == 1
    assert job.aside[0].count("did not end") == MAX_ATTEMPTS + 1
