"""Work out which units and groups of a run are still to be done, on one machine or on a cluster.

An interrupted run is resumed from what its directories hold: a unit whose marker file is there is
not run again. Where claims are decided together, the claims of a whole scope are needed as long as
one of its units waits for the verdicts; a scope whose units are all finished is skipped.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property

from pipelines.engine.claim_files import MAX_BUCKETS, bucket_count, claim_bytes
from pipelines.engine.steps import GroupStep, Step, Topic, UnitStep, consumers
from pipelines.engine.units import Unit
from pipelines.engine.workspace import Workspace
from pipelines.storage import files as storage


class Schedule:
    """The steps of a run, and what of them is done."""

    def __init__(self, steps: Sequence[Step], workspace: Workspace) -> None:
        self.steps = steps
        self.workspace = workspace
        self._members: dict[str, dict[int, list[str]]] = {}
        self._places: dict[str, dict[str, int]] = {}

    @cached_property
    def topics(self) -> dict[str, GroupStep]:
        """The step that decides each topic."""
        return {step.topic.name: step for step in self.steps if isinstance(step, GroupStep)}

    def finished(self) -> bool:
        """Return whether nothing is left to do."""
        for step in self.steps:
            if isinstance(step, GroupStep):
                if step.written and len(self.written(step)) < step.groups:
                    return False
            elif step.claims and step.folder != "units":  # what it leaves is for later steps
                continue
            elif not step.done(self.workspace).issuperset(unit.name for unit in step.units):
                return False
        return True

    def written(self, step: GroupStep) -> set[int]:
        """Return the numbers of the groups of a step whose files are written."""
        assert step.written
        return {
            group
            for group in range(step.groups)
            if storage.exists(self.workspace.run.at(*step.written(group)))
        }

    def open_scopes(self, topic: str) -> set[int]:
        """Return the scopes of a topic in which a unit still waits for its verdicts."""
        step = self.topics[topic]
        if step.written:  # the groups are written, and no unit waits for verdicts
            return {0}
        return {
            step.topic.scope_of(unit)
            for consumer in consumers(self.steps, topic)
            for unit in self.missing(consumer)
        }

    def missing(self, step: UnitStep) -> list[Unit]:
        """Return the units of a step whose marker files are missing."""
        done = step.done(self.workspace)
        if step.claims:
            done &= self.workspace.claimed(step.claims)
        return [unit for unit in step.units if unit.name not in done]

    def waiting(self, step: UnitStep) -> list[Unit]:
        """Return the units that a step has to run: those missing whose results are still needed."""
        missing = self.missing(step)
        if not step.claims or step.folder == "staged":
            return missing
        topic = self.topics[step.claims].topic
        scopes = self.open_scopes(topic.name)
        return [unit for unit in missing if topic.scope_of(unit) in scopes]

    def claimants(self, topic: str) -> dict[int, list[str]]:
        """Return the names of the units that claim, by scope; those of earlier runs come last."""
        step = self.topics[topic]
        found: dict[int, list[str]] = defaultdict(list)
        for scope, names in self.members(topic).items():
            found[scope] += names
        for name, scope in step.guests:
            found[scope].append(name)
        return found

    def members(self, topic: str) -> dict[int, list[str]]:
        """Return the names of the units of each scope of a topic, in a fixed order."""
        if topic not in self._members:
            step = self.topics[topic]
            members: dict[int, list[str]] = defaultdict(list)
            for unit in step.units:
                members[step.topic.scope_of(unit)].append(unit.name)
            self._members[topic] = members
        return self._members[topic]

    def place_of(self, topic: str, unit: Unit) -> int:
        """Return the number of a unit among the members of its scope."""
        if topic not in self._places:
            scopes = self.members(topic).values()
            self._places[topic] = {
                name: place for names in scopes for place, name in enumerate(names)
            }
        return self._places[topic][unit.name]

    def claim_bytes(self, topic: str) -> dict[int, int]:
        """Return the bytes of claims of each open scope, from the claim files that exist."""
        scopes = self.open_scopes(topic)
        return {
            scope: sum(claim_bytes(path) for path in self._paths(topic, names))
            for scope, names in self.claimants(topic).items()
            if scope in scopes
        }

    def _paths(self, topic: str, names: Iterable[str]) -> Iterable[str]:
        paths = (self.workspace.claims_path(topic, name) for name in names)
        return (path for path in paths if storage.exists(path))


def buckets_of(groups: int, bytes_by_scope: Iterable[int]) -> int:
    """Return how many buckets each scope of a decision has.

    Args:
        groups: the number of groups where the source fixes it: each group then has a bucket of
            its own, which the high bits of a key name. With 0 the largest scope decides.
        bytes_by_scope: bytes of the claims of each scope.
    """
    return MAX_BUCKETS if groups else bucket_count(max(bytes_by_scope, default=0))


def groups_of(step: GroupStep, buckets: int, scopes: Iterable[int]) -> list[int]:
    """Return the numbers of the groups to decide: scope times buckets plus bucket."""
    if step.groups:
        return list(range(step.groups))
    return [scope * buckets + bucket for scope in sorted(scopes) for bucket in range(buckets)]


def scope_groups(step: GroupStep, topic: Topic, unit: Unit, buckets: int) -> range:
    """Return the numbers of the groups whose verdicts concern a unit."""
    scope = topic.scope_of(unit)
    return range(scope * buckets, (scope + 1) * buckets) if not step.groups else range(step.groups)
