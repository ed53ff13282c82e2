"""A plan as tables to read and as JSON to keep, beside Table 1 and RedPajama's counts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from fractions import Fraction
from typing import Any, TypeVar

from mixtures.paper import PAPER_TOKENS, TABLE_1, PaperSource
from mixtures.plan import Plan, SourcePlan

_Column = tuple[str, Callable[[SourcePlan], str]]  # heading, cell of a source

_Row = TypeVar("_Row")
_UNITS = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k"))


def render(plan: Plan) -> str:
    """Lay a plan out as text of 110 columns at most, as a rule, without a line feed at its end."""
    capped = any(source.weight != source.asked_weight for source in plan.sources)
    lacks = any(source.shortfall for source in plan.sources)
    title = (
        f"{plan.mixture.name}: {plan.tokens:,} tokens, {plan.sequences:,} sequences of "
        f"{plan.context:,}, seed {plan.mixture.seed}"
    )
    total = {
        "source": "total",
        "share": percent(Fraction(1)),
        "tokens": short(plan.tokens),
        "sequences": f"{plan.sequences:,}",
    }
    parts = [title, table(_run_columns(capped=capped, lacks=lacks), plan.sources, total)]
    notes = []
    if plan.measured:
        parts.append(table(_SHARD_COLUMNS, plan.sources))
        notes.append("Never read: tails, which fill no window, and windows after the run's end.")
    elif set(plan.assumed) < {source.name for source in plan.sources}:
        notes.append("Epochs follow from the paper's unique tokens: no token shards were given.")
    if plan.assumed:
        sizes = ", ".join(f"{name} {short(size)}" for name, size in plan.assumed.items())
        notes.append(f"Assumed, not measured: {sizes} tokens.")
    notes.append(
        f"Paper: Table 1, at {short(PAPER_TOKENS)} tokens, or the mixture's paper_epochs. "
        "RedPajama: by another tokenizer."
    )
    if capped:
        notes.append("Capped at max_epochs, the others share the rest. Asked: without the cap.")
    if lacks:
        notes.append("Missing: tokens that the mixture asks for beyond max_epochs.")
    return "\n\n".join([*parts, "\n".join(notes)])


def as_json(plan: Plan) -> dict[str, Any]:
    """Give a plan as JSON values; the exact fraction of a rounded ``x`` is ``x_exact``."""
    return {
        "mixture": plan.mixture.name,
        "kind": plan.mixture.kind,
        "budget_tokens": plan.mixture.tokens,
        "seed": plan.mixture.seed,
        "on_exhausted": plan.mixture.on_exhausted,
        "context": plan.context,
        "sequences": plan.sequences,
        "tokens": plan.tokens,
        "measured": plan.measured,
        "assumed": dict(plan.assumed),
        "problems": list(plan.problems),
        "sources": [_source_json(source) for source in plan.sources],
    }


def _source_json(source: SourcePlan) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for key, value in asdict(source).items():
        if isinstance(value, Fraction):
            row[key] = float(value)
            row[f"{key}_exact"] = str(value)
        else:
            row[key] = value
    paper = TABLE_1.get(source.name)
    row["paper_weight"] = float(paper.share) if paper else None
    row["paper_unique_tokens"] = paper.unique_tokens if paper else None
    row["redpajama_tokens"] = paper.redpajama_tokens if paper else None
    return row


_SHARD_COLUMNS: Sequence[_Column] = (
    ("source", lambda source: source.name),
    ("shards", lambda source: f"{source.shards:,}"),
    ("tokens", lambda source: short(source.stored_tokens)),
    ("windows", lambda source: f"{source.windows:,}"),
    ("max epochs", lambda source: f"{float(source.max_epochs):g}"),
    ("never read: tail tokens", lambda source: short(source.tail_tokens)),
    ("windows", lambda source: f"{source.unread_windows:,}"),
)


def _run_columns(*, capped: bool, lacks: bool) -> Sequence[_Column]:
    columns: list[_Column] = [
        ("source", lambda source: source.name),
        ("share", lambda source: percent(source.weight)),
        ("tokens", lambda source: short(source.tokens)),
        ("epochs", lambda source: _epochs(source.epochs)),
        ("sequences", lambda source: f"{source.sequences:,}"),
    ]
    if capped:
        columns.insert(1, ("asked", lambda source: percent(source.asked_weight)))
    if lacks:
        columns.append(("missing", lambda source: short(source.shortfall)))
    columns += [
        ("paper: share", _in_paper(lambda row: percent(row.share))),
        ("epochs", lambda source: _epochs(source.paper_epochs) if source.paper_epochs else ""),
        ("unique", _in_paper(lambda row: short(row.unique_tokens))),
        ("RedPajama", _in_paper(lambda row: short(row.redpajama_tokens))),
    ]
    return columns


def _in_paper(cell: Callable[[PaperSource], str]) -> Callable[[SourcePlan], str]:
    """Make a column of a figure that the paper has for its own sources only."""
    return lambda source: cell(TABLE_1[source.name]) if source.name in TABLE_1 else ""


def table(
    columns: Sequence[tuple[str, Callable[[_Row], str]]],
    sources: Sequence[_Row],
    total: Mapping[str, str] | None = None,
) -> str:
    """Align columns, the first to the left, the figures to the right."""
    headings = [heading for heading, _ in columns]
    rows = [headings, *([cell(source) for _, cell in columns] for source in sources)]
    if total:
        rows.append([total.get(heading, "") for heading in headings])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            [first.ljust(widths[0]), *map(str.rjust, figures, widths[1:])],
        ).rstrip()
        for first, *figures in rows
    )


def percent(share: Fraction) -> str:
    """Give a share with two decimals, such as ``4.50%``."""
    return f"{float(share):.2%}"


def _epochs(epochs: Fraction) -> str:
    return f"{float(epochs):.2f}"


def short(tokens: Fraction | int) -> str:
    """Give a figure with a unit.

    >>> short(937_997_312_000), short(812)
    ('938.0 B', '812')
    """
    for size, unit in _UNITS:
        if tokens >= size:
            return f"{float(tokens / Fraction(size)):.1f} {unit}"
    return f"{float(tokens):.0f}"
