"""What a mixture comes to: weight, tokens and epochs of each source (spec ``tokens.md`` 4.2).

A mixture gives one of the three; the token shards, or Table 1 where there are none yet, give the
other two. All of it is exact until it is printed, and the quotas are those of the training order
(``mixtures.order``), so that a plan says what a run reads, to the sequence.

A source that would be read more often than its ``max_epochs`` is a problem of the plan, or is
capped (the others share what it lacks), or is repeated: the mixture says which.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from itertools import repeat
from math import ceil, floor
from pathlib import Path

from mixtures.manifests import TrainShard, read_manifests
from mixtures.mixture import Mixture, MixtureError, MixtureSource
from mixtures.order import Order, OrderError, SourceShards, windows
from mixtures.paper import TABLE_1


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """What a run reads of one source. A window, like a sequence, is ``context`` tokens."""

    name: str
    weight: Fraction  # share of the run, 0 to 1
    asked_weight: Fraction  # the share that the mixture asks for; a cap changes it
    tokens: Fraction  # weight * tokens of the run
    epochs: Fraction  # tokens / (windows * context): how often a window is read, on average
    sequences: int  # the order's quota
    start: int  # sequences that earlier orders read
    windows: int  # to read in one epoch
    unread_windows: int  # never read: the run ends within the first epoch
    shards: int
    stored_tokens: int  # in the train shards
    tail_tokens: int  # never read: they fill no window at the end of their shard
    max_epochs: Fraction
    shortfall: Fraction  # tokens that the asked weight takes beyond max_epochs
    paper_epochs: Fraction | None  # the mixture's figure, or else Table 1's


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run of a mixture reads."""

    mixture: Mixture
    context: int  # L, tokens in a sequence
    sequences: int  # N, length of the run
    measured: bool  # on token shards, not on the sizes that follow from the paper
    assumed: Mapping[str, int]  # tokens by source that were given, not measured
    sources: tuple[SourcePlan, ...]  # as in the mixture, those of amount 0 left out
    problems: tuple[str, ...]  # a line for each source that must not be read so often
    shards: Mapping[str, tuple[TrainShard, ...]]  # by source, in name order
    order: Order

    @property
    def tokens(self) -> int:
        """Tokens that the run reads: its budget, rounded up to whole sequences."""
        return self.sequences * self.context

    def check(self) -> None:
        """Raise MixtureError, naming them, if sources would be read beyond their max_epochs."""
        if self.problems:
            raise MixtureError(
                f"{self.mixture.name}: too little data: {'; '.join(self.problems)}. Lower the "
                'budget, raise max_epochs, add data, or set on_exhausted to "cap" or "repeat"'
            )


@dataclass(frozen=True, slots=True)
class CorpusOrder:
    """The training order over a directory of token shards, and what it was made from."""

    order: Order
    shards: Mapping[str, tuple[str, ...]]  # by source: names, as ``Location.shard`` counts them
    shards_sha256: str  # over names, tokens and SHA-256 of all train shards
    mixture_sha256: str  # over the exact weights in use and the starts; the seed is not in it


def make_plan(
    mixture: Mixture,
    tokens: Path | None = None,
    *,
    context: int,
    sequences: int | None = None,
    start: Mapping[str, int] | None = None,
    assumed: Mapping[str, int] | None = None,
) -> Plan:
    """Derive weight, tokens and epochs of every source (spec ``tokens.md`` 4.2).

    Args:
        mixture: what ``mixtures.mixture.load`` gives.
        tokens: directory that holds a directory of token shards for each source; without it a
            source is taken to have the unique tokens that follow from Table 1.
        context: tokens in a sequence.
        sequences: length of the run; by default the budget, rounded up to whole sequences.
        start: by source, sequences that earlier orders read: they count towards max_epochs.
        assumed: by source, unique tokens to plan with before its shards are there, or instead.

    Raises:
        MixtureError: shards are missing, unfinished, do not go together or hold no window, a size
            is assumed of no source, or the capped sources cannot fill the run.
        OrderError: context, sequences or start is out of range, or a source has under 1/4096.
    """
    assumed = assumed or {}
    if context < 1:
        raise OrderError(f"context {context}: must be at least 1 token")
    if sequences is not None and sequences < 1:
        raise OrderError(f"sequences {sequences}: the run must be at least 1 sequence long")
    supplies = _supplies(mixture, tokens, context, start or {}, assumed)
    amounts = [
        supply.source.amount * (supply.windows * context if mixture.kind == "epochs" else 1)
        for supply in supplies
    ]
    total = sum(amounts, Fraction())
    if sequences is None:
        sequences = ceil((mixture.tokens or total) / Fraction(context))
    asked_weights = [amount / total for amount in amounts]
    weights = asked_weights
    if mixture.on_exhausted == "cap":
        weights = _cap(supplies, asked_weights, sequences)
    order = Order(
        seed=mixture.seed,
        context=context,
        sequences=sequences,
        sources=[
            SourceShards(
                supply.source.name,
                weight,
                tuple(shard.tokens for shard in supply.shards),
                supply.start,
            )
            for supply, weight in zip(supplies, weights, strict=True)
            if weight
        ],
    )
    sources = tuple(map(_source_plan, supplies, asked_weights, weights, repeat(order)))
    return Plan(
        mixture=mixture,
        context=context,
        sequences=sequences,
        measured=tokens is not None,
        assumed={name: assumed[name] for name in sorted(assumed)},
        sources=sources,
        problems=tuple(_problems(sources)) if mixture.on_exhausted == "error" else (),
        shards={supply.source.name: supply.shards for supply in supplies},
        order=order,
    )


def corpus_order(
    mixture: Mixture,
    tokens: Path,
    *,
    context: int,
    sequences: int | None = None,
    start: Mapping[str, int] | None = None,
) -> CorpusOrder:
    """Build the order in which a run reads the token shards under ``tokens``.

    Trainer and command line share it; the arguments are those of ``make_plan``.

    Raises:
        MixtureError: as in ``make_plan``, or a source would be read beyond its max_epochs.
        OrderError: as in ``make_plan``.
    """
    plan = make_plan(mixture, tokens, context=context, sequences=sequences, start=start)
    plan.check()
    sources = plan.order.sources
    return CorpusOrder(
        order=plan.order,
        shards={
            source.name: tuple(shard.name for shard in plan.shards[source.name])
            for source in sources
        },
        shards_sha256=_sha256_of_lines(
            f"{source.name} {shard.name} {shard.tokens} {shard.sha256}"
            for source in sources
            for shard in plan.shards[source.name]
        ),
        mixture_sha256=_sha256_of_lines(
            f"{source.name} {source.weight} {source.start}" for source in sources
        ),
    )


@dataclass(frozen=True, slots=True)
class _Supply:
    """What there is to read of one source."""

    source: MixtureSource
    shards: tuple[TrainShard, ...]
    windows: int  # in one epoch
    start: int  # sequences that earlier orders read

    @property
    def limit(self) -> Fraction:
        """Windows that max_epochs still allows."""
        return max(Fraction(), self.source.max_epochs * self.windows - self.start)


def _supplies(
    mixture: Mixture,
    tokens: Path | None,
    context: int,
    start: Mapping[str, int],
    assumed: Mapping[str, int],
) -> list[_Supply]:
    used = [source for source in mixture.sources if source.amount]
    known = [source.name for source in mixture.sources]
    for name in assumed:
        if name not in known:
            raise MixtureError(f"a size is assumed of {name!r}; the mixture has {', '.join(known)}")
    shards: dict[str, tuple[TrainShard, ...]] = {
        name: (TrainShard("assumed", size, sha256=""),) for name, size in assumed.items()
    }
    left = [source.name for source in used if source.name not in assumed]
    if tokens is None:
        shards |= {name: _paper_shards(name) for name in left}
    else:
        shards |= {name: found.shards for name, found in read_manifests(tokens, left).items()}
    supplies = [
        _Supply(
            source,
            shards[source.name],
            sum(windows(shard.tokens, context) for shard in shards[source.name]),
            start.get(source.name, 0),
        )
        for source in used
    ]
    for supply in supplies:
        if not supply.windows:
            raise MixtureError(
                f"source {supply.source.name!r} has no window: none of its {len(supply.shards)} "
                f"train shards has more than {context:,} tokens. Add data, or use a shorter context"
            )
    return supplies


def _paper_shards(source: str) -> tuple[TrainShard, ...]:
    if source not in TABLE_1:
        raise MixtureError(
            f"the paper has no source {source!r}: give --tokens with its shards, or --assume "
            f"{source}=TOKENS"
        )
    return (TrainShard("table-1", TABLE_1[source].unique_tokens, sha256=""),)


def _cap(supplies: list[_Supply], weights: list[Fraction], sequences: int) -> list[Fraction]:
    """Hold sources to their limits, and share what they lack among the others by weight."""
    quotas = [weight * sequences for weight in weights]
    capped: dict[int, int] = {}  # number of the source: sequences
    while over := [
        number
        for number, supply in enumerate(supplies)
        if number not in capped and quotas[number] > supply.limit
    ]:
        capped |= {number: floor(supplies[number].limit) for number in over}
        free = sum(weight for number, weight in enumerate(weights) if number not in capped)
        if not free:
            raise MixtureError(
                f"within max_epochs all sources together give {sum(capped.values()):,} sequences, "
                f"the run takes {sequences:,}: lower the budget, raise max_epochs, or add data"
            )
        left = sequences - sum(capped.values())
        quotas = [
            Fraction(capped[number]) if number in capped else left * weight / free
            for number, weight in enumerate(weights)
        ]
    return [quota / sequences for quota in quotas]


def _source_plan(
    supply: _Supply, asked_weight: Fraction, weight: Fraction, order: Order
) -> SourcePlan:
    source, context = supply.source, order.context
    sequences = order.counts(order.sequences).get(source.name, 0)
    readable = [windows(shard.tokens, context) * context for shard in supply.shards]
    paper = TABLE_1.get(source.name)
    return SourcePlan(
        name=source.name,
        weight=weight,
        asked_weight=asked_weight,
        tokens=weight * order.sequences * context,
        epochs=weight * order.sequences / supply.windows,
        sequences=sequences,
        start=supply.start,
        windows=supply.windows,
        unread_windows=max(0, supply.windows - supply.start - sequences),
        shards=len(supply.shards),
        stored_tokens=sum(shard.tokens for shard in supply.shards),
        tail_tokens=sum(
            # The label of a shard's last window is read too.
            shard.tokens - tokens - (tokens > 0)
            for shard, tokens in zip(supply.shards, readable, strict=True)
        ),
        max_epochs=source.max_epochs,
        shortfall=max(Fraction(), asked_weight * order.sequences - supply.limit) * context,
        paper_epochs=source.paper_epochs or (paper.epochs if paper else None),
    )


def _problems(sources: Iterable[SourcePlan]) -> Iterator[str]:
    for source in sources:
        if source.shortfall:
            epochs = source.epochs + Fraction(source.start, source.windows)
            yield (
                f"{source.name!r} for {float(epochs):.2f} epochs (max_epochs "
                f"{float(source.max_epochs):g}, {ceil(source.shortfall):,} tokens missing)"
            )


def _sha256_of_lines(lines: Iterable[str]) -> str:
    return sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()
