"""The layers of the design hold: arrows point at what may be imported, none points back."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("filters", "pipelines", "tokenizer", "mixtures", "trainer")

# Libraries and models that filters use, each of them in one module.
MODELS = {"fasttext", "kenlm", "mwparserfromhell", "sentencepiece", "tldextract"}

# What a package may import besides the standard library (DESIGN 2).
ALLOWED = {
    "filters": {"filters", "numpy", *MODELS},
    "mixtures": {"mixtures"},
    "tokenizer": {"tokenizer", "sentencepiece", "numpy", "pyarrow"},
    "pipelines": {
        *("pipelines", "filters", "tokenizer", "mixtures"),
        *("apache_beam", "pyarrow", "numpy", "fastavro", "rich", "jinja2"),
        *("fastwarc", "resiliparse", "trafilatura", "sentencepiece"),
        # Of S3 and Google Cloud Storage, imported where an address needs them.
        *("boto3", "botocore", "urllib3", "google", "requests"),
    },
    "trainer": {
        *("trainer", "tokenizer", "mixtures", "torch", "numpy", "safetensors"),
        *("pynvml", "wandb"),  # optional: used where they are installed
    },
}
# Readers are plain generators: bytes in, rows out, without Beam (DESIGN 2).
READERS_MAY_NOT = {"apache_beam"}


def modules(package: str) -> list[Path]:
    """Return the modules of a package."""
    return sorted((ROOT / package).rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Return the top-level packages that a module imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found - sys.stdlib_module_names


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_what_lies_below_it(package: str) -> None:
    """No arrow points back, and no dependency creeps in."""
    wrong = {
        str(path.relative_to(ROOT)): sorted(imports(path) - ALLOWED[package])
        for path in modules(package)
        if imports(path) - ALLOWED[package]
    }
    assert wrong == {}


def test_a_library_behind_a_filter_is_used_in_one_module() -> None:
    """So that its traps are known in one place."""
    users: dict[str, list[str]] = {library: [] for library in MODELS}
    for path in modules("filters"):
        for library in imports(path) & MODELS:
            users[library].append(path.name)
    assert {library: names for library, names in users.items() if len(names) > 1} == {}


def test_readers_know_no_beam() -> None:
    """A reader can be used, and tested, without a pipeline."""
    readers = ROOT / "pipelines" / "readers"
    wrong = [path.name for path in sorted(readers.rglob("*.py")) if imports(path) & READERS_MAY_NOT]
    assert wrong == []


def test_no_module_is_a_drawer_for_everything() -> None:
    """A helper lives beside its user or in a module named for what it does."""
    names = {path.stem for package in PACKAGES for path in modules(package)}
    assert names & {"utils", "util", "common", "helpers", "misc"} == set()
