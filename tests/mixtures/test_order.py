"""The training order of spec ``tokens.md`` 4.3: golden values, and what holds for any input."""

import hashlib
import pickle
import random
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixtures.order import Order, OrderError, Permutation, SourceShards, windows

TABLE_1_SHARES = {
    "commoncrawl": "0.67",
    "c4": "0.15",
    "github": "0.045",
    "wikipedia": "0.045",
    "books": "0.045",
    "arxiv": "0.025",
    "stackexchange": "0.02",
}
TABLE_1_EPOCHS = ("1.10", "1.06", "0.64", "2.45", "2.23", "1.06", "1.03")
RUN_SEQUENCES = 683_595_776  # 1.4 T tokens at a context of 2,048, in whole steps of 4 M tokens


def make_order(
    *sources: SourceShards, seed: int = 0, context: int = 4, sequences: int = 10
) -> Order:
    """Make a short order of small windows."""
    return Order(seed=seed, context=context, sequences=sequences, sources=sources)


def source_of_windows(
    name: str, weight: Fraction | int, count: int, *, context: int = 4, start: int = 0
) -> SourceShards:
    """Give a source one shard of ``count`` windows."""
    return SourceShards(name, Fraction(weight), (count * context + 1,), start)


@pytest.fixture(scope="module")
def table_1() -> Order:
    """Order the paper's run; a source's tokens follow from its share and epochs, in one shard."""
    return Order(
        seed=0,
        context=2048,
        sequences=RUN_SEQUENCES,
        sources=[
            SourceShards(
                name,
                Fraction(share),
                (round(Fraction(share) * 1_400_000_000_000 / Fraction(epochs)),),
            )
            for (name, share), epochs in zip(TABLE_1_SHARES.items(), TABLE_1_EPOCHS, strict=True)
        ],
    )


# Golden values: another implementation of 4.3 must give these too.


def test_block_permutation_is_the_specified_one() -> None:
    """The first places of block 0, seed 0."""
    permutation = Permutation(4096, 0, "block", 0)
    assert [permutation(x) for x in range(8)] == [2424, 2433, 672, 3615, 420, 2947, 2948, 2599]


def test_epoch_permutation_is_the_specified_one() -> None:
    """Ten elements on a 4 x 3 grid: results beyond 9 go round again."""
    permutation = Permutation(10, 0, "epoch", "a", 0)
    assert [permutation(x) for x in range(10)] == [1, 7, 0, 4, 9, 6, 8, 3, 5, 2]


@pytest.mark.parametrize(
    ("parts", "key"), [(("block", 0), 0xC985014AD3BAF9E6), (("epoch", "c4", 0), 0xBA90F61539D1161A)]
)
def test_first_round_key_is_the_specified_one(parts: tuple[str | int, ...], key: int) -> None:
    """Keys are kept with F's first step done, z ^ z >> 30."""
    assert Permutation(2, 0, *parts)._key_pairs[0][0] == key ^ key >> 30


def test_toy_order_is_the_specified_one() -> None:
    """Two sources, one of them in three shards."""
    order = make_order(
        SourceShards("a", Fraction("0.75"), (21, 5, 14)), SourceShards("b", Fraction("0.25"), (30,))
    )
    located = [order.locate(n) for n in range(10)]
    assert [f"{at.source}{at.shard}.{at.window}" for at in located] == (
        ["b0.5", "b0.3", "a2.2", "b0.4", "a2.0", "a0.0", "a1.0", "a2.1", "a0.1", "a0.2"]
    )


@pytest.mark.parametrize(
    ("sequence", "source", "ordinal"),
    [
        (0, "commoncrawl", 1523),
        (1, "commoncrawl", 1532),
        (2, "c4", 386),
        (RUN_SEQUENCES - 1, "commoncrawl", 458_008_825),
    ],
)
def test_table_1_order_is_the_specified_one(
    table_1: Order, sequence: int, source: str, ordinal: int
) -> None:
    """The first and last sequences of the paper's run."""
    at = table_1.locate(sequence)
    assert (at.source, at.ordinal) == (source, ordinal)


def test_table_1_order_begins_as_specified(table_1: Order) -> None:
    """Two blocks, sequence by sequence."""
    lines = hashlib.sha256()
    for n in range(8192):
        at = table_1.locate(n)
        lines.update(f"{at.source} {at.ordinal}\n".encode())
    assert lines.hexdigest() == "aa1cc2f9fb471874dd660808db4b3eaeb540ba240bd68ffa1fbb134f63b622ae"


# Windows and permutations.


@pytest.mark.parametrize(
    ("tokens", "count"), [(0, 0), (1, 0), (4, 0), (5, 1), (8, 1), (9, 2), (21, 5)]
)
def test_last_token_of_a_window_is_only_a_label(tokens: int, count: int) -> None:
    """A shard of n tokens has (n - 1) // L windows."""
    assert windows(tokens, 4) == count


@given(n=st.integers(1, 3000), seed=st.integers(0, 2**63 - 1))
@settings(max_examples=40)
def test_permutation_is_a_bijection(n: int, seed: int) -> None:
    """Each of 0..n-1 comes once, also where the grid is larger than n."""
    permutation = Permutation(n, seed, "epoch", "c4", 1)
    assert sorted(map(permutation, range(n))) == list(range(n))


@given(st.data())
def test_permutation_has_an_inverse(data: st.DataObject) -> None:
    """Either way round, up to the largest size."""
    n = data.draw(st.integers(1, 2**60))
    x = data.draw(st.integers(0, n - 1))
    permutation = Permutation(n, data.draw(st.integers(0, 9)), "block", 3)
    assert permutation.inverse(permutation(x)) == x
    assert permutation(permutation.inverse(x)) == x


@pytest.mark.parametrize("x", [-1, 10])
def test_permutation_refuses_places_outside(x: int) -> None:
    """A place that is not in 0..n-1 has no image."""
    permutation = Permutation(10, 0, "block", 0)
    with pytest.raises(IndexError, match=r"outside the permutation of 0\.\.9"):
        permutation(x)
    with pytest.raises(IndexError, match=r"outside the permutation of 0\.\.9"):
        permutation.inverse(x)


@pytest.mark.parametrize("n", [0, 2**60 + 1])
def test_permutation_refuses_sizes_it_has_no_grid_for(n: int) -> None:
    """Rows and columns must stay under 2**30."""
    with pytest.raises(OrderError, match=r"1 to 2\*\*60 elements"):
        Permutation(n, 0)


def test_each_epoch_has_its_own_permutation() -> None:
    """The second epoch reads the same windows in another order."""
    order = make_order(source_of_windows("a", 1, 50), sequences=100)
    by_epoch: dict[int, dict[int, int]] = {0: {}, 1: {}}
    for n in range(100):
        at = order.locate(n)
        by_epoch[at.epoch][at.ordinal % 50] = at.window
    assert sorted(by_epoch[0].values()) == sorted(by_epoch[1].values())
    assert by_epoch[0] != by_epoch[1]


# What holds for any order.


@st.composite
def orders(draw: st.DrawFn, max_sequences: int = 10**9) -> Order:
    """Draw one to seven sources, none under 1/4096 of the mixture."""
    weights = draw(st.lists(st.fractions(min_value=1, max_value=500), min_size=1, max_size=7))
    return make_order(
        *(
            SourceShards(
                f"source_{s}",
                weight,
                (5, *draw(st.lists(st.integers(0, 40), max_size=5))),
                draw(st.integers(0, 100)),
            )
            for s, weight in enumerate(weights)
        ),
        seed=draw(st.integers(0, 2**63 - 1)),
        sequences=draw(st.integers(1, max_sequences)),
    )


def shares(order: Order) -> dict[str, Fraction]:
    """Give each source's exact share of the mixture."""
    total = sum(source.weight for source in order.sources)
    return {source.name: source.weight / total for source in order.sources}


@given(orders(), st.data())
def test_each_source_has_its_share_at_every_block_boundary(
    order: Order, data: st.DataObject
) -> None:
    """Within one sequence of n * W_s / W (4.6, test 8)."""
    boundary = order.block_end(data.draw(st.integers(0, order.sequences - 1)))
    counts = order.counts(boundary)
    assert sum(counts.values()) == boundary
    for name, share in shares(order).items():
        assert abs(counts[name] - boundary * share) < 1


@given(orders(max_sequences=20_000), st.data())
@settings(max_examples=10, deadline=None)
def test_blocks_read_each_source_in_one_run_of_ordinals(order: Order, data: st.DataObject) -> None:
    """At a boundary the ordinals read are start .. start + count - 1, each once."""
    boundary = order.block_end(data.draw(st.integers(0, order.sequences - 1)))
    ordinals: dict[str, list[int]] = {source.name: [] for source in order.sources}
    for n in range(boundary):
        at = order.locate(n)
        ordinals[at.source].append(at.ordinal)
    for source in order.sources:
        end = source.start + order.counts(boundary)[source.name]
        assert sorted(ordinals[source.name]) == list(range(source.start, end))


@given(orders(), st.data())
def test_sequence_and_ordinal_are_inverse(order: Order, data: st.DataObject) -> None:
    """Whatever the weights, starts and length."""
    sequence = data.draw(st.integers(0, order.sequences - 1))
    at = order.locate(sequence)
    assert order.sequence_of(at.source, at.ordinal) == sequence


def test_sequence_and_ordinal_are_inverse_at_full_size(table_1: Order) -> None:
    """Random points of the paper's run (4.6, test 4)."""
    places = random.Random(0)
    for n in (places.randrange(RUN_SEQUENCES) for _ in range(500)):
        at = table_1.locate(n)
        assert table_1.sequence_of(at.source, at.ordinal) == n


@given(orders(), st.data())
def test_windows_lie_within_their_shard(order: Order, data: st.DataObject) -> None:
    """The last label, L tokens after the offset, is still a token of the shard."""
    at = order.locate(data.draw(st.integers(0, order.sequences - 1)))
    source = next(source for source in order.sources if source.name == at.source)
    assert at.token_offset == at.window * order.context
    assert at.token_offset + order.context < source.shard_tokens[at.shard]


def test_seven_sources_meet_their_quotas_within_one_sequence() -> None:
    """Realised counts, and their sum is exact (4.6, test 1)."""
    order = make_order(
        *(source_of_windows(name, Fraction(p), 700) for name, p in TABLE_1_SHARES.items()),
        sequences=5001,
    )
    read = Counter(order.locate(n).source for n in range(5001))
    assert read.total() == 5001
    assert read == order.counts(5001)
    for name, share in TABLE_1_SHARES.items():
        assert abs(read[name] - 5001 * Fraction(share)) < 1


def test_two_epochs_read_each_window_twice() -> None:
    """Epochs of 2: exactly twice in the whole run (4.6, test 2)."""
    order = make_order(
        source_of_windows("twice", 200, 100), source_of_windows("rest", 300, 1000), sequences=500
    )
    located = [order.locate(n) for n in range(500)]
    read = Counter(at.window for at in located if at.source == "twice")
    assert read == dict.fromkeys(range(100), 2)


def test_a_part_of_an_epoch_reads_no_window_twice() -> None:
    """Epochs of 0.64: at most once (4.6, test 2)."""
    order = make_order(source_of_windows("github", 1, 1000), sequences=640)
    assert set(Counter(order.locate(n).window for n in range(640)).values()) == {1}


@pytest.mark.parametrize("start", [0, 7])
def test_a_longer_run_keeps_all_but_the_last_block(start: int) -> None:
    """So a run that has not entered its last block may be made longer."""
    sources = (
        source_of_windows("a", Fraction(1, 3), 500, start=start),
        source_of_windows("b", Fraction(2, 3), 90, start=start),
    )
    short, long = (make_order(*sources, sequences=n) for n in (3 * 4096 - 1, 5 * 4096))
    for n in (*range(0, 4096, 100), 4095):
        assert short.locate(n) == long.locate(n)
    assert any(short.locate(n) != long.locate(n) for n in range(4096, 4196))


def test_a_started_source_reads_on() -> None:
    """A new order with ``start`` at what an earlier one read goes on with the epoch."""
    first = make_order(source_of_windows("a", 1, 30), sequences=12)
    second = make_order(source_of_windows("a", 1, 30, start=12), sequences=18)
    read = [order.locate(n).window for order in (first, second) for n in range(order.sequences)]
    assert sorted(read) == list(range(30))


def test_order_of_sources_does_not_matter() -> None:
    """Sources are numbered by name."""
    a, b = source_of_windows("a", 1, 30), source_of_windows("b", 2, 30)
    one, other = make_order(a, b), make_order(b, a)
    assert [one.locate(n) for n in range(10)] == [other.locate(n) for n in range(10)]


def test_scale_of_weights_does_not_matter() -> None:
    """Weights are shares on any scale, also fractions of one."""
    order, scaled = (
        make_order(
            source_of_windows("a", Fraction(scale), 30), source_of_windows("b", 2 * scale, 30)
        )
        for scale in (Fraction(1, 7), Fraction(12))
    )
    assert [order.locate(n) for n in range(10)] == [scaled.locate(n) for n in range(10)]


def test_random_access_equals_reading_in_a_row(table_1: Order) -> None:
    """The blocks and epochs that an order keeps change nothing."""
    row = [table_1.locate(n) for n in range(4090, 4102)]
    backwards = [table_1.locate(n) for n in reversed(range(4090, 4102))]
    assert backwards[::-1] == row


def test_an_order_can_be_sent_to_another_process(table_1: Order) -> None:
    """A loader's workers get the order pickled."""
    copy = pickle.loads(pickle.dumps(table_1))  # noqa: S301  # made one line up
    assert copy.locate(12_345) == table_1.locate(12_345)


def test_order_says_how_many_windows_an_epoch_has() -> None:
    """What epochs are counted in: M_s."""
    order = make_order(
        SourceShards("b", Fraction(1), (30,)), SourceShards("a", Fraction(1), (21, 5, 14))
    )
    assert order.windows == {"a": 9, "b": 7}


# Block boundaries.


@pytest.mark.parametrize(
    ("sequences", "sequence", "end"),
    [
        (10, 0, 10),
        (8191, 8190, 8191),
        (8192, 0, 4096),
        (8192, 4095, 4096),
        (8192, 4096, 8192),
        (10_000, 5000, 10_000),
    ],
)
def test_last_block_takes_the_remainder(sequences: int, sequence: int, end: int) -> None:
    """The last block holds 4,096 to 8,191 sequences, or all of a short run."""
    order = make_order(source_of_windows("a", 1, 30), sequences=sequences)
    assert order.block_end(sequence) == end


def test_counts_are_given_at_zero_at_boundaries_and_at_the_end() -> None:
    """``start`` is not counted: it was read before."""
    order = make_order(
        source_of_windows("a", 1, 30), source_of_windows("b", 3, 30, start=5), sequences=8200
    )
    assert order.counts(0) == {"a": 0, "b": 0}
    assert order.counts(4096) == {"a": 1024, "b": 3072}
    assert order.counts(8200) == {"a": 2050, "b": 6150}


@pytest.mark.parametrize(("sequences", "end"), [(1, 4096), (4097, 8200), (8192, 8200)])
def test_counts_within_a_block_are_refused(sequences: int, end: int) -> None:
    """Sequence 8,192 of 8,200 lies in the last block too."""
    order = make_order(source_of_windows("a", 1, 30), sequences=8200)
    with pytest.raises(OrderError, match=f"not a block boundary: the next is {end}"):
        order.counts(sequences)


# Bad input.


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seed": -1}, "seed -1: must be at least 0"),
        ({"seed": 2**63}, "under 2\\*\\*63"),
        ({"context": 0}, "context 0: must be at least 1"),
        ({"sequences": 0}, "sequences 0: the run must be at least 1"),
    ],
)
def test_numbers_out_of_range_are_refused(changed: dict[str, int], message: str) -> None:
    """Seed, context and length."""
    with pytest.raises(OrderError, match=message):
        make_order(source_of_windows("a", 1, 30), **changed)


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ((), "no sources"),
        ((SourceShards("C4", Fraction(1), (9,)),), "source 'C4': a name is made of a-z, 0-9 and _"),
        ((SourceShards("a\n", Fraction(1), (9,)),), "a name is made of"),
        ((SourceShards("a", Fraction(0), (9,)),), "weight 0 must be exact and > 0"),
        ((SourceShards("a", 0.5, (9,)),), "weight 0.5 must be exact"),  # type: ignore[arg-type]  # what is refused
        ((SourceShards("a", Fraction(1), (9,), -1),), "start -1 must be at least 0"),
        ((SourceShards("a", Fraction(1), (9, -1)),), "a shard has a negative token count"),
        ((SourceShards("a", Fraction(1), (4, 4)),), "none of its 2 train shards has more than 4"),
        ((SourceShards("a", Fraction(1), ()),), "none of its 0 train shards"),
        ((SourceShards("a", Fraction(1), (9,)),) * 2, "a source is named twice: a, a"),
    ],
)
def test_bad_sources_are_refused(sources: Sequence[SourceShards], message: str) -> None:
    """Each message names the source and what it must be."""
    with pytest.raises(OrderError, match=message):
        make_order(*sources)


def test_a_share_too_small_for_a_block_is_refused() -> None:
    """A run of one block has room for it: it rounds to 1 or 2."""
    sources = (source_of_windows("much", 4096, 30), source_of_windows("little", 1, 30))
    with pytest.raises(OrderError, match="'little' has a share under 1/4096"):
        make_order(*sources, sequences=8192)
    assert make_order(*sources, sequences=8191).counts(8191)["little"] in (1, 2)


@pytest.mark.parametrize("sequence", [-1, 10])
def test_sequences_outside_the_run_are_refused(sequence: int) -> None:
    """Both sides."""
    order = make_order(source_of_windows("a", 1, 30))
    with pytest.raises(OrderError, match=f"sequence {sequence}: the run has 0 to 9"):
        order.locate(sequence)


def test_ordinals_that_the_run_does_not_read_are_refused() -> None:
    """Before ``start``, behind the end, of another source."""
    order = make_order(source_of_windows("a", 1, 30, start=5))
    with pytest.raises(OrderError, match=r"ordinal 4 is not among the 10 .* from 5 on"):
        order.sequence_of("a", 4)
    with pytest.raises(OrderError, match="ordinal 15 is not among the 10"):
        order.sequence_of("a", 15)
    with pytest.raises(OrderError, match="no source 'b' in this order, only a"):
        order.sequence_of("b", 5)
