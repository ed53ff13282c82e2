"""Settings are read strictly, from flags or from a recipe, and errors name what was meant."""

import argparse
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from pipelines.engine.errors import RunError
from pipelines.engine.settings import add_flags, from_flags, from_table, nearest, setting


@dataclass(frozen=True)
class _Settings:
    input: tuple[str, ...] = setting(help="inputs")
    mode: Literal["a", "b"] = setting("a", help="100 % of it")
    on: bool = setting(False, help="a switch")
    size: int | None = setting(None, help="a number")
    share: float = setting(0.5, help="a share")


def _from_flags(*words: str) -> _Settings:
    parser = argparse.ArgumentParser()
    add_flags(parser, _Settings)
    parser.format_help()  # "%" in a help text must not break it
    return from_flags(_Settings, parser.parse_args(words))


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
        ({}, r"r: 'input' is missing \(inputs\)"),
        ({"input": 3}, r"r\.input: 3 is not of type str"),
        ({"input": "x", "mode": "c"}, r"r\.mode: 'c' is none of 'a', 'b'"),
        ({"input": "x", "on": 1}, r"r\.on: 1 is not of type bool"),
        ({"input": "x", "size": True}, r"r\.size: True is not of type int"),
        ({"input": "x", "size": 1.5}, r"r\.size: 1\.5 is not of type int"),
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
