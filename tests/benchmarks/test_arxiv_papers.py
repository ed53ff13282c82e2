"""Speed of papers to text, in MB of TeX a second and core.

Run with `pytest -m benchmark tests/benchmarks/test_arxiv_papers.py`. The papers are those of the
sample tar files, where they are beside the project.
"""

from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from filters.arxiv import cuts
from filters.arxiv.paper import decode_files, expand, prepare
from pipelines.arxiv.records import Submission, read_submissions, unpack
from pipelines.engine.units import Part, Unit

pytestmark = pytest.mark.benchmark


@pytest.fixture(scope="module")
def papers(data: Path) -> list[dict[str, bytes]]:
    """The members of all submissions that hold TeX."""
    found = []
    for path in sorted((data / "arxiv").glob("*.tar")):
        part = Part(str(path), path.stat().st_size)
        for record in read_submissions(Unit("u", "tar", (part,)), part):
            if isinstance(record, Submission):
                kind, members = unpack(record.name, record.data)
                if kind == "tex":
                    found.append(members)
    return found


def text_of(members: dict[str, bytes]) -> str:
    """Return the text of a paper, from its bytes."""
    paper = prepare(decode_files(members))
    body = expand(paper, paper.mains[0])
    cut = cuts.cut_start(body.text, document=body.document)
    return paper.sealed.open(cuts.tidy(cuts.cut_bibliography(cut.text or "")[0]))


def test_papers(benchmark: BenchmarkFixture, papers: list[dict[str, bytes]]) -> None:
    """Decode, find the main file, expand, cut."""
    tex = [text for members in papers for text in decode_files(members).texts.values()]
    megabytes_of_tex = sum(len(text.encode()) for text in tex) / 1e6
    texts = benchmark.pedantic(lambda: list(map(text_of, papers)), rounds=3, warmup_rounds=1)
    assert all(texts)
    benchmark.extra_info["megabytes"] = round(megabytes_of_tex, 3)
    if benchmark.stats:  # none with --benchmark-disable
        speed = megabytes_of_tex / benchmark.stats.stats.min
        benchmark.extra_info["MB/s"] = round(speed, 2)
        print(f"{speed:.2f} MB/s over {megabytes_of_tex:.1f} MB")
