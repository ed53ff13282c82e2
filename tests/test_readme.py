"""Every command in the README exists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def commands(start: str) -> list[str]:
    """Return the README's commands that begin so, without what follows the subcommand."""
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))
    blocks = blocks.replace("\\\n", " ")
    return [line.strip() for line in blocks.splitlines() if line.strip().startswith(start)]


@pytest.mark.parametrize("command", commands("make "))
def test_make_targets_exist(command: str) -> None:
    """`make X` in the README is a target of the Makefile."""
    target = command.split()[1]
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("command", commands("python -m "))
def test_modules_and_their_flags_exist(command: str) -> None:
    """`python -m X Y --flag` in the README: the help of that command names every flag."""
    words = command.split("#", maxsplit=1)[0].split(" -- ", maxsplit=1)[0].split()
    module, rest = words[2], words[3:]
    subcommand = rest[:1] if rest and re.fullmatch(r"[a-z0-9]+", rest[0]) else []
    shown = subprocess.run(
        [sys.executable, "-m", module, *subcommand, "--help"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    flags = [word.split("=")[0] for word in rest if word.startswith("--")]
    assert [flag for flag in flags if flag not in shown.stdout] == []


def test_the_readme_names_commands() -> None:
    """The tests above have something to look at."""
    assert commands("make ")
    assert commands("python -m ")
