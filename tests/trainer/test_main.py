"""The command: what it shows, and how it fails."""

import json
from pathlib import Path

import pytest

from tests.trainer import tiny
from trainer import parallel
from trainer.__main__ import main
from trainer.config import flatten, load
from trainer.parallel import World
from trainer.reference import BEGIN, END, tables
from trainer.sections import Config


def test_print_config_shows_a_file_that_loads_back(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Overrides are in it, with and without dashes."""
    assert main(["debug", "optim.lr=0.5", "--train.seed=3", "--print-config"]) == 0
    path = tmp_path / "shown.toml"
    path.write_text(capsys.readouterr().out)
    assert load(str(path)) == load("debug", ["optim.lr=0.5", "train.seed=3"])


def test_dry_run_plans_the_paper_without_data_or_accelerator(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The 7B on 512 ranks: parameters, steps, memory, and epochs of Table 1 for its tokens."""
    mixture = Path(__file__).parent.parent.parent / "mixtures/llama1.toml"
    arguments = ["llama_7b", "--dry-run", "--ranks", "512", f"data.mixture={mixture}"]
    assert main([*arguments, "data.shards=/nowhere"]) == 0
    shown = capsys.readouterr().out
    for part in (
        "6,738,415,616 parameters, 42,865,287,168 FLOPs a token",
        "4,194,304 tokens: 2,048 sequences on 512 ranks, 1 x 4 on each",
        "238,419 steps, 1,000,001,",
        "0.20 GiB  weights, gradients, optimizer",
        "Epochs follow from the paper's unique tokens: no token shards were given.",
    ):
        assert part in shown, part
    (wikipedia,) = (line.split() for line in shown.splitlines() if line.startswith("wikipedia"))
    assert wikipedia[4] == "1.75"  # epochs; the paper's 1.4 T tokens are 2.45
    assert wikipedia[7] == "2.45"


def test_dry_run_gives_days_and_energy_of_a_device(capsys: pytest.CaptureFixture[str]) -> None:
    """The paper's 7B: 82,432 hours of an A100 (Table 15) are 46.3 % of its peak; 36 MWh, 14 t."""
    mixture = Path(__file__).parent.parent.parent / "mixtures/llama1.toml"
    arguments = ["llama_7b", "--dry-run", "--ranks=1024", f"data.mixture={mixture}"]
    arguments += ["train.micro_batch=2", "data.shards=/nowhere", "--device=A100", "--mfu=0.463"]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "3.4 days on 1,024 x A100 at 46% of their peak, 82,427 GPU-hours" in shown
    assert "36.27 MWh at 400 W x 1.1, 13.96 t CO2eq" in shown
    assert " of 80 GiB on each rank" in shown
    other = [word.replace("A100", "TPU") for word in arguments]
    assert main(other) == 1
    assert "--device TPU --mfu 0.463: must be one of A100" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "verdict"),
    [
        (["llama_7b", "--ranks=8"], "59.87 of 80 GiB on each rank, estimated: it fits"),
        (["llama_7b", "--ranks=8", "parallel.compile=true"], "47.02 of 80 GiB on each rank"),
        (["llama_33b", "--ranks=8"], "it does NOT FIT: lower train.micro_batch, set parallel.rec"),
        (["llama_7b", "--ranks=1", "--device=H200"], "of 141 GiB on each rank, estimated: it does"),
        (["llama_7b", "--ranks=4"], "it fits with parallel.compile=true only, which makes it 59."),
        (
            ["llama_7b", "--ranks=8", "train.micro_batch=8", "parallel.compile=true"],
            "79.14 of 80 GiB on each rank, estimated: it is TIGHT, and may run out: lower",
        ),
    ],
)
def test_the_memory_plan_ends_in_a_verdict(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: list[str],
    verdict: str,
) -> None:
    """From any folder. Compiled blocks hold less, and whether that decides is said."""
    monkeypatch.chdir(tmp_path)
    assert main([*arguments, "--dry-run", "data.shards=/nowhere"]) == 0
    assert verdict in capsys.readouterr().out


def test_every_key_is_on_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    """docs/trainer.md holds what `python -m trainer keys` prints, key by key."""
    page = (Path(__file__).parent.parent.parent / "docs/trainer.md").read_text()
    assert main(["keys"]) == 0
    shown = capsys.readouterr().out.strip()
    for name, value in flatten(Config()).items():
        assert f"| `{name}` | `{json.dumps(value)}` |" in shown
    assert shown == tables()
    assert shown in page, "run python -m trainer keys --page docs/trainer.md"


def test_the_page_is_written_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Between its two comments; a page without them is left alone."""
    page = tmp_path / "page.md"
    page.write_text(f"# Before\n\n{BEGIN}\nold\n{END}\n\nAfter\n")
    assert main(["keys", "--page", str(page)]) == 0
    assert page.read_text() == f"# Before\n\n{BEGIN}\n\n{tables()}\n\n{END}\n\nAfter\n"
    page.write_text("nothing\n")
    assert main(["keys", "--page", str(page)]) == 1
    assert "has no place for the keys" in capsys.readouterr().err
    assert page.read_text() == "nothing\n"


def test_commands_follow_one_another(
    tmp_path: Path,
    world: World,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Train, inspect, evaluate, export in both layouts, generate from each: one line of text."""
    overrides = tiny.write_text_corpus(tmp_path)
    monkeypatch.setattr(parallel, "start", lambda _: world)  # the group of this process is there
    monkeypatch.setattr(parallel, "stop", lambda: None)
    small = [f"{key}={json.dumps(value)}" for key, value in flatten(tiny.small(overrides)).items()]
    config = [text.replace('"', "") for text in small if text.partition("=")[2] not in {"[]", '""'}]
    run, step = str(tmp_path / "run"), str(tmp_path / "run/ckpt/step-00000004")

    def said(*arguments: str) -> str:
        assert main(arguments) == 0
        return capsys.readouterr().out

    trained = said("debug", *config)
    score = next(line for line in trained.splitlines() if line.startswith("held out at step 4: "))
    assert said("evaluate", run) == f"{step}: {score.removeprefix('held out at step 4: ')}\n"
    assert said("evaluate", "debug", *config) == said("evaluate", step)
    traced = said("inspect", run, "--step=2", "--chars=20")
    assert [line.split()[1] for line in traced.splitlines() if line.startswith("seq")] == [
        str(n) for n in range(8, 16)
    ]
    assert said("inspect", "debug", *config, "--step=2", "--chars=20") == traced
    said("export", run, str(tmp_path / "hf"), "--dtype=float32")
    said("export", str(tmp_path / "hf"), str(tmp_path / "meta"), "--layout=meta", "--parts=2")
    said("export", str(tmp_path / "meta"), str(tmp_path / "back"), "model.context=32")
    assert json.loads((tmp_path / "back/config.json").read_text())["max_position_embeddings"] == 32
    for key, problem in (
        ("model.context=64", "model.context = 64"),
        ("optim.lr=1", "optim.lr: an exported folder takes data.tokenizer and model.context only"),
    ):
        assert main(["export", str(tmp_path / "hf"), str(tmp_path / "none"), key]) == 1
        assert problem in capsys.readouterr().err
    prompt = ["--prompt=def main(", "--tokens=8", "--seed=3"]
    texts = {said("generate", target, *prompt) for target in (run, f"{tmp_path}/hf")}
    assert texts == {said("generate", str(tmp_path / "meta"), *prompt)}
    assert texts.pop().startswith("def main(")
    assert "sdpa " in said("bench", "debug", *config, "--steps=1")


def test_dry_run_counts_the_shards_that_are_there(
    capsys: pytest.CaptureFixture[str], corpus: list[str]
) -> None:
    """Epochs are those of the tokens on disk."""
    arguments = ["debug", "--dry-run", *corpus, "train.total_tokens=81920"]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    rows = [line.split() for line in shown.splitlines() if line.startswith("github")]
    assert rows[0][:4] == ["github", "75.00%", "61.4", "k"]
    assert "no token shards were given" not in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.toml"], "error: nothing.toml: "),
        (["debug", "optim.lrr=1"], "error: optim.lrr=1: no section.key=value that is known"),
        (["debug", "train.micro_batch=7", "--dry-run"], "nearest: train.batch_tokens = 4_032"),
        (
            ["debug", "--dry-run", "data.mixture=none.toml"],
            "error: none.toml: no such file or mixture",
        ),
        (["evaluate", "debug", "run.dir=none"], "none: no checkpoint there: train first, or name"),
        (["generate", "tests"], "tests: no checkpoint there: train first, or name another"),
        (["export", "nothing.toml", "out"], "error: nothing.toml: "),
        (["generate", "debug", "--top-p=0"], 'Invalid value "0.0" for --top-p. Must be > 0.'),
        (["inspect", "debug", "--step=0"], "step 0: the run has steps 1 to 200"),
    ],
)
def test_errors_are_one_line_and_exit_code_1(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """No traceback for what a user can put right."""
    assert main(arguments) == 1
    output = capsys.readouterr()
    assert message in output.err
    assert output.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["debug", "--dryrun"], "unknown flag --dryrun. Did you mean '--dry-run'?"),
        (
            ["generate", "debug", "--dtype=int8"],
            'Invalid value "int8" for --dtype.',
        ),
        (
            ["export", "debug", "out", "--layout=gguf"],
            'Choose from: "hf", "meta"',
        ),
    ],
)
def test_an_option_that_is_not_known_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """A misspelt option is no override, and values are named where there are few."""
    assert main(arguments) == 1
    assert message in capsys.readouterr().err
