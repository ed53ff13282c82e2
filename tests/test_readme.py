"""The commands of the README run as they stand, and links lead somewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """Return the blocks of a language, each with its lines joined where they go on."""
    found = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return [block.replace("\\\n", " ").strip() for block in found]


def commands(start: str, language: str = "sh") -> list[str]:
    """Return the commands that begin so."""
    lines = [line.strip() for block in blocks(language) for line in block.splitlines()]
    return [line for line in lines if line.startswith(start)]


@pytest.mark.parametrize("command", commands("make "))
def test_make_targets_exist(command: str) -> None:
    """`make X` in the README is a target of the Makefile."""
    target = command.split()[1]
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the empty folder in which all blocks run."""
    return tmp_path_factory.mktemp("readme")


@pytest.mark.parametrize("block", [block for block in blocks("sh") if "make " not in block])
def test_blocks_run_as_they_stand(block: str, folder: Path) -> None:
    """One after the other, in a folder that was empty before the first."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, f"{block}\n{ran.stdout[-2000:]}\n{ran.stderr[-2000:]}"


@pytest.mark.parametrize("command", commands("python -m ", "bash"))
def test_flags_of_a_cluster_s_commands_exist(command: str) -> None:
    """What needs a cluster is not run; its help names every flag."""
    words = command.split(" -- ", maxsplit=1)[0].split()
    module, rest = words[2], words[3:]
    shown = subprocess.run(
        [sys.executable, "-m", module, rest[0], "--help"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    flags = [word.split("=")[0] for word in rest if word.startswith("--")]
    assert [flag for flag in flags if flag not in shown.stdout] == []


@pytest.mark.parametrize("page", sorted({ROOT / "README.md", *(ROOT / "docs").rglob("*.md")}))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page is a file."""
    links = re.findall(r"\]\(([\w./:-]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    files = [link for link in links if "://" not in link and re.search(r"\.\w{2,4}$|/$", link)]
    wrong = [link for link in files if not (page.parent / link).exists()]
    assert wrong == []


def test_the_readme_has_commands_of_each_kind() -> None:
    """The tests above have something to look at."""
    assert len(blocks("sh")) >= 7
    assert commands("make ")
    assert commands("python -m ", "bash")
