"""Two plans side by side: what changes between two mixtures, or by one changed weight."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from mixtures.plan import Plan, SourcePlan
from mixtures.render import percent, short, table

_ABSENT = "-"


@dataclass(frozen=True, slots=True)
class _Pair:
    """A source in both plans; None where a plan does not read it."""

    name: str
    old: SourcePlan | None
    new: SourcePlan | None

    def of(self, figure: Callable[[SourcePlan], Fraction]) -> tuple[Fraction, Fraction]:
        """A figure in both plans, 0 where the source is not read."""
        old, new = (figure(plan) if plan else Fraction() for plan in (self.old, self.new))
        return old, new


def render_difference(old: Plan, new: Plan) -> str:
    """Lay two plans out as a table and a list of settings that differ, without a line feed."""
    columns: Sequence[tuple[str, Callable[[_Pair], str]]] = (
        ("source", lambda pair: pair.name),
        ("share: old", lambda pair: _cell(pair.old, lambda plan: percent(plan.weight))),
        ("new", lambda pair: _cell(pair.new, lambda plan: percent(plan.weight))),
        ("change", lambda pair: _points(pair.of(lambda plan: plan.weight))),
        ("tokens: old", lambda pair: _cell(pair.old, lambda plan: short(plan.tokens))),
        ("new", lambda pair: _cell(pair.new, lambda plan: short(plan.tokens))),
        ("change", lambda pair: _signed(pair.of(lambda plan: plan.tokens))),
        ("epochs: old", lambda pair: _cell(pair.old, lambda plan: f"{float(plan.epochs):.2f}")),
        ("new", lambda pair: _cell(pair.new, lambda plan: f"{float(plan.epochs):.2f}")),
        ("max", lambda pair: _cell(pair.new, lambda plan: f"{float(plan.max_epochs):g}")),
    )
    settings = [f"{name}: {before} -> {after}" for name, before, after in _settings(old, new)]
    parts = [f"{old.mixture.name} -> {new.mixture.name}", table(columns, _pairs(old, new))]
    if settings:
        parts.append("\n".join(settings))
    elif all(pair.old == pair.new for pair in _pairs(old, new)):
        parts.append("No difference: both read the same sequences in the same order.")
    if new.problems:
        parts.append("\n".join(f"too little data: {problem}" for problem in new.problems))
    return "\n\n".join(parts)


def difference_as_json(old: Plan, new: Plan) -> dict[str, Any]:
    """Give what differs as JSON values: settings, and each source's figures in both plans."""
    return {
        "settings": {
            name: {"old": before, "new": after} for name, before, after in _settings(old, new)
        },
        "sources": {
            pair.name: {
                key: dict(zip(("old", "new"), map(float, pair.of(figure)), strict=True))
                for key, figure in _FIGURES.items()
            }
            for pair in _pairs(old, new)
        },
        "problems": list(new.problems),
    }


_FIGURES: dict[str, Callable[[SourcePlan], Fraction]] = {
    "weight": lambda plan: plan.weight,
    "tokens": lambda plan: plan.tokens,
    "epochs": lambda plan: plan.epochs,
    "sequences": lambda plan: Fraction(plan.sequences),
}


def _pairs(old: Plan, new: Plan) -> list[_Pair]:
    """The sources of the old plan, then those that only the new one has."""
    before = {source.name: source for source in old.sources}
    after = {source.name: source for source in new.sources}
    names = [*before, *(name for name in after if name not in before)]
    return [_Pair(name, before.get(name), after.get(name)) for name in names]


def _settings(old: Plan, new: Plan) -> list[tuple[str, Any, Any]]:
    """Name, old and new value of what differs and is no figure of a source."""
    found = [
        ("kind", old.mixture.kind, new.mixture.kind),
        ("tokens", old.tokens, new.tokens),
        ("sequences", old.sequences, new.sequences),
        ("seed", old.mixture.seed, new.mixture.seed),
        ("on_exhausted", old.mixture.on_exhausted, new.mixture.on_exhausted),
    ]
    return [(name, before, after) for name, before, after in found if before != after]


def _cell(plan: SourcePlan | None, show: Callable[[SourcePlan], str]) -> str:
    return show(plan) if plan else _ABSENT


def _points(pair: tuple[Fraction, Fraction]) -> str:
    change = float(pair[1] - pair[0]) * 100
    return f"{change:+.2f}" if pair[0] != pair[1] else ""


def _signed(pair: tuple[Fraction, Fraction]) -> str:
    change = pair[1] - pair[0]
    if not change:
        return ""
    return ("+" if change > 0 else "-") + short(abs(change))
