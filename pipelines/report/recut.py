"""Write the run that a complete run becomes with other thresholds, without a model.

The new run is the one that the source would have written with these thresholds, byte for byte
(``joins/stored_scores.py``). A reject can come back only if every score that the later stages need
was computed. Where one was not, since the document was rejected before the model saw it, the
command refuses and says so.
"""

from collections.abc import Callable, Sequence

from pipelines.engine.config import tell_differences, versions
from pipelines.engine.errors import RunError
from pipelines.engine.finish import finish
from pipelines.engine.launch import Launch, execute
from pipelines.engine.ledger import Ledger
from pipelines.engine.lock import RunLock
from pipelines.engine.output import RejectPolicy, Terms
from pipelines.engine.passes import Context
from pipelines.engine.plan import Plan
from pipelines.engine.recorded import units_of_run
from pipelines.engine.runlog import RunLog
from pipelines.engine.runs import Run, failed_files, open_completed
from pipelines.engine.source import Phase
from pipelines.engine.twins import TwinCheck
from pipelines.engine.units import Unit
from pipelines.joins.stored_scores import Recut, RecutUnits, check_scores
from pipelines.storage import files as storage


def recut(path: str, out: str, plan_for: Callable[[Run], Recut], launch: Launch) -> Ledger:
    """Write the run that the source of a complete run would write with other thresholds.

    Args:
        path: the complete run.
        out: run directory to make, or to resume.
        plan_for: returns the plan of the run; it raises RunError for what cannot be decided.
        launch: how to run it on this machine.

    Returns:
        the conservation table of the new run.

    Raises:
        RunError: the message is one line that says what cannot be decided again, and why.
    """
    old, run = open_completed(path), Run(out)
    document = old.read_json("config.json")
    config = document["config"]
    if config["rejects"] != "all":
        raise RunError(
            f"{path} keeps rejects as --rejects={config['rejects']}, so that not every document "
            "can be decided again: recut needs a run with --rejects=all"
        )
    if told := tell_differences(document["versions"], versions()):
        raise RunError(
            f"{path} was made with other versions ({told}), so that its bytes would not be those "
            "of the source. Run the source again, or recut with the versions of the run"
        )
    plan = plan_for(old)
    units = units_of_run(old)
    planned = _planned(old, plan, units)
    with RunLock(run, note="recut") as lock:
        if run.start({**config, **plan.changed}):
            return Ledger.from_json(run.stats())
        try:
            check_scores(old, plan, units)
        except RunError:
            _leave_nothing(run)
            raise
        with RunLog(run) as log:
            twins = TwinCheck(None, planned.facts, lambda _settings, _facts: None)
            execute(planned, run, launch, twins, lock.fence, log=log.say)
            lock.check()
            return finish(
                run,
                units,
                planned.unreadable,
                planned.stages,
                allow_empty=launch.allow_empty,
                max_failed_files=len(failed_files(old.path)),  # which the old run accepted
            )


def _leave_nothing(run: Run) -> None:
    """Remove the configuration of a run that was not begun, unless it has units already."""
    if not run.committed() and not run.names("staged"):
        storage.remove([run.at("config.json")])


def _planned(old: Run, plan: Recut, units: Sequence[Unit]) -> Plan:
    """Return the steps of the new run."""
    terms = Terms(old.source, RejectPolicy())
    context = Context(terms, units)
    phases: list[Phase] = [RecutUnits(old, plan), *([plan.settle] if plan.settle else [])]
    stages = dict.fromkeys(name for phase in phases for name in phase.stage_names(context))
    parts = {part.path for unit in units for part in unit.parts}
    unreadable = {path: why for path, why in failed_files(old.path).items() if path not in parts}
    steps = [step for phase in phases for step in phase.steps(context)]
    return Plan(units, unreadable, steps, list(stages), {})
