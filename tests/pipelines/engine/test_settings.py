"""Settings are read strictly, from flags or from a recipe, and errors name what was meant."""

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from pipelines.engine.errors import RunError
from pipelines.engine.settings import from_table
from tokenizer.commandline import command_line, flags_of, run
from tokenizer.settings import nearest, setting


@dataclass(frozen=True)
class _Settings:
    input: tuple[str, ...] = setting(help="inputs")
    mode: Literal["a", "b"] = setting("a", help="100 % of it")
    on: bool = setting(False, help="a switch")
    size: int | None = setting(None, help="a number")
    share: float = setting(0.5, at_least=0, at_most=1, help="a share")
    kinds: tuple[str, ...] = setting((), choices=("red", "green"), help="colours")


def _from_flags(*words: str) -> _Settings | int:
    """Return the settings that a command is called with, or its exit code."""
    app = command_line("program", "A program.")
    taken: list[_Settings] = []

    @app.command
    def take(*, settings: flags_of(_Settings)) -> None:  # type: ignore[valid-type] # for cyclopts
        taken.append(settings)

    code = run(app, ["take", *words])
    return taken[0] if taken else code


def test_flags_and_tables_give_the_same_settings() -> None:
    """The same names, with "-" on the command line."""
    flags = _from_flags(
        "--input", "x", "y", "--mode", "b", "--on", "--size", "3", "--share", "0.25"
    )
    table = {"input": ["x", "y"], "mode": "b", "on": True, "size": 3, "share": 0.25}
    assert flags == from_table(_Settings, table, "r") == _Settings(("x", "y"), "b", True, 3, 0.25)


def test_what_is_not_given_has_its_default() -> None:
    """Both ways."""
    expected = _Settings(("x",))
    assert _from_flags("--input", "x") == from_table(_Settings, {"input": "x"}, "r") == expected


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"input": "x", "shre": 1}, r"r: unknown key 'shre'\. Did you mean 'share'\?"),
        ({}, r"r: key 'input' is missing \(inputs\)"),
        ({"input": 3}, r"r: input\[0\]: expected str, found 3"),
        ({"input": "x", "mode": "c"}, r"r: mode: 'c' is none of 'a', 'b'"),
        ({"input": "x", "on": 1}, r"r: on: expected bool, found 1"),
        ({"input": "x", "size": True}, r"r: size: expected int, found true"),
        ({"input": "x", "size": 1.5}, r"r: size: expected int, found 1\.5"),
        ({"input": "x", "share": 9}, r"r: share = 9\.0: give a number from 0 to 1"),
        ({"input": "x", "kinds": "gren"}, r"r: kinds = gren: not known. Did you mean 'green'\?"),
    ],
)
def test_a_table_that_is_wrong_says_where(table: dict[str, Any], message: str) -> None:
    """The recipe's place, and what was meant."""
    with pytest.raises(RunError, match=message):
        from_table(_Settings, table, "r")


def test_a_whole_number_may_stand_for_a_fraction() -> None:
    """As people write TOML."""
    share = from_table(_Settings, {"input": "x", "share": 1}, "r").share
    assert (share, type(share)) == (1.0, float)


def test_nothing_is_suggested_where_nothing_is_near() -> None:
    """No guesses."""
    assert nearest("zzz", ["input", "mode"]) == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "--input is missing (inputs)"),
        (("--inptu", "x"), "unknown flag --inptu. Did you mean '--input'?"),
        (("--input", "x", "--sha", "0.1"), "unknown flag --sha. Did you mean '--share'?"),
        (("--input", "x", "--share", "9"), "--share 9.0: give a number from 0 to 1"),
        (("--input", "x", "--share"), "--share needs a value"),
        (("--input", "x", "--size", "big"), 'unable to convert "big" into int'),
        (("--input", "x", "--mode", "c"), 'Choose from: "a", "b"'),
        (("--input", "x", "--kinds", "blue"), "--kinds blue: not known: it is one of red, green"),
    ],
)
def test_a_wrong_flag_is_one_line(
    words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No usage, no traceback: what is wrong and what to do; the exit code is 1."""
    assert _from_flags(*words) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert message in told
    assert told.count("\n") == 1


def test_help_shows_every_flag_with_its_unit(capsys: pytest.CaptureFixture[str]) -> None:
    """A percent sign in it breaks nothing."""
    assert _from_flags("--help") == 0
    told = capsys.readouterr().out
    assert all(word in told for word in ("--input", "--no-on", "100 % of it", "[default: 0.5]"))


def test_the_user_s_folder_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the shell left it alone, in quotes or behind an equals sign."""
    monkeypatch.setenv("HOME", "/home/u")
    settings = _from_flags("--input=~/a", "~/b", "c~")
    assert isinstance(settings, _Settings)
    assert settings.input == ("/home/u/a", "/home/u/b", "c~")
