"""Documents that become part of others: answers of the thread of their question.

One of the few places where text moves. A phase :class:`~pipelines.engine.passes.Write` reads the
units and gives what its stages keep to numbered groups, packed and compressed, one blob for each
group that a unit has something for. The ledger of the unit counts it as ``sent``. The phase
:class:`Gather` then makes of each group a unit of its own: it counts what arrives as ``received``,
writes documents and rejects, and commits them by a sidecar, as any unit does. So the run holds
nothing that no ledger shows, and one that is cut off goes on with the groups that are missing.

A group holds the bytes that its source bounds by the number of groups, and everything that belongs
together has one key, so it meets in one group.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa

from pipelines.engine.claim_files import MAX_BUCKETS, Block
from pipelines.engine.documents import Document
from pipelines.engine.guard import DOCUMENT_SECONDS, TimeGuard
from pipelines.engine.ledger import Ledger
from pipelines.engine.output import Given, Terms, UnitOutput
from pipelines.engine.packing import pack, unpack
from pipelines.engine.passes import Context, every_unit
from pipelines.engine.stages import Stage
from pipelines.engine.steps import GroupStep, Step, Topic
from pipelines.engine.units import Unit
from pipelines.engine.workspace import Workspace
from pipelines.joins.exchange import group_keys

GROUP = "group"  # kind of the units that groups are


def group_unit(topic: str, group: int) -> Unit:
    """Return the unit that a group of a topic is; it reads no input."""
    return Unit(f"{topic}-{group:05d}", GROUP, ())


def group_units(topic: str, groups: int) -> list[Unit]:
    """Return the units of all groups of a topic, which are among those of the run."""
    return [group_unit(topic, group) for group in range(groups)]


def group_count(size: int, group_bytes: int) -> int:
    """Return how many groups hold an input, each of so many bytes.

    >>> group_count(0, 10), group_count(25, 10)
    (1, 3)
    """
    return min(MAX_BUCKETS, max(1, -(-size // group_bytes)))


@dataclass(frozen=True)
class Gather:
    """A phase: what units have given to groups becomes the documents of each group.

    Args:
        topic: name of what is gathered, and of the units of the groups.
        groups: their number.
        key: what the documents that belong together have in common.
        schema: of the records that travel.
        record: the columns of ``schema`` of a document that is given.
        write: takes the records of a group, in the order of units and of what each has given, and
            writes documents and rejects. It accounts for every record: in a document of its own,
            as a reject, or as ``joined`` to another's.
        stages: judge the documents of a group; ``write`` is given them.
        names: of the stages that ``write`` counts by itself, before these.
        of: which units of the source give.
    """

    topic: str
    groups: int
    key: Callable[[Document], str]
    schema: pa.Schema
    record: Callable[[Document], dict[str, Any]]
    write: Callable[[pa.Table, UnitOutput, Sequence[Stage], TimeGuard], None]
    stages: Sequence[Stage] = ()
    names: Sequence[str] = ()
    of: Callable[[Unit], bool] = every_unit

    @property
    def given(self) -> Given:
        """How the phase before gives its documents."""
        return Given(self.topic, partial(_packed, self))

    def group_of(self, document: Document) -> int:
        """Return the number of the group of a document."""
        key = self.key(document).encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(key, digest_size=8).digest()
        return int.from_bytes(digest, "little") % self.groups

    def steps(self, context: Context) -> list[Step]:
        """Return the step that writes the groups."""
        return [
            GroupStep(
                f"write {self.topic}",
                Topic(self.topic),
                [unit for unit in context.units if unit.kind != GROUP and self.of(unit)],
                partial(write_group, self, context.terms),
                self.groups,
                partial(_sidecar, self.topic),
            )
        ]

    def stage_names(self, _context: Context) -> list[str]:
        """Return the names of the stages of the groups."""
        return [*self.names, *(stage.name for stage in self.stages)]


def _packed(phase: Gather, documents: Iterable[Document]) -> pa.Table:
    """Return a row for each group that gets something: its key, and its records, compressed."""
    by_group: dict[int, list[dict[str, Any]]] = {}
    for document in documents:
        by_group.setdefault(phase.group_of(document), []).append(phase.record(document))
    groups = sorted(by_group)
    tables = (pa.Table.from_pylist(by_group[group], phase.schema) for group in groups)
    records = [pack(table, compress=True) for table in tables]
    return pa.table({"key": group_keys(groups), "records": pa.array(records, pa.large_binary())})


def _sidecar(topic: str, group: int) -> tuple[str, ...]:
    return "units", f"{group_unit(topic, group).name}.json"


def records_of(blocks: Sequence[Block], schema: pa.Schema) -> pa.Table:
    """Return what all units have given to a group, in the order of units."""
    tables = [
        unpack(packed.as_buffer()).cast(schema)
        for block in sorted(blocks, key=lambda block: block.unit)
        for table in block.tables
        for packed in table["records"]
    ]
    return pa.concat_tables(tables) if tables else schema.empty_table()


def write_group(
    phase: Gather, terms: Terms, workspace: Workspace, group: int, blocks: Sequence[Block]
) -> Iterator[tuple[str, bytes]]:
    """Write the documents and rejects of a group and commit them; there are no verdicts."""
    unit = group_unit(phase.topic, group)
    write_gathered(phase, terms, workspace, unit, records_of(blocks, phase.schema))
    return iter(())


def write_gathered(
    phase: Gather, terms: Terms, workspace: Workspace, unit: Unit, records: pa.Table
) -> None:
    """Write what the records of a group become, and commit the unit that the group is."""
    ledger = Ledger([*phase.names, *(stage.name for stage in phase.stages)])
    ledger.received = records.num_rows
    with UnitOutput(workspace, unit, ledger, terms) as out, TimeGuard(DOCUMENT_SECONDS) as guard:
        phase.write(records, out, phase.stages, guard)
        ledger.take_notes(phase.stages)
        out.commit()
