"""The sample dumps: real in form, the same each time, and each page there for its rule."""

import bz2
import re
from pathlib import Path

import pytest

from filters.wikipedia.text import to_text
from pipelines.samples.wikipedia import module_article, write_wikipedia_dumps
from pipelines.wikipedia.text import Wiki, site_of
from tests.pipelines.github.github_export import read
from tests.pipelines.wikipedia.wikipedia_dumps import curate


@pytest.fixture(scope="module")
def dumps(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return dumps with a fifth of a megabyte of pages about modules."""
    return write_wikipedia_dumps(tmp_path_factory.mktemp("dumps"), megabytes=0.2)


@pytest.fixture(scope="module")
def run(dumps: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run over them."""
    folder = tmp_path_factory.mktemp("run") / "run"
    assert curate(folder, [str(dumps[0].parent)]) == 0
    return folder


def test_the_same_python_gives_the_same_bytes(dumps: list[Path], tmp_path: Path) -> None:
    """A second call, over files of a first one."""
    write_wikipedia_dumps(tmp_path, megabytes=0.1)
    again = write_wikipedia_dumps(tmp_path, megabytes=0.2)
    assert [path.name for path in again] == [path.name for path in dumps]
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in dumps]
    assert sorted(path.name for path in tmp_path.iterdir()) == [path.name for path in again]


def test_the_index_names_the_stream_of_each_page(dumps: list[Path]) -> None:
    """``offset:page id:title``, as Wikimedia writes it (2.1)."""
    for index, dump in zip(dumps[::2], dumps[1::2], strict=True):
        data = dump.read_bytes()
        lines = bz2.decompress(index.read_bytes()).decode().splitlines()
        assert len(lines) == bz2.decompress(data).count(b"<page>")
        for line in lines:
            offset, page_id, _ = line.split(":", 2)
            stream = bz2.BZ2Decompressor().decompress(data[int(offset) :])
            assert f"<id>{page_id}</id>".encode() in stream


def test_our_own_pages_show_the_rules(run: Path) -> None:
    """Those that are dropped, and why."""
    rejected = {row["id"]: row["reason"] for row in read(run, "rejects")}
    assert {id_: why for id_, why in rejected.items() if int(id_.rpartition(":")[2]) < 1000} == {
        "wikipedia:en:2": "redirect",
        "wikipedia:en:3": "namespace",
        "wikipedia:en:7": "namespace",
        "wikipedia:en:8": "no_text",
        "wikipedia:en:9": "too_short",
        "wikipedia:de:2": "redirect",
        "wikipedia:de:4": "namespace",
        "wikipedia:fr:2": "redirect",
    }
    kept = {row["id"]: row for row in read(run)}
    assert kept["wikipedia:en:5"]["meta"]["disambiguation"]
    assert "half a lunar day" in kept["wikipedia:en:6"]["text"]
    assert "about every 12 hours" in kept["wikipedia:en:6"]["text"]
    assert not [id_ for id_, row in kept.items() if re.search(r"\[\[|\{\{|<ref", row["text"][:800])]


def test_modules_become_articles(run: Path) -> None:
    """With a redirect each."""
    articles = [row for row in read(run) if row["meta"]["page_id"] >= 1000]
    redirects = [row for row in read(run, "rejects") if row["meta"].get("page_id", 0) >= 1000]
    assert len(articles) == len(redirects) > 10


SOURCE = '''"""About [[links]] and {{braces}}, a < b.

So:

    indented = True
"""
def shown(value: int, *more: str) -> None:
    """Show a value and whatever more there is."""
def _hidden() -> None:
    """Hide what nobody is to see in here."""
def terse() -> None:
    """Be terse."""
class Box:
    """A box that holds one thing or another."""
    def open(self) -> None:
        """Open the box and look into what it holds."""
'''


def test_an_article_says_what_the_source_says() -> None:
    """Its words come back as they were, whatever they would mean in wikitext."""
    text = to_text(module_article("boxes", SOURCE), site_of(Wiki("en"))).text
    assert text == (
        "boxes is a module of the Python standard library, 16 lines long.\n\n"
        "About [[links]] and {{braces}}, a < b.\n\nSo:\n\n    indented = True\n\n"
        "shown\n\nshown(value: int, *more: str)\n\nShow a value and whatever more there is.\n\n"
        "Box\n\nclass Box\n\nA box that holds one thing or another.\n\n"
        "open\n\nopen(self)\n\nOpen the box and look into what it holds."
    )


def test_a_module_that_says_nothing_makes_no_article() -> None:
    """Nor does what is no Python."""
    assert module_article("a", "x = 1\n") == ""
    with pytest.raises(SyntaxError):
        module_article("a", "x = (\n")
