"""Exchange records between units and groups, such as tokens and their shards.

This is one of the few places where data as large as text moves between workers. Each unit gives
packed records to numbered groups, and one worker then writes each group. The records travel as
claims whose key is the number of the group, so an interrupted run resumes as it does with claims.
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
    """Return the keys of claims on numbered groups, each of which is a bucket of its own.

    >>> [int(key) >> 48 for key in group_keys([0, 5])]
    [0, 5]
    """
    return np.asarray(groups, np.uint64) << _SHIFT


@dataclass(frozen=True)
class Exchange:
    """A phase in which units give records to groups, and each group is written as a whole.

    Args:
        title: shown by progress for the step of the units.
        topic: name of what is exchanged.
        emit: yields the records of a unit in chunks, with ``key`` by :func:`group_keys`.
        write: writes the files of a group from the blocks of all units.
        written: returns the path, in the run directory, of the file that marks a group as written.
        groups: number of groups.
        of: which units of the source take part.
    """

    title: str
    topic: str
    emit: Callable[[Unit, Verdicts], Iterable[pa.Table]]
    write: Callable[[Workspace, int, Sequence[Block]], None]
    written: Callable[[int], tuple[str, ...]]
    groups: int
    of: Callable[[Unit], bool] = every_unit

    def steps(self, context: Context) -> list[Step]:
        """Return the step in which units give their records, and the step that writes groups."""
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
        """Return no stages, since an exchange drops nothing."""
        return []


def give(
    topic: str,
    emit: Callable[[Unit, Verdicts], Iterable[pa.Table]],
    workspace: Workspace,
    unit: Unit,
    verdicts: Verdicts,
) -> None:
    """Write the records that a unit gives to the groups, as claims."""
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
