"""What a user gets wrong on the command line is told in one line, before any work."""

from pathlib import Path

import pytest

from pipelines.__main__ import corpusmill, main
from pipelines.samples.github import write_github_export


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a small export of GitHub."""
    folder = tmp_path_factory.mktemp("inputs")
    write_github_export(folder, megabytes=0.2)
    return str(folder)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("gihtub", "unknown command 'gihtub'. Did you mean 'github'?"),
        ("github --inptu IN --run RUN", "unknown flag --inptu. Did you mean '--input'?"),
        (
            "github --input IN --run RUN --worker 2",
            "unknown flag --worker. Did you mean '--workers'",
        ),
        ("github --input IN --run", "--run needs a value"),
        ("github --input IN", "--run is missing (run directory to make or to resume)"),
        ("github --input IN --run RUN stray", "unexpected word 'stray'"),
        ("github --input IN --run RUN --runner=X", "flags of Beam follow --"),
        ("github --input IN --run RUN --workers 0", "--workers 0: give a number from 1 on"),
        ("github --input IN --run RUN --max-line-length -1", "--max-line-length -1: give a number"),
        ("github --input IN --run RUN --min-alnum-ratio 25", "give a number from 0 to 1"),
        (
            "github --input IN --run RUN --licenses MIT",
            "--licenses MIT: not known. Did you mean 'mit'",
        ),
        ("github --input IN --run RUN --profile rp", 'Choose from: "default", "redpajama"'),
        ("github --input IN --run RUN -- --runner=DatflowRunner", "Did you mean 'DataflowRunner'?"),
        ("wikipedia --input IN --run RUN", "no dump among the"),
        (
            "commoncrawl --input IN --run RUN --models M --wikiref no.bin",
            "--wikiref no.bin: no such",
        ),
        ("commoncrawl --input IN --run RUN --models M --min-language-score 9", "from 0 to 1"),
        ("samples --megabytes -1 --out RUN", "Must be > 0"),
        ("inspect RUN -n -3", "Must be >= 1"),
        ("verify", "RUN is missing (run directory)"),
        ("build dmo --out RUN", "dmo: no such recipe. Did you mean 'demo'?"),
        ("build demo --out RUN", "{data}/github needs --data DIR"),
    ],
)
def test_a_mistake_is_one_line(
    words: str, message: str, inputs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No traceback, no usage, exit code 1; and no run directory is left."""
    places = {"IN": inputs, "RUN": str(tmp_path / "run")}
    assert main([places.get(word, word) for word in words.split()]) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert message in told
    assert told.count("\n") == 1
    assert not (tmp_path / "run").exists()


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
