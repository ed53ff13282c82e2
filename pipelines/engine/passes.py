"""The pass that runs everything for one work unit in one process (DESIGN 3).

The heart of the system is :func:`curate`: a loop that reads a unit's records, runs each through
the stages, and writes it to the unit's documents or rejects. Beam distributes units, retries them,
and moves what must meet; it never sees a document.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import pyarrow as pa

from pipelines.engine.documents import Document
from pipelines.engine.guard import DOCUMENT_SECONDS, TimeGuard
from pipelines.engine.output import Output, UnitOutput
from pipelines.engine.runs import Run, RunError, one_line
from pipelines.engine.stages import Keep, Ledger, Stage, check_text
from pipelines.engine.units import UNIT_TOPIC, Unit
from pipelines.joins.claims import Addressed, Bucketed, Verdicts, by_bucket, message, read_messages
from pipelines.readers.rows import BadRow, UnreadableFile
from pipelines.storage import files as storage


def curate(
    documents: Iterable[Document | BadRow],
    stages: Sequence[Stage],
    out: UnitOutput,
    guard: TimeGuard,
    *,
    source: str,
    arrive: bool = False,
    send: bool = False,
) -> None:
    """Run each document through the stages; write what is kept and what is not.

    Args:
        documents: what the unit's reader yields.
        stages: of the source, in order.
        out: the unit's files and its ledger.
        guard: the time budget of a document.
        source: name of the source.
        arrive: the records were counted where they began and arrive here.
        send: what is kept goes to the unit where its content lies, and is not written here.
    """
    ledger = out.ledger
    for document in documents:
        if isinstance(document, BadRow):
            out.bad(source, document)
            continue
        if arrive:
            ledger.received += 1
        else:
            ledger.records_read += 1
        if rejected := ledger.judge(document, stages, guard):
            out.reject(document, rejected)
        elif send:
            ledger.sent += 1
        else:
            out.keep(document)


@dataclass(frozen=True)
class Recipe:
    """What a source does with the units of one kind: how they are read, and the stages in order."""

    source: str
    read: Callable[[Unit, dict[str, Any], Ledger], Iterator[Document | BadRow]]
    stages: Callable[[Unit, dict[str, Any]], Sequence[Stage]]  # may apply the verdicts
    arrive: bool = False  # see curate
    send: bool = False
    verdicts: Callable[[Sequence[bytes]], Any] = Verdicts  # unpacks what is addressed to a unit

    def all_stages(self, unit: Unit, verdicts: dict[str, Any]) -> list[Stage]:
        """Return the stages, the last of which is the output contract (``spec/sources.md`` 0.1)."""
        stages = list(self.stages(unit, verdicts))
        return stages if self.send else [*stages, Keep(f"{self.source}.text", check_text)]


def run_unit(
    recipe: Recipe,
    unit: Unit,
    verdicts: dict[str, Any],
    output: Output,
    *,
    seconds: float = DOCUMENT_SECONDS,
) -> Ledger:
    """Do everything for one unit, and commit it.

    An input that cannot be read at all commits the unit with the reason and without documents; the
    run decides at its end how many such files it bears.
    """
    stages = recipe.all_stages(unit, verdicts)
    ledger = Ledger([stage.name for stage in stages])
    sidecar = (*output.sidecars, f"{unit.name}.json")
    try:
        with output.of(unit, ledger) as out, TimeGuard(seconds) as guard:
            curate(
                recipe.read(unit, verdicts, ledger),
                stages,
                out,
                guard,
                source=recipe.source,
                arrive=recipe.arrive,
                send=recipe.send,
            )
            ledger.take_notes(stages)
            out.commit(*sidecar)
    except UnreadableFile as error:
        ledger = Ledger([stage.name for stage in stages])
        with output.of(unit, ledger) as out:
            out.commit(*sidecar, failed=str(error))
    return ledger


@beam.typehints.with_input_types(tuple[str, Iterable[bytes]])
@beam.typehints.with_output_types(tuple[str, int])
class RunUnit(beam.DoFn):
    """Run one unit with its verdicts; yield its name and its number of documents."""

    def __init__(self, recipe: Recipe, output: Output) -> None:
        self.recipe = recipe
        self.output = output

    def process(self, element: tuple[str, Iterable[bytes]]) -> Iterator[tuple[str, int]]:
        """Skip a unit that is committed; else run it."""
        name, bodies = element[0], read_messages(element[1])
        if UNIT_TOPIC not in bodies:  # a verdict for a unit that this pass need not run
            return
        unit = Unit.unpack(bodies.pop(UNIT_TOPIC)[0])
        run = self.output.run
        sidecar = run.at(*self.output.sidecars, f"{name}.json")
        if storage.exists(sidecar):
            yield name, json.loads(storage.read_bytes(sidecar))["ledger"]["documents"]
            return
        verdicts = {topic: self.recipe.verdicts(packed) for topic, packed in bodies.items()}
        try:
            ledger = run_unit(self.recipe, unit, verdicts, self.output)
        except OSError as error:
            raise RunError(one_line(error, run.path)) from error
        count(self.recipe.source, ledger)
        yield name, ledger.documents


def count(source: str, ledger: Ledger) -> None:
    """Add a unit's ledger to Beam's counters, which only inform (retries count twice)."""
    counter = beam.metrics.Metrics.counter
    counter(source, "records_read").inc(ledger.records_read)
    counter(source, "documents").inc(ledger.documents)
    for reason, n in ledger.bad_records.items():
        counter(source, f"read/{reason}").inc(n)
    for name, tally in ledger.stages.items():
        for reason, n in tally.rejected.items():
            counter(source, f"{name.removeprefix(source + '.')}/{reason}").inc(n)


class ByUnit(beam.PTransform):
    """Bring each unit together with all that is addressed to it."""

    def expand(self, addressed: Any) -> Any:
        """Take a tuple of collections; return (unit name, messages)."""
        return tuple(addressed) | beam.Flatten() | beam.GroupByKey()


class RunUnits(beam.PTransform):
    """Units and the verdicts addressed to them in; documents in the run directory out."""

    def __init__(self, recipe: Recipe, output: Output) -> None:
        super().__init__()
        self.recipe = recipe
        self.output = output

    def expand(self, addressed: Any) -> beam.PCollection[Any]:
        """Bring each unit and its verdicts together, and run it."""
        return (
            addressed
            | "by unit" >> ByUnit()
            | "run unit" >> beam.ParDo(RunUnit(self.recipe, self.output))
        )


class Committed(beam.PTransform):
    """Units that an earlier attempt has committed in this pass, by name."""

    def __init__(self, units: Sequence[Unit]) -> None:
        super().__init__()
        self.names = [(unit.name, 0) for unit in units]

    def expand(self, root: beam.Pipeline) -> beam.PCollection[tuple[str, int]]:
        """Create them, spread over the workers."""
        names = root | beam.Create(self.names).with_output_types(tuple[str, int])
        return names | beam.Reshuffle().with_output_types(tuple[str, int])


class Units(beam.PTransform):
    """The units of a run as messages to themselves."""

    def __init__(self, units: Sequence[Unit]) -> None:
        super().__init__()
        self.units = [(unit.name, message(UNIT_TOPIC, unit.pack())) for unit in units]

    def expand(self, root: beam.Pipeline) -> beam.PCollection[Addressed]:
        """Create them."""
        return root | beam.Create(self.units).with_output_types(Addressed)


@beam.typehints.with_input_types(tuple[str, Iterable[bytes]])
@beam.typehints.with_output_types(Bucketed)
class EmitClaims(beam.DoFn):
    """First reading of a unit: claims out, packed by bucket, and a marker for progress."""

    def __init__(
        self,
        run: Run,
        pass_name: str,
        claims: Callable[[Unit, dict[str, Verdicts]], Iterable[pa.Table]],
        buckets: int,
    ) -> None:
        self.run = run
        self.pass_name = pass_name
        self.claims = claims
        self.buckets = buckets

    def process(self, element: tuple[str, Iterable[bytes]]) -> Iterator[Bucketed]:
        """Yield the unit's claims; an unreadable input claims nothing."""
        bodies = read_messages(element[1])
        if UNIT_TOPIC not in bodies:
            return
        unit = Unit.unpack(bodies.pop(UNIT_TOPIC)[0])
        verdicts = {topic: Verdicts(packed) for topic, packed in bodies.items()}
        claims = 0
        try:
            for table in self.claims(unit, verdicts):
                claims += table.num_rows
                yield from by_bucket(table, self.buckets)
        except UnreadableFile:
            pass  # the second reading commits the unit with the reason
        except OSError as error:
            raise RunError(one_line(error, self.run.path)) from error
        self.run.mark(self.pass_name, unit.name, {"bytes": unit.size, "claims": claims})


class Claims(beam.PTransform):
    """Units and the verdicts addressed to them in; their claims out."""

    def __init__(
        self,
        run: Run,
        pass_name: str,
        claims: Callable[[Unit, dict[str, Verdicts]], Iterable[pa.Table]],
        buckets: int,
    ) -> None:
        super().__init__()
        self.emit = EmitClaims(run, pass_name, claims, buckets)

    def expand(self, addressed: Any) -> beam.PCollection[Bucketed]:
        """Bring each unit and its verdicts together, and read its claims."""
        return addressed | "by unit" >> ByUnit() | "emit" >> beam.ParDo(self.emit)
