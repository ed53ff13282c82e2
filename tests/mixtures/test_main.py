"""The command line, as a user runs it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mixtures.__main__ import main

WriteManifest = Callable[..., Path]
WriteMixture = Callable[[str], Path]

TWO_SOURCES = """
    name = "two"
    tokens = 40
    [sources]
    a = {weight = 0.75}
    b = {weight = 0.25}
"""


@pytest.fixture
def two(write_mixture: WriteMixture, write_manifest: WriteManifest) -> list[str]:
    """Give the arguments of the order whose golden values spec ``tokens.md`` 4.3 lists."""
    write_manifest("a", 21, 5, 14)
    tokens = write_manifest("b", 30)
    mixture = write_mixture('extra_sources = ["a", "b"]\n' + TWO_SOURCES)
    return [str(mixture), "--tokens", str(tokens), "--context", "4"]


def test_order_prints_where_sequences_lie(
    two: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The golden order, by shard name and offset in tokens."""
    assert main(["order", *two, "-n", "3"]) == 0
    assert capsys.readouterr().out == (
        "   sequence  source  shard                   window  token_offset  epoch\n"
        "          0  b       shard-00000-of-00001         5            20      0\n"
        "          1  b       shard-00000-of-00001         3            12      0\n"
        "          2  a       shard-00002-of-00003         2             8      0\n"
    )


def test_order_goes_on_to_the_end_of_the_run(
    two: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """No more than --sequences, from --from on."""
    assert main(["order", *two, "--sequences", "8", "--from", "6", "-n", "5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["sequence", "6", "7"]


def test_plan_of_nothing_is_the_papers(capsys: pytest.CaptureFixture[str]) -> None:
    """``python -m mixtures plan`` on a fresh clone."""
    assert main(["plan"]) == 0
    assert capsys.readouterr().out.startswith("llama1: 1,400,000,000,000 tokens, 683,593,750 ")


def test_plan_reads_the_shards(two: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON here: its windows are those of 4.3's example."""
    assert main(["plan", *two, "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["measured"]
    assert [source["windows"] for source in plan["sources"]] == [9, 7]


def test_a_plan_that_cannot_be_run_is_shown_and_fails(
    two: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The table says by how much, the last line what to do."""
    assert main(["plan", *two, "--sequences", "60"]) == 1
    printed = capsys.readouterr()
    assert printed.out.startswith("two: 240 tokens, 60 sequences of 4, seed 0\n")
    assert printed.err == (
        "error: two: too little data: 'a' for 5.00 epochs (max_epochs 4, 36 tokens missing). "
        'Lower the budget, raise max_epochs, add data, or set on_exhausted to "cap" or "repeat"\n'
    )


def test_validate_says_what_a_mixture_holds(
    two: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """No token shards are needed."""
    assert main(["validate", two[0]]) == 0
    assert capsys.readouterr().out == "two is valid: weight of a, b; 40 tokens\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "10"], "sequence 10: the run has 0 to 9"),
        (["--from", "-1"], 'Invalid value "-1" for --from. Must be >= 0.'),
        (["-n", "0"], 'Invalid value "0" for -n. Must be >= 1.'),
        (["--context", "0"], "--context 0: give a number from 1 on"),
        (["--sequences", "0"], "--sequences 0: give a number from 1 on"),
        (["--jsn"], "unknown flag --jsn. --help lists the flags"),
    ],
)
def test_errors_are_one_line(
    two: list[str], capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """On stderr, with exit code 1 and nothing printed before."""
    assert main(["order", *two, *arguments]) == 1
    assert capsys.readouterr() == ("", f"error: {message}\n")


def test_a_wrong_mixture_is_an_error_of_one_line(
    write_mixture: WriteMixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message is the mixture's own."""
    path = write_mixture("tokens = 9\n[sources]\ngithb = {weight = 1}")
    assert main(["validate", str(path)]) == 1
    assert capsys.readouterr().err == (
        "error: mix.toml: unknown source 'githb'. Did you mean 'github'?\n"
    )


def test_a_reader_may_stop_reading(two: list[str], pytestconfig: pytest.Config) -> None:
    """``python -m mixtures order .. | head -1`` ends without a traceback."""
    command = [sys.executable, "-m", "mixtures", "order", *two]
    with subprocess.Popen(  # as a module, from the root of the repository
        command,
        cwd=pytestconfig.rootpath,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1
