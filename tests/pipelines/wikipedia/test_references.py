"""The addresses that dumps cite, from the reader that the source uses."""

import gzip
import os
from pathlib import Path

import pytest

from filters.urls import normalize_url
from pipelines.engine.errors import RunError
from pipelines.samples.dumps import WikiPage
from pipelines.wikipedia.references import read_reference_urls
from tests.pipelines.wikipedia.wikipedia_dumps import FORMS, write_dump

PAGES = [
    WikiPage(1, "A", "A.<ref>{{cite web|url=http://a.org/1}}</ref> http://a.org/2"),
    WikiPage(2, "Talk:A", "<ref>http://talk.org</ref>", ns=1),
    WikiPage(3, "B", "<ref>http://a.org/1</ref><ref name=x>[https://b.org c]</ref>"),
    WikiPage(4, "C", None),
]


@pytest.mark.parametrize("form", FORMS)
def test_references_of_articles_come_in_their_order(tmp_path: Path, form: str) -> None:
    """Not those of other pages, nor links that are no references; beside it lies an index."""
    write_dump(tmp_path, "enwiki", PAGES, form=form)
    paths = sorted(str(path) for path in tmp_path.iterdir())
    assert list(read_reference_urls(paths)) == ["http://a.org/1", "http://a.org/1", "https://b.org"]


def test_a_damaged_page_costs_its_references(tmp_path: Path) -> None:
    """The others are read."""
    path = Path(write_dump(tmp_path, "enwiki", PAGES, form="xml"))
    path.write_bytes(path.read_bytes().replace(b"<title>A<", b"<title>A & A<"))
    assert list(read_reference_urls([str(path)])) == ["http://a.org/1", "https://b.org"]


@pytest.mark.parametrize(
    ("name", "message"),
    [("urls.txt", "no dump of Wikipedia"), ("a.xml.bz2", "a.xml.bz2: is neither bzip2, gzip nor")],
)
def test_what_is_no_dump_is_refused(tmp_path: Path, name: str, message: str) -> None:
    """The line says what to give, or what is wrong."""
    (tmp_path / name).write_text("http://a.org")
    with pytest.raises(RunError, match=message):
        list(read_reference_urls([str(tmp_path / name)]))


_BESIDE = Path(__file__).parents[4] / "shared" / "data"
_REAL = Path(os.environ.get("CORPUSMILL_DATA", _BESIDE)) / "wikipedia"


@pytest.mark.data
@pytest.mark.skipif(not _REAL.is_dir(), reason=f"no real data: set CORPUSMILL_DATA ({_REAL})")
def test_the_real_references_are_among_the_links_of_their_pages() -> None:
    """Those that are in no archive; the list was cut at parentheses and entities in a few."""
    with gzip.open(_REAL / "cited_urls.txt.gz", "rt", encoding="utf-8") as lines:
        linked = {normalize_url(line) for line in lines}
        archived = "\n".join(url for url in linked if "web.archive.org" in url)
    paths = sorted(str(path) for path in _REAL.glob("*.xml.bz2"))
    found = {normalize_url(url) for url in read_reference_urls(paths)}
    missing = [url for url in found - linked if url not in archived]
    assert len(found) > 4000
    assert len(missing) < 0.01 * len(found)
