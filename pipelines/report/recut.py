"""Write the run that a complete run becomes with other thresholds, without a model.

The new run is the one that the source would have written with these thresholds, byte for byte
(``joins/stored_scores.py``). A reject can come back only if every score that the later stages need
was computed. Where one was not, since the document was rejected before the model saw it, the
command refuses and says so.
"""

from collections.abc import Callable
from dataclasses import replace

from pipelines.engine.config import tell_differences, versions
from pipelines.engine.errors import RunError
from pipelines.engine.launch import Launch, carry_out
from pipelines.engine.ledger import Ledger
from pipelines.engine.output import RejectPolicy, Terms
from pipelines.engine.plan import Inputs
from pipelines.engine.recorded import units_of_run
from pipelines.engine.runs import Run, failed_files, open_completed
from pipelines.engine.source import Phase, plan_of
from pipelines.engine.twins import TwinCheck
from pipelines.joins.stored_scores import Recut, RecutUnits, check_scores


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
    check_scores(old, plan, units)
    failed = failed_files(old.path)
    parts = {part.path for unit in units for part in unit.parts}
    unreadable = {path: why for path, why in failed.items() if path not in parts}
    phases: list[Phase] = [RecutUnits(old, plan), *([plan.settle] if plan.settle else [])]
    planned = plan_of(Terms(old.source, RejectPolicy()), Inputs(units, unreadable), phases)
    return carry_out(
        planned,
        run,
        {**config, **plan.changed},
        replace(launch, max_failed_files=len(failed)),  # which the old run accepted
        TwinCheck(None, planned.facts, lambda _settings, _facts: None),
        note="recut",
    )
