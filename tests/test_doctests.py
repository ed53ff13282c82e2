"""The examples in docstrings, and those on the pages of ``docs/``, print what they say."""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OPTIONAL = {"trainer.harness": "lm_eval"}  # modules whose examples need a package of an extra
PACKAGES = ("filters", "mixtures", "pipelines", "tokenizer", "trainer")


def modules_with_examples() -> list[str]:
    """Return the names of the modules whose text has an example."""
    paths = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in paths
        if ">>> " in path.read_text("utf-8")
    ]


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_of_a_module(name: str) -> None:
    """Every example prints what stands below it."""
    if name.startswith("trainer."):
        pytest.importorskip("torch", reason="no torch: install the extra [trainer]")
    if name in OPTIONAL:
        pytest.importorskip(OPTIONAL[name])
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize(
    "page", [page for page in sorted((ROOT / "docs").rglob("*.md")) if ">>> " in page.read_text()]
)
def test_examples_of_a_page(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples of a page run in its order, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    result = doctest.testfile(str(page), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0
    assert result.failed == 0


def test_there_are_examples() -> None:
    """The tests above have something to look at."""
    assert len(modules_with_examples()) > 50
