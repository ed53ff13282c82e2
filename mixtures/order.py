"""Training order: sequence number -> source, shard and window (spec ``tokens.md`` 4.3).

A run reads N sequences of L tokens. Which window of which shard sequence n is follows from the
mixture file's seed, the weights, the shards' token counts, L, N and n alone: nothing is stored or
counted, so a loader's state is one number and any sequence of any step is traced in microseconds.

Sequences come in blocks of 4,096. A block holds each source's share, in an order given by a keyed
permutation of the block. Within a source, ordinals 0, 1, 2.. walk through a keyed permutation of
all its windows, a new one each epoch. All arithmetic is on integers and exact fractions.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import blake2b
from itertools import accumulate
from math import isqrt, lcm
from numbers import Rational
from struct import Struct
from typing import NamedTuple

from tokenizer.errors import UserError

BLOCK_SEQUENCES = 4096  # sequences in a block; the last block takes the remainder as well
MAX_SEED = 2**63 - 1

_KEY_DOMAIN = "corpusmill-order-1"
_ROUND_KEYS = Struct("<6Q").unpack
_MASK_64_BITS = 2**64 - 1
_MIX_1 = 0xBF58476D1CE4E5B9  # the multipliers of splitmix64
_MIX_2 = 0x94D049BB133111EB
_MAX_CACHED_EPOCHS = 1024  # permutations, about 500 bytes each


class OrderError(UserError, ValueError):
    """The inputs define no training order, or the order has no such sequence."""


@dataclass(frozen=True, slots=True)
class SourceShards:
    """One source as the order sees it."""

    name: str  # [a-z0-9_]+
    weight: Fraction  # share of the sequences, on any positive scale
    shard_tokens: tuple[int, ...]  # tokens of each train shard, in file-name order
    start: int = 0  # first ordinal to read: > 0 where an earlier order already read some


class Location(NamedTuple):
    """Where the tokens of one sequence lie."""

    source: str
    shard: int  # index into the source's ``shard_tokens``
    window: int  # within the shard
    token_offset: int  # of the first input token within the shard: window * context
    epoch: int  # how often every window of the source was read before: 0 is the first time
    ordinal: int  # sequences that the source gave before this one, ``start`` included


def is_source_name(name: str) -> bool:
    """Tell whether ``name`` may name a source: it is part of keys, and of folders' names."""
    return re.fullmatch(r"[a-z0-9_]+", name) is not None


def windows(tokens: int, context: int) -> int:
    """Count the windows of a shard: ``context`` inputs, and as many labels shifted by one.

    >>> windows(21, 4), windows(20, 4), windows(0, 4)
    (5, 4, 0)
    """
    return max(0, tokens - 1) // context


class Permutation:
    """A keyed bijection of 0..n-1 in constant memory: a six-round Feistel network.

    ``n`` is laid out on a grid of rows and columns, just larger than n; a result beyond n goes
    round again. The key is made of ``seed`` and ``parts``, which name what is permuted.

    Raises:
        OrderError: unless 1 <= n <= 2**60.

    >>> [Permutation(10, 0, "epoch", "a", 0)(x) for x in range(10)]
    [1, 7, 0, 4, 9, 6, 8, 3, 5, 2]
    """

    __slots__ = ("_columns", "_key_pairs", "_n", "_rows")

    def __init__(self, n: int, seed: int, *parts: str | int) -> None:
        if not 1 <= n <= 2**60:
            raise OrderError(f"a permutation has 1 to 2**60 elements, not {n}")
        text = "\n".join([_KEY_DOMAIN, str(seed), *map(str, parts)])
        k0, k1, k2, k3, k4, k5 = _ROUND_KEYS(blake2b(text.encode(), digest_size=48).digest())
        self._n = n
        self._rows = isqrt(n - 1) + 1
        self._columns = -(-n // self._rows)
        # The first step of F, z ^ z >> 30, is done on the keys: what a round adds by "xor" is a
        # row or a column, hence under 2**30, and does not reach z >> 30.
        self._key_pairs = (
            (k0 ^ k0 >> 30, k1 ^ k1 >> 30),
            (k2 ^ k2 >> 30, k3 ^ k3 >> 30),
            (k4 ^ k4 >> 30, k5 ^ k5 >> 30),
        )

    def __call__(self, x: int) -> int:
        """Give the element at place ``x``. Raises IndexError unless 0 <= x < n."""
        n, rows, columns = self._n, self._rows, self._columns
        if not 0 <= x < n:
            raise IndexError(f"{x} is outside the permutation of 0..{n - 1}")
        left, right = divmod(x, columns)
        while True:
            for even_key, odd_key in self._key_pairs:
                # _scatter, written out: calling it would take half as long again.
                z = (even_key ^ right) * _MIX_1 & _MASK_64_BITS
                z = (z ^ z >> 27) * _MIX_2 & _MASK_64_BITS
                left = (left + (z ^ z >> 31)) % rows
                z = (odd_key ^ left) * _MIX_1 & _MASK_64_BITS
                z = (z ^ z >> 27) * _MIX_2 & _MASK_64_BITS
                right = (right + (z ^ z >> 31)) % columns
            x = left * columns + right
            if x < n:
                return x

    def inverse(self, y: int) -> int:
        """Give the place of element ``y``. Raises IndexError unless 0 <= y < n."""
        n, rows, columns = self._n, self._rows, self._columns
        if not 0 <= y < n:
            raise IndexError(f"{y} is outside the permutation of 0..{n - 1}")
        left, right = divmod(y, columns)
        while True:
            for even_key, odd_key in reversed(self._key_pairs):
                right = (right - _scatter(odd_key ^ left)) % columns
                left = (left - _scatter(even_key ^ right)) % rows
            y = left * columns + right
            if y < n:
                return y


def _scatter(z: int) -> int:
    """Finish F: the finaliser of splitmix64, less the step that is in the keys."""
    z = z * _MIX_1 & _MASK_64_BITS
    z = (z ^ z >> 27) * _MIX_2 & _MASK_64_BITS
    return z ^ z >> 31


class _Block(NamedTuple):
    """What all sequences of one block share; one number a source, and one for no source, at 0."""

    number: int
    first: int  # sequence number (lo)
    permutation: Permutation
    before: list[int]  # sequences of sources 1..s ahead of this block: G_s(lo)
    places: list[int]  # exclusive end of source s in the block: D_s


class Order:
    """The training order of a run (spec ``tokens.md`` 4.3).

    The same inputs give the same order on every machine. ``sequences`` changes the last block
    only, so a run may be made longer as long as it has not entered that block.

    Args:
        seed: of the mixture, 0 <= seed < 2**63.
        context: L, tokens in a sequence.
        sequences: N, the length of the run.
        sources: at least one, with positive exact weights; their order does not matter.

    Raises:
        OrderError: an input is out of range, a source is named twice, no shard of a source
            holds a window, or a source's share is under 1 in 4,096 (it would miss whole blocks).
    """

    def __init__(
        self, *, seed: int, context: int, sequences: int, sources: Sequence[SourceShards]
    ) -> None:
        if not 0 <= seed <= MAX_SEED:
            raise OrderError(f"seed {seed}: must be at least 0 and under 2**63")
        if context < 1:
            raise OrderError(f"context {context}: must be at least 1 token")
        if sequences < 1:
            raise OrderError(f"sequences {sequences}: the run must be at least 1 sequence long")
        if not sources:
            raise OrderError("no sources: give at least one with a positive weight")
        self.seed = seed
        self.context = context
        self.sequences = sequences
        self.sources = tuple(sorted(sources, key=lambda source: source.name))
        for source in self.sources:
            _check_source(source)
        self._numbers = {source.name: s for s, source in enumerate(self.sources)}
        if len(self._numbers) < len(self.sources):
            raise OrderError("a source is named twice: " + ", ".join(s.name for s in self.sources))

        self._last_block = max(1, sequences // BLOCK_SEQUENCES) - 1
        self._cumulative_weights = self._exact_weights()

        self._shard_firsts: list[list[int]] = []  # by source: the first window of each shard
        self._source_windows: list[int] = []  # by source: M_s
        for source in self.sources:
            *firsts, total = accumulate(
                (windows(tokens, context) for tokens in source.shard_tokens), initial=0
            )
            if total == 0:
                raise OrderError(
                    f"source {source.name!r} has no window: none of its {len(firsts)} train shards "
                    f"has more than {context} tokens"
                )
            self._shard_firsts.append(firsts)
            self._source_windows.append(total)

        self._epochs: dict[tuple[int, int], Permutation] = {}
        self._block = self._make_block(0)

    @property
    def windows(self) -> dict[str, int]:
        """Windows in one epoch of each source (M_s)."""
        return dict(zip(self._numbers, self._source_windows, strict=True))

    def locate(self, sequence: int) -> Location:
        """Find the tokens of one sequence.

        Raises:
            OrderError: unless 0 <= sequence < N.
        """
        self._check_sequence(sequence)
        number = min(sequence // BLOCK_SEQUENCES, self._last_block)
        block = self._block
        if block.number != number:
            # One assignment replaces the cached block, so threads may share an order.
            self._block = block = self._make_block(number)
        place = block.permutation(sequence - block.first)
        s = bisect_right(block.places, place) - 1
        source = self.sources[s]
        ordinal = source.start + block.before[s + 1] - block.before[s] + place - block.places[s]
        epoch, step = divmod(ordinal, self._source_windows[s])
        permutation = self._epochs.get((s, epoch)) or self._make_epoch(s, epoch)
        window = permutation(step)
        firsts = self._shard_firsts[s]
        shard = bisect_right(firsts, window) - 1
        window -= firsts[shard]
        return Location(source.name, shard, window, window * self.context, epoch, ordinal)

    def sequence_of(self, source: str, ordinal: int) -> int:
        """Find the sequence that reads a source's ordinal: the inverse of ``locate``.

        Raises:
            OrderError: the order has no such source, or does not read that ordinal.
        """
        s = self._numbers.get(source)
        if s is None:
            raise OrderError(f"no source {source!r} in this order, only {', '.join(self.windows)}")
        start = self.sources[s].start
        count = self._count(s, self.sequences)
        if not start <= ordinal < start + count:
            raise OrderError(
                f"source {source!r}: ordinal {ordinal} is not among the {count} that this order "
                f"reads from {start} on"
            )
        block_firsts = range(0, (self._last_block + 1) * BLOCK_SEQUENCES, BLOCK_SEQUENCES)
        number = bisect_right(block_firsts, ordinal - start, key=lambda lo: self._count(s, lo)) - 1
        block = self._make_block(number)
        place = block.places[s] + ordinal - start - (block.before[s + 1] - block.before[s])
        return block.first + block.permutation.inverse(place)

    def counts(self, sequences: int) -> dict[str, int]:
        """Count each source's share of the first ``sequences`` of the run, in sequences.

        Raises:
            OrderError: unless ``sequences`` is a block boundary (see ``block_end``) or N: within
                a block shares are random.
        """
        if sequences not in (0, self.sequences):
            self._check_sequence(sequences)
            if sequences % BLOCK_SEQUENCES or sequences // BLOCK_SEQUENCES > self._last_block:
                raise OrderError(
                    f"sequence {sequences} is not a block boundary: the next is "
                    f"{self.block_end(sequences)}"
                )
        return {name: self._count(s, sequences) for name, s in self._numbers.items()}

    def block_end(self, sequence: int) -> int:
        """Give the exclusive end of the block that holds ``sequence``, as a sequence number.

        After n sequences, ``counts(block_end(n - 1))`` is what the blocks begun so far hold: the
        next order's ``start`` less this order's.

        Raises:
            OrderError: unless 0 <= sequence < N.
        """
        self._check_sequence(sequence)
        return self._block_limits(min(sequence // BLOCK_SEQUENCES, self._last_block))[1]

    def _exact_weights(self) -> list[int]:
        """Sum the weights up, as integers: [0, W_1, W_1 + W_2, ..]."""
        denominator = lcm(*(source.weight.denominator for source in self.sources))
        weights = [int(source.weight * denominator) for source in self.sources]
        if self._last_block > 0:
            for source, weight in zip(self.sources, weights, strict=True):
                if weight * BLOCK_SEQUENCES < sum(weights):
                    raise OrderError(
                        f"source {source.name!r} has a share under 1/{BLOCK_SEQUENCES}: "
                        "give it more weight (more data, where max_epochs caps it) or leave it out"
                    )
        return list(accumulate(weights, initial=0))

    def _count(self, s: int, sequences: int) -> int:
        """Count the sequences of source number ``s`` in the first ``sequences`` (count_s)."""
        cumulative = self._cumulative_weights
        total = cumulative[-1]
        return sequences * cumulative[s + 1] // total - sequences * cumulative[s] // total

    def _check_sequence(self, sequence: int) -> None:
        if not 0 <= sequence < self.sequences:
            raise OrderError(f"sequence {sequence}: the run has 0 to {self.sequences - 1}")

    def _block_limits(self, number: int) -> tuple[int, int]:
        first = number * BLOCK_SEQUENCES
        return first, self.sequences if number == self._last_block else first + BLOCK_SEQUENCES

    def _make_block(self, number: int) -> _Block:
        first, end = self._block_limits(number)
        cumulative = self._cumulative_weights
        total = cumulative[-1]
        before, places = [], []
        for weight in cumulative:
            count = first * weight // total
            before.append(count)
            places.append(end * weight // total - count)
        permutation = Permutation(end - first, self.seed, "block", number)
        return _Block(number, first, permutation, before, places)

    def _make_epoch(self, s: int, epoch: int) -> Permutation:
        if len(self._epochs) >= _MAX_CACHED_EPOCHS:
            self._epochs.clear()
        permutation = Permutation(
            self._source_windows[s], self.seed, "epoch", self.sources[s].name, epoch
        )
        self._epochs[s, epoch] = permutation
        return permutation


def _check_source(source: SourceShards) -> None:
    if not is_source_name(source.name):
        raise OrderError(f"source {source.name!r}: a name is made of a-z, 0-9 and _")
    if not isinstance(source.weight, Rational) or source.weight <= 0:
        raise OrderError(f"source {source.name!r}: weight {source.weight} must be exact and > 0")
    if source.start < 0:
        raise OrderError(f"source {source.name!r}: start {source.start} must be at least 0")
    if min(source.shard_tokens, default=0) < 0:
        raise OrderError(f"source {source.name!r}: a shard has a negative token count")
