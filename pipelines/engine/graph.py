"""Build the steps of a run as a Beam pipeline, for clusters of Spark, Dataflow and other runners.

The same functions run here as on one machine (``pool``). Beam distributes the units, retries them,
and brings together the claims that are decided together. Its collections hold names, packed claims
and packed verdicts, all of declared types, since Beam would pickle an undeclared one as ``Any``.

A decision takes these steps. Units write their claims to the run directory; a unit that did so in
an earlier attempt is not read again. The bytes of all claims decide how many buckets there are.
Batches of units cut their claims into buckets. Each bucket is decided, and its verdicts return to
the units.
"""

import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
import numpy as np

from pipelines.engine.claim_files import (
    MAX_BUCKETS,
    ClaimsFile,
    claim_bytes,
    pack_blocks,
    unpack_blocks,
)
from pipelines.engine.errors import RunError, one_line
from pipelines.engine.schedule import Schedule, buckets_of
from pipelines.engine.steps import GroupStep, UnitStep, one_scope
from pipelines.engine.units import Unit
from pipelines.engine.worker import Worker
from pipelines.storage import files as storage

UNIT_TOPIC = "unit"  # of the message that carries the unit itself
UNITS_PER_BLOCK = 1000  # that lie in the graph compressed together, thirty bytes for each
# Of the units of a scope, at most: enough for many workers, and few enough that the claims of a
# batch fill its messages. A bucket of the largest scope has 64 to 128 MB of claims, so a message
# with what a batch of it has there is of 250 kB or more.
BATCHES = 256
KEYS_PER_MESSAGE = 2000  # a batch sends what it holds once its messages are as long, on average
HELD_BYTES = 256_000_000  # or once it holds so many bytes of claims
MAX_ATTEMPTS = 3  # of a unit whose worker does not live to its end

Addressed = tuple[str, bytes]  # (unit name, message)
Grouped = tuple[int, bytes]  # (group, packed blocks)

# A process runs one unit at a time, however many threads a runner starts: a unit takes up to a
# gigabyte, and the Python code of two units would wait for one interpreter lock anyway.
_ONE_AT_A_TIME = threading.Lock()


def message(topic: str, body: bytes) -> bytes:
    """Return a message to a unit: the topic, a NUL, and the body."""
    return topic.encode() + b"\0" + body


def read_messages(messages: Iterable[bytes]) -> dict[str, list[bytes]]:
    """Return the bodies of messages by topic."""
    bodies: dict[str, list[bytes]] = {}
    for text in messages:
        topic, _, body = text.partition(b"\0")
        bodies.setdefault(topic.decode(), []).append(body)
    return bodies


@beam.typehints.with_input_types(tuple[str, Iterable[bytes]])
@beam.typehints.with_output_types(tuple[int, int])
class RunUnit(beam.DoFn):
    """Run a step for one unit; yield its scope and the bytes of the claims that it wrote."""

    def __init__(self, step: UnitStep, worker: Worker, scope_of: Callable[[Unit], int]) -> None:
        # The step is sent without its list of units: each unit arrives as a message.
        self.step = UnitStep(
            step.title,
            step.folder,
            step.suffix,
            (),
            step.work,
            step.set_aside,
            step.wants,
            step.claims,
        )
        self.worker = worker
        self.scope_of = scope_of

    def setup(self) -> None:
        """Check that versions and models here are those of the launcher."""
        self.worker.begin()

    def process(self, element: tuple[str, Iterable[bytes]]) -> Iterator[tuple[int, int]]:
        """Run a unit, unless the files that mark it as done are there."""
        name, bodies = element[0], read_messages(element[1])
        if UNIT_TOPIC not in bodies:  # a verdict for a unit that this step need not run
            return
        unit = Unit.unpack(bodies[UNIT_TOPIC][0])
        step, workspace = self.step, self.worker.workspace
        mark = workspace.run.at(*step.folder.split("/"), name + step.suffix)
        claims = workspace.claims_path(step.claims, name) if step.claims else ""
        with _ONE_AT_A_TIME:
            self.worker.check_wanted()
            if not storage.exists(mark) or (claims and not storage.exists(claims)):
                try:
                    self._run(unit, bodies)
                except (OSError, MemoryError) as error:
                    raise RunError(one_line(error, workspace.run.path)) from error
        beam.metrics.Metrics.counter("units", step.title).inc()
        yield self.scope_of(unit), claim_bytes(claims) if claims else 0

    def _run(self, unit: Unit, bodies: dict[str, list[bytes]]) -> None:
        step, workspace = self.step, self.worker.workspace
        death = self.worker.death
        if workspace.blame(unit.name, death).count(death) > MAX_ATTEMPTS:
            step.set_aside(workspace, unit, workspace.why_set_aside(unit.name))
            return
        verdicts = {topic.name: topic.read(bodies.get(topic.name, [])) for topic in step.wants}
        try:
            step.work(workspace, unit, verdicts)
        finally:  # an error is told and is not the unit's: only a death leaves its mark
            workspace.forgive(unit.name)


@beam.typehints.with_input_types(str, bytes_by_scope=Iterable[tuple[int, int]])
@beam.typehints.with_output_types(Grouped)
class CutClaims(beam.DoFn):
    """Cut the claims of a batch of units into buckets; yield them packed by group."""

    def __init__(self, step: GroupStep, worker: Worker) -> None:
        self.topic = step.topic.name
        self.groups = step.groups
        self.worker = worker

    def setup(self) -> None:
        """Check that versions and models here are those of the launcher."""
        self.worker.begin()

    def process(self, element: str, bytes_by_scope: Iterable[tuple[int, int]]) -> Iterator[Grouped]:
        """Yield messages, each with the blocks of several units.

        Args:
            element: lines: the number of a scope, and the names of some of its units.
            bytes_by_scope: (scope, bytes of its claims) for each scope.
        """
        self.worker.check_wanted()
        scope, *names = element.split("\n")
        buckets = buckets_of(self.groups, [size for _, size in bytes_by_scope])
        held = _Held(buckets)
        for name in names:
            path = self.worker.workspace.claims_path(self.topic, name)
            if claims := ClaimsFile.open_if_there(path):
                held.add(claims)
                if held.enough():
                    yield from held.packed(int(scope))
                    held = _Held(buckets)
        yield from held.packed(int(scope))


class _Held:
    """The claims of some units of a scope, held back until they fill their messages."""

    def __init__(self, buckets: int) -> None:
        self._buckets = buckets
        self._files: list[ClaimsFile] = []
        self._filled = np.zeros(buckets, bool)
        self._bytes = self._rows = 0

    def add(self, claims: ClaimsFile) -> None:
        self._files.append(claims)
        self._filled |= claims.filled(self._buckets)
        self._bytes += claims.bytes
        self._rows += claims.rows

    def enough(self) -> bool:
        """Tell whether the messages are long enough, on average, or memory wants it."""
        messages = int(np.count_nonzero(self._filled))
        return self._rows >= KEYS_PER_MESSAGE * messages or self._bytes >= HELD_BYTES

    def packed(self, scope: int) -> Iterator[Grouped]:
        """Yield one message for each bucket in which a unit claims."""
        for bucket in map(int, np.flatnonzero(self._filled)):
            blocks = (claims.block(bucket, self._buckets) for claims in self._files)
            yield scope * MAX_BUCKETS + bucket, pack_blocks(filter(None, blocks))


@beam.typehints.with_input_types(tuple[int, Iterable[bytes]])
@beam.typehints.with_output_types(Addressed)
class DecideGroup(beam.DoFn):
    """Decide one group of claims and send the verdicts to the units."""

    def __init__(self, step: GroupStep, worker: Worker) -> None:
        self.topic = step.topic.name
        self.decide = step.decide
        self.written = step.written
        self.guests = {name for name, _ in step.guests}
        self.worker = worker

    def setup(self) -> None:
        """Check that versions and models here are those of the launcher."""
        self.worker.begin()

    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[Addressed]:
        """Yield the messages to the units that the verdicts are about."""
        self.worker.check_wanted()
        group, packed = element
        workspace = self.worker.workspace
        if self.written and storage.exists(workspace.run.at(*self.written(group))):
            return
        blocks = unpack_blocks(packed)
        for unit, verdict in self.decide(workspace, group, blocks):
            if unit not in self.guests:
                yield unit, message(self.topic, verdict)


def build(root: beam.Pipeline, schedule: Schedule, worker: Worker) -> None:
    """Build the pipeline of those steps of a run that are not finished."""
    verdicts: dict[str, Any] = {}
    claimed: dict[str, list[Any]] = {}
    for step in schedule.steps:
        if isinstance(step, UnitStep):
            if ran := _unit_step(root, schedule, step, worker, verdicts):
                claimed.setdefault(step.claims, []).append(ran)
        elif decided := _group_step(root, schedule, step, worker, claimed):
            verdicts[step.topic.name] = decided


def _unit_step(
    root: beam.Pipeline,
    schedule: Schedule,
    step: UnitStep,
    worker: Worker,
    verdicts: dict[str, Any],
) -> Any:
    """Add a step that runs once per unit; return the bytes of the units' claims by scope."""
    units: Sequence[Unit] = schedule.waiting(step)
    scope_of: Callable[[Unit], int] = one_scope
    if step.claims:  # units that are done run too: they report how much they claimed
        scope_of = schedule.topics[step.claims].topic.scope_of
        scopes = schedule.open_scopes(step.claims)
        units = [unit for unit in step.units if scope_of(unit) in scopes]
    if not units:
        return None
    label = step.title
    arrivals = [
        root
        | f"{label}: units" >> beam.Create(list(_blocks_of(units))).with_output_types(bytes)
        | f"{label}: one by one" >> beam.FlatMap(_units_of).with_output_types(Addressed)
    ]
    arrivals += [verdicts[topic.name] for topic in step.wants if topic.name in verdicts]
    return (
        arrivals
        | f"{label}: all messages" >> beam.Flatten()
        | f"{label}: by unit" >> beam.GroupByKey()
        | label >> beam.ParDo(RunUnit(step, worker, scope_of))
    )


def _blocks_of(units: Sequence[Unit]) -> Iterator[bytes]:
    """Yield units as they lie in the graph, compressed by the thousand, the largest first.

    A runner takes a graph of some megabytes (Dataflow: 10 MB), and a dump has 90,000 units.
    """
    ordered = sorted(units, key=lambda unit: (-unit.size, unit.name))
    for at in range(0, len(ordered), UNITS_PER_BLOCK):
        packed = b"\n".join(unit.pack() for unit in ordered[at : at + UNITS_PER_BLOCK])
        yield zlib.compress(packed, 9)


def _units_of(block: bytes) -> Iterator[Addressed]:
    """Yield each unit of a block as a message to itself."""
    for packed in zlib.decompress(block).split(b"\n"):
        yield Unit.unpack(packed).name, message(UNIT_TOPIC, packed)


def _group_step(
    root: beam.Pipeline,
    schedule: Schedule,
    step: GroupStep,
    worker: Worker,
    claimed: dict[str, list[Any]],
) -> Any:
    """Add the step that decides a topic; return the verdicts by unit."""
    topic = step.topic.name
    scopes = schedule.open_scopes(topic)
    claimants = {s: names for s, names in schedule.claimants(topic).items() if s in scopes}
    if not claimants or topic not in claimed:
        return None
    label = step.title
    sizes = (
        claimed[topic]
        | f"{label}: all claims" >> beam.Flatten()
        | f"{label}: bytes by scope" >> beam.GroupByKey()
        | f"{label}: total" >> beam.MapTuple(_total).with_output_types(tuple[int, int])
    )
    groups = [(group, b"") for group in range(step.groups)]  # even an empty group is written
    batches = [
        "\n".join([str(scope), *names[at : at + batch]])
        for scope, names in sorted(claimants.items())
        for batch in [batch_size(len(names))]
        for at in range(0, len(names), batch)
    ]
    cut = (
        root
        | f"{label}: batches" >> beam.Create(batches).with_output_types(str)
        | f"{label}: spread" >> beam.Reshuffle().with_output_types(str)
        | f"{label}: cut"
        >> beam.ParDo(CutClaims(step, worker), bytes_by_scope=beam.pvalue.AsIter(sizes))
    )
    if groups:
        known = root | f"{label}: groups" >> beam.Create(groups).with_output_types(Grouped)
        cut = (cut, known) | f"{label}: all groups" >> beam.Flatten()
    return (
        cut
        | f"{label}: by group" >> beam.GroupByKey()
        | label >> beam.ParDo(DecideGroup(step, worker))
    )


def _total(scope: int, sizes: Iterable[int]) -> tuple[int, int]:
    return scope, sum(sizes)


def batch_size(units: int) -> int:
    """Return how many of the units of a scope cut their claims together."""
    return -(-units // BATCHES)
