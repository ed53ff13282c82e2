"""The layers of the design hold: arrows point at what may be imported, none points back."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("filters", "pipelines", "tokenizer", "mixtures", "trainer")

# Libraries and models that filters use, each of them in one module.
MODELS = {
    *("fasttext", "gcld3", "kenlm", "langdetect", "mwparserfromhell", "nltk", "punkt"),
    *("sentencepiece", "tldextract"),
}

# What a package may import besides the standard library (docs/architecture.md).
ALLOWED = {
    "filters": {"filters", "numpy", *MODELS},
    # Of tokenizer only what reads settings and command lines, see below. Matplotlib is imported
    # where it draws the chart.
    "mixtures": {"mixtures", "tokenizer", "cyclopts", "matplotlib"},
    "tokenizer": {"tokenizer", "sentencepiece", "numpy", "pyarrow", "cyclopts"},
    "pipelines": {
        *("pipelines", "filters", "tokenizer", "mixtures"),
        *("apache_beam", "pyarrow", "numpy", "fastavro", "rich", "jinja2", "cyclopts"),
        *("matplotlib", "markupsafe"),  # of the report alone
        *("isal", "rapidgzip", "simdjson"),
        *("fastwarc", "resiliparse", "trafilatura", "sentencepiece", "py7zr"),
        # Of S3 and Google Cloud Storage, imported where an address needs them.
        *("boto3", "botocore", "urllib3", "google", "requests"),
    },
    "trainer": {
        *("trainer", "tokenizer", "mixtures", "torch", "numpy", "safetensors", "cyclopts"),
        "docstring_parser",
        *("pynvml", "wandb", "lm_eval"),  # optional: used where they are installed
    },
}
# Readers are plain generators: bytes in, records out, without Beam.
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


# What every package stands on, and all that mixtures uses of tokenizer.
GROUND = {"tokenizer.commandline", "tokenizer.errors", "tokenizer.settings"}


def test_mixtures_stand_on_the_ground_only() -> None:
    """They read settings and command lines as the others do, and know no tokenizer."""
    used = {
        node.module
        for path in modules("mixtures")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tokenizer")
    }
    assert used == GROUND


def test_a_library_behind_a_filter_is_used_in_one_module() -> None:
    """So that its traps are known in one place."""
    users: dict[str, list[str]] = {library: [] for library in MODELS}
    for path in modules("filters"):
        for library in imports(path) & MODELS:
            users[library].append(path.name)
    assert {library: names for library, names in users.items() if len(names) > 1} == {}


def test_readers_and_records_know_no_beam() -> None:
    """A reader can be used, and tested, without a pipeline."""
    rooms = ROOT / "pipelines"
    readers = [*(rooms / "readers").rglob("*.py"), *rooms.glob("*/records.py")]
    assert len(readers) > 10
    assert [path.name for path in readers if imports(path) & READERS_MAY_NOT] == []


def test_beam_is_known_where_clusters_are() -> None:
    """One machine runs without it: its import takes a second."""
    users = {
        str(path.relative_to(ROOT / "pipelines"))
        for path in modules("pipelines")
        if "apache_beam" in imports(path)
    }
    assert users == {
        *("engine/cluster.py", "engine/graph.py", "storage/beam_store.py"),
        *("engine/check.py", "engine/dataflow.py", "engine/preflight.py"),
    }


# The rooms of pipelines/, from the ground up: each imports only what stands before it.
ROOMS = ("readers", "setup", "storage", "engine", "joins", "models", "sources", "commands")
ROOM_OF = {
    **dict.fromkeys(
        ("github", "wikipedia", "commoncrawl", "c4", "arxiv", "books", "stackexchange"), "sources"
    ),
    **dict.fromkeys(
        (
            *("catalog", "commands", "samples", "planning", "report", "recipe", "tokenize"),
            "__main__",
        ),
        "commands",
    ),
}
# What imports something beside or above it, and why.
EXCEPTIONS = {
    ("models", "wikipedia"),  # the references of Wikipedia, which the classifier learns from
}


def room(module: str) -> str:
    """Return the folder or file of pipelines/ that a module lies in."""
    return module.split(".")[1]


def arrows() -> set[tuple[str, str]]:
    """Return which rooms of pipelines/ import which others."""
    found = set()
    for path in modules("pipelines"):
        here = path.relative_to(ROOT / "pipelines").parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pipelines"):
                module = node.module or ""
                names = [module] if "." in module else [f"{module}.{n.name}" for n in node.names]
                found |= {(here, room(name)) for name in names if room(name) != here}
    return found


def test_rooms_import_only_what_stands_below_them() -> None:
    """readers, setup -> storage -> engine -> joins -> models and sources -> commands."""
    wrong = []
    for here, there in sorted(arrows() - EXCEPTIONS):
        low, high = (ROOMS.index(ROOM_OF.get(name, name)) for name in (there, here))
        beside = low == high and ROOM_OF.get(here) == "commands"
        if low > high or (low == high and not beside):
            wrong.append(f"{here} imports {there}")
    assert wrong == []


def test_a_source_has_one_name_everywhere() -> None:
    """Its folder in pipelines, its rules in filters, and its tests."""
    for name in (name for name, kind in ROOM_OF.items() if kind == "sources"):
        for folder in ("pipelines", "filters", "tests/pipelines", "tests/filters"):
            assert (ROOT / folder / name).is_dir(), f"{folder}/{name}"
        for file in ("source.py", "records.py"):
            assert (ROOT / "pipelines" / name / file).is_file(), f"{name}/{file}"


MAX_LINES = 350


@pytest.mark.parametrize("package", ["pipelines", "filters"])
def test_no_module_is_longer_than_a_reader_bears(package: str) -> None:
    """A module has one subject."""
    long = {
        str(path.relative_to(ROOT)): lines
        for path in modules(package)
        if (lines := path.read_text("utf-8").count("\n")) > MAX_LINES
    }
    assert long == {}


@pytest.mark.parametrize("package", ["pipelines", "tokenizer"])
def test_parquet_is_read_by_the_calling_thread(package: str) -> None:
    """A thread of Arrow's pool may be the last to hold the Python object that it reads from.

    If Python ends meanwhile, the release ends the process with SIGABRT, after all work is done.
    """
    reads = {"iter_batches", "read_row_group", "read_row_groups"}
    threaded = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in modules(package)
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and (
            call.func.attr in reads
            or re.search(r"ParquetFile\(.*\)\.read$", ast.unparse(call.func))
        )
        and not any(ast.unparse(word) == "use_threads=False" for word in call.keywords)
    ]
    assert threaded == []


def test_no_module_is_a_drawer_for_everything() -> None:
    """A helper lives beside its user or in a module named for what it does."""
    names = {path.stem for package in PACKAGES for path in modules(package)}
    assert names & {"utils", "util", "common", "helpers", "misc"} == set()
