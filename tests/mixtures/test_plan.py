"""Plans: weight, tokens and epochs of each source, and what happens when data runs out."""

from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixtures.mixture import Mixture, MixtureError, MixtureSource
from mixtures.order import OrderError
from mixtures.paper import TABLE_1
from mixtures.plan import _cap, _Supply, corpus_order, make_plan

WriteManifest = Callable[..., Path]


def mixture_of(
    amounts: dict[str, str | int], *, max_epochs: int | str = 4, **changed: object
) -> Mixture:
    """Make a mixture by weight, without a budget; keyword arguments replace its fields."""
    fields: dict[str, object] = {
        "name": "mix",
        "kind": "weight",
        "tokens": None,
        "seed": 0,
        "on_exhausted": "error",
        "sources": tuple(
            MixtureSource(name, Fraction(amount), Fraction(max_epochs), None)
            for name, amount in amounts.items()
        ),
    }
    return Mixture(**(fields | changed))  # type: ignore[arg-type]  # names and values above


@pytest.fixture
def tokens(write_manifest: WriteManifest) -> Path:
    """Token shards of two sources: 12 windows of 4 tokens, and 40."""
    write_manifest("books", 21, 5, 26)  # windows 5, 1, 6
    return write_manifest("c4", 4 * 40 + 1)


# One kind is given, the other two follow.


def test_weights_give_tokens_and_epochs(tokens: Path) -> None:
    """T_i = T * w_i, e_i = T_i / u_i: 100 tokens, in quarters."""
    plan = make_plan(mixture_of({"books": 3, "c4": 9}, tokens=100), tokens, context=4)
    books, c4 = plan.sources
    assert (books.weight, books.tokens, books.epochs) == (
        Fraction(1, 4),
        Fraction(25),
        Fraction(25, 48),
    )
    assert (c4.weight, c4.tokens, c4.epochs) == (Fraction(3, 4), Fraction(75), Fraction(75, 160))


def test_epochs_give_tokens_and_weights(tokens: Path) -> None:
    """T_i = e_i * u_i, and T is their sum."""
    mixture = mixture_of({"books": 2, "c4": "0.9"}, kind="epochs")
    plan = make_plan(mixture, tokens, context=4)
    assert plan.tokens == 240
    assert [source.tokens for source in plan.sources] == [96, 144]
    assert [source.weight for source in plan.sources] == [Fraction(2, 5), Fraction(3, 5)]
    assert [source.epochs for source in plan.sources] == [2, Fraction(9, 10)]


def test_epochs_are_scaled_to_a_budget(tokens: Path) -> None:
    """Half the budget, half of each source's epochs."""
    mixture = mixture_of({"books": 2, "c4": "0.9"}, kind="epochs", tokens=120)
    plan = make_plan(mixture, tokens, context=4)
    assert [source.epochs for source in plan.sources] == [1, Fraction(9, 20)]


def test_tokens_give_weights_and_epochs(tokens: Path) -> None:
    """Absolute tokens: their sum is the run."""
    plan = make_plan(mixture_of({"books": 24, "c4": 72}, kind="tokens"), tokens, context=4)
    assert plan.sequences == 24
    assert [source.weight for source in plan.sources] == [Fraction(1, 4), Fraction(3, 4)]
    assert [source.epochs for source in plan.sources] == [Fraction(1, 2), Fraction(9, 20)]


def test_a_budget_is_rounded_up_to_whole_sequences(tokens: Path) -> None:
    """101 tokens are 26 sequences of 4."""
    plan = make_plan(mixture_of({"c4": 1}, tokens=101), tokens, context=4)
    assert (plan.sequences, plan.tokens) == (26, 104)


def test_the_length_of_a_run_goes_before_the_budget(tokens: Path) -> None:
    """A trainer's steps times batch."""
    plan = make_plan(mixture_of({"c4": 1}, tokens=100), tokens, context=4, sequences=8)
    assert plan.sources[0].sequences == 8
    assert plan.sources[0].epochs == Fraction(8, 40)


def test_quotas_are_those_of_the_order(tokens: Path) -> None:
    """Whole sequences, counted where they are read."""
    mixture = mixture_of({"books": 1, "c4": 2})
    plan = make_plan(mixture, tokens, context=4, sequences=50)
    read = Counter(plan.order.locate(n).source for n in range(50))
    assert {source.name: source.sequences for source in plan.sources} == read
    assert [source.sequences for source in plan.sources] == [16, 34]


def test_a_source_of_weight_zero_is_left_out(tokens: Path) -> None:
    """It needs no shards either."""
    plan = make_plan(mixture_of({"c4": 1, "arxiv": 0}), tokens, context=4, sequences=8)
    assert [source.name for source in plan.sources] == ["c4"]


def test_what_is_never_read_is_counted(tokens: Path) -> None:
    """Of 21, 5 and 26 tokens, the last fills no window; of 12 windows the run reads 7."""
    plan = make_plan(mixture_of({"books": 1}), tokens, context=4, sequences=7)
    (books,) = plan.sources
    assert (books.shards, books.stored_tokens, books.windows) == (3, 52, 12)
    assert (books.tail_tokens, books.unread_windows) == (1, 5)


def test_a_shard_without_a_window_is_all_tail(write_manifest: WriteManifest) -> None:
    """Four tokens have no label for the fourth."""
    tokens = write_manifest("c4", 5, 4, 0)
    plan = make_plan(mixture_of({"c4": 1}), tokens, context=4, sequences=1)
    assert plan.sources[0].tail_tokens == 4


# Without token shards.


def test_without_shards_the_sizes_are_the_papers() -> None:
    """Table 1's weights over 1.4 T tokens give Table 1's epochs."""
    mixture = mixture_of(
        {name: str(row.share) for name, row in TABLE_1.items()}, tokens=1_400_000_000_000
    )
    plan = make_plan(mixture, context=2048)
    assert not plan.measured
    assert plan.sequences == 683_593_750
    for source in plan.sources:
        assert round(source.epochs, 2) == TABLE_1[source.name].epochs
        assert source.paper_epochs == TABLE_1[source.name].epochs


def test_without_shards_a_source_of_ones_own_has_no_size() -> None:
    """It cannot be guessed."""
    with pytest.raises(MixtureError, match=r"no source 'patents': give --tokens"):
        make_plan(mixture_of({"patents": 1}, tokens=100), context=4)


def test_the_mixtures_figure_goes_before_table_1(tokens: Path) -> None:
    """Epochs of a paper's other run, such as 1.0 T tokens."""
    source = MixtureSource("c4", Fraction(1), Fraction(4), Fraction("0.76"))
    plan = make_plan(mixture_of({}, sources=(source,)), tokens, context=4, sequences=1)
    assert plan.sources[0].paper_epochs == Fraction("0.76")


# More than max_epochs.


def test_too_many_epochs_are_a_problem(tokens: Path) -> None:
    """The plan is still made, to be looked at; a run is not."""
    mixture = mixture_of({"books": 1, "c4": 1}, max_epochs=2)
    plan = make_plan(mixture, tokens, context=4, sequences=60)
    assert [source.shortfall for source in plan.sources] == [24, 0]
    assert plan.problems == ("'books' for 2.50 epochs (max_epochs 2, 24 tokens missing)",)
    with pytest.raises(MixtureError) as error:
        corpus_order(mixture, tokens, context=4, sequences=60)
    assert str(error.value) == (
        "mix: too little data: 'books' for 2.50 epochs (max_epochs 2, 24 tokens missing). Lower "
        'the budget, raise max_epochs, add data, or set on_exhausted to "cap" or "repeat"'
    )


def test_exactly_max_epochs_is_no_problem(tokens: Path) -> None:
    """12 windows, twice, are 24 sequences."""
    plan = make_plan(mixture_of({"books": 1}, max_epochs=2), tokens, context=4, sequences=24)
    assert plan.problems == ()


def test_a_source_may_be_repeated(tokens: Path) -> None:
    """The shortfall is still told."""
    mixture = mixture_of({"books": 1}, on_exhausted="repeat")
    plan = make_plan(mixture, tokens, context=4, sequences=120)
    assert plan.problems == ()
    assert plan.sources[0].epochs == 10
    assert plan.sources[0].shortfall == 4 * (120 - 48)


def test_what_a_capped_source_lacks_the_others_share(tokens: Path) -> None:
    """Books are held at 24 of the 30 sequences that they are asked for."""
    mixture = mixture_of({"books": 1, "c4": 1}, max_epochs=2, on_exhausted="cap")
    plan = make_plan(mixture, tokens, context=4, sequences=60)
    books, c4 = plan.sources
    assert books.sequences == 24
    assert books.epochs == 2
    assert books.shortfall == 4 * (30 - 24)
    assert (books.asked_weight, books.weight) == (Fraction(1, 2), Fraction(2, 5))
    assert (c4.sequences, c4.weight) == (36, Fraction(3, 5))
    assert plan.problems == ()


def test_sharing_may_cap_another_source(write_manifest: WriteManifest) -> None:
    """Of 40 for each, books give 12 and c4 40 of the 54 that then fall to it; arxiv the rest."""
    write_manifest("books", 4 * 12 + 1)
    write_manifest("c4", 4 * 40 + 1)
    tokens = write_manifest("arxiv", 4 * 90 + 1)
    mixture = mixture_of({"books": 1, "c4": 1, "arxiv": 1}, max_epochs=1, on_exhausted="cap")
    plan = make_plan(mixture, tokens, context=4, sequences=120)
    assert [source.sequences for source in plan.sources] == [12, 40, 68]


def test_a_cap_takes_whole_windows(tokens: Path) -> None:
    """A third of 40 windows are 13."""
    mixture = mixture_of({"books": 1, "c4": 9}, max_epochs="1/3", on_exhausted="cap")
    sources = make_plan(mixture, tokens, context=4, sequences=15).sources
    assert {source.name: source.sequences for source in sources} == {"books": 2, "c4": 13}


def test_capped_sources_must_still_fill_the_run(tokens: Path) -> None:
    """No source is left to take the rest."""
    mixture = mixture_of({"books": 1, "c4": 1}, max_epochs=1, on_exhausted="cap")
    with pytest.raises(MixtureError, match="together give 52 sequences, the run takes 53"):
        make_plan(mixture, tokens, context=4, sequences=53)


@given(
    st.lists(
        st.tuples(st.integers(1, 50), st.fractions(min_value=1, max_value=99, max_denominator=50)),
        min_size=1,
        max_size=6,
    ),
    st.data(),
)
def test_capped_quotas_fill_the_run_within_all_limits(
    sources: list[tuple[int, Fraction]], data: st.DataObject
) -> None:
    """And sources that are not capped keep their proportions."""
    supplies = [
        _Supply(MixtureSource(f"s{number}", weight, Fraction(2), None), (), windows, 0)
        for number, (windows, weight) in enumerate(sources)
    ]
    weights = [weight / sum(weight for _, weight in sources) for _, weight in sources]
    sequences = data.draw(st.integers(1, sum(2 * windows for windows, _ in sources)))
    capped = _cap(supplies, weights, sequences)
    assert sum(capped) == 1
    ratios = set()
    for supply, weight, asked in zip(supplies, capped, weights, strict=True):
        assert weight * sequences <= supply.limit
        if weight * sequences < supply.limit:
            ratios.add(weight / asked)
    assert len(ratios) <= 1
    assert all(ratio >= 1 for ratio in ratios)


def test_earlier_orders_count_towards_max_epochs(tokens: Path) -> None:
    """Of 24 sequences in two epochs, 20 were read before."""
    mixture = mixture_of({"books": 1, "c4": 1}, max_epochs=2, on_exhausted="cap")
    plan = make_plan(mixture, tokens, context=4, sequences=20, start={"books": 20})
    assert [source.sequences for source in plan.sources] == [4, 16]
    located = [plan.order.locate(n) for n in range(20)]
    assert {at.ordinal for at in located if at.source == "books"} == {20, 21, 22, 23}


def test_a_source_that_was_read_up_is_left_out(tokens: Path) -> None:
    """A cap of nothing more: the plan shows it, the order has no such source."""
    mixture = mixture_of({"books": 1, "c4": 1}, max_epochs=2, on_exhausted="cap")
    plan = make_plan(mixture, tokens, context=4, sequences=20, start={"books": 24})
    assert [source.sequences for source in plan.sources] == [0, 20]
    assert [source.name for source in plan.order.sources] == ["c4"]


# The order of a corpus.


def test_an_order_names_the_shards(tokens: Path) -> None:
    """In the order in which locations count them."""
    corpus = corpus_order(mixture_of({"books": 1, "c4": 1}), tokens, context=4, sequences=20)
    assert corpus.shards == {
        "books": tuple(f"shard-{number:05d}-of-00003" for number in range(3)),
        "c4": ("shard-00000-of-00001",),
    }
    assert corpus.order.sequences == 20


def test_an_order_tells_what_it_was_made_from(write_manifest: WriteManifest) -> None:
    """A loader refuses to resume on other shards or other weights."""
    tokens = write_manifest("c4", 100, 200)
    write_manifest("books", 100)
    mixture = mixture_of({"c4": 1, "books": 1})
    first = corpus_order(mixture, tokens, context=4, sequences=20)
    same = corpus_order(
        mixture_of({"books": 2, "c4": 2}, name="other"), tokens, context=4, sequences=20
    )
    assert (same.mixture_sha256, same.shards_sha256) == (first.mixture_sha256, first.shards_sha256)

    weighed = corpus_order(mixture_of({"c4": 1, "books": 2}), tokens, context=4, sequences=20)
    assert weighed.mixture_sha256 != first.mixture_sha256
    assert weighed.shards_sha256 == first.shards_sha256

    started = corpus_order(mixture, tokens, context=4, sequences=20, start={"c4": 1})
    assert started.mixture_sha256 != first.mixture_sha256

    write_manifest("c4", 200, 100)
    swapped = corpus_order(mixture, tokens, context=4, sequences=20)
    assert swapped.shards_sha256 != first.shards_sha256
    assert swapped.mixture_sha256 == first.mixture_sha256


# Bad input.


def test_a_source_without_a_window_is_refused(tokens: Path) -> None:
    """The context is longer than every shard."""
    with pytest.raises(MixtureError, match="'books' has no window: none of its 3 train shards"):
        make_plan(mixture_of({"books": 1}), tokens, context=26, sequences=1)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"context": 0}, "context 0: must be at least 1"),
        ({"sequences": 0}, "sequences 0: the run must be at least 1"),
        ({"start": {"c4": -1}}, "start -1 must be at least 0"),
    ],
)
def test_numbers_out_of_range_are_refused(
    tokens: Path, changed: dict[str, object], message: str
) -> None:
    """Before anything is divided by them."""
    arguments = {"context": 4, "sequences": 1} | changed
    with pytest.raises(OrderError, match=message):
        make_plan(mixture_of({"c4": 1}), tokens, **arguments)  # type: ignore[arg-type]  # as above
