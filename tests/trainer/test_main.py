"""The command: what it shows, and how it fails."""

from pathlib import Path

import pytest

from trainer.__main__ import main
from trainer.config import load


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
        "the sizes of the paper's Table 1",
        "1.75 epochs, 2.45 in the paper",
    ):
        assert part in shown, part


def test_dry_run_counts_the_shards_that_are_there(
    capsys: pytest.CaptureFixture[str], corpus: list[str]
) -> None:
    """Epochs are those of the tokens on disk."""
    arguments = ["debug", "--dry-run", *corpus, "train.total_tokens=81920"]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "github" in shown
    assert "61,440 tokens" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.toml"], "error: nothing.toml: "),
        (["debug", "optim.lrr=1"], "error: optim.lrr=1: no section.key=value that is known"),
        (["debug", "train.micro_batch=7", "--dry-run"], "nearest: train.batch_tokens = 4_032"),
        (["debug", "--dry-run", "data.mixture=none.toml"], "error: none.toml: cannot be read"),
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


def test_an_option_that_is_not_known_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt option is no override."""
    with pytest.raises(SystemExit):
        main(["debug", "--dryrun"])
    assert "unrecognized argument: --dryrun" in capsys.readouterr().err
