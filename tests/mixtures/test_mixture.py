"""Mixture files: what they may say, and what is told to someone who wrote another thing."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

import mixtures
from mixtures.mixture import Mixture, MixtureError, MixtureSource, load
from mixtures.paper import TABLE_1

WriteMixture = Callable[[str], Path]
PACKAGE = Path(mixtures.__file__).parent


def test_a_mixture_says_what_each_source_gives(write_mixture: WriteMixture) -> None:
    """Every key, and a source's own max_epochs before the mixture's."""
    path = write_mixture("""
        name = "two"
        tokens = 1_000
        seed = 7
        max_epochs = 2
        on_exhausted = "cap"
        [sources]
        c4 = {weight = 0.75, paper_epochs = 1.06}
        books = {weight = 0.25, max_epochs = 3.5}
    """)
    assert load(path) == Mixture(
        name="two",
        kind="weight",
        tokens=1000,
        seed=7,
        on_exhausted="cap",
        sources=(
            MixtureSource("c4", Fraction(3, 4), Fraction(2), Fraction(106, 100)),
            MixtureSource("books", Fraction(1, 4), Fraction(7, 2), None),
        ),
    )


def test_a_mixture_needs_no_more_than_amounts(write_mixture: WriteMixture) -> None:
    """Defaults: the file's name, seed 0, four epochs, and an error beyond them."""
    mixture = load(write_mixture("[sources]\nc4 = {epochs = 1}"))
    assert mixture == Mixture(
        name="mix",
        kind="epochs",
        tokens=None,
        seed=0,
        on_exhausted="error",
        sources=(MixtureSource("c4", Fraction(1), Fraction(4), None),),
    )


def test_weights_are_the_fractions_that_the_file_writes(write_mixture: WriteMixture) -> None:
    """0.1 is a tenth, which no float is."""
    mixture = load(write_mixture("tokens = 1.4e12\n[sources]\nc4 = {weight = 0.1}"))
    assert mixture.sources[0].amount == Fraction(1, 10)
    assert mixture.tokens == 1_400_000_000_000


def test_other_sources_are_named_first(write_mixture: WriteMixture) -> None:
    """A name outside the corpus must be meant."""
    path = write_mixture('extra_sources = ["patents"]\n[sources]\npatents = {epochs = 1}')
    assert [source.name for source in load(path).sources] == ["patents"]


@pytest.mark.parametrize(
    ("name", "budget"), [("llama1", 1_400_000_000_000), ("llama1_1t", 1_000_000_000_000)]
)
def test_the_papers_mixtures_are_table_1(name: str, budget: int) -> None:
    """Shares that sum to 1, and the epochs of Table 1 scaled to the budget."""
    mixture = load(PACKAGE / f"{name}.toml")
    assert (mixture.name, mixture.tokens) == (name, budget)
    assert {source.name: source.amount for source in mixture.sources} == {
        name: row.share for name, row in TABLE_1.items()
    }
    for source in mixture.sources:
        epochs = TABLE_1[source.name].epochs * budget / 1_400_000_000_000
        assert source.paper_epochs == round(epochs, 2)


def test_the_demo_weighs_its_sources_as_table_1() -> None:
    """Also when a line is added to it."""
    for source in load(PACKAGE / "demo.toml").sources:
        assert source.amount == TABLE_1[source.name].share


def test_table_1_implies_the_unique_tokens() -> None:
    """Share x 1.4 T / epochs, in billions (spec ``tokens.md`` 4.1)."""
    assert {name: round(row.unique_tokens / 1e9, 1) for name, row in TABLE_1.items()} == {
        "commoncrawl": 852.7,
        "c4": 198.1,
        "github": 98.4,
        "wikipedia": 25.7,
        "books": 28.3,
        "arxiv": 33.0,
        "stackexchange": 27.2,
    }


C4 = "[sources]\nc4 = {weight = 1}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "tokens = 9\n[sources]\ngithb = {weight = 1}",
            "unknown source 'githb'. Did you mean 'github'?",
        ),
        ("tokens = 9\n[sources]\nC4 = {weight = 1}", "unknown source 'C4'. Did you mean 'c4'?"),
        (
            "tokens = 9\n[sources]\npatents = {weight = 1}",
            (
                "unknown source 'patents'. Known: commoncrawl, c4, github, wikipedia, books, "
                "arxiv, stackexchange. Name other sources in extra_sources."
            ),
        ),
        (f"token = 9\n{C4}", "unknown key 'token'. Did you mean 'tokens'?"),
        (
            "tokens = 9\n[sources]\nc4 = {wieght = 1}",
            "source 'c4': unknown key 'wieght'. Did you mean 'weight'?",
        ),
        ("tokens = 9", "no sources: add a table [sources] with a line for each"),
        ("tokens = 9\n[sources]", "no sources: add a table [sources] with a line for each"),
        ("tokens = 9\nsources = 3", "no sources: add a table [sources] with a line for each"),
        (
            "tokens = 9\n[sources]\nc4 = 0.1",
            "source 'c4': must be a table, as in c4 = {weight = 0.1}",
        ),
        (
            "tokens = 9\n[sources]\nc4 = {}",
            "source 'c4': give one of weight, epochs, tokens, not none",
        ),
        (
            "[sources]\nc4 = {weight = 1, epochs = 2}",
            "source 'c4': give one of weight, epochs, tokens, not weight and epochs",
        ),
        (
            "tokens = 9\n[sources]\nc4 = {weight = 1}\nbooks = {epochs = 2}",
            "source 'books' gives epochs, source 'c4' gives weight: use one kind in a mixture",
        ),
        (C4, "weights need a budget: add tokens = .., the length of the run"),
        (
            "tokens = 9\n[sources]\nc4 = {tokens = 5}\nbooks = {tokens = 5}",
            (
                "the sources' tokens add up to 10, the budget is 9: leave out the budget, or give "
                "weights"
            ),
        ),
        ("[sources]\nc4 = {tokens = 5.5}", "source 'c4': tokens must be a whole number"),
        ("tokens = 9\n[sources]\nc4 = {weight = -1}", "source 'c4': weight must be at least 0"),
        (
            "tokens = 9\n[sources]\nc4 = {weight = 0}",
            "every source has weight 0: nothing is left to read",
        ),
        (
            'tokens = 9\n[sources]\nc4 = {weight = "1"}',
            "source 'c4': weight must be a number, not '1'",
        ),
        (
            "tokens = 9\n[sources]\nc4 = {weight = true}",
            "source 'c4': weight must be a number, not true",
        ),
        ("tokens = 9\n[sources]\nc4 = {weight = nan}", "Invalid literal for Fraction: 'nan'"),
        (
            "tokens = 9\n[sources]\nc4 = {weight = 1, max_epochs = 0}",
            "source 'c4': max_epochs must be more than 0",
        ),
        (f"tokens = 9\nmax_epochs = -1\n{C4}", "max_epochs must be more than 0"),
        (f"tokens = 0\n{C4}", "tokens must be at least 1"),
        (f"tokens = 1.5\n{C4}", "tokens must be a whole number"),
        (f"tokens = 9\nseed = -1\n{C4}", "seed must be at least 0"),
        (f"tokens = 9\nseed = {2**63}\n{C4}", f"seed must be at most {2**63 - 1}"),
        (f"tokens = 9\nname = 3\n{C4}", "name must be a text, not 3"),
        (
            f'tokens = 9\non_exhausted = "stop"\n{C4}',
            'on_exhausted must be "error" or "cap" or "repeat", not \'stop\'',
        ),
        (
            f'tokens = 9\nextra_sources = ["C4"]\n{C4}',
            "extra_sources must be a list of names made of a-z, 0-9 and _",
        ),
        ("[sources\n", "Expected ']' at the end of a table declaration (at line 1, column 9)"),
    ],
)
def test_a_wrong_mixture_says_what_to_mend(
    write_mixture: WriteMixture, text: str, message: str
) -> None:
    """The file's name, the place, and what it should be."""
    with pytest.raises(MixtureError) as error:
        load(write_mixture(text))
    assert str(error.value) == f"mix.toml: {message}"


def test_a_missing_mixture_is_named_with_its_folder(tmp_path: Path) -> None:
    """Most often the folder is wrong."""
    path = tmp_path / "none.toml"
    with pytest.raises(MixtureError) as error:
        load(path)
    assert str(error.value) == (
        f"{path}: no such file or mixture: those of the package are demo, llama1, llama1_1t"
    )


def test_a_mixture_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """Such as a shard given by mistake."""
    path = tmp_path / "mix.toml"
    path.write_bytes(b"\xff")
    with pytest.raises(MixtureError, match=r"^mix\.toml: 'utf-8' codec can't decode"):
        load(path)
