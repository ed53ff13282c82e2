"""Records that go where their kind is gathered: tokens to their shard, answers to their question.

One of the few places where text-sized data moves. Each unit gives its records to numbered groups,
packed; each group is then written by one worker. The records travel as claims do, with the number
of the group as their key, so a run that is cut off goes on where it was.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.engine.claim_files import MAX_BUCKETS, Block, write_claims
from pipelines.engine.passes import Context, every_unit
from pipelines.engine.steps import GroupStep, Step, Topic, UnitStep, Verdicts
from pipelines.engine.units import Unit
from pipelines.engine.workspace import CLAIMS, CLAIMS_SUFFIX, Workspace
from pipelines.joins.claims import refuse_to_set_aside

_SHIFT = np.uint64(64 - (MAX_BUCKETS.bit_length() - 1))


def group_keys(groups: npt.ArrayLike) -> npt.NDArray[np.uint64]:
    """Return the keys of claims that belong to numbered groups, each a bucket of its own.

    >>> [int(key) >> 48 for key in group_keys([0, 5])]
    [0, 5]
    """
    return np.asarray(groups, np.uint64) << _SHIFT


@dataclass(frozen=True)
class Exchange:
    """A phase: units give records to groups, and each group is written as a whole.

    Args:
        title: as progress shows the units.
        topic: name of what is gathered.
        emit: yields the records of a unit in chunks, with ``key`` by :func:`group_keys`.
        write: writes the file of a group from the blocks of all units.
        written: the path, in the run directory, of the file that marks a group as written.
        groups: their number.
        of: which units of the source.
    """

    title: str
    topic: str
    emit: Callable[[Unit, Verdicts], Iterable[pa.Table]]
    write: Callable[[Workspace, int, Sequence[Block]], None]
    written: Callable[[int], tuple[str, ...]]
    groups: int
    of: Callable[[Unit], bool] = every_unit

    def steps(self, context: Context) -> list[Step]:
        """Return the step in which units give their records, and the one that writes groups."""
        units = [unit for unit in context.units if self.of(unit)]
        topic = Topic(self.topic)
        return [
            UnitStep(
                self.title,
                f"{CLAIMS}/{self.topic}",
                CLAIMS_SUFFIX,
                units,
                partial(give, self.topic, self.emit),
                partial(refuse_to_set_aside, "its records were given to their groups"),
                claims=self.topic,
            ),
            GroupStep(
                f"write {self.topic}",
                topic,
                units,
                partial(_write, self.write),
                self.groups,
                self.written,
            ),
        ]

    def stage_names(self, _context: Context) -> list[str]:
        """Return no stages: an exchange drops nothing."""
        return []


def give(
    topic: str,
    emit: Callable[[Unit, Verdicts], Iterable[pa.Table]],
    workspace: Workspace,
    unit: Unit,
    verdicts: Verdicts,
) -> None:
    """Write the records that a unit gives to the groups."""
    path = workspace.claims_path(topic, unit.name)
    write_claims(path, unit.name, unit.name, emit(unit, verdicts))


def _write(
    write: Callable[[Workspace, int, Sequence[Block]], None],
    workspace: Workspace,
    group: int,
    blocks: Sequence[Block],
) -> Iterator[tuple[str, bytes]]:
    write(workspace, group, blocks)
    return iter(())
