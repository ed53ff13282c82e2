"""Gather documents that belong together, such as the answers and the question of a thread.

This is one of the few places where text is shuffled. A phase
:class:`~pipelines.engine.passes.Write` reads the units and gives the documents that its stages keep
to numbered groups, packed and compressed, in one blob per unit and group. The ledger of the unit
counts them as ``sent``. The phase :class:`Gather` then turns each group into a unit of its own: it
counts the documents as ``received``, writes documents and rejects, and commits them by a sidecar,
like any unit. So ledgers account for every document, and an interrupted run continues with the
missing groups.

The source limits the bytes of a group by the number of groups. Documents that belong together have
one key, so they arrive in one group.
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

GROUP = "group"  # kind of the units that represent groups


def group_unit(topic: str, group: int) -> Unit:
    """Return the unit that represents a group of a topic; it reads no input."""
    return Unit(f"{topic}-{group:05d}", GROUP, ())


def group_units(topic: str, groups: int) -> list[Unit]:
    """Return the units of all groups of a topic, which are among those of the run."""
    return [group_unit(topic, group) for group in range(groups)]


def group_count(size: int, group_bytes: int) -> int:
    """Return how many groups of ``group_bytes`` each an input of ``size`` bytes needs.

    >>> group_count(0, 10), group_count(25, 10)
    (1, 3)
    """
    return min(MAX_BUCKETS, max(1, -(-size // group_bytes)))


@dataclass(frozen=True)
class Gather:
    """A phase that turns the records that units gave to each group into documents.

    Args:
        topic: name of what is gathered, and of the units of the groups.
        groups: number of groups.
        key: returns the key that documents that belong together share.
        schema: schema of the records that are shuffled.
        record: returns the columns of ``schema`` of a given document.
        write: takes the records of a group, in the order of units and then of each unit's records,
            and writes documents and rejects. It accounts for every record: in a document of its
            own, as a reject, or as ``joined`` to another document.
        stages: the stages that judge the documents of a group; ``write`` receives them.
        names: names of the stages that ``write`` counts itself, before these.
        of: selects the units of the source that give documents.
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
        """The form in which the previous phase gives its documents."""
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
    """Return a row per group that receives records: its key and its compressed records."""
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
    """Return the records that all units gave to a group, in the order of units.

    They are in one piece, since Arrow copies all pieces of a table whenever rows are taken from it.
    """
    tables = [
        unpack(packed.as_buffer()).cast(schema)
        for block in sorted(blocks, key=lambda block: block.unit)
        for table in block.tables
        for packed in table["records"]
    ]
    return pa.concat_tables(tables).combine_chunks() if tables else schema.empty_table()


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
    """Write the documents made of a group's records, and commit the unit of the group."""
    ledger = Ledger([*phase.names, *(stage.name for stage in phase.stages)])
    ledger.received = records.num_rows
    with UnitOutput(workspace, unit, ledger, terms) as out, TimeGuard(DOCUMENT_SECONDS) as guard:
        phase.write(records, out, phase.stages, guard)
        ledger.take_notes(phase.stages)
        out.commit()
