r"""Speed of papers to text, in MB of TeX per second of CPU time and core.

Run with `pytest -m benchmark tests/benchmarks/test_arxiv_papers.py -s`. The papers are those of the
sample tar files, where they are beside the project. Beside the expander are measured, on the same
papers: pylatexenc, which parses a text and expands nothing (`pip install pylatexenc`), and a
dictionary of regular expressions for the macros without arguments, as RedPajama v1 has it.
"""

import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from filters.arxiv import cuts
from filters.arxiv.paper import decode_files, expand, prepare
from filters.arxiv.redpajama import clean_papers
from pipelines.arxiv.records import Submission, read_submissions, unpack
from pipelines.engine.units import Part, Unit
from tests.benchmarks.measure import report

pytestmark = pytest.mark.benchmark

_ROUNDS = 5
_PEER_CHARACTERS = 300_000  # of a paper that pylatexenc is given: it takes minutes for a book
GOAL_MB_PER_SECOND = 5
GOAL_SLOWEST = 10  # times the mean per byte


@pytest.fixture(scope="module")
def papers(data: Path) -> list[tuple[str, dict[str, bytes]]]:
    """The members of all submissions that hold TeX, by name."""
    found = []
    for path in sorted((data / "arxiv").glob("*.tar")):
        part = Part(str(path), path.stat().st_size)
        for record in read_submissions(Unit("u", "tar", (part,)), part):
            if isinstance(record, Submission):
                kind, members = unpack(record.name, record.data)
                if kind == "tex":
                    found.append((record.name, members))
    return found


def text_of(members: dict[str, bytes]) -> str:
    """Return the text of a paper, from its bytes."""
    paper = prepare(decode_files(members))
    body = expand(paper, paper.mains[0])
    cut = cuts.cut_start(body.text, document=body.document)
    return paper.sealed.open(cuts.tidy(cuts.cut_bibliography(cut.text or "")[0]))


def _tex_bytes(members: dict[str, bytes]) -> int:
    return sum(len(text.encode()) for text in decode_files(members).texts.values())


def _seconds(work: Callable[[], object], rounds: int = _ROUNDS) -> float:
    """Return the least CPU time of some rounds."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def test_papers(papers: list[tuple[str, dict[str, bytes]]]) -> None:
    """Decode, find the main file, expand, cut; no paper is much slower than the others."""
    sizes = {name: _tex_bytes(members) for name, members in papers}
    seconds = {}
    for name, members in papers:
        assert text_of(members)
        seconds[name] = _seconds(lambda members=members: text_of(members))  # type: ignore[misc]
    size, total = sum(sizes.values()) / 1e6, sum(seconds.values())
    slowest = max(seconds, key=lambda name: seconds[name] / sizes[name])
    times_mean = seconds[slowest] / sizes[slowest] / (total / size / 1e6)
    report(f"papers: {size / total:.2f} MB/s of CPU time over {size:.1f} MB of TeX")
    report(f"slowest: {slowest}, {times_mean:.1f} times the mean per byte")
    assert size / total >= GOAL_MB_PER_SECOND
    assert times_mean < GOAL_SLOWEST


def test_regular_expressions(papers: list[tuple[str, dict[str, bytes]]]) -> None:
    """A dictionary of patterns, applied one after the other: macros without arguments alone."""
    size = sum(_tex_bytes(members) for _, members in papers) / 1e6
    seconds = _seconds(lambda: [clean_papers(members) for _, members in papers])
    report(f"regular expressions: {size / seconds:.2f} MB/s of CPU time over {size:.1f} MB of TeX")


def test_pylatexenc(papers: list[tuple[str, dict[str, bytes]]]) -> None:
    """A parser that makes nodes of the main file: no inputs, nothing expanded."""
    walker = pytest.importorskip("pylatexenc.latexwalker", reason="pip install pylatexenc")
    texts = []
    for _, members in papers:
        paper = prepare(decode_files(members))
        texts.append(paper.sealed.open(paper.files.text(paper.mains[0]))[:_PEER_CHARACTERS])
    size = sum(map(len, texts)) / 1e6
    seconds = _seconds(
        lambda: [
            walker.LatexWalker(text, tolerant_parsing=True).get_latex_nodes() for text in texts
        ],
        rounds=1,
    )
    report(f"pylatexenc: {size / seconds:.2f} MB/s of CPU time over {size:.1f} MB of TeX")


def test_macros_that_double_end_soon() -> None:
    r"""``\def\a{\b\b}\def\b{\c\c}...`` ends at the guard in under a second."""
    names = [f"\\q{a}{b}" for a in "abcdef" for b in "abcdefgh"]
    definitions = "".join(f"\\def{x}{{{y}{y}}}" for x, y in pairwise(names))
    main = f"\\documentclass{{a}}{definitions}\\begin{{document}}\\qaa\\end{{document}}"
    seconds = _seconds(lambda: text_of({"main.tex": main.encode()}))
    report(f"macros that double: {seconds:.3f} s of CPU time")
    assert seconds < 1
