"""The arithmetic of a plan: everything is in proportion to a measured run.

The low figure takes the rate as it was measured and the low size; the high figure takes the high
size and the rate's factor for what its sample does not show.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.planning.measured import TOKENS
from pipelines.planning.tables import (
    EFFICIENCY,
    MONTHS,
    NOTHING,
    SPOT_LOSSES,
    UNIT_HOURS,
    WORKER_GB,
    WRITE_SHARE,
    Prices,
    Rate,
    Rates,
    Shape,
    Size,
    Span,
)

HOUR_SECONDS = 3600.0
GB = 1e9


@dataclass(frozen=True)
class StepPlan:
    """What one step takes. Bytes and requests are those of the whole step."""

    step: str
    size: Size
    rate: Rate
    cpu_seconds: Span
    shuffled_bytes: Span
    scratch_bytes: Span
    written_bytes: Span
    units: Span
    requests: Span

    @property
    def core_hours(self) -> Span:
        """Hours of one core that works all the time."""
        return self.cpu_seconds.times(1 / HOUR_SECONDS)


@dataclass(frozen=True)
class ShapePlan:
    """What a cluster of one machine shape takes for all steps."""

    shape: Shape
    spot: bool
    machines: int
    wall_hours: Span
    dollars: Span


def plan_step(step: str, size: Size, rates: Rates) -> StepPlan:
    """Return what a step takes for inputs of a size.

    Raises:
        RunError: no rate was measured for it.
    """
    rate = rates.step(TOKENS if step.startswith(f"{TOKENS}.") else step)
    inputs, files = Span(*size.bytes), Span(*size.files)
    per_byte = rate.seconds_per_byte
    text = Span(*size.text_bytes) if size.text_bytes else NOTHING
    # What is written follows from the text that is kept, where that is known.
    written = (
        text.times(rate.written_bytes / rate.text_bytes)
        if rate.text_bytes
        else inputs.times(rate.written_bytes / rate.input_bytes)
    )
    units = Span(rate.units(files.low, inputs.low), rate.units(files.high, inputs.high))
    per_unit = rate.unit_requests or (0.0, 0.0)
    return StepPlan(
        step,
        size,
        rate,
        Span(
            rate.fixed_seconds + inputs.low * per_byte,
            rate.fixed_seconds + inputs.high * per_byte * rate.slower,
        ),
        inputs.times(rate.shuffled_bytes / rate.input_bytes),
        inputs.times(rate.scratch_bytes / rate.input_bytes),
        written,
        units,
        Span(units.low * per_unit[0], units.high * per_unit[1]),
    )


def plan_steps(sizes: Mapping[str, Size], rates: Rates) -> list[StepPlan]:
    """Return what each step takes."""
    return [plan_step(step, size, rates) for step, size in sizes.items()]


def sum_of(spans: Sequence[Span]) -> Span:
    """Return the sums of the low and of the high figures."""
    total = NOTHING
    for span in spans:
        total = total.plus(span)
    return total


def price_of(shape: Shape, *, spot: bool) -> Span:
    """Return the USD per hour of a machine."""
    return Span(*shape.spot) if spot else Span(shape.on_demand, shape.on_demand)


def compute_dollars(core_hours: Span, shape: Shape, prices: Prices, *, spot: bool) -> Span:
    """Return the money for core-hours of work on a machine shape."""
    paid, price = paid_core_hours(core_hours, prices, spot=spot), price_of(shape, spot=spot)
    return Span(paid.low * price.low / shape.cores, paid.high * price.high / shape.cores)


def paid_core_hours(core_hours: Span, prices: Prices, *, spot: bool) -> Span:
    """Return the core-hours that are paid: those that work, wait, and are lost."""
    working = prices.assumed(EFFICIENCY)
    paid = Span(core_hours.low / working.high, core_hours.high / working.low)
    if not spot:
        return paid
    # A lost machine loses what its units have done since they began.
    lost, since = prices.assumed(SPOT_LOSSES), prices.assumed(UNIT_HOURS)
    return Span(paid.low * (1 + lost.low * since.low), paid.high * (1 + lost.high * since.high))


def plan_shape(
    core_hours: Span, cores: int, shape: Shape, prices: Prices, *, spot: bool
) -> ShapePlan:
    """Return what a cluster of so many cores takes, if it is made of one machine shape."""
    workers = workers_of(shape, prices)
    machines = math.ceil(cores / workers)
    paid, price = paid_core_hours(core_hours, prices, spot=spot), price_of(shape, spot=spot)
    wall = paid.times(1 / (machines * workers))
    dollars = Span(wall.low * machines * price.low, wall.high * machines * price.high)
    return ShapePlan(shape, spot, machines, wall, dollars)


def workers_of(shape: Shape, prices: Prices) -> int:
    """Return how many workers a machine has: one per core, if its memory is enough for them."""
    return max(1, min(shape.cores, int(shape.memory_gb / prices.assumed(WORKER_GB).high)))


def store_dollars(step: StepPlan, prices: Prices) -> tuple[Span, Span, Span]:
    """Return the money for keeping, for requests, and for letting results out of the cloud once.

    The low figure keeps only what is written; the high one keeps a copy of the inputs as well, and
    what lies between the steps.
    """
    store, months, share = prices.store, prices.assumed(MONTHS), prices.assumed(WRITE_SHARE)
    kept = step.written_bytes
    more = step.size.bytes[1] + step.scratch_bytes.high
    gb_months = Span(kept.low * months.low, (kept.high + more) * months.high).times(1 / GB)
    requests = Span(
        *(
            count * (part * store.write_1000 + (1 - part) * store.read_1000) / 1000
            for count, part in zip(step.requests, share, strict=True)
        )
    )
    out = Span(0.0, kept.high / GB * store.egress_gb)
    return gb_months.times(store.gb_month), requests, out
