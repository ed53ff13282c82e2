"""The command line as a whole; single mistakes are in tests/test_mistakes.py."""

from pathlib import Path

import pytest

from pipelines.__main__ import corpusmill, main


def test_an_input_of_another_source_is_told_with_three_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And how many more there are."""
    for number in range(9):
        (tmp_path / f"{number}.json").write_text('{"a": 1}\n')
    assert main(["github", "--input", str(tmp_path), "--run", str(tmp_path / "run")]) == 1
    told = capsys.readouterr().err
    assert "; and 6 more)" in told
    assert len(told) < 1_500


def test_the_program_has_the_commands_of_all_packages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``corpusmill mixtures validate`` is ``python -m mixtures validate``."""
    monkeypatch.setattr("sys.argv", ["corpusmill", "mixtures", "validate", "demo"])
    assert corpusmill() == 0
    assert "demo is valid: weight of" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["corpusmill", "mixtures", "plan", "--help"])
    assert corpusmill() == 0
    assert "Example: corpusmill mixtures plan llama1" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["corpusmill", "--help"])
    assert corpusmill() == 0
    told = capsys.readouterr().out
    assert all(name in told for name in ("github", "tokenizer", "mixtures", "trainer"))
