"""The command ``samples``, and how it finds the modules that describe themselves."""

import ast
from pathlib import Path

import pytest

from pipelines.__main__ import main
from pipelines.samples.library import sources, standard_modules


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_any_number_of_workers_gives_the_same_bytes(tmp_path: Path) -> None:
    """All sources are there, and two processes write what one writes."""
    for workers in ("1", "2"):
        words = ["samples", "--out", str(tmp_path / workers), "--megabytes", "0.2"]
        assert main([*words, "--workers", workers]) == 0
    one = _files(tmp_path / "1")
    assert one == _files(tmp_path / "2")
    assert {name.partition("/")[0] for name in one} == {
        *("arxiv", "badwords", "c4", "commoncrawl", "github", "gutenberg", "stackexchange"),
        "wikipedia",
    }


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('"""Tides."""\n', True),
        ("#!/usr/bin/python\n# coding: utf-8\n\n  \n\f\n'Tides.'\n", True),
        ('R"""Tides."""', True),
        ('(\n"Tides.")\n', True),
        ("\\\n'Tides.'\n", True),
        ("import tides\n", False),
        ("# 'Tides.'\nTIDES = 2\n'''Two a day.'''\n", False),
        ("", False),
    ],
)
def test_a_module_that_describes_itself_begins_with_a_string(
    source: str, found: bool, tmp_path: Path
) -> None:
    """What is passed over unparsed has no docstring."""
    path = tmp_path / "tides.py"
    path.write_text(source)
    assert list(sources([("tides", path)])) == ([("tides", source)] if found else [])
    assert (ast.get_docstring(ast.parse(source)) is not None) == found


def test_no_described_module_of_the_standard_library_is_passed_over() -> None:
    """Of every eighth module, those that are left out have no docstring."""
    modules = list(standard_modules())[::8]
    found = {name for name, _ in sources(modules)}
    left_out = [path for name, path in modules if name not in found]
    assert left_out
    for path in left_out:
        assert ast.get_docstring(ast.parse(path.read_text("utf-8"))) is None


def test_a_file_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    """Also one that is no UTF-8."""
    (tmp_path / "latin.py").write_bytes('"""Où?"""\n'.encode("latin-1"))
    assert not list(sources([("a", tmp_path / "none.py"), ("b", tmp_path / "latin.py")]))
