"""A plan as text and as JSON."""

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

import mixtures
from mixtures.mixture import Mixture, MixtureSource, OnExhausted, load
from mixtures.plan import Plan, make_plan
from mixtures.render import as_json, render, short

WriteManifest = Callable[..., Path]
LLAMA_1 = Path(mixtures.__file__).with_name("llama1.toml")


def plan_of_two(write_manifest: WriteManifest, on_exhausted: OnExhausted = "error") -> Plan:
    """Plan 30 sequences of 12 windows of the books and 40 of patents, half and half."""
    write_manifest("books", 21, 5, 26)
    tokens = write_manifest("patents", 4 * 40 + 1)
    sources = tuple(
        MixtureSource(name, Fraction(1, 2), Fraction(1), None) for name in ("books", "patents")
    )
    mixture = Mixture("two", "weight", 120, 3, on_exhausted, sources)
    return make_plan(mixture, tokens, context=4)


def test_the_papers_mixture_stands_beside_table_1() -> None:
    """Share, tokens, epochs and sequences; then the paper's, and RedPajama's."""
    text = render(make_plan(load(LLAMA_1), context=2048))
    assert (
        text
        == """\
llama1: 1,400,000,000,000 tokens, 683,593,750 sequences of 2,048, seed 0

source           share   tokens  epochs    sequences  paper: share  epochs   unique  RedPajama
commoncrawl     67.00%  938.0 B    1.10  458,007,812        67.00%    1.10  852.7 B    878.0 B
c4              15.00%  210.0 B    1.06  102,539,063        15.00%    1.06  198.1 B    175.0 B
github           4.50%   63.0 B    0.64   30,761,719         4.50%    0.64   98.4 B     59.0 B
wikipedia        4.50%   63.0 B    2.45   30,761,719         4.50%    2.45   25.7 B     24.0 B
books            4.50%   63.0 B    2.23   30,761,719         4.50%    2.23   28.3 B     26.0 B
arxiv            2.50%   35.0 B    1.06   17,089,843         2.50%    1.06   33.0 B     28.0 B
stackexchange    2.00%   28.0 B    1.03   13,671,875         2.00%    1.03   27.2 B     20.0 B
total          100.00%    1.4 T          683,593,750

Epochs follow from the paper's unique tokens: no token shards were given.
Paper: Table 1, at 1.4 T tokens, or the mixture's paper_epochs. RedPajama: by another tokenizer."""
    )


def test_shards_and_what_is_missing_are_shown(write_manifest: WriteManifest) -> None:
    """A source that the paper does not have leaves its columns empty."""
    text = render(plan_of_two(write_manifest))
    assert (
        text
        == """\
two: 120 tokens, 30 sequences of 4, seed 3

source     share  tokens  epochs  sequences  missing  paper: share  epochs  unique  RedPajama
books     50.00%      60    1.25         15       12         4.50%    2.23  28.3 B     26.0 B
patents   50.00%      60    0.38         15        0
total    100.00%     120                 30

source   shards  tokens  windows  max epochs  never read: tail tokens  windows
books         3      52       12           1                        1        0
patents       1     161       40           1                        0       25

Never read: tails, which fill no window, and windows after the run's end.
Paper: Table 1, at 1.4 T tokens, or the mixture's paper_epochs. RedPajama: by another tokenizer.
Missing: tokens that the mixture asks for beyond max_epochs."""
    )


def test_a_cap_shows_what_was_asked_for(write_manifest: WriteManifest) -> None:
    """The share before and after."""
    lines = render(plan_of_two(write_manifest, "cap")).splitlines()
    assert lines[2].split()[:3] == ["source", "asked", "share"]
    assert lines[3].split()[:3] == ["books", "50.00%", "40.00%"]
    assert lines[4].split()[:3] == ["patents", "50.00%", "60.00%"]
    assert "Capped at max_epochs, the others share the rest. Asked: without the cap." in lines


def test_json_keeps_exact_fractions(write_manifest: WriteManifest) -> None:
    """Weight, tokens and epochs as numbers and as fractions."""
    plan = json.loads(json.dumps(as_json(plan_of_two(write_manifest, "cap"))))
    assert (plan["mixture"], plan["kind"], plan["sequences"]) == ("two", "weight", 30)
    books, patents = plan["sources"]
    assert (books["weight"], books["weight_exact"]) == (0.4, "2/5")
    assert (patents["epochs"], patents["epochs_exact"]) == (0.45, "9/20")
    assert (books["tokens"], books["tokens_exact"]) == (48.0, "48")
    assert (books["paper_weight"], patents["paper_weight"]) == (0.045, None)


@pytest.mark.parametrize(
    ("tokens", "shown"),
    [(0, "0"), (999, "999"), (1000, "1.0 k"), (26_160, "26.2 k"), (1_400_000_000_000, "1.4 T")],
)
def test_figures_have_a_unit(tokens: int, shown: str) -> None:
    """Thousands to trillions."""
    assert short(tokens) == shown
