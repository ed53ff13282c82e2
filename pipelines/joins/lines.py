"""Duplicate paragraphs across the files of a scope: claims on line hashes (``spec/web.md`` 4).

The mechanism is that of DESIGN 4, packed for what is by far its largest use: thousands of millions
of claims a dump. A unit emits every key once, sorted, 8 bytes each, with the keys that it meets in
two documents of its own apart. A bucket is decided by sorting and searching arrays, without a loop
over keys. Each unit gets back the sorted keys whose lines it must drop.

A key that is everywhere (the empty line) is one claim a unit, and so cannot sink a worker.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.engine.passes import ByUnit
from pipelines.engine.runs import Run, RunError, one_line
from pipelines.engine.units import UNIT_TOPIC, Unit
from pipelines.joins.claims import Addressed, Bucketed, message, read_messages
from pipelines.readers.rows import UnreadableFile

TOPIC = "paragraphs"

Keys = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.uint32]
KeepPolicy = Literal["none", "first"]

_KEY = pa.field("key", pa.uint64(), nullable=False)
_ROW = pa.field("row", pa.uint32(), nullable=False)
_MANY = b"many"  # in the metadata of a message: how many of its keys, at its end, are duplicates
_UNIT = b"unit"
_RANK = b"rank"


def pack_keys(keys: Keys, rows: Rows | None, metadata: Mapping[bytes, bytes]) -> bytes:
    """Return keys (and the row of each) as Arrow IPC, as they are: hashes do not compress."""
    columns, fields = [pa.array(keys)], [_KEY]
    if rows is not None:
        columns.append(pa.array(rows))
        fields.append(_ROW)
    schema = pa.schema(fields, dict(metadata))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.record_batch(columns, schema=schema))
    return bytes(sink.getvalue())


def unpack_keys(packed: bytes) -> tuple[Keys, Rows | None, dict[bytes, bytes]]:
    """Read what :func:`pack_keys` returned; the arrays lie in ``packed``."""
    table = pa.ipc.open_stream(packed).read_all().combine_chunks()
    rows = table["row"].to_numpy() if "row" in table.column_names else None
    return table["key"].to_numpy(), rows, dict(table.schema.metadata)


class UnitKeys:
    """The keys of one unit: each once, and whether two of its documents hold it.

    Args:
        keep: with ``first``, the first document that holds a key is remembered as well.
    """

    def __init__(self, keep: KeepPolicy) -> None:
        self._keep = keep
        self._keys: list[Keys] = []
        self._rows: list[Rows] = []
        self._waiting = 0
        self.paragraphs = 0

    def add(self, row: int, keys: Keys) -> None:
        """Take the keys of a document's lines; repeats within it count once (4.4)."""
        self.paragraphs += len(keys)
        unique = np.unique(keys)
        self._keys.append(unique)
        self._waiting += len(unique)
        if self._keep == "first":
            self._rows.append(np.full(len(unique), row, np.uint32))

    def once_and_many(self) -> tuple[Keys, Rows | None, Keys, Rows | None]:
        """Return the keys that one document holds, and those that several do, each sorted.

        Returns:
            keys held once, the row of each; keys held by several, the first row of each. Rows are
            None unless the first is kept.
        """
        keys = np.concatenate(self._keys) if self._keys else np.zeros(0, np.uint64)
        if self._keep == "first":
            rows = np.concatenate(self._rows) if self._rows else np.zeros(0, np.uint32)
            order = np.argsort(keys, kind="stable")  # documents came in order: the first leads
            keys, rows = keys[order], rows[order]
            starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]][: len(keys)])
            counts = np.diff(np.r_[starts, len(keys)])
            keys, rows = keys[starts], rows[starts]
            return keys[counts == 1], rows[counts == 1], keys[counts > 1], rows[counts > 1]
        keys, counts = np.unique(keys, return_counts=True)
        return keys[counts == 1], None, keys[counts > 1], None


def bucketed(
    unit: str, rank: str, keys: UnitKeys, buckets: int, scope: int = 0
) -> Iterator[Bucketed]:
    """Cut the keys of a unit into messages by bucket, the high bits of the key.

    Args:
        unit: where the verdicts go.
        rank: order of the unit among those of its scope, when the first is kept.
        keys: of the unit.
        buckets: a power of two.
        scope: number of the scope; scopes do not meet.
    """
    once, once_rows, many, many_rows = keys.once_and_many()
    shift = np.uint64(64 - (buckets.bit_length() - 1))
    borders = np.arange(1, buckets, dtype=np.uint64) << shift if buckets > 1 else np.zeros(0, "u8")
    once_edges = [0, *np.searchsorted(once, borders), len(once)]
    many_edges = [0, *np.searchsorted(many, borders), len(many)]
    for bucket, (one, several) in enumerate(
        zip(pairwise(once_edges), pairwise(many_edges), strict=True)
    ):
        held = np.concatenate([once[slice(*one)], many[slice(*several)]])
        if len(held):
            rows = None
            if once_rows is not None and many_rows is not None:
                rows = np.concatenate([once_rows[slice(*one)], many_rows[slice(*several)]])
            facts = {
                _UNIT: unit.encode(),
                _RANK: rank.encode(),
                _MANY: str(several[1] - several[0]).encode(),
            }
            yield scope * buckets + bucket, pack_keys(held, rows, facts)


def duplicated_keys(messages: Sequence[tuple[Keys, int]]) -> Keys:
    """Return the sorted keys that two documents hold.

    Args:
        messages: keys of each unit, and how many of them, at the end, are duplicates within it.
    """
    everything = np.sort(np.concatenate([keys for keys, _ in messages]))
    between = everything[1:][everything[1:] == everything[:-1]]
    within = [keys[len(keys) - many :] for keys, many in messages]
    return np.unique(np.concatenate([between, *within]))


def among(keys: Keys, sorted_keys: Keys) -> npt.NDArray[np.bool_]:
    """Tell which keys are in the sorted ones."""
    if not len(sorted_keys):
        return np.zeros(len(keys), bool)
    at = np.searchsorted(sorted_keys, keys)
    at[at == len(sorted_keys)] = 0
    found: npt.NDArray[np.bool_] = sorted_keys[at] == keys
    return found


def decide(packed: Iterable[bytes], keep: KeepPolicy) -> Iterator[tuple[str, Keys, Rows | None]]:
    """Decide one bucket.

    Yields:
        for each unit: its name, the sorted keys that its documents must drop, and for ``first`` the
        row of the only document that may keep each, or ``NOWHERE``.
    """
    read = sorted(map(unpack_keys, packed), key=lambda m: (m[2][_RANK], m[2][_UNIT]))
    duplicated = duplicated_keys([(keys, int(facts[_MANY])) for keys, _, facts in read])
    taken = np.zeros(len(duplicated), bool)
    for keys, rows, facts in read:  # in the order of ranks: who comes first keeps
        mine = among(keys, duplicated)
        dropped = keys[mine]
        order = np.argsort(dropped)
        dropped = dropped[order]
        winners = None
        if keep == "first" and rows is not None:
            at = np.searchsorted(duplicated, dropped)
            winners = np.where(taken[at], NOWHERE, rows[mine][order])
            taken[at] = True
        yield facts[_UNIT].decode(), dropped, winners


NOWHERE = np.uint32(0xFFFF_FFFF)  # no document of this unit keeps the line


class Duplicates:
    """The keys whose lines one unit must drop, for look-up while it is read."""

    def __init__(self, packed: Sequence[bytes]) -> None:
        read = [unpack_keys(message) for message in packed]
        # Buckets are ranges of keys: in the order of their first key the whole is sorted.
        read = sorted((item for item in read if len(item[0])), key=lambda item: int(item[0][0]))
        self.keys = np.concatenate([keys for keys, _, _ in read]) if read else np.zeros(0, "u8")
        rows = [rows for _, rows, _ in read if rows is not None]
        self._winners = np.concatenate(rows) if rows else None

    def __len__(self) -> int:
        return len(self.keys)

    def among(self, keys: Keys, row: int) -> npt.NDArray[np.bool_]:
        """Tell which lines of the document at ``row`` are duplicates that it must drop."""
        found = among(keys, self.keys)
        if self._winners is not None and found.any():
            at = np.searchsorted(self.keys, keys[found])
            found[found] = self._winners[at] != row
        return found


@beam.typehints.with_input_types(tuple[str, Iterable[bytes]])
@beam.typehints.with_output_types(Bucketed)
class EmitKeys(beam.DoFn):
    """First reading of a unit: the keys of its paragraphs out, and a marker for progress.

    Args:
        run: for the marker.
        read: the keys of one unit.
        scope_of: number of the scope of a unit, and its order there.
        buckets: of each scope.
    """

    def __init__(
        self,
        run: Run,
        read: Callable[[Unit], UnitKeys],
        scope_of: Callable[[Unit], tuple[int, str]],
        buckets: int,
    ) -> None:
        self.run = run
        self.read = read
        self.scope_of = scope_of
        self.buckets = buckets

    def process(self, element: tuple[str, Iterable[bytes]]) -> Iterator[Bucketed]:
        """Yield the unit's keys by scope and bucket; an unreadable input claims nothing."""
        unit = Unit.unpack(read_messages(element[1])[UNIT_TOPIC][0])
        keys = UnitKeys("none")
        try:
            keys = self.read(unit)
        except UnreadableFile:
            pass  # the second reading commits the unit with the reason
        except OSError as error:
            raise RunError(one_line(error, self.run.path)) from error
        scope, rank = self.scope_of(unit)
        yield from bucketed(unit.name, rank, keys, self.buckets, scope)
        facts = {"bytes": unit.size, "claims": keys.paragraphs}
        self.run.mark(TOPIC, unit.name, facts)


@beam.typehints.with_input_types(tuple[int, Iterable[bytes]])
@beam.typehints.with_output_types(Addressed)
class DecideKeys(beam.DoFn):
    """Decide the keys of one bucket and address them to the units."""

    def __init__(self, keep: KeepPolicy) -> None:
        self.keep = keep

    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[Addressed]:
        """Yield one message a unit that must drop something."""
        for unit, keys, winners in decide(element[1], self.keep):
            if len(keys):
                yield unit, message(TOPIC, pack_keys(keys, winners, {}))


class DuplicateParagraphs(beam.PTransform):
    """Units in; the keys that each must drop out, addressed to it.

    Args:
        emit: how the keys of a unit are read.
        keep: which copy of a paragraph stays.
    """

    def __init__(self, emit: EmitKeys, keep: KeepPolicy) -> None:
        super().__init__()
        self.emit = emit
        self.keep = keep

    def expand(self, units: Any) -> beam.PCollection[Addressed]:
        """Read, group by scope and bucket, decide."""
        return (
            (units,)
            | "by unit" >> ByUnit()
            | "keys" >> beam.ParDo(self.emit)
            | "group by bucket" >> beam.GroupByKey()
            | "decide" >> beam.ParDo(DecideKeys(self.keep))
        )
