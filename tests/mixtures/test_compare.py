"""Two mixtures side by side, plans of assumed sizes, and the chart."""

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from mixtures.__main__ import main
from mixtures.chart import write_chart
from mixtures.commands import amounts
from mixtures.compare import difference_as_json, render_difference
from mixtures.mixture import MixtureError, changed, find, load
from mixtures.plan import Plan, make_plan

LLAMA_MIXTURE = find("llama1")
LLAMA_1T = str(LLAMA_MIXTURE.with_name("llama1_1t.toml"))


def plan_of(amounts: dict[str, str], **options: object) -> Plan:
    """Plan the paper's mixture with some other amounts."""
    mixture = changed(load(LLAMA_MIXTURE), {k: Fraction(v) for k, v in amounts.items()})
    return make_plan(mixture, context=2048, **options)  # type: ignore[arg-type]


def test_one_changed_weight() -> None:
    """All shares change, since weights are a scale; the changed source's the most."""
    found = difference_as_json(plan_of({}), plan_of({"c4": "0.2"}))
    assert found["settings"] == {}
    weights = {name: row["weight"] for name, row in found["sources"].items()}
    assert weights["c4"] == {"old": 0.15, "new": pytest.approx(0.2 / 1.05)}
    assert weights["books"] == {"old": 0.045, "new": pytest.approx(0.045 / 1.05)}
    assert sum(row["new"] for row in weights.values()) == pytest.approx(1)


def test_the_difference_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Shares in points, tokens, epochs, and the settings below."""
    assert main(["diff", str(LLAMA_MIXTURE), LLAMA_1T]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "llama1 -> llama1_1t"
    (books,) = (line.split() for line in lines if line.startswith("books"))
    assert " ".join(books) == "books 4.50% 4.50% 63.0 B 45.0 B -18.0 B 2.23 1.59 4"
    assert lines[-2:] == [
        "tokens: 1400000000000 -> 1000000000000",
        "sequences: 683593750 -> 488281250",
    ]


def test_a_source_that_one_of_two_has_not() -> None:
    """Shown as absent there, and as 0 in figures."""
    text = render_difference(plan_of({"books": "0"}), plan_of({}))
    (books,) = (line.split() for line in text.splitlines() if line.startswith("books"))
    assert books[:4] == ["books", "-", "4.50%", "+4.50"]
    found = difference_as_json(plan_of({}), plan_of({"books": "0"}))
    assert found["sources"]["books"]["sequences"]["new"] == 0


def test_no_difference() -> None:
    """Which is worth knowing: a run may go on."""
    assert render_difference(plan_of({}), plan_of({})).endswith(
        "No difference: both read the same sequences in the same order."
    )


def test_too_little_data_is_told() -> None:
    """A plan that cannot be run is no error here: the reader is deciding."""
    text = render_difference(plan_of({}), plan_of({"books": "0.2"}))
    assert "too little data: 'books' for" in text


def test_the_command_changes_amounts(capsys: pytest.CaptureFixture[str]) -> None:
    """By --set, of the second mixture or of the first."""
    words = ["diff", str(LLAMA_MIXTURE), "--set", "c4=0.2", "commoncrawl=0.62", "--json"]
    assert main(words) == 0
    sources = json.loads(capsys.readouterr().out)["sources"]
    assert sources["c4"]["weight"] == {"old": 0.15, "new": 0.2}
    assert sources["arxiv"]["weight"] == {"old": 0.025, "new": 0.025}
    assert main(["diff", str(LLAMA_MIXTURE)]) == 1
    assert "give a second mixture, or --set" in capsys.readouterr().err
    assert main(["plan", "--set", "book=1"]) == 1
    assert "unknown source 'book'. Did you mean 'books'?" in capsys.readouterr().err


def test_changed_amounts_are_checked() -> None:
    """Nothing left to read is an error; a mixture of tokens has another budget."""
    mixture = load(LLAMA_MIXTURE)
    with pytest.raises(MixtureError, match="every source has weight 0"):
        changed(mixture, {source.name: Fraction() for source in mixture.sources})
    assert changed(mixture, {}) is mixture


def test_assumed_sizes(write_manifest: Callable[..., Path]) -> None:
    """Of a source that has no shards yet, or instead of them, or of the paper's size."""
    plan = plan_of({}, assumed={"books": 56_600_000_000})
    books = next(source for source in plan.sources if source.name == "books")
    assert round(float(books.epochs), 3) == round(63 / 56.6, 3)
    c4 = next(source for source in plan.sources if source.name == "c4")
    assert round(float(c4.epochs), 2) == 1.06
    tokens = write_manifest("c4", 210_001)
    mixture = changed(load(LLAMA_MIXTURE), {"commoncrawl": Fraction(), "arxiv": Fraction()})
    sizes = dict.fromkeys(("github", "wikipedia", "books", "stackexchange"), 70_000)
    plan = make_plan(mixture, tokens, context=10, sequences=10_000, assumed=sizes)
    assert {source.name: source.windows for source in plan.sources} == {
        "c4": 21_000, **dict.fromkeys(sizes, 6999),
    }  # fmt: skip


def test_assumed_sizes_by_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    """They are told apart from what is measured."""
    assert main(["plan", "--assume", "books=40B", "wikipedia=1.5T"]) == 0
    assert "Assumed, not measured: books 40.0 B, wikipedia 1.5 T tokens." in capsys.readouterr().out
    assert main(["plan", "--assume", "bok=1"]) == 1
    assert "a size is assumed of 'bok'; the mixture has commoncrawl, c4" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["books", "books=", "=1", "books=x", "books=-1", "books=1/0"])
def test_amounts_that_are_none(text: str) -> None:
    """Refused with an example of what is meant."""
    with pytest.raises(Exception, match=r"such as books=28\.5B"):
        amounts([text])


def test_the_chart(tmp_path: Path) -> None:
    """Texts can be read and searched in the picture, and the bytes are the same each time."""
    for name in ("a.svg", "b.svg"):
        write_chart(plan_of({}), tmp_path / name)
    content = (tmp_path / "a.svg").read_bytes()
    assert content == (tmp_path / "b.svg").read_bytes()
    root = ET.fromstring(content)  # noqa: S314 - our own file
    texts = ["".join(node.itertext()).strip() for node in root.iterfind(".//{*}text")]
    for expected in ("wikipedia  4.50%", "63.0 B", "2.45", "epochs", "billions of tokens"):
        assert expected in texts
    with pytest.raises(MixtureError, match=r"ends in \.svg"):
        write_chart(plan_of({}), tmp_path / "a.png")
    with pytest.raises(MixtureError, match="cannot be written: No such file or directory"):
        write_chart(plan_of({}), tmp_path / "absent" / "a.svg")
