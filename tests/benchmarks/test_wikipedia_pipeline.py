"""Wikipedia from dump to documents: the reader, its references, and what Beam and workers bring.

Run with ``pytest -m benchmark tests/benchmarks/test_wikipedia_pipeline.py -s``: a line a figure.
The input is a multistream dump of copies of the real English and Italian pages; commands are timed
from start to exit, imports included. MB are those of XML.
"""

import io
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from filters.wikipedia.references import reference_urls
from filters.wikipedia.text import to_text
from pipelines.engine.documents import Document
from pipelines.engine.source import plan
from pipelines.samples.dumps import WikiPage, multistream, whole_xml
from pipelines.wikipedia.records import Page, read_pages
from pipelines.wikipedia.source import WIKIPEDIA, WikipediaConfig, converter, records, stages
from pipelines.wikipedia.text import Wiki, site_of
from tests.benchmarks.test_github_pipeline import measure

pytestmark = [pytest.mark.benchmark, pytest.mark.data]

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("CORPUSMILL_DATA") or ROOT.parent / "shared" / "data")
COPIES = int(os.environ.get("CORPUSMILL_BENCH_COPIES", "12"))
ROUNDS = 3


@pytest.fixture(scope="module")
def pages() -> list[WikiPage]:
    """Return the real pages, in one wiki."""
    folder = DATA / "wikipedia"
    if not folder.is_dir():
        pytest.skip(f"no real data: set CORPUSMILL_DATA ({folder} is absent)")
    found = []
    for wiki in ("enwiki", "itwiki"):
        with (folder / f"{wiki}-sample-pages-articles.xml.bz2").open("rb") as stream:
            found += [page for page in read_pages(stream, wiki) if isinstance(page, Page)]
    return [
        WikiPage(number, page.title, page.text, page.namespace, page.redirect)
        for number, page in enumerate(found, 1)
    ]


@pytest.fixture(scope="module")
def dump(pages: list[WikiPage], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """Return a multistream dump of copies, and the megabytes of its XML."""
    copies = [
        replace(page, page_id=copy * len(pages) + page.page_id)
        for copy in range(COPIES)
        for page in pages
    ]
    path = tmp_path_factory.mktemp("dump") / "enwiki-20220801-pages-articles-multistream.xml.bz2"
    path.write_bytes(multistream("enwiki", copies)[0])
    return path, COPIES * len(whole_xml("enwiki", pages)) / 1e6


def best(work: Callable[[], object]) -> float:
    """Return the seconds of the fastest of some rounds."""
    seconds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def test_read_pages(pages: list[WikiPage]) -> None:
    """One core; bzip2 is what it waits for."""
    whole = whole_xml("enwiki", pages)
    forms = {"XML": whole, "multistream": multistream("enwiki", pages)[0]}
    for form, data in forms.items():
        seconds = best(lambda data=data: sum(1 for _ in read_pages(io.BytesIO(data), "dump")))
        print(f"\nreader, {form}: {len(whole) / 1e6 / seconds:.1f} MB/s of XML")


def test_filters(pages: list[WikiPage]) -> None:
    """One core; characters of wikitext."""
    texts = [page.text or "" for page in pages]
    megabytes = sum(map(len, texts)) / 1e6
    site = site_of(Wiki("en"))
    seconds = best(lambda: [to_text(text, site) for text in texts])
    print(f"\nto_text: {megabytes / seconds:.1f} MB/s")
    seconds = best(lambda: [reference_urls(text) for text in texts])
    print(f"\nreference_urls: {megabytes / seconds:.1f} MB/s")


def test_pipeline(dump: tuple[Path, float], tmp_path: Path) -> None:
    """Beside a plain loop over the same pages, which writes nothing."""
    path, megabytes = dump

    def loop() -> None:
        for unit in plan(WIKIPEDIA, WikipediaConfig((str(path),))).units:
            convert = converter(unit, {}, Counter())
            steps = stages(WikipediaConfig(()), Wiki("en"))
            for part in unit.parts:
                for record in records(unit, part, Counter()):
                    document = convert(record)
                    assert isinstance(document, Document)
                    for stage in steps:
                        if not stage(document).keep:
                            break

    print(f"\nplain loop: {megabytes / best(loop):.1f} MB/s of XML")
    for workers in (1, 2):
        run = tmp_path / f"run{workers}"
        flags = ["--unit-megabytes", "1", "--workers", str(workers), "--quiet"]
        words = ["pipelines", "wikipedia", "--input", str(path), "--run", str(run), *flags]
        measured = measure(*words)
        print(
            f"\n{workers} worker(s): {megabytes:.0f} MB of XML in {measured.seconds:.1f} s, "
            f"{megabytes / measured.seconds:.1f} MB/s; resident {measured.launcher / 1e6:.0f} MB, "
            f"worker {measured.worker / 1e6:.0f} MB"
        )
