"""A plan: its page, its arithmetic, its agreement with a demo that was run, and its errors."""

import json
import shutil
from pathlib import Path

import pytest

from pipelines.__main__ import main
from pipelines.catalog import MODELS, SOURCES
from pipelines.planning.estimate import paid_core_hours, plan_shape, plan_step
from pipelines.planning.measured import measured, parts_of
from pipelines.planning.page import shown, span
from pipelines.planning.tables import Prices, Rates, Size, Span, bundled, prices_of, rates_of
from pipelines.samples.github import write_github_export

HERE = Path(__file__).parent
DOCS = Path(__file__).parents[3] / "docs"
MACHINE = '[machines]\nm = "a machine"\n'
RATE = """
[[rates]]
step = "github"
machine = "m"
date = "2026-01-01"
command = "make"
input_bytes = 1_000
cpu_seconds = 12.0
fixed_seconds = 2.0
text_bytes = 500
written_bytes = 250
shuffled_bytes = 100
slower = 2.0
unit_requests = [3, 5]
"""


@pytest.fixture
def rates() -> Rates:
    """Return the rates of the package."""
    return rates_of(*bundled("rates.toml"))


@pytest.fixture
def prices() -> Prices:
    """Return the prices of the package."""
    return prices_of(*bundled("prices.toml"))


def _refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Return the one line in which a command is refused."""
    assert main(["plan", *words]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_the_page_of_the_docs_is_what_the_command_prints(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """``python -m pipelines plan llama1 > docs/plan.md`` makes it."""
    assert main(["plan", "llama1"]) == 0
    assert capsys.readouterr().out == (DOCS / "plan.md").read_text("utf-8")


def test_the_plan_of_the_demo_agrees_with_what_it_took(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Within a factor of 1.5, by figures that were recorded: rates are of the real sample."""
    words = ["demo", "--sizes", str(HERE / "demo_inputs.toml"), "--compare", str(HERE / "built")]
    assert main(["plan", *words]) == 0
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in capsys.readouterr().out.splitlines()
    ]
    assert {row[0] for row in rows[2:-1]} == set(parts_of(str(HERE / "built")))
    assert all(float(row[1]) > 0 for row in rows[2:-1])  # nothing that was done is left out
    what, planned, took, _ = rows[-1]
    assert what == "**all**"
    assert 1 / 1.5 < float(planned) / float(took) < 1.5


def test_a_step_is_in_proportion_to_the_measured_run() -> None:
    """Fixed seconds once, the others per byte; the high figure times what makes it slower."""
    toml = rates_of({"machines": {"m": "x"}, "rates": [_table(RATE)]}, "a.toml")
    step = plan_step("github", Size((4, 8), (2_000, 4_000), "made", (100, 100)), toml)
    assert step.cpu_seconds == Span(2 + 20, 2 + 80)
    assert step.shuffled_bytes == Span(200, 400)
    assert step.written_bytes == Span(50, 50)  # half of the text, as in the measured run
    assert step.units == Span(4, 8)
    assert step.requests == Span(12, 40)


def _table(text: str) -> dict[str, object]:
    """Return the one rate of a text."""
    import tomllib  # noqa: PLC0415 - of this helper alone

    return dict(tomllib.loads(text)["rates"][0])


def test_paid_hours_hold_what_waits_and_what_is_lost(prices: Prices) -> None:
    """Efficiency divides; spot machines do a share again; cores are rounded up to machines."""
    hours = Span(100.0, 100.0)
    paid, spot = (paid_core_hours(hours, prices, spot=spot) for spot in (False, True))
    working = prices.assumed("efficiency")
    assert paid == Span(100 / working.high, 100 / working.low)
    assert paid.high < spot.high < 1.1 * paid.high
    shape = next(shape for shape in prices.shapes if shape.cores == 16)
    plan = plan_shape(hours, 20, shape, prices, spot=False)
    assert plan.machines == 2
    assert plan.wall_hours.low == pytest.approx(paid.low / 32)
    assert plan.dollars.low == pytest.approx(2 * plan.wall_hours.low * shape.on_demand)


def test_every_figure_says_where_it_comes_from(rates: Rates, prices: Prices) -> None:
    """Machine, date and command of a rate; date and origin of a price."""
    for rate in rates.of.values():
        assert rate.machine in rates.machines
        assert rate.date
        assert rate.command
        assert bool(rate.slower_why) == (rate.slower > 1)
    for shape in prices.shapes:
        assert shape.date
        assert shape.origin
    assert all(one.origin for one in prices.assumptions.values())


def test_rates_of_finished_runs_take_the_place_of_known_ones(tmp_path: Path, rates: Rates) -> None:
    """Of a run directory, and of its shards; what a run does not tell stays."""
    inputs, run, shards = tmp_path / "in", tmp_path / "github", tmp_path / "tokens" / "github"
    write_github_export(inputs, megabytes=0.5)
    assert main(["github", "--input", str(inputs), "--run", str(run), "--quiet"]) == 0
    model = ["tokenizer", "train", "--input", str(run), "--model_prefix", str(tmp_path / "m")]
    from tokenizer.__main__ import main as tokenizer  # noqa: PLC0415 - of this test alone

    assert tokenizer([*model[1:], "--vocab_size", "400"]) == 0
    words = ["tokenize", "--runs", str(run), "--tokenizer", str(tmp_path / "m.model")]
    assert main([*words, "--out", str(shards), "--quiet"]) == 0
    took = json.loads((run / "timings.json").read_text())["took"]
    found = measured(rates, [str(tmp_path)])
    ours = found.of["github"]
    assert ours.machine == "here"
    assert ours.cpu_seconds == took["cpu_seconds"] > 0
    assert ours.input_bytes == sum(path.stat().st_size for path in inputs.iterdir())
    assert ours.text_bytes == json.loads((run / "stats.json").read_text())["characters"]
    assert 0 < ours.shuffled_bytes < ours.scratch_bytes
    assert ours.unit_requests == rates.of["github"].unit_requests
    tokens = found.of["tokens"]
    assert tokens.input_bytes == tokens.text_bytes == ours.text_bytes
    files = [path for kind in ("bin", "idx", "parquet") for path in shards.glob(f"*.{kind}")]
    assert tokens.written_bytes == sum(path.stat().st_size for path in files)
    assert found.of["wikipedia"] == rates.of["wikipedia"]


def test_a_run_that_was_resumed_gives_no_rate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its seconds are those of the last command only."""
    inputs, run = tmp_path / "in", tmp_path / "run"
    write_github_export(inputs, megabytes=0.2)
    words = ["github", "--input", str(inputs), "--run", str(run), "--quiet"]
    assert main(words) == 0
    for name in ("COMPLETED", "manifest.json"):
        (run / name).unlink()
    assert main(words) == 0
    assert "it was resumed" in _refusal(capsys, "llama1", "--measured", str(run))


def test_a_file_of_rates_takes_the_place_of_known_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page names its machine and its command."""
    (tmp_path / "mine.toml").write_text(MACHINE + RATE, "utf-8")
    assert main(["plan", "llama1", "--measured", str(tmp_path / "mine.toml")]) == 0
    page = capsys.readouterr().out
    assert "- m: a machine" in page
    assert "| github | 0.0010 | 12.00 | 2.00 |" in page


def test_inputs_that_are_there_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --data: files and bytes as they lie there."""
    written = write_github_export(tmp_path / "github", megabytes=0.2)
    recipe = '[sources.github]\ninput = ["{data}/github"]\n'
    (tmp_path / "tiny.toml").write_text(recipe, "utf-8")
    assert main(["plan", str(tmp_path / "tiny.toml"), "--data", str(tmp_path)]) == 0
    gigabytes = sum(path.stat().st_size for path in written) / 1e9
    line = f"| github | {shown(len(written))} | {shown(gigabytes)} |"
    assert line in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("cpu_secs = 3.0", "unknown key 'cpu_secs'"),
        ("cpu_seconds = 1.0", "no more than the 2.0 that any run takes"),
        ("input_bytes = 0", "give a number above 0"),
        ("slower = 0.5", "give a factor from 1 on"),
        ('machine = "n"', "unknown machine 'n'"),
        ("unit_requests = [5, 3]", "give [low, high]"),
    ],
)
def test_a_wrong_rate_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str, message: str
) -> None:
    """It names the file and the rate."""
    key = change.partition(" ")[0]
    kept = [line for line in RATE.splitlines() if not line.startswith(f"{key} ")]
    path = tmp_path / "mine.toml"
    path.write_text(MACHINE + "\n".join([*kept, change]), "utf-8")
    line = _refusal(capsys, "llama1", "--measured", str(path))
    assert message in line
    assert str(path) in line


def test_what_a_plan_lacks_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sizes, prices, runs and cores."""
    (tmp_path / "sizes.toml").write_text(
        '[github]\nfiles = [1, 2]\nbytes = [1, 2]\norigin = "me"\n', "utf-8"
    )
    sizes = ["--sizes", str(tmp_path / "sizes.toml")]
    assert "no size is given for wikipedia" in _refusal(capsys, "llama1", *sizes)
    assert "not both" in _refusal(capsys, "llama1", *sizes, "--data", str(tmp_path))
    assert "from 1 on" in _refusal(capsys, "llama1", "--cores", "0")
    assert "no such file" in _refusal(capsys, "llama1", "--prices", str(tmp_path / "p.toml"))
    (tmp_path / "p.toml").write_text("shapes = []\nassumed = []\n[store]\n", "utf-8")
    assert "'efficiency' is missing" in _refusal(
        capsys, "llama1", "--prices", str(tmp_path / "p.toml")
    )
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "neither a .toml file" in _refusal(capsys, "llama1", "--measured", str(empty))
    assert "by one command" in _refusal(capsys, "llama1", "--compare", str(empty))


def test_every_step_of_the_bundled_recipes_has_a_rate(rates: Rates) -> None:
    """A source that is added to a recipe gets one."""
    names = {source.name for source in SOURCES} | {model.name for model in MODELS}
    assert names | {"c4.wet", "tokens", "tokenizer"} == set(rates.of)


def test_numbers_have_two_digits() -> None:
    """And a span of equal ones is one."""
    assert [shown(value) for value in (0, 0.0123, 9.96, 45.2, 1_234_567)] == [
        *("0", "0.012", "10", "45", "1,200,000")
    ]
    assert (span(Span(1, 2500)), span(Span(3, 3.01))) == ("1.0 to 2,500", "3.0")


def test_the_demo_says_what_its_parts_took(tmp_path: Path) -> None:
    """``build`` writes timings.json if one command did all, and leaves it when given again."""
    write_github_export(tmp_path / "in" / "github", megabytes=0.5)
    text = '[sources.github]\ninput = ["{data}/github"]\n[tokenizer]\nvocab_size = 400\n'
    (tmp_path / "tiny.toml").write_text(text, "utf-8")
    out = tmp_path / "out"
    words = ["build", str(tmp_path / "tiny.toml"), "--data", str(tmp_path / "in"), "--quiet"]
    assert main([*words, "--out", str(out)]) == 0
    first = (out / "timings.json").read_bytes()
    assert set(parts_of(str(out))) == {"github", "tokenizer", "tokens.github"}
    assert main([*words, "--out", str(out)]) == 0
    assert (out / "timings.json").read_bytes() == first
    shutil.rmtree(out / "tokens")
    (out / "timings.json").unlink()
    assert main([*words, "--out", str(out)]) == 0
    assert not (out / "timings.json").exists()  # it did a part only
