"""Write the figures of the benchmarks to a page, ``docs/figures.md``.

``make bench`` names the page in ``CORPUSMILL_FIGURES``. A section holds what one module measured,
with the date and the machine; a run of some modules replaces their sections and leaves the others.
"""

import ast
import os
import platform
import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.benchmarks.measure import REPORTED, ROOT

LIBRARIES = ("apache-beam", "pyarrow", "numpy", "sentencepiece", "torch")
HEAD = """# Figures

Made by `make bench` (`pytest -m benchmark tests/benchmarks`), which replaces the section of every
module that it runs. Most need the real inputs (`CORPUSMILL_DATA`). Times are of one process and one
core unless a line says otherwise.
"""
# Of a benchmark by pytest-benchmark: its speed, and not the size of its input.
SPEEDS = re.compile(r"/s$|^seconds$|^paths$")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the page, if one is wanted and something was measured."""
    wanted = os.environ.get("CORPUSMILL_FIGURES")
    rows: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for test, figure in REPORTED:
        what, _, value = figure.partition(": ")
        rows[test].append((what, value))
    benchmarks = getattr(session.config, "_benchmarksession", None)
    for bench in benchmarks.benchmarks if benchmarks else ():
        what = bench.name.removeprefix("test_").replace("_", " ")
        rows[bench.fullname].append((what, _speed(bench.stats.median, bench.extra_info)))
    if wanted and rows:
        sections: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        for test, found in rows.items():
            sections[test.split("::")[0]] += found
        _write(ROOT / wanted, sections)


def _speed(seconds: float, extra: dict[str, Any]) -> str:
    """Return what a benchmark says of its speed, or else its median time."""
    if "look_ups" in extra:
        return f"{seconds / extra['look_ups'] * 1e6:.1f} µs each"
    told = [
        f"{value:,.3g} {unit}" if isinstance(value, float) else f"{value} {unit}"
        for unit, value in extra.items()
        if SPEEDS.search(unit)
    ]
    return ", ".join(told) or f"{seconds * 1e3:.3g} ms"


def _write(page: Path, sections: dict[str, list[tuple[str, str]]]) -> None:
    parts = page.read_text("utf-8").split("\n## ")[1:] if page.exists() else []
    kept = {part.split("\n", 1)[0]: part for part in parts}
    for module, rows in sections.items():
        tree = ast.parse((ROOT / module).read_text("utf-8"))
        title = (ast.get_docstring(tree) or module).split("\n")[0].rstrip(".")
        lines = [title, "", f"`{module}`, {_machine()}", "", "| what | figure |", "|---|---|"]
        kept[title] = "\n".join([*lines, *(f"| {what} | {value} |" for what, value in rows), ""])
    page.write_text("\n## ".join([HEAD, *(kept[title] for title in sorted(kept))]), "utf-8")


def _machine() -> str:
    cpu = next(iter(_cpu_names()), platform.processor() or platform.machine())
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in _installed())
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {psutil.cpu_count()} cores of {cpu}, "
        f"Python {platform.python_version()}, {versions}"
    )


def _installed() -> Iterable[str]:
    present = {dist.metadata["Name"].lower() for dist in metadata.distributions()}
    return [name for name in LIBRARIES if name in present]


def _cpu_names() -> Iterable[str]:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
