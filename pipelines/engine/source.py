"""A source of the corpus: its settings, what it reads, and its phases.

The engine derives everything else from these: the steps and their progress, the names of the
stages, what is left to do after an interruption, and how the steps run on one machine and on a
cluster.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pipelines.engine.ledger import Ledger
from pipelines.engine.output import RejectPolicy, Terms
from pipelines.engine.passes import Context
from pipelines.engine.plan import Inputs, Plan
from pipelines.engine.steps import Step
from pipelines.engine.units import Unit


class Phase(Protocol):
    """One thing that a source does with its units, such as ``Claims``, ``Write`` or ``Settle``."""

    def steps(self, context: Context) -> list[Step]:
        """Return the steps that the phase consists of."""

    def stage_names(self, context: Context) -> list[str]:
        """Return the names of the stages that the phase adds to the ledger, in order."""


def nothing_to_prepare(_settings: Any) -> None:
    """Prepare nothing."""


def nothing_to_check(_settings: Any, _facts: Mapping[str, Any]) -> None:
    """Check nothing."""


def no_remarks(_ledger: Ledger) -> list[str]:
    """Find nothing unusual."""
    return []


@dataclass(frozen=True)
class Source:
    """A source of the corpus.

    ``find`` looks for the inputs and cuts them into units; ``phases`` lists what is done with
    them, in order. ``prepare`` is called before the plan and makes what the run needs, such as
    missing cutoffs. ``check_worker`` raises MachineError on a worker whose models differ from the
    run's facts. ``review`` returns remarks on what is unusual in a finished run.
    """

    name: str
    settings: type[Any]
    find: Callable[[Any], Inputs]
    phases: Callable[[Any, Sequence[Unit]], Sequence[Phase]]
    prepare: Callable[[Any], None] = nothing_to_prepare
    check_worker: Callable[[Any, Mapping[str, Any]], None] = nothing_to_check
    review: Callable[[Ledger], list[str]] = no_remarks


def plan(source: Source, settings: Any) -> Plan:
    """Find the inputs of a source and return the plan of what is done with them.

    Raises:
        StorageError: an input does not exist.
        RunError: a setting is wrong, or the inputs do not belong together.
    """
    terms = Terms(source.name, RejectPolicy.parse(settings.rejects))
    inputs = source.find(settings)
    return plan_of(terms, inputs, source.phases(settings, inputs.units))


def plan_of(terms: Terms, inputs: Inputs, phases: Sequence[Phase]) -> Plan:
    """Return the plan that applies phases to inputs."""
    context = Context(terms, inputs.units)
    stages: dict[str, None] = {}
    steps: list[Step] = []
    for phase in phases:
        stages.update((stage, None) for stage in phase.stage_names(context))
        steps += phase.steps(context)
    return Plan(inputs.units, inputs.unreadable, steps, list(stages), inputs.facts)
