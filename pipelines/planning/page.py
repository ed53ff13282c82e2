"""A plan as a page: Markdown, so that the terminal and the documentation show the same."""

import math
from collections.abc import Iterable, Mapping, Sequence

from pipelines.planning.estimate import (
    GB,
    StepPlan,
    compute_dollars,
    plan_shape,
    store_dollars,
    sum_of,
)
from pipelines.planning.tables import MONTHS, Prices, Rate, Rates, Shape, Size, Span

HOUR_SECONDS = 3600.0


def shown(value: float) -> str:
    """Return a number with two significant digits.

    >>> shown(1234567), shown(45.2), shown(0.0123), shown(0)
    ('1,200,000', '45', '0.012', '0')
    """
    if value <= 0:
        return "0"
    rounded = round(value, 1 - math.floor(math.log10(value)))
    return f"{rounded:,.{max(0, 1 - math.floor(math.log10(rounded)))}f}"  # 9.96 has become 10


def span(value: Span, factor: float = 1.0) -> str:
    """Return a low and a high figure, or one if both are shown alike.

    >>> span(Span(1.0, 2500.0)), span(Span(3.0, 3.0))
    ('1.0 to 2,500', '3.0')
    """
    low, high = shown(value.low * factor), shown(value.high * factor)
    return low if low == high else f"{low} to {high}"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def page(
    name: str, steps: Sequence[StepPlan], rates: Rates, prices: Prices, *, cores: int, command: str
) -> str:
    """Return a plan as Markdown.

    Args:
        name: of the recipe.
        steps: what each step takes.
        rates: what they were reckoned from.
        prices: prices and assumptions.
        cores: of the clusters whose wall hours are shown.
        command: the command that prints this page.
    """
    return "\n".join(
        [
            f"# The plan of {name}",
            "",
            f"`{command}` prints this page. Nothing here was run at this size: each figure is in",
            "proportion to a run that was measured. The low figure takes the measured rate and the",
            "low size of the inputs, the high one the high size and what the measured sample does",
            "not show. Money is in USD, without taxes and discounts.",
            "",
            "## What each step takes",
            "",
            *_steps(steps, prices),
            "",
            "Shuffled are claims and verdicts, and of the shards the tokens, if a cluster runs",
            "the step; one machine exchanges them by files. Scratch lies in the run directory",
            "until the run is complete. The money for work is that of the cheapest shape below,",
            "from spot at its low price to on demand.",
            "",
            f"## What each machine shape takes, with {cores:,} cores",
            "",
            *_shapes(steps, prices, cores),
            "",
            "## What the store costs",
            "",
            *_store(steps, prices),
            "",
            "## What is assumed: sizes of the inputs",
            "",
            *_sizes({step.step: step.size for step in steps}),
            "",
            "## What is assumed: prices and the rest",
            "",
            *_assumed(prices),
            "",
            "## What was measured",
            "",
            *_rates(steps, rates),
            "",
        ]
    )


def _steps(steps: Sequence[StepPlan], prices: Prices) -> list[str]:
    shape = min(prices.shapes, key=lambda shape: shape.on_demand / shape.cores)
    rows = [
        [
            step.step,
            span(Span(*step.size.bytes), 1 / GB),
            span(step.core_hours),
            span(step.shuffled_bytes, 1 / GB),
            span(step.scratch_bytes, 1 / GB),
            span(step.written_bytes, 1 / GB),
            span(step.requests),
            span(_work(step.core_hours, shape, prices)),
        ]
        for step in steps
    ]
    totals = [
        sum_of([step.core_hours for step in steps]),
        sum_of([step.shuffled_bytes for step in steps]),
        sum_of([step.written_bytes for step in steps]),
        sum_of([step.requests for step in steps]),
    ]
    rows.append(
        [
            "**all**",
            "",
            span(totals[0]),
            span(totals[1], 1 / GB),
            "",
            span(totals[2], 1 / GB),
            span(totals[3]),
            span(_work(totals[0], shape, prices)),
        ]
    )
    units = ("GB", "core-hours", "GB shuffled", "GB scratch", "GB written", "requests", "USD, work")
    return table(["step", "input, GB", *units[1:]], rows)


def _work(core_hours: Span, shape: Shape, prices: Prices) -> Span:
    full = compute_dollars(core_hours, shape, prices, spot=False)
    if not shape.spot:
        return full
    spot = compute_dollars(core_hours, shape, prices, spot=True)
    return Span(min(spot.low, full.low), max(spot.high, full.high))


def _shapes(steps: Sequence[StepPlan], prices: Prices, cores: int) -> list[str]:
    hours = sum_of([step.core_hours for step in steps])
    rows = []
    for shape in prices.shapes:
        for spot in (False, True) if shape.spot else (False,):
            plan = plan_shape(hours, cores, shape, prices, spot=spot)
            rows.append(
                [
                    f"{shape.name}, {shape.place}",
                    f"{shape.cores}, {shown(shape.memory_gb)} GB",
                    "spot" if spot else "on demand",
                    f"{plan.machines:,}",
                    span(plan.wall_hours),
                    span(plan.dollars),
                ]
            )
    return table(["shape", "cores", "how", "machines", "wall hours", "USD"], rows)


def _store(steps: Sequence[StepPlan], prices: Prices) -> list[str]:
    rows = []
    sums = [Span(0, 0)] * 3
    for step in steps:
        parts = store_dollars(step, prices)
        sums = [one.plus(part) for one, part in zip(sums, parts, strict=True)]
        rows.append([step.step, span(step.units), *map(span, parts)])
    rows.append(["**all**", "", *map(span, sums)])
    month = f"USD, kept {span(prices.assumed(MONTHS))} months"
    return table(["step", "units", month, "USD, requests", "USD, out of the cloud once"], rows)


def _sizes(sizes: Mapping[str, Size]) -> list[str]:
    rows = [
        [
            step,
            span(Span(*size.files)),
            span(Span(*size.bytes), 1 / GB),
            span(Span(*size.text_bytes), 1 / GB) if any(size.text_bytes) else "",
            size.origin,
        ]
        for step, size in sizes.items()
    ]
    return table(["step", "files", "GB", "GB of kept text", "origin"], rows)


def _assumed(prices: Prices) -> list[str]:
    store = prices.store
    shapes = [
        [
            f"{shape.name}, {shape.place}",
            f"{shape.on_demand:.4f}",
            f"{shape.spot[0]:.4f} to {shape.spot[1]:.4f}" if shape.spot else "",
            shape.date,
            shape.origin,
        ]
        for shape in prices.shapes
    ]
    origin = f"{store.place}, {store.date}: {store.origin}"
    rest = [
        ["a GB kept for a month, USD", f"{store.gb_month}", origin],
        ["1,000 requests that write or list, USD", f"{store.write_1000}", origin],
        ["1,000 requests that read, USD", f"{store.read_1000}", origin],
        ["a GB out of the cloud, USD", f"{store.egress_gb}", origin],
        *([one.what, span(Span(*one.value)), one.origin] for one in prices.assumptions.values()),
    ]
    return [
        *table(
            ["shape", "on demand, USD per hour", "spot, USD per hour", "date", "origin"], shapes
        ),
        "",
        *table(["what", "how much", "origin"], rest),
    ]


def _rates(steps: Sequence[StepPlan], rates: Rates) -> list[str]:
    used: dict[str, Rate] = {step.rate.step: step.rate for step in steps}
    rows = [
        [
            rate.step,
            shown(rate.input_bytes / 1e6),
            f"{rate.cpu_seconds:.2f}",
            f"{rate.fixed_seconds:.2f}",
            shown(rate.input_bytes / 1e6 / (rate.cpu_seconds - rate.fixed_seconds)),
            f"{rate.slower:g} times: {rate.slower_why}" if rate.slower > 1 else "",
            f"{rate.date}, {rate.machine}" if rate.date else rate.machine,
            f"`{rate.command}`",
        ]
        for rate in used.values()
    ]
    headings = ["step", "MB of input", "CPU s", "fixed", "MB per CPU s", "slower at scale"]
    lines = table([*headings, "when, where", "command"], rows)
    named = sorted({rate.machine for rate in used.values()})
    return [*lines, "", *(f"- {name}: {rates.machines[name]}" for name in named)]


def comparison(steps: Sequence[StepPlan], took: Mapping[str, float]) -> tuple[str, float]:
    """Return a table of planned and real CPU seconds by part, and the ratio of their sums.

    The plan's figure is the low one: the rate as measured.
    """
    planned: dict[str, float] = {}
    for step in steps:
        part = step.step if step.step in took else step.step.split(".", 1)[0]
        planned[part] = planned.get(part, 0.0) + step.cpu_seconds.low
    pairs = {part: (planned.get(part, 0.0), seconds) for part, seconds in took.items()}
    totals = (sum(pair[0] for pair in pairs.values()), sum(took.values()))
    rows = [
        [part, f"{ours:.1f}", f"{theirs:.1f}", f"{ours / theirs:.2f}" if theirs else ""]
        for part, (ours, theirs) in {**pairs, "**all**": totals}.items()
    ]
    lines = table(["part", "planned, CPU s", "took, CPU s", "ratio"], rows)
    return "\n".join(lines), totals[0] / totals[1] if totals[1] else 0.0
